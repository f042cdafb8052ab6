// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that make, move or pick elements.
#ifndef TAMIS_MODEL_TENSOR_OPS
#define TAMIS_MODEL_TENSOR_OPS

include "dialects/model/ModelBase.td"

def Model_WeightOp : Model_Op<"weight", [Pure]> {
  let summary = "a parameter of the model, by its key";
  let description = [{
    The tensor that the model's files hold under `key`, row-major and mapped, never copied into the IR.
    - (C1) the type is static.
    ```mlir
    %w = model.weight "encoder.layer.0.output.dense.weight" : tensor<384x1536xf32>
    ```
  }];
  let arguments = (ins StrAttr:$key);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$key attr-dict `:` type($result)";
}

def Model_ConstantOp : Model_Op<"constant", [Pure, ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "a small tensor known at compile time";
  let description = [{
    - (C1) the type of `value` is the type of the result.
    ```mlir
    %eps = model.constant dense<1.0e-12> : tensor<f32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

def Model_SizesOp : Model_Op<"sizes", [Pure]> {
  let summary = "dynamic sizes as data";
  let description = [{
    A vector of the values of `exprs`, or with one expression and a rank-0 result a scalar.
    - (C1) the result has rank 0 and one expression, or rank 1 and as many elements as expressions.
    ```mlir
    %n = model.sizes ["batch", "sequence", "12"] : tensor<3xi64>
    ```
  }];
  let arguments = (ins StrArrayAttr:$exprs);
  let results = (outs RankedTensorOf<[I64]>:$result);
  let assemblyFormat = "$exprs attr-dict `:` type($result)";
  let hasFolder = 1;
}

def Model_IotaOp : Model_Op<"iota", [Pure]> {
  let summary = "an arithmetic progression";
  let description = [{
    `result[i] = start + i * step`. `start` and `step` are size expressions.
    - (C1) the result has rank 1.
    ```mlir
    %positions = model.iota "0" step "1" : tensor<?xi64, #model.dims<"sequence">>
    ```
  }];
  let arguments = (ins StrAttr:$start, StrAttr:$step);
  let results = (outs Model_NumberTensor:$result);
  let assemblyFormat = "$start `step` $step attr-dict `:` type($result)";
  let hasFolder = 1;
}

def Model_ReshapeOp : Model_Op<"reshape", [Pure]> {
  let summary = "the same elements in row-major order, other axes";
  let description = [{
    - (C1) operand and result have the same number of elements, for all values of the symbols. - (C2) same element type.
    ```mlir
    %r = model.reshape %x : tensor<?x?x384xf32, #model.dims<"batch", "sequence", "384">>
        -> tensor<?x?x12x32xf32, #model.dims<"batch", "sequence", "12", "32">>
    ```
  }];
  let arguments = (ins Model_Tensor:$input);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Model_TransposeOp : Model_Op<"transpose", [Pure]> {
  let summary = "the same elements, axes in another order";
  let description = [{
    `result[i_0, ..] = input[..]` where axis `k` of the result is axis `permutation[k]` of the operand.
    - (C1) `permutation` is one. - (C2) the result's sizes are the operand's, permuted.
    ```mlir
    %t = model.transpose %x [1, 0] : tensor<2x3xf32> -> tensor<3x2xf32>
    ```
  }];
  let arguments = (ins Model_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Model_BroadcastOp : Model_Op<"broadcast", [Pure]> {
  let summary = "repeat along axes of size one";
  let description = [{
    NumPy's rule: axes are aligned at the last, missing ones are of size one.
    - (C1) each axis of the operand is one, or the result's.
    ```mlir
    %b = model.broadcast %x : tensor<1x384xf32> -> tensor<?x384xf32, #model.dims<"batch", "384">>
    ```
  }];
  let arguments = (ins Model_Tensor:$input);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Model_SliceOp : Model_Op<"slice", [Pure]> {
  let summary = "every step-th element from a start, along each axis";
  let description = [{
    `result[i_0, ..] = input[starts_0 + i_0 * steps_0, ..]`; `starts` are size expressions, `steps` numbers that may be
    negative; how many follows from the result type.
    - (C1) one start and one step an axis; steps are not zero. - (C2) same rank and element type.
    - (C3) where start, step and sizes are numbers, all picked elements exist.
    ```mlir
    %head = model.slice %x ["0", "0"] step [1, 1]
        : tensor<1x512xi64> -> tensor<1x?xi64, #model.dims<"1", "sequence">>
    ```
  }];
  let arguments = (ins Model_Tensor:$input, StrArrayAttr:$starts, DenseI64ArrayAttr:$steps);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$input $starts `step` $steps attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Model_ConcatOp : Model_Op<"concat", [Pure]> {
  let summary = "tensors one after the other along an axis";
  let description = [{
    - (C1) at least one operand; same rank and element type. - (C2) sizes agree but along `axis`, where they add up.
    ```mlir
    %c = model.concat %a, %b axis 1 : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
    ```
  }];
  let arguments = (ins Variadic<Model_Tensor>:$inputs, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` functional-type($inputs, $result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Model_GatherOp : Model_Op<"gather", [Pure]> {
  let summary = "pick slices along an axis by index";
  let description = [{
    `result[a.., i.., b..] = data[a.., indices[i..], b..]`, `a` the axes before `axis`, `b` those after it. A negative
    index counts from the end; one outside of [-n, n) is an error at run time.
    - (C1) `axis` exists. - (C2) sizes as above.
    ```mlir
    %g = model.gather %data, %ids axis 0 : tensor<30522x384xf32>,
        tensor<?xi64, #model.dims<"n">> -> tensor<?x384xf32, #model.dims<"n", "384">>
    ```
  }];
  let arguments = (ins Model_Tensor:$data, Model_IndexTensor:$indices, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = [{ $data `,` $indices `axis` $axis attr-dict `:` type($data) `,` type($indices)
                          `->` type($result) }];
  let hasFolder = 1;
}

def Model_GatherNdOp : Model_Op<"gather_nd", [Pure]> {
  let summary = "pick slices by index tuples";
  let description = [{
    The last axis of `indices` (static size r) holds tuples into the r axes of `data` after the first `batch_dims`,
    which both share: `result[c.., i.., b..] = data[c.., indices[c.., i.., :].., b..]`. Indices as in `model.gather`.
    - (C1) sizes as above; `batch_dims + r` is at most the rank of `data`.
    ```mlir
    %g = model.gather_nd %data, %at batch_dims 0 : tensor<4x5xi1>, tensor<7x2xi64> -> tensor<7xi1>
    ```
  }];
  let arguments = (ins Model_Tensor:$data, Model_IndexTensor:$indices,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$batch_dims);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = [{ $data `,` $indices `batch_dims` $batch_dims attr-dict `:` type($data) `,` type($indices)
                          `->` type($result) }];
  let hasFolder = 1;
}

def Model_CastOp : Model_Op<"cast", [Pure]> {
  let summary = "the same numbers in another element type";
  let description = [{
    Float to integer drops the fraction; out of range it saturates and NaN becomes 0. Integer to a narrower integer
    keeps the low bits. To bool: is not zero. From bool: 0 or 1. To a narrower float: to nearest, ties to even.
    - (C1) same sizes.
    ```mlir
    %f = model.cast %mask : tensor<2x4xi64> -> tensor<2x4xf32>
    ```
  }];
  let arguments = (ins Model_Tensor:$input);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

#endif
