// RUN: tamis-opt %s | tamis-opt | FileCheck %s
// RUN: tamis-opt %s -emit-bytecode | tamis-opt --mlir-print-op-generic | tamis-opt | FileCheck %s
// Round trip of every op. The examples of the ops' descriptions are here word for word; test/house checks that.

// CHECK: func.func @linear_gelu
// CHECK-SAME: plan.kernel = #plan.kernel<linear>
module @kernels {
  func.func @linear_gelu(%x: tensor<4x384xf32>, %w: tensor<384x1536xf32>, %b: tensor<1536xf32>) -> tensor<4x1536xf32>
      attributes {plan.kernel = #plan.kernel<linear>} {
    %0 = model.linear %x, %w bias %b : tensor<4x384xf32>, tensor<384x1536xf32>, tensor<1536xf32> -> tensor<4x1536xf32>
    %1 = model.activation gelu %0 : tensor<4x1536xf32>
    return %1 : tensor<4x1536xf32>
  }
}

// CHECK-LABEL: func.func @dispatch
// CHECK: plan.dispatch @linear_gelu(%{{.*}}, %{{.*}}, %{{.*}}) grid "32" scratch "0"
// CHECK-SAME: sources ["/intermediate/dense/MatMul", "/intermediate/Gelu"] flops "4718592" bytes "2396160"
func.func @dispatch(%x: tensor<4x384xf32>, %w: tensor<384x1536xf32>, %b: tensor<1536xf32>) -> tensor<4x1536xf32> {
  %y = plan.dispatch @linear_gelu(%x, %w, %b) grid "32" scratch "0" sources ["/intermediate/dense/MatMul", "/intermediate/Gelu"]
      flops "4718592" bytes "2396160"
      : (tensor<4x384xf32>, tensor<384x1536xf32>, tensor<1536xf32>) -> tensor<4x1536xf32>
  return %y : tensor<4x1536xf32>
}

// CHECK-LABEL: func.func @constant
// CHECK: plan.constant panels ["q.weight", "k.weight"] transposed [true, true] axis 1 : tensor<384x768xf32>
func.func @constant() -> tensor<384x768xf32> {
  %w = plan.constant panels ["q.weight", "k.weight"] transposed [true, true] axis 1 : tensor<384x768xf32>
  return %w : tensor<384x768xf32>
}

// CHECK-LABEL: func.func @view
// CHECK: plan.view %{{.*}} : tensor<2x3xf32> -> tensor<6xf32>
func.func @view(%x: tensor<2x3xf32>) -> tensor<6xf32> {
  %v = plan.view %x : tensor<2x3xf32> -> tensor<6xf32>
  return %v : tensor<6xf32>
}
