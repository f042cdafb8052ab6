// RUN: tamis-opt %s -split-input-file -verify-diagnostics
// One case a constraint of the ops that read indices, named by the op and the constraint's label in its description.

func.func @attend_c1(%q: tensor<2x8x15xf32>, %i: !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">) {
  // expected-error@+1 {{cannot split [2, 8, 15], [2, 8, 15] and [2, 8, 15] into 4 heads over 4}}
  %o = sattn.attend %q, %q, %q over %i heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x15xf32>, tensor<2x8x15xf32>, tensor<2x8x15xf32>,
        over !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1"> -> tensor<2x8x15xf32>
  return
}

// -----

func.func @attend_c2_heads(%q: tensor<2x8x16xf32>, %i: !sattn.index<1 x 1 token, shape ["1", "3", "8"], items "8", capacity "1">) {
  // expected-error@+1 {{has an index of 1 batch items and 3 heads for 2 and 4}}
  %o = sattn.attend %q, %q, %q over %i heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>,
        over !sattn.index<1 x 1 token, shape ["1", "3", "8"], items "8", capacity "1"> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @attend_c2_unknown_heads(%q: tensor<2x8x16xf32>, %i: !sattn.index<1 x 1 token, shape ["2", "h", "8"], items "8", capacity "1">) {
  // expected-error@+1 {{has an index of 2 batch items and h heads for 2 and 4}}
  %o = sattn.attend %q, %q, %q over %i heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>,
        over !sattn.index<1 x 1 token, shape ["2", "h", "8"], items "8", capacity "1"> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @attend_c2_batch(%q: tensor<2x8x16xf32>, %i: !sattn.index<1 x 1 token, shape ["3", "4", "8"], items "8", capacity "1">) {
  // expected-error@+1 {{has an index of 3 batch items and 4 heads for 2 and 4}}
  %o = sattn.attend %q, %q, %q over %i heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>,
        over !sattn.index<1 x 1 token, shape ["3", "4", "8"], items "8", capacity "1"> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @attend_c2_rows(%q: tensor<2x8x16xf32>, %i: !sattn.index<2 x 1 token, shape ["2", "4", "8"], items "8", capacity "1">) {
  // expected-error@+1 {{has an index of 8 rows and 8 items but 4 and 8 fit 8 queries and 8 keys}}
  %o = sattn.attend %q, %q, %q over %i heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>,
        over !sattn.index<2 x 1 token, shape ["2", "4", "8"], items "8", capacity "1"> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @attend_c2_items(%q: tensor<2x8x16xf32>, %i: !sattn.index<0 x 3 block, shape ["2", "4", "1"], items "8", capacity "1">) {
  // expected-error@+1 {{has an index of 1 rows and 8 items but 1 and 3 fit 8 queries and 8 keys}}
  %o = sattn.attend %q, %q, %q over %i heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>,
        over !sattn.index<0 x 3 block, shape ["2", "4", "1"], items "8", capacity "1"> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @compact_c1_heads(%x: tensor<2x8x4xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "2", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{but one row of tokens for each of 2 batch items, of 8 items and a capacity of 3, is wanted}}
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !sattn.index<0 x 1 token, shape ["2", "2", "1"], items "8", capacity "3">
      -> tensor<2x3x4xf32>
  return
}

// -----

func.func @attend_c3_no_such_index(%q: tensor<2x8x16xf32>, %i: !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">) {
  // expected-error@+1 {{has the full indices array<i64: 1> but ascending numbers from 0, below 1, are wanted}}
  %o = sattn.attend %q, %q, %q over %i full [1] heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>,
        over !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1"> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @compact_c1_blocks(%x: tensor<2x8x4xf32>, %i: !sattn.index<0 x 2 block, shape ["2", "1", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{but one row of tokens for each of 2 batch items}}
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !sattn.index<0 x 2 block, shape ["2", "1", "1"], items "8", capacity "3">
      -> tensor<2x3x4xf32>
  return
}

// -----

func.func @compact_c1_items(%x: tensor<2x8x4xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "9", capacity "3">) {
  // expected-error@+1 {{of 8 items and a capacity of 3, is wanted}}
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "9", capacity "3">
      -> tensor<2x3x4xf32>
  return
}

// -----

func.func @compact_c2(%x: tensor<2x8x4xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{has tokens of sizes [2, 8, 4] and [2, 3, 5] but three axes are wanted, of which two agree}}
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "3">
      -> tensor<2x3x5xf32>
  return
}

// -----

func.func @compact_c2_capacity(%x: tensor<2x8x4xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{of 8 items and a capacity of 4, is wanted}}
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "3">
      -> tensor<2x4x4xf32>
  return
}

// -----

func.func @expand_c1(%x: tensor<2x3x4xf32>, %i: !sattn.index<1 x 1 token, shape ["2", "1", "8"], items "8", capacity "3">) {
  // expected-error@+1 {{but one row of tokens for each of 2 batch items, of 8 items and a capacity of 3, is wanted}}
  %c = sattn.expand %x by %i : tensor<2x3x4xf32>, !sattn.index<1 x 1 token, shape ["2", "1", "8"], items "8", capacity "3">
      -> tensor<2x8x4xf32>
  return
}

// -----

func.func @expand_c2(%x: tensor<3x4xf32>, %i: !sattn.index<0 x 1 token, shape ["1", "1", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{has tokens of sizes [1, 8, 4] and [3, 4] but three axes are wanted}}
  %c = sattn.expand %x by %i : tensor<3x4xf32>, !sattn.index<0 x 1 token, shape ["1", "1", "1"], items "8", capacity "3">
      -> tensor<1x8x4xf32>
  return
}

// -----

func.func @attend_at_c1(%q: tensor<2x3x6xf32>, %k: tensor<2x8x6xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "3">) {
  // expected-error@+1 {{cannot split [2, 3, 6], [2, 8, 6] and [2, 8, 6] into 4 heads over 4}}
  %o = sattn.attend_at %q, %k, %k at %i heads 4 kv_heads 4 scale 1.0
      : tensor<2x3x6xf32>, tensor<2x8x6xf32>, tensor<2x8x6xf32>,
        at !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "3"> -> tensor<2x3x6xf32>
  return
}

// -----

func.func @attend_at_c2(%q: tensor<2x3x6xf32>, %k: tensor<2x8x6xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "4">) {
  // expected-error@+1 {{but one row of tokens for each of 2 batch items, of 8 items and a capacity of 3, is wanted}}
  %o = sattn.attend_at %q, %k, %k at %i heads 2 kv_heads 2 scale 1.0
      : tensor<2x3x6xf32>, tensor<2x8x6xf32>, tensor<2x8x6xf32>,
        at !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "4"> -> tensor<2x3x6xf32>
  return
}

// -----

func.func @attend_c3_order(%q: tensor<2x8x16xf32>, %i: !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">) {
  // expected-error@+1 {{has the full indices array<i64: 1, 0> but ascending numbers from 0, below 2, are wanted}}
  %o = sattn.attend %q, %q, %q over %i, %i full [1, 0] heads 4 kv_heads 4 scale 1.0
      : tensor<2x8x16xf32>, tensor<2x8x16xf32>, tensor<2x8x16xf32>,
        over !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1">,
        !sattn.index<1 x 1 token, shape ["1", "1", "8"], items "8", capacity "1"> -> tensor<2x8x16xf32>
  return
}

// -----

func.func @store_index_c1(%i: !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">) {
  // expected-error@+1 {{gives 'tensor<1x1x4x4xi32>' but 'tensor<1x1x4x5xi32>' is wanted}}
  %t = sattn.store_index %i
      : !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4"> -> tensor<1x1x4x4xi32>
  return
}

// -----

func.func @load_index_c1(%t: tensor<1x1x4x4xi32>) {
  // expected-error@+1 {{reads 'tensor<1x1x4x4xi32>' but 'tensor<1x1x4x5xi32>' is wanted}}
  %i = sattn.load_index %t
      : tensor<1x1x4x4xi32> -> !sattn.index<2 x 2 block, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// -----

func.func @linear_attend_c1(%q: tensor<1x8x6xf32>) {
  // expected-error@+1 {{cannot split [1, 8, 6], [1, 8, 6] and [1, 8, 6] into 4 heads over 4}}
  %o = sattn.linear_attend elu1 %q, %q, %q heads 4 kv_heads 4
      : tensor<1x8x6xf32>, tensor<1x8x6xf32>, tensor<1x8x6xf32> -> tensor<1x8x6xf32>
  return
}

// -----

func.func @linear_attend_c2(%q: tensor<1x8x4xf32>, %m: tensor<1x1x8x8xi1>) {
  // expected-error@+1 {{has a mask of sizes [1, 1, 8, 8] but [1, 1, 1, 8] is wanted}}
  %o = sattn.linear_attend elu1 %q, %q, %q mask %m heads 1 kv_heads 1
      : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x1x8x8xi1> -> tensor<1x8x4xf32>
  return
}
