// RUN: tamis-opt %s -canonicalize | FileCheck %s
// Folds of constants, identities, and forms that need less.

!bs = tensor<?x?xf32, #model.dims<"b", "s">>
!s = tensor<?xf32, #model.dims<"s">>
!bool = tensor<?xi1, #model.dims<"s">>

//===- Constants through ops that move elements

// CHECK-LABEL: func.func @transpose_of_constant
// CHECK-NEXT: model.constant dense<{{\[\[}}1, 4], [2, 5], [3, 6]]> : tensor<3x2xi64>
// CHECK-NEXT: return
func.func @transpose_of_constant() -> tensor<3x2xi64> {
  %c = model.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %t = model.transpose %c [1, 0] : tensor<2x3xi64> -> tensor<3x2xi64>
  return %t : tensor<3x2xi64>
}

// CHECK-LABEL: func.func @slice_of_constant
// CHECK-NEXT: model.constant dense<{{\[\[}}6, 5], [3, 2]]> : tensor<2x2xi64>
// CHECK-NEXT: return
func.func @slice_of_constant() -> tensor<2x2xi64> {
  %c = model.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %t = model.slice %c ["1", "2"] step [-1, -1] : tensor<2x3xi64> -> tensor<2x2xi64>
  return %t : tensor<2x2xi64>
}

// CHECK-LABEL: func.func @concat_of_constants
// CHECK-NEXT: model.constant dense<{{\[\[}}1, 2, 5], [3, 4, 6]]> : tensor<2x3xi64>
// CHECK-NEXT: return
func.func @concat_of_constants() -> tensor<2x3xi64> {
  %a = model.constant dense<[[1, 2], [3, 4]]> : tensor<2x2xi64>
  %b = model.constant dense<[[5], [6]]> : tensor<2x1xi64>
  %c = model.concat %a, %b axis 1 : (tensor<2x2xi64>, tensor<2x1xi64>) -> tensor<2x3xi64>
  return %c : tensor<2x3xi64>
}

// CHECK-LABEL: func.func @broadcast_of_constant
// CHECK-NEXT: model.constant dense<{{\[\[}}1, 1], [2, 2]]> : tensor<2x2xi64>
// CHECK-NEXT: return
func.func @broadcast_of_constant() -> tensor<2x2xi64> {
  %a = model.constant dense<[[1], [2]]> : tensor<2x1xi64>
  %b = model.broadcast %a : tensor<2x1xi64> -> tensor<2x2xi64>
  return %b : tensor<2x2xi64>
}

// A constant with many different elements is not blown up; one with equal elements costs nothing.
// CHECK-LABEL: func.func @broadcast_too_large
// CHECK-DAG: model.constant dense<7> : tensor<1000x1000xi64>
// CHECK-DAG: model.broadcast {{.*}} -> tensor<1000x1000x2xi64>
func.func @broadcast_too_large() -> (tensor<1000x1000x2xi64>, tensor<1000x1000xi64>) {
  %a = model.constant dense<[1, 2]> : tensor<2xi64>
  %b = model.broadcast %a : tensor<2xi64> -> tensor<1000x1000x2xi64>
  %c = model.constant dense<7> : tensor<i64>
  %d = model.broadcast %c : tensor<i64> -> tensor<1000x1000xi64>
  return %b, %d : tensor<1000x1000x2xi64>, tensor<1000x1000xi64>
}

// CHECK-LABEL: func.func @gather_of_constant
// CHECK-NEXT: model.constant dense<{{\[\[}}3, 1], [6, 4]]> : tensor<2x2xi64>
// CHECK-NEXT: return
func.func @gather_of_constant() -> tensor<2x2xi64> {
  %a = model.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %i = model.constant dense<[-1, 0]> : tensor<2xi64>
  %g = model.gather %a, %i axis 1 : tensor<2x3xi64>, tensor<2xi64> -> tensor<2x2xi64>
  return %g : tensor<2x2xi64>
}

