// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which precision each layer is computed and stored in.
#ifndef TAMIS_PRECISION_PASSES
#define TAMIS_PRECISION_PASSES

include "mlir/Pass/PassBase.td"

def AssignPrecision : Pass<"tamis-assign-precision", "::mlir::func::FuncOp"> {
  let summary = "mark every layer with the precision that a policy gives it";
  let description = [{
    Layers are `model.linear` and `model.embedding` of f32 whose weight is known. Each that the policy does not leave
    in f32 gets the attribute `model.precision`, the text of what its weights, and with int8 its products, are to be;
    the driver's quantization follows it. A policy is one such text for all layers, `@FILE` of JSON, or JSON itself:
    ```json
    {"default": "int8", "layers": [{"weights": "*attention*", "precision": "f32"} ]}
    ```
    `weights` is the key of a layer's weight, where `*`, `?` and `[..]` stand for others; of the rules that fit, the
    first holds. (A weight that was merged from several has the key of the first.) The precision `mixed` stands for
    `bf16` where a linear makes queries, keys or values of a `model.attention` or reads its result, with no other layer
    between, and for `int8` elsewhere.
    ```mlir
    %w = model.weight "dense.weight" : tensor<8x4xf32>
    %y = model.linear %x, %w : tensor<2x8xf32>, tensor<8x4xf32> -> tensor<2x4xf32>
    // gets {model.precision = "int8"}
    ```
    Requires: a rule fits at least one layer, or the policy is one for another model, which is an error. Leaves: layers
    whose weight is computed, and those of other types.
  }];
  let options = [Option<"policy", "policy", "std::string", /*default=*/"\"f32\"", "a precision, @FILE.json, or JSON">];
  let statistics = [Statistic<"numMarked", "marked", "layers that are not left in f32">];
}

#endif // TAMIS_PRECISION_PASSES
