// RUN: tamis-opt %s -tamis-lower-selection | FileCheck %s
// What each pattern selects with. Values are compared in test/reference.

!x = tensor<?x?x64xf32, #model.dims<"b", "s", "64">>
!y = tensor<?x?x64xf32, #model.dims<"b", "t", "64">>
!z = tensor<?x?x32xf32, #model.dims<"b", "t", "32">>
!half = tensor<?x?x32xf32, #model.dims<"b", "s", "32">>
!m = tensor<?x1x1x?xf32, #model.dims<"b", "1", "1", "s">>
!mb = tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
!mt = tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "t">>
!fixed = tensor<1x256x64xf32>
!fixedm = tensor<1x1x1x256xi1>

// CHECK-LABEL: func.func @window
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor
// CHECK-NEXT: %[[I:.*]] = sattn.bands before 127 after 127 sinks 4 queries "s" keys "s" : <1 x 1 token, shape["1", "1", "s"], items "s", capacity "min(259, s)">
// CHECK-NEXT: %[[O:.*]] = sattn.attend %[[X]], %[[X]], %[[X]] over %[[I]] heads 4 kv_heads 4 scale 1.250000e-01 :
// CHECK-NEXT: return %[[O]]
func.func @window(%x: !x) -> !x {
  %o = sattn.attention #sattn.window<size = 128, sinks = 4> %x, %x, %x heads 4 kv_heads 4 scale 0.125 : !x, !x, !x -> !x
  return %o : !x
}

// Nothing above the own key; the mask stays with attend.
// CHECK-LABEL: func.func @window_causal
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xf32
// CHECK-NEXT: %[[I:.*]] = sattn.bands before 127 after 0 sinks 0 queries "s" keys "s" : <1 x 1 token, shape["1", "1", "s"], items "s", capacity "min(128, s)">
// CHECK-NEXT: sattn.attend %{{.*}} over %[[I]] mask %[[M]] heads 4 kv_heads 4 scale 1.250000e-01 causal :
func.func @window_causal(%x: !x, %m: !m) -> !x {
  %o = sattn.attention #sattn.window<size = 128> %x, %x, %x mask %m heads 4 kv_heads 4 scale 0.125 causal
      : !x, !x, !x, !m -> !x
  return %o : !x
}

// The key tokens of a block are the same for all who read them: one row, in no causal order.
// CHECK-LABEL: func.func @local_global
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor
// CHECK-DAG: %[[C:.*]] = sattn.bands before 0 after 0 sinks 0 queries "256" keys "256" : <64 x 1 token, shape["1", "1", "4"], items "256", capacity "64">
// CHECK-DAG: %[[M:.*]] = sattn.summarize mean %[[X]] heads 4 width 64 : tensor<1x256x64xf32> -> tensor<1x4x4x16xf32>
// CHECK: %[[S:.*]] = sattn.score %[[M]], %[[X]] heads 4 kv_heads 4 : tensor<1x4x4x16xf32>, tensor<1x256x64xf32> -> tensor<1x4x4x256xf32>
// CHECK: %[[T:.*]] = sattn.select <count 2.000000e+00> %[[S]] among %[[C]] queries "256" keys "256" : {{.*}} -> <64 x 1 token, shape["1", "4", "4"], items "256", capacity "2">
// CHECK: %[[J:.*]] = sattn.coarsen %[[T]] : {{.*}} -> <0 x 1 token, shape["1", "4", "1"], items "256", capacity "8">
// CHECK: %[[I:.*]] = sattn.bands before 0 after 0 sinks 0 queries "256" keys "256" : <64 x 64 block, shape["1", "1", "4"], items "4", capacity "1">
// CHECK: sattn.attend %[[X]], %[[X]], %[[X]] over %[[I]], %[[J]] heads 4 kv_heads 4 scale 1.250000e-01 causal :
func.func @local_global(%x: !fixed) -> !fixed {
  %o = sattn.attention #sattn.local_global<> %x, %x, %x heads 4 kv_heads 4 scale 0.125 causal : !fixed, !fixed, !fixed -> !fixed
  return %o : !fixed
}

