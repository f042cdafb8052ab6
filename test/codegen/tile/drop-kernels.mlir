// RUN: tamis-opt %s -tamis-form-dispatches -tamis-tile-kernels -tamis-drop-kernels | FileCheck %s
// The tensor form goes, the target's stays, and the program still verifies.

// CHECK-NOT: module @kernels
// CHECK: module @"x86-64-v3"
// CHECK: func.func @exp(%{{.*}}: memref
// CHECK: plan.dispatch @exp
func.func @main(%x: tensor<4xf32> {model.name = "x"}) -> (tensor<4xf32> {model.name = "y"}) {
  %0 = model.elementwise exp %x : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
