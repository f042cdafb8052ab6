// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sparsify phase: each attention gets a pattern, and the pattern becomes explicit selection.
#ifndef TAMIS_SPARSIFY_PASSES
#define TAMIS_SPARSIFY_PASSES

include "mlir/Pass/PassBase.td"

def RecognizeMasks : Pass<"tamis-recognize-masks", "::mlir::func::FuncOp"> {
  let summary = "say what masks that are known at compile time keep";
  let description = [{
    A mask that is computed from constants, weights and positions alone, bool or of 0 and numbers of -1e30 and less, says
    which pairs are kept. Where that follows a rule the rule takes its place: everything (no mask), causal order (the flag),
    a window with first keys (`#sattn.window`), other bands and own blocks (`sattn.bands`). This is found for dynamic sizes
    too, from comparisons of positions; the sides of a conjunction that are no rule stay as mask. Of other masks of static
    sizes the blocks that keep a pair become an index, when that leaves out a tenth of the work at least; the mask stays for the
    blocks that it keeps in part. Blocks are as wide as costs least, and heads that keep the same share them.
    A mask of finite numbers gives a row of which it keeps nothing the mean of all values; such masks stay.

    Requires: the graph phase. Leaves: every other mask.

    ```mlir
    %m = model.elementwise greater %k, %q_less_128 : ...   // key > query - 128
    %o = model.attention %q, %k, %v mask %m heads 12 kv_heads 12 scale 1.0e-01 causal : ...
    // becomes
    %o = sattn.attention #sattn.window<size = 128> %q, %k, %v heads 12 kv_heads 12 scale 1.0e-01 causal : ...
    ```
  }];
  let dependentDialects = ["::tamis::sattn::SattnDialect"];
  let statistics = [Statistic<"numClosed", "rules", "masks that follow a rule">,
                    Statistic<"numBlocks", "blocks", "masks that became an index of blocks">];
}

def SplitFullPartial : Pass<"tamis-split-full-partial", "::mlir::func::FuncOp"> {
  let summary = "split an index into full items and the others";
  let description = [{
    Of an index that is a constant, and a mask that is known at compile time or none, the items of 64 queries by 64 keys and
    more of which causal order and mask leave nothing out become an index of their own, which `sattn.attend` calls full.
    Where all items are full, order and mask go.

    Requires: tamis-lower-selection. Leaves: indices that are computed, closed forms.

    ```mlir
    %i = sattn.load_index %c : ...
    %o = sattn.attend %q, %k, %v over %i mask %m heads 12 kv_heads 12 scale 1.0e-01 : ...
    // becomes
    %p = sattn.load_index %partial : ...
    %f = sattn.load_index %whole : ...
    %o = sattn.attend %q, %k, %v over %p, %f full [1] mask %m heads 12 kv_heads 12 scale 1.0e-01 : ...
    ```
  }];
  let dependentDialects = ["::tamis::sattn::SattnDialect"];
  let statistics = [Statistic<"numSplit", "indices", "indices split">];
}

def ChoosePattern : Pass<"tamis-choose-pattern", "::mlir::func::FuncOp"> {
  let summary = "give every attention the pattern it reads its keys by";
  let description = [{
    `pattern` is written as on the command line, `window(size=128, sinks=4)`: the name of a pattern of the `sattn` dialect and
    its parameters. Empty or `dense` leaves every attention as it is. `@FILE` names a policy, rules by layer and head in
    JSON (passes/sparsify/Policy.h); layers are the attentions in program order. Heads of one attention that have different
    patterns become attentions of their own, over ranges of columns. A pattern's own weights are `model.weight`s named
    `attention.LAYER.NAME`, or `attention.LAYER.heads.FIRST-LAST.NAME`. Below `dense-below` keys attention stays dense:
    where their number is known at run time alone, a `select` chooses by it.

    Requires: the graph phase. Leaves: attention that has a pattern already.

    ```mlir
    %o = model.attention %q, %k, %v heads 12 kv_heads 12 scale 1.0e-01 : ...
    // becomes
    %o = sattn.attention #sattn.window<size = 128, sinks = 4> %q, %k, %v heads 12 kv_heads 12 scale 1.0e-01 : ...
    ```
  }];
  let options = [Option<"pattern", "pattern", "std::string", "\"\"", "name(parameter=value, ...), dense, or @FILE">,
                 Option<"denseBelow", "dense-below", "int64_t", "-1",
                        "attention of fewer keys stays dense; negative: as the policy says">];
  let dependentDialects = ["::tamis::sattn::SattnDialect"];
  let statistics = [Statistic<"numChosen", "attentions", "attentions that were given a pattern">];
}

