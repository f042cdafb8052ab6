// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="top_k(k=3)"},tamis-lower-selection,cse,tamis-store-indices))' | FileCheck %s
// The phase's order: attentions of the same queries and keys select once, and both load what is stored.

!x = tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
!m = tensor<?x1x1x?xf32, #model.dims<"b", "1", "1", "s">>

// CHECK-LABEL: func.func @two_values
// CHECK: sattn.score
// CHECK: %[[I:.*]] = sattn.select
// CHECK: %[[T:.*]] = sattn.store_index %[[I]]
// CHECK-NOT: sattn.{{score|select|store_index}}
// CHECK: %[[A:.*]] = sattn.load_index %[[T]]
// CHECK-NEXT: %[[O:.*]] = sattn.attend %{{.*}} over %[[A]]
// CHECK-NOT: sattn.{{score|select|store_index}}
// CHECK: %[[B:.*]] = sattn.load_index %[[T]]
// CHECK-NEXT: %[[P:.*]] = sattn.attend %{{.*}} over %[[B]]
// CHECK-NEXT: return %[[O]], %[[P]]
func.func @two_values(%q: !x, %k: !x, %v: !x, %w: !x, %m: !m) -> (!x, !x) {
  %o = model.attention %q, %k, %v mask %m heads 2 kv_heads 2 scale 0.5 causal : !x, !x, !x, !m -> !x
  %p = model.attention %q, %k, %w mask %m heads 2 kv_heads 2 scale 0.5 causal : !x, !x, !x, !m -> !x
  return %o, %p : !x, !x
}

// Other queries select for themselves.
// CHECK-LABEL: func.func @two_queries
// CHECK-COUNT-2: sattn.store_index
func.func @two_queries(%q: !x, %r: !x, %k: !x) -> (!x, !x) {
  %o = model.attention %q, %k, %k heads 2 kv_heads 2 scale 0.5 : !x, !x, !x -> !x
  %p = model.attention %r, %k, %k heads 2 kv_heads 2 scale 0.5 : !x, !x, !x -> !x
  return %o, %p : !x, !x
}
