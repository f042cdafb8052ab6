// RUN: tamis-opt %s -tamis-recognize-masks | FileCheck %s
// Comparisons of positions, for sizes that are not known.

!x = tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
!s = tensor<?xi64, #model.dims<"s">>
!q = tensor<?x1xi64, #model.dims<"s", "1">>
!ss = tensor<?x?xi1, #model.dims<"s", "s">>
!s4 = tensor<1x1x?x?xi1, #model.dims<"1", "1", "s", "s">>
!f4 = tensor<1x1x?x?xf32, #model.dims<"1", "1", "s", "s">>
!mb = tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
!bss = tensor<?x1x?x?xi1, #model.dims<"b", "1", "s", "s">>

// CHECK-LABEL: func.func @window
// CHECK-NEXT: sattn.attention #sattn.window<size = 128> %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} heads 2 kv_heads 2 scale 5.000000e-01 causal
func.func @window(%x: !x) -> !x {
  %width = model.constant dense<128> : tensor<i64>
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %first = model.elementwise sub %q, %width : (!q, tensor<i64>) -> !q
  %m = model.elementwise greater %k, %first : (!s, !q) -> !ss
  %m4 = model.reshape %m : !ss -> !s4
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 causal : !x, !x, !x, !s4 -> !x
  return %o : !x
}

