// RUN: tamis-opt %s | tamis-opt | FileCheck %s
// RUN: tamis-opt %s -emit-bytecode | tamis-opt --mlir-print-op-generic | tamis-opt | FileCheck %s
// Round trip of every op. The examples of the ops' descriptions are here word for word; test/house checks that.

// CHECK-LABEL: func.func @main
// CHECK-SAME: tensor<?x?xi64, #model.dims<"batch", "sequence">> {model.name = "input_ids"}
// CHECK-SAME: model.symbols = [#model.symbol<"batch", 1, 64>, #model.symbol<"sequence", 1, 512>]
func.func @main(%ids: tensor<?x?xi64, #model.dims<"batch", "sequence">> {model.name = "input_ids"})
    -> (tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">> {model.name = "last_hidden_state"})
    attributes {model.symbols = [#model.symbol<"batch", 1, 64>, #model.symbol<"sequence", 1, 512>]} {
  %table = model.weight "table" : tensor<30522x384xf32>
  %e = model.embedding %table, %ids : tensor<30522x384xf32>, tensor<?x?xi64, #model.dims<"batch", "sequence">>
      -> tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">>
  return %e : tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">>
}

// CHECK-LABEL: func.func @dims
// CHECK-SAME: tensor<?x?x3xf32, #model.dims<"batch*sequence + 2", "floordiv(n, 2)", "3">>
func.func @dims(%x: tensor<?x?x3xf32, #model.dims<"batch*sequence + 2", "floordiv(n, 2)", "3">>) {
  return
}

// CHECK-LABEL: func.func @weight
// CHECK: model.weight "encoder.layer.0.output.dense.weight" : tensor<384x1536xf32>
func.func @weight() -> tensor<384x1536xf32> {
  %w = model.weight "encoder.layer.0.output.dense.weight" : tensor<384x1536xf32>
  return %w : tensor<384x1536xf32>
}

// CHECK-LABEL: func.func @constant
// CHECK: model.constant dense<9.99999996E-13> : tensor<f32>
func.func @constant() -> tensor<f32> {
  %eps = model.constant dense<1.0e-12> : tensor<f32>
  return %eps : tensor<f32>
}

// CHECK-LABEL: func.func @sizes
// CHECK: model.sizes ["batch", "sequence", "12"] : tensor<3xi64>
func.func @sizes() -> tensor<3xi64> {
  %n = model.sizes ["batch", "sequence", "12"] : tensor<3xi64>
  return %n : tensor<3xi64>
}

// CHECK-LABEL: func.func @sizes_scalar
// CHECK: model.sizes ["2*sequence"] : tensor<i64>
func.func @sizes_scalar() -> tensor<i64> {
  %n = model.sizes ["2*sequence"] : tensor<i64>
  return %n : tensor<i64>
}

// CHECK-LABEL: func.func @iota
// CHECK: model.iota "0" step "1" : tensor<?xi64, #model.dims<"sequence">>
func.func @iota() {
  %positions = model.iota "0" step "1" : tensor<?xi64, #model.dims<"sequence">>
  return
}

// CHECK-LABEL: func.func @reshape
// CHECK: model.reshape %{{.*}} : tensor<?x?x384xf32, {{.*}}> -> tensor<?x?x12x32xf32, #model.dims<"batch", "sequence", "12", "32">>
func.func @reshape(%x: tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">>) {
  %r = model.reshape %x : tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">>
      -> tensor<?x?x12x32xf32, #model.dims<"batch", "sequence", "12", "32">>
  return
}

// CHECK-LABEL: func.func @reshape_scalar
// CHECK: model.reshape %{{.*}} : tensor<1x1xf16> -> tensor<f16>
func.func @reshape_scalar(%x: tensor<1x1xf16>) -> tensor<f16> {
  %r = model.reshape %x : tensor<1x1xf16> -> tensor<f16>
  return %r : tensor<f16>
}

// CHECK-LABEL: func.func @transpose
// CHECK: model.transpose %{{.*}} [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
func.func @transpose(%x: tensor<2x3xf32>) {
  %t = model.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
  return
}

// CHECK-LABEL: func.func @broadcast
// CHECK: model.broadcast %{{.*}} : tensor<1x384xf32> -> tensor<?x384xf32, #model.dims<"batch", "384">>
func.func @broadcast(%x: tensor<1x384xf32>) {
  %b = model.broadcast %x : tensor<1x384xf32> -> tensor<?x384xf32, #model.dims<"batch", "384">>
  return
}

// CHECK-LABEL: func.func @slice
// CHECK: model.slice %{{.*}} ["0", "0"] step [1, 1] : tensor<1x512xi64> -> tensor<1x?xi64, #model.dims<"1", "sequence">>
func.func @slice(%x: tensor<1x512xi64>) {
  %head = model.slice %x ["0", "0"] step [1, 1]
      : tensor<1x512xi64> -> tensor<1x?xi64, #model.dims<"1", "sequence">>
  return
}

// CHECK-LABEL: func.func @slice_backwards
// CHECK: model.slice %{{.*}} ["n - 1"] step [-1]
func.func @slice_backwards(%x: tensor<?xi8, #model.dims<"n">>) {
  %r = model.slice %x ["n - 1"] step [-1] : tensor<?xi8, #model.dims<"n">> -> tensor<?xi8, #model.dims<"n">>
  return
}

// CHECK-LABEL: func.func @concat
// CHECK: model.concat %{{.*}}, %{{.*}} axis 1 : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
func.func @concat(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  %c = model.concat %a, %b axis 1 : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
  return
}

// CHECK-LABEL: func.func @gather
// CHECK: model.gather %{{.*}}, %{{.*}} axis 0 : tensor<30522x384xf32>, tensor<?xi64, #model.dims<"n">>
func.func @gather(%data: tensor<30522x384xf32>, %ids: tensor<?xi64, #model.dims<"n">>) {
  %g = model.gather %data, %ids axis 0 : tensor<30522x384xf32>,
      tensor<?xi64, #model.dims<"n">> -> tensor<?x384xf32, #model.dims<"n", "384">>
  return
}

// CHECK-LABEL: func.func @gather_nd
// CHECK: model.gather_nd %{{.*}}, %{{.*}} batch_dims 0 : tensor<4x5xi1>, tensor<7x2xi64> -> tensor<7xi1>
func.func @gather_nd(%data: tensor<4x5xi1>, %at: tensor<7x2xi64>) {
  %g = model.gather_nd %data, %at batch_dims 0 : tensor<4x5xi1>, tensor<7x2xi64> -> tensor<7xi1>
  return
}

// CHECK-LABEL: func.func @cumulative
// CHECK: model.cumulative sum %{{.*}} axis 1 exclusive : tensor<2x16xi64>
func.func @cumulative(%x: tensor<2x16xi64>) {
  %c = model.cumulative sum %x axis 1 exclusive : tensor<2x16xi64>
  return
}

// CHECK-LABEL: func.func @top_k
// CHECK: model.top_k %{{.*}} axis 1 : tensor<2x4096xf32> -> tensor<2x8xi64>
func.func @top_k(%x: tensor<2x4096xf32>) {
  %places = model.top_k %x axis 1 : tensor<2x4096xf32> -> tensor<2x8xi64>
  return
}

// CHECK-LABEL: func.func @scatter
// CHECK: model.scatter write %{{.*}}, %{{.*}}, %{{.*}} batch_dims 0 : tensor<4x5xf32>, tensor<7x2xi64>, tensor<7xf32>
func.func @scatter(%data: tensor<4x5xf32>, %at: tensor<7x2xi64>, %updates: tensor<7xf32>) {
  %s = model.scatter write %data, %at, %updates batch_dims 0
      : tensor<4x5xf32>, tensor<7x2xi64>, tensor<7xf32>
  return
}

// CHECK-LABEL: func.func @cast
// CHECK: model.cast %{{.*}} : tensor<2x4xi64> -> tensor<2x4xf32>
func.func @cast(%mask: tensor<2x4xi64>) {
  %f = model.cast %mask : tensor<2x4xi64> -> tensor<2x4xf32>
  return
}

// CHECK-LABEL: func.func @elementwise
// CHECK: model.elementwise add %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
func.func @elementwise(%x: tensor<2x3xf32>, %bias: tensor<3xf32>) {
  %y = model.elementwise add %x, %bias : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// Names that are C++ words, and functions of one and three operands.
// CHECK-LABEL: func.func @elementwise_kinds
func.func @elementwise_kinds(%c: tensor<4xi1>, %x: tensor<4xbf16>, %u: tensor<4xui8>) {
  // CHECK: model.elementwise logical_not %{{.*}} : (tensor<4xi1>) -> tensor<4xi1>
  %0 = model.elementwise logical_not %c : (tensor<4xi1>) -> tensor<4xi1>
  // CHECK: model.elementwise isnan %{{.*}} : (tensor<4xbf16>) -> tensor<4xi1>
  %1 = model.elementwise isnan %x : (tensor<4xbf16>) -> tensor<4xi1>
  // CHECK: model.elementwise less_equal %{{.*}}, %{{.*}} : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xi1>
  %2 = model.elementwise less_equal %u, %u : (tensor<4xui8>, tensor<4xui8>) -> tensor<4xi1>
  // CHECK: model.elementwise select %{{.*}}, %{{.*}}, %{{.*}} : (tensor<4xi1>, tensor<4xbf16>, tensor<4xbf16>) -> tensor<4xbf16>
  %3 = model.elementwise select %c, %x, %x : (tensor<4xi1>, tensor<4xbf16>, tensor<4xbf16>) -> tensor<4xbf16>
  return
}

// CHECK-LABEL: func.func @activation
// CHECK: model.activation gelu %{{.*}} : tensor<2x1536xf32>
func.func @activation(%x: tensor<2x1536xf32>) {
  %y = model.activation gelu %x : tensor<2x1536xf32>
  return
}

// CHECK-LABEL: func.func @reduce
// CHECK: model.reduce mean %{{.*}} axes [2] : tensor<2x3x4xf32> -> tensor<2x3x1xf32>
func.func @reduce(%x: tensor<2x3x4xf32>) {
  %m = model.reduce mean %x axes [2] : tensor<2x3x4xf32> -> tensor<2x3x1xf32>
  return
}

// CHECK-LABEL: func.func @softmax
// CHECK: model.softmax %{{.*}} axis 3 : tensor<1x12x16x16xf32>
func.func @softmax(%s: tensor<1x12x16x16xf32>) {
  %p = model.softmax %s axis 3 : tensor<1x12x16x16xf32>
  return
}

// CHECK-LABEL: func.func @matmul
// CHECK: model.matmul %{{.*}}, %{{.*}} : tensor<12x16x32xf32>, tensor<12x32x16xf32> -> tensor<12x16x16xf32>
func.func @matmul(%a: tensor<12x16x32xf32>, %b: tensor<12x32x16xf32>) {
  %c = model.matmul %a, %b : tensor<12x16x32xf32>, tensor<12x32x16xf32> -> tensor<12x16x16xf32>
  return
}

// CHECK-LABEL: func.func @linear
// CHECK: model.linear %{{.*}}, %{{.*}} bias %{{.*}} transposed : tensor<?x384xf32, #model.dims<"n", "384">>, tensor<1536x384xf32>, tensor<1536xf32>
func.func @linear(%x: tensor<?x384xf32, #model.dims<"n", "384">>, %w: tensor<1536x384xf32>, %b: tensor<1536xf32>) {
  %y = model.linear %x, %w bias %b transposed : tensor<?x384xf32, #model.dims<"n", "384">>, tensor<1536x384xf32>,
      tensor<1536xf32> -> tensor<?x1536xf32, #model.dims<"n", "1536">>
  return
}

// CHECK-LABEL: func.func @linear_bf16
// CHECK: model.linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<3x4xbf16>, tensor<4x2xbf16>, tensor<2xf32> -> tensor<3x2xf32>
func.func @linear_bf16(%x: tensor<3x4xbf16>, %w: tensor<4x2xbf16>, %b: tensor<2xf32>) {
  %y = model.linear %x, %w bias %b : tensor<3x4xbf16>, tensor<4x2xbf16>, tensor<2xf32> -> tensor<3x2xf32>
  return
}

// CHECK-LABEL: func.func @linear_plain
// CHECK: model.linear %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4x2xf32> -> tensor<2xf32>
func.func @linear_plain(%x: tensor<4xf32>, %w: tensor<4x2xf32>) {
  %y = model.linear %x, %w : tensor<4xf32>, tensor<4x2xf32> -> tensor<2xf32>
  return
}

// CHECK-LABEL: func.func @norm
// CHECK: model.norm layer %{{.*}} scale %{{.*}} bias %{{.*}} axis 1 epsilon 9.99{{.*}}E-13 : tensor<4x384xf32>, tensor<384xf32>, tensor<384xf32>
func.func @norm(%x: tensor<4x384xf32>, %g: tensor<384xf32>, %b: tensor<384xf32>) {
  %y = model.norm layer %x scale %g bias %b axis 1 epsilon 1.0e-12
      : tensor<4x384xf32>, tensor<384xf32>, tensor<384xf32> -> tensor<4x384xf32>
  return
}

// CHECK-LABEL: func.func @norm_plain
// CHECK: model.norm rms %{{.*}} axis 1 epsilon {{.*}} : tensor<4x384xf32> -> tensor<4x384xf32>
// CHECK: model.norm rms %{{.*}} scale %{{.*}} axis 1 epsilon {{.*}} : tensor<4x384xf32>, tensor<384xf32> -> tensor<4x384xf32>
func.func @norm_plain(%x: tensor<4x384xf32>, %g: tensor<384xf32>) {
  %y = model.norm rms %x axis 1 epsilon 1.0e-5 : tensor<4x384xf32> -> tensor<4x384xf32>
  %z = model.norm rms %x scale %g axis 1 epsilon 1.0e-5 : tensor<4x384xf32>, tensor<384xf32> -> tensor<4x384xf32>
  return
}

// CHECK-LABEL: func.func @embedding
// CHECK: model.embedding %{{.*}}, %{{.*}} : tensor<30522x384xf32>, tensor<?x?xi64, #model.dims<"batch", "sequence">>
func.func @embedding(%table: tensor<30522x384xf32>, %ids: tensor<?x?xi64, #model.dims<"batch", "sequence">>) {
  %e = model.embedding %table, %ids : tensor<30522x384xf32>, tensor<?x?xi64, #model.dims<"batch", "sequence">>
      -> tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">>
  return
}

// CHECK-LABEL: func.func @attention
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} heads 12 kv_heads 12 scale 0.17677669529663{{[0-9]*}} : {{.*}}, tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
func.func @attention(%q: tensor<?x?x384xf32, #model.dims<"b", "s", "384">>,
                     %k: tensor<?x?x384xf32, #model.dims<"b", "s", "384">>,
                     %v: tensor<?x?x384xf32, #model.dims<"b", "s", "384">>,
                     %m: tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>) {
  %o = model.attention %q, %k, %v mask %m heads 12 kv_heads 12 scale 1.767766952966369e-01
      : tensor<?x?x384xf32, #model.dims<"b", "s", "384">>, tensor<?x?x384xf32, #model.dims<"b", "s", "384">>,
        tensor<?x?x384xf32, #model.dims<"b", "s", "384">>, tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
      -> tensor<?x?x384xf32, #model.dims<"b", "s", "384">>
  return
}

// CHECK-LABEL: func.func @attention_grouped_causal
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} heads 9 kv_heads 3 scale 1.250000e-01 causal : tensor<1x4x576xf32>, tensor<1x7x192xf32>, tensor<1x7x192xf32> -> tensor<1x4x576xf32>
func.func @attention_grouped_causal(%q: tensor<1x4x576xf32>, %k: tensor<1x7x192xf32>, %v: tensor<1x7x192xf32>) {
  %o = model.attention %q, %k, %v heads 9 kv_heads 3 scale 0.125 causal
      : tensor<1x4x576xf32>, tensor<1x7x192xf32>, tensor<1x7x192xf32> -> tensor<1x4x576xf32>
  return
}

// CHECK-LABEL: func.func @quantize
// CHECK: model.quantize %{{.*}} scale %{{.*}} zero_point %{{.*}} : tensor<4x384xf32>, tensor<4x1xf32>, tensor<4x1xui8> -> tensor<4x384xui8>
// CHECK: model.quantize %{{.*}} scale %{{.*}} : tensor<4x384xf32>, tensor<f32> -> tensor<4x384xf8E5M2>
func.func @quantize(%x: tensor<4x384xf32>, %s: tensor<4x1xf32>, %z: tensor<4x1xui8>, %t: tensor<f32>) {
  %q = model.quantize %x scale %s zero_point %z : tensor<4x384xf32>, tensor<4x1xf32>, tensor<4x1xui8> -> tensor<4x384xui8>
  %f = model.quantize %x scale %t : tensor<4x384xf32>, tensor<f32> -> tensor<4x384xf8E5M2>
  return
}

// CHECK-LABEL: func.func @quantize_rows
// CHECK: %{{.*}}, %{{.*}}, %{{.*}} = model.quantize_rows %{{.*}} : tensor<4x384xf32> -> tensor<4x384xui8>, tensor<4x1xf32>, tensor<4x1xui8>
func.func @quantize_rows(%x: tensor<4x384xf32>) {
  %q, %s, %z = model.quantize_rows %x : tensor<4x384xf32> -> tensor<4x384xui8>, tensor<4x1xf32>, tensor<4x1xui8>
  return
}

// CHECK-LABEL: func.func @dequantize
// CHECK: model.dequantize %{{.*}} scale %{{.*}} block 32 along 0 : tensor<384x1536xi4>, tensor<12x1536xf32> -> tensor<384x1536xf32>
func.func @dequantize(%q: tensor<384x1536xi4>, %s: tensor<12x1536xf32>) {
  %w = model.dequantize %q scale %s block 32 along 0 : tensor<384x1536xi4>, tensor<12x1536xf32> -> tensor<384x1536xf32>
  return
}

// CHECK-LABEL: func.func @integer_linear
// CHECK: model.integer_linear %{{.*}}, %{{.*}} input_zero_point %{{.*}} transposed : tensor<4x384xui8>, tensor<1536x384xi8>, tensor<ui8> -> tensor<4x1536xi32>
// CHECK: model.integer_linear %{{.*}}, %{{.*}} weight_zero_point %{{.*}} : tensor<4x1536xui8>, tensor<1536x384xi8> weight tensor<384xi8> -> tensor<4x384xi32>
func.func @integer_linear(%x: tensor<4x384xui8>, %w: tensor<1536x384xi8>, %z: tensor<ui8>, %v: tensor<4x1536xui8>,
                          %c: tensor<384xi8>) {
  %y = model.integer_linear %x, %w input_zero_point %z transposed : tensor<4x384xui8>, tensor<1536x384xi8>, tensor<ui8>
      -> tensor<4x1536xi32>
  %u = model.integer_linear %v, %w weight_zero_point %c : tensor<4x1536xui8>, tensor<1536x384xi8> weight tensor<384xi8>
      -> tensor<4x384xi32>
  return
}
