// RUN: tamis-opt %s "-tamis-tile-kernels=target=x86-64-v3" | FileCheck %s

// A kernel of no elements is never run. It has code nevertheless: dividing by its sizes would be none at all.
// CHECK-LABEL: module @"x86-64-v3"
// CHECK: func.func @add
// CHECK-NEXT: %[[FINE:.*]] = arith.constant 0 : i32
// CHECK-NEXT: return %[[FINE]]
module {
  module @kernels {
    func.func @add(%a: tensor<2x0xf32>, %b: tensor<2x0xf32>) -> tensor<2x0xf32>
        attributes {plan.kernel = #plan.kernel<map>, model.symbols = []} {
      %0 = model.elementwise add %a, %b : (tensor<2x0xf32>, tensor<2x0xf32>) -> tensor<2x0xf32>
      return %0 : tensor<2x0xf32>
    }
  }
}
