// RUN: tamis-opt %s -split-input-file -tamis-form-dispatches | FileCheck %s
// RUN: tamis-opt %s -split-input-file -tamis-form-dispatches -tamis-tile-kernels -tamis-drop-kernels | FileCheck %s --check-prefix=TILED
// What layers of bf16 read is rounded where it is made: behind a layer, beside a norm, behind an attention.

!x = tensor<1x?x64xf32, #model.dims<"1", "n", "64">>
!h = tensor<1x?x64xbf16, #model.dims<"1", "n", "64">>
// CHECK-LABEL: func.func @layer_norm_cast
// CHECK: return %[[ROWS:.*]], %[[ROUNDED:.*]] : tensor<1x?x64xf32{{.*}}, tensor<1x?x64xbf16
// CHECK-LABEL: func.func @attention_cast
// CHECK-LABEL: func.func @linear_gelu_cast_64x64
// CHECK-LABEL: func.func @main
// CHECK: plan.constant panels ["up"] {{.*}} : tensor<64x64xbf16>
// CHECK: %[[NORM:.*]]:2 = plan.dispatch @layer_norm_cast
// CHECK: %[[Q:.*]] = plan.dispatch @linear_64x64(%[[NORM]]#1
// CHECK: %[[A:.*]] = plan.dispatch @attention_cast(%[[Q]]
// CHECK: %[[UP:.*]] = plan.dispatch @linear_gelu_cast_64x64(%[[A]]
// CHECK: plan.dispatch @linear_add_64x64(%[[UP]], %{{.*}}, %[[NORM]]#0)
// TILED: func.func @layer_norm_cast
func.func @main(%x: !x {model.name = "x"}) -> (!x {model.name = "y"}) attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %g = model.weight "g" : tensor<64xf32>
  %b = model.weight "b" : tensor<64xf32>
  %wq = model.weight "q" : tensor<64x64xbf16>
  %wu = model.weight "up" : tensor<64x64xbf16>
  %wd = model.weight "down" : tensor<64x64xbf16>
  %r = model.norm layer %x scale %g bias %b axis 2 epsilon 1.0e-5 : !x, tensor<64xf32>, tensor<64xf32> -> !x
  %0 = model.cast %r : !x -> !h
  %q = model.linear %0, %wq bias %b : !h, tensor<64x64xbf16>, tensor<64xf32> -> !x
  %a = model.attention %q, %q, %q heads 2 kv_heads 2 scale 1.0 : !x, !x, !x -> !x
  %1 = model.cast %a : !x -> !h
  %u = model.linear %1, %wu transposed : !h, tensor<64x64xbf16> -> !x
  %v = model.activation gelu %u : !x
  %2 = model.cast %v : !x -> !h
  %d = model.linear %2, %wd : !h, tensor<64x64xbf16> -> !x
  %y = model.elementwise add %d, %r : (!x, !x) -> !x
  return %y : !x
}

// -----

// Rounded for another reader, a number stays a map's: kernels of f32 do not give bf16.
!x = tensor<?x64xf32, #model.dims<"n", "64">>
!h = tensor<?x64xbf16, #model.dims<"n", "64">>
// CHECK-LABEL: func.func @main
// CHECK: plan.dispatch @linear_64x64
// CHECK: plan.dispatch @cast
func.func @main(%x: !x {model.name = "x"}) -> (!h {model.name = "y"}) attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %w = model.weight "w" : tensor<64x64xf32>
  %0 = model.linear %x, %w : !x, tensor<64x64xf32> -> !x
  %y = model.cast %0 : !x -> !h
  return %y : !h
}
