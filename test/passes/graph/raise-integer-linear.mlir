// RUN: tamis-opt %s -tamis-raise-integer-linear -canonicalize | FileCheck %s

!q = tensor<?x3x8xui8, #model.dims<"b", "3", "8">>
!x = tensor<?x3x8xf32, #model.dims<"b", "3", "8">>
!y = tensor<?x3x4xf32, #model.dims<"b", "3", "4">>

// CHECK-LABEL: func.func @by_column
// CHECK-SAME: %[[Q:.*]]: tensor
// CHECK-DAG: %[[W:.*]] = model.weight "w"
// CHECK-DAG: %[[T:.*]] = model.weight "t"
// CHECK-DAG: %[[B:.*]] = model.weight "b"
// CHECK-DAG: %[[Z:.*]] = model.constant dense<7> : tensor<ui8>
// CHECK-DAG: %[[S:.*]] = model.constant dense<2.500000e-01> : tensor<f32>
// CHECK: %[[SUMS:.*]] = model.integer_linear %[[Q]], %[[W]] input_zero_point %[[Z]] :
// CHECK: %[[CAST:.*]] = model.cast %[[SUMS]]
// CHECK: %[[ONCE:.*]] = model.elementwise mul %[[CAST]], %[[S]]
// CHECK: %[[TWICE:.*]] = model.elementwise mul %[[ONCE]], %[[T]]
// CHECK: model.elementwise add %[[TWICE]], %[[B]]
func.func @by_column(%q: !q) -> !y {
  %z = model.constant dense<7> : tensor<ui8>
  %s = model.constant dense<0.25> : tensor<f32>
  %w = model.weight "w" : tensor<8x4xi8>
  %t = model.weight "t" : tensor<4xf32>
  %b = model.weight "b" : tensor<4xf32>
  %0 = model.dequantize %q scale %s zero_point %z : !q, tensor<f32>, tensor<ui8> -> !x
  %1 = model.dequantize %w scale %t : tensor<8x4xi8>, tensor<4xf32> -> tensor<8x4xf32>
  %y = model.linear %0, %1 bias %b : !x, tensor<8x4xf32>, tensor<4xf32> -> !y
  return %y : !y
}

// A transposed weight has its scales along its first axis; the integers go through a reshape as the numbers did.
// CHECK-LABEL: func.func @transposed
// CHECK-SAME: %[[Q:.*]]: tensor
// CHECK: %[[FLAT:.*]] = model.reshape %[[Q]]
// CHECK: model.integer_linear %[[FLAT]], %{{.*}} weight_zero_point %{{.*}} transposed
// CHECK-NOT: model.linear
func.func @transposed(%q: tensor<2x3x8xi8>) -> tensor<6x4xf32> {
  %s = model.constant dense<0.25> : tensor<1xf32>
  %w = model.weight "w" : tensor<4x8xui8>
  %t = model.weight "t" : tensor<4x1xf32>
  %c = model.weight "c" : tensor<4x1xui8>
  %0 = model.dequantize %q scale %s : tensor<2x3x8xi8>, tensor<1xf32> -> tensor<2x3x8xf32>
  %f = model.reshape %0 : tensor<2x3x8xf32> -> tensor<6x8xf32>
  %1 = model.dequantize %w scale %t zero_point %c : tensor<4x8xui8>, tensor<4x1xf32>, tensor<4x1xui8> -> tensor<4x8xf32>
  %y = model.linear %f, %1 transposed : tensor<6x8xf32>, tensor<4x8xf32> -> tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}

// Units that change along the depth are in every product.
// CHECK-LABEL: func.func @by_depth
// CHECK: model.linear
func.func @by_depth(%q: !q) -> !y {
  %s = model.constant dense<0.25> : tensor<f32>
  %w = model.weight "w" : tensor<8x4xi8>
  %t = model.weight "t" : tensor<8x1xf32>
  %0 = model.dequantize %q scale %s : !q, tensor<f32> -> !x
  %1 = model.dequantize %w scale %t : tensor<8x4xi8>, tensor<8x1xf32> -> tensor<8x4xf32>
  %y = model.linear %0, %1 : !x, tensor<8x4xf32> -> !y
  return %y : !y
}

// CHECK-LABEL: func.func @of_columns_of_the_input
// CHECK: model.linear
func.func @of_columns_of_the_input(%q: !q) -> !y {
  %s = model.weight "s" : tensor<8xf32>
  %w = model.weight "w" : tensor<8x4xi8>
  %t = model.weight "t" : tensor<f32>
  %0 = model.dequantize %q scale %s : !q, tensor<8xf32> -> !x
  %1 = model.dequantize %w scale %t : tensor<8x4xi8>, tensor<f32> -> tensor<8x4xf32>
  %y = model.linear %0, %1 : !x, tensor<8x4xf32> -> !y
  return %y : !y
}
