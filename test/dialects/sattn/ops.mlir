// RUN: tamis-opt %s | tamis-opt | FileCheck %s
// RUN: tamis-opt %s -emit-bytecode | tamis-opt --mlir-print-op-generic | tamis-opt | FileCheck %s
// Round trip of the type, of every op and of its options. The examples of the ops' descriptions are here word for word;
// test/house checks that.

!tokens = tensor<1x256x384xf32>
!blocks = !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">

// CHECK-LABEL: func.func private @index
// CHECK-SAME: !sattn.index<64 x 64 block, shape["b", "12", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "8">
// CHECK-SAME: !sattn.index<1 x 1 token, shape["1", "1", "s"], items "s", capacity "min(4, s)">
// CHECK-SAME: !sattn.index<0 x 16 page, shape["b", "1", "1"], items "n", capacity "n">
func.func private @index(
    !sattn.index<64 x 64 block, shape ["b", "12", "floordiv(s + 63, 64)"], items "floordiv(s + 63, 64)", capacity "8">,
    !sattn.index<1 x 1 token, shape ["1", "1", "s"], items "s", capacity "min(4, s)">,
    !sattn.index<0 x 16 page, shape ["b", "1", "1"], items "n", capacity "n">)

// CHECK-LABEL: func.func @attention
// CHECK: sattn.attention #sattn.window<size = 128> %{{.*}}, %{{.*}}, %{{.*}} heads 12 kv_heads 12 scale 0.17677669529663{{[0-9]*}} : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32> -> tensor<1x256x384xf32>
func.func @attention(%q: !tokens, %k: !tokens, %v: !tokens) {
  %o = sattn.attention #sattn.window<size = 128> %q, %k, %v heads 12 kv_heads 12 scale 1.767766952966369e-01
      : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32> -> tensor<1x256x384xf32>
  return
}

// CHECK-LABEL: func.func @attention_masked
// CHECK: sattn.attention #sattn.top_k<k = 4> %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} heads 4 kv_heads 2 scale 1.250000e-01 causal : {{.*}}, tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "t">> -> tensor<?x?x64xf16, #model.dims<"b", "s", "64">>
func.func @attention_masked(%q: tensor<?x?x64xf16, #model.dims<"b", "s", "64">>,
                            %k: tensor<?x?x32xf16, #model.dims<"b", "t", "32">>,
                            %m: tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "t">>) {
  %o = sattn.attention #sattn.top_k<k = 4> %q, %k, %k mask %m heads 4 kv_heads 2 scale 0.125 causal
      : tensor<?x?x64xf16, #model.dims<"b", "s", "64">>, tensor<?x?x32xf16, #model.dims<"b", "t", "32">>,
        tensor<?x?x32xf16, #model.dims<"b", "t", "32">>, tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "t">>
      -> tensor<?x?x64xf16, #model.dims<"b", "s", "64">>
  return
}

// A pattern that goes by places alone takes any mask.
// CHECK-LABEL: func.func @attention_mask_of_pairs
// CHECK: sattn.attention #sattn.window<size = 3, sinks = 1> %{{.*}} mask %{{.*}} : {{.*}}, tensor<1x1x256x256xf32> -> tensor
func.func @attention_mask_of_pairs(%q: !tokens, %m: tensor<1x1x256x256xf32>) {
  %o = sattn.attention #sattn.window<size = 3, sinks = 1> %q, %q, %q mask %m heads 12 kv_heads 12 scale 0.125
      : !tokens, !tokens, !tokens, tensor<1x1x256x256xf32> -> !tokens
  return
}

// CHECK-LABEL: func.func @summarize
// CHECK: sattn.summarize mean %{{.*}} heads 12 width 64 : tensor<1x256x384xf32> -> tensor<1x12x4x32xf32>
func.func @summarize(%k: !tokens) {
  %m = sattn.summarize mean %k heads 12 width 64 : tensor<1x256x384xf32> -> tensor<1x12x4x32xf32>
  return
}

