// RUN: tamis-opt %s -tamis-widen-half | FileCheck %s

// Arguments and weights are cast once, what is between is f32, the result is rounded once.
// CHECK-LABEL: func.func @layer
// CHECK-SAME: %[[X:.*]]: tensor<2x4xf16>) -> tensor<2x3xf16>
// CHECK: %[[WIDE:.*]] = model.cast %[[X]] : tensor<2x4xf16> -> tensor<2x4xf32>
// CHECK: %[[W:.*]] = model.weight "w" : tensor<4x3xf16>
// CHECK: %[[WEIGHT:.*]] = model.cast %[[W]] : tensor<4x3xf16> -> tensor<4x3xf32>
// CHECK: %[[P:.*]] = model.matmul %[[WIDE]], %[[WEIGHT]] : {{.*}} -> tensor<2x3xf32>
// CHECK: %[[S:.*]] = model.elementwise add %[[P]], %[[P]] : {{.*}} -> tensor<2x3xf32>
// CHECK: %[[R:.*]] = model.cast %[[S]] : tensor<2x3xf32> -> tensor<2x3xf16>
// CHECK: return %[[R]]
func.func @layer(%x: tensor<2x4xf16>) -> tensor<2x3xf16> {
  %w = model.weight "w" : tensor<4x3xf16>
  %p = model.matmul %x, %w : tensor<2x4xf16>, tensor<4x3xf16> -> tensor<2x3xf16>
  %s = model.elementwise add %p, %p : (tensor<2x3xf16>, tensor<2x3xf16>) -> tensor<2x3xf16>
  return %s : tensor<2x3xf16>
}

// A bool mask stays, and so does what is of f32.
// CHECK-LABEL: func.func @mask
// CHECK: model.elementwise add %arg2, %arg2 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
// CHECK: model.attention {{.*}} mask %arg1 {{.*}} tensor<1x1x2x2xi1> -> tensor<1x2x4xf32>
func.func @mask(%q: tensor<1x2x4xbf16>, %m: tensor<1x1x2x2xi1>, %f: tensor<2xf32>) -> (tensor<1x2x4xbf16>, tensor<2xf32>) {
  %s = model.elementwise add %f, %f : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %o = model.attention %q, %q, %q mask %m heads 1 kv_heads 1 scale 1.0
      : tensor<1x2x4xbf16>, tensor<1x2x4xbf16>, tensor<1x2x4xbf16>, tensor<1x1x2x2xi1> -> tensor<1x2x4xbf16>
  return %o, %s : tensor<1x2x4xbf16>, tensor<2xf32>
}

// Casts of a model that mixes types go.
// CHECK-LABEL: func.func @casts
// CHECK-SAME: %[[X:.*]]: tensor<2xf32>)
// CHECK-NOT: model.cast
// CHECK: %[[Y:.*]] = model.activation silu %[[X]] : tensor<2xf32>
// CHECK-NOT: f16
// CHECK: return
func.func @casts(%x: tensor<2xf32>) -> tensor<2xf32> {
  %h = model.cast %x : tensor<2xf32> -> tensor<2xf16>
  %a = model.activation silu %h : tensor<2xf16>
  %y = model.cast %a : tensor<2xf16> -> tensor<2xf32>
  return %y : tensor<2xf32>
}

// f64 is rounded to f16 at once.
// CHECK-LABEL: func.func @double
// CHECK: %[[H:.*]] = model.cast %{{.*}} : tensor<2xf64> -> tensor<2xf16>
// CHECK: return %[[H]]
func.func @double(%x: tensor<2xf64>) -> tensor<2xf16> {
  %h = model.cast %x : tensor<2xf64> -> tensor<2xf16>
  return %h : tensor<2xf16>
}

// A comparison gives bool.
// CHECK-LABEL: func.func @comparison
// CHECK: model.elementwise less %[[Z:.*]], %[[Z]] : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xi1>
func.func @comparison(%x: tensor<2xf16>) -> tensor<2xi1> {
  %b = model.elementwise less %x, %x : (tensor<2xf16>, tensor<2xf16>) -> tensor<2xi1>
  return %b : tensor<2xi1>
}
