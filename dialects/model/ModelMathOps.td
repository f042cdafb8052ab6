// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that compute, element by element or over axes.
#ifndef TAMIS_MODEL_MATH_OPS
#define TAMIS_MODEL_MATH_OPS

include "dialects/model/ModelBase.td"

def Model_ElementwiseOp : Model_Op<"elementwise", [Pure]> {
  let summary = "one function of matching elements";
  let description = [{
    Operands are broadcast to the result by NumPy's rule. Functions by number of operands:
    - one: `neg abs exp log sqrt rsqrt reciprocal erf tanh sigmoid sin cos floor ceil round sign isnan isinf
      logical_not` (`round`: ties to even; `sign` of NaN is NaN; `isnan`, `isinf` give bool).
    - two: `add sub mul div pow mod fmod minimum maximum logical_and logical_or logical_xor equal not_equal less
      less_equal greater greater_equal`. Integers wrap; their `div` drops the fraction, and `div`, `mod` and `fmod` by
      zero give 0; their `pow` with a negative exponent is 1 over the power without its fraction, 0 for base 0. `mod`
      has the sign of the divisor, `fmod` that of the dividend; `minimum` and `maximum` give NaN when an operand is
      NaN, and -0 is below +0; comparisons give bool, false with NaN but for `not_equal`. `logical_and`, `_or` and
      `_xor` of integers work bit by bit.
    - three: `select`: the second where the first (bool) holds, else the third.
    - (C1) the number of operands is the function's. - (C2) operands have one element type, but the condition of
      `select`.
    - (C3) the result has the broadcast sizes, and bool or the operands' element type as the function says.
    - (C4) the function exists for the element type: floats only for `exp` to `cos`, `isnan`, `isinf`; bool for
      `logical_not`, bool and integers for the other `logical_*`.
    ```mlir
    %y = model.elementwise add %x, %bias : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    ```
  }];
  let arguments = (ins Model_ElementwiseKindAttr:$kind, Variadic<Model_ComputedTensor>:$operands_);
  let results = (outs Model_ComputedTensor:$result);
  let assemblyFormat = "custom<Word>($kind) $operands_ attr-dict `:` functional-type($operands_, $result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Model_ActivationOp : Model_Op<"activation", [Pure, SameOperandsAndResultType]> {
  let summary = "an activation function";
  let description = [{
    `relu` max(x, 0); `relu2` its square; `gelu` x (1 + erf(x / sqrt 2)) / 2;
    `gelu_tanh` x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2; `quick_gelu` x sigmoid(1.702 x); `silu` x sigmoid(x).
    ```mlir
    %y = model.activation gelu %x : tensor<2x1536xf32>
    ```
  }];
  let arguments = (ins Model_ActivationKindAttr:$kind, Model_FloatTensor:$input);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = "custom<Word>($kind) $input attr-dict `:` type($input)";
}

def Model_ReduceOp : Model_Op<"reduce", [Pure]> {
  let summary = "one number from all elements along axes";
  let description = [{
    Reduced axes stay with size one. Over no element `sum` and `mean` give 0 and NaN, `prod` 1, `max` and `min` the
    lowest and highest value of the type, which for floats are the infinities. `max` and `min` give NaN when an element
    is NaN. Integers wrap; their `mean` is the wrapped sum divided as `div` does (0 over no element).
    - (C1) axes exist, ascending, each once. - (C2) the result has the operand's sizes with one at `axes`.
    ```mlir
    %m = model.reduce mean %x axes [2] : tensor<2x3x4xf32> -> tensor<2x3x1xf32>
    ```
  }];
  let arguments = (ins Model_ReduceKindAttr:$kind, Model_NumberTensor:$input, DenseI64ArrayAttr:$axes);
  let results = (outs Model_NumberTensor:$result);
  let assemblyFormat = "custom<Word>($kind) $input `axes` $axes attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Model_SoftmaxOp : Model_Op<"softmax", [Pure, SameOperandsAndResultType]> {
  let summary = "exponentials that sum to one along an axis";
  let description = [{
    `exp(x - max) / sum(exp(x - max))` along `axis`.
    - (C1) `axis` exists.
    ```mlir
    %p = model.softmax %s axis 3 : tensor<1x12x16x16xf32>
    ```
  }];
  let arguments = (ins Model_FloatTensor:$input, ConfinedAttr<I64Attr, [IntNonNegative]>:$axis);
  let results = (outs Model_FloatTensor:$result);
  let assemblyFormat = "$input `axis` $axis attr-dict `:` type($input)";
}

def Model_MatmulOp : Model_Op<"matmul", [Pure]> {
  let summary = "matrix product over the last two axes, others broadcast";
  let description = [{
    `result[.., m, n] = sum_k lhs[.., m, k] * rhs[.., k, n]`; leading axes follow NumPy's rule. Integers wrap.
    - (C1) both operands have rank 2 or more. - (C2) sizes as above. - (C3) one element type.
    ```mlir
    %c = model.matmul %a, %b : tensor<12x16x32xf32>, tensor<12x32x16xf32> -> tensor<12x16x16xf32>
    ```
  }];
  let arguments = (ins Model_MatrixTensor:$lhs, Model_MatrixTensor:$rhs);
  let results = (outs Model_MatrixTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs) `,` type($rhs) `->` type($result)";
}

#endif