// CHECK-LABEL: func.func @summarize_masked
// CHECK: sattn.summarize max %{{.*}} mask %{{.*}} heads 2 width 3 : tensor<?x?x8xf64, #model.dims<"b", "s", "8">>, tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">> -> tensor<?x2x?x4xf64, #model.dims<"b", "2", "floordiv(s + 2, 3)", "4">>
// CHECK: sattn.summarize min %
func.func @summarize_masked(%k: tensor<?x?x8xf64, #model.dims<"b", "s", "8">>,
                            %mask: tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>) {
  %most = sattn.summarize max %k mask %mask heads 2 width 3
      : tensor<?x?x8xf64, #model.dims<"b", "s", "8">>, tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
      -> tensor<?x2x?x4xf64, #model.dims<"b", "2", "floordiv(s + 2, 3)", "4">>
  %least = sattn.summarize min %k heads 1 width 1
      : tensor<?x?x8xf64, #model.dims<"b", "s", "8">> -> tensor<?x1x?x8xf64, #model.dims<"b", "1", "s", "8">>
  return
}

// CHECK-LABEL: func.func @summarize_wider
// CHECK: sattn.summarize bounds %{{.*}} heads 12 width 16 : tensor<1x256x384xf32> -> tensor<1x12x16x64xf32>
// CHECK: sattn.summarize signs %{{.*}} heads 12 width 1 : tensor<1x256x384xf32> -> tensor<1x12x256x64xf32>
// CHECK: sattn.summarize stack %{{.*}} heads 12 width 16 : tensor<1x256x384xf32> -> tensor<1x12x16x512xf32>
// CHECK: sattn.summarize stack_reversed %{{.*}} heads 12 width 16 : tensor<1x256x384xf32> -> tensor<1x12x16x512xf32>
func.func @summarize_wider(%k: !tokens) {
  %bounds = sattn.summarize bounds %k heads 12 width 16 : !tokens -> tensor<1x12x16x64xf32>
  %signs = sattn.summarize signs %k heads 12 width 1 : !tokens -> tensor<1x12x256x64xf32>
  %keys = sattn.summarize stack %k heads 12 width 16 : !tokens -> tensor<1x12x16x512xf32>
  %queries = sattn.summarize stack_reversed %k heads 12 width 16 : !tokens -> tensor<1x12x16x512xf32>
  return
}

// CHECK-LABEL: func.func @score
// CHECK: sattn.score %{{.*}}, %{{.*}} heads 12 kv_heads 12 : tensor<1x12x4x32xf32>, tensor<1x12x4x32xf32> -> tensor<1x12x4x4xf32>
func.func @score(%qm: tensor<1x12x4x32xf32>, %km: tensor<1x12x4x32xf32>) {
  %s = sattn.score %qm, %km heads 12 kv_heads 12 : tensor<1x12x4x32xf32>, tensor<1x12x4x32xf32> -> tensor<1x12x4x4xf32>
  return
}

// Either side may be tokens.
// CHECK-LABEL: func.func @score_tokens
// CHECK: sattn.score %{{.*}}, %{{.*}} heads 4 kv_heads 2 : tensor<1x4x3x8xf32>, tensor<1x20x16xf32> -> tensor<1x4x3x20xf32>
// CHECK: sattn.score %{{.*}}, %{{.*}} heads 2 kv_heads 2 : tensor<1x20x16xf32>, tensor<1x20x16xf32> -> tensor<1x2x20x20xf32>
func.func @score_tokens(%q: tensor<1x4x3x8xf32>, %k: tensor<1x20x16xf32>) {
  %s = sattn.score %q, %k heads 4 kv_heads 2 : tensor<1x4x3x8xf32>, tensor<1x20x16xf32> -> tensor<1x4x3x20xf32>
  %t = sattn.score %k, %k heads 2 kv_heads 2 : tensor<1x20x16xf32>, tensor<1x20x16xf32> -> tensor<1x2x20x20xf32>
  return
}

// CHECK-LABEL: func.func @score_agreement
// CHECK: sattn.score agreement %{{.*}}, %{{.*}} heads 2 kv_heads 1 : tensor<1x20x32xf32>, tensor<1x20x16xf32> -> tensor<1x2x20x20xf32>
func.func @score_agreement(%q: tensor<1x20x32xf32>, %k: tensor<1x20x16xf32>) {
  %s = sattn.score agreement %q, %k heads 2 kv_heads 1 : tensor<1x20x32xf32>, tensor<1x20x16xf32> -> tensor<1x2x20x20xf32>
  return
}

