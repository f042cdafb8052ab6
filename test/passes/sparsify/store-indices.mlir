// RUN: tamis-opt %s -tamis-store-indices | FileCheck %s

!x = tensor<1x256x64xf32>
!s = tensor<1x4x4x256xf32>
!band = !sattn.index<64 x 1 token, shape ["1", "1", "4"], items "256", capacity "64">
!row = !sattn.index<64 x 1 token, shape ["1", "4", "4"], items "256", capacity "2">
!all = !sattn.index<0 x 1 token, shape ["1", "4", "1"], items "256", capacity "8">

// CHECK-LABEL: func.func @selected
// CHECK: %[[I:.*]] = sattn.select
// CHECK-NEXT: %[[T:.*]] = sattn.store_index %[[I]] : {{.*}} -> tensor<1x4x4x3xi32>
// CHECK-NEXT: %[[J:.*]] = sattn.load_index %[[T]] : tensor<1x4x4x3xi32> -> <64 x 1 token, shape["1", "4", "4"], items "256", capacity "2">
// CHECK-NEXT: sattn.attend %{{.*}} over %[[J]]
func.func @selected(%x: !x, %s: !s) -> !x {
  %i = sattn.select #sattn.budget<count 2.0> %s queries "256" keys "256" : !s -> !row
  %o = sattn.attend %x, %x, %x over %i heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  return %o : !x
}

// Stored once, loaded by each reader.
// CHECK-LABEL: func.func @two_readers
// CHECK: %[[T:.*]] = sattn.store_index
// CHECK-NOT: sattn.store_index
// CHECK: %[[J:.*]] = sattn.load_index %[[T]]
// CHECK-NEXT: sattn.attend %{{.*}} over %[[J]]
// CHECK: %[[K:.*]] = sattn.load_index %[[T]]
// CHECK-NEXT: sattn.attend %{{.*}} over %[[K]]
func.func @two_readers(%x: !x, %s: !s) -> !x {
  %i = sattn.select #sattn.budget<count 2.0> %s queries "256" keys "256" : !s -> !row
  %1 = sattn.attend %x, %x, %x over %i heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  %2 = sattn.attend %1, %x, %x over %i heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  return %2 : !x
}

// Selection is one kernel: what it passes on inside is not stored. The closed form is repeated where it is read.
// CHECK-LABEL: func.func @chain
// CHECK: %[[C:.*]] = sattn.bands
// CHECK-NEXT: %[[I:.*]] = sattn.select <count 2.000000e+00> %{{.*}} among %[[C]]
// CHECK-NEXT: %[[A:.*]] = sattn.coarsen %[[I]]
// CHECK-NEXT: %[[T:.*]] = sattn.store_index %[[A]] : {{.*}} -> tensor<1x4x1x9xi32>
// CHECK-DAG: %[[B:.*]] = sattn.bands
// CHECK-DAG: %[[J:.*]] = sattn.load_index %[[T]]
// CHECK: sattn.attend %{{.*}} over %[[B]], %[[J]]
func.func @chain(%x: !x, %s: !s) -> !x {
  %c = sattn.bands before 0 after 0 sinks 0 queries "256" keys "256" : !band
  %i = sattn.select #sattn.budget<count 2.0> %s among %c queries "256" keys "256" : !s, among !band -> !row
  %a = sattn.coarsen %i : !row -> !all
  %o = sattn.attend %x, %x, %x over %c, %a heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !band, !all -> !x
  return %o : !x
}

// Read inside and outside of the selection: the rows are joined from what is stored.
// CHECK-LABEL: func.func @inside_and_outside
// CHECK: %[[I:.*]] = sattn.select
// CHECK: %[[T:.*]] = sattn.store_index %[[I]]
// CHECK: %[[J:.*]] = sattn.load_index %[[T]]
// CHECK-NEXT: sattn.coarsen %[[J]]
func.func @inside_and_outside(%x: !x, %s: !s) -> !x {
  %i = sattn.select #sattn.budget<count 2.0> %s queries "256" keys "256" : !s -> !row
  %a = sattn.coarsen %i : !row -> !all
  %o = sattn.attend %x, %x, %x over %i, %a heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row, !all -> !x
  return %o : !x
}

// What is stored already stays as it is: the phase leaves its own result alone.
// CHECK-LABEL: func.func @stored_already
// CHECK: %[[I:.*]] = sattn.select
// CHECK-NEXT: %[[T:.*]] = sattn.store_index %[[I]]
// CHECK-NEXT: %[[J:.*]] = sattn.load_index %[[T]]
// CHECK-NEXT: sattn.attend %{{.*}} over %[[J]]
func.func @stored_already(%x: !x, %s: !s) -> !x {
  %i = sattn.select #sattn.budget<count 2.0> %s queries "256" keys "256" : !s -> !row
  %t = sattn.store_index %i : !row -> tensor<1x4x4x3xi32>
  %j = sattn.load_index %t : tensor<1x4x4x3xi32> -> !row
  %o = sattn.attend %x, %x, %x over %j heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  return %o : !x
}

