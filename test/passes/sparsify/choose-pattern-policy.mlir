// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="@%S/Inputs/policy.json"}))' | FileCheck %s

!x = tensor<?x?x128xf32, #model.dims<"b", "s", "128">>
!q = tensor<?x?x64xf32, #model.dims<"b", "s", "64">>
!k = tensor<?x?x32xf32, #model.dims<"b", "s", "32">>

// Layers in order: the default, dense, by head twice. Four query heads share two key heads; the third head has the default.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<?x?x128xf32
func.func @main(%x: !x) -> !q {
  %q = model.slice %x ["0", "0", "0"] step [1, 1, 1] : !x -> !q
  %k = model.slice %x ["0", "0", "64"] step [1, 1, 1] : !x -> !k
  %v = model.slice %x ["0", "0", "96"] step [1, 1, 1] : !x -> !k
  // CHECK: %[[A:.*]] = sattn.attention #sattn.window<size = 128> {{.*}} heads 4 kv_heads 2
  %0 = model.attention %q, %k, %v heads 4 kv_heads 2 scale 0.125 : !q, !k, !k -> !q
  // CHECK: %[[B:.*]] = model.attention %[[A]], {{.*}} heads 4 kv_heads 2
  %1 = model.attention %0, %k, %v heads 4 kv_heads 2 scale 0.125 : !q, !k, !k -> !q
  // Both heads of the first group.
  // CHECK: %[[Q01:.*]] = model.slice %[[B]] ["0", "0", "0"] {{.*}} #model.dims<"b", "s", "32">>
  // CHECK: %[[K0:.*]] = model.slice %[[X]] ["0", "0", "64"] {{.*}} #model.dims<"b", "s", "16">>
  // CHECK: %[[V0:.*]] = model.slice %[[X]] ["0", "0", "96"]
  // CHECK: %[[O01:.*]] = sattn.attention #sattn.top_k<k = 3> %[[Q01]], %[[K0]], %[[V0]] heads 2 kv_heads 1 scale 1.250000e-01 causal
  // Each head of the second, with its key head.
  // CHECK: %[[Q2:.*]] = model.slice %[[B]] ["0", "0", "32"]
  // CHECK: %[[K1:.*]] = model.slice %[[X]] ["0", "0", "80"]
  // CHECK: %[[V1:.*]] = model.slice %[[X]] ["0", "0", "112"]
  // CHECK: %[[O2:.*]] = sattn.attention #sattn.window<size = 128> %[[Q2]], %[[K1]], %[[V1]] heads 1 kv_heads 1 scale 1.250000e-01 causal
  // CHECK: %[[Q3:.*]] = model.slice %[[B]] ["0", "0", "48"]
  // CHECK: %[[O3:.*]] = model.attention %[[Q3]], {{.*}} heads 1 kv_heads 1 scale 1.250000e-01 causal
  // CHECK: %[[C:.*]] = model.concat %[[O01]], %[[O2]], %[[O3]] axis 2
  %2 = model.attention %1, %k, %v heads 4 kv_heads 2 scale 0.125 causal : !q, !k, !k -> !q
  %3 = model.attention %2, %k, %v heads 4 kv_heads 2 scale 0.125 : !q, !k, !k -> !q
  return %3 : !q
}
