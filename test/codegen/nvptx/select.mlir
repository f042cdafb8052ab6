// RUN: nvptx-kernels %s | FileCheck %s
// Selections: a warp a row, which needs no barrier of the work group; scores of f32 in the order of columns; ranks in
// shared memory as far as they have room there.

// CHECK: // top_k: threads 128, shared 9728, sizes [b, s], grid [floordiv(12*b*s + 3, 4)], one row a warp, 4 warps, 576 ranks at most
// CHECK: // long: threads 128, shared 66048, {{.*}}, 4096 ranks in shared memory
// CHECK-NOT: call
// CHECK-NOT: .local
// CHECK-NOT: bar.sync
// CHECK-LABEL: .visible .entry top_k(
// CHECK-DAG: bar.warp.sync
// CHECK-DAG: ld.global.nc.v4
// CHECK-DAG: fma.rn.f32
// CHECK-DAG: redux.sync.min.s32
// CHECK-DAG: vote.sync.ballot.b32
// CHECK-DAG: popc.b32
// CHECK-LABEL: .visible .entry long(
!x = tensor<?x?x384xf32, #model.dims<"b", "s", "384">>
!m = tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
!s = tensor<?x12x?x?xf32, #model.dims<"b", "12", "s", "s">>
!i = !sattn.index<1 x 1 token, shape ["b", "12", "s"], items "s", capacity "min(32, s)">
!t = tensor<?x12x?x?xi32, #model.dims<"b", "12", "s", "min(32, s) + 1">>
func.func @top_k(%q: !x, %k: !x, %m: !m) -> !t
    attributes {plan.kernel = #plan.kernel<select>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %s = sattn.score %q, %k heads 12 kv_heads 12 : !x, !x -> !s
  %i = sattn.select #sattn.budget<count 32.0> %s mask %m queries "s" keys "s" : !s mask !m -> !i
  %t = sattn.store_index %i : !i -> !t
  return %t : !t
}
func.func @long(%q: !x, %k: !x, %m: !m) -> !t
    attributes {plan.kernel = #plan.kernel<select>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 65536>]} {
  %s = sattn.score %q, %k heads 12 kv_heads 12 : !x, !x -> !s
  %i = sattn.select #sattn.budget<count 32.0> %s mask %m queries "s" keys "s" : !s mask !m -> !i
  %t = sattn.store_index %i : !i -> !t
  return %t : !t
}
