// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="window(size=128, sinks=4)"}))' | FileCheck %s

!q = tensor<?x?x64xf32, #model.dims<"b", "s", "64">>
!k = tensor<?x?x32xf32, #model.dims<"b", "t", "32">>
!m = tensor<?x1x1x?xf32, #model.dims<"b", "1", "1", "t">>

// CHECK-LABEL: func.func @plain
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x?x64xf32, {{.*}}>, %[[K:[a-z0-9]+]]: tensor<?x?x32xf32, {{.*}}>, %[[V:[a-z0-9]+]]: tensor
// CHECK-NEXT: %[[O:.*]] = sattn.attention #sattn.window<size = 128, sinks = 4> %[[Q]], %[[K]], %[[V]] heads 4 kv_heads 2 scale 1.250000e-01 :
// CHECK-NEXT: return %[[O]]
func.func @plain(%q: !q, %k: !k, %v: !k) -> !q {
  %o = model.attention %q, %k, %v heads 4 kv_heads 2 scale 0.125 : !q, !k, !k -> !q
  return %o : !q
}

// CHECK-LABEL: func.func @masked_causal
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xf32
// CHECK: sattn.attention #sattn.window<size = 128, sinks = 4> %{{.*}}, %{{.*}}, %{{.*}} mask %[[M]] heads 4 kv_heads 2 scale 1.250000e-01 causal :
func.func @masked_causal(%q: !q, %k: !k, %m: !m) -> !q {
  %o = model.attention %q, %k, %k mask %m heads 4 kv_heads 2 scale 0.125 causal : !q, !k, !k, !m -> !q
  return %o : !q
}

// Each of several; one that has its pattern keeps it.
// CHECK-LABEL: func.func @several
// CHECK: sattn.attention #sattn.window<size = 128, sinks = 4>
// CHECK: sattn.attention #sattn.top_k<k = 3>
// CHECK: sattn.attention #sattn.window<size = 128, sinks = 4>
// CHECK-NOT: model.attention
func.func @several(%q: !q, %k: !k) -> !q {
  %1 = model.attention %q, %k, %k heads 4 kv_heads 2 scale 0.125 : !q, !k, !k -> !q
  %2 = sattn.attention #sattn.top_k<k = 3> %1, %k, %k heads 4 kv_heads 2 scale 0.125 : !q, !k, !k -> !q
  %3 = model.attention %2, %k, %k heads 4 kv_heads 2 scale 0.125 : !q, !k, !k -> !q
  return %3 : !q
}
