// RUN: tamis-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @reshape_same_type
// CHECK-SAME: %[[X:.*]]: tensor<2x3xf32>
// CHECK-NEXT: return %[[X]]
func.func @reshape_same_type(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = model.reshape %x : tensor<2x3xf32> -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @reshape_of_reshape
// CHECK-SAME: %[[X:.*]]: tensor<?x4xf32, {{.*}}>)
// CHECK-NEXT: %[[R:.*]] = model.reshape %[[X]] : tensor<?x4xf32, #model.dims<"n", "4">> -> tensor<2x?xf32, #model.dims<"2", "2*n">>
// CHECK-NEXT: return %[[R]]
func.func @reshape_of_reshape(%x: tensor<?x4xf32, #model.dims<"n", "4">>) -> tensor<2x?xf32, #model.dims<"2", "2*n">> {
  %0 = model.reshape %x : tensor<?x4xf32, #model.dims<"n", "4">> -> tensor<?xf32, #model.dims<"4*n">>
  %1 = model.reshape %0 : tensor<?xf32, #model.dims<"4*n">> -> tensor<2x?xf32, #model.dims<"2", "2*n">>
  return %1 : tensor<2x?xf32, #model.dims<"2", "2*n">>
}

// CHECK-LABEL: func.func @reshape_there_and_back
// CHECK-SAME: %[[X:.*]]: tensor<6xi8>
// CHECK-NEXT: return %[[X]]
func.func @reshape_there_and_back(%x: tensor<6xi8>) -> tensor<6xi8> {
  %0 = model.reshape %x : tensor<6xi8> -> tensor<2x3xi8>
  %1 = model.reshape %0 : tensor<2x3xi8> -> tensor<6xi8>
  return %1 : tensor<6xi8>
}

// CHECK-LABEL: func.func @reshape_of_constant
// CHECK-NEXT: %[[C:.*]] = model.constant dense<{{\[\[}}1, 2], [3, 4]]> : tensor<2x2xi64>
// CHECK-NEXT: return %[[C]]
func.func @reshape_of_constant() -> tensor<2x2xi64> {
  %c = model.constant dense<[1, 2, 3, 4]> : tensor<4xi64>
  %r = model.reshape %c : tensor<4xi64> -> tensor<2x2xi64>
  return %r : tensor<2x2xi64>
}

// CHECK-LABEL: func.func @transpose_identity
// CHECK-SAME: %[[X:.*]]: tensor<2x3xf32>
// CHECK-NEXT: return %[[X]]
func.func @transpose_identity(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %t = model.transpose %x [0, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  return %t : tensor<2x3xf32>
}

// Rotating twice by one is rotating by two; the other way round would give [1, 2, 0].
// CHECK-LABEL: func.func @transpose_of_transpose
// CHECK-SAME: %[[X:.*]]: tensor<2x3x4xf32>
// CHECK-NEXT: %[[T:.*]] = model.transpose %[[X]] [2, 0, 1] : tensor<2x3x4xf32> -> tensor<4x2x3xf32>
// CHECK-NEXT: return %[[T]]
func.func @transpose_of_transpose(%x: tensor<2x3x4xf32>) -> tensor<4x2x3xf32> {
  %0 = model.transpose %x [1, 2, 0] : tensor<2x3x4xf32> -> tensor<3x4x2xf32>
  %1 = model.transpose %0 [1, 2, 0] : tensor<3x4x2xf32> -> tensor<4x2x3xf32>
  return %1 : tensor<4x2x3xf32>
}

// CHECK-LABEL: func.func @transpose_of_ones
// CHECK-SAME: %[[X:.*]]: tensor<1x3x4xf32>
// CHECK-NEXT: %[[R:.*]] = model.reshape %[[X]] : tensor<1x3x4xf32> -> tensor<3x1x4xf32>
// CHECK-NEXT: return %[[R]]
func.func @transpose_of_ones(%x: tensor<1x3x4xf32>) -> tensor<3x1x4xf32> {
  %t = model.transpose %x [1, 0, 2] : tensor<1x3x4xf32> -> tensor<3x1x4xf32>
  return %t : tensor<3x1x4xf32>
}

// CHECK-LABEL: func.func @transpose_that_moves
// CHECK: model.transpose %{{.*}} [1, 0]
func.func @transpose_that_moves(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %t = model.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
  return %t : tensor<3x2xf32>
}

// CHECK-LABEL: func.func @broadcast_same_type
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>
// CHECK-NEXT: return %[[X]]
func.func @broadcast_same_type(%x: tensor<2xf32>) -> tensor<2xf32> {
  %b = model.broadcast %x : tensor<2xf32> -> tensor<2xf32>
  return %b : tensor<2xf32>
}

// CHECK-LABEL: func.func @slice_of_all
// CHECK-SAME: %[[X:.*]]: tensor<2x3xf32>
// CHECK-NEXT: return %[[X]]
func.func @slice_of_all(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %s = model.slice %x ["0", "0"] step [1, 1] : tensor<2x3xf32> -> tensor<2x3xf32>
  return %s : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @slice_backwards_stays
// CHECK: model.slice
func.func @slice_backwards_stays(%x: tensor<3xf32>) -> tensor<3xf32> {
  %s = model.slice %x ["2"] step [-1] : tensor<3xf32> -> tensor<3xf32>
  return %s : tensor<3xf32>
}

// CHECK-LABEL: func.func @concat_of_one
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>
// CHECK-NEXT: return %[[X]]
func.func @concat_of_one(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c = model.concat %x axis 0 : (tensor<2xf32>) -> tensor<2xf32>
  return %c : tensor<2xf32>
}

// CHECK-LABEL: func.func @cast_same_type
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>
// CHECK-NEXT: return %[[X]]
func.func @cast_same_type(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c = model.cast %x : tensor<2xf32> -> tensor<2xf32>
  return %c : tensor<2xf32>
}
