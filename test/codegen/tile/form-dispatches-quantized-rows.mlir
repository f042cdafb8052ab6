// RUN: tamis-opt %s -split-input-file -tamis-form-dispatches | FileCheck %s
// RUN: tamis-opt %s -split-input-file -tamis-form-dispatches -tamis-tile-kernels -tamis-drop-kernels | FileCheck %s --check-prefix=TILED
// A norm is computed with the bytes that the next dense layer reads, and is a result of its own.

// CHECK-LABEL: func.func @rms_norm_mul_quantize_rows
// CHECK: return %[[ROWS:.*]], %[[BYTES:.*]], %[[SCALE:.*]], %[[ZERO:.*]] : tensor<?x64xf32
// CHECK-LABEL: func.func @main
// CHECK: %[[ALL:.*]]:4 = plan.dispatch @rms_norm_mul_quantize_rows
// CHECK: plan.dispatch @integer_linear_cast_mul_add_64x64(%[[ALL]]#1, %{{.*}}, %[[ALL]]#3, %[[ALL]]#2, %{{.*}}, %[[ALL]]#0)
// TILED: func.func @rms_norm_mul_quantize_rows
func.func @main(%x: tensor<?x64xf32, #model.dims<"n", "64">> {model.name = "x"})
    -> (tensor<?x64xf32, #model.dims<"n", "64">> {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %g = model.weight "g" : tensor<64xf32>
  %f = model.weight "f" : tensor<64xf32>
  %w = model.weight "w" : tensor<64x64xi8>
  %u = model.weight "u" : tensor<64xf32>
  %r = model.norm rms %x scale %g axis 1 epsilon 1.0e-5 : tensor<?x64xf32, #model.dims<"n", "64">>, tensor<64xf32> -> tensor<?x64xf32, #model.dims<"n", "64">>
  %v = model.elementwise mul %r, %f : (tensor<?x64xf32, #model.dims<"n", "64">>, tensor<64xf32>) -> tensor<?x64xf32, #model.dims<"n", "64">>
  %q, %s, %z = model.quantize_rows %v : tensor<?x64xf32, #model.dims<"n", "64">> -> tensor<?x64xui8, #model.dims<"n", "64">>,
      tensor<?x1xf32, #model.dims<"n", "1">>, tensor<?x1xui8, #model.dims<"n", "1">>
  %sums = model.integer_linear %q, %w input_zero_point %z : tensor<?x64xui8, #model.dims<"n", "64">>, tensor<64x64xi8>,
      tensor<?x1xui8, #model.dims<"n", "1">> -> tensor<?x64xi32, #model.dims<"n", "64">>
  %0 = model.cast %sums : tensor<?x64xi32, #model.dims<"n", "64">> -> tensor<?x64xf32, #model.dims<"n", "64">>
  %1 = model.elementwise mul %0, %s : (tensor<?x64xf32, #model.dims<"n", "64">>, tensor<?x1xf32, #model.dims<"n", "1">>) -> tensor<?x64xf32, #model.dims<"n", "64">>
  %2 = model.elementwise mul %1, %u : (tensor<?x64xf32, #model.dims<"n", "64">>, tensor<64xf32>) -> tensor<?x64xf32, #model.dims<"n", "64">>
  %y = model.elementwise add %2, %r : (tensor<?x64xf32, #model.dims<"n", "64">>, tensor<?x64xf32, #model.dims<"n", "64">>) -> tensor<?x64xf32, #model.dims<"n", "64">>
  return %y : tensor<?x64xf32, #model.dims<"n", "64">>
}

// -----

// What reads the norm before the quantization stands needs it earlier: two kernels.
// CHECK-LABEL: func.func @mul_quantize_rows
// CHECK-LABEL: func.func @main
// CHECK: %[[ROWS:.*]] = plan.dispatch @rms_norm
// CHECK: %[[SUM:.*]] = plan.dispatch @{{.*}}(%[[ROWS]])
// CHECK: plan.dispatch @mul_quantize_rows(%[[ROWS]], %[[SUM]])
func.func @main(%x: tensor<?x64xf32, #model.dims<"n", "64">> {model.name = "x"})
    -> (tensor<?x64xui8, #model.dims<"n", "64">> {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %r = model.norm rms %x axis 1 epsilon 1.0e-5 : tensor<?x64xf32, #model.dims<"n", "64">> -> tensor<?x64xf32, #model.dims<"n", "64">>
  %m = model.reduce sum %r axes [1] : tensor<?x64xf32, #model.dims<"n", "64">> -> tensor<?x1xf32, #model.dims<"n", "1">>
  %v = model.elementwise mul %r, %m : (tensor<?x64xf32, #model.dims<"n", "64">>, tensor<?x1xf32, #model.dims<"n", "1">>) -> tensor<?x64xf32, #model.dims<"n", "64">>
  %q, %s, %z = model.quantize_rows %v : tensor<?x64xf32, #model.dims<"n", "64">> -> tensor<?x64xui8, #model.dims<"n", "64">>,
      tensor<?x1xf32, #model.dims<"n", "1">>, tensor<?x1xui8, #model.dims<"n", "1">>
  return %q : tensor<?x64xui8, #model.dims<"n", "64">>
}

// -----

// A layer of integers whose rows are read as bytes alone writes them so.
// CHECK-LABEL: func.func @integer_linear_cast_gelu_quantize_rows_64x32
// CHECK-LABEL: func.func @main
// CHECK: %[[ALL:.*]]:2 = plan.dispatch @integer_linear_cast_gelu_quantize_rows_64x32
// CHECK-SAME: grid "floordiv(n + 63, 64)"
// TILED: func.func @integer_linear_cast_gelu_quantize_rows_64x32
func.func @main(%q: tensor<?x64xui8, #model.dims<"n", "64">> {model.name = "q"})
    -> (tensor<?x32xui8, #model.dims<"n", "32">> {model.name = "y"}, tensor<?x1xf32, #model.dims<"n", "1">> {model.name = "s"})
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %w = model.weight "w" : tensor<64x32xi8>
  %sums = model.integer_linear %q, %w : tensor<?x64xui8, #model.dims<"n", "64">>, tensor<64x32xi8> -> tensor<?x32xi32, #model.dims<"n", "32">>
  %0 = model.cast %sums : tensor<?x32xi32, #model.dims<"n", "32">> -> tensor<?x32xf32, #model.dims<"n", "32">>
  %1 = model.activation gelu %0 : tensor<?x32xf32, #model.dims<"n", "32">>
  %y, %s, %z = model.quantize_rows %1 : tensor<?x32xf32, #model.dims<"n", "32">> -> tensor<?x32xui8, #model.dims<"n", "32">>,
      tensor<?x1xf32, #model.dims<"n", "1">>, tensor<?x1xui8, #model.dims<"n", "1">>
  return %y, %s : tensor<?x32xui8, #model.dims<"n", "32">>, tensor<?x1xf32, #model.dims<"n", "1">>
}

// -----

// Rows that are known and few are read from memory, as there is no map for them.
// CHECK-LABEL: func.func @quantize_rows(%arg0: tensor<2x4xf32>)
// CHECK-LABEL: func.func @main
// CHECK: %[[ROWS:.*]] = plan.constant
// CHECK: plan.dispatch @quantize_rows(%[[ROWS]])
// TILED: func.func @quantize_rows(%arg0: memref
func.func @main(%x: tensor<?x4xf32, #model.dims<"n", "4">> {model.name = "x"})
    -> (tensor<2x4xui8> {model.name = "y"}, tensor<?x4xf32, #model.dims<"n", "4">> {model.name = "z"})
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %c = model.constant dense<[[1.0, 2.0, -3.0, 4.0], [0.5, 6.0, 7.0, -8.0]]> : tensor<2x4xf32>
  %q, %s, %p = model.quantize_rows %c : tensor<2x4xf32> -> tensor<2x4xui8>, tensor<2x1xf32>, tensor<2x1xui8>
  %z = model.activation relu %x : tensor<?x4xf32, #model.dims<"n", "4">>
  return %q, %z : tensor<2x4xui8>, tensor<?x4xf32, #model.dims<"n", "4">>
}
