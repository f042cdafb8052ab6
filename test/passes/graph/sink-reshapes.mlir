// RUN: tamis-opt %s -tamis-sink-reshapes | FileCheck %s

!x = tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
!flat = tensor<?x8xf32, #model.dims<"b*s", "8">>

// Rows in one axis, through a feed-forward layer, and back: nothing is left.
// CHECK-LABEL: func.func @feed_forward
// CHECK-SAME: %[[X:.*]]: tensor
// CHECK-NOT: model.reshape
// CHECK: %[[UP:.*]] = model.linear %[[X]], %{{.*}} -> tensor<?x?x4xf32, #model.dims<"b", "s", "4">>
// CHECK: %[[A:.*]] = model.activation gelu %[[UP]]
// CHECK: %[[DOWN:.*]] = model.linear %[[A]]
// CHECK: %[[G:.*]] = model.elementwise mul %[[DOWN]], %{{.*}} : ({{.*}}, tensor<8xf32>)
// CHECK: %[[R:.*]] = model.elementwise add %[[G]], %[[X]]
// CHECK: %[[N:.*]] = model.norm rms %[[R]] axis 2
// CHECK-NEXT: return %[[N]]
func.func @feed_forward(%x: !x) -> !x {
  %up = model.weight "up" : tensor<8x4xf32>
  %down = model.weight "down" : tensor<4x8xf32>
  %gate = model.weight "gate" : tensor<1x8xf32>
  %0 = model.reshape %x : !x -> !flat
  %1 = model.linear %0, %up : !flat, tensor<8x4xf32> -> tensor<?x4xf32, #model.dims<"b*s", "4">>
  %2 = model.activation gelu %1 : tensor<?x4xf32, #model.dims<"b*s", "4">>
  %3 = model.linear %2, %down : tensor<?x4xf32, #model.dims<"b*s", "4">>, tensor<4x8xf32> -> !flat
  %4 = model.elementwise mul %3, %gate : (!flat, tensor<1x8xf32>) -> !flat
  %5 = model.elementwise add %4, %0 : (!flat, !flat) -> !flat
  %6 = model.norm rms %5 axis 1 epsilon 0.125 : !flat -> !flat
  %7 = model.reshape %6 : !flat -> !x
  return %7 : !x
}

