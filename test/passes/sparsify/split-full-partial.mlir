// RUN: tamis-opt %s -tamis-split-full-partial | FileCheck %s

!x = tensor<1x128x8xf32>
!i = !sattn.index<64 x 64 block, shape ["1", "1", "2"], items "2", capacity "2">

// Order cuts the items on the diagonal.
// CHECK-LABEL: func.func @order
// CHECK: %[[P:.*]] = model.constant dense<{{\[\[}}{{\[\[}}1, 0], [1, 1]]]]> : tensor<1x1x2x2xi32>
// CHECK: %[[I:.*]] = sattn.load_index %[[P]]
// CHECK: %[[W:.*]] = model.constant dense<{{\[\[}}{{\[\[}}0, 0], [1, 0]]]]> : tensor<1x1x2x2xi32>
// CHECK: %[[F:.*]] = sattn.load_index %[[W]]
// CHECK: sattn.attend %{{.*}} over %[[I]], %[[F]] full [1] heads 2 kv_heads 2 scale 5.000000e-01 causal
func.func @order(%x: !x) -> !x {
  %c = model.constant dense<[[[[1, 0, 0], [2, 0, 1]]]]> : tensor<1x1x2x3xi32>
  %i = sattn.load_index %c : tensor<1x1x2x3xi32> -> !i
  %o = sattn.attend %x, %x, %x over %i heads 2 kv_heads 2 scale 0.5 causal : !x, !x, !x, over !i -> !x
  return %o : !x
}

// The first 64 keys are kept by all, so is the last one's half by none: one item is full and one is not.
// CHECK-LABEL: func.func @mask
// CHECK: sattn.attend %{{.*}} over %{{.*}}, %{{.*}} full [1] mask %{{.*}} heads 2
func.func @mask(%x: !x) -> !x {
  %end = model.constant dense<100> : tensor<i64>
  %k = model.iota "0" step "1" : tensor<128xi64>
  %m = model.elementwise less %k, %end : (tensor<128xi64>, tensor<i64>) -> tensor<128xi1>
  %m4 = model.reshape %m : tensor<128xi1> -> tensor<1x1x1x128xi1>
  %c = model.constant dense<[[[[2, 0, 1], [1, 0, 0]]]]> : tensor<1x1x2x3xi32>
  %i = sattn.load_index %c : tensor<1x1x2x3xi32> -> !i
  %o = sattn.attend %x, %x, %x over %i mask %m4 heads 2 kv_heads 2 scale 0.5
      : !x, !x, !x, over !i mask tensor<1x1x1x128xi1> -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @all_full
// CHECK: sattn.attend %{{[a-z0-9]+}}, %{{[a-z0-9]+}}, %{{[a-z0-9]+}} over %{{[a-z0-9_]+}} heads 2 kv_heads 2 scale 5.000000e-01 :
func.func @all_full(%x: !x) -> !x {
  %m = model.constant dense<true> : tensor<1x1x1x1xi1>
  %c = model.constant dense<[[[[0, 0, 0], [1, 0, 1]]]]> : tensor<1x1x2x3xi32>
  %i = sattn.load_index %c : tensor<1x1x2x3xi32> -> !i
  %o = sattn.attend %x, %x, %x over %i mask %m heads 2 kv_heads 2 scale 0.5 causal
      : !x, !x, !x, over !i mask tensor<1x1x1x1xi1> -> !x
  return %o : !x
}

// The first rows of a constant, of as many as there are queries.
// CHECK-LABEL: func.func @dynamic
// CHECK: %[[W:.*]] = model.constant dense<{{\[\[}}{{\[\[}}0, 0], [1, 0]]]]> : tensor<1x1x2x2xi32>
// CHECK: %[[R:.*]] = model.slice %[[W]] ["0", "0", "0", "0"] step [1, 1, 1, 1]
// CHECK: %[[F:.*]] = sattn.load_index %[[R]]
// CHECK: sattn.attend %{{.*}} over %{{.*}}, %[[F]] full [1] heads 2
func.func @dynamic(%x: tensor<1x?x8xf32, #model.dims<"1", "s", "8">>) -> tensor<1x?x8xf32, #model.dims<"1", "s", "8">>
    attributes {model.symbols = [#model.symbol<"s", 1, 128>]} {
  %c = model.constant dense<[[[[1, 0, 0], [2, 0, 1]]]]> : tensor<1x1x2x3xi32>
  %r = model.slice %c ["0", "0", "0", "0"] step [1, 1, 1, 1]
      : tensor<1x1x2x3xi32> -> tensor<1x1x?x3xi32, #model.dims<"1", "1", "floordiv(s + 63, 64)", "3">>
  %i = sattn.load_index %r : tensor<1x1x?x3xi32, #model.dims<"1", "1", "floordiv(s + 63, 64)", "3">>
      -> !sattn.index<64 x 64 block, shape ["1", "1", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "2">
  %o = sattn.attend %x, %x, %x over %i heads 2 kv_heads 2 scale 0.5 causal
      : tensor<1x?x8xf32, #model.dims<"1", "s", "8">>, tensor<1x?x8xf32, #model.dims<"1", "s", "8">>,
        tensor<1x?x8xf32, #model.dims<"1", "s", "8">>,
        over !sattn.index<64 x 64 block, shape ["1", "1", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "2">
        -> tensor<1x?x8xf32, #model.dims<"1", "s", "8">>
  return %o : tensor<1x?x8xf32, #model.dims<"1", "s", "8">>
}

// Small items, a computed index, a mask that is data, and nothing to split for.
// CHECK-LABEL: func.func @left_alone
// CHECK-NOT: full [
// CHECK: return
func.func @left_alone(%x: !x, %t: tensor<1x1x2x3xi32>, %m: tensor<1x1x128x128xi1>) -> (!x, !x, !x, !x) {
  %c = model.constant dense<[[[[1, 0, 0], [2, 0, 1]]]]> : tensor<1x1x2x3xi32>
  %s = sattn.load_index %c : tensor<1x1x2x3xi32> -> !sattn.index<64 x 16 block, shape ["1", "1", "2"], items "8", capacity "2">
  %a = sattn.attend %x, %x, %x over %s heads 2 kv_heads 2 scale 0.5 causal
      : !x, !x, !x, over !sattn.index<64 x 16 block, shape ["1", "1", "2"], items "8", capacity "2"> -> !x
  %j = sattn.load_index %t : tensor<1x1x2x3xi32> -> !i
  %b = sattn.attend %x, %x, %x over %j heads 2 kv_heads 2 scale 0.5 causal : !x, !x, !x, over !i -> !x
  %i = sattn.load_index %c : tensor<1x1x2x3xi32> -> !i
  %d = sattn.attend %x, %x, %x over %i mask %m heads 2 kv_heads 2 scale 0.5
      : !x, !x, !x, over !i mask tensor<1x1x128x128xi1> -> !x
  %e = sattn.attend %x, %x, %x over %i heads 2 kv_heads 2 scale 0.5 : !x, !x, !x, over !i -> !x
  return %a, %b, %d, %e : !x, !x, !x, !x
}
