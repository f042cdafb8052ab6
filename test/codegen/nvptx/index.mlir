// RUN: nvptx-kernels %s | FileCheck %s
// Indices made of others: a warp a row of the result, whose items are gathered as bits of shared memory, two sets of
// them where indices are intersected.

// CHECK: // intersect: threads 128, shared 512, sizes [b, s], grid [floordiv(12*b*floordiv(s + 63, 64) + 3, 4)], one row a warp, 4 warps
// CHECK: // transpose: threads 128, shared 256
// CHECK-NOT: call
// CHECK-NOT: .local
// CHECK-NOT: bar.sync
// CHECK-LABEL: .visible .entry intersect(
// CHECK-DAG: red.shared.or.b32
// CHECK-DAG: bar.warp.sync
// CHECK-DAG: vote.sync.ballot.b32
// CHECK-DAG: trap
// CHECK-LABEL: .visible .entry transpose(
!i = !sattn.index<64 x 64 block, shape ["b", "12", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "floordiv(s + 63, 64)">
!t = tensor<?x12x?x?xi32, #model.dims<"b", "12", "floordiv(s + 63, 64)", "floordiv(s + 63, 64) + 1">>
func.func @intersect(%a: !t, %c: !t) -> !t
    attributes {plan.kernel = #plan.kernel<index>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 32768>]} {
  %i = sattn.load_index %a : !t -> !i
  %j = sattn.load_index %c : !t -> !i
  %k = sattn.intersect %i, %j : !i, !i -> !i
  %r = sattn.store_index %k : !i -> !t
  return %r : !t
}
func.func @transpose(%a: !t) -> !t
    attributes {plan.kernel = #plan.kernel<index>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 32768>]} {
  %i = sattn.load_index %a : !t -> !i
  %k = sattn.transpose %i : !i -> !i
  %r = sattn.store_index %k : !i -> !t
  return %r : !t
}