// CHECK-LABEL: func.func @score_weighted
// CHECK: sattn.score %{{.*}}, %{{.*}} weights %{{.*}} heads 4 kv_heads 1 : tensor<1x20x32xf32>, tensor<1x20x8xf32> weights tensor<1x20x4xf32> -> tensor<1x1x20x20xf32>
func.func @score_weighted(%q: tensor<1x20x32xf32>, %k: tensor<1x20x8xf32>, %w: tensor<1x20x4xf32>) {
  %s = sattn.score %q, %k weights %w heads 4 kv_heads 1
      : tensor<1x20x32xf32>, tensor<1x20x8xf32> weights tensor<1x20x4xf32> -> tensor<1x1x20x20xf32>
  return
}

// CHECK-LABEL: func.func @weigh
// CHECK: sattn.weigh blocks %{{.*}} scale 2.500000e-01 width 16 rows 8 columns 8 queries "256" keys "256" causal : tensor<1x12x16x16xf32> -> tensor<1x12x2x2xf32>
func.func @weigh(%s: tensor<1x12x16x16xf32>) {
  %w = sattn.weigh blocks %s scale 2.500000e-01 width 16 rows 8 columns 8 queries "256" keys "256" causal
      : tensor<1x12x16x16xf32> -> tensor<1x12x2x2xf32>
  return
}

// CHECK-LABEL: func.func @weigh_diagonals
// CHECK: sattn.weigh diagonals %{{.*}} mask %{{.*}} scale 1.000000e+00 width 1 rows 0 columns 1 queries "min(64, s)" keys "s" causal : tensor<?x4x?x?xf32, {{.*}}> mask tensor<?x1x1x?xi1, {{.*}}> -> tensor<?x4x1x?xf32, #model.dims<"b", "4", "1", "s">>
func.func @weigh_diagonals(%s: tensor<?x4x?x?xf32, #model.dims<"b", "4", "min(64, s)", "s">>,
                           %m: tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>) {
  %w = sattn.weigh diagonals %s mask %m scale 1.0 width 1 rows 0 columns 1 queries "min(64, s)" keys "s" causal
      : tensor<?x4x?x?xf32, #model.dims<"b", "4", "min(64, s)", "s">> mask tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
      -> tensor<?x4x1x?xf32, #model.dims<"b", "4", "1", "s">>
  return
}

// CHECK-LABEL: func.func @diagonals
// CHECK: sattn.diagonals %{{.*}} queries "256" keys "256" : <0 x 1 token, shape["1", "12", "1"], items "256", capacity "9"> -> <64 x 64 block, shape["1", "12", "4"], items "4", capacity "4">
func.func @diagonals(%d: !sattn.index<0 x 1 token, shape ["1", "12", "1"], items "256", capacity "9">) {
  %b = sattn.diagonals %d queries "256" keys "256"
      : !sattn.index<0 x 1 token, shape ["1", "12", "1"], items "256", capacity "9">
      -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "4">
  return
}

// CHECK-LABEL: func.func @select
// CHECK: sattn.select <count 2.000000e+00> %{{.*}} queries "256" keys "256" local 1 : tensor<1x12x4x4xf32> -> <64 x 64 block, shape["1", "12", "4"], items "4", capacity "2">
func.func @select(%s: tensor<1x12x4x4xf32>) {
  %i = sattn.select #sattn.budget<count 2.000000e+00> %s queries "256" keys "256" local 1
      : tensor<1x12x4x4xf32> -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
  return
}

// CHECK-LABEL: func.func @select_among
// CHECK: sattn.select <mass 9.000000e-01> %{{.*}} among %{{.*}} mask %{{.*}} queries "s" keys "t" sinks 2 local 3 causal : tensor<?x4x?x?xf32, {{.*}}>, among !sattn.index<1 x 1 token, shape["1", "1", "s"], items "t", capacity "t"> mask tensor<?x1x1x?xi1, {{.*}}> -> <1 x 1 token
func.func @select_among(%s: tensor<?x4x?x?xf32, #model.dims<"b", "4", "s", "t">>,
                        %mask: tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "t">>) {
  %band = sattn.bands before 5 after 0 sinks 0 queries "s" keys "t"
      : !sattn.index<1 x 1 token, shape ["1", "1", "s"], items "t", capacity "t">
  %i = sattn.select #sattn.budget<mass 0.9> %s among %band mask %mask queries "s" keys "t" sinks 2 local 3 causal
      : tensor<?x4x?x?xf32, #model.dims<"b", "4", "s", "t">>,
        among !sattn.index<1 x 1 token, shape ["1", "1", "s"], items "t", capacity "t">
        mask tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "t">>
      -> !sattn.index<1 x 1 token, shape ["b", "4", "s"], items "t", capacity "t">
  return
}

