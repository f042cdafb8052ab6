// RUN: tamis-opt %s -tamis-form-dispatches | FileCheck %s
// Ops on lines are kernels of their own, which read constants of any size from memory.

// CHECK-LABEL: func.func @scatter(
// CHECK-SAME: %[[DATA:[a-z0-9]*]]: tensor<4x5xf32>, %[[AT:[a-z0-9]*]]: tensor<2x1xi64>, %[[NEW:[a-z0-9]*]]: tensor<2x5xf32>
// CHECK-SAME: #plan.kernel<lines>
// CHECK: model.scatter sum %[[DATA]], %[[AT]], %[[NEW]] batch_dims 0

// CHECK-LABEL: func.func @main
// CHECK: %[[C:.*]] = plan.constant rows
// CHECK: %[[E:.*]] = plan.dispatch @abs
// CHECK: plan.dispatch @scatter(%[[E]], %[[C]], %
func.func @main(%x: tensor<4x5xf32>, %y: tensor<2x5xf32>) -> tensor<4x5xf32> {
  %at = model.constant dense<[[1], [3]]> : tensor<2x1xi64>
  %e = model.elementwise abs %x : (tensor<4x5xf32>) -> tensor<4x5xf32>
  %s = model.scatter sum %e, %at, %y batch_dims 0 : tensor<4x5xf32>, tensor<2x1xi64>, tensor<2x5xf32>
  return %s : tensor<4x5xf32>
}
