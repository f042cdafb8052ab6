// RUN: nvptx-kernels %s | FileCheck %s
// RUN: nvptx-kernels %s sm_90a | FileCheck %s --check-prefix=GROUPS
// Integers: products of bytes with sums of i32, and weights that stay packed in memory and become f16 in registers.

// CHECK: // bytes: threads 128, shared 32256, {{.*}}, 64 x 96 x 64, 4 warps of 32 x 48, 3 stages, bytes
// CHECK: // packed: {{.*}} 2 stages
// CHECK: // table: {{.*}} one row a warp
// CHECK: // rows: {{.*}} one row a warp
// CHECK-NOT: call
// CHECK-LABEL: .visible .entry bytes(
// CHECK-DAG: cp.async.cg.shared.global
// CHECK-DAG: ldmatrix.sync.aligned.m8n8.x4
// CHECK-DAG: mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32
// CHECK-LABEL: .visible .entry packed(
// CHECK-DAG: ld.global.nc.v4.b32
// CHECK-DAG: cvt.rn.f16x2.f32
// CHECK-DAG: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32
// CHECK-LABEL: .visible .entry table(
// CHECK-LABEL: .visible .entry rows(

// GROUPS-LABEL: .visible .entry bytes(
// GROUPS: mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32
// GROUPS-LABEL: .visible .entry packed(
// GROUPS: wgmma.mma_async.sync.aligned.m64n{{[0-9]+}}k16.f32.f16.f16
!x = tensor<?x384xui8, #model.dims<"n", "384">>
!z = tensor<?x1xui8, #model.dims<"n", "1">>
!u = tensor<?x1xf32, #model.dims<"n", "1">>
!i = tensor<?x1536xi32, #model.dims<"n", "1536">>
!f = tensor<?x1536xf32, #model.dims<"n", "1536">>
func.func @bytes(%x: !x, %w: tensor<384x1536xi8>, %zx: !z, %u: !u, %c: tensor<1536xf32>) -> !f
    attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"n", 0, 4096>]} {
  %0 = model.integer_linear %x, %w input_zero_point %zx : !x, tensor<384x1536xi8>, !z -> !i
  %1 = model.cast %0 : !i -> !f
  %2 = model.elementwise mul %1, %u : (!f, !u) -> !f
  %3 = model.elementwise mul %2, %c : (!f, tensor<1536xf32>) -> !f
  %4 = model.activation gelu %3 : !f
  return %4 : !f
}
!y = tensor<?x384xf32, #model.dims<"n", "384">>
func.func @packed(%x: !y, %q: tensor<1536x384xui4>, %s: tensor<1536x12xf16>, %m: tensor<1536x12xf16>) -> !f
    attributes {plan.kernel = #plan.kernel<linear>, model.symbols = [#model.symbol<"n", 0, 4096>]} {
  %w = model.dequantize %q scale %s minimum %m block 32 along 1 : tensor<1536x384xui4>, tensor<1536x12xf16> minimum tensor<1536x12xf16> -> tensor<1536x384xf32>
  %0 = model.linear %x, %w transposed : !y, tensor<1536x384xf32> -> !f
  return %0 : !f
}
!d = tensor<?xi64, #model.dims<"n">>
func.func @table(%q: tensor<30522x384xi4>, %s: tensor<30522x12xf16>, %ids: !d) -> !y
    attributes {plan.kernel = #plan.kernel<lookup>, model.symbols = [#model.symbol<"n", 0, 4096>]} {
  %w = model.dequantize %q scale %s block 32 along 1 : tensor<30522x384xi4>, tensor<30522x12xf16> -> tensor<30522x384xf32>
  %0 = model.embedding %w, %ids : tensor<30522x384xf32>, !d -> !y
  return %0 : !y
}
func.func @rows(%x: !y, %g: tensor<384xf32>) -> (!x, !u, !z)
    attributes {plan.kernel = #plan.kernel<rows>, model.symbols = [#model.symbol<"n", 0, 4096>]} {
  %0 = model.norm layer %x scale %g axis 1 epsilon 1.0e-5 : !y, tensor<384xf32> -> !y
  %q, %u, %z = model.quantize_rows %0 : !y -> !x, !u, !z
  return %q, %u, %z : !x, !u, !z
}
