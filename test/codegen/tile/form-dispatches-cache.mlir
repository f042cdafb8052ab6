// RUN: tamis-opt %s -tamis-form-dispatches -tamis-place-buffers | FileCheck %s
// Pools are inputs that a dispatch writes in place: no result of the program, and no slot of the arena. Attention is in
// parts that are merged.

!pool = tensor<?x2x16x16xf32, #model.dims<"pages", "2", "16", "16">>
!rows = tensor<?x96xf32, #model.dims<"tokens", "96">>
!key = tensor<?x32xf32, #model.dims<"tokens", "32">>
!query = tensor<?x64xf32, #model.dims<"tokens", "64">>
!table = tensor<?x?xi32, #model.dims<"texts", "places">>
!numbers = tensor<?xi32, #model.dims<"tokens">>

// A value is read as columns of the rows it is cut from.
// CHECK-LABEL: func.func @cache_append(
// CHECK-SAME: #plan.kernel<cache>
// CHECK: model.slice
// CHECK: cache.append

// CHECK-LABEL: func.func @cache_attend(
// CHECK: cache.attend {{.*}} -> tensor<?x?x4x17xf32, #model.dims<"tokens", "{{.*}}floordiv(16*places, 256){{.*}}", "4", "17">>

// CHECK-LABEL: func.func @main
// CHECK-SAME: {model.name = "keys.0", plan.state}
// CHECK-SAME: {model.name = "values.0", plan.state}
// CHECK-SAME: -> (tensor<?x64xf32, #model.dims<"tokens", "64">> {model.name = "out"})
// CHECK: %[[KV:.*]]:2 = plan.dispatch @cache_append(%{{.*}}, %{{.*}}, %{{.*}}) {{.*}} slots [0, 0] in_place [1, 2]
// CHECK: %[[P:.*]] = plan.dispatch @cache_attend(%{{.*}}, %[[KV]]#0, %[[KV]]#1
// CHECK: plan.dispatch @cache_merge(%[[P]])
func.func @main(%q: !query {model.name = "q"}, %x: !rows {model.name = "x"}, %k: !pool {model.name = "keys.0"},
                %v: !pool {model.name = "values.0"}, %table: !table {model.name = "table"},
                %texts: !numbers {model.name = "texts"}, %at: !numbers {model.name = "positions"})
    -> (!query {model.name = "out"}, !pool {model.name = "keys.0", cache.state = "keys.0"},
        !pool {model.name = "values.0", cache.state = "values.0"})
    attributes {model.symbols = [#model.symbol<"tokens", 1, 64>, #model.symbol<"pages", 1, 64>,
                                 #model.symbol<"texts", 1, 64>, #model.symbol<"places", 1, 64>]} {
  %key = model.slice %x ["0", "0"] step [1, 1] : !rows -> !key
  %value = model.slice %x ["0", "64"] step [1, 1] : !rows -> !key
  %k1, %v1 = cache.append pools(%k, %v) rows(%key, %value) at(%table, %texts, %at)
      : (!pool, !pool), !key, !key, !table, !numbers, !numbers -> !pool, !pool
  %o = cache.attend %q pools(%k1, %v1) at(%table, %texts, %at) heads 4 scale 0.25
      : !query, (!pool, !pool), !table, !numbers, !numbers -> !query
  return %o, %k1, %v1 : !query, !pool, !pool
}