// An index outside is an error of the run, not of the compiler, and not zero.
// CHECK-LABEL: func.func @gather_outside
// CHECK: model.gather
func.func @gather_outside() -> tensor<1xi64> {
  %a = model.constant dense<[1, 2, 3]> : tensor<3xi64>
  %i = model.constant dense<[3]> : tensor<1xi64>
  %g = model.gather %a, %i axis 0 : tensor<3xi64>, tensor<1xi64> -> tensor<1xi64>
  return %g : tensor<1xi64>
}

// CHECK-LABEL: func.func @gather_nd_of_constant
// CHECK-NEXT: model.constant dense<[3, 5]> : tensor<2xi64>
// CHECK-NEXT: return
func.func @gather_nd_of_constant() -> tensor<2xi64> {
  %a = model.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi64>
  %i = model.constant dense<[[0, 2], [1, -2]]> : tensor<2x2xi64>
  %g = model.gather_nd %a, %i batch_dims 0 : tensor<2x3xi64>, tensor<2x2xi64> -> tensor<2xi64>
  return %g : tensor<2xi64>
}

// CHECK-LABEL: func.func @static_sizes
// CHECK-DAG: model.constant dense<[2, 12]> : tensor<2xi64>
// CHECK-DAG: model.constant dense<[1, 4, 7]> : tensor<3xi64>
// CHECK-DAG: model.sizes
func.func @static_sizes() -> (tensor<2xi64>, tensor<3xi64>, tensor<1xi64>) {
  %a = model.sizes ["2", "12"] : tensor<2xi64>
  %b = model.iota "1" step "3" : tensor<3xi64>
  %c = model.sizes ["n"] : tensor<1xi64>
  return %a, %b, %c : tensor<2xi64>, tensor<3xi64>, tensor<1xi64>
}

//===- Constants through ops that compute

// CHECK-LABEL: func.func @arithmetic
// CHECK-DAG: model.constant dense<[-3, 4]> : tensor<2xi64>
// CHECK-DAG: model.constant dense<[2, 1]> : tensor<2xi64>
// CHECK-DAG: model.constant dense<[-1, 1]> : tensor<2xi64>
// CHECK-DAG: model.constant dense<0> : tensor<2xi64>
func.func @arithmetic() -> (tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) {
  %a = model.constant dense<[-10, 13]> : tensor<2xi64>
  %b = model.constant dense<3> : tensor<i64>
  %z = model.constant dense<0> : tensor<i64>
  %0 = model.elementwise div %a, %b : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %1 = model.elementwise mod %a, %b : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %2 = model.elementwise fmod %a, %b : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  %3 = model.elementwise div %a, %z : (tensor<2xi64>, tensor<i64>) -> tensor<2xi64>
  return %0, %1, %2, %3 : tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>
}

// CHECK-LABEL: func.func @floats
// CHECK-DAG: model.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK-DAG: model.constant dense<[1.000000e+00, 5.000000e-01]> : tensor<2xf32>
// CHECK-DAG: model.constant dense<[false, true]> : tensor<2xi1>
func.func @floats() -> (tensor<2xf32>, tensor<2xf32>, tensor<2xi1>) {
  %a = model.constant dense<[1.0, 4.0]> : tensor<2xf32>
  %c = model.constant dense<2.0> : tensor<f32>
  %0 = model.elementwise sqrt %a : (tensor<2xf32>) -> tensor<2xf32>
  %1 = model.elementwise rsqrt %a : (tensor<2xf32>) -> tensor<2xf32>
  %2 = model.elementwise greater %a, %c : (tensor<2xf32>, tensor<f32>) -> tensor<2xi1>
  return %0, %1, %2 : tensor<2xf32>, tensor<2xf32>, tensor<2xi1>
}

