// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sparsify phase: each attention gets a pattern, and the pattern becomes explicit selection.
#ifndef TAMIS_SPARSIFY_PASSES
#define TAMIS_SPARSIFY_PASSES

include "mlir/Pass/PassBase.td"

def ChoosePattern : Pass<"tamis-choose-pattern", "::mlir::func::FuncOp"> {
  let summary = "give every attention the pattern it reads its keys by";
  let description = [{
    `pattern` is written as on the command line, `window(size=128, sinks=4)`: the name of a pattern of the `sattn` dialect and
    its parameters. Empty or `dense` leaves every attention as it is.

    Requires: the graph phase. Leaves: attention that has a pattern already.

    ```mlir
    %o = model.attention %q, %k, %v heads 12 kv_heads 12 scale 1.0e-01 : ...
    // becomes
    %o = sattn.attention #sattn.window<size = 128, sinks = 4> %q, %k, %v heads 12 kv_heads 12 scale 1.0e-01 : ...
    ```
  }];
  let options = [Option<"pattern", "pattern", "std::string", "\"\"", "name(parameter=value, ...), or dense">];
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

def StoreIndices : Pass<"tamis-store-indices", "::mlir::func::FuncOp"> {
  let summary = "pass indices from op to op as tensors";
  let description = [{
    Kernels exchange tensors. Each index that is selected is stored, and loaded again before each op that reads it; closed
    forms (`sattn.bands`) are repeated before each reader instead, since nothing of them is stored.

    Requires: tamis-lower-selection. Leaves: no index that leaves the ops of one kernel.

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
  let statistics = [Statistic<"numStored", "stored", "indices stored">];
}

#endif
