// RUN: nvptx-kernels %s | FileCheck %s
// Selections: a warp a row, which needs no barrier of the work group; scores of f32 in the order of columns; ranks in
// shared memory as far as they have room there.

// CHECK: // top_k: threads 128, shared 9728, sizes [b, s], grid [floordiv(12*b*s + 3, 4)], one row a warp, 4 warps, 576 ranks at most
// CHECK: // long: threads 128, shared 66048, {{.*}}, 4096 ranks in shared memory
// CHECK: // blocks: threads 128, shared {{[0-9]+}}, {{.*}} one row a warp, 4 warps, 96 ranks at most
// Diagonals are found once a head, whose rows its warp writes.
// CHECK: // diagonals: {{.*}}grid [floordiv(12*b + 1, 2)], one head a warp
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
// CHECK-LABEL: .visible .entry blocks(
// CHECK-LABEL: .visible .entry diagonals(
// CHECK: red.shared.or.b32
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
!qs = tensor<?x12x?x512xf32, #model.dims<"b", "12", "floordiv(s + 15, 16)", "512">>
!cs = tensor<?x12x?x?xf32, #model.dims<"b", "12", "floordiv(s + 15, 16)", "floordiv(s + 15, 16)">>
!ws = tensor<?x12x?x?xf32, #model.dims<"b", "12", "floordiv(s + 127, 128)", "floordiv(s + 127, 128)">>
!bi = !sattn.index<128 x 128 block, shape ["b", "12", "floordiv(s + 127, 128)"], items "floordiv(s + 127, 128)", capacity "floordiv(s + 127, 128)">
!bt = tensor<?x12x?x?xi32, #model.dims<"b", "12", "floordiv(s + 127, 128)", "floordiv(s + 127, 128) + 1">>
func.func @blocks(%q: !x, %k: !x, %m: !m) -> !bt
    attributes {plan.kernel = #plan.kernel<select>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 512>]} {
  %qs = sattn.summarize stack_reversed %q mask %m heads 12 width 16 : !x, !m -> !qs
  %ks = sattn.summarize stack %k mask %m heads 12 width 16 : !x, !m -> !qs
  %s = sattn.score %qs, %ks heads 12 kv_heads 12 : !qs, !qs -> !cs
  %w = sattn.weigh blocks %s mask %m scale 0.01 width 16 rows 8 columns 8 queries "s" keys "s" : !cs mask !m -> !ws
  %i = sattn.select #sattn.budget<share 0.9> %w mask %m queries "s" keys "s" sinks 1 local 1 : !ws mask !m -> !bi
  %t = sattn.store_index %i : !bi -> !bt
  return %t : !bt
}
!ls = tensor<?x64x384xf32, #model.dims<"b", "64", "384">>
!ss = tensor<?x12x64x?xf32, #model.dims<"b", "12", "64", "s">>
!ds = tensor<?x12x1x?xf32, #model.dims<"b", "12", "1", "s">>
!di = !sattn.index<0 x 1 token, shape ["b", "12", "1"], items "s", capacity "min(100, s)">
!vi = !sattn.index<64 x 64 block, shape ["b", "12", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "floordiv(s + 63, 64)">
!vt = tensor<?x12x?x?xi32, #model.dims<"b", "12", "floordiv(s + 63, 64)", "floordiv(s + 63, 64) + 1">>
func.func @diagonals(%q: !ls, %k: !x) -> !vt
    attributes {plan.kernel = #plan.kernel<select>, model.symbols = [#model.symbol<"b", 0, 32>, #model.symbol<"s", 0, 65536>]} {
  %s = sattn.score %q, %k heads 12 kv_heads 12 : !ls, !x -> !ss
  %w = sattn.weigh diagonals %s scale 0.2 width 1 rows 0 columns 1 queries "64" keys "s" causal : !ss -> !ds
  %i = sattn.select #sattn.budget<count 100.0> %w queries "s" keys "s" sinks 30 : !ds -> !di
  %d = sattn.diagonals %i queries "s" keys "s" : !di -> !vi
  %t = sattn.store_index %d : !vi -> !vt
  return %t : !vt
}
