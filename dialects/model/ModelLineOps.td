// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that walk along an axis, each step after the last, or that write at places known at run time.
#ifndef TAMIS_MODEL_LINE_OPS
#define TAMIS_MODEL_LINE_OPS

include "dialects/model/ModelBase.td"

def Model_CumulativeOp : Model_Op<"cumulative", [Pure, SameOperandsAndResultType]> {
  let summary = "sums or products of all elements up to each";
  let description = [{
    `result[i] = input[0] + .. + input[i]` along `axis`, or their product; `exclusive` leaves out `input[i]`; `reverse`
    counts from the end. Integers wrap.
    - (C1) `axis` exists. - (C2) `kind` is `sum` or `prod`.
    ```mlir
    %c = model.cumulative sum %x axis 1 exclusive : tensor<2x16xi64>
    ```
  }];
  let arguments = (ins Model_ReduceKindAttr:$kind, Model_NumberTensor:$input, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis,
                       UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs Model_NumberTensor:$result);
  let assemblyFormat = [{ custom<Word>($kind) $input `axis` $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)? attr-dict
                          `:` type($input) }];
}

def Model_TopKOp : Model_Op<"top_k", [Pure]> {
  let summary = "where the largest elements stand, in order";
  let description = [{
    The places along `axis` of its largest elements, as many as the result holds, the largest first; with `smallest` of
    the smallest, the smallest first. Of equal elements the first comes first; NaN is larger than any number.
    - (C1) `axis` exists. - (C2) the result has the operand's sizes but along `axis`, where it is not longer.
    ```mlir
    %places = model.top_k %x axis 1 : tensor<2x4096xf32> -> tensor<2x8xi64>
    ```
  }];
  let arguments = (ins Model_NumberTensor:$input, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis, UnitAttr:$smallest);
  let results = (outs Model_TensorOf<[I64]>:$result);
  let assemblyFormat = "$input `axis` $axis (`smallest` $smallest^)? attr-dict `:` type($input) `->` type($result)";
}

def Model_ScatterOp : Model_Op<"scatter", [Pure, AllTypesMatch<["data", "result"]>]> {
  let summary = "a tensor with updates at places named by index tuples";
  let description = [{
    `data` but where tuples point, which are as in `model.gather_nd`: `result[c.., indices[c.., i.., :].., b..]` is the
    last of the `updates[c.., i.., b..]` of that place with `write`; else the place's own number and all of its
    updates, joined by `sum`, `prod`, `max` or `min`.
    - (C1) sizes as above; `batch_dims` and the tuples' width are at most the rank of `data`. - (C2) `data`, updates
      and result have one element type, of numbers where updates are joined.
    ```mlir
    %s = model.scatter write %data, %at, %updates batch_dims 0
        : tensor<4x5xf32>, tensor<7x2xi64>, tensor<7xf32>
    ```
  }];
  let arguments = (ins Model_ScatterKindAttr:$kind, Model_Tensor:$data, Model_IndexTensor:$indices, Model_Tensor:$updates,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$batch_dims);
  let results = (outs Model_Tensor:$result);
  let assemblyFormat = [{ custom<Word>($kind) $data `,` $indices `,` $updates `batch_dims` $batch_dims attr-dict
                          `:` type($data) `,` type($indices) `,` type($updates) }];
}

#endif