// CHECK-LABEL: func.func @local_global_masked
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<1x1x1x256xi1>
// CHECK: sattn.summarize mean %{{.*}} mask %[[M]]
// CHECK: sattn.select <count 1.000000e+00> %{{.*}} among %{{.*}} mask %[[M]]
// CHECK: sattn.attend %{{.*}} mask %[[M]]
func.func @local_global_masked(%x: !fixed, %m: !fixedm) -> !fixed {
  %o = sattn.attention #sattn.local_global<key_tokens = 1> %x, %x, %x mask %m heads 4 kv_heads 4 scale 0.125
      : !fixed, !fixed, !fixed, !fixedm -> !fixed
  return %o : !fixed
}

// CHECK-LABEL: func.func @top_k
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x?x64xf32, {{.*}}>, %[[K:[a-z0-9]+]]: tensor<?x?x32xf32
// CHECK-NEXT: %[[S:.*]] = sattn.score %[[Q]], %[[K]] heads 4 kv_heads 2 : {{.*}} -> tensor<?x4x?x?xf32, #model.dims<"b", "4", "s", "t">>
// CHECK-NEXT: %[[I:.*]] = sattn.select <count 8.000000e+00> %[[S]] queries "s" keys "t" : {{.*}} -> <1 x 1 token, shape["b", "4", "s"], items "t", capacity "min(8, t)">
// CHECK-NEXT: sattn.attend %[[Q]], %[[K]], %[[K]] over %[[I]] heads 4 kv_heads 2 scale 1.250000e-01 :
func.func @top_k(%q: !x, %k: !z) -> !x {
  %o = sattn.attention #sattn.top_k<k = 8> %q, %k, %k heads 4 kv_heads 2 scale 0.125 : !x, !z, !z -> !x
  return %o : !x
}

