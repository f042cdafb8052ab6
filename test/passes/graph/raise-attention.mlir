// RUN: tamis-opt %s -tamis-raise-attention -canonicalize | FileCheck %s

!q = tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">>
!kt = tensor<?x2x4x?xf32, #model.dims<"b", "2", "4", "t">>
!v = tensor<?x2x?x4xf32, #model.dims<"b", "2", "t", "4">>
!s = tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "t">>
!sb = tensor<?x2x?x?xi1, #model.dims<"b", "2", "s", "t">>
!x = tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
!y = tensor<?x?x8xf32, #model.dims<"b", "t", "8">>
!split = tensor<?x?x2x4xf32, #model.dims<"b", "s", "2", "4">>
!splity = tensor<?x?x2x4xf32, #model.dims<"b", "t", "2", "4">>
!m = tensor<?x1x1x?xf32, #model.dims<"b", "1", "1", "t">>
!mb = tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "t">>
!c = tensor<f32>

// Projections split into heads, attention, heads merged: views cancel on all sides.
// CHECK-LABEL: func.func @split_and_merge
// CHECK-SAME: %[[X:.*]]: tensor<?x?x8xf32, #model.dims<"b", "s", "8">>, %[[K:.*]]: tensor<{{.*}}"t", "8">>, %[[V:.*]]: tensor<{{.*}}>, %[[M:.*]]: tensor
// CHECK-NEXT: %[[O:.*]] = model.attention %[[X]], %[[K]], %[[V]] mask %[[M]] heads 2 kv_heads 2 scale 2.500000e-01 :
// CHECK-NEXT: return %[[O]]
func.func @split_and_merge(%x: !x, %y: !y, %z: !y, %m: !m) -> !x {
  %xr = model.reshape %x : !x -> !split
  %q = model.transpose %xr [0, 2, 1, 3] : !split -> !q
  %yr = model.reshape %y : !y -> !splity
  %kt = model.transpose %yr [0, 2, 3, 1] : !splity -> !kt
  %zr = model.reshape %z : !y -> !splity
  %v = model.transpose %zr [0, 2, 1, 3] : !splity -> !v
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %four = model.constant dense<4.0> : !c
  %sd = model.elementwise div %s, %four : (!s, !c) -> !s
  %sm = model.elementwise add %m, %sd : (!m, !s) -> !s
  %p = model.softmax %sm axis 3 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  %ot = model.transpose %o [0, 2, 1, 3] : !q -> !split
  %r = model.reshape %ot : !split -> !x
  return %r : !x
}

// Both sides scaled, in front of views; the clean-up of NaN goes. 0.5 * 0.25 * 2.
// CHECK-LABEL: func.func @scaled_operands
// CHECK-NOT: model.elementwise
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} heads 2 kv_heads 2 scale 2.500000e-01 :
// CHECK-NOT: model.elementwise
func.func @scaled_operands(%x: !x, %k: !v, %v: !v) -> !q {
  %half = model.constant dense<0.5> : !c
  %xs = model.elementwise mul %x, %half : (!x, !c) -> !x
  %xr = model.reshape %xs : !x -> !split
  %q = model.transpose %xr [0, 2, 1, 3] : !split -> !q
  %four = model.constant dense<4.0> : !c
  %ks = model.elementwise div %k, %four : (!v, !c) -> !v
  %kt = model.transpose %ks [0, 1, 3, 2] : !v -> !kt
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %two = model.constant dense<2.0> : !c
  %ss = model.elementwise mul %two, %s : (!c, !s) -> !s
  %p = model.softmax %ss axis 3 : !s
  %nan = model.elementwise isnan %p : (!s) -> !sb
  %zero = model.constant dense<0.0> : !c
  %pc = model.elementwise select %nan, %zero, %p : (!sb, !c, !s) -> !s
  %o = model.matmul %pc, %v : !s, !v -> !q
  return %o : !q
}

// A mask in front of the factor is scaled by it.
// CHECK-LABEL: func.func @scaled_mask
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xf32
// CHECK: %[[MS:.*]] = model.elementwise mul %[[M]]
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} mask %[[MS]] heads 2 kv_heads 2 scale 5.000000e-01 :
func.func @scaled_mask(%q: !q, %kt: !kt, %v: !v, %m: !m) -> !q {
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %sm = model.elementwise add %s, %m : (!s, !m) -> !s
  %half = model.constant dense<0.5> : !c
  %ss = model.elementwise mul %sm, %half : (!s, !c) -> !s
  %p = model.softmax %ss axis 3 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  return %o : !q
}

// masked_fill(drop, -inf) keeps where `drop` does not hold.
// CHECK-LABEL: func.func @filled_with_infinity
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK: %[[KEEP:.*]] = model.elementwise logical_not %[[M]]
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} mask %[[KEEP]] heads 2
func.func @filled_with_infinity(%q: !q, %kt: !kt, %v: !v, %m: !mb) -> !q {
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %inf = model.constant dense<0xFF800000> : !c
  %sm = model.elementwise select %m, %inf, %s : (!mb, !c, !s) -> !s
  %p = model.softmax %sm axis 3 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  return %o : !q
}

// A finite number keeps rows without keys alive: all their keys weigh alike.
// CHECK-LABEL: func.func @filled_with_lowest
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK: %[[F:.*]] = model.elementwise select %[[M]], %{{.*}}, %{{.*}} -> tensor<?x1x1x?xf32
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} mask %[[F]] heads 2
func.func @filled_with_lowest(%q: !q, %kt: !kt, %v: !v, %m: !mb) -> !q {
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %low = model.constant dense<-3.40282347E+38> : !c
  %sm = model.elementwise select %m, %s, %low : (!mb, !s, !c) -> !s
  %p = model.softmax %sm axis 3 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  return %o : !q
}

