// RUN: tamis-opt %s -tamis-widen-half | FileCheck %s

// Operands and a float mask become f32, the result is rounded once.
// CHECK-LABEL: func.func @half
// CHECK-SAME: (%[[Q:.*]]: tensor<1x2x4xf16>, %[[M:.*]]: tensor<1x1x2x2xf16>)
// CHECK-DAG: %[[WIDE:.*]] = model.cast %[[Q]] : tensor<1x2x4xf16> -> tensor<1x2x4xf32>
// CHECK-DAG: %[[MASK:.*]] = model.cast %[[M]] : tensor<1x1x2x2xf16> -> tensor<1x1x2x2xf32>
// CHECK: %[[O:.*]] = model.attention {{.*}} mask %[[MASK]] heads 2 kv_heads 2 scale 5.000000e-01 causal
// CHECK-SAME: -> tensor<1x2x4xf32>
// CHECK: %[[R:.*]] = model.cast %[[O]] : tensor<1x2x4xf32> -> tensor<1x2x4xf16>
// CHECK: return %[[R]]
func.func @half(%q: tensor<1x2x4xf16>, %m: tensor<1x1x2x2xf16>) -> tensor<1x2x4xf16> {
  %o = model.attention %q, %q, %q mask %m heads 2 kv_heads 2 scale 0.5 causal
      : tensor<1x2x4xf16>, tensor<1x2x4xf16>, tensor<1x2x4xf16>, tensor<1x1x2x2xf16> -> tensor<1x2x4xf16>
  return %o : tensor<1x2x4xf16>
}

// A bool mask stays.
// CHECK-LABEL: func.func @bool_mask
// CHECK: model.attention {{.*}} mask %arg1
func.func @bool_mask(%q: tensor<1x2x4xbf16>, %m: tensor<1x1x2x2xi1>) -> tensor<1x2x4xbf16> {
  %o = model.attention %q, %q, %q mask %m heads 1 kv_heads 1 scale 1.0
      : tensor<1x2x4xbf16>, tensor<1x2x4xbf16>, tensor<1x2x4xbf16>, tensor<1x1x2x2xi1> -> tensor<1x2x4xbf16>
  return %o : tensor<1x2x4xbf16>
}

// CHECK-LABEL: func.func @single
// CHECK-NOT: model.cast
func.func @single(%q: tensor<1x2x4xf32>) -> tensor<1x2x4xf32> {
  %o = model.attention %q, %q, %q heads 1 kv_heads 1 scale 1.0
      : tensor<1x2x4xf32>, tensor<1x2x4xf32>, tensor<1x2x4xf32> -> tensor<1x2x4xf32>
  return %o : tensor<1x2x4xf32>
}
