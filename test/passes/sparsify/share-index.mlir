// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="@%S/Inputs/share.json"},tamis-lower-selection,tamis-share-index,canonicalize))' | FileCheck %s

!x = tensor<?x?x8xf32, #model.dims<"b", "s", "8">>

// Both later layers read what the first selects, each of their heads from the same head of it.
// CHECK-LABEL: func.func @main
// CHECK: sattn.score
// CHECK: %[[I:.*]] = sattn.select
// CHECK: %[[A:.*]] = sattn.attend %{{.*}} over %[[I]]
// CHECK-NOT: sattn.shares_index_of
// CHECK: %[[W:.*]] = sattn.bands before 1
// CHECK: sattn.attend %{{.*}} over %[[W]]
// CHECK-NOT: sattn.{{score|select|bands|selects_for}}
// CHECK: sattn.attend %{{.*}} over %[[I]]
// CHECK: sattn.attend %{{.*}} over %[[W]]
// CHECK: sattn.attend %{{.*}} over %[[I]]
// CHECK: sattn.attend %{{.*}} over %[[W]]
func.func @main(%x: !x) -> !x {
  %0 = model.attention %x, %x, %x heads 2 kv_heads 2 scale 0.5 : !x, !x, !x -> !x
  %1 = model.attention %0, %0, %0 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x -> !x
  %2 = model.attention %1, %1, %1 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x -> !x
  return %2 : !x
}