// CHECK-LABEL: func.func @select_masked
// CHECK: sattn.select <quantile 5.000000e-01> %{{.*}} mask %{{.*}} queries "4" keys "4" : tensor<1x1x4x4xf32> mask tensor<1x1x1x4xi1> -> <1 x 1 token
func.func @select_masked(%s: tensor<1x1x4x4xf32>, %mask: tensor<1x1x1x4xi1>) {
  %i = sattn.select #sattn.budget<quantile 0.5> %s mask %mask queries "4" keys "4"
      : tensor<1x1x4x4xf32> mask tensor<1x1x1x4xi1>
      -> !sattn.index<1 x 1 token, shape ["1", "1", "4"], items "4", capacity "4">
  return
}

// CHECK-LABEL: func.func @bands
// CHECK: sattn.bands before 127 after 0 sinks 4 queries "256" keys "256" : <1 x 1 token, shape["1", "1", "256"], items "256", capacity "132">
// CHECK: sattn.bands before 0 after 0 sinks 0 queries "256" keys "256" : <64 x 64 block, shape["1", "1", "4"], items "4", capacity "1">
func.func @bands() {
  %window = sattn.bands before 127 after 0 sinks 4 queries "256" keys "256"
      : !sattn.index<1 x 1 token, shape ["1", "1", "256"], items "256", capacity "132">
  %own_block = sattn.bands before 0 after 0 sinks 0 queries "256" keys "256"
      : !sattn.index<64 x 64 block, shape ["1", "1", "4"], items "4", capacity "1">
  return
}

// CHECK-LABEL: func.func @coarsen
// CHECK: sattn.coarsen %{{.*}} : <64 x 1 token, shape["1", "12", "4"], items "256", capacity "2"> -> <0 x 1 token, shape["1", "12", "1"], items "256", capacity "8">
func.func @coarsen(%i: !sattn.index<64 x 1 token, shape ["1", "12", "4"], items "256", capacity "2">) {
  %all = sattn.coarsen %i : !sattn.index<64 x 1 token, shape ["1", "12", "4"], items "256", capacity "2">
      -> !sattn.index<0 x 1 token, shape ["1", "12", "1"], items "256", capacity "8">
  return
}

// CHECK-LABEL: func.func @attend
// CHECK: sattn.attend %{{.*}}, %{{.*}}, %{{.*}} over %{{.*}} heads 12 kv_heads 12 scale 0.17677669529663{{[0-9]*}} : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32>, over !sattn.index<64 x 64 block, {{.*}}> -> tensor<1x256x384xf32>
func.func @attend(%q: !tokens, %k: !tokens, %v: !tokens, %i: !blocks) {
  %o = sattn.attend %q, %k, %v over %i heads 12 kv_heads 12 scale 1.767766952966369e-01
      : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32>,
        over !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2"> -> tensor<1x256x384xf32>
  return
}

// The second index holds items of which neither mask nor order leaves anything out.
// CHECK-LABEL: func.func @attend_full
// CHECK: sattn.attend %{{.*}}, %{{.*}}, %{{.*}} over %{{.*}}, %{{.*}} full [1] mask %{{.*}} heads 12
func.func @attend_full(%q: !tokens, %i: !blocks, %f: !blocks, %mask: tensor<1x1x256x256xi1>) {
  %o = sattn.attend %q, %q, %q over %i, %f full [1] mask %mask heads 12 kv_heads 12 scale 0.1
      : !tokens, !tokens, !tokens, over !blocks, !blocks mask tensor<1x1x256x256xi1> -> !tokens
  return
}

