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

!i4 = !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "4">
!one = !sattn.index<64 x 64 block, shape ["1", "1", "4"], items "4", capacity "4">
!three = !sattn.index<64 x 64 block, shape ["1", "3", "4"], items "4", capacity "4">
!six = !sattn.index<64 x 64 block, shape ["1", "6", "4"], items "4", capacity "4">

// CHECK-LABEL: func.func @union_of_one
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: return %[[I]]
func.func @union_of_one(%i: !index) -> !index {
  %u = sattn.union %i, %i : !index, !index -> !index
  return %u : !index
}

// The capacity of the result stays.
// CHECK-LABEL: func.func @union_of_equal_ones
// CHECK-NEXT: sattn.union %{{[a-z0-9]+}} :
func.func @union_of_equal_ones(%i: !index) -> !i4 {
  %u = sattn.union %i, %i : !index, !index -> !i4
  return %u : !i4
}

// CHECK-LABEL: func.func @union_of_unions
// CHECK-SAME: %[[I:[a-z0-9]+]]: !sattn.index{{.*}}, %[[J:[a-z0-9]+]]: !sattn.index
// CHECK-NEXT: %[[U:.*]] = sattn.union %[[I]], %[[J]] :
// CHECK-NEXT: return %[[U]]
func.func @union_of_unions(%i: !index, %j: !index) -> !i4 {
  %u = sattn.union %i, %j : !index, !index -> !i4
  %v = sattn.union %u, %j : !i4, !index -> !i4
  return %v : !i4
}

// CHECK-LABEL: func.func @union_with_all
// CHECK-NEXT: %[[A:.*]] = sattn.bands
// CHECK-NEXT: return %[[A]]
func.func @union_with_all(%i: !one) -> !one {
  %all = sattn.bands before 0 after 0 sinks 4 queries "256" keys "256" : !one
  %u = sattn.union %i, %all : !one, !one -> !one
  return %u : !one
}

// CHECK-LABEL: func.func @intersect_with_all
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: return %[[I]]
func.func @intersect_with_all(%i: !one) -> !one {
  %all = sattn.bands before 0 after 0 sinks 4 queries "256" keys "256" : !one
  %u = sattn.intersect %all, %i : !one, !one -> !one
  return %u : !one
}

// Three of four items are not all.
// CHECK-LABEL: func.func @intersect_with_some
// CHECK: sattn.intersect %{{.*}}, %{{.*}} :
func.func @intersect_with_some(%i: !one) -> !one {
  %some = sattn.bands before 9 after 9 sinks 3 queries "256" keys "256" : !one
  %u = sattn.intersect %some, %i : !one, !one -> !one
  return %u : !one
}

// CHECK-LABEL: func.func @refine_of_refine
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: sattn.refine %[[I]] keys "256" : <64 x 64 block, {{.*}} -> <64 x 1 token,
// CHECK-NEXT: return
func.func @refine_of_refine(%i: !index) -> !sattn.index<64 x 1 token, shape ["1", "12", "4"], items "256", capacity "128"> {
  %r = sattn.refine %i keys "256" : !index
      -> !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">
  %t = sattn.refine %r keys "256" : !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">
      -> !sattn.index<64 x 1 token, shape ["1", "12", "4"], items "256", capacity "128">
  return %t : !sattn.index<64 x 1 token, shape ["1", "12", "4"], items "256", capacity "128">
}

// CHECK-LABEL: func.func @same_items
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: return %[[I]], %[[I]], %[[I]]
func.func @same_items(%i: !one) -> (!one, !one, !one) {
  %r = sattn.refine %i keys "256" : !one -> !one
  %c = sattn.coarsen %i : !one -> !one
  %s = sattn.share %i heads [0] : !one -> !one
  return %r, %c, %s : !one, !one, !one
}

// CHECK-LABEL: func.func @coarsen_of_coarsen
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: sattn.coarsen %[[I]] keys "256" : <64 x 64 block, {{.*}} -> <0 x 128 block,
// CHECK-NEXT: return
func.func @coarsen_of_coarsen(%i: !index) -> !sattn.index<0 x 128 block, shape ["1", "12", "1"], items "2", capacity "2"> {
  %c = sattn.coarsen %i keys "256" : !index
      -> !sattn.index<128 x 128 block, shape ["1", "12", "2"], items "2", capacity "2">
  %d = sattn.coarsen %c : !sattn.index<128 x 128 block, shape ["1", "12", "2"], items "2", capacity "2">
      -> !sattn.index<0 x 128 block, shape ["1", "12", "1"], items "2", capacity "2">
  return %d : !sattn.index<0 x 128 block, shape ["1", "12", "1"], items "2", capacity "2">
}