// The rows that the layer multiplies are made by the reshape.
// CHECK-LABEL: func.func @merged_rows
// CHECK: model.reshape
// CHECK: model.linear
func.func @merged_rows(%x: tensor<2x3x4xf32>) -> tensor<2x5xf32> {
  %w = model.weight "w" : tensor<12x5xf32>
  %r = model.reshape %x : tensor<2x3x4xf32> -> tensor<2x12xf32>
  %y = model.linear %r, %w : tensor<2x12xf32>, tensor<12x5xf32> -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @softmax_of_other_axis
// CHECK: model.reshape
// CHECK: model.softmax %{{.*}} axis 0
func.func @softmax_of_other_axis(%x: tensor<2x3x4xf32>) -> tensor<6x4xf32> {
  %r = model.reshape %x : tensor<2x3x4xf32> -> tensor<6x4xf32>
  %y = model.softmax %r axis 0 : tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}

// CHECK-LABEL: func.func @operands_reshaped_otherwise
// CHECK-COUNT-2: model.reshape
// CHECK: model.elementwise add
func.func @operands_reshaped_otherwise(%x: tensor<2x6xf32>, %y: tensor<4x3xf32>) -> tensor<12xf32> {
  %a = model.reshape %x : tensor<2x6xf32> -> tensor<12xf32>
  %b = model.reshape %y : tensor<4x3xf32> -> tensor<12xf32>
  %r = model.elementwise add %a, %b : (tensor<12xf32>, tensor<12xf32>) -> tensor<12xf32>
  return %r : tensor<12xf32>
}

// CHECK-LABEL: func.func @vector_along_split_axis
// CHECK: model.reshape
// CHECK: model.elementwise add
func.func @vector_along_split_axis(%x: tensor<2x12xf32>, %v: tensor<3x4xf32>) -> tensor<2x3x4xf32> {
  %a = model.reshape %x : tensor<2x12xf32> -> tensor<2x3x4xf32>
  %r = model.elementwise add %a, %v : (tensor<2x3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  return %r : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @select_and_cast
// CHECK-SAME: %[[M:.*]]: tensor<?x?xi64
// CHECK: %[[K:.*]] = model.cast %[[M]] : {{.*}} -> tensor<?x?xi1, #model.dims<"b", "s">>
// CHECK: %[[S:.*]] = model.elementwise select %[[K]], %{{.*}}, %{{.*}} -> tensor<?x?xf32, #model.dims<"b", "s">>
// CHECK: %[[R:.*]] = model.reshape %[[S]]
// CHECK: return %[[R]]
func.func @select_and_cast(%m: tensor<?x?xi64, #model.dims<"b", "s">>) -> tensor<?x1x?xf32, #model.dims<"b", "1", "s">> {
  %zero = model.constant dense<0.0> : tensor<f32>
  %low = model.constant dense<-10000.0> : tensor<1xf32>
  %r = model.reshape %m : tensor<?x?xi64, #model.dims<"b", "s">> -> tensor<?x1x?xi64, #model.dims<"b", "1", "s">>
  %k = model.cast %r : tensor<?x1x?xi64, #model.dims<"b", "1", "s">> -> tensor<?x1x?xi1, #model.dims<"b", "1", "s">>
  %s = model.elementwise select %k, %zero, %low : (tensor<?x1x?xi1, #model.dims<"b", "1", "s">>, tensor<f32>, tensor<1xf32>)
      -> tensor<?x1x?xf32, #model.dims<"b", "1", "s">>
  return %s : tensor<?x1x?xf32, #model.dims<"b", "1", "s">>
}

// Batches and heads in one axis, as fairseq's attention has them.
// CHECK-LABEL: func.func @batched_heads
// CHECK: %[[S:.*]] = model.matmul %{{.*}}, %{{.*}} -> tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">>
// CHECK: %[[P:.*]] = model.softmax %[[S]] axis 3
// CHECK: %[[O:.*]] = model.matmul %[[P]], %{{.*}} -> tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">>
func.func @batched_heads(%x: tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">>) -> tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">> {
  %q = model.reshape %x : tensor<?x2x?x4xf32, #model.dims<"b", "2", "s", "4">> -> tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">>
  %k = model.transpose %q [0, 2, 1] : tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">> -> tensor<?x4x?xf32, #model.dims<"2*b", "4", "s">>
  %s = model.matmul %q, %k : tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">>, tensor<?x4x?xf32, #model.dims<"2*b", "4", "s">>
      -> tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>
  %p = model.softmax %s axis 2 : tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>
  %o = model.matmul %p, %q : tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>, tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">>
      -> tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">>
  return %o : tensor<?x?x4xf32, #model.dims<"2*b", "s", "4">>
}

// Scores of merged batches and heads, to which such are added and which are split again.
// CHECK-LABEL: func.func @split_sum_of_merged
// CHECK-SAME: %[[S:.*]]: tensor<?x2x?x?xf32, {{.*}}>, %[[P:.*]]: tensor<?x?x?xf32
// CHECK: %[[R:.*]] = model.reshape %[[P]] : {{.*}} -> tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">>
// CHECK: %[[A:.*]] = model.elementwise add %[[S]], %[[R]]
// CHECK: return %[[A]]
func.func @split_sum_of_merged(%s: tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">>,
                               %p: tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>)
    -> tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">> {
  %m = model.reshape %s : tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">> -> tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>
  %a = model.elementwise add %m, %p : (tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>, tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>)
      -> tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">>
  %r = model.reshape %a : tensor<?x?x?xf32, #model.dims<"2*b", "s", "s">> -> tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">>
  return %r : tensor<?x2x?x?xf32, #model.dims<"b", "2", "s", "s">>
}

// Leading ones sink; hoisting them would go round in circles.
// CHECK-LABEL: func.func @leading_ones_sink
// CHECK-NOT: model.reshape
// CHECK: model.elementwise add {{.*}} -> tensor<1x1x3x4xf32>
// CHECK-NOT: model.reshape
// CHECK: return
func.func @leading_ones_sink(%s: tensor<1x1x3x4xf32>, %p: tensor<3x4xf32>) -> tensor<1x1x3x4xf32> {
  %m = model.reshape %s : tensor<1x1x3x4xf32> -> tensor<3x4xf32>
  %a = model.elementwise add %m, %p : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %r = model.reshape %a : tensor<3x4xf32> -> tensor<1x1x3x4xf32>
  return %r : tensor<1x1x3x4xf32>
}