// Indices of fewer heads, of one batch item, of other rows and columns.
// CHECK-LABEL: func.func @attend_union
// CHECK: sattn.attend %{{.*}}, %{{.*}}, %{{.*}} over %{{.*}}, %{{.*}} mask %{{.*}} heads 4 kv_heads 2 scale 1.000000e+00 causal : {{.*}}, over !sattn.index<2 x 3 block, {{.*}}>, !sattn.index<0 x 1 token, {{.*}}> mask tensor<2x1x1x9xf32> -> tensor<2x5x8xf32>
func.func @attend_union(%q: tensor<2x5x8xf32>, %k: tensor<2x9x4xf32>, %mask: tensor<2x1x1x9xf32>,
                        %i: !sattn.index<2 x 3 block, shape ["1", "1", "3"], items "3", capacity "3">,
                        %j: !sattn.index<0 x 1 token, shape ["2", "2", "1"], items "9", capacity "4">) {
  %o = sattn.attend %q, %k, %k over %i, %j mask %mask heads 4 kv_heads 2 scale 1.0 causal
      : tensor<2x5x8xf32>, tensor<2x9x4xf32>, tensor<2x9x4xf32>,
        over !sattn.index<2 x 3 block, shape ["1", "1", "3"], items "3", capacity "3">,
        !sattn.index<0 x 1 token, shape ["2", "2", "1"], items "9", capacity "4"> mask tensor<2x1x1x9xf32>
      -> tensor<2x5x8xf32>
  return
}

// CHECK-LABEL: func.func @compact
// CHECK: sattn.compact %{{.*}} by %{{.*}} : tensor<2x256x384xf32>, <0 x 1 token, shape["2", "1", "1"], items "256", capacity "39"> -> tensor<2x39x384xf32>
func.func @compact(%x: tensor<2x256x384xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39">) {
  %c = sattn.compact %x by %i : tensor<2x256x384xf32>,
      !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39"> -> tensor<2x39x384xf32>
  return
}

// CHECK-LABEL: func.func @expand
// CHECK: sattn.expand %{{.*}} by %{{.*}} : tensor<2x39x384xf32>, <0 x 1 token, shape["2", "1", "1"], items "256", capacity "39"> -> tensor<2x256x384xf32>
func.func @expand(%c: tensor<2x39x384xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39">) {
  %x = sattn.expand %c by %i : tensor<2x39x384xf32>,
      !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39"> -> tensor<2x256x384xf32>
  return
}

// CHECK-LABEL: func.func @compact_dynamic
// CHECK: sattn.compact %{{.*}} -> tensor<?x?x8xf32, #model.dims<"b", "min(4, s)", "8">>
func.func @compact_dynamic(%x: tensor<?x?x8xf32, #model.dims<"b", "s", "8">>, %i: !sattn.index<0 x 1 token, shape ["b", "1", "1"], items "s", capacity "min(4, s)">) {
  %c = sattn.compact %x by %i : tensor<?x?x8xf32, #model.dims<"b", "s", "8">>,
      !sattn.index<0 x 1 token, shape ["b", "1", "1"], items "s", capacity "min(4, s)">
      -> tensor<?x?x8xf32, #model.dims<"b", "min(4, s)", "8">>
  return
}

// CHECK-LABEL: func.func @attend_at
// CHECK: sattn.attend_at %{{.*}} at %{{.*}} heads 12 kv_heads 12 scale 0.17677669{{.*}} causal : tensor<2x39x384xf32>, tensor<2x256x384xf32>, tensor<2x256x384xf32>, at <0 x 1 token, shape["2", "1", "1"], items "256", capacity "39"> -> tensor<2x39x384xf32>
// CHECK: sattn.attend_at %{{.*}} at %{{.*}} mask %{{.*}} heads 12 kv_heads 12 scale 1.000000e+00 : {{.*}} mask tensor<2x1x1x256xf32> -> tensor<2x39x384xf32>
func.func @attend_at(%c: tensor<2x39x384xf32>, %k: tensor<2x256x384xf32>, %v: tensor<2x256x384xf32>,
    %m: tensor<2x1x1x256xf32>, %i: !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39">) {
  %o = sattn.attend_at %c, %k, %v at %i heads 12 kv_heads 12 scale 1.767766952966369e-01 causal
      : tensor<2x39x384xf32>, tensor<2x256x384xf32>, tensor<2x256x384xf32>,
        at !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39"> -> tensor<2x39x384xf32>
  %p = sattn.attend_at %c, %k, %v at %i mask %m heads 12 kv_heads 12 scale 1.0
      : tensor<2x39x384xf32>, tensor<2x256x384xf32>, tensor<2x256x384xf32>,
        at !sattn.index<0 x 1 token, shape ["2", "1", "1"], items "256", capacity "39"> mask tensor<2x1x1x256xf32>
      -> tensor<2x39x384xf32>
  return
}

