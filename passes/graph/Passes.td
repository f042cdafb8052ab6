// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The graph phase: `model` as exporters write it becomes `model` as papers write it.
#ifndef TAMIS_GRAPH_PASSES
#define TAMIS_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

def SimplifyIndexing : Pass<"tamis-simplify-indexing", "::mlir::func::FuncOp"> {
  let summary = "turn index arithmetic into views and truths";
  let description = [{
    Exporters write masks and positions as arithmetic on ranges. Where the indices of a `model.gather` or
    `model.gather_nd` are affine in their coordinates and provably inside the data, the gather is a slice, a reshape,
    a transpose and a broadcast, which move nothing; where a comparison of affine tensors has one outcome, it is that.
    ```mlir
    %i = model.iota "0" step "1" : tensor<?xi64, #model.dims<"s">>
    %g = model.gather %x, %i axis 1 : tensor<4x?xf32, #model.dims<"4", "s">>, tensor<?xi64, #model.dims<"s">>
        -> tensor<4x?xf32, #model.dims<"4", "s">>
    // %g becomes %x
    ```
    Requires: ranges of symbols in `model.symbols`; undeclared ones are 0 or more. Leaves: gathers by data, indices
    whose range is not known, `gather_nd` with `batch_dims`.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numGathers", "gathers", "gathers turned into views">,
                    Statistic<"numComparisons", "comparisons", "comparisons decided">];
}

def SinkReshapes : Pass<"tamis-sink-reshapes", "::mlir::func::FuncOp"> {
  let summary = "move reshapes towards the results until they cancel";
  let description = [{
    Moves a reshape from before an op to behind it where the op does not care: `linear`, `norm` and `softmax` along
    axes that the reshape keeps, `activation` and `cast`, and elementwise ops of which every operand is reshaped
    alike, a single number, or broadcast along kept last axes. A batched `matmul` whose leading axis is a product
    (`batch*heads`) is split into its factors. Where a reshape undoes that of an elementwise op's operand, the other
    operands are reshaped instead.
    ```mlir
    %r = model.reshape %x : tensor<2x3x8xf32> -> tensor<6x8xf32>
    %y = model.linear %r, %w : tensor<6x8xf32>, tensor<8x4xf32> -> tensor<6x4xf32>
    // becomes model.reshape (model.linear %x, %w)
    ```
    Requires: nothing. Leaves: reshapes that split or merge the axes an op works along.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numSunk", "sunk", "reshapes moved behind an op">];
}

def RaiseEmbedding : Pass<"tamis-raise-embedding", "::mlir::func::FuncOp"> {
  let summary = "recognise table look-ups";
  let description = [{
    A `model.gather` of rows of a static matrix that is known at compile time becomes `model.embedding`.
    ```mlir
    %e = model.gather %table, %ids axis 0 : tensor<30522x384xf32>, tensor<2x7xi64> -> tensor<2x7x384xf32>
    // becomes model.embedding %table, %ids
    ```
    Requires: nothing. Leaves: gathers along other axes, of computed data or of integers.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numRaised", "raised", "embeddings recognised">];
}

def RaiseLinear : Pass<"tamis-raise-linear", "::mlir::func::FuncOp"> {
  let summary = "recognise dense layers";
  let description = [{
    A `model.matmul` by a matrix known at compile time becomes `model.linear`, transposed if the matrix is; a vector
    known at compile time that is added to a `model.linear` without a bias, also behind a reshape that keeps the last
    axis, becomes its bias.
    ```mlir
    %m = model.matmul %x, %w : tensor<2x3x8xf32>, tensor<8x4xf32> -> tensor<2x3x4xf32>
    %y = model.elementwise add %m, %b : (tensor<2x3x4xf32>, tensor<4xf32>) -> tensor<2x3x4xf32>
    // becomes model.linear %x, %w bias %b
    ```
    Requires: nothing. Leaves: products of computed tensors, weights of rank 3 and more.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numRaised", "raised", "matmuls that became dense layers">,
                    Statistic<"numBiases", "biases", "additions that became biases">];
}

def RaiseIntegerLinear : Pass<"tamis-raise-integer-linear", "::mlir::func::FuncOp"> {
  let summary = "recognise dense layers of integers";
  let description = [{
    A `model.linear` of f32 whose input is `model.dequantize` of bytes with one scale, also behind a reshape, and whose
    weight is that of known integers of 4 or 8 bits with one scale or one a column, becomes `model.integer_linear`, a
    cast and products with both scales. The sums are exact, where those of f32 are rounded.
    ```mlir
    %0 = model.dequantize %q scale %s zero_point %z : tensor<4x8xui8>, tensor<f32>, tensor<ui8> -> tensor<4x8xf32>
    %1 = model.dequantize %w scale %t : tensor<8x2xi8>, tensor<2xf32> -> tensor<8x2xf32>
    %y = model.linear %0, %1 : tensor<4x8xf32>, tensor<8x2xf32> -> tensor<4x2xf32>
    // becomes model.integer_linear %q, %w input_zero_point %z, its cast, times %s, times %t
    ```
    Requires: tamis-raise-linear, and that reshapes have moved. Leaves: other quantized layers, whose integers become
    numbers before they are multiplied.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numRaised", "raised", "dense layers that multiply integers">];
}

def RaiseNorms : Pass<"tamis-raise-norms", "::mlir::func::FuncOp"> {
  let summary = "recognise layer and RMS normalisation";
  let description = [{
    With d = x - mean(x) for `layer` and d = x for `rms`: d / sqrt(mean(d^2) + epsilon), the mean over the last axes,
    in any of the spellings of exporters (`pow` 2 or d * d; division by `sqrt`, or a product with `rsqrt`,
    `reciprocal` of `sqrt`, or `pow` -0.5), becomes `model.norm`. A factor and then a summand known at compile time
    become its scale and bias.
    ```mlir
    %m = model.reduce mean %x axes [1] : tensor<4x8xf32> -> tensor<4x1xf32>
    %d = model.elementwise sub %x, %m : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    // ..
    %y = model.elementwise div %d, %s : (tensor<4x8xf32>, tensor<4x1xf32>) -> tensor<4x8xf32>
    // becomes model.norm layer %x axis 1 epsilon 1.0e-12
    ```
    Requires: nothing. Leaves: means over other than the last axes, or over dynamic sizes.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numRaised", "raised", "normalisations recognised">,
                    Statistic<"numParameters", "parameters", "scales and biases taken in">];
}

def RaiseActivations : Pass<"tamis-raise-activations", "::mlir::func::FuncOp"> {
  let summary = "recognise activation functions";
  let description = [{
    Products of x, numbers and one factor a + b f(p(x)), with f of `erf`, `tanh` and `sigmoid` and a polynomial p,
    become `gelu`, `gelu_tanh`, `quick_gelu` or `silu` when a, b and p are those of the function to one part in ten
    thousand; `maximum` of x and 0 becomes `relu`, and its square `relu2`.
    ```mlir
    %s = model.elementwise sigmoid %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
    %y = model.elementwise mul %x, %s : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
    // becomes model.activation silu %x
    ```
    Requires: nothing. Leaves: functions with other constants.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numRaised", "raised", "activations recognised">];
}

def RaiseAttention : Pass<"tamis-raise-attention", "::mlir::func::FuncOp"> {
  let summary = "recognise scaled dot-product attention";
  let description = [{
    softmax(c q k^T + mask) v over [batch, heads, ..] operands becomes `model.attention`, however the parts are spelt:
    numbers that scale the scores, q or k, in front of or behind views; float masks that are added; masks that select
    between a score and -inf (or a number so low that it swallows any score); the clean-up of the softmax of rows
    without keys, select(isnan(p), 0, p); keys and values repeated for groups of heads. Heads are merged into and
    split from the last axis by views, which cancel with those of the projections. Rank 3 operands are attention of
    one head.
    ```mlir
    %s = model.matmul %q, %kt : tensor<1x2x5x8xf32>, tensor<1x2x8x5xf32> -> tensor<1x2x5x5xf32>
    %p = model.softmax %s axis 3 : tensor<1x2x5x5xf32>
    %o = model.matmul %p, %v : tensor<1x2x5x5xf32>, tensor<1x2x5x8xf32> -> tensor<1x2x5x8xf32>
    // becomes model.attention heads 2 kv_heads 2 scale 1.0 between a transpose and reshape on either side
    ```
    The clean-up also hides scores that are NaN; attention does not. Requires: canonical IR. Leaves: scores with other
    uses stay for those; softmax along other axes, heads of dynamic number or width.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numRaised", "raised", "attentions recognised">];
}

def SimplifyMasks : Pass<"tamis-simplify-masks", "::mlir::func::FuncOp"> {
  let summary = "give attention the smallest mask that says the same";
  let description = [{
    Broadcasts in front of the mask go, since attention repeats it by itself. A float mask select(keep, 0, -inf)
    becomes the bool mask `keep`; one with a finite low number stays, because a row without keys then attends to all
    alike, not to none. A mask that keeps everything goes. A bool mask, or one side of its `and`, that compares
    positions so that query i keeps keys up to i + K - Q becomes `causal`.
    ```mlir
    %m = model.elementwise select %keep, %zero, %inf : (tensor<2x1x1x5xi1>, tensor<f32>, tensor<f32>)
        -> tensor<2x1x1x5xf32>
    // as the mask of an attention becomes %keep
    ```
    Requires: canonical IR. Leaves: masks that come from data.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numSimplified", "simplified", "masks made smaller">,
                    Statistic<"numCausal", "causal", "masks that became the causal flag">];
}

def WidenHalf : Pass<"tamis-widen-half", "::mlir::func::FuncOp"> {
  let summary = "compute models of 16-bit floats in f32";
  let description = [{
    Every op of f16 or bf16 values computes in f32; arguments, weights and constants are cast where they are read, results
    of the function to their declared type. Casts from f32 to 16 bits and back go: values between ops are not rounded.
    ```mlir
    %y = model.elementwise add %x, %x : (tensor<2xf16>, tensor<2xf16>) -> tensor<2xf16>
    // becomes model.cast (model.elementwise add (model.cast %x), (model.cast %x)), the sum of f32
    ```
    Requires: nothing. Leaves: roundings of wider types to 16 bits.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numWidened", "widened", "ops that compute in f32">];
}

def MergeLinears : Pass<"tamis-merge-linears", "::mlir::func::FuncOp"> {
  let summary = "compute dense layers of one input in one go";
  let description = [{
    Dense layers of the same input whose results meet again in one op, alone or through unary ops and views (the
    query, key and value of an attention, the two halves of a gated MLP), become one `model.linear` with their weights
    side by side, and slices of its result. Weights and biases are joined by `model.concat`, evaluated when weights
    are packed.
    ```mlir
    %a = model.linear %x, %wa : tensor<2x8xf32>, tensor<8x4xf32> -> tensor<2x4xf32>
    %b = model.linear %x, %wb : tensor<2x8xf32>, tensor<8x4xf32> -> tensor<2x4xf32>
    %y = model.elementwise mul %a, %b : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    // %a and %b become slices of model.linear %x, (model.concat %wa, %wb axis 1) -> tensor<2x8xf32>
    ```
    Requires: weights known at compile time. Leaves: layers whose results go separate ways.
  }];
  let dependentDialects = ["::tamis::model::ModelDialect"];
  let statistics = [Statistic<"numMerged", "merged", "dense layers that became part of another">];
}

#endif