// As the op's description says: saturate, NaN is 0; low bits; is not zero.
// CHECK-LABEL: func.func @casts
// CHECK-DAG: model.constant dense<[127, -128, 0, -1]> : tensor<4xi8>
// CHECK-DAG: model.constant dense<[1, -1]> : tensor<2xi8>
// CHECK-DAG: model.constant dense<[false, true]> : tensor<2xi1>
// CHECK-DAG: model.constant dense<[0.000000e+00, 1.000000e+00]> : tensor<2xf32>
func.func @casts() -> (tensor<4xi8>, tensor<2xi8>, tensor<2xi1>, tensor<2xf32>) {
  %a = model.constant dense<[1.0e9, -1.0e9, 0x7FC00000, -1.7]> : tensor<4xf32>
  %0 = model.cast %a : tensor<4xf32> -> tensor<4xi8>
  %b = model.constant dense<[257, 511]> : tensor<2xi64>
  %1 = model.cast %b : tensor<2xi64> -> tensor<2xi8>
  %c = model.constant dense<[0.0, 0.25]> : tensor<2xf32>
  %2 = model.cast %c : tensor<2xf32> -> tensor<2xi1>
  %d = model.constant dense<[false, true]> : tensor<2xi1>
  %3 = model.cast %d : tensor<2xi1> -> tensor<2xf32>
  return %0, %1, %2, %3 : tensor<4xi8>, tensor<2xi8>, tensor<2xi1>, tensor<2xf32>
}

//===- Identities

// CHECK-LABEL: func.func @neutral
// CHECK-SAME: %[[X:.*]]: tensor<?xf32{{.*}}, %[[K:.*]]: tensor<?xi1
// CHECK-NEXT: return %[[X]], %[[K]]
func.func @neutral(%x: !s, %k: !bool) -> (!s, !bool) {
  %zero = model.constant dense<0.0> : tensor<f32>
  %one = model.constant dense<1.0> : tensor<1xf32>
  %true = model.constant dense<true> : tensor<i1>
  %false = model.constant dense<false> : tensor<i1>
  %0 = model.elementwise add %zero, %x : (tensor<f32>, !s) -> !s
  %1 = model.elementwise sub %0, %zero : (!s, tensor<f32>) -> !s
  %2 = model.elementwise mul %1, %one : (!s, tensor<1xf32>) -> !s
  %3 = model.elementwise div %2, %one : (!s, tensor<1xf32>) -> !s
  %4 = model.elementwise logical_and %true, %k : (tensor<i1>, !bool) -> !bool
  %5 = model.elementwise logical_or %4, %false : (!bool, tensor<i1>) -> !bool
  %6 = model.elementwise logical_not %5 : (!bool) -> !bool
  %7 = model.elementwise logical_not %6 : (!bool) -> !bool
  %8 = model.elementwise select %true, %3, %zero : (tensor<i1>, !s, tensor<f32>) -> !s
  return %8, %7 : !s, !bool
}

// 0 - x and 1 / x are not x; x * 0 is not 0 where x is infinite.
// CHECK-LABEL: func.func @not_neutral
// CHECK-COUNT-3: model.elementwise
func.func @not_neutral(%x: !s) -> (!s, !s, !s) {
  %zero = model.constant dense<0.0> : tensor<f32>
  %one = model.constant dense<1.0> : tensor<f32>
  %0 = model.elementwise sub %zero, %x : (tensor<f32>, !s) -> !s
  %1 = model.elementwise div %one, %x : (tensor<f32>, !s) -> !s
  %2 = model.elementwise mul %x, %zero : (!s, tensor<f32>) -> !s
  return %0, %1, %2 : !s, !s, !s
}