// The window is a rule, padding stays; order is a side of its own here.
// CHECK-LABEL: func.func @window_order_and_padding
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK-NEXT: sattn.attention #sattn.window<size = 4, sinks = 2> %{{.*}} mask %[[M]] heads 2 kv_heads 2 scale 5.000000e-01 causal
func.func @window_order_and_padding(%x: !x, %pad: !mb) -> !x {
  %three = model.constant dense<3> : tensor<i64>
  %two = model.constant dense<2> : tensor<i64>
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %distance = model.elementwise sub %q, %k : (!q, !s) -> tensor<?x?xi64, #model.dims<"s", "s">>
  %near = model.elementwise less_equal %distance, %three : (tensor<?x?xi64, #model.dims<"s", "s">>, tensor<i64>) -> !ss
  %first = model.elementwise less %k, %two : (!s, tensor<i64>) -> tensor<?xi1, #model.dims<"s">>
  %either = model.elementwise logical_or %near, %first : (!ss, tensor<?xi1, #model.dims<"s">>) -> !ss
  %later = model.elementwise greater %k, %q : (!s, !q) -> !ss
  %order = model.elementwise logical_not %later : (!ss) -> !ss
  %rule = model.elementwise logical_and %order, %either : (!ss, !ss) -> !ss
  %both = model.elementwise logical_and %rule, %pad : (!ss, !mb) -> !bss
  %o = model.attention %x, %x, %x mask %both heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !bss -> !x
  return %o : !x
}

// Both sides alike are a window too, others are bands.
// CHECK-LABEL: func.func @both_sides
// CHECK-NEXT: sattn.attention #sattn.window<size = 3> %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} heads 2 kv_heads 2 scale 5.000000e-01 :
// CHECK-NEXT: %[[I:.*]] = sattn.bands before 2 after 1 sinks 0 queries "s" keys "s"
func.func @both_sides(%x: !x) -> (!x, !x) {
  %two = model.constant dense<2> : tensor<i64>
  %one = model.constant dense<1> : tensor<i64>
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %high = model.elementwise add %q, %two : (!q, tensor<i64>) -> !q
  %low = model.elementwise sub %q, %two : (!q, tensor<i64>) -> !q
  %below = model.elementwise less_equal %k, %high : (!s, !q) -> !ss
  %above = model.elementwise less_equal %low, %k : (!q, !s) -> !ss
  %m = model.elementwise logical_and %below, %above : (!ss, !ss) -> !ss
  %m4 = model.reshape %m : !ss -> !s4
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !s4 -> !x
  %next = model.elementwise add %q, %one : (!q, tensor<i64>) -> !q
  %nearer = model.elementwise less_equal %k, %next : (!s, !q) -> !ss
  %n = model.elementwise logical_and %m, %nearer : (!ss, !ss) -> !ss
  %n4 = model.reshape %n : !ss -> !s4
  %p = model.attention %x, %x, %x mask %n4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !s4 -> !x
  return %o, %p : !x, !x
}

// CHECK-LABEL: func.func @own_blocks
// CHECK-NEXT: %[[I:.*]] = sattn.bands before 0 after 0 sinks 0 queries "s" keys "s" : <64 x 64 block
// CHECK-NEXT: sattn.attend %{{.*}} over %[[I]] heads 2
func.func @own_blocks(%x: !x) -> !x {
  %size = model.constant dense<64> : tensor<i64>
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %of_key = model.elementwise div %k, %size : (!s, tensor<i64>) -> !s
  %of_query = model.elementwise div %q, %size : (!q, tensor<i64>) -> !q
  %m = model.elementwise equal %of_key, %of_query : (!s, !q) -> !ss
  %m4 = model.reshape %m : !ss -> !s4
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !s4 -> !x
  return %o : !x
}

// Every query keeps itself, so numbers say the same as true and false.
// CHECK-LABEL: func.func @numbers
// CHECK-NEXT: sattn.attention #sattn.window<size = 8> %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} heads 2 kv_heads 2 scale 5.000000e-01 causal
func.func @numbers(%x: !x) -> !x {
  %zero = model.constant dense<0.0> : tensor<f32>
  %low = model.constant dense<-3.40282347E+38> : tensor<f32>
  %width = model.constant dense<8> : tensor<i64>
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %end = model.elementwise add %k, %width : (!s, tensor<i64>) -> !s
  %near = model.elementwise less %q, %end : (!q, !s) -> !ss
  %order = model.elementwise less_equal %k, %q : (!s, !q) -> !ss
  %m = model.elementwise logical_and %near, %order : (!ss, !ss) -> !ss
  %m4 = model.reshape %m : !ss -> !s4
  %f = model.elementwise select %m4, %zero, %low : (!s4, tensor<f32>, tensor<f32>) -> !f4
  %o = model.attention %x, %x, %x mask %f heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !f4 -> !x
  return %o : !x
}

// With padding among them a row may keep nothing, and then numbers say something else.
// CHECK-LABEL: func.func @numbers_and_padding
// CHECK: model.attention %{{.*}} mask
func.func @numbers_and_padding(%x: !x, %pad: !mb) -> !x {
  %zero = model.constant dense<0.0> : tensor<f32>
  %low = model.constant dense<-3.40282347E+38> : tensor<f32>
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %order = model.elementwise less_equal %k, %q : (!s, !q) -> !ss
  %m = model.elementwise logical_and %order, %pad : (!ss, !mb) -> !bss
  %f = model.elementwise select %m, %zero, %low : (!bss, tensor<f32>, tensor<f32>) -> tensor<?x1x?x?xf32, #model.dims<"b", "1", "s", "s">>
  %o = model.attention %x, %x, %x mask %f heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, tensor<?x1x?x?xf32, #model.dims<"b", "1", "s", "s">> -> !x
  return %o : !x
}

// What is compared is data.
// CHECK-LABEL: func.func @data
// CHECK: model.attention %{{.*}} mask
func.func @data(%x: !x, %k: !s) -> !x {
  %q = model.reshape %k : !s -> !q
  %m = model.elementwise less_equal %k, %q : (!s, !q) -> !ss
  %m4 = model.reshape %m : !ss -> !s4
  %o = model.attention %x, %x, %x mask %m4 heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !s4 -> !x
  return %o : !x
}

// A batch item is no head: a rule per item stays what it is.
// CHECK-LABEL: func.func @mask_of_items
// CHECK: model.attention %{{.*}} mask %{{.*}} heads 2 kv_heads 2 scale 5.000000e-01 causal
func.func @mask_of_items(%x: !x, %m: tensor<?x?x?xi1, #model.dims<"b", "s", "s">>) -> !x {
  %k = model.iota "0" step "1" : !s
  %q = model.reshape %k : !s -> !q
  %order = model.elementwise less_equal %k, %q : (!s, !q) -> !ss
  %m4 = model.reshape %m : tensor<?x?x?xi1, #model.dims<"b", "s", "s">> -> !bss
  %both = model.elementwise logical_and %m4, %order : (!bss, !ss) -> !bss
  %o = model.attention %x, %x, %x mask %both heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, !bss -> !x
  return %o : !x
}
