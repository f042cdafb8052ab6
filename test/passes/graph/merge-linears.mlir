// RUN: tamis-opt %s -tamis-merge-linears | FileCheck %s

!x = tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
!n = tensor<?x8xf32, #model.dims<"n", "8">>
!h = tensor<?x4xf32, #model.dims<"n", "4">>

// Weights as torch keeps them stay so; the bias that is missing is zero.
// CHECK-LABEL: func.func @query_key_value
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-DAG: %[[WQ:.*]] = model.weight "q"
// CHECK-DAG: %[[WK:.*]] = model.weight "k"
// CHECK-DAG: %[[WV:.*]] = model.weight "v"
// CHECK-DAG: %[[BQ:.*]] = model.weight "q.bias"
// CHECK-DAG: %[[BV:.*]] = model.weight "v.bias"
// CHECK-DAG: %[[ZERO:.*]] = model.constant dense<0.0{{.*}}> : tensor<8xf32>
// CHECK-DAG: %[[W:.*]] = model.concat %[[WQ]], %[[WK]], %[[WV]] axis 0 : {{.*}} -> tensor<24x8xf32>
// CHECK-DAG: %[[B:.*]] = model.concat %[[BQ]], %[[ZERO]], %[[BV]] axis 0 : {{.*}} -> tensor<24xf32>
// CHECK: %[[ALL:.*]] = model.linear %[[X]], %[[W]] bias %[[B]] transposed
// CHECK-DAG: %[[Q:.*]] = model.slice %[[ALL]] ["0", "0", "0"] step [1, 1, 1]
// CHECK-DAG: %[[K:.*]] = model.slice %[[ALL]] ["0", "0", "8"] step [1, 1, 1]
// CHECK-DAG: %[[V:.*]] = model.slice %[[ALL]] ["0", "0", "16"] step [1, 1, 1]
// CHECK: model.attention %[[Q]], %[[K]], %[[V]]
func.func @query_key_value(%x: !x) -> !x {
  %wq = model.weight "q" : tensor<8x8xf32>
  %bq = model.weight "q.bias" : tensor<8xf32>
  %q = model.linear %x, %wq bias %bq transposed : !x, tensor<8x8xf32>, tensor<8xf32> -> !x
  %wk = model.weight "k" : tensor<8x8xf32>
  %k = model.linear %x, %wk transposed : !x, tensor<8x8xf32> -> !x
  %wv = model.weight "v" : tensor<8x8xf32>
  %bv = model.weight "v.bias" : tensor<8xf32>
  %v = model.linear %x, %wv bias %bv transposed : !x, tensor<8x8xf32>, tensor<8xf32> -> !x
  %o = model.attention %q, %k, %v heads 2 kv_heads 2 scale 0.5 : !x, !x, !x -> !x
  return %o : !x
}

// One weight is transposed, the other not: both are brought to K x N.
// CHECK-LABEL: func.func @gated
// CHECK: %[[T:.*]] = model.transpose %{{.*}} [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>
// CHECK: %[[W:.*]] = model.concat %[[T]], %{{.*}} axis 1 : {{.*}} -> tensor<8x8xf32>
// CHECK: %[[ALL:.*]] = model.linear %{{.*}}, %[[W]] : tensor
// CHECK: %[[G:.*]] = model.slice %[[ALL]] ["0", "0"]
// CHECK: %[[U:.*]] = model.slice %[[ALL]] ["0", "4"]
// CHECK: %[[A:.*]] = model.activation silu %[[G]]
// CHECK: model.elementwise mul %[[A]], %[[U]]
func.func @gated(%x: !n) -> !h {
  %wg = model.weight "gate" : tensor<4x8xf32>
  %g = model.linear %x, %wg transposed : !n, tensor<4x8xf32> -> !h
  %a = model.activation silu %g : !h
  %wu = model.weight "up" : tensor<8x4xf32>
  %u = model.linear %x, %wu : !n, tensor<8x4xf32> -> !h
  %y = model.elementwise mul %a, %u : (!h, !h) -> !h
  return %y : !h
}

// CHECK-LABEL: func.func @separate_ways
// CHECK-NOT: model.concat
func.func @separate_ways(%x: !n, %z: !h) -> (!h, !h) {
  %wa = model.weight "a" : tensor<8x4xf32>
  %a = model.linear %x, %wa : !n, tensor<8x4xf32> -> !h
  %wb = model.weight "b" : tensor<8x4xf32>
  %b = model.linear %x, %wb : !n, tensor<8x4xf32> -> !h
  %y = model.elementwise mul %a, %z : (!h, !h) -> !h
  %w = model.elementwise add %b, %z : (!h, !h) -> !h
  return %y, %w : !h, !h
}

// CHECK-LABEL: func.func @different_inputs
// CHECK-NOT: model.concat
func.func @different_inputs(%x: !n, %z: !n) -> !h {
  %wa = model.weight "a" : tensor<8x4xf32>
  %a = model.linear %x, %wa : !n, tensor<8x4xf32> -> !h
  %wb = model.weight "b" : tensor<8x4xf32>
  %b = model.linear %z, %wb : !n, tensor<8x4xf32> -> !h
  %y = model.elementwise mul %a, %b : (!h, !h) -> !h
  return %y : !h
}