// What is passed on is still repeated to the sizes of the result.
// CHECK-LABEL: func.func @neutral_but_wider
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: %[[B:.*]] = model.broadcast %[[X]] : tensor<3xf32> -> tensor<2x3xf32>
// CHECK-NEXT: return %[[B]]
func.func @neutral_but_wider(%x: tensor<3xf32>) -> tensor<2x3xf32> {
  %zero = model.constant dense<0.0> : tensor<2x1xf32>
  %0 = model.elementwise add %x, %zero : (tensor<3xf32>, tensor<2x1xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @absorbing
// CHECK-NEXT: %[[F:.*]] = model.constant dense<false> : tensor<i1>
// CHECK-NEXT: %[[B:.*]] = model.broadcast %[[F]]
// CHECK-NEXT: return %[[B]]
func.func @absorbing(%k: !bool) -> !bool {
  %false = model.constant dense<false> : tensor<i1>
  %0 = model.elementwise logical_and %k, %false : (!bool, tensor<i1>) -> !bool
  return %0 : !bool
}

// CHECK-LABEL: func.func @two_factors
// CHECK-DAG: %[[C:.*]] = model.constant dense<1.000000e+00> : tensor<f32>
// CHECK-DAG: %[[D:.*]] = model.constant dense<6.000000e+00> : tensor<f32>
// CHECK: model.elementwise mul %{{.*}}, %[[D]]
// CHECK-NOT: model.elementwise mul
// CHECK: model.elementwise add
func.func @two_factors(%x: !s) -> !s {
  %a = model.constant dense<2.0> : tensor<f32>
  %b = model.constant dense<3.0> : tensor<1xf32>
  %c = model.constant dense<1.0> : tensor<f32>
  %0 = model.elementwise mul %a, %x : (tensor<f32>, !s) -> !s
  %1 = model.elementwise mul %0, %b : (!s, tensor<1xf32>) -> !s
  %2 = model.elementwise add %1, %c : (!s, tensor<f32>) -> !s
  return %2 : !s
}

// The product of the factors is infinite, x times one and then the other need not be.
// CHECK-LABEL: func.func @two_factors_overflow
// CHECK-COUNT-2: model.elementwise mul
func.func @two_factors_overflow(%x: !s) -> !s {
  %a = model.constant dense<1.0e30> : tensor<f32>
  %0 = model.elementwise mul %x, %a : (!s, tensor<f32>) -> !s
  %1 = model.elementwise mul %0, %a : (!s, tensor<f32>) -> !s
  return %1 : !s
}

// CHECK-LABEL: func.func @cast_of_cast
// CHECK-SAME: %[[X:.*]]: tensor<?xi1
// CHECK-NEXT: return %[[X]]
func.func @cast_of_cast(%k: !bool) -> !bool {
  %0 = model.cast %k : !bool -> !s
  %1 = model.cast %0 : !s -> !bool
  return %1 : !bool
}

// CHECK-LABEL: func.func @cast_of_lossy_cast
// CHECK-COUNT-4: model.cast
func.func @cast_of_lossy_cast(%x: tensor<4xf32>, %i: tensor<4xi64>) -> (tensor<4xf32>, tensor<4xi1>) {
  %0 = model.cast %x : tensor<4xf32> -> tensor<4xi32>
  %1 = model.cast %0 : tensor<4xi32> -> tensor<4xf32>
  %2 = model.cast %i : tensor<4xi64> -> tensor<4xi8>
  %3 = model.cast %2 : tensor<4xi8> -> tensor<4xi1>
  return %1, %3 : tensor<4xf32>, tensor<4xi1>
}

// CHECK-LABEL: func.func @reduce_of_ones
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @reduce_of_ones(%x: tensor<?x1xf32, #model.dims<"s", "1">>) -> tensor<?x1xf32, #model.dims<"s", "1">> {
  %0 = model.reduce mean %x axes [1] : tensor<?x1xf32, #model.dims<"s", "1">> -> tensor<?x1xf32, #model.dims<"s", "1">>
  return %0 : tensor<?x1xf32, #model.dims<"s", "1">>
}

//===- Broadcasts

// CHECK-LABEL: func.func @broadcast_of_operand
// CHECK-SAME: %[[X:.*]]: tensor<?x?xf32, {{.*}}>, %[[Y:.*]]: tensor<?xf32
// CHECK-NEXT: %[[R:.*]] = model.elementwise add %[[X]], %[[Y]]
// CHECK-NEXT: return %[[R]]
func.func @broadcast_of_operand(%x: !bs, %y: !s) -> !bs {
  %b = model.broadcast %y : !s -> !bs
  %r = model.elementwise add %x, %b : (!bs, !bs) -> !bs
  return %r : !bs
}

// CHECK-LABEL: func.func @broadcast_sinks
// CHECK: %[[R:.*]] = model.elementwise neg %{{.*}} : (tensor<?xf32
// CHECK-NEXT: %[[C:.*]] = model.cast %[[R]] : {{.*}} -> tensor<?xi1
// CHECK-NEXT: %[[T:.*]] = model.reshape %[[C]]
// CHECK-NEXT: %[[B:.*]] = model.broadcast %[[T]] : {{.*}} -> tensor<?x1x?xi1, #model.dims<"s", "1", "b">>
// CHECK-NEXT: return %[[B]]
func.func @broadcast_sinks(%y: !s) -> tensor<?x1x?xi1, #model.dims<"s", "1", "b">> {
  %b = model.broadcast %y : !s -> !bs
  %n = model.elementwise neg %b : (!bs) -> !bs
  %c = model.cast %n : !bs -> tensor<?x?xi1, #model.dims<"b", "s">>
  %t = model.transpose %c [1, 0] : tensor<?x?xi1, #model.dims<"b", "s">> -> tensor<?x?xi1, #model.dims<"s", "b">>
  %r = model.reshape %t : tensor<?x?xi1, #model.dims<"s", "b">> -> tensor<?x1x?xi1, #model.dims<"s", "1", "b">>
  return %r : tensor<?x1x?xi1, #model.dims<"s", "1", "b">>
}

// CHECK-LABEL: func.func @slice_of_broadcast
// CHECK-NOT: model.slice
// CHECK: model.broadcast %{{.*}} : tensor<?xf32, {{.*}}> -> tensor<2x?xf32
func.func @slice_of_broadcast(%y: !s) -> tensor<2x?xf32, #model.dims<"2", "s">> {
  %b = model.broadcast %y : !s -> tensor<4x?xf32, #model.dims<"4", "s">>
  %r = model.slice %b ["1", "0"] step [1, 1] : tensor<4x?xf32, #model.dims<"4", "s">> -> tensor<2x?xf32, #model.dims<"2", "s">>
  return %r : tensor<2x?xf32, #model.dims<"2", "s">>
}

