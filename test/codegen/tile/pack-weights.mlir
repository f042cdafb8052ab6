// RUN: tamis-opt %s -split-input-file -tamis-pack-weights | FileCheck %s
// Weights of linears and tables of embeddings in the form that kernels unpack.

!x = tensor<?x64xf32, #model.dims<"n", "64">>
!y = tensor<?x96xf32, #model.dims<"n", "96">>

// Joined weights become one, and the embedding that a head is tied to keeps its own.
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[Q:.*]] = model.concat %{{.*}}, %{{.*}} axis 0 : (tensor<64x64xi4>, tensor<32x64xi4>) -> tensor<96x64xi4>
// CHECK-DAG: %[[S:.*]] = model.concat %{{.*}}, %{{.*}} axis 0 : (tensor<64x2xf16>, tensor<32x2xf16>) -> tensor<96x2xf16>
// CHECK: %[[W:.*]] = model.dequantize %[[Q]] scale %[[S]] block 32 along 1
// CHECK: model.linear %{{.*}}, %[[W]] transposed
func.func @main(%ids: tensor<?xi64, #model.dims<"n">>) -> !y attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %q0 = model.weight "q0" : tensor<64x64xi4>
  %s0 = model.weight "s0" : tensor<64x2xf16>
  %q1 = model.weight "q1" : tensor<32x64xi4>
  %s1 = model.weight "s1" : tensor<32x2xf16>
  %a = model.dequantize %q0 scale %s0 block 32 along 1 : tensor<64x64xi4>, tensor<64x2xf16> -> tensor<64x64xf32>
  %b = model.dequantize %q1 scale %s1 block 32 along 1 : tensor<32x64xi4>, tensor<32x2xf16> -> tensor<32x64xf32>
  %w = model.concat %a, %b axis 0 : (tensor<64x64xf32>, tensor<32x64xf32>) -> tensor<96x64xf32>
  %x = model.embedding %a, %ids : tensor<64x64xf32>, tensor<?xi64, #model.dims<"n">> -> !x
  %y = model.linear %x, %w transposed : !x, tensor<96x64xf32> -> !y
  return %y : !y
}

// -----

!x = tensor<?x64xf32, #model.dims<"n", "64">>

// Inputs a row are turned; scales that were widened are read as they are stored; one zero point for all stays that.
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[Z:.*]] = model.constant dense<8> : tensor<48x2xui4>
// CHECK-DAG: %[[Q:.*]] = model.transpose %{{.*}} : tensor<64x48xui4> -> tensor<48x64xui4>
// CHECK-DAG: %[[S:.*]] = model.transpose %{{.*}} : tensor<2x48xf16> -> tensor<48x2xf16>
// CHECK: model.dequantize %[[Q]] scale %[[S]] zero_point %[[Z]] block 32 along 1
// CHECK: model.linear %{{.*}} transposed
func.func @main(%x: !x) -> tensor<?x48xf32, #model.dims<"n", "48">>
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %q = model.weight "q" : tensor<64x48xui4>
  %half = model.weight "s" : tensor<2x48xf16>
  %s = model.cast %half : tensor<2x48xf16> -> tensor<2x48xf32>
  %z = model.constant dense<8> : tensor<2x48xui4>
  %w = model.dequantize %q scale %s zero_point %z block 32 along 0 : tensor<64x48xui4>, tensor<2x48xf32>, tensor<2x48xui4>
      -> tensor<64x48xf32>
  %y = model.linear %x, %w : !x, tensor<64x48xf32> -> tensor<?x48xf32, #model.dims<"n", "48">>
  return %y : tensor<?x48xf32, #model.dims<"n", "48">>
}

// -----

!x = tensor<?x64xf32, #model.dims<"n", "64">>

// A scale an output is one block; scales along the other axis have no kernel.
// CHECK-LABEL: func.func @main
// CHECK-DAG: %[[W:.*]] = model.dequantize %{{.*}} block 64 along 1
// CHECK-DAG: %[[V:.*]] = model.dequantize %{{.*}} block 16 along 0
// CHECK: model.linear %{{.*}}, %[[W]] transposed
// CHECK: model.linear %{{.*}}, %[[V]] transposed
func.func @main(%x: !x) -> (tensor<?x32xf32, #model.dims<"n", "32">>, tensor<?x32xf32, #model.dims<"n", "32">>)
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %q = model.weight "q" : tensor<32x64xi8>
  %s = model.weight "s" : tensor<32x1xf32>
  %t = model.weight "t" : tensor<2x64xf32>
  %v = model.dequantize %q scale %t block 16 along 0 : tensor<32x64xi8>, tensor<2x64xf32> -> tensor<32x64xf32>
  %w = model.dequantize %q scale %s : tensor<32x64xi8>, tensor<32x1xf32> -> tensor<32x64xf32>
  %y = model.linear %x, %w transposed : !x, tensor<32x64xf32> -> tensor<?x32xf32, #model.dims<"n", "32">>
  %z = model.linear %x, %v transposed : !x, tensor<32x64xf32> -> tensor<?x32xf32, #model.dims<"n", "32">>
  return %y, %z : tensor<?x32xf32, #model.dims<"n", "32">>, tensor<?x32xf32, #model.dims<"n", "32">>
}
