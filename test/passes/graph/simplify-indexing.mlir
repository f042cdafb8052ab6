// RUN: tamis-opt %s -tamis-simplify-indexing -canonicalize | FileCheck %s

!b = tensor<?xi64, #model.dims<"b">>
!s = tensor<?xi64, #model.dims<"s">>
!bs = tensor<?x?xf32, #model.dims<"b", "s">>
!sb = tensor<?x?xf32, #model.dims<"s", "b">>

// CHECK-LABEL: func.func @gather_all
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @gather_all(%x: !bs) -> !bs {
  %i = model.iota "0" step "1" : !s
  %g = model.gather %x, %i axis 1 : !bs, !s -> !bs
  return %g : !bs
}

// Positions that stay below the size of the table, as the range of the symbol says, are a slice of it.
// CHECK-LABEL: func.func @gather_prefix
// CHECK: %[[T:.*]] = model.weight "positions"
// CHECK-NEXT: %[[P:.*]] = model.slice %[[T]] ["1", "0"] step [1, 1] : tensor<9x4xf32> -> tensor<?x4xf32, #model.dims<"s", "4">>
// CHECK-NEXT: %[[R:.*]] = model.reshape %[[P]]
// CHECK-NEXT: return %[[R]]
func.func @gather_prefix(%x: !s) -> tensor<1x?x4xf32, #model.dims<"1", "s", "4">>
    attributes {model.symbols = [#model.symbol<"s", 1, 8>]} {
  %t = model.weight "positions" : tensor<9x4xf32>
  %c = model.constant dense<[[1, 2, 3, 4, 5, 6, 7, 8, 9]]> : tensor<1x9xi64>
  %i = model.slice %c ["0", "0"] step [1, 1] : tensor<1x9xi64> -> tensor<1x?xi64, #model.dims<"1", "s">>
  %g = model.gather %t, %i axis 0 : tensor<9x4xf32>, tensor<1x?xi64, #model.dims<"1", "s">>
      -> tensor<1x?x4xf32, #model.dims<"1", "s", "4">>
  return %g : tensor<1x?x4xf32, #model.dims<"1", "s", "4">>
}

// One position more could leave the table: the op must report that at run time.
// CHECK-LABEL: func.func @gather_too_far
// CHECK: model.gather
func.func @gather_too_far(%x: !s) -> tensor<?x4xf32, #model.dims<"s", "4">>
    attributes {model.symbols = [#model.symbol<"s", 1, 9>]} {
  %t = model.weight "positions" : tensor<9x4xf32>
  %i = model.iota "1" step "1" : !s
  %g = model.gather %t, %i axis 0 : tensor<9x4xf32>, !s -> tensor<?x4xf32, #model.dims<"s", "4">>
  return %g : tensor<?x4xf32, #model.dims<"s", "4">>
}

// CHECK-LABEL: func.func @gather_negative
// CHECK: model.gather
func.func @gather_negative(%x: tensor<4xf32>) -> tensor<2xf32> {
  %i = model.constant dense<[-1, 0]> : tensor<2xi64>
  %g = model.gather %x, %i axis 0 : tensor<4xf32>, tensor<2xi64> -> tensor<2xf32>
  return %g : tensor<2xf32>
}

// CHECK-LABEL: func.func @gather_irregular
// CHECK: model.gather
func.func @gather_irregular(%x: tensor<4xf32>) -> tensor<3xf32> {
  %i = model.constant dense<[0, 1, 3]> : tensor<3xi64>
  %g = model.gather %x, %i axis 0 : tensor<4xf32>, tensor<3xi64> -> tensor<3xf32>
  return %g : tensor<3xf32>
}

// CHECK-LABEL: func.func @gather_backwards
// CHECK: model.slice %{{.*}} ["3"] step [-2] : tensor<4xf32> -> tensor<2xf32>
func.func @gather_backwards(%x: tensor<4xf32>) -> tensor<2xf32> {
  %i = model.constant dense<[3, 1]> : tensor<2xi64>
  %g = model.gather %x, %i axis 0 : tensor<4xf32>, tensor<2xi64> -> tensor<2xf32>
  return %g : tensor<2xf32>
}

// The first token of each row.
// CHECK-LABEL: func.func @gather_one
// CHECK: %[[S:.*]] = model.slice %{{.*}} ["0", "0", "0"] step [1, 1, 1] : {{.*}} -> tensor<?x1x4xf32, #model.dims<"b", "1", "4">>
// CHECK-NEXT: model.reshape %[[S]]
func.func @gather_one(%x: tensor<?x?x4xf32, #model.dims<"b", "s", "4">>) -> tensor<?x4xf32, #model.dims<"b", "4">>
    attributes {model.symbols = [#model.symbol<"s", 1, 8>]} {
  %i = model.constant dense<0> : tensor<i64>
  %g = model.gather %x, %i axis 1 : tensor<?x?x4xf32, #model.dims<"b", "s", "4">>, tensor<i64>
      -> tensor<?x4xf32, #model.dims<"b", "4">>
  return %g : tensor<?x4xf32, #model.dims<"b", "4">>
}

// A row of no tokens has no first: the range of s begins at 0.
// CHECK-LABEL: func.func @gather_one_of_none
// CHECK: model.gather
func.func @gather_one_of_none(%x: !bs) -> tensor<?xf32, #model.dims<"b">> {
  %i = model.constant dense<0> : tensor<i64>
  %g = model.gather %x, %i axis 1 : !bs, tensor<i64> -> tensor<?xf32, #model.dims<"b">>
  return %g : tensor<?xf32, #model.dims<"b">>
}

// All indices the same: one row, repeated.
// CHECK-LABEL: func.func @gather_same
// CHECK: %[[S:.*]] = model.slice %{{.*}} ["2", "0"] step [1, 1] : tensor<3x4xf32> -> tensor<1x4xf32>
// CHECK-NEXT: %[[B:.*]] = model.broadcast %[[S]] : tensor<1x4xf32> -> tensor<?x4xf32, #model.dims<"s", "4">>
// CHECK-NEXT: return %[[B]]
func.func @gather_same(%x: tensor<3x4xf32>) -> tensor<?x4xf32, #model.dims<"s", "4">> {
  %c = model.constant dense<2> : tensor<i64>
  %i = model.broadcast %c : tensor<i64> -> !s
  %g = model.gather %x, %i axis 0 : tensor<3x4xf32>, !s -> tensor<?x4xf32, #model.dims<"s", "4">>
  return %g : tensor<?x4xf32, #model.dims<"s", "4">>
}

// batch * length + position into the flat mask, as torchscript writes it.
// CHECK-LABEL: func.func @gather_flat
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: %[[R:.*]] = model.reshape %[[X]] : {{.*}} -> tensor<?x1x?xf32, #model.dims<"b", "1", "s">>
// CHECK-NEXT: return %[[R]]
func.func @gather_flat(%x: !bs) -> tensor<?x1x?xf32, #model.dims<"b", "1", "s">> {
  %flat = model.reshape %x : !bs -> tensor<?xf32, #model.dims<"b*s">>
  %ib = model.iota "0" step "1" : !b
  %rb = model.reshape %ib : !b -> tensor<?x1x1xi64, #model.dims<"b", "1", "1">>
  %is = model.iota "0" step "1" : !s
  %n = model.sizes ["s"] : tensor<i64>
  %o = model.elementwise mul %rb, %n : (tensor<?x1x1xi64, #model.dims<"b", "1", "1">>, tensor<i64>)
      -> tensor<?x1x1xi64, #model.dims<"b", "1", "1">>
  %i = model.elementwise add %is, %o : (!s, tensor<?x1x1xi64, #model.dims<"b", "1", "1">>)
      -> tensor<?x1x?xi64, #model.dims<"b", "1", "s">>
  %g = model.gather %flat, %i axis 0 : tensor<?xf32, #model.dims<"b*s">>, tensor<?x1x?xi64, #model.dims<"b", "1", "s">>
      -> tensor<?x1x?xf32, #model.dims<"b", "1", "s">>
  return %g : tensor<?x1x?xf32, #model.dims<"b", "1", "s">>
}

// The same indices as one range, split.
// CHECK-LABEL: func.func @gather_split_range
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @gather_split_range(%x: !bs) -> !bs {
  %flat = model.reshape %x : !bs -> tensor<?xf32, #model.dims<"b*s">>
  %i = model.iota "0" step "1" : tensor<?xi64, #model.dims<"b*s">>
  %r = model.reshape %i : tensor<?xi64, #model.dims<"b*s">> -> tensor<?x?xi64, #model.dims<"b", "s">>
  %g = model.gather %flat, %r axis 0 : tensor<?xf32, #model.dims<"b*s">>, tensor<?x?xi64, #model.dims<"b", "s">> -> !bs
  return %g : !bs
}

// Tuples (position, batch) into [batch, position] data, swapped: a transpose.
// CHECK-LABEL: func.func @gather_nd_swapped
// CHECK: %[[T:.*]] = model.transpose %{{.*}} [1, 0]
// CHECK-NEXT: return %[[T]]
func.func @gather_nd_swapped(%x: !bs) -> !sb {
  %ib = model.iota "0" step "1" : !b
  %rb = model.reshape %ib : !b -> tensor<1x?x1xi64, #model.dims<"1", "b", "1">>
  %wb = model.broadcast %rb : tensor<1x?x1xi64, #model.dims<"1", "b", "1">> -> tensor<?x?x1xi64, #model.dims<"s", "b", "1">>
  %is = model.iota "0" step "1" : !s
  %rs = model.reshape %is : !s -> tensor<?x1x1xi64, #model.dims<"s", "1", "1">>
  %ws = model.broadcast %rs : tensor<?x1x1xi64, #model.dims<"s", "1", "1">> -> tensor<?x?x1xi64, #model.dims<"s", "b", "1">>
  %i = model.concat %wb, %ws axis 2 : (tensor<?x?x1xi64, #model.dims<"s", "b", "1">>,
      tensor<?x?x1xi64, #model.dims<"s", "b", "1">>) -> tensor<?x?x2xi64, #model.dims<"s", "b", "2">>
  %g = model.gather_nd %x, %i batch_dims 0 : !bs, tensor<?x?x2xi64, #model.dims<"s", "b", "2">> -> !sb
  return %g : !sb
}

// The same for sizes that are known, where the tuples are a constant.
// CHECK-LABEL: func.func @gather_nd_constant
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: %[[S:.*]] = model.slice %[[X]] ["0", "1"] step [1, 1] : tensor<2x4xf32> -> tensor<2x2xf32>
// CHECK-NEXT: return %[[S]]
func.func @gather_nd_constant(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
  %i = model.constant dense<[[[0, 1], [0, 2]], [[1, 1], [1, 2]]]> : tensor<2x2x2xi64>
  %g = model.gather_nd %x, %i batch_dims 0 : tensor<2x4xf32>, tensor<2x2x2xi64> -> tensor<2x2xf32>
  return %g : tensor<2x2xf32>
}

// The diagonal uses one coordinate twice.
// CHECK-LABEL: func.func @gather_nd_diagonal
// CHECK: model.gather_nd
func.func @gather_nd_diagonal(%x: tensor<3x3xf32>) -> tensor<3xf32> {
  %i = model.iota "0" step "1" : tensor<3xi64>
  %r = model.reshape %i : tensor<3xi64> -> tensor<3x1xi64>
  %t = model.concat %r, %r axis 1 : (tensor<3x1xi64>, tensor<3x1xi64>) -> tensor<3x2xi64>
  %g = model.gather_nd %x, %t batch_dims 0 : tensor<3x3xf32>, tensor<3x2xi64> -> tensor<3xf32>
  return %g : tensor<3xf32>
}

// CHECK-LABEL: func.func @positions_not_negative
// CHECK: %[[T:.*]] = model.constant dense<true> : tensor<i1>
// CHECK-NEXT: %[[B:.*]] = model.broadcast %[[T]]
// CHECK-NEXT: return %[[B]]
func.func @positions_not_negative(%x: !s) -> tensor<?xi1, #model.dims<"s">> {
  %i = model.iota "0" step "1" : !s
  %c = model.constant dense<0> : tensor<i64>
  %k = model.elementwise greater_equal %i, %c : (!s, tensor<i64>) -> tensor<?xi1, #model.dims<"s">>
  return %k : tensor<?xi1, #model.dims<"s">>
}

// CHECK-LABEL: func.func @positions_below_size
// CHECK: model.constant dense<false>
// CHECK-NOT: model.elementwise
func.func @positions_below_size(%x: !s) -> tensor<?xi1, #model.dims<"s">> {
  %i = model.iota "0" step "1" : !s
  %n = model.sizes ["s"] : tensor<i64>
  %k = model.elementwise greater_equal %i, %n : (!s, tensor<i64>) -> tensor<?xi1, #model.dims<"s">>
  return %k : tensor<?xi1, #model.dims<"s">>
}

// CHECK-LABEL: func.func @positions_undecided
// CHECK: model.elementwise greater
func.func @positions_undecided(%x: !s) -> tensor<?xi1, #model.dims<"s">> {
  %i = model.iota "0" step "1" : !s
  %c = model.constant dense<0> : tensor<i64>
  %k = model.elementwise greater %i, %c : (!s, tensor<i64>) -> tensor<?xi1, #model.dims<"s">>
  return %k : tensor<?xi1, #model.dims<"s">>
}

// CHECK-LABEL: func.func @causal_undecided
// CHECK: model.elementwise less_equal
func.func @causal_undecided(%x: !s) -> tensor<?x?xi1, #model.dims<"s", "s">> {
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> tensor<?x1xi64, #model.dims<"s", "1">>
  %m = model.elementwise less_equal %k, %q : (!s, tensor<?x1xi64, #model.dims<"s", "1">>)
      -> tensor<?x?xi1, #model.dims<"s", "s">>
  return %m : tensor<?x?xi1, #model.dims<"s", "s">>
}
