// RUN: tamis-opt %s -tamis-recognize-masks | FileCheck %s
// Masks of static sizes, pair by pair.

!x = tensor<1x256x8xf32>
!m = tensor<1x1x256x256xi1>
!f = tensor<1x1x256x256xf32>

// CHECK-LABEL: func.func @all_kept
// CHECK-NEXT: model.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} heads 2
func.func @all_kept(%x: !x) -> !x {
  %m = model.constant dense<0.0> : !f
  %o = model.attention %x, %x, %x mask %m heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !f -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @causal
// CHECK-NEXT: model.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} heads 2 kv_heads 2 scale 1.000000e+00 causal
func.func @causal(%x: tensor<1x3x8xf32>) -> tensor<1x3x8xf32> {
  %m = model.constant dense<[[[[0.0, -1.0e+30, -1.0e+30], [0.0, 0.0, -1.0e+30], [0.0, 0.0, 0.0]]]]> : tensor<1x1x3x3xf32>
  %o = model.attention %x, %x, %x mask %m heads 2 kv_heads 2 scale 1.0
      : tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>, tensor<1x1x3x3xf32> -> tensor<1x3x8xf32>
  return %o : tensor<1x3x8xf32>
}

// Computed from positions, and heads differ: heads 0 and 1 read even blocks, 2 and 3 odd ones, and all their own.
// CHECK-LABEL: func.func @heads_share
// CHECK: %[[S:.*]] = model.constant dense<{{.*}}> : tensor<1x2x4x4xi32>
// CHECK-NEXT: %[[I:.*]] = sattn.load_index %[[S]] : tensor<1x2x4x4xi32> -> <64 x 64 block, shape["1", "2", "4"], items "4", capacity "3">
// CHECK-NEXT: sattn.attend %{{.*}} over %[[I]] mask %{{.*}} heads 4
func.func @heads_share(%x: !x) -> !x {
  %size = model.constant dense<64> : tensor<i64>
  %two = model.constant dense<2> : tensor<i64>
  %k = model.iota "0" step "1" : tensor<256xi64>
  %q = model.reshape %k : tensor<256xi64> -> tensor<256x1xi64>
  %key = model.elementwise div %k, %size : (tensor<256xi64>, tensor<i64>) -> tensor<256xi64>
  %query = model.elementwise div %q, %size : (tensor<256x1xi64>, tensor<i64>) -> tensor<256x1xi64>
  %head = model.iota "0" step "1" : tensor<4xi64>
  %group = model.elementwise div %head, %two : (tensor<4xi64>, tensor<i64>) -> tensor<4xi64>
  %of_head = model.reshape %group : tensor<4xi64> -> tensor<1x4x1x1xi64>
  %parity = model.elementwise mod %key, %two : (tensor<256xi64>, tensor<i64>) -> tensor<256xi64>
  %mine = model.elementwise equal %parity, %of_head : (tensor<256xi64>, tensor<1x4x1x1xi64>) -> tensor<1x4x1x256xi1>
  %own = model.elementwise equal %key, %query : (tensor<256xi64>, tensor<256x1xi64>) -> tensor<256x256xi1>
  %m = model.elementwise logical_or %mine, %own : (tensor<1x4x1x256xi1>, tensor<256x256xi1>) -> tensor<1x4x256x256xi1>
  %o = model.attention %x, %x, %x mask %m heads 4 kv_heads 4 scale 0.5 : !x, !x, !x, tensor<1x4x256x256xi1> -> !x
  return %o : !x
}

// Columns of 16 keys leave out so much more that gathering them pays.
// CHECK-LABEL: func.func @narrow_columns
// CHECK: sattn.load_index %{{.*}} -> <64 x 16 block, shape["1", "1", "4"], items "16", capacity "4">
func.func @narrow_columns(%x: !x) -> !x {
  %size = model.constant dense<64> : tensor<i64>
  %few = model.constant dense<9> : tensor<i64>
  %k = model.iota "0" step "1" : tensor<256xi64>
  %rest = model.elementwise mod %k, %size : (tensor<256xi64>, tensor<i64>) -> tensor<256xi64>
  %m = model.elementwise less %rest, %few : (tensor<256xi64>, tensor<i64>) -> tensor<256xi1>
  %m4 = model.reshape %m : tensor<256xi1> -> tensor<1x1x1x256xi1>
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, tensor<1x1x1x256xi1> -> !x
  return %o : !x
}

// Every second key: no block is left out.
// CHECK-LABEL: func.func @nothing_gained
// CHECK: model.attention %{{.*}} mask
func.func @nothing_gained(%x: !x) -> !x {
  %two = model.constant dense<2> : tensor<i64>
  %zero = model.constant dense<0> : tensor<i64>
  %k = model.iota "0" step "1" : tensor<256xi64>
  %rest = model.elementwise mod %k, %two : (tensor<256xi64>, tensor<i64>) -> tensor<256xi64>
  %m = model.elementwise equal %rest, %zero : (tensor<256xi64>, tensor<i64>) -> tensor<256xi1>
  %m4 = model.reshape %m : tensor<256xi1> -> tensor<1x1x1x256xi1>
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, tensor<1x1x1x256xi1> -> !x
  return %o : !x
}

// A bias of distances is no mask, and one of batch items is none of a model.
// CHECK-LABEL: func.func @others
// CHECK: model.attention %{{.*}} mask
// CHECK: model.attention %{{.*}} mask
func.func @others(%x: tensor<2x2x8xf32>) -> (tensor<2x2x8xf32>, tensor<2x2x8xf32>) {
  %bias = model.constant dense<[[[[0.0, -1.0], [-1.0, 0.0]]]]> : tensor<1x1x2x2xf32>
  %o = model.attention %x, %x, %x mask %bias heads 2 kv_heads 2 scale 0.5
      : tensor<2x2x8xf32>, tensor<2x2x8xf32>, tensor<2x2x8xf32>, tensor<1x1x2x2xf32> -> tensor<2x2x8xf32>
  %items = model.constant dense<[[[[true, false]]], [[[true, true]]]]> : tensor<2x1x1x2xi1>
  %p = model.attention %x, %x, %x mask %items heads 2 kv_heads 2 scale 0.5
      : tensor<2x2x8xf32>, tensor<2x2x8xf32>, tensor<2x2x8xf32>, tensor<2x1x1x2xi1> -> tensor<2x2x8xf32>
  return %o, %p : tensor<2x2x8xf32>, tensor<2x2x8xf32>
}
