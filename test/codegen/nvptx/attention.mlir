// RUN: nvptx-kernels %s | FileCheck %s
// Attention: copies in the background for operands of f16, matrix instructions for both products, one instruction an
// exponential, no local memory.

// CHECK: // attention_f16: threads 128, shared 32768, sizes [b, s], grid [8*b*floordiv(s + 63, 64)], 64 queries by 64 keys
// CHECK: // attention_mask: threads 128, shared 12288, sizes [b, s], grid [12*b*floordiv(s + 63, 64)]
// CHECK-NOT: call
// CHECK-NOT: .local
// CHECK-LABEL: .visible .entry attention_f16(
// CHECK: .reqntid 128, 1, 1
// CHECK: .minnctapersm 3
// CHECK-DAG: cp.async.cg.shared.global
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK-DAG: ex2.approx.ftz.f32
// CHECK-DAG: max.f32
// CHECK-LABEL: .visible .entry attention_mask(
// CHECK-NOT: cp.async
// CHECK: st.shared.v2.b32
// CHECK-LABEL: .visible .entry attention_causal(
!h = tensor<?x?x512xf16, #model.dims<"b", "s", "512">>
func.func @attention_f16(%q: !h, %k: !h, %v: !h) -> !h
    attributes {gpu_tile = "64x64", plan.kernel = #plan.kernel<attention>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %0 = model.attention %q, %k, %v heads 8 kv_heads 8 scale 0.125 : !h, !h, !h -> !h
  return %0 : !h
}
// Columns of one buffer, as a merged projection leaves them.
!x = tensor<?x?x384xf32, #model.dims<"b", "s", "384">>
!qkv = tensor<?x?x1152xf32, #model.dims<"b", "s", "1152">>
!m = tensor<?x1x1x?xf32, #model.dims<"b", "1", "1", "s">>
func.func @attention_mask(%qkv: !qkv, %m: !m) -> !x
    attributes {gpu_tile = "64x64", plan.kernel = #plan.kernel<attention>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %q = model.slice %qkv ["0", "0", "0"] step [1, 1, 1] : !qkv -> !x
  %k = model.slice %qkv ["0", "0", "384"] step [1, 1, 1] : !qkv -> !x
  %v = model.slice %qkv ["0", "0", "768"] step [1, 1, 1] : !qkv -> !x
  %0 = model.attention %q, %k, %v mask %m heads 12 kv_heads 12 scale 0.176776695 : !x, !x, !x, !m -> !x
  return %0 : !x
}
!d = tensor<?x?x256xf16, #model.dims<"b", "s", "256">>
func.func @attention_causal(%q: !d, %k: !d, %v: !d) -> !d
    attributes {gpu_tile = "64x64", plan.kernel = #plan.kernel<attention>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %0 = model.attention %q, %k, %v heads 2 kv_heads 2 scale 0.0883883476 causal : !d, !d, !d -> !d
  return %0 : !d
}