// CHECK-LABEL: func.func @store_index
// CHECK: sattn.store_index %{{.*}} : <64 x 64 block, shape["1", "12", "4"], items "4", capacity "2"> -> tensor<1x12x4x3xi32>
func.func @store_index(%i: !blocks) {
  %t = sattn.store_index %i
      : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2"> -> tensor<1x12x4x3xi32>
  return
}

// CHECK-LABEL: func.func @store_index_dynamic
// CHECK: sattn.store_index %{{.*}} -> tensor<?x2x?x?xi32, #model.dims<"b", "2", "s", "min(4, s) + 1">>
func.func @store_index_dynamic(%i: !sattn.index<1 x 1 token, shape ["b", "2", "s"], items "s", capacity "min(4, s)">) {
  %t = sattn.store_index %i : !sattn.index<1 x 1 token, shape ["b", "2", "s"], items "s", capacity "min(4, s)">
      -> tensor<?x2x?x?xi32, #model.dims<"b", "2", "s", "min(4, s) + 1">>
  return
}

// CHECK-LABEL: func.func @load_index
// CHECK: sattn.load_index %{{.*}} : tensor<1x12x4x3xi32> -> <64 x 64 block, shape["1", "12", "4"], items "4", capacity "2">
func.func @load_index(%t: tensor<1x12x4x3xi32>) {
  %i = sattn.load_index %t
      : tensor<1x12x4x3xi32> -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
  return
}

// CHECK-LABEL: func.func @linear_attend
// CHECK: sattn.linear_attend elu1 %{{.*}}, %{{.*}}, %{{.*}} heads 12 kv_heads 12 : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32> -> tensor<1x256x384xf32>
// CHECK: sattn.linear_attend relu %{{.*}} mask %{{.*}} heads 12 kv_heads 12 causal : {{.*}}, tensor<1x1x1x256xi1> -> tensor<1x256x384xf32>
func.func @linear_attend(%q: !tokens, %k: !tokens, %v: !tokens, %m: tensor<1x1x1x256xi1>) {
  %o = sattn.linear_attend elu1 %q, %k, %v heads 12 kv_heads 12
      : tensor<1x256x384xf32>, tensor<1x256x384xf32>, tensor<1x256x384xf32> -> tensor<1x256x384xf32>
  %r = sattn.linear_attend relu %q, %k, %v mask %m heads 12 kv_heads 12 causal
      : !tokens, !tokens, !tokens, tensor<1x1x1x256xi1> -> !tokens
  return
}

!few = !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "1">
!pages = !sattn.index<64 x 64 page, shape ["1", "12", "4"], items "4", capacity "2">

// CHECK-LABEL: func.func @union
// CHECK: sattn.union %{{.*}}, %{{.*}} : !sattn.index<64 x 64 block, shape["1", "12", "4"], items "4", capacity "1">, !sattn.index<64 x 64 block, {{.*}} capacity "2"> -> <64 x 64 block, {{.*}} capacity "3">
func.func @union(%i: !few, %j: !blocks) {
  %u = sattn.union %i, %j : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "1">,
      !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
      -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "3">
  return
}

// CHECK-LABEL: func.func @intersect
// CHECK: sattn.intersect %{{.*}}, %{{.*}} : !sattn.index<64 x 64 block, {{.*}} -> <64 x 64 block, {{.*}} capacity "1">
func.func @intersect(%i: !few, %j: !blocks) {
  %u = sattn.intersect %i, %j : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "1">,
      !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
      -> !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "1">
  return
}

// CHECK-LABEL: func.func @refine
// CHECK: sattn.refine %{{.*}} keys "256" : <64 x 64 block, {{.*}} -> <64 x 16 block, {{.*}} items "16", capacity "8">
// CHECK: sattn.refine %{{.*}} keys "256" : <64 x 64 page, {{.*}} -> <64 x 64 block,
// CHECK: sattn.refine %{{.*}} keys "256" : <64 x 64 block, {{.*}} -> <64 x 1 token, {{.*}} items "256", capacity "128">
func.func @refine(%i: !blocks, %p: !pages) {
  %r = sattn.refine %i keys "256" : !sattn.index<64 x 64 block, shape ["1", "12", "4"], items "4", capacity "2">
      -> !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">
  %b = sattn.refine %p keys "256" : !pages -> !blocks
  %t = sattn.refine %i keys "256" : !blocks
      -> !sattn.index<64 x 1 token, shape ["1", "12", "4"], items "256", capacity "128">
  return
}

