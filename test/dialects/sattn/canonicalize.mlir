// RUN: tamis-opt %s -canonicalize | FileCheck %s

!index = !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
!kept = !sattn.index<16 x 16 block, shape ["1", "12", "4"], items "4", capacity "2">

// CHECK-LABEL: func.func @load_what_was_stored
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: return %[[I]]
func.func @load_what_was_stored(%i: !index) -> !index {
  %t = sattn.store_index %i : !index -> tensor<1x12x4x3xi32>
  %j = sattn.load_index %t : tensor<1x12x4x3xi32> -> !index
  return %j : !index
}

// The same tensor, read as another index.
// CHECK-LABEL: func.func @load_as_another
// CHECK: sattn.store_index
// CHECK: sattn.load_index
func.func @load_as_another(%i: !index) -> !kept {
  %t = sattn.store_index %i : !index -> tensor<1x12x4x3xi32>
  %j = sattn.load_index %t : tensor<1x12x4x3xi32> -> !kept
  return %j : !kept
}
