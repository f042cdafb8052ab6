// RUN: tamis-opt %s -tamis-graph -mlir-print-debuginfo -mlir-print-local-scope | FileCheck %s
// Ops that replace others bear the locations of all of them, so that a dispatch can be traced to the nodes of a file.

// CHECK: model.linear {{.*}} loc(fused["product", "sum"])
// CHECK: model.activation silu {{.*}} loc(fused["gate", "sigmoid"])
// CHECK: model.norm rms {{.*}} loc(fused["rsqrt", "epsilon", "mean", "square", "normalise", "scale"])
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = model.weight "w" : tensor<8x8xf32>
  %b = model.weight "b" : tensor<8xf32>
  %m = model.matmul %x, %w : tensor<4x8xf32>, tensor<8x8xf32> -> tensor<4x8xf32> loc("product")
  %l = model.elementwise add %m, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32> loc("sum")
  %s = model.elementwise sigmoid %l : (tensor<4x8xf32>) -> tensor<4x8xf32> loc("sigmoid")
  %a = model.elementwise mul %l, %s : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> loc("gate")
  %sq = model.elementwise mul %a, %a : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32> loc("square")
  %v = model.reduce mean %sq axes [1] : tensor<4x8xf32> -> tensor<4x1xf32> loc("mean")
  %eps = model.constant dense<0.125> : tensor<f32>
  %ve = model.elementwise add %v, %eps : (tensor<4x1xf32>, tensor<f32>) -> tensor<4x1xf32> loc("epsilon")
  %r = model.elementwise rsqrt %ve : (tensor<4x1xf32>) -> tensor<4x1xf32> loc("rsqrt")
  %n = model.elementwise mul %a, %r : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32> loc("normalise")
  %y = model.elementwise mul %n, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32> loc("scale")
  return %y : tensor<4x8xf32>
}
