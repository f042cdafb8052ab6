// RUN: nvptx-kernels %s | FileCheck %s
// Attention over an index of blocks: the blocks of a row are walked; an item that is not there ends the launch.

// CHECK: // blocks_f16: threads 128, shared 32768, sizes [b, s], grid [8*b*floordiv(s + 63, 64)], 64 queries by 64 keys
// CHECK-NOT: call
// CHECK-NOT: .local
// CHECK-LABEL: .visible .entry blocks_f16(
// CHECK-DAG: ld.global.nc
// CHECK-DAG: trap;
// CHECK-DAG: cp.async.cg.shared.global
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK-LABEL: .visible .entry bands_and_tokens(
// CHECK-DAG: {{bar.red.or.pred|barrier.cta.red.or}}
// CHECK-DAG: shfl.sync.idx.b32
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
!h = tensor<?x?x512xf16, #model.dims<"b", "s", "512">>
!t = tensor<?x8x?x?xi32, #model.dims<"b", "8", "floordiv(s + 63, 64)", "floordiv(s + 63, 64) + 1">>
!i = !sattn.index<64 x 64 block, shape["b", "8", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "floordiv(s + 63, 64)">
func.func @blocks_f16(%q: !h, %k: !h, %v: !h, %t: !t) -> !h
    attributes {plan.kernel = #plan.kernel<sparse_attention>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %i = sattn.load_index %t : !t -> !i
  %0 = sattn.attend %q, %k, %v over %i heads 8 kv_heads 8 scale 0.125 : !h, !h, !h, over !i -> !h
  return %0 : !h
}
// Own blocks, and tokens that all queries of a head read.
!w = !sattn.index<64 x 64 block, shape["1", "1", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "1">
!g = !sattn.index<0 x 1 token, shape["b", "8", "1"], items "s", capacity "min(16, s)">
!u = tensor<?x8x1x?xi32, #model.dims<"b", "8", "1", "min(16, s) + 1">>
!p = !sattn.partial<["b", "8", "s", "64"]>
!f = tensor<?x?x512xf32, #model.dims<"b", "s", "512">>
!r = tensor<?x8x?x65xf32, #model.dims<"b", "8", "s", "65">>
func.func @bands_and_tokens(%q: !f, %k: !f, %v: !f, %u: !u) -> !r
    attributes {plan.kernel = #plan.kernel<sparse_attention>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %w = sattn.bands before 0 after 0 sinks 0 queries "s" keys "s" : !w
  %g = sattn.load_index %u : !u -> !g
  %0 = sattn.attend %q, %k, %v over %w, %g heads 8 kv_heads 8 scale 0.125 : !f, !f, !f, over !w, !g -> !p
  %1 = sattn.store_partial %0 : !p -> !r
  return %1 : !r
}
