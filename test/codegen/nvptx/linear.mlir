// RUN: nvptx-kernels %s | FileCheck %s
// Matrix instructions, swizzled shared memory, copies in the background for operands of f16; f32 is rounded on its way.

// CHECK: // linear_f32: threads {{[0-9]+}}, shared {{[0-9]+}}, sizes [s], grid [{{.*}}], {{[0-9]+ x [0-9]+ x 32, [0-9]+ warps of .* stages, [0-9]+ groups? a processor}}
// CHECK: // linear_f16: threads 128, shared 49152, sizes [s], grid [32*floordiv(s + 127, 128)], 128 x 128 x 32, 4 warps of 64 x 64, 3 stages
// CHECK: .extern .shared .align 128 .b8 tamis_shared[];
// CHECK-NOT: call
// CHECK-NOT: .local
// CHECK-LABEL: .visible .entry linear_f32(
// CHECK-NOT: cp.async
// CHECK: ld.global.nc.v4
// CHECK: cvt.rn.f16x2.f32
// CHECK: st.shared.v2.b32
// CHECK: ldmatrix.sync.aligned.m8n8.x4.shared.b16
// CHECK: ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16
// CHECK: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK: st.global.v2
// CHECK-LABEL: .visible .entry linear_f16(
// CHECK-DAG: cp.async.cg.shared.global
// CHECK-DAG: cp.async.wait_group 1;
// CHECK-DAG: bar.sync 0;
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK-DAG: st.global.b32
!x = tensor<?x384xf32, #model.dims<"s", "384">>
!y = tensor<?x1536xf32, #model.dims<"s", "1536">>
func.func @linear_f32(%x: !x, %w: tensor<384x1536xf32>, %b: tensor<1536xf32>, %r: !y) -> !y
    attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 1, 16384>]} {
  %0 = model.linear %x, %w bias %b : !x, tensor<384x1536xf32>, tensor<1536xf32> -> !y
  %1 = model.activation gelu %0 : !y
  %2 = model.elementwise add %1, %r : (!y, !y) -> !y
  return %2 : !y
}
!h = tensor<?x4096xf16, #model.dims<"s", "4096">>
func.func @linear_f16(%x: !h, %w: tensor<4096x4096xf16>) -> !h
    attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"s", 4096, 8192>]} {
  %0 = model.linear %x, %w : !h, tensor<4096x4096xf16> -> !h
  return %0 : !h
}
