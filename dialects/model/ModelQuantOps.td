// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops between numbers and the integers or narrow floats that stand for them, and the product of such integers.
#ifndef TAMIS_MODEL_QUANT_OPS
#define TAMIS_MODEL_QUANT_OPS

include "dialects/model/ModelBase.td"

defvar Model_Quantized = [I8, UI8, I<4>, UI<4>, I16, UI16, F8E4M3FN, F8E5M2];
def Model_QuantizedTensor : Model_TensorOf<Model_Quantized>;
def Model_DequantizableTensor : Model_TensorOf<!listconcat(Model_Quantized, [I32])>;
def Model_ByteTensor : Model_TensorOf<[I8, UI8]>;
def Model_SmallIntegerTensor : Model_TensorOf<[I8, UI8, I<4>, UI<4>]>;
def Model_ProductTensor : Model_TensorOf<[I32]>;

def Model_QuantizeOp : Model_Op<"quantize", [Pure]> {
  let summary = "numbers to the integers or narrow floats that stand for them";
  let description = [{
    `result = saturate(round(input / scale) + zero_point)`. The quotient is that of f32, of f64 for operands of f64;
    ties round to even; NaN gives 0, the infinities and what lies beyond the type its lowest and highest value. To a
    narrow float: the quotient to nearest, saturated at the largest finite number; NaN stays.
    `scale` and `zero_point` have one type of sizes and are broadcast to `input` by NumPy's rule: one number for all, one
    a channel (`1x384`), one a row (`?x1`). With `block B along a` their axis `a` holds one number for B indices of the
    operand, the last block being as long as it is.
    - (C1) `scale`, with its blocks spread, is broadcast to `input`; with blocks it has as many axes.
    - (C2) `zero_point` has the sizes of `scale` and the result's element type, which is an integer.
    - (C3) the result has the sizes of `input`. - (C4) B is 1 or more, `a` exists.
    ```mlir
    %q = model.quantize %x scale %s zero_point %z : tensor<4x384xf32>, tensor<4x1xf32>, tensor<4x1xui8> -> tensor<4x384xui8>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$input, Model_FloatTensor:$scale, Optional<Model_QuantizedTensor>:$zero_point,
                       OptionalAttr<I64Attr>:$block, OptionalAttr<I64Attr>:$axis);
  let results = (outs Model_QuantizedTensor:$result);
  let assemblyFormat = [{ $input `scale` $scale (`zero_point` $zero_point^)? (`block` $block^ `along` $axis)? attr-dict
                          `:` type($input) `,` type($scale) (`,` type($zero_point)^)? `->` type($result) }];
  let hasFolder = 1;
}

def Model_DequantizeOp : Model_Op<"dequantize", [Pure, AttrSizedOperandSegments]> {
  let summary = "the numbers that integers or narrow floats stand for";
  let description = [{
    `result = (input - zero_point) * scale + minimum`: the difference exactly, then as f32 (f64 for results of f64), the
    product and the sum each rounded once in that type, then to the result's. `scale`, `zero_point` and blocks are those
    of `model.quantize`; `minimum`, the number of the integer 0 of formats that name it, has the sizes of `scale`.
    - (C1) `scale`, with its blocks spread, is broadcast to `input`; with blocks it has as many axes.
    - (C2) `zero_point` has the sizes of `scale` and the element type of `input`, which is an integer.
    - (C3) the result has the sizes of `input`. - (C4) B is 1 or more, `a` exists. - (C5) `minimum` has the type of
    `scale`.
    ```mlir
    %w = model.dequantize %q scale %s block 32 along 0 : tensor<384x1536xi4>, tensor<12x1536xf32> -> tensor<384x1536xf32>
    ```
  }];
  let arguments = (ins Model_DequantizableTensor:$input, Model_FloatTensor:$scale,
                       Optional<Model_DequantizableTensor>:$zero_point, Optional<Model_FloatTensor>:$minimum,
                       OptionalAttr<I64Attr>:$block, OptionalAttr<I64Attr>:$axis);
  let results = (outs Model_FloatTensor:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input, "::mlir::Value":$scale,
                                 "::mlir::Value":$zeroPoint, "::mlir::IntegerAttr":$block,
                                 "::mlir::IntegerAttr":$axis), [{
    build($_builder, $_state, result, input, scale, zeroPoint, ::mlir::Value(), block, axis);
  }]>];
  let assemblyFormat = [{ $input `scale` $scale (`zero_point` $zero_point^)? (`minimum` $minimum^)?
                          (`block` $block^ `along` $axis)? attr-dict
                          `:` type($input) `,` type($scale) (`,` type($zero_point)^)? (`minimum` type($minimum)^)?
                          `->` type($result) }];
  let hasFolder = 1;
}

def Model_QuantizeRowsOp : Model_Op<"quantize_rows", [Pure]> {
  let summary = "rows of numbers as bytes, each row in units of its own";
  let description = [{
    Of each row, along the last axis, `low = min(0, input)` and `high = max(0, input)` over its numbers,
    `scale = (high - low) / 255`, all of f32; `zero_point` and `result` are what `model.quantize` makes of `-low`, without
    a zero point, and of `input` with this scale and this zero point. A NaN makes the scale of its row NaN and the integers
    0; so do infinities, where the quotient is NaN. A row of zeros has the scale 0.
    - (C1) `input` has an axis. - (C2) `result` has its sizes; `scale` and `zero_point` have them with the last 1.
    ```mlir
    %q, %s, %z = model.quantize_rows %x : tensor<4x384xf32> -> tensor<4x384xui8>, tensor<4x1xf32>, tensor<4x1xui8>
    ```
  }];
  let arguments = (ins Model_TensorOf<[F32]>:$input);
  let results = (outs Model_TensorOf<[UI8]>:$result, Model_TensorOf<[F32]>:$scale, Model_TensorOf<[UI8]>:$zero_point);
  let assemblyFormat = [{ $input attr-dict `:` type($input) `->` type($result) `,` type($scale) `,` type($zero_point) }];
}

def Model_IntegerLinearOp : Model_Op<"integer_linear", [Pure, AttrSizedOperandSegments]> {
  let summary = "the product of a dense layer, in integers";
  let description = [{
    `result[.., n] = sum_k (input[.., k] - input_zero_point) * (w[k, n] - weight_zero_point[n])`, where `w` is `weight`,
    or its transpose with `transposed`. The sum is that of i32, which wraps.
    - (C1) `weight` is `K x N`, `N x K` with `transposed`; K and N static. - (C2) `input_zero_point` has the element type
    of `input`, and one element or one a row: it is broadcast to the sizes of `input` with the last 1.
    - (C3) `weight_zero_point` has the element type of `weight`, and one element or N.
    - (C4) the result has the sizes of `input` with the last N.
    ```mlir
    %y = model.integer_linear %x, %w input_zero_point %z transposed : tensor<4x384xui8>, tensor<1536x384xi8>, tensor<ui8>
        -> tensor<4x1536xi32>
    ```
  }];
  let arguments = (ins Model_ByteTensor:$input, Model_SmallIntegerTensor:$weight,
                       Optional<Model_ByteTensor>:$input_zero_point,
                       Optional<Model_SmallIntegerTensor>:$weight_zero_point, UnitAttr:$transposed);
  let results = (outs Model_ProductTensor:$result);
  let assemblyFormat = [{ $input `,` $weight (`input_zero_point` $input_zero_point^)?
                          (`weight_zero_point` $weight_zero_point^)? (`transposed` $transposed^)? attr-dict
                          `:` type($input) `,` type($weight) (`,` type($input_zero_point)^)?
                          (`weight` type($weight_zero_point)^)? `->` type($result) }];
}

#endif
