// RUN: tamis-opt %s -tamis-form-dispatches "-tamis-tile-kernels=target=x86-64-v3" "-tamis-tile-kernels=target=x86-64-v4" | FileCheck %s
// One module a target, each with every kernel on flat buffers; vectors as wide as the target's registers.

// CHECK: module @"x86-64-v3"
// CHECK: func.func @linear_relu_8x16(%{{.*}}: memref<1099511627776xf32>
// CHECK-SAME: -> i32
// CHECK-SAME: plan.kernel = #plan.kernel<linear>
// CHECK: vector.fma {{.*}} : vector<8xf32>
// CHECK-NOT: vector<16xf32>
// CHECK: module @"x86-64-v4"
// CHECK: func.func @linear_relu_8x16(
// CHECK: vector.fma {{.*}} : vector<16xf32>
// CHECK: module @kernels
// CHECK: func.func @linear_relu_8x16(%{{.*}}: tensor<?x8xf32
// CHECK: func.func @main
!x = tensor<?x8xf32, #model.dims<"n", "8">>
!y = tensor<?x16xf32, #model.dims<"n", "16">>
func.func @main(%x: !x {model.name = "x"}) -> (!y {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %w = model.weight "w" : tensor<8x16xf32>
  %0 = model.linear %x, %w : !x, tensor<8x16xf32> -> !y
  %1 = model.activation relu %0 : !y
  return %1 : !y
}
