// RUN: nvptx-kernels %s sm_90a | FileCheck %s
// On sm_90a products are those of warp groups: what shared memory holds is fenced for them, and waited for.

// CHECK: // linear_f16: threads 128, shared 98304, sizes [s], grid [32*floordiv(s + 127, 128)], 128 x 128 x 64, 1 warp group, 3 stages
// CHECK: // linear_f32: threads {{[0-9]+}}, shared {{[0-9]+}}, sizes [s], grid [{{.*}}], {{[0-9]+ x [0-9]+ x 64, [0-9]+ warp groups?, 2 stages}}
// CHECK: .target sm_90a
// CHECK: .extern .shared .align 1024 .b8 tamis_shared[];
// CHECK-NOT: mma.sync
// CHECK-LABEL: .visible .entry linear_f16(
// CHECK: cp.async.cg.shared.global
// CHECK: cp.async.wait_group 1;
// CHECK: fence.proxy.async.shared::cta;
// CHECK: bar.sync 0;
// CHECK: wgmma.fence.sync.aligned;
// CHECK-COUNT-8: wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16
// CHECK: wgmma.commit_group.sync.aligned;
// CHECK-LABEL: .visible .entry linear_f32(
// CHECK-NOT: cp.async.cg
// CHECK: st.shared.v2.b32
// CHECK: fence.proxy.async.shared::cta;
// CHECK: wgmma.mma_async.sync.aligned
// CHECK-LABEL: .visible .entry attention_f16(
// CHECK: wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {{{.*}}}, {{{.*}}}, b, 0, 1, 1, 0;
// CHECK: wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 {{{.*}}}, {{{.*}}}, b, 1, 1, 1, 1;
!h = tensor<?x4096xf16, #model.dims<"s", "4096">>
func.func @linear_f16(%x: !h, %w: tensor<4096x4096xf16>) -> !h
    attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 4096, 8192>]} {
  %0 = model.linear %x, %w : !h, tensor<4096x4096xf16> -> !h
  return %0 : !h
}
!x = tensor<?x384xf32, #model.dims<"s", "384">>
!y = tensor<?x1536xf32, #model.dims<"s", "1536">>
func.func @linear_f32(%x: !x, %w: tensor<384x1536xf32>, %b: tensor<1536xf32>, %r: !y) -> !y
    attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 1, 16384>]} {
  %0 = model.linear %x, %w bias %b : !x, tensor<384x1536xf32>, tensor<1536xf32> -> !y
  %1 = model.activation gelu %0 : !y
  %2 = model.elementwise add %1, %r : (!y, !y) -> !y
  return %2 : !y
}
!a = tensor<?x?x512xf16, #model.dims<"b", "s", "512">>
func.func @attention_f16(%q: !a, %k: !a, %v: !a) -> !a
    attributes {plan.kernel = #plan.kernel<attention>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %0 = model.attention %q, %k, %v heads 8 kv_heads 8 scale 0.125 : !a, !a, !a -> !a
  return %0 : !a
}
