// RUN: tamis-opt %s -split-input-file -verify-diagnostics
// One case a constraint, named by the op and the constraint's label in its description.

func.func @attention_c1(%q: tensor<1x8x6xf32>) {
  // expected-error@+1 {{cannot split [1, 8, 6], [1, 8, 6] and [1, 8, 6] into 4 heads over 4}}
  %o = sattn.attention #sattn.window<size = 2> %q, %q, %q heads 4 kv_heads 4 scale 1.0
      : tensor<1x8x6xf32>, tensor<1x8x6xf32>, tensor<1x8x6xf32> -> tensor<1x8x6xf32>
  return
}

// -----

func.func @attention_c1_pattern(%q: tensor<1x8x4xf32>, %k: tensor<1x7x4xf32>) {
  // expected-error@+1 {{found 8 queries and 7 keys but local_global wants as many of both}}
  %o = sattn.attention #sattn.local_global<> %q, %k, %k heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x7x4xf32>, tensor<1x7x4xf32> -> tensor<1x8x4xf32>
  return
}

// -----

func.func @attention_c2_of_pairs(%q: tensor<1x8x4xf32>, %m: tensor<1x1x8x8xi1>) {
  // expected-error@+1 {{has a mask of sizes [1, 1, 8, 8] but [1, 1, 1, 8] is wanted}}
  %o = sattn.attention #sattn.top_k<k = 2> %q, %q, %q mask %m heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x1x8x8xi1> -> tensor<1x8x4xf32>
  return
}

// -----

func.func @attention_c2_of_batch(%q: tensor<2x8x4xf32>, %m: tensor<1x1x1x8xf32>) {
  // expected-error@+1 {{has a mask of sizes [1, 1, 1, 8] but [2, 1, 1, 8] is wanted}}
  %o = sattn.attention #sattn.fraction<> %q, %q, %q mask %m heads 1 kv_heads 1 scale 1.0
      : tensor<2x8x4xf32>, tensor<2x8x4xf32>, tensor<2x8x4xf32>, tensor<1x1x1x8xf32> -> tensor<2x8x4xf32>
  return
}

// -----

func.func @attention_c3(%q: tensor<1x8x4xf32>, %w: tensor<4xf32>) {
  // expected-error@+1 {{has 1 weights but #sattn.window<size = 2> wants 0}}
  %o = sattn.attention #sattn.window<size = 2> %q, %q, %q weights %w heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32> weights tensor<4xf32> -> tensor<1x8x4xf32>
  return
}

// -----

func.func @attention_c3_none(%q: tensor<1x8x6xf32>) {
  // expected-error@+1 {{has 0 weights but #sattn.gate_quantile<> wants 1, 'gate' of sizes [1, 6]}}
  %o = sattn.attention #sattn.gate_quantile<> %q, %q, %q heads 2 kv_heads 2 scale 1.0
      : tensor<1x8x6xf32>, tensor<1x8x6xf32>, tensor<1x8x6xf32> -> tensor<1x8x6xf32>
  return
}

// -----

func.func @attention_c3_sizes(%q: tensor<1x8x6xf32>, %w: tensor<1x6xf32>) {
  // expected-error@+1 {{has the weight 'gate' of sizes [1, 6] but [2, 6] is wanted}}
  %o = sattn.attention #sattn.gate_quantile<per_head = true> %q, %q, %q weights %w heads 2 kv_heads 2 scale 1.0
      : tensor<1x8x6xf32>, tensor<1x8x6xf32>, tensor<1x8x6xf32> weights tensor<1x6xf32> -> tensor<1x8x6xf32>
  return
}

// -----

func.func @attention_c3_two(%q: tensor<1x8x6xf32>, %w: tensor<3x6xf32>) {
  // expected-error@+1 {{has 1 weights but #sattn.focus_aware<> wants 2, 'focus' of sizes [3, 6], 'bias' of sizes [1]}}
  %o = sattn.attention #sattn.focus_aware<> %q, %q, %q weights %w heads 2 kv_heads 2 scale 1.0
      : tensor<1x8x6xf32>, tensor<1x8x6xf32>, tensor<1x8x6xf32> weights tensor<3x6xf32> -> tensor<1x8x6xf32>
  return
}

// -----