// CHECK-LABEL: func.func @transpose_of_transpose
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: return %[[I]]
func.func @transpose_of_transpose(%i: !i4) -> !i4 {
  %t = sattn.transpose %i : !i4 -> !i4
  %u = sattn.transpose %t : !i4 -> !i4
  return %u : !i4
}

// CHECK-LABEL: func.func @share_of_share
// CHECK-SAME: %[[I:.*]]: !sattn.index
// CHECK-NEXT: sattn.share %[[I]] heads [2, 1, 0, 1, 0, 1] :
// CHECK-NEXT: return
func.func @share_of_share(%i: !three) -> !six {
  %s = sattn.share %i heads [1, 0, 2] : !three -> !three
  %t = sattn.share %s heads [2, 0, 1, 0, 1, 0] : !three -> !six
  return %t : !six
}

!tokens = tensor<1x256x384xf32>
!partial = !sattn.partial<["1", "12", "256", "32"]>

// What attend does by itself: unions, groups of heads, items of any size.
// CHECK-LABEL: func.func @attend_over_union
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor{{.*}}, %[[I:[a-z0-9]+]]: !sattn.index{{.*}}, %[[J:[a-z0-9]+]]: !sattn.index{{.*}}, %[[K:[a-z0-9]+]]: !sattn.index
// CHECK-NEXT: %[[O:.*]] = sattn.attend %[[X]], %[[X]], %[[X]] over %[[I]], %[[J]], %[[K]] heads
// CHECK-NEXT: return %[[O]]
func.func @attend_over_union(%x: !tokens, %i: !index, %j: !index, %k: !three) -> !tokens {
  %u = sattn.union %i, %j : !index, !index -> !i4
  %r = sattn.refine %j keys "256" : !index -> !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">
  %s = sattn.share %k heads [0, 0, 1, 1, 2, 2] : !three -> !six
  %o = sattn.attend %x, %x, %x over %u, %r, %s heads 12 kv_heads 12 scale 0.125 : !tokens, !tokens, !tokens,
      over !i4, !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">, !six -> !tokens
  return %o : !tokens
}

// CHECK-LABEL: func.func @attend_over_uneven_share
// CHECK: sattn.share
// CHECK: sattn.attend
func.func @attend_over_uneven_share(%x: !tokens, %k: !three) -> !tokens {
  %s = sattn.share %k heads [0, 0, 1, 1, 2, 1] : !three -> !six
  %o = sattn.attend %x, %x, %x over %s heads 12 kv_heads 12 scale 0.125 : !tokens, !tokens, !tokens, over !six -> !tokens
  return %o : !tokens
}

// CHECK-LABEL: func.func @merge_of_merges
// CHECK-SAME: %[[X:[a-z0-9]+]]: !sattn.partial{{.*}}, %[[Y:[a-z0-9]+]]: !sattn.partial
// CHECK-NEXT: %[[O:.*]] = sattn.merge %[[X]], %[[Y]], %[[Y]], %[[X]] :
// CHECK-NEXT: return %[[X]], %[[O]]
func.func @merge_of_merges(%x: !partial, %y: !partial) -> (!partial, !tokens) {
  %one = sattn.merge %x : !partial -> !partial
  %two = sattn.merge %x, %y : !partial, !partial -> !partial
  %three = sattn.merge %y, %one : !partial, !partial -> !partial
  %o = sattn.merge %two, %three : !partial, !partial -> !tokens
  return %one, %o : !partial, !tokens
}

// CHECK-LABEL: func.func @merge_of_one_attention
// CHECK-NEXT: %[[O:.*]] = sattn.attend {{.*}} -> tensor<1x256x384xf32>
// CHECK-NEXT: return %[[O]]
func.func @merge_of_one_attention(%x: !tokens, %i: !index) -> !tokens {
  %p = sattn.attend %x, %x, %x over %i heads 12 kv_heads 12 scale 0.125
      : !tokens, !tokens, !tokens, over !index -> !partial
  %o = sattn.merge %p : !partial -> !tokens
  return %o : !tokens
}

// CHECK-LABEL: func.func @load_partial_that_was_stored
// CHECK-SAME: %[[X:.*]]: !sattn.partial
// CHECK-NEXT: return %[[X]]
func.func @load_partial_that_was_stored(%x: !partial) -> !partial {
  %t = sattn.store_partial %x : !partial -> tensor<1x12x256x33xf32>
  %y = sattn.load_partial %t : tensor<1x12x256x33xf32> -> !partial
  return %y : !partial
}
