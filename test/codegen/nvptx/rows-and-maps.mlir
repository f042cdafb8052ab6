// RUN: nvptx-kernels %s | FileCheck %s
// Kernels without matrices: bare pointers and 64-bit sizes, 32-bit offsets where sizes allow, nothing called, no local
// memory.

// CHECK: // norm: threads 128, shared 0, sizes [b, s], grid [floordiv(b*s + 3, 4)], one row a warp
// CHECK: // gelu: threads 256, shared 0, sizes [b, s], grid [floordiv(384*b*s + 255, 256)], one element a thread
// CHECK-NOT: call
// CHECK-NOT: .local
// CHECK-NOT: .depot

// CHECK-LABEL: .visible .entry norm(
// CHECK-NEXT: .param .u64 .ptr .align 16 norm_param_0,
// CHECK-NEXT: .param .u64 .ptr .align 16 norm_param_1,
// CHECK-NEXT: .param .u64 .ptr .align 16 norm_param_2,
// CHECK-NEXT: .param .u64 .ptr .align 16 norm_param_3,
// CHECK-NEXT: .param .u64 norm_param_4,
// CHECK-NEXT: .param .u64 norm_param_5
// CHECK: .reqntid 128, 1, 1
// CHECK: ld.global.nc
// CHECK: shfl.sync.bfly.b32
// CHECK: sqrt.rn.f32
// CHECK: st.global
// CHECK-LABEL: .visible .entry gelu(
// CHECK-NOT: div.s64
// CHECK: fma.rn.f32
// CHECK-LABEL: .visible .entry lookup(
// CHECK: trap
// CHECK-LABEL: .visible .entry long(
// CHECK: ld.param.b64 {{.*}}, [long_param_2]
!x = tensor<?x?x384xf32, #model.dims<"b", "s", "384">>
!v = tensor<384xf32>
func.func @norm(%x: !x, %s: !v, %b: !v) -> !x
    attributes {plan.kernel = #plan.kernel<rows>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %0 = model.norm layer %x scale %s bias %b axis 2 epsilon 1.0e-12 : !x, !v, !v -> !x
  return %0 : !x
}
func.func @gelu(%x: !x) -> !x
    attributes {plan.kernel = #plan.kernel<map>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %0 = model.activation gelu %x : !x
  return %0 : !x
}
!ids = tensor<?x?xi64, #model.dims<"b", "s">>
func.func @lookup(%ids: !ids, %table: tensor<100x384xf32>) -> !x
    attributes {plan.kernel = #plan.kernel<map>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %0 = model.embedding %table, %ids : tensor<100x384xf32>, !ids -> !x
  return %0 : !x
}
// 2^40 elements: offsets of 64 bits.
!n = tensor<?xf32, #model.dims<"n">>
func.func @long(%x: !n) -> !n attributes {plan.kernel = #plan.kernel<map>, model.symbols = [#model.symbol<"n", 0, 1099511627776>]} {
  %0 = model.activation relu %x : !n
  return %0 : !n
}