// A reshape that cuts into a repeated axis has to see the copies.
// CHECK-LABEL: func.func @reshape_across_broadcast
// CHECK: model.broadcast
// CHECK: model.reshape
func.func @reshape_across_broadcast(%y: tensor<3xf32>) -> tensor<6xf32> {
  %b = model.broadcast %y : tensor<3xf32> -> tensor<2x3xf32>
  %r = model.reshape %b : tensor<2x3xf32> -> tensor<6xf32>
  return %r : tensor<6xf32>
}

// CHECK-LABEL: func.func @reduce_of_broadcast
// CHECK: %[[R:.*]] = model.reduce sum %{{.*}} axes [0] : tensor<?x1xf32, {{.*}}> -> tensor<1x1xf32>
// CHECK-NEXT: model.broadcast %[[R]]
func.func @reduce_of_broadcast(%x: tensor<?x1xf32, #model.dims<"s", "1">>) -> tensor<1x8xf32> {
  %b = model.broadcast %x : tensor<?x1xf32, #model.dims<"s", "1">> -> tensor<?x8xf32, #model.dims<"s", "8">>
  %r = model.reduce sum %b axes [0] : tensor<?x8xf32, #model.dims<"s", "8">> -> tensor<1x8xf32>
  return %r : tensor<1x8xf32>
}

// The sum of eight copies is not the sum of one.
// CHECK-LABEL: func.func @reduce_of_copies
// CHECK: model.broadcast
// CHECK: model.reduce
func.func @reduce_of_copies(%x: tensor<?x1xf32, #model.dims<"s", "1">>) -> tensor<?x1xf32, #model.dims<"s", "1">> {
  %b = model.broadcast %x : tensor<?x1xf32, #model.dims<"s", "1">> -> tensor<?x8xf32, #model.dims<"s", "8">>
  %r = model.reduce sum %b axes [1] : tensor<?x8xf32, #model.dims<"s", "8">> -> tensor<?x1xf32, #model.dims<"s", "1">>
  return %r : tensor<?x1xf32, #model.dims<"s", "1">>
}

//===- Chains of views