// Replaced by -10000, a row without keys differs from one to which -10000 is added.
// CHECK-LABEL: func.func @filled_with_moderate
// CHECK-NOT: model.attention
func.func @filled_with_moderate(%q: !q, %kt: !kt, %v: !v, %m: !mb) -> !q {
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %low = model.constant dense<-1.0E+4> : !c
  %sm = model.elementwise select %m, %s, %low : (!mb, !s, !c) -> !s
  %p = model.softmax %sm axis 3 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  return %o : !q
}

// Heads of keys and values that are repeated for groups of query heads.
// CHECK-LABEL: func.func @grouped_heads
// CHECK-NOT: model.broadcast
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} heads 6 kv_heads 2 scale 1.0
func.func @grouped_heads(%q: tensor<1x6x5x4xf32>, %k: tensor<1x2x7x4xf32>, %v: tensor<1x2x7x4xf32>) -> tensor<1x6x5x4xf32> {
  %k1 = model.reshape %k : tensor<1x2x7x4xf32> -> tensor<1x2x1x7x4xf32>
  %k2 = model.broadcast %k1 : tensor<1x2x1x7x4xf32> -> tensor<1x2x3x7x4xf32>
  %k3 = model.reshape %k2 : tensor<1x2x3x7x4xf32> -> tensor<1x6x7x4xf32>
  %kt = model.transpose %k3 [0, 1, 3, 2] : tensor<1x6x7x4xf32> -> tensor<1x6x4x7xf32>
  %v1 = model.reshape %v : tensor<1x2x7x4xf32> -> tensor<1x2x1x7x4xf32>
  %v2 = model.broadcast %v1 : tensor<1x2x1x7x4xf32> -> tensor<1x2x3x7x4xf32>
  %v3 = model.reshape %v2 : tensor<1x2x3x7x4xf32> -> tensor<1x6x7x4xf32>
  %s = model.matmul %q, %kt : tensor<1x6x5x4xf32>, tensor<1x6x4x7xf32> -> tensor<1x6x5x7xf32>
  %p = model.softmax %s axis 3 : tensor<1x6x5x7xf32>
  %o = model.matmul %p, %v3 : tensor<1x6x5x7xf32>, tensor<1x6x7x4xf32> -> tensor<1x6x5x4xf32>
  return %o : tensor<1x6x5x4xf32>
}

// CHECK-LABEL: func.func @one_head
// CHECK: model.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} heads 1 kv_heads 1 scale 1.0{{.*}}tensor<3x1x1x7xf32> -> tensor<3x5x2xf32>
func.func @one_head(%q: tensor<3x5x4xf32>, %kt: tensor<3x4x7xf32>, %v: tensor<3x7x2xf32>, %m: tensor<3x1x7xf32>) -> tensor<3x5x2xf32> {
  %s = model.matmul %q, %kt : tensor<3x5x4xf32>, tensor<3x4x7xf32> -> tensor<3x5x7xf32>
  %sm = model.elementwise add %s, %m : (tensor<3x5x7xf32>, tensor<3x1x7xf32>) -> tensor<3x5x7xf32>
  %p = model.softmax %sm axis 2 : tensor<3x5x7xf32>
  %o = model.matmul %p, %v : tensor<3x5x7xf32>, tensor<3x7x2xf32> -> tensor<3x5x2xf32>
  return %o : tensor<3x5x2xf32>
}

// The weights are wanted too: they are computed beside the attention.
// CHECK-LABEL: func.func @weights_returned
// CHECK: model.softmax
// CHECK: model.attention
func.func @weights_returned(%q: !q, %kt: !kt, %v: !v) -> (!q, !s) {
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %p = model.softmax %s axis 3 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  return %o, %p : !q, !s
}

// CHECK-LABEL: func.func @softmax_over_queries
// CHECK-NOT: model.attention
func.func @softmax_over_queries(%q: !q, %kt: !kt, %v: !v) -> !q {
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %p = model.softmax %s axis 2 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  return %o : !q
}

// A cap on the scores is no mask.
// CHECK-LABEL: func.func @capped_scores
// CHECK-NOT: model.attention
func.func @capped_scores(%q: !q, %kt: !kt, %v: !v) -> !q {
  %s = model.matmul %q, %kt : !q, !kt -> !s
  %t = model.elementwise tanh %s : (!s) -> !s
  %p = model.softmax %t axis 3 : !s
  %o = model.matmul %p, %v : !s, !v -> !q
  return %o : !q
}

// One key head for all query heads by broadcasting in the product: sizes are not those of attention.
// CHECK-LABEL: func.func @broadcast_product
// CHECK-NOT: model.attention
func.func @broadcast_product(%q: tensor<1x6x5x4xf32>, %kt: tensor<1x1x4x7xf32>, %v: tensor<1x1x7x4xf32>) -> tensor<1x6x5x4xf32> {
  %s = model.matmul %q, %kt : tensor<1x6x5x4xf32>, tensor<1x1x4x7xf32> -> tensor<1x6x5x7xf32>
  %p = model.softmax %s axis 3 : tensor<1x6x5x7xf32>
  %o = model.matmul %p, %v : tensor<1x6x5x7xf32>, tensor<1x1x7x4xf32> -> tensor<1x6x5x4xf32>
  return %o : tensor<1x6x5x4xf32>
}
