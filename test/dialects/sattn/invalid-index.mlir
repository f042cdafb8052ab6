// RUN: tamis-opt %s -split-input-file -verify-diagnostics
// Ops from index to index, and partial results: one case a constraint, named as in invalid.mlir.

func.func @union_c1_none() {
  // expected-error@+1 {{has no operand}}
  %r = "sattn.union"() : () -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @union_c1_alike(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{which differs in more than its capacity}}
  %r = sattn.union %i : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<2 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @intersect_c1_none() {
  // expected-error@+1 {{has no operand}}
  %r = "sattn.intersect"() : () -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @intersect_c1_alike(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{which differs in more than its capacity}}
  %r = sattn.intersect %i : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<2 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @refine_c1(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{cannot make}}
  %r = sattn.refine %i keys "8" : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 3 block, shape ["1", "2", "2"], items "3", capacity "1">
  return
}

// -----

func.func @refine_c1_rows(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{cannot make}}
  %r = sattn.refine %i keys "8" : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<8 x 2 block, shape ["1", "2", "1"], items "4", capacity "1">
  return
}

// -----

func.func @refine_c2(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{has an index of 2 items but 3 fit 9 keys}}
  %r = sattn.refine %i keys "9" : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 2 block, shape ["1", "2", "2"], items "5", capacity "1">
  return
}

// -----

func.func @refine_c2_result(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{has an index of 5 items but 4 fit 8 keys}}
  %r = sattn.refine %i keys "8" : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 2 block, shape ["1", "2", "2"], items "5", capacity "1">
  return
}

// -----

func.func @refine_c2_size(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{found the size "8 keys" but a size expression is wanted}}
  %r = sattn.refine %i keys "8 keys" : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1"> -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @coarsen_c2_no_keys(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{cannot make}}
  %r = sattn.coarsen %i : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 8 block, shape ["1", "2", "2"], items "1", capacity "1">
  return
}

// -----

func.func @coarsen_c2_items(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{has an index of 2 items but 1 fit 8 keys}}
  %r = sattn.coarsen %i keys "8" : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 8 block, shape ["1", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @transpose_c1(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{cannot make}}
  %r = sattn.transpose %i : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "3", capacity "3">
  return
}

// -----

func.func @transpose_c1_rows(%i: !sattn.index<0 x 4 block, shape ["1", "2", "1"], items "2", capacity "1">) {
  // expected-error@+1 {{cannot make}}
  %r = sattn.transpose %i : !sattn.index<0 x 4 block, shape ["1", "2", "1"], items "2", capacity "1">
      -> !sattn.index<4 x 1 block, shape ["1", "2", "2"], items "1", capacity "1">
  return
}

// -----

func.func @share_c1(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{cannot make}}
  %r = sattn.share %i heads [0, 1] : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "2">
  return
}

// -----

func.func @share_c1_batch(%i: !sattn.index<4 x 4 block, shape ["2", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{cannot make}}
  %r = sattn.share %i heads [0, 1] : !sattn.index<4 x 4 block, shape ["2", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 4 block, shape ["4", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @share_c2(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{gives 3 heads those numbered 0, 1 of 2}}
  %r = sattn.share %i heads [0, 1] : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
      -> !sattn.index<4 x 4 block, shape ["1", "3", "2"], items "2", capacity "1">
  return
}

// -----

func.func @share_c2_unknown(%i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{gives 2 heads those numbered 0, 2 of 2}}
  %r = sattn.share %i heads [0, 2] : !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1"> -> !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">
  return
}

// -----

func.func @attend_c4(%q: tensor<1x8x4xf32>,
                           %i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{gives '!sattn.partial<["1", "2", "8", "4"]>' of operands of 'f32' but}}
  %r = sattn.attend %q, %q, %q over %i heads 2 kv_heads 2 scale 1.0 : tensor<1x8x4xf32>, tensor<1x8x4xf32>, tensor<1x8x4xf32>,
      over !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1"> -> !sattn.partial<["1", "2", "8", "4"]>
  return
}

// -----

func.func @attend_c4_element(%q: tensor<1x8x4xf16>,
                           %i: !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1">) {
  // expected-error@+1 {{of operands of 'f16' but}}
  %r = sattn.attend %q, %q, %q over %i heads 2 kv_heads 2 scale 1.0 : tensor<1x8x4xf16>, tensor<1x8x4xf16>, tensor<1x8x4xf16>,
      over !sattn.index<4 x 4 block, shape ["1", "2", "2"], items "2", capacity "1"> -> !sattn.partial<["1", "2", "8", "2"]>
  return
}

// -----

func.func @merge_c1() {
  // expected-error@+1 {{has no operand}}
  %r = "sattn.merge"() : () -> !sattn.partial<["1", "2", "8", "4"]>
  return
}

// -----

func.func @merge_c1_types(%x: !sattn.partial<["1", "2", "8", "4"]>, %y: !sattn.partial<["1", "2", "8", "2"]>) {
  // expected-error@+1 {{merges '!sattn.partial<["1", "2", "8", "4"]>' with}}
  %r = sattn.merge %x, %y : !sattn.partial<["1", "2", "8", "4"]>, !sattn.partial<["1", "2", "8", "2"]> -> !sattn.partial<["1", "2", "8", "4"]>
  return
}

// -----

func.func @merge_c2(%x: !sattn.partial<["1", "2", "8", "4"]>) {
  // expected-error@+1 {{gives 'tensor<1x8x4xf32>' but 'tensor<1x8x8xf32>' or}}
  %r = sattn.merge %x : !sattn.partial<["1", "2", "8", "4"]> -> tensor<1x8x4xf32>
  return
}

// -----

func.func @store_partial_c1(%x: !sattn.partial<["1", "2", "8", "4"]>) {
  // expected-error@+1 {{but 'tensor<1x2x8x5xf32>' is wanted}}
  %t = sattn.store_partial %x : !sattn.partial<["1", "2", "8", "4"]> -> tensor<1x2x8x4xf32>
  return
}

// -----

func.func @load_partial_c1(%t: tensor<1x2x8x4xf32>) {
  // expected-error@+1 {{but 'tensor<1x2x8x5xf32>' is wanted}}
  %x = sattn.load_partial %t : tensor<1x2x8x4xf32> -> !sattn.partial<["1", "2", "8", "4"]>
  return
}

// -----

// expected-error@+1 {{found a partial result of 3 sizes but batch, heads, queries and width are wanted}}
func.func private @partial_c1(!sattn.partial<["1", "2", "8"]>)

// -----

// expected-error@+1 {{found the size "h" but a number is wanted}}
func.func private @partial_c1_number(!sattn.partial<["1", "h", "8", "4"]>)

// -----

// expected-error@+1 {{found the size "8 queries" but a size expression in canonical form is wanted}}
func.func private @partial_c1_size(!sattn.partial<["1", "2", "8 queries", "4"]>)
