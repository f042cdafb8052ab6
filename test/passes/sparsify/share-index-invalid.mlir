// RUN: tamis-opt %s -split-input-file -verify-diagnostics -pass-pipeline='builtin.module(func.func(tamis-share-index))'

!x = tensor<1x64x8xf32>
!i = !sattn.index<64 x 64 block, shape ["1", "2", "1"], items "1", capacity "1">
!j = !sattn.index<32 x 64 block, shape ["1", "2", "2"], items "1", capacity "1">
func.func @other_types(%x: !x, %i: !i, %j: !j) -> (!x, !x) {
  %0 = sattn.attend %x, %x, %x over %i heads 2 kv_heads 2 scale 0.5 {sattn.selects_for = array<i64: 0, 0>} : !x, !x, !x, over !i -> !x
  // expected-error@+1 {{shares what layer 0 selects but reads indices of '!sattn.index<32 x 64 block}}
  %1 = sattn.attend %0, %x, %x over %j heads 2 kv_heads 2 scale 0.5 {sattn.shares_index_of = array<i64: 0, 0>} : !x, !x, !x, over !j -> !x
  return %0, %1 : !x, !x
}

// -----

!x = tensor<1x64x8xf32>
!i = !sattn.index<64 x 64 block, shape ["1", "2", "1"], items "1", capacity "1">
func.func @nothing(%x: !x, %i: !i) -> !x {
  // expected-error@+1 {{shares what layer 3 selects but that selects nothing}}
  %1 = sattn.attend %x, %x, %x over %i heads 2 kv_heads 2 scale 0.5 {sattn.shares_index_of = array<i64: 3, 0>} : !x, !x, !x, over !i -> !x
  return %1 : !x
}