// CHECK-LABEL: func.func @coarsen_columns
// CHECK: sattn.coarsen %{{.*}} keys "256" : <64 x 64 block, {{.*}} -> <128 x 128 page, {{.*}} items "2", capacity "2">
func.func @coarsen_columns(%i: !blocks) {
  %c = sattn.coarsen %i keys "256" : !blocks
      -> !sattn.index<128 x 128 page, shape ["1", "12", "2"], items "2", capacity "2">
  return
}

// CHECK-LABEL: func.func @transpose
// CHECK: sattn.transpose %{{.*}} : <64 x 16 block, {{.*}} -> <16 x 64 block, shape["1", "12", "16"], items "4", capacity "4">
func.func @transpose(%i: !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">) {
  %t = sattn.transpose %i : !sattn.index<64 x 16 block, shape ["1", "12", "4"], items "16", capacity "8">
      -> !sattn.index<16 x 64 block, shape ["1", "12", "16"], items "4", capacity "4">
  return
}

// CHECK-LABEL: func.func @share
// CHECK: sattn.share %{{.*}} heads [0, 0, 1, 1] : <64 x 64 block, shape["1", "2", "4"], {{.*}} -> <64 x 64 block, shape["1", "4", "4"],
func.func @share(%i: !sattn.index<64 x 64 block, shape ["1", "2", "4"], items "4", capacity "2">) {
  %s = sattn.share %i heads [0, 0, 1, 1] : !sattn.index<64 x 64 block, shape ["1", "2", "4"], items "4", capacity "2">
      -> !sattn.index<64 x 64 block, shape ["1", "4", "4"], items "4", capacity "2">
  return
}

!partial = !sattn.partial<["1", "12", "256", "32"]>

// CHECK-LABEL: func.func private @partial
// CHECK-SAME: !sattn.partial<["b", "12", "s", "32"]>
func.func private @partial(!sattn.partial<["b", "12", "s", "32"]>)

// CHECK-LABEL: func.func @attend_partial
// CHECK: sattn.attend %{{.*}} over %{{.*}} heads 12 kv_heads 12 scale 1.250000e-01 : {{.*}} -> !sattn.partial<["1", "12", "256", "32"]>
func.func @attend_partial(%q: !tokens, %i: !blocks) {
  %o = sattn.attend %q, %q, %q over %i heads 12 kv_heads 12 scale 0.125
      : !tokens, !tokens, !tokens, over !blocks -> !partial
  return
}

// CHECK-LABEL: func.func @merge
// CHECK: sattn.merge %{{.*}}, %{{.*}} : !sattn.partial<["1", "12", "256", "32"]>, !sattn.partial<["1", "12", "256", "32"]> -> tensor<1x256x384xf32>
// CHECK: sattn.merge %{{.*}} -> !sattn.partial<["1", "12", "256", "32"]>
func.func @merge(%x: !partial, %y: !partial) {
  %o = sattn.merge %x, %y : !sattn.partial<["1", "12", "256", "32"]>, !sattn.partial<["1", "12", "256", "32"]>
      -> tensor<1x256x384xf32>
  %p = sattn.merge %x, %y, %x : !partial, !partial, !partial -> !partial
  return
}

// CHECK-LABEL: func.func @partials_in_memory
// CHECK: sattn.store_partial %{{.*}} : <["1", "12", "256", "32"]> -> tensor<1x12x256x33xf32>
// CHECK: sattn.load_partial %{{.*}} : tensor<1x12x256x33xf32> -> <["1", "12", "256", "32"]>
func.func @partials_in_memory(%x: !partial) {
  %t = sattn.store_partial %x : !sattn.partial<["1", "12", "256", "32"]> -> tensor<1x12x256x33xf32>
  func.call @stored(%t) : (tensor<1x12x256x33xf32>) -> ()
  return
}
func.func @stored(%t: tensor<1x12x256x33xf32>) {
  %x = sattn.load_partial %t : tensor<1x12x256x33xf32> -> !sattn.partial<["1", "12", "256", "32"]>
  return
}