// A tensor that is read as such serves the others too, wherever it was written.
// CHECK-LABEL: func.func @stored_for_another
// CHECK: %[[I:.*]] = sattn.select
// CHECK-NEXT: %[[T:.*]] = sattn.store_index %[[I]]
// CHECK-NOT: sattn.store_index
// CHECK: %[[J:.*]] = sattn.load_index %[[T]]
// CHECK-NEXT: sattn.attend %{{.*}} over %[[J]]
// CHECK: return %{{.*}}, %[[T]]
func.func @stored_for_another(%x: !x, %s: !s) -> (!x, tensor<1x4x4x3xi32>) {
  %i = sattn.select #sattn.budget<count 2.0> %s queries "256" keys "256" : !s -> !row
  %o = sattn.attend %x, %x, %x over %i heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  %t = sattn.store_index %i : !row -> tensor<1x4x4x3xi32>
  return %o, %t : !x, tensor<1x4x4x3xi32>
}

// CHECK-LABEL: func.func @unused
// CHECK-NOT: sattn.store_index
// CHECK-NOT: sattn.bands
func.func @unused(%s: !s) {
  %c = sattn.bands before 0 after 0 sinks 0 queries "256" keys "256" : !band
  %i = sattn.select #sattn.budget<count 2.0> %s queries "256" keys "256" : !s -> !row
  return
}

// Two attentions of one layout: each loads it for itself.
// CHECK-LABEL: func.func @loaded_once
// CHECK-COUNT-2: sattn.load_index %{{.*}} : tensor<1x4x4x3xi32>
// CHECK-NOT: sattn.load_index
func.func @loaded_once(%x: !x, %t: tensor<1x4x4x3xi32>) -> (!x, !x) {
  %j = sattn.load_index %t : tensor<1x4x4x3xi32> -> !row
  %a = sattn.attend %x, %x, %x over %j heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  %b = sattn.attend %a, %x, %x over %j heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  return %a, %b : !x, !x
}

// What is made of other indices is stored, too, and reads what is stored.
// CHECK-LABEL: func.func @algebra
// CHECK: %[[T:.*]] = sattn.store_index %{{.*}} : <64 x 1 token, shape["1", "4", "4"], items "256", capacity "2">
// CHECK: %[[B:.*]] = sattn.bands
// CHECK-NEXT: %[[S:.*]] = sattn.share %[[B]] heads [0, 0, 0, 0]
// CHECK-NEXT: %[[U:.*]] = sattn.store_index %[[S]]
// CHECK-DAG: %[[I:.*]] = sattn.load_index %[[T]]
// CHECK-DAG: %[[J:.*]] = sattn.load_index %[[U]]
// CHECK: %[[N:.*]] = sattn.intersect %[[I]], %[[J]]
// CHECK-NEXT: %[[V:.*]] = sattn.store_index %[[N]]
// CHECK-NEXT: %[[K:.*]] = sattn.load_index %[[V]]
// CHECK-NEXT: sattn.attend %{{.*}} over %[[K]]
func.func @algebra(%x: !x, %s: !s) -> !x {
  %i = sattn.select #sattn.budget<count 2.0> %s queries "256" keys "256" : !s -> !row
  %c = sattn.bands before 0 after 0 sinks 0 queries "256" keys "256" : !band
  %d = sattn.share %c heads [0, 0, 0, 0] : !band
      -> !sattn.index<64 x 1 token, shape ["1", "4", "4"], items "256", capacity "64">
  %n = sattn.intersect %i, %d : !row, !sattn.index<64 x 1 token, shape ["1", "4", "4"], items "256", capacity "64"> -> !row
  %o = sattn.attend %x, %x, %x over %n heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !x
  return %o : !x
}

!partial = !sattn.partial<["1", "4", "256", "16"]>

// CHECK-LABEL: func.func @partial_results
// CHECK: %[[P:.*]] = sattn.attend
// CHECK-NEXT: %[[T:.*]] = sattn.store_partial %[[P]] : <["1", "4", "256", "16"]> -> tensor<1x4x256x17xf32>
// CHECK: sattn.load_partial %[[T]]
// CHECK-NEXT: sattn.load_partial %[[T]]
// CHECK-NEXT: sattn.merge
func.func @partial_results(%x: !x, %t: tensor<1x4x4x3xi32>) -> !x {
  %i = sattn.load_index %t : tensor<1x4x4x3xi32> -> !row
  %p = sattn.attend %x, %x, %x over %i heads 4 kv_heads 4 scale 1.0 : !x, !x, !x, over !row -> !partial
  %o = sattn.merge %p, %p : !partial, !partial -> !x
  return %o : !x
}
