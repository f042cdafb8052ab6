// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that bear the names of a transformer's parts.
#ifndef TAMIS_MODEL_TRANSFORMER_OPS
#define TAMIS_MODEL_TRANSFORMER_OPS

include "dialects/model/ModelBase.td"

def Model_LinearOp : Model_Op<"linear", [Pure]> {
  let summary = "a dense layer";
  let description = [{
    `result[.., n] = sum_k input[.., k] * w[k, n] + bias[n]`, where `w` is `weight`, or its transpose with
    `transposed` (torch keeps dense weights as `N x K`).
    - (C1) `weight` is `K x N`, `N x K` with `transposed`; K and N static. - (C2) `bias` is `N`. - (C3) one element
    type; or `input` and `weight` of bf16 beside f32: then products are exact, and summed in f32.
    ```mlir
    %y = model.linear %x, %w bias %b transposed : tensor<?x384xf32, #model.dims<"n", "384">>, tensor<1536x384xf32>,
        tensor<1536xf32> -> tensor<?x1536xf32, #model.dims<"n", "1536">>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$input, Model_FloatTensor:$weight, Optional<Model_FloatTensor>:$bias,
                       UnitAttr:$transposed);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ $input `,` $weight (`bias` $bias^)? (`transposed` $transposed^)? attr-dict
                          `:` type($input) `,` type($weight) (`,` type($bias)^)? `->` type($result) }];
}

def Model_NormOp : Model_Op<"norm", [Pure, AttrSizedOperandSegments]> {
  let summary = "normalise over the last axes";
  let description = [{
    Over the axes from `axis` on, with mean m and mean square deviation v of each slice:
    `layer`: (x - m) / sqrt(v + epsilon) * scale + bias; `rms`: x / sqrt(mean(x^2) + epsilon) * scale + bias.
    - (C1) `scale` and `bias` have the sizes of the normalised axes, which are static.
    - (C2) operand and result have one type.
    - (C3) `bias` comes with `scale`.
    ```mlir
    %y = model.norm layer %x scale %g bias %b axis 1 epsilon 1.0e-12
        : tensor<4x384xf32>, tensor<384xf32>, tensor<384xf32> -> tensor<4x384xf32>
    ```
  }];
  let arguments = (ins Model_NormKindAttr:$kind, Model_FloatTensor:$input, Optional<Model_FloatTensor>:$scale,
                       Optional<Model_FloatTensor>:$bias, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis,
                       F64Attr:$epsilon);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ custom<Word>($kind) $input (`scale` $scale^)? (`bias` $bias^)? `axis` $axis `epsilon` $epsilon attr-dict
                          `:` type($input) (`,` type($scale)^)? (`,` type($bias)^)? `->` type($result) }];
}

def Model_EmbeddingOp : Model_Op<"embedding", [Pure]> {
  let summary = "look up rows of a table";
  let description = [{
    `result[i.., :] = table[ids[i..], :]`; an id outside of [-V, V) is an error at run time, negative ones count from
    the end.
    - (C1) `table` is static `V x D`; the result has the sizes of `ids` and `D`.
    ```mlir
    %e = model.embedding %table, %ids : tensor<30522x384xf32>, tensor<?x?xi64, #model.dims<"batch", "sequence">>
        -> tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$table, Model_IndexTensor:$ids);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = "$table `,` $ids attr-dict `:` type($table) `,` type($ids) `->` type($result)";
}

def Model_AttentionOp : Model_Op<"attention", [Pure]> {
  let summary = "scaled dot-product attention over all heads";
  let description = [{
    Heads lie side by side in the last axis, as projections write them: `query` is `B x Q x (heads D)`, `key`
    `B x K x (kv_heads D)`, `value` `B x K x (kv_heads E)`, the result `B x Q x (heads E)`. Head h reads key head
    `h / (heads / kv_heads)`. Scores are `scale q.k`, weights their softmax over the keys. `mask` is broadcast to
    `B x heads x Q x K`: a float mask is added to the scores, and leaves a key out where it is -infinity; a bool mask
    keeps the keys where it is true. With `causal`, query i keeps keys up to i + K - Q. What a key left out holds does
    not matter, and a row that keeps no key gives zeros.
    - (C1) `heads` is a multiple of `kv_heads`, both divide the last axes. - (C2) sizes as above; `mask` has rank 4.
    ```mlir
    %o = model.attention %q, %k, %v mask %m heads 12 kv_heads 12 scale 1.767766952966369e-01
        : tensor<?x?x384xf32, #model.dims<"b", "s", "384">>, tensor<?x?x384xf32, #model.dims<"b", "s", "384">>,
          tensor<?x?x384xf32, #model.dims<"b", "s", "384">>, tensor<?x1x1x?xi1, #model.dims<"b", "1", "1", "s">>
        -> tensor<?x?x384xf32, #model.dims<"b", "s", "384">>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$query, Model_FloatTensor:$key, Model_FloatTensor:$value,
                       Optional<Model_Tensor>:$mask, ConfinedAttr<I64Attr, [IntPositive]>:$heads,
                       ConfinedAttr<I64Attr, [IntPositive]>:$kv_heads, F64Attr:$scale, UnitAttr:$causal);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = [{ $query `,` $key `,` $value (`mask` $mask^)? `heads` $heads `kv_heads` $kv_heads `scale` $scale
                          (`causal` $causal^)? attr-dict `:` type($query) `,` type($key) `,` type($value)
                          (`,` type($mask)^)? `->` type($result) }];
}

#endif
