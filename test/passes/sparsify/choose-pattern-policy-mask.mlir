// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="@%S/Inputs/one-head.json"}))' | FileCheck %s
// A mask of each head goes with its head.

!q = tensor<?x?x64xf32, #model.dims<"b", "s", "64">>
!m = tensor<?x4x?x?xf32, #model.dims<"b", "4", "s", "s">>

// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x4x?x?xf32
func.func @main(%q: !q, %m: !m) -> !q {
  // CHECK: %[[M0:.*]] = model.slice %[[M]] ["0", "0", "0", "0"] {{.*}} -> tensor<?x1x?x?xf32
  // CHECK: model.attention %{{.*}} mask %[[M0]] heads 1
  // CHECK: %[[M1:.*]] = model.slice %[[M]] ["0", "1", "0", "0"] {{.*}} -> tensor<?x1x?x?xf32
  // CHECK: sattn.attention #sattn.window<size = 2> %{{.*}} mask %[[M1]] heads 1
  // CHECK: %[[M2:.*]] = model.slice %[[M]] ["0", "2", "0", "0"] {{.*}} -> tensor<?x2x?x?xf32
  // CHECK: model.attention %{{.*}} mask %[[M2]] heads 2
  %o = model.attention %q, %q, %q mask %m heads 4 kv_heads 4 scale 0.125 : !q, !q, !q, !m -> !q
  return %o : !q
}