def LowerSelection : Pass<"tamis-lower-selection", "::mlir::func::FuncOp"> {
  let summary = "write out what a pattern selects";
  let description = [{
    Replaces `sattn.attention` by the ops that its pattern selects with and a `sattn.attend` over what they select.

    Requires: nothing. Leaves: no `sattn.attention`.

    ```mlir
    %o = sattn.attention #sattn.window<size = 128> %q, %k, %v heads 12 kv_heads 12 scale 1.0e-01 : ...
    // becomes
    %i = sattn.bands before 127 after 127 sinks 0 queries "s" keys "s" : !sattn.index<1 x 1 token, ...>
    %o = sattn.attend %q, %k, %v over %i heads 12 kv_heads 12 scale 1.0e-01 : ...
    ```
  }];
  let dependentDialects = ["::tamis::sattn::SattnDialect"];
  let statistics = [Statistic<"numLowered", "attentions", "patterns written out">];
}

def ShareIndex : Pass<"tamis-share-index", "::mlir::func::FuncOp"> {
  let summary = "let layers read what an earlier one selects";
  let description = [{
    A policy's `share(LAYER)` leaves marks on attention (`sattn.selects_for`, `sattn.shares_index_of`: number of the layer and of
    the run of heads), which tamis-lower-selection hands on. An attention that shares reads the indices of the other, which
    must have the same types; its own selection is dead. Marks go.

    Requires: tamis-lower-selection. Leaves: attention without a mark.

    ```mlir
    %o = sattn.attend %q, %k, %v over %i ... {sattn.selects_for = array<i64: 2, 0>} : ...
    %p = sattn.attend %s, %t, %u over %j ... {sattn.shares_index_of = array<i64: 2, 0>} : ...
    // becomes
    %o = sattn.attend %q, %k, %v over %i ... : ...
    %p = sattn.attend %s, %t, %u over %i ... : ...
    ```
  }];
  let dependentDialects = ["::tamis::sattn::SattnDialect"];
  let statistics = [Statistic<"numShared", "attentions", "attentions that read the index of another">];
}

def StoreIndices : Pass<"tamis-store-indices", "::mlir::func::FuncOp"> {
  let summary = "pass indices and partial results from op to op as tensors";
  let description = [{
    Kernels exchange tensors. Each index that is made is stored, and loaded again before each op that reads it, and so is
    each partial result; what is loaded already, and closed forms (`sattn.bands`), of which nothing is stored, are repeated
    before each reader, and so are summaries, scores and weights that several selections read. Joining the rows of a
    selection (`sattn.coarsen`), or finding what lies on its diagonals, is part of it.

    Requires: tamis-lower-selection. Leaves: no index or partial result that leaves the ops of one kernel.

    ```mlir
    %i = sattn.select #sattn.budget<count 2.0> %s queries "s" keys "s" : ... -> !sattn.index<...>
    %o = sattn.attend %q, %k, %v over %i ...
    // becomes
    %i = sattn.select #sattn.budget<count 2.0> %s queries "s" keys "s" : ... -> !sattn.index<...>
    %t = sattn.store_index %i : !sattn.index<...> -> tensor<...xi32>
    %j = sattn.load_index %t : tensor<...xi32> -> !sattn.index<...>
    %o = sattn.attend %q, %k, %v over %j ...
    ```
  }];
  let dependentDialects = ["::tamis::sattn::SattnDialect"];
  let statistics = [Statistic<"numStored", "stored", "indices and partial results stored">];
}

#endif
