// RUN: tamis-opt %s -split-input-file -tamis-form-dispatches | FileCheck %s
// Which ops become one kernel, and what is dispatched in which order.

!x = tensor<?x8xf32, #model.dims<"n", "8">>

// A linear takes its activation with it; the weight lies in panels, turned round as torch stores it.
// CHECK: module @kernels
// CHECK: func.func @linear_gelu_8x16(%{{.*}}: tensor<?x8xf32, {{.*}}>, %{{.*}}: tensor<8x16xf32>, %{{.*}}: tensor<16xf32>)
// CHECK-SAME: plan.kernel = #plan.kernel<linear>
// CHECK: model.linear
// CHECK: model.activation gelu
// CHECK: func.func @linear_add_16x8
// CHECK: model.linear
// CHECK: model.elementwise add
// CHECK: func.func @layer_norm
// CHECK-SAME: plan.kernel = #plan.kernel<rows>
// CHECK-LABEL: func.func @main
// CHECK-NOT: model.linear
// CHECK-DAG: %[[UP:.*]] = plan.constant panels ["up"] transposed [true] axis 1 : tensor<8x16xf32>
// CHECK-DAG: %[[DOWN:.*]] = plan.constant panels ["down"] transposed [false] axis 0 : tensor<16x8xf32>
// CHECK: %[[H:.*]] = plan.dispatch @linear_gelu_8x16(%[[X:[^,]*]], %[[UP]], %{{.*}}) grid
// CHECK-SAME: sources ["up", "gelu"] flops "272*n"
// CHECK: %[[Y:.*]] = plan.dispatch @linear_add_16x8(%[[H]], %[[DOWN]], %[[X]])
// CHECK: plan.dispatch @layer_norm(%[[Y]]
func.func @main(%x: !x {model.name = "x"}) -> (!x {model.name = "y"})
    attributes {model.symbols = [#model.symbol<"n", 1, 64>]} {
  %up = model.weight "up" : tensor<16x8xf32>
  %bias = model.weight "bias" : tensor<16xf32>
  %down = model.weight "down" : tensor<16x8xf32>
  %scale = model.weight "scale" : tensor<8xf32>
  %0 = model.linear %x, %up bias %bias transposed : !x, tensor<16x8xf32>, tensor<16xf32>
      -> tensor<?x16xf32, #model.dims<"n", "16">> loc("up")
  %1 = model.activation gelu %0 : tensor<?x16xf32, #model.dims<"n", "16">> loc("gelu")
  %2 = model.linear %1, %down : tensor<?x16xf32, #model.dims<"n", "16">>, tensor<16x8xf32> -> !x
  %3 = model.elementwise add %2, %x : (!x, !x) -> !x
  %4 = model.norm layer %3 scale %scale axis 1 epsilon 1.0e-12 : !x, tensor<8xf32> -> !x
  return %4 : !x
}

// -----

// Attention reads column ranges of one projection in place.
// CHECK: func.func @attention(%{{.*}}: tensor<2x3x24xf32>)
// CHECK-COUNT-3: model.slice
// CHECK: model.attention
// CHECK-LABEL: func.func @main
// CHECK: plan.dispatch @attention(%{{.*}}) grid
// CHECK-NOT: plan.dispatch
func.func @main(%qkv: tensor<2x3x24xf32> {model.name = "qkv"}) -> (tensor<2x3x8xf32> {model.name = "o"}) {
  %q = model.slice %qkv ["0", "0", "0"] step [1, 1, 1] : tensor<2x3x24xf32> -> tensor<2x3x8xf32>
  %k = model.slice %qkv ["0", "0", "8"] step [1, 1, 1] : tensor<2x3x24xf32> -> tensor<2x3x8xf32>
  %v = model.slice %qkv ["0", "0", "16"] step [1, 1, 1] : tensor<2x3x24xf32> -> tensor<2x3x8xf32>
  %o = model.attention %q, %k, %v heads 2 kv_heads 2 scale 0.5
      : tensor<2x3x8xf32>, tensor<2x3x8xf32>, tensor<2x3x8xf32> -> tensor<2x3x8xf32>
  return %o : tensor<2x3x8xf32>
}

// -----

// Equal groups share a kernel; an input that is returned is copied; a reshape between dispatches is a view.
// CHECK: func.func @exp(
// CHECK-NOT: func.func @exp_1
// CHECK: func.func @cast
// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]] = plan.dispatch @exp(%[[X:[^)]*]])
// CHECK: plan.dispatch @exp(%[[A]])
// CHECK: plan.dispatch @cast(%[[X]])
func.func @main(%x: tensor<4xf32> {model.name = "x"})
    -> (tensor<4xf32> {model.name = "a"}, tensor<4xf32> {model.name = "b"}, tensor<4xf32> {model.name = "c"}) {
  %0 = model.elementwise exp %x : (tensor<4xf32>) -> tensor<4xf32>
  %1 = model.elementwise exp %0 : (tensor<4xf32>) -> tensor<4xf32>
  return %0, %1, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// What costs little is computed where it is read; a matrix product's operand is not computed again for every row.
// CHECK: func.func @exp(
// CHECK: func.func @matmul(
// CHECK: func.func @add(
// CHECK-LABEL: func.func @main
// CHECK: %[[E:.*]] = plan.dispatch @exp
// CHECK: %[[M:.*]] = plan.dispatch @matmul(%[[E]], %{{.*}})
// CHECK: plan.dispatch @add(%[[M]])
func.func @main(%a: tensor<2x3xf32> {model.name = "a"}, %b: tensor<3x4xf32> {model.name = "b"})
    -> (tensor<2x4xf32> {model.name = "c"}) {
  %e = model.elementwise exp %a : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %m = model.matmul %e, %b : tensor<2x3xf32>, tensor<3x4xf32> -> tensor<2x4xf32>
  %s = model.elementwise add %m, %m : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return %s : tensor<2x4xf32>
}

// -----

// A linear whose weight is computed at run time has no panels.
// CHECK: model.matmul
// CHECK-NOT: model.linear
func.func @main(%x: tensor<2x3xf32> {model.name = "x"}, %w: tensor<4x3xf32> {model.name = "w"})
    -> (tensor<2x4xf32> {model.name = "y"}) {
  %y = model.linear %x, %w transposed : tensor<2x3xf32>, tensor<4x3xf32> -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

// The scores of a gate are a linear; the index that is selected by them is read by all who move tokens. Columns of one
// projection are compacted in place.
// CHECK: module @kernels
// CHECK-DAG: func.func @linear_8x1
// CHECK-DAG: func.func @select(%{{.*}}: tensor<2x1x1x12xf32>){{.*}}plan.kernel = #plan.kernel<select>
// CHECK-DAG: func.func @compact(%{{.*}}: tensor<2x1x1x5xi32>, %{{.*}}: tensor<2x12x24xf32>){{.*}}plan.kernel = #plan.kernel<compaction>
// CHECK-DAG: func.func @attend_at({{.*}}plan.kernel = #plan.kernel<attention>
// CHECK-DAG: func.func @expand(%{{.*}}: tensor<2x1x1x5xi32>, %{{.*}}: tensor<2x4x8xf32>){{.*}}plan.kernel = #plan.kernel<compaction>
// CHECK-LABEL: func.func @main(%{{.*}}: tensor<2x12x24xf32>
// CHECK: %[[G:.*]] = plan.dispatch @linear_8x1
// CHECK: %[[S:.*]] = plan.view %[[G]]
// CHECK: %[[I:.*]] = plan.dispatch @select(%[[S]])
// CHECK: %[[C:.*]] = plan.dispatch @compact(%[[I]], %{{.*}})
// CHECK: %[[O:.*]] = plan.dispatch @attend_at(%[[I]], %{{.*}}, %[[C]])
// CHECK: plan.dispatch @expand(%[[I]], %[[O]])
func.func @main(%x: tensor<2x12x24xf32> {model.name = "x"}, %y: tensor<2x12x8xf32> {model.name = "y"}) -> (tensor<2x12x8xf32> {model.name = "o"}) {
  %gate = model.weight "gate" : tensor<1x8xf32>
  %g = model.linear %y, %gate transposed : tensor<2x12x8xf32>, tensor<1x8xf32> -> tensor<2x12x1xf32>
  %s = model.reshape %g : tensor<2x12x1xf32> -> tensor<2x1x1x12xf32>
  %i = sattn.select #sattn.budget<count 4.0> %s queries "12" keys "12" : tensor<2x1x1x12xf32> -> !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4">
  %t = sattn.store_index %i : !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4"> -> tensor<2x1x1x5xi32>
  %i1 = sattn.load_index %t : tensor<2x1x1x5xi32> -> !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4">
  %i2 = sattn.load_index %t : tensor<2x1x1x5xi32> -> !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4">
  %i3 = sattn.load_index %t : tensor<2x1x1x5xi32> -> !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4">
  %q = model.slice %x ["0", "0", "0"] step [1, 1, 1] : tensor<2x12x24xf32> -> tensor<2x12x8xf32>
  %k = model.slice %x ["0", "0", "8"] step [1, 1, 1] : tensor<2x12x24xf32> -> tensor<2x12x8xf32>
  %v = model.slice %x ["0", "0", "16"] step [1, 1, 1] : tensor<2x12x24xf32> -> tensor<2x12x8xf32>
  %c = sattn.compact %q by %i1 : tensor<2x12x8xf32>, !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4"> -> tensor<2x4x8xf32>
  %a = sattn.attend_at %c, %k, %v at %i2 heads 2 kv_heads 2 scale 0.5 causal : tensor<2x4x8xf32>, tensor<2x12x8xf32>, tensor<2x12x8xf32>, at !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4"> -> tensor<2x4x8xf32>
  %o = sattn.expand %a by %i3 : tensor<2x4x8xf32>, !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "12", capacity "4"> -> tensor<2x12x8xf32>
  return %o : tensor<2x12x8xf32>
}