func.func @attention_no_pattern(%q: tensor<1x8x4xf32>) {
  // expected-error@+1 {{invalid kind of attribute specified}}
  %o = sattn.attention #sattn.budget<count 1.0> %q, %q, %q heads 1 kv_heads 1 scale 1.0
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32> -> tensor<1x8x4xf32>
  return
}

// -----

func.func @summarize_c1_heads(%x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{cannot split [1, 8, 6] into 4 heads}}
  %s = sattn.summarize mean %x heads 4 width 2 : tensor<1x8x6xf32> -> tensor<1x4x4x1xf32>
  return
}

// -----

func.func @summarize_c1_axes(%x: tensor<8x6xf32>) {
  // expected-error@+1 {{cannot split [8, 6] into 1 heads}}
  %s = sattn.summarize mean %x heads 1 width 2 : tensor<8x6xf32> -> tensor<1x1x4x6xf32>
  return
}

// -----

func.func @summarize_c1_result(%x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{has a result of sizes [1, 2, 2, 3] but [1, 2, 3, 3] is wanted}}
  %s = sattn.summarize mean %x heads 2 width 3 : tensor<1x8x6xf32> -> tensor<1x2x2x3xf32>
  return
}

// -----

func.func @summarize_c1_columns(%x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{has a result of sizes [1, 2, 3, 3] but [1, 2, 3, 6] is wanted}}
  %s = sattn.summarize bounds %x heads 2 width 3 : tensor<1x8x6xf32> -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @summarize_c1_stack(%x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{has a result of sizes [1, 2, 3, 6] but [1, 2, 3, 9] is wanted}}
  %s = sattn.summarize stack %x heads 2 width 3 : tensor<1x8x6xf32> -> tensor<1x2x3x6xf32>
  return
}

// -----

func.func @summarize_c1_element(%x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{failed to verify that all of {input, result} have same element type}}
  %s = sattn.summarize mean %x heads 2 width 3 : tensor<1x8x6xf32> -> tensor<1x2x3x3xf16>
  return
}

// -----

