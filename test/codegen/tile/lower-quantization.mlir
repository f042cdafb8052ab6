// RUN: tamis-opt %s -split-input-file -verify-diagnostics -tamis-lower-quantization | FileCheck %s
// quantize and dequantize as arithmetic.

// CHECK-LABEL: func.func @quantize
// CHECK: %[[Q:.*]] = model.elementwise div %arg0, %arg1 : (tensor<4x6xf32>, tensor<4x1xf32>) -> tensor<4x6xf32>
// CHECK: %[[R:.*]] = model.elementwise round %[[Q]]
// CHECK: %[[Z:.*]] = model.cast %arg2 : tensor<4x1xui8> -> tensor<4x1xf32>
// CHECK: %[[S:.*]] = model.elementwise add %[[R]], %[[Z]]
// CHECK: %[[Y:.*]] = model.cast %[[S]] : tensor<4x6xf32> -> tensor<4x6xui8>
// CHECK: return %[[Y]]
func.func @quantize(%x: tensor<4x6xf32>, %s: tensor<4x1xf32>, %z: tensor<4x1xui8>) -> tensor<4x6xui8> {
  %q = model.quantize %x scale %s zero_point %z : tensor<4x6xf32>, tensor<4x1xf32>, tensor<4x1xui8> -> tensor<4x6xui8>
  return %q : tensor<4x6xui8>
}

// The last block is short.
// CHECK-LABEL: func.func @dequantize
// CHECK: %[[I:.*]] = model.cast %arg0 : tensor<5x2xi4> -> tensor<5x2xf32>
// CHECK: %[[A:.*]] = model.reshape %arg1 : tensor<3x2xf32> -> tensor<3x1x2xf32>
// CHECK: %[[B:.*]] = model.broadcast %[[A]] : tensor<3x1x2xf32> -> tensor<3x2x2xf32>
// CHECK: %[[C:.*]] = model.reshape %[[B]] : tensor<3x2x2xf32> -> tensor<6x2xf32>
// CHECK: %[[D:.*]] = model.slice %[[C]] {{.*}} -> tensor<5x2xf32>
// CHECK: model.elementwise mul %[[I]], %[[D]]
func.func @dequantize(%q: tensor<5x2xi4>, %s: tensor<3x2xf32>) -> tensor<5x2xf32> {
  %y = model.dequantize %q scale %s block 2 along 0 : tensor<5x2xi4>, tensor<3x2xf32> -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}

// CHECK-LABEL: func.func @minimum
// CHECK: %[[I:.*]] = model.cast %arg0 : tensor<4x6xui4> -> tensor<4x6xf32>
// CHECK: %[[P:.*]] = model.elementwise mul %[[I]], %arg1
// CHECK: model.elementwise add %[[P]], %arg2
func.func @minimum(%q: tensor<4x6xui4>, %s: tensor<4x1xf32>, %m: tensor<4x1xf32>) -> tensor<4x6xf32> {
  %y = model.dequantize %q scale %s minimum %m : tensor<4x6xui4>, tensor<4x1xf32> minimum tensor<4x1xf32> -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// A weight that kernels unpack stays; where something else reads it too, it does not.
// CHECK-LABEL: func.func @packed
// CHECK: %[[W:.*]] = model.dequantize
// CHECK: model.linear %arg0, %[[W]] transposed
// CHECK-NOT: model.dequantize
// CHECK: model.elementwise neg
func.func @packed(%x: tensor<3x16xf32>) -> (tensor<3x2xf32>, tensor<2x16xf32>) {
  %q = model.weight "q" : tensor<2x16xi4>
  %s = model.weight "s" : tensor<2x1xf32>
  %w = model.dequantize %q scale %s block 16 along 1 : tensor<2x16xi4>, tensor<2x1xf32> -> tensor<2x16xf32>
  %v = model.dequantize %q scale %s block 32 along 1 : tensor<2x16xi4>, tensor<2x1xf32> -> tensor<2x16xf32>
  %y = model.linear %x, %w transposed : tensor<3x16xf32>, tensor<2x16xf32> -> tensor<3x2xf32>
  %n = model.elementwise neg %v : (tensor<2x16xf32>) -> tensor<2x16xf32>
  return %y, %n : tensor<3x2xf32>, tensor<2x16xf32>
}

// -----

func.func @narrow_float(%x: tensor<4xf32>, %s: tensor<f32>) -> tensor<4xf8E5M2> {
  // expected-error@+1 {{gives elements of 'f8E5M2', which the CPU has no code for}}
  %q = model.quantize %x scale %s : tensor<4xf32>, tensor<f32> -> tensor<4xf8E5M2>
  return %q : tensor<4xf8E5M2>
}
