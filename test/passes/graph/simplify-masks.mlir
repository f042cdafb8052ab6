// RUN: tamis-opt %s -tamis-simplify-masks -canonicalize | FileCheck %s

!x = tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
!mb = tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
!mf = tensor<?x1x1x?xf32, #model.dims<"b", "1", "1", "s">>
!wide = tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">>
!s = tensor<?xi64, #model.dims<"s">>
!q = tensor<?x1xi64, #model.dims<"s", "1">>
!ss = tensor<?x?xi1, #model.dims<"s", "s">>
!s4 = tensor<1x1x?x?xi1, #model.dims<"1", "1", "s", "s">>
!bss = tensor<?x1x?x?xi1, #model.dims<"b", "1", "s", "s">>

// CHECK-LABEL: func.func @broadcast_goes
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?xf32
// CHECK: %[[R:.*]] = model.reshape %[[M]] : {{.*}} -> tensor<1x1x1x?xf32
// CHECK-NEXT: model.attention %{{.*}} mask %[[R]]
func.func @broadcast_goes(%x: !x, %m: tensor<?xf32, #model.dims<"s">>) -> !x {
  %w = model.broadcast %m : tensor<?xf32, #model.dims<"s">> -> !wide
  %o = model.attention %x, %x, %x mask %w heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !wide -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @infinity_becomes_bool
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK-NEXT: model.attention %{{.*}} mask %[[M]]
func.func @infinity_becomes_bool(%x: !x, %m: !mb) -> !x {
  %zero = model.constant dense<0.0> : tensor<f32>
  %inf = model.constant dense<0xFF800000> : tensor<f32>
  %f = model.elementwise select %m, %zero, %inf : (!mb, tensor<f32>, tensor<f32>) -> !mf
  %o = model.attention %x, %x, %x mask %f heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !mf -> !x
  return %o : !x
}

// The other way round, and a view between.
// CHECK-LABEL: func.func @infinity_where_dropped
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x?xi1
// CHECK-NEXT: %[[K:.*]] = model.elementwise logical_not %[[M]]
// CHECK-NEXT: %[[R:.*]] = model.reshape %[[K]]
// CHECK-NEXT: model.attention %{{.*}} mask %[[R]]
func.func @infinity_where_dropped(%x: !x, %m: tensor<?x?xi1, #model.dims<"b", "s">>) -> !x {
  %zero = model.constant dense<0.0> : tensor<f32>
  %inf = model.constant dense<0xFF800000> : tensor<f32>
  %f = model.elementwise select %m, %inf, %zero : (tensor<?x?xi1, #model.dims<"b", "s">>, tensor<f32>, tensor<f32>)
      -> tensor<?x?xf32, #model.dims<"b", "s">>
  %r = model.reshape %f : tensor<?x?xf32, #model.dims<"b", "s">> -> !mf
  %o = model.attention %x, %x, %x mask %r heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !mf -> !x
  return %o : !x
}

// With a finite number a row without keys is the mean of all values, with the bool mask it would be zero.
// CHECK-LABEL: func.func @lowest_stays
// CHECK: %[[F:.*]] = model.elementwise select
// CHECK: model.attention %{{.*}} mask %[[F]]
func.func @lowest_stays(%x: !x, %m: !mb) -> !x {
  %zero = model.constant dense<0.0> : tensor<f32>
  %low = model.constant dense<-3.40282347E+38> : tensor<f32>
  %f = model.elementwise select %m, %zero, %low : (!mb, tensor<f32>, tensor<f32>) -> !mf
  %o = model.attention %x, %x, %x mask %f heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !mf -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @all_kept
// CHECK-NEXT: %[[O:.*]] = model.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} heads
func.func @all_kept(%x: !x) -> !x {
  %true = model.constant dense<true> : tensor<1x1x1x1xi1>
  %o = model.attention %x, %x, %x mask %true heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, tensor<1x1x1x1xi1> -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @none_kept_stays
// CHECK: model.attention %{{.*}} mask
func.func @none_kept_stays(%x: !x) -> !x {
  %false = model.constant dense<false> : tensor<1x1x1x1xi1>
  %o = model.attention %x, %x, %x mask %false heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, tensor<1x1x1x1xi1> -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @positions_become_causal
// CHECK-NEXT: model.attention %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} heads 2 kv_heads 2 scale 5.000000e-01 causal
func.func @positions_become_causal(%x: !x) -> !x {
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %m = model.elementwise less_equal %k, %q : (!s, !q) -> !ss
  %m4 = model.reshape %m : !ss -> !s4
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !s4 -> !x
  return %o : !x
}

// Padding and positions: the one stays, the other is the flag.
// CHECK-LABEL: func.func @positions_and_padding
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK-NEXT: model.attention %{{.*}} mask %[[M]] heads 2 kv_heads 2 scale 5.000000e-01 causal
func.func @positions_and_padding(%x: !x, %m: !mb) -> !x {
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %c = model.elementwise greater_equal %q, %k : (!q, !s) -> !ss
  %both = model.elementwise logical_and %c, %m : (!ss, !mb) -> !bss
  %o = model.attention %x, %x, %x mask %both heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !bss -> !x
  return %o : !x
}

// Strictly earlier keys only: not what the flag says.
// CHECK-LABEL: func.func @strictly_earlier
// CHECK: model.attention %{{.*}} mask
// CHECK-NOT: causal
func.func @strictly_earlier(%x: !x) -> !x {
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %m = model.elementwise less %k, %q : (!s, !q) -> !ss
  %m4 = model.reshape %m : !ss -> !s4
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !s4 -> !x
  return %o : !x
}
