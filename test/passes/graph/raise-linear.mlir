// RUN: tamis-opt %s -tamis-raise-linear -canonicalize | FileCheck %s

!x = tensor<?x3x8xf32, #model.dims<"b", "3", "8">>
!y = tensor<?x3x4xf32, #model.dims<"b", "3", "4">>

// CHECK-LABEL: func.func @with_bias
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-DAG: %[[W:.*]] = model.weight "w" : tensor<8x4xf32>
// CHECK-DAG: %[[B:.*]] = model.weight "b"
// CHECK: %[[Y:.*]] = model.linear %[[X]], %[[W]] bias %[[B]] :
// CHECK-NEXT: return %[[Y]]
func.func @with_bias(%x: !x) -> !y {
  %w = model.weight "w" : tensor<8x4xf32>
  %b = model.weight "b" : tensor<4xf32>
  %m = model.matmul %x, %w : !x, tensor<8x4xf32> -> !y
  %y = model.elementwise add %b, %m : (tensor<4xf32>, !y) -> !y
  return %y : !y
}

// CHECK-LABEL: func.func @transposed_weight
// CHECK: %[[W:.*]] = model.weight "w" : tensor<4x8xf32>
// CHECK-NEXT: model.linear %{{.*}}, %[[W]] transposed
func.func @transposed_weight(%x: !x) -> !y {
  %w = model.weight "w" : tensor<4x8xf32>
  %t = model.transpose %w [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
  %y = model.matmul %x, %t : !x, tensor<8x4xf32> -> !y
  return %y : !y
}

// CHECK-LABEL: func.func @transposed_twice
// CHECK: %[[W:.*]] = model.weight "w" : tensor<8x4xf32>
// CHECK-NEXT: model.linear %{{.*}}, %[[W]] : tensor
func.func @transposed_twice(%x: !x) -> !y {
  %w = model.weight "w" : tensor<8x4xf32>
  %t = model.transpose %w [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
  %y = model.linear %x, %t transposed : !x, tensor<4x8xf32> -> !y
  return %y : !y
}

// CHECK-LABEL: func.func @bias_behind_reshape
// CHECK: %[[L:.*]] = model.linear %{{.*}}, %{{.*}} bias %{{.*}} : {{.*}} -> tensor<6x4xf32>
// CHECK-NEXT: model.reshape %[[L]] : tensor<6x4xf32> -> tensor<2x3x4xf32>
func.func @bias_behind_reshape(%x: tensor<6x8xf32>) -> tensor<2x3x4xf32> {
  %w = model.weight "w" : tensor<8x4xf32>
  %b = model.weight "b" : tensor<1x1x4xf32>
  %m = model.matmul %x, %w : tensor<6x8xf32>, tensor<8x4xf32> -> tensor<6x4xf32>
  %r = model.reshape %m : tensor<6x4xf32> -> tensor<2x3x4xf32>
  %y = model.elementwise add %r, %b : (tensor<2x3x4xf32>, tensor<1x1x4xf32>) -> tensor<2x3x4xf32>
  return %y : tensor<2x3x4xf32>
}

// A column is not a vector along the last axis, though it has as many elements.
// CHECK-LABEL: func.func @column_is_no_bias
// CHECK: model.elementwise add
func.func @column_is_no_bias(%x: tensor<4x8xf32>) -> tensor<4x4xf32> {
  %w = model.weight "w" : tensor<8x4xf32>
  %b = model.weight "b" : tensor<4x1xf32>
  %m = model.matmul %x, %w : tensor<4x8xf32>, tensor<8x4xf32> -> tensor<4x4xf32>
  %y = model.elementwise add %m, %b : (tensor<4x4xf32>, tensor<4x1xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// CHECK-LABEL: func.func @scalar_bias
// CHECK-DAG: %[[B:.*]] = model.constant dense<2.0{{.*}}> : tensor<4xf32>
// CHECK: model.linear %{{.*}}, %{{.*}} bias %[[B]]
func.func @scalar_bias(%x: !x) -> !y {
  %w = model.weight "w" : tensor<8x4xf32>
  %b = model.constant dense<2.0> : tensor<f32>
  %m = model.matmul %x, %w : !x, tensor<8x4xf32> -> !y
  %y = model.elementwise add %m, %b : (!y, tensor<f32>) -> !y
  return %y : !y
}

// CHECK-LABEL: func.func @residual_is_no_bias
// CHECK: model.linear %{{.*}}, %{{.*}} : tensor
// CHECK: model.elementwise add
func.func @residual_is_no_bias(%x: !x, %r: !y) -> !y {
  %w = model.weight "w" : tensor<8x4xf32>
  %m = model.matmul %x, %w : !x, tensor<8x4xf32> -> !y
  %y = model.elementwise add %m, %r : (!y, !y) -> !y
  return %y : !y
}

// The product is wanted without the bias too.
// CHECK-LABEL: func.func @product_used_twice
// CHECK: model.linear %{{.*}}, %{{.*}} : tensor
// CHECK: model.elementwise add
func.func @product_used_twice(%x: !x) -> (!y, !y) {
  %w = model.weight "w" : tensor<8x4xf32>
  %b = model.weight "b" : tensor<4xf32>
  %m = model.matmul %x, %w : !x, tensor<8x4xf32> -> !y
  %y = model.elementwise add %m, %b : (!y, tensor<4xf32>) -> !y
  return %y, %m : !y, !y
}

// CHECK-LABEL: func.func @computed_matrix
// CHECK: model.matmul
func.func @computed_matrix(%x: !x, %w: tensor<8x4xf32>) -> !y {
  %y = model.matmul %x, %w : !x, tensor<8x4xf32> -> !y
  return %y : !y
}
