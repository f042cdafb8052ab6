// RUN: tamis-opt %s -tamis-lower-quantization -tamis-form-dispatches | FileCheck %s
// RUN: tamis-opt %s -tamis-lower-quantization -tamis-form-dispatches -tamis-tile-kernels -tamis-drop-kernels | FileCheck %s --check-prefix=TILED
// Products of bytes: with known weights one kernel with what scales them, else products of matrices of i32.

// CHECK-LABEL: func.func @integer_linear_cast_mul_add_8x16
// CHECK-SAME: tensor<?x8xui8, #model.dims<"n", "8">>, %{{.*}}: tensor<8x16xi8>, %{{.*}}: tensor<ui8>, %{{.*}}: tensor<?x1xf32
// CHECK: model.integer_linear %arg0, %arg1 input_zero_point %arg2 :
// CHECK: model.cast
// CHECK: model.elementwise mul
// CHECK: model.elementwise mul
// CHECK: model.elementwise add
// CHECK-LABEL: func.func @main
// CHECK: plan.constant panels ["w"] transposed [true] axis 1 : tensor<8x16xi8>
// CHECK: plan.dispatch @integer_linear_cast_mul_add_8x16
// CHECK: plan.dispatch @matmul
// TILED: func.func @integer_linear_cast_mul_add_8x16
// TILED: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"
func.func @main(%x: tensor<?x8xf32, #model.dims<"n", "8">> {model.name = "x"},
                %v: tensor<16x4xi8> {model.name = "v"})
    -> (tensor<?x16xf32, #model.dims<"n", "16">> {model.name = "y"}, tensor<?x4xi32, #model.dims<"n", "4">> {model.name = "z"})
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %w = model.weight "w" : tensor<16x8xi8>
  %s = model.weight "s" : tensor<16xf32>
  %b = model.weight "b" : tensor<16xf32>
  %zero = model.constant dense<128> : tensor<ui8>
  %unit = model.constant dense<127.0> : tensor<f32>
  %magnitude = model.elementwise abs %x : (tensor<?x8xf32, #model.dims<"n", "8">>) -> tensor<?x8xf32, #model.dims<"n", "8">>
  %most = model.reduce max %magnitude axes [1] : tensor<?x8xf32, #model.dims<"n", "8">> -> tensor<?x1xf32, #model.dims<"n", "1">>
  %rows = model.elementwise div %most, %unit : (tensor<?x1xf32, #model.dims<"n", "1">>, tensor<f32>) -> tensor<?x1xf32, #model.dims<"n", "1">>
  %middle = model.broadcast %zero : tensor<ui8> -> tensor<?x1xui8, #model.dims<"n", "1">>
  %q = model.quantize %x scale %rows zero_point %middle : tensor<?x8xf32, #model.dims<"n", "8">>, tensor<?x1xf32, #model.dims<"n", "1">>,
      tensor<?x1xui8, #model.dims<"n", "1">> -> tensor<?x8xui8, #model.dims<"n", "8">>
  %sums = model.integer_linear %q, %w input_zero_point %zero transposed : tensor<?x8xui8, #model.dims<"n", "8">>, tensor<16x8xi8>, tensor<ui8>
      -> tensor<?x16xi32, #model.dims<"n", "16">>
  %0 = model.cast %sums : tensor<?x16xi32, #model.dims<"n", "16">> -> tensor<?x16xf32, #model.dims<"n", "16">>
  %1 = model.elementwise mul %0, %rows : (tensor<?x16xf32, #model.dims<"n", "16">>, tensor<?x1xf32, #model.dims<"n", "1">>) -> tensor<?x16xf32, #model.dims<"n", "16">>
  %2 = model.elementwise mul %1, %s : (tensor<?x16xf32, #model.dims<"n", "16">>, tensor<16xf32>) -> tensor<?x16xf32, #model.dims<"n", "16">>
  %y = model.elementwise add %2, %b : (tensor<?x16xf32, #model.dims<"n", "16">>, tensor<16xf32>) -> tensor<?x16xf32, #model.dims<"n", "16">>
  %bytes = model.cast %y : tensor<?x16xf32, #model.dims<"n", "16">> -> tensor<?x16xi8, #model.dims<"n", "16">>
  %z = model.integer_linear %bytes, %v : tensor<?x16xi8, #model.dims<"n", "16">>, tensor<16x4xi8> -> tensor<?x4xi32, #model.dims<"n", "4">>
  return %y, %z : tensor<?x16xf32, #model.dims<"n", "16">>, tensor<?x4xi32, #model.dims<"n", "4">>
}
