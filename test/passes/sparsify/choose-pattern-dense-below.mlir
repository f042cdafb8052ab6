// RUN: tamis-opt %s -pass-pipeline='builtin.module(func.func(tamis-choose-pattern{pattern="window(size=2)" dense-below=100}))' | FileCheck %s

!q = tensor<?x?x64xf32, #model.dims<"b", "s", "64">>
!t = tensor<2x99x64xf32>
!u = tensor<2x100x64xf32>
#b = #model.symbol<"b", 1, 4>

// CHECK-LABEL: func.func @at_run_time
func.func @at_run_time(%q: !q) -> !q attributes {model.symbols = [#b, #model.symbol<"s", 1, 512>]} {
  // CHECK: %[[SPARSE:.*]] = sattn.attention #sattn.window<size = 2>
  // CHECK: %[[N:.*]] = model.sizes ["s"] : tensor<i64>
  // CHECK: %[[LIMIT:.*]] = model.constant dense<100> : tensor<i64>
  // CHECK: %[[SHORT:.*]] = model.elementwise less %[[N]], %[[LIMIT]]
  // CHECK: %[[DENSE:.*]] = model.attention
  // CHECK: %[[O:.*]] = model.elementwise select %[[SHORT]], %[[DENSE]], %[[SPARSE]]
  // CHECK: return %[[O]]
  %o = model.attention %q, %q, %q heads 4 kv_heads 4 scale 0.125 : !q, !q, !q -> !q
  return %o : !q
}

// CHECK-LABEL: func.func @never_long
// CHECK-NOT: sattn
func.func @never_long(%q: !q) -> !q attributes {model.symbols = [#b, #model.symbol<"s", 1, 99>]} {
  %o = model.attention %q, %q, %q heads 4 kv_heads 4 scale 0.125 : !q, !q, !q -> !q
  return %o : !q
}

// CHECK-LABEL: func.func @never_short
// CHECK-NOT: model.attention
func.func @never_short(%q: !q) -> !q attributes {model.symbols = [#b, #model.symbol<"s", 100, 512>]} {
  %o = model.attention %q, %q, %q heads 4 kv_heads 4 scale 0.125 : !q, !q, !q -> !q
  return %o : !q
}

// CHECK-LABEL: func.func @fixed
// CHECK: model.attention
// CHECK-NOT: model.attention
// CHECK: sattn.attention
func.func @fixed(%t: !t, %u: !u) -> (!t, !u) {
  %a = model.attention %t, %t, %t heads 4 kv_heads 4 scale 0.125 : !t, !t, !t -> !t
  %b = model.attention %u, %u, %u heads 4 kv_heads 4 scale 0.125 : !u, !u, !u -> !u
  return %a, %b : !t, !u
}