// A float mask tells selection by what is above -1e30 what to leave out, and is added as it was.
// CHECK-LABEL: func.func @top_k_causal_float_mask
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xf32
// CHECK: %[[L:.*]] = model.constant dense<-1.000000e+30> : tensor<f32>
// CHECK: %[[B:.*]] = model.elementwise greater %[[M]], %[[L]] : {{.*}} -> tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
// CHECK: sattn.select <count 3.200000e+01> %{{.*}} mask %[[B]] queries "s" keys "s" causal :
// CHECK: sattn.attend %{{.*}} mask %[[M]] heads 4 kv_heads 4 scale 1.250000e-01 causal :
func.func @top_k_causal_float_mask(%q: !x, %m: !m) -> !x {
  %o = sattn.attention #sattn.top_k<> %q, %q, %q mask %m heads 4 kv_heads 4 scale 0.125 causal : !x, !x, !x, !m -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @fraction
// CHECK: sattn.select <fraction 2.500000e-01> %{{.*}} queries "256" keys "256" : tensor<1x4x256x256xf32> -> <1 x 1 token, shape["1", "4", "256"], items "256", capacity "65">
func.func @fraction(%q: !fixed) -> !fixed {
  %o = sattn.attention #sattn.fraction<share = 0.25> %q, %q, %q heads 4 kv_heads 4 scale 0.125 : !fixed, !fixed, !fixed -> !fixed
  return %o : !fixed
}

// The mask of the keys is that of the queries too: both are the same tokens.
// CHECK-LABEL: func.func @block_top_k
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x?x64xf32, {{.*}}>, %[[K:[a-z0-9]+]]: tensor<?x?x64xf32, {{.*}}>, %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK-DAG: %[[QM:.*]] = sattn.summarize mean %[[Q]] mask %[[M]] heads 4 width 16
// CHECK-DAG: %[[KM:.*]] = sattn.summarize mean %[[K]] mask %[[M]] heads 4 width 16
// CHECK: %[[S:.*]] = sattn.score %[[QM]], %[[KM]] heads 4 kv_heads 4 :
// CHECK: %[[I:.*]] = sattn.select <count 5.000000e+00> %[[S]] mask %[[M]] queries "s" keys "s" sinks 1 local 2 causal : {{.*}} -> <16 x 16 block, shape["b", "4", "floordiv(s + 15, 16)"], items "floordiv(s + 15, 16)", capacity "min(5, floordiv(s + 15, 16))">
// CHECK: sattn.attend %[[Q]], %[[K]], %[[K]] over %[[I]] mask %[[M]] heads 4 kv_heads 4 scale 1.250000e-01 causal :
func.func @block_top_k(%q: !x, %k: !x, %m: !mb) -> !x {
  %o = sattn.attention #sattn.block_top_k<block = 16, k = 5, sinks = 1, local = 2> %q, %k, %k mask %m
      heads 4 kv_heads 4 scale 0.125 causal : !x, !x, !x, !mb -> !x
  return %o : !x
}

// Here it is not.
// CHECK-LABEL: func.func @block_top_k_other_keys
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<{{.*}}"s", "64">>, %[[K:[a-z0-9]+]]: tensor<{{.*}}"t", "64">>, %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK-DAG: sattn.summarize mean %[[Q]] heads 4 width 64
// CHECK-DAG: sattn.summarize mean %[[K]] mask %[[M]] heads 4 width 64
// CHECK: sattn.select <count 3.000000e+00> %{{.*}} mask %[[M]] queries "s" keys "t" local 1 :
func.func @block_top_k_other_keys(%q: !x, %k: !y, %m: !mt) -> !x {
  %o = sattn.attention #sattn.block_top_k<k = 3> %q, %k, %k mask %m heads 4 kv_heads 4 scale 0.125 : !x, !y, !y, !mt -> !x
  return %o : !x
}

// A gate for all heads: its product with every key, and one row of tokens beside the own key.
// CHECK-LABEL: func.func @gate_quantile
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x?x64xf32, {{.*}}>, %[[K:[a-z0-9]+]]: tensor<?x?x32xf32, {{.*}}>, %[[W:[a-z0-9]+]]: tensor<1x32xf32>
// CHECK-DAG: %[[P:.*]] = model.linear %[[K]], %[[W]] transposed : {{.*}} -> tensor<?x?x1xf32, #model.dims<"b", "t", "1">>
// CHECK-DAG: %[[S:.*]] = model.reshape %[[P]] : {{.*}} -> tensor<?x1x1x?xf32, #model.dims<"b", "1", "1", "t">>
// CHECK-DAG: %[[I:.*]] = sattn.select <quantile 7.500000e-01> %[[S]] queries "s" keys "t" : {{.*}} -> <0 x 1 token, shape["b", "1", "1"], items "t", capacity "min(-floordiv(750*t - 750, 1000) + t, t)">
// CHECK-DAG: %[[B:.*]] = sattn.bands before 0 after 0 sinks 0 queries "s" keys "t" : <1 x 1 token, shape["1", "1", "s"], items "t", capacity "min(1, t)">
// CHECK: sattn.attend %[[Q]], %[[K]], %[[K]] over %[[B]], %[[I]] heads 4 kv_heads 2 scale 1.250000e-01 causal :
func.func @gate_quantile(%q: !x, %k: !z, %w: tensor<1x32xf32>) -> !x {
  %o = sattn.attention #sattn.gate_quantile<quantile = 0.75> %q, %k, %k weights %w heads 4 kv_heads 2 scale 0.125 causal
      : !x, !z, !z weights tensor<1x32xf32> -> !x
  return %o : !x
}

// A gate a head of keys. The mask leaves tokens out of the choice.
// CHECK-LABEL: func.func @dynamic_gate
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1, {{.*}}>, %[[W:[a-z0-9]+]]: tensor<4x64xf32>
// CHECK: model.linear %{{.*}}, %[[W]] transposed : {{.*}} -> tensor<?x?x4xf32, #model.dims<"b", "s", "4">>
// CHECK: model.transpose %{{.*}} [0, 2, 1]
// CHECK: sattn.select <mass 9.000000e-01> %{{.*}} mask %[[M]] queries "s" keys "s" : {{.*}} -> <0 x 1 token, shape["b", "4", "1"], items "s", capacity "s">
// CHECK: sattn.attend %{{.*}} mask %[[M]]
func.func @dynamic_gate(%q: !x, %m: !mb, %w: tensor<4x64xf32>) -> !x {
  %o = sattn.attention #sattn.dynamic_gate<per_head = true> %q, %q, %q mask %m weights %w heads 4 kv_heads 4 scale 0.125
      : !x, !x, !x, !mb weights tensor<4x64xf32> -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @dynamic_gate_threshold
// CHECK: sattn.select <threshold -2.000000e+00>
func.func @dynamic_gate_threshold(%q: !x, %w: tensor<1x64xf32>) -> !x {
  %o = sattn.attention #sattn.dynamic_gate<threshold = -2.0> %q, %q, %q weights %w heads 4 kv_heads 4 scale 0.125
      : !x, !x, !x weights tensor<1x64xf32> -> !x
  return %o : !x
}

// Active tokens alone, in the order of their places; those that do not exist are left out by a mask.
// CHECK-LABEL: func.func @token_activation
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<1x256x64xf32>
// CHECK: %[[I:.*]] = sattn.select <fraction 2.500000e-01> %{{.*}} -> <0 x 1 token, shape["1", "1", "1"], items "256", capacity "65">
// CHECK-DAG: %[[C:.*]] = sattn.compact %[[Q]] by %[[I]] : {{.*}} -> tensor<1x65x64xf32>
// CHECK-DAG: %[[T:.*]] = sattn.store_index %[[I]] : {{.*}} -> tensor<1x1x1x66xi32>
// CHECK-DAG: %[[N:.*]] = model.slice %[[T]] ["0", "0", "0", "0"] step [1, 1, 1, 1] : tensor<1x1x1x66xi32> -> tensor<1x1x1x1xi32>
// CHECK-DAG: %[[P:.*]] = model.iota "0" step "1" : tensor<65xi32>
// CHECK: %[[E:.*]] = model.elementwise less %[[P]], %[[N]] : {{.*}} -> tensor<1x1x1x65xi1>
// CHECK: %[[A:.*]] = model.attention %{{.*}} mask %[[E]] heads 4 kv_heads 4 scale 1.250000e-01 causal :
// CHECK: sattn.expand %[[A]] by %[[I]] : {{.*}} -> tensor<1x256x64xf32>
func.func @token_activation(%q: !fixed, %w: tensor<1x64xf32>) -> !fixed {
  %o = sattn.attention #sattn.token_activation<share = 0.25> %q, %q, %q weights %w heads 4 kv_heads 4 scale 0.125 causal
      : !fixed, !fixed, !fixed weights tensor<1x64xf32> -> !fixed
  return %o : !fixed
}

// A float mask goes with its tokens.
// CHECK-LABEL: func.func @token_activation_float_mask
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<?x1x1x?xf32
// CHECK: %[[R:.*]] = model.reshape %[[M]] : {{.*}} -> tensor<?x?x1xf32, #model.dims<"b", "s", "1">>
// CHECK: sattn.compact %[[R]]
// CHECK: %[[A:.*]] = model.elementwise select %{{.*}} -> tensor<?x1x1x?xf32
// CHECK: model.attention %{{.*}} mask %[[A]]
func.func @token_activation_float_mask(%q: !x, %m: !m, %w: tensor<1x64xf32>) -> !x {
  %o = sattn.attention #sattn.token_activation<> %q, %q, %q mask %m weights %w heads 4 kv_heads 4 scale 0.125
      : !x, !x, !x, !m weights tensor<1x64xf32> -> !x
  return %o : !x
}

// The convolution as three products of each token; queries of the tokens in focus over all keys.
// CHECK-LABEL: func.func @focus_aware
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<?x?x64xf32, {{.*}}>, %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1, {{.*}}>, %[[W:[a-z0-9]+]]: tensor<3x64xf32>
// CHECK: %[[P:.*]] = model.linear %[[Q]], %[[W]] transposed : {{.*}} -> tensor<?x?x3xf32, #model.dims<"b", "s", "3">>
// CHECK: %[[N:.*]] = model.reshape %[[M]] : {{.*}} -> tensor<?x?x1xi1, #model.dims<"b", "s", "1">>
// CHECK: model.elementwise select %[[N]], %[[P]], %{{.*}} -> tensor<?x?x3xf32
// CHECK: model.concat %{{.*}} -> tensor<?x?x3xf32, #model.dims<"b", "s + 2", "3">>
// CHECK-COUNT-3: model.slice
// CHECK: %[[I:.*]] = sattn.select <fraction 2.500000e-01> %{{.*}} mask %[[M]]
// CHECK: %[[L:.*]] = sattn.compact %{{.*}} by %[[I]]
// CHECK: %[[F:.*]] = model.elementwise sigmoid %[[L]]
// CHECK: %[[C:.*]] = sattn.compact %[[Q]] by %[[I]]
// CHECK: %[[S:.*]] = model.elementwise mul %[[C]], %[[F]]
// CHECK: %[[A:.*]] = sattn.attend_at %[[S]], %[[Q]], %[[Q]] at %[[I]] mask %[[M]] heads 4 kv_heads 4 scale 1.250000e-01 causal :
// CHECK: %[[R:.*]] = model.elementwise mul %[[A]], %[[F]]
// CHECK: sattn.expand %[[R]] by %[[I]]
func.func @focus_aware(%q: !x, %m: !mb, %w: tensor<3x64xf32>, %b: tensor<1xf32>) -> !x {
  %o = sattn.attention #sattn.focus_aware<skip = 0.75> %q, %q, %q mask %m weights %w, %b heads 4 kv_heads 4 scale 0.125 causal
      : !x, !x, !x, !mb weights tensor<3x64xf32>, tensor<1xf32> -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @focus_aware_threshold
// CHECK: sattn.select <threshold 0.000000e+00> %{{.*}} -> <0 x 1 token, shape["b", "1", "1"], items "s", capacity "s">
func.func @focus_aware_threshold(%q: !x, %w: tensor<3x64xf32>, %b: tensor<1xf32>) -> !x {
  %o = sattn.attention #sattn.focus_aware<threshold = 0.5> %q, %q, %q weights %w, %b heads 4 kv_heads 4 scale 0.125
      : !x, !x, !x weights tensor<3x64xf32>, tensor<1xf32> -> !x
  return %o : !x
}

// A bound is a product: of what is positive with the largest, of what is negative with the smallest.
// CHECK-LABEL: func.func @page_bounds
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<{{.*}}"s", "64">>, %[[K:[a-z0-9]+]]: tensor<{{.*}}"t", "32">>, %[[M:[a-z0-9]+]]: tensor<?x1x1x?xi1
// CHECK-DAG: %[[S:.*]] = sattn.summarize signs %[[Q]] heads 4 width 1 : {{.*}} -> tensor<?x4x?x32xf32, #model.dims<"b", "4", "s", "32">>
// CHECK-DAG: %[[P:.*]] = sattn.summarize bounds %[[K]] mask %[[M]] heads 2 width 16 : {{.*}} -> tensor<?x2x?x32xf32, #model.dims<"b", "2", "floordiv(t + 15, 16)", "32">>
// CHECK: %[[B:.*]] = sattn.score %[[S]], %[[P]] heads 4 kv_heads 2 :
// CHECK: %[[I:.*]] = sattn.select <count 3.000000e+00> %[[B]] mask %[[M]] queries "s" keys "t" local 1 : {{.*}} -> <1 x 16 block, shape["b", "4", "s"], items "floordiv(t + 15, 16)", capacity "min(3, floordiv(t + 15, 16))">
// CHECK: sattn.attend %[[Q]], %[[K]], %[[K]] over %[[I]] mask %[[M]] heads 4 kv_heads 2 scale 1.250000e-01 :
func.func @page_bounds(%q: !x, %k: !z, %m: !mt) -> !x {
  %o = sattn.attention #sattn.page_bounds<k = 3> %q, %k, %k mask %m heads 4 kv_heads 2 scale 0.125 : !x, !z, !z, !mt -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @page_bounds_of_blocks
// CHECK: sattn.summarize signs %{{.*}} heads 4 width 8 :
// CHECK: sattn.select <count 2.000000e+00> %{{.*}} queries "s" keys "s" causal : {{.*}} -> <8 x 4 block,
func.func @page_bounds_of_blocks(%q: !x) -> !x {
  %o = sattn.attention #sattn.page_bounds<page = 4, k = 2, block = 8, local = 0> %q, %q, %q
      heads 4 kv_heads 4 scale 0.125 causal : !x, !x, !x -> !x
  return %o : !x
}

// Cells of stride x stride, weighed by row and summed to blocks.
// CHECK-LABEL: func.func @antidiagonal
// CHECK-DAG: %[[Q:.*]] = sattn.summarize stack_reversed %{{.*}} mask %{{.*}} heads 4 width 16 : {{.*}} -> tensor<?x4x?x256xf32, #model.dims<"b", "4", "floordiv(s + 15, 16)", "256">>
// CHECK-DAG: %[[K:.*]] = sattn.summarize stack %{{.*}} mask %{{.*}} heads 4 width 16
// CHECK: %[[S:.*]] = sattn.score %[[Q]], %[[K]] heads 4 kv_heads 4 :
// CHECK: %[[W:.*]] = sattn.weigh blocks %[[S]] mask %{{.*}} scale 7.812500e-03 width 16 rows 8 columns 8 queries "s" keys "s" causal :
// CHECK: %[[I:.*]] = sattn.select <share 9.000000e-01> %[[W]] mask %{{.*}} queries "s" keys "s" sinks 1 local 1 causal : {{.*}} -> <128 x 128 block, shape["b", "4", "floordiv(s + 127, 128)"], items "floordiv(s + 127, 128)", capacity "floordiv(s + 127, 128)">
// CHECK: sattn.attend %{{.*}} over %[[I]] mask
func.func @antidiagonal(%q: !x, %m: !mb) -> !x {
  %o = sattn.attention #sattn.antidiagonal<> %q, %q, %q mask %m heads 4 kv_heads 4 scale 0.125 causal : !x, !x, !x, !mb -> !x
  return %o : !x
}

// Columns as tokens of one row, diagonals as blocks.
// CHECK-LABEL: func.func @vertical_slash
// CHECK: %[[L:.*]] = model.slice %{{.*}} step [1, 1, 1] : {{.*}} -> tensor<?x?x64xf32, #model.dims<"b", "min(64, s)", "64">>
// CHECK: %[[S:.*]] = sattn.score %[[L]], %{{.*}} heads 4 kv_heads 4 :
// CHECK: %[[C:.*]] = sattn.weigh blocks %[[S]] mask %[[M:.*]] scale 1.250000e-01 width 1 rows 0 columns 1 queries "min(64, s)" keys "s" causal :
// CHECK: %[[V:.*]] = sattn.select <count 1.000000e+02> %[[C]] mask %[[M]] queries "s" keys "s" sinks 30 causal : {{.*}} -> <0 x 1 token, shape["b", "4", "1"], items "s", capacity "min(100, s)">
// CHECK: %[[D:.*]] = sattn.weigh diagonals %[[S]] mask %[[M]] scale 1.250000e-01 width 1 rows 0 columns 1 queries "min(64, s)" keys "s" causal :
// CHECK: %[[T:.*]] = sattn.select <count 8.000000e+01> %[[D]] queries "s" keys "s" sinks 30 : {{.*}} -> <0 x 1 token, shape["b", "4", "1"], items "s", capacity "min(80, s)">
// CHECK: %[[B:.*]] = sattn.diagonals %[[T]] queries "s" keys "s" : {{.*}} -> <64 x 64 block, shape["b", "4", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity
// CHECK: sattn.attend %{{.*}} over %[[B]], %[[V]] mask
func.func @vertical_slash(%q: !x, %m: !mb) -> !x {
  %o = sattn.attention #sattn.vertical_slash<vertical = 100, slash = 80> %q, %q, %q mask %m
      heads 4 kv_heads 4 scale 0.125 causal : !x, !x, !x, !mb -> !x
  return %o : !x
}

// One list of keys for all heads.
// CHECK-LABEL: func.func @indexer
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<{{.*}}"s", "64">>, %[[K:[a-z0-9]+]]: tensor<{{.*}}"t", "32">>, %[[WQ:[a-z0-9]+]]: tensor<64x16xf32>, %[[WK:[a-z0-9]+]]: tensor<32x8xf32>, %[[WH:[a-z0-9]+]]: tensor<64x2xf32>
// CHECK-DAG: %[[QI:.*]] = model.linear %[[Q]], %[[WQ]] :
// CHECK-DAG: %[[KI:.*]] = model.linear %[[K]], %[[WK]] :
// CHECK-DAG: %[[W:.*]] = model.linear %[[Q]], %[[WH]] :
// CHECK: %[[S:.*]] = sattn.score %[[QI]], %[[KI]] weights %[[W]] heads 2 kv_heads 1 : {{.*}} -> tensor<?x1x?x?xf32, #model.dims<"b", "1", "s", "t">>
// CHECK: %[[I:.*]] = sattn.select <count 5.000000e+00> %[[S]] queries "s" keys "t" : {{.*}} -> <1 x 1 token, shape["b", "1", "s"], items "t", capacity "min(5, t)">
// CHECK: sattn.attend %[[Q]], %[[K]], %[[K]] over %[[I]] heads 4 kv_heads 2
func.func @indexer(%q: !x, %k: !z, %wq: tensor<64x16xf32>, %wk: tensor<32x8xf32>, %wh: tensor<64x2xf32>) -> !x {
  %o = sattn.attention #sattn.indexer<k = 5, heads = 2, width = 8> %q, %k, %k weights %wq, %wk, %wh
      heads 4 kv_heads 2 scale 0.125
      : !x, !z, !z weights tensor<64x16xf32>, tensor<32x8xf32>, tensor<64x2xf32> -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @block_top_k_by_mass
// CHECK: %[[S:.*]] = sattn.score
// CHECK: %[[W:.*]] = sattn.weigh blocks %[[S]] scale 1.250000e-01 width 64 rows 1 columns 1 queries "s" keys "s" causal :
// CHECK: sattn.select <share 9.000000e-01> %[[W]] queries "s" keys "s" local 1 causal : {{.*}} capacity "floordiv(s + 63, 64)">
func.func @block_top_k_by_mass(%q: !x) -> !x {
  %o = sattn.attention #sattn.block_top_k<mass = 0.9> %q, %q, %q heads 4 kv_heads 4 scale 0.125 causal : !x, !x, !x -> !x
  return %o : !x
}

// Codes that agree propose; products pick.
// CHECK-LABEL: func.func @ann
// CHECK: %[[QC:.*]] = model.reshape %{{.*}} : {{.*}} -> tensor<?x?x8xf32, #model.dims<"b", "s", "8">>
// CHECK: %[[KC:.*]] = model.reshape %{{.*}} : {{.*}} -> tensor<?x?x4xf32, #model.dims<"b", "t", "4">>
// CHECK: %[[A:.*]] = sattn.score agreement %[[QC]], %[[KC]] heads 4 kv_heads 2 :
// CHECK: %[[C:.*]] = sattn.select <threshold 1.000000e+00> %[[A]] queries "s" keys "t" : {{.*}} capacity "t">
// CHECK: %[[S:.*]] = sattn.score %{{.*}}, %{{.*}} heads 4 kv_heads 2 :
// CHECK: %[[I:.*]] = sattn.select <count 5.000000e+00> %[[S]] among %[[C]] queries "s" keys "t" : {{.*}} capacity "min(5, t)">
// CHECK: sattn.attend %{{.*}} over %[[I]] heads 4 kv_heads 2
func.func @ann(%q: !x, %k: !z) -> !x {
  %o = sattn.attention #sattn.ann<k = 5, tables = 2, bits = 3> %q, %k, %k heads 4 kv_heads 2 scale 0.125 : !x, !z, !z -> !x
  return %o : !x
}

// Codewords propose; products of the keys themselves pick.
// CHECK-LABEL: func.func @ann_by_codewords
// CHECK-SAME: %[[Q:[a-z0-9]+]]: tensor<{{.*}}, %[[K:[a-z0-9]+]]: tensor<{{.*}}, %[[W:[a-z0-9]+]]: tensor<2x4x3x4xf32>
// CHECK: model.matmul
// CHECK: %[[D:.*]] = model.reshape %{{.*}} : {{.*}} -> tensor<?x?x32xf32, #model.dims<"b", "t", "32">>
// CHECK: %[[P:.*]] = sattn.score %[[Q]], %[[D]] heads 4 kv_heads 2 :
// CHECK: %[[C:.*]] = sattn.select <count 9.000000e+00> %[[P]] queries "s" keys "t" :
// CHECK: %[[S:.*]] = sattn.score %[[Q]], %[[K]] heads 4 kv_heads 2 :
// CHECK: sattn.select <count 5.000000e+00> %[[S]] among %[[C]] queries "s" keys "t" :
func.func @ann_by_codewords(%q: !x, %k: !z, %w: tensor<2x4x3x4xf32>) -> !x {
  %o = sattn.attention #sattn.ann<k = 5, method = pq, parts = 4, centroids = 3, candidates = 9> %q, %k, %k weights %w heads 4 kv_heads 2 scale 0.125 : !x, !z, !z weights tensor<2x4x3x4xf32> -> !x
  return %o : !x
}

// Blocks whose tokens differ are an index of their own.
// CHECK-LABEL: func.func @block_top_k_by_similarity
// CHECK: %[[A:.*]] = sattn.select <threshold 1.000000e+00> %{{.*}} queries "s" keys "s" causal :
// CHECK: %[[I:.*]] = sattn.select <count 2.000000e+00> %{{.*}} queries "s" keys "s" local 1 causal :
// CHECK: sattn.attend %{{.*}} over %[[I]], %[[A]] heads 4 kv_heads 4
func.func @block_top_k_by_similarity(%q: !x) -> !x {
  %o = sattn.attention #sattn.block_top_k<k = 2, similarity = 0.5> %q, %q, %q heads 4 kv_heads 4 scale 0.125 causal : !x, !x, !x -> !x
  return %o : !x
}

// Three attentions, of which that to means has a row of queries for each block, and one more.
// CHECK-LABEL: func.func @compressed_selected_window
// CHECK: %[[I:.*]] = sattn.select <count 2.000000e+00> %{{.*}} queries "s" keys "s" sinks 1 local 1 causal : {{.*}} -> <64 x 64 block, shape["b", "2",
// CHECK: model.attention %{{.*}} heads 128 kv_heads 2 {{.*}} causal : {{.*}}#model.dims<"b", "floordiv(s + 31, 32) + 1",
// CHECK: sattn.attend %{{.*}} over %[[I]] heads 4 kv_heads 2
// CHECK: %[[W:.*]] = sattn.bands before 9 after 0 sinks 0
// CHECK: sattn.attend %{{.*}} over %[[W]] heads 4 kv_heads 2
// CHECK: model.elementwise sigmoid
// CHECK-COUNT-2: model.elementwise add
func.func @compressed_selected_window(%q: !x, %k: !half, %g: tensor<64x12xf32>, %b: tensor<12xf32>) -> !x {
  %o = sattn.attention #sattn.compressed_selected_window<k = 2, local = 1, window = 10> %q, %k, %k weights %g, %b heads 4 kv_heads 2 scale 0.125 causal : !x, !half, !half weights tensor<64x12xf32>, tensor<12xf32> -> !x
  return %o : !x
}

// CHECK-LABEL: func.func @dense
// CHECK-NEXT: model.attention
// CHECK-NEXT: return
func.func @dense(%q: !x) -> !x {
  %o = model.attention %q, %q, %q heads 4 kv_heads 4 scale 1.0 : !x, !x, !x -> !x
  return %o : !x
}

// No index, and no scale.
// CHECK-LABEL: func.func @linear
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<{{.*}}, %[[M:[a-z0-9]+]]: tensor<?x1x1x?xf32
// CHECK-NEXT: %[[O:.*]] = sattn.linear_attend relu %[[X]], %[[X]], %[[X]] mask %[[M]] heads 4 kv_heads 4 causal :
// CHECK-NEXT: return %[[O]]
func.func @linear(%x: !x, %m: !m) -> !x {
  %o = sattn.attention #sattn.linear<feature = relu> %x, %x, %x mask %m heads 4 kv_heads 4 scale 0.125 causal
      : !x, !x, !x, !m -> !x
  return %o : !x
}
