// RUN: nvptx-kernels %s | FileCheck %s
// A warp's own work: linear attention with its state in registers, merged rows, tokens that are copied.

// CHECK: // linear_attention: threads 32, shared 128, sizes [b, s], grid [12*b], 32 columns of a head's values a warp
// CHECK: // merge: threads 128, shared 0, sizes [b, s], grid [floordiv(12*b*s + 3, 4)], one row a warp
// CHECK: // expand: threads 128, shared 0, sizes [b, s], grid [floordiv(b*s + 3, 4)], one token a warp
// CHECK-NOT: call
// CHECK-NOT: .local
// CHECK-NOT: bar.sync
// CHECK-LABEL: .visible .entry linear_attention(
// CHECK-DAG: bar.warp.sync
// CHECK-DAG: ld.shared.v4.b32
// CHECK-DAG: fma.rn.f32
// CHECK-LABEL: .visible .entry merge(
// CHECK-LABEL: .visible .entry expand(
// CHECK: trap
!x = tensor<?x?x384xf32, #model.dims<"b", "s", "384">>
func.func @linear_attention(%q: !x, %k: !x, %v: !x) -> !x
    attributes {plan.kernel = #plan.kernel<linear_attention>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %0 = sattn.linear_attend elu1 %q, %k, %v heads 12 kv_heads 12 causal : !x, !x, !x -> !x
  return %0 : !x
}
!p = !sattn.partial<["b", "12", "s", "32"]>
!r = tensor<?x12x?x33xf32, #model.dims<"b", "12", "s", "33">>
func.func @merge(%a: !r, %b: !r) -> !x
    attributes {plan.kernel = #plan.kernel<merge>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %x = sattn.load_partial %a : !r -> !p
  %y = sattn.load_partial %b : !r -> !p
  %0 = sattn.merge %x, %y : !p, !p -> !x
  return %0 : !x
}
!c = tensor<?x39x384xf32, #model.dims<"b", "39", "384">>
!i = !sattn.index<0 x 1 token, shape ["b", "1", "1"], items "s", capacity "39">
!t = tensor<?x1x1x40xi32, #model.dims<"b", "1", "1", "40">>
func.func @expand(%c: !c, %t: !t) -> !x
    attributes {plan.kernel = #plan.kernel<compaction>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %i = sattn.load_index %t : !t -> !i
  %0 = sattn.expand %c by %i : !c, !i -> !x
  return %0 : !x
}