// Split into heads and merged again.
// CHECK-LABEL: func.func @heads_there_and_back
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NEXT: return %[[X]]
func.func @heads_there_and_back(%x: tensor<?x?x8xf32, #model.dims<"b", "s", "8">>) -> tensor<?x?x8xf32, #model.dims<"b", "s", "8">> {
  %0 = model.reshape %x : tensor<?x?x8xf32, #model.dims<"b", "s", "8">> -> tensor<?x?x2x4xf32, #model.dims<"b", "s", "2", "4">>
  %1 = model.transpose %0 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #model.dims<"b", "s", "2", "4">> -> tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">>
  %2 = model.reshape %1 : tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">> -> tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">>
  %3 = model.reshape %2 : tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">> -> tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">>
  %4 = model.transpose %3 [0, 2, 1, 3] : tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">> -> tensor<?x?x2x4xf32, #model.dims<"b", "s", "2", "4">>
  %5 = model.reshape %4 : tensor<?x?x2x4xf32, #model.dims<"b", "s", "2", "4">> -> tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
  return %5 : tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
}

// Keys of dynamo's sdpa: five views that are a transpose and a reshape.
// CHECK-LABEL: func.func @keys_of_sdpa
// CHECK-NEXT: %[[T:.*]] = model.transpose %{{.*}} [0, 2, 1]
// CHECK-NEXT: %[[R:.*]] = model.reshape %[[T]]
// CHECK-NEXT: return %[[R]]
func.func @keys_of_sdpa(%x: tensor<?x?x8xf32, #model.dims<"b", "s", "8">>) -> tensor<?x2x4x?xf32, #model.dims<"b", "2", "4", "s">> {
  %0 = model.reshape %x : tensor<?x?x8xf32, #model.dims<"b", "s", "8">> -> tensor<?x?x2x4xf32, #model.dims<"b", "s", "2", "4">>
  %1 = model.transpose %0 [0, 2, 1, 3] : tensor<?x?x2x4xf32, #model.dims<"b", "s", "2", "4">> -> tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">>
  %2 = model.reshape %1 : tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">> -> tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">>
  %3 = model.transpose %2 [0, 2, 1] : tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">> -> tensor<?x4x?xf32, #model.dims<"2*b", "4", "s">>
  %4 = model.reshape %3 : tensor<?x4x?xf32, #model.dims<"2*b", "4", "s">> -> tensor<?x2x4x?xf32, #model.dims<"b", "2", "4", "s">>
  return %4 : tensor<?x2x4x?xf32, #model.dims<"b", "2", "4", "s">>
}

// All factors are alike, so that sizes do not tell a wrong permutation.
// CHECK-LABEL: func.func @four_factors
// CHECK-NEXT: %[[R:.*]] = model.reshape %{{.*}} : tensor<4x4xf32> -> tensor<2x2x2x2xf32>
// CHECK-NEXT: %[[T:.*]] = model.transpose %[[R]] [1, 3, 0, 2]
// CHECK-NEXT: return %[[T]]
func.func @four_factors(%x: tensor<4x4xf32>) -> tensor<2x2x2x2xf32> {
  %0 = model.reshape %x : tensor<4x4xf32> -> tensor<4x2x2xf32>
  %1 = model.transpose %0 [1, 0, 2] : tensor<4x2x2xf32> -> tensor<2x4x2xf32>
  %2 = model.reshape %1 : tensor<2x4x2xf32> -> tensor<2x2x2x2xf32>
  %3 = model.transpose %2 [2, 3, 1, 0] : tensor<2x2x2x2xf32> -> tensor<2x2x2x2xf32>
  return %3 : tensor<2x2x2x2xf32>
}

// Sizes that do not nest are still one reshape.
// CHECK-LABEL: func.func @reshapes_that_do_not_nest
// CHECK-NEXT: %[[R:.*]] = model.reshape %{{.*}} : tensor<4x9xf32> -> tensor<9x4xf32>
// CHECK-NEXT: return %[[R]]
func.func @reshapes_that_do_not_nest(%x: tensor<4x9xf32>) -> tensor<9x4xf32> {
  %0 = model.reshape %x : tensor<4x9xf32> -> tensor<6x6xf32>
  %1 = model.reshape %0 : tensor<6x6xf32> -> tensor<9x4xf32>
  return %1 : tensor<9x4xf32>
}