func.func @summarize_c2(%x: tensor<1x8x6xf32>, %m: tensor<1x8xi1>) {
  // expected-error@+1 {{has a mask of sizes [1, 8] but [1, 1, 1, 8] is wanted}}
  %s = sattn.summarize max %x mask %m heads 2 width 3 : tensor<1x8x6xf32>, tensor<1x8xi1> -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @summarize_width(%x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{attribute 'width' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %s = sattn.summarize max %x heads 2 width 0 : tensor<1x8x6xf32> -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @score_c1_group(%x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{has 3 heads over 2}}
  %s = sattn.score %x, %x heads 3 kv_heads 2 : tensor<1x8x6xf32>, tensor<1x8x6xf32> -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @score_c2_weights(%x: tensor<1x8x6xf32>, %w: tensor<1x8x2xf32>) {
  // expected-error@+1 {{has a result of sizes [1, 2, 8, 8] but [1, 1, 8, 8] is wanted}}
  %s = sattn.score %x, %x weights %w heads 2 kv_heads 2
      : tensor<1x8x6xf32>, tensor<1x8x6xf32> weights tensor<1x8x2xf32> -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @score_c3(%x: tensor<1x8x6xf32>, %w: tensor<1x2x8xf32>) {
  // expected-error@+1 {{has weights of sizes [1, 2, 8] but [1, 8, 2] is wanted}}
  %s = sattn.score %x, %x weights %w heads 2 kv_heads 2
      : tensor<1x8x6xf32>, tensor<1x8x6xf32> weights tensor<1x2x8xf32> -> tensor<1x1x8x8xf32>
  return
}

// -----

func.func @weigh_c1_scores(%s: tensor<1x2x4x5xf32>) {
  // expected-error@+1 {{has scores of sizes [1, 2, 4, 5] but rows of 4 and columns of 4 are wanted}}
  %w = sattn.weigh blocks %s scale 1.0 width 4 rows 2 columns 2 queries "16" keys "15"
      : tensor<1x2x4x5xf32> -> tensor<1x2x2x3xf32>
  return
}

// -----

func.func @weigh_c1_sizes(%s: tensor<1x2x4x5xf32>) {
  // expected-error@+1 {{found the sizes "4" and "+" but size expressions are wanted}}
  %w = sattn.weigh blocks %s scale 1.0 width 1 rows 2 columns 2 queries "4" keys "+"
      : tensor<1x2x4x5xf32> -> tensor<1x2x2x3xf32>
  return
}

// -----

func.func @weigh_c1_result(%s: tensor<1x2x4x5xf32>) {
  // expected-error@+1 {{has a result of sizes [1, 2, 2, 2] but [1, 2, 1, 3] is wanted}}
  %w = sattn.weigh blocks %s scale 1.0 width 1 rows 0 columns 2 queries "4" keys "5"
      : tensor<1x2x4x5xf32> -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @weigh_c2(%s: tensor<1x2x4x5xf32>, %m: tensor<1x1x1x4xi1>) {
  // expected-error@+1 {{has a mask of sizes [1, 1, 1, 4] but [1, 1, 1, 5] is wanted}}
  %w = sattn.weigh blocks %s mask %m scale 1.0 width 1 rows 0 columns 1 queries "4" keys "5"
      : tensor<1x2x4x5xf32> mask tensor<1x1x1x4xi1> -> tensor<1x2x1x5xf32>
  return
}

// -----

func.func @weigh_c3(%s: tensor<1x2x4x5xf32>) {
  // expected-error@+1 {{weighs diagonals, which want causal order, a width of 1 and columns of 1}}
  %w = sattn.weigh diagonals %s scale 1.0 width 1 rows 0 columns 1 queries "4" keys "5"
      : tensor<1x2x4x5xf32> -> tensor<1x2x1x5xf32>
  return
}

// -----

func.func @diagonals_c1(%d: !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "7", capacity "3">) {
  // expected-error@+1 {{but one row of as many distances as keys is wanted}}
  %b = sattn.diagonals %d queries "8" keys "8"
      : !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "7", capacity "3">
      -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "2">
  return
}

// -----

func.func @diagonals_c2(%d: !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{but rows of queries, and its batch and heads, are wanted}}
  %b = sattn.diagonals %d queries "8" keys "8"
      : !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "8", capacity "3">
      -> !sattn.index<4 x 4 block, shape ["1", "1", "2"], items "2", capacity "2">
  return
}

// -----

func.func @diagonals_c2_rows(%d: !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{has an index of 3 rows and 2 items but 2 and 2 fit 8 queries and 8 keys}}
  %b = sattn.diagonals %d queries "8" keys "8"
      : !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "8", capacity "3">
      -> !sattn.index<4 x 4 block, shape ["1", "2", "3"], items "2", capacity "2">
  return
}

// -----

func.func @score_c1_heads(%q: tensor<1x2x8x3xf32>, %x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{cannot multiply 4 heads of [1, 2, 8, 3] with 2 of [1, 8, 6]}}
  %s = sattn.score %q, %x heads 4 kv_heads 2 : tensor<1x2x8x3xf32>, tensor<1x8x6xf32> -> tensor<1x4x8x8xf32>
  return
}

// -----

func.func @score_c1_width(%q: tensor<1x2x8x4xf32>, %x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{cannot multiply 2 heads of [1, 2, 8, 4] with 2 of [1, 8, 6]}}
  %s = sattn.score %q, %x heads 2 kv_heads 2 : tensor<1x2x8x4xf32>, tensor<1x8x6xf32> -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @score_c1_batch(%q: tensor<3x2x8x3xf32>, %x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{cannot multiply 2 heads of [3, 2, 8, 3] with 2 of [1, 8, 6]}}
  %s = sattn.score %q, %x heads 2 kv_heads 2 : tensor<3x2x8x3xf32>, tensor<1x8x6xf32> -> tensor<3x2x8x8xf32>
  return
}

// -----

func.func @score_c2(%q: tensor<1x2x4x3xf32>, %x: tensor<1x8x6xf32>) {
  // expected-error@+1 {{has a result of sizes [1, 2, 8, 4] but [1, 2, 4, 8] is wanted}}
  %s = sattn.score %q, %x heads 2 kv_heads 2 : tensor<1x2x4x3xf32>, tensor<1x8x6xf32> -> tensor<1x2x8x4xf32>
  return
}

// -----

func.func @score_c2_element(%x: tensor<1x8x6xf32>, %y: tensor<1x8x6xf64>) {
  // expected-error@+1 {{failed to verify that all of {queries, keys, result} have same element type}}
  %s = sattn.score %x, %y heads 2 kv_heads 2 : tensor<1x8x6xf32>, tensor<1x8x6xf64> -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @select_c1_scores(%s: tensor<1x1x4x5xf32>) {
  // expected-error@+1 {{has scores of sizes [1, 1, 4, 5] but [1, 1, 4, 4] is wanted}}
  %i = sattn.select #sattn.budget<count 2.0> %s queries "8" keys "8" : tensor<1x1x4x5xf32> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c1_rows(%s: tensor<1x1x4x4xf32>) {
  // expected-error@+1 {{has an index of 4 rows and 4 items but 3 and 4 fit 6 queries and 8 keys}}
  %i = sattn.select #sattn.budget<count 2.0> %s queries "6" keys "8" : tensor<1x1x4x4xf32> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c1_items(%s: tensor<1x1x4x4xf32>) {
  // expected-error@+1 {{has an index of 4 rows and 4 items but 4 and 5 fit 8 queries and 9 keys}}
  %i = sattn.select #sattn.budget<count 2.0> %s queries "8" keys "9" : tensor<1x1x4x4xf32> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c1_syntax(%s: tensor<1x1x4x4xf32>) {
  // expected-error@+1 {{found the sizes "8" and "8/" but size expressions are wanted}}
  %i = sattn.select #sattn.budget<count 2.0> %s queries "8" keys "8/" : tensor<1x1x4x4xf32> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c2_rows(%s: tensor<1x1x4x4xf32>, %c: !sattn.index<4 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">) {
  // expected-error@+1 {{which has other rows or items}}
  %i = sattn.select #sattn.budget<count 2.0> %s among %c queries "8" keys "8"
      : tensor<1x1x4x4xf32>, among !sattn.index<4 x 2 block, shape ["1", "1", "4"], items "4", capacity "4"> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c2_number_of_rows(%s: tensor<1x1x4x4xf32>, %c: !sattn.index<2 x 2 block, shape ["1", "1", "2"], items "4", capacity "4">) {
  // expected-error@+1 {{which has other rows or items}}
  %i = sattn.select #sattn.budget<count 2.0> %s among %c queries "8" keys "8"
      : tensor<1x1x4x4xf32>, among !sattn.index<2 x 2 block, shape ["1", "1", "2"], items "4", capacity "4"> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c2_columns(%s: tensor<1x1x4x4xf32>, %c: !sattn.index<2 x 1 token, shape ["1", "1", "4"], items "4", capacity "4">) {
  // expected-error@+1 {{which has other rows or items}}
  %i = sattn.select #sattn.budget<count 2.0> %s among %c queries "8" keys "8"
      : tensor<1x1x4x4xf32>, among !sattn.index<2 x 1 token, shape ["1", "1", "4"], items "4", capacity "4"> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c2_items(%s: tensor<1x1x4x4xf32>, %c: !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "8", capacity "4">) {
  // expected-error@+1 {{which has other rows or items}}
  %i = sattn.select #sattn.budget<count 2.0> %s among %c queries "8" keys "8"
      : tensor<1x1x4x4xf32>, among !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "8", capacity "4"> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c2_heads(%s: tensor<1x1x4x4xf32>, %c: !sattn.index<2 x 2 block, shape ["1", "2", "4"], items "4", capacity "4">) {
  // expected-error@+1 {{which has other rows or items}}
  %i = sattn.select #sattn.budget<count 2.0> %s among %c queries "8" keys "8"
      : tensor<1x1x4x4xf32>, among !sattn.index<2 x 2 block, shape ["1", "2", "4"], items "4", capacity "4"> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c2_batch(%s: tensor<1x1x4x4xf32>, %c: !sattn.index<2 x 2 block, shape ["2", "1", "4"], items "4", capacity "4">) {
  // expected-error@+1 {{which has other rows or items}}
  %i = sattn.select #sattn.budget<count 2.0> %s among %c queries "8" keys "8"
      : tensor<1x1x4x4xf32>, among !sattn.index<2 x 2 block, shape ["2", "1", "4"], items "4", capacity "4"> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_sinks(%s: tensor<1x1x4x4xf32>) {
  // expected-error@+1 {{attribute 'sinks' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %i = sattn.select #sattn.budget<count 2.0> %s queries "8" keys "8" sinks -1 : tensor<1x1x4x4xf32> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_local(%s: tensor<1x1x4x4xf32>) {
  // expected-error@+1 {{attribute 'local' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %i = sattn.select #sattn.budget<count 2.0> %s queries "8" keys "8" sinks 1 local -2 : tensor<1x1x4x4xf32> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @select_c3(%s: tensor<1x1x4x4xf32>, %m: tensor<1x1x1x4xi1>) {
  // expected-error@+1 {{has a mask of sizes [1, 1, 1, 4] but [1, 1, 1, 8] is wanted}}
  %i = sattn.select #sattn.budget<count 2.0> %s mask %m queries "8" keys "8"
      : tensor<1x1x4x4xf32> mask tensor<1x1x1x4xi1> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @bands_c1_rows() {
  // expected-error@+1 {{but rows of queries are wanted}}
  %i = sattn.bands before 0 after 0 sinks 0 queries "8" keys "8"
      : !sattn.index<0 x 1 token, shape ["1", "1", "1"], items "8", capacity "1">
  return
}

// -----

func.func @bands_c1() {
  // expected-error@+1 {{has an index of 8 rows and 8 items but 8 and 4 fit 8 queries and 4 keys}}
  %i = sattn.bands before 0 after 0 sinks 0 queries "8" keys "4"
      : !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">
  return
}

// -----

func.func @bands_before() {
  // expected-error@+1 {{attribute 'before' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %i = sattn.bands before -1 after 0 sinks 0 queries "8" keys "8"
      : !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">
  return
}

// -----

func.func @bands_sinks() {
  // expected-error@+1 {{attribute 'sinks' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative whose maximum value is 2147483647}}
  %i = sattn.bands before 0 after 0 sinks 2147483648 queries "8" keys "8"
      : !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">
  return
}

// -----

func.func @coarsen_c1_rows(%i: !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">) {
  // expected-error@+1 {{cannot make}}
  %o = sattn.coarsen %i : !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">
      -> !sattn.index<3 x 1 token, shape ["1", "2", "3"], items "8", capacity "4">
  return
}

// -----

func.func @coarsen_c1_of_all(%i: !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "8", capacity "4">) {
  // expected-error@+1 {{cannot make}}
  %o = sattn.coarsen %i : !sattn.index<0 x 1 token, shape ["1", "2", "1"], items "8", capacity "4">
      -> !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">
  return
}

// -----

func.func @coarsen_c1_heads(%i: !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">) {
  // expected-error@+1 {{cannot make}}
  %o = sattn.coarsen %i : !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">
      -> !sattn.index<4 x 1 token, shape ["1", "1", "2"], items "8", capacity "4">
  return
}

// -----

func.func @coarsen_c1_batch(%i: !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">) {
  // expected-error@+1 {{cannot make}}
  %o = sattn.coarsen %i : !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">
      -> !sattn.index<4 x 1 token, shape ["2", "2", "2"], items "8", capacity "4">
  return
}

// -----

func.func @coarsen_c1_columns(%i: !sattn.index<2 x 2 block, shape ["1", "2", "4"], items "8", capacity "2">) {
  // expected-error@+1 {{cannot make}}
  %o = sattn.coarsen %i : !sattn.index<2 x 2 block, shape ["1", "2", "4"], items "8", capacity "2">
      -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "8", capacity "4">
  return
}

// -----

func.func @coarsen_c1_unit(%i: !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">) {
  // expected-error@+1 {{cannot make}}
  %o = sattn.coarsen %i : !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">
      -> !sattn.index<4 x 1 block, shape ["1", "2", "2"], items "8", capacity "4">
  return
}

// -----

func.func @coarsen_c1_items(%i: !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">) {
  // expected-error@+1 {{cannot make}}
  %o = sattn.coarsen %i : !sattn.index<2 x 1 token, shape ["1", "2", "4"], items "8", capacity "2">
      -> !sattn.index<4 x 1 token, shape ["1", "2", "2"], items "9", capacity "4">
  return
}
