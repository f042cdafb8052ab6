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

!some = !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "3">
!all = !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "8", capacity "8">

// CHECK-LABEL: func.func @compact_what_was_expanded
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x8x4xf32>
// CHECK: %[[C:.*]] = sattn.compact %[[X]]
// CHECK-NEXT: return %[[C]]
func.func @compact_what_was_expanded(%x: tensor<2x8x4xf32>, %i: !some) -> tensor<2x3x4xf32> {
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !some -> tensor<2x3x4xf32>
  %e = sattn.expand %c by %i : tensor<2x3x4xf32>, !some -> tensor<2x8x4xf32>
  %d = sattn.compact %e by %i : tensor<2x8x4xf32>, !some -> tensor<2x3x4xf32>
  return %d : tensor<2x3x4xf32>
}

// What lies behind the items of an argument may be anything, and would be zero afterwards.
// CHECK-LABEL: func.func @compact_an_expanded_argument
// CHECK: sattn.expand
// CHECK: sattn.compact
func.func @compact_an_expanded_argument(%c: tensor<2x3x4xf32>, %i: !some) -> tensor<2x3x4xf32> {
  %e = sattn.expand %c by %i : tensor<2x3x4xf32>, !some -> tensor<2x8x4xf32>
  %d = sattn.compact %e by %i : tensor<2x8x4xf32>, !some -> tensor<2x3x4xf32>
  return %d : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @expand_twice
// CHECK: %[[E:.*]] = sattn.expand
// CHECK-NEXT: return %[[E]]
func.func @expand_twice(%c: tensor<2x3x4xf32>, %i: !some) -> tensor<2x8x4xf32> {
  %e = sattn.expand %c by %i : tensor<2x3x4xf32>, !some -> tensor<2x8x4xf32>
  %d = sattn.compact %e by %i : tensor<2x8x4xf32>, !some -> tensor<2x3x4xf32>
  %f = sattn.expand %d by %i : tensor<2x3x4xf32>, !some -> tensor<2x8x4xf32>
  return %f : tensor<2x8x4xf32>
}

// CHECK-LABEL: func.func @expand_by_another
// CHECK-COUNT-2: sattn.expand
func.func @expand_by_another(%c: tensor<2x3x4xf32>, %i: !some, %j: !some) -> tensor<2x8x4xf32> {
  %e = sattn.expand %c by %i : tensor<2x3x4xf32>, !some -> tensor<2x8x4xf32>
  %d = sattn.compact %e by %j : tensor<2x8x4xf32>, !some -> tensor<2x3x4xf32>
  %f = sattn.expand %d by %j : tensor<2x3x4xf32>, !some -> tensor<2x8x4xf32>
  return %f : tensor<2x8x4xf32>
}

// CHECK-LABEL: func.func @compact_all
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<2x8x4xf32>
// CHECK-NEXT: return %[[X]], %[[X]]
func.func @compact_all(%x: tensor<2x8x4xf32>, %s: tensor<2x1x1x8xf32>) -> (tensor<2x8x4xf32>, tensor<2x8x4xf32>) {
  %i = sattn.select #sattn.budget<fraction 1.0> %s queries "8" keys "8" : tensor<2x1x1x8xf32> -> !all
  %j = sattn.select #sattn.budget<count 9.0> %s queries "8" keys "8" : tensor<2x1x1x8xf32> -> !all
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !all -> tensor<2x8x4xf32>
  %e = sattn.expand %x by %j : tensor<2x8x4xf32>, !all -> tensor<2x8x4xf32>
  return %c, %e : tensor<2x8x4xf32>, tensor<2x8x4xf32>
}

// Room for all, and fewer in it.
// CHECK-LABEL: func.func @compact_not_all
// CHECK-COUNT-3: sattn.compact
func.func @compact_not_all(%x: tensor<2x8x4xf32>, %s: tensor<2x1x1x8xf32>, %m: tensor<2x1x1x8xi1>) -> (tensor<2x8x4xf32>, tensor<2x8x4xf32>, tensor<2x8x4xf32>) {
  %i = sattn.select #sattn.budget<fraction 1.0> %s mask %m queries "8" keys "8" : tensor<2x1x1x8xf32> mask tensor<2x1x1x8xi1> -> !all
  %j = sattn.select #sattn.budget<fraction 0.9> %s queries "8" keys "8" : tensor<2x1x1x8xf32> -> !all
  %k = sattn.select #sattn.budget<count 7.0> %s queries "8" keys "8" : tensor<2x1x1x8xf32> -> !all
  %c = sattn.compact %x by %i : tensor<2x8x4xf32>, !all -> tensor<2x8x4xf32>
  %d = sattn.compact %x by %j : tensor<2x8x4xf32>, !all -> tensor<2x8x4xf32>
  %e = sattn.compact %x by %k : tensor<2x8x4xf32>, !all -> tensor<2x8x4xf32>
  return %c, %d, %e : tensor<2x8x4xf32>, tensor<2x8x4xf32>, tensor<2x8x4xf32>
}