// The order of heads and tokens is lost on the way: not the identity, though the sizes are those of the operand.
// CHECK-LABEL: func.func @reshape_after_transpose
// CHECK: model.transpose
// CHECK: model.reshape
func.func @reshape_after_transpose(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = model.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
  %1 = model.reshape %0 : tensor<3x2xf32> -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

//===- Slices and concats

// CHECK-LABEL: func.func @slice_of_slice
// CHECK: model.slice %{{.*}} ["7"] step [-4] : tensor<10xf32> -> tensor<2xf32>
func.func @slice_of_slice(%x: tensor<10xf32>) -> tensor<2xf32> {
  %0 = model.slice %x ["1"] step [2] : tensor<10xf32> -> tensor<4xf32>
  %1 = model.slice %0 ["3"] step [-2] : tensor<4xf32> -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// CHECK-LABEL: func.func @slice_of_concat
// CHECK-SAME: %{{.*}}: tensor<2xf32>, %[[B:.*]]: tensor<3xf32>
// CHECK: %[[S:.*]] = model.slice %[[B]] ["1"] step [1] : tensor<3xf32> -> tensor<2xf32>
// CHECK-NEXT: return %[[S]]
func.func @slice_of_concat(%a: tensor<2xf32>, %b: tensor<3xf32>) -> tensor<2xf32> {
  %0 = model.concat %a, %b axis 0 : (tensor<2xf32>, tensor<3xf32>) -> tensor<5xf32>
  %1 = model.slice %0 ["3"] step [1] : tensor<5xf32> -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// CHECK-LABEL: func.func @concat_of_concat
// CHECK-SAME: %[[A:.*]]: tensor<2xf32>, %[[B:.*]]: tensor<3xf32>, %{{.*}}: tensor<0xf32>
// CHECK-NEXT: %[[C:.*]] = model.concat %[[A]], %[[B]], %[[A]] axis 0
// CHECK-NEXT: return %[[C]]
func.func @concat_of_concat(%a: tensor<2xf32>, %b: tensor<3xf32>, %none: tensor<0xf32>) -> tensor<7xf32> {
  %0 = model.concat %a, %b axis 0 : (tensor<2xf32>, tensor<3xf32>) -> tensor<5xf32>
  %1 = model.concat %0, %none, %a axis 0 : (tensor<5xf32>, tensor<0xf32>, tensor<2xf32>) -> tensor<7xf32>
  return %1 : tensor<7xf32>
}

// Ties to even, saturated; the difference has room; NaN gives 0.
// CHECK-LABEL: func.func @quantized
// CHECK-DAG: dense<[0, -2, 127]> : tensor<3xi8>
// CHECK-DAG: dense<[-1.275000e+02, -6.300000e+01, 0.000000e+00]> : tensor<3xf32>
// CHECK-DAG: dense<0> : tensor<2xui8>
func.func @quantized() -> (tensor<3xi8>, tensor<3xf32>, tensor<2xui8>) {
  %x = model.constant dense<[0.25, -0.75, 1000.0]> : tensor<3xf32>
  %s = model.constant dense<0.5> : tensor<f32>
  %q = model.quantize %x scale %s : tensor<3xf32>, tensor<f32> -> tensor<3xi8>
  %b = model.constant dense<[-128, 1, 127]> : tensor<3xi8>
  %z = model.constant dense<127> : tensor<i8>
  %y = model.dequantize %b scale %s zero_point %z : tensor<3xi8>, tensor<f32>, tensor<i8> -> tensor<3xf32>
  %u = model.constant dense<0xFFC00000> : tensor<2xf32>
  %v = model.quantize %u scale %s : tensor<2xf32>, tensor<f32> -> tensor<2xui8>
  return %q, %y, %v : tensor<3xi8>, tensor<3xf32>, tensor<2xui8>
}
