// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of f32 as arithmetic, on scalars and vectors alike.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "mlir/IR/Builders.h"

namespace tamis {

/// Emits functions of f32 as fused multiply-adds, comparisons and integer operations, so that kernels call nothing.
///
/// Operands are f32 or vectors of f32 of one axis. Errors against the exact value, over all f32 unless a range is
/// given, are what test/codegen/tile checks; `ulp` is 2^-23 relative. NaN gives NaN everywhere, unless said otherwise.
/// The coefficients come from scripts/fit-polynomials.
class VectorMath {
public:
  /// `scalesWide`: code is for x86 with AVX-512, where vectors of 16 lanes take a remainder, and a power of two times
  /// a number, in one instruction each.
  explicit VectorMath(mlir::ImplicitLocOpBuilder &builder, bool scalesWide = false)
      : b(builder), scalesWide(scalesWide) {}

  /// e^x, relative error 3e-7; 0 at -infinity, infinity above 88.73; results below the smallest normal number included.
  mlir::Value exp(mlir::Value x);
  /// e^x with x first limited to [-87, 88], relative error 3e-7: fewer steps than exp, and never infinite or zero.
  mlir::Value expLimited(mlir::Value x);
  /// 2^x for x <= 0, relative error 3e-7, x first limited to -125 or more: the exponential of softmax.
  mlir::Value exp2Limited(mlir::Value x);
  /// The same with x first limited to another number, of -125 or more.
  mlir::Value exp2From(double low, mlir::Value x);
  /// Natural logarithm, relative error 3e-7, near 1 too; -infinity at 0, NaN below.
  mlir::Value log(mlir::Value x);
  /// Absolute error 3e-7; exactly +-1 from 3.75 on.
  mlir::Value erf(mlir::Value x);
  /// Absolute error 3e-7; exactly +-1 from 9.1 on.
  mlir::Value tanh(mlir::Value x);
  /// 1 / (1 + e^-x), absolute error 2e-7; no smaller than 6e-39.
  mlir::Value sigmoid(mlir::Value x);
  /// Absolute error 3e-7 for |x| <= 1e5, growing with |x| beyond; NaN at infinity. Without fused multiply-adds, as on
  /// x86-64-v2, 6e-8 |x| more.
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  /// x^y for x > 0: relative error 3e-7 (1 + |y ln x|). x = 0 gives 0, 1 or infinity as y says; x < 0 the power with
  /// its sign where y is an integer, else NaN. x^0 and 1^y are 1, of NaN too.
  mlir::Value pow(mlir::Value x, mlir::Value y);

  /// An activation of the model dialect; absolute errors on [-8, 8]: gelu 1e-6, gelu_tanh, quick_gelu and silu 2e-6.
  mlir::Value activation(model::ActivationKind kind, mlir::Value x);

  /// Whether elementwise() has the function: those of f32 that give f32.
  static bool has(model::ElementwiseKind kind);
  /// An elementwise function of the model dialect, one or two operands of one type. Requires: has(kind).
  mlir::Value elementwise(model::ElementwiseKind kind, mlir::ValueRange operands);

  /// `value` in every lane of a type like `like`'s.
  mlir::Value constant(double value, mlir::Value like);
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  /// The larger and the smaller of x and a number, as one instruction; NaN where x is NaN.
  mlir::Value atLeast(mlir::Value x, double low);
  mlir::Value atMost(mlir::Value x, double high);
  /// The larger of both, as one instruction; `y` where either is NaN.
  mlir::Value larger(mlir::Value x, mlir::Value y);

  /// f32 to the bits of the nearest bf16, i16, ties to even; NaN to the quiet one of its sign.
  mlir::Value toBFloat16(mlir::Value x);

private:
  mlir::Value integer(int64_t value, mlir::Value like);
  mlir::Value bits(mlir::Value x);
  mlir::Value fromBits(mlir::Value x);
  mlir::Value horner(llvm::ArrayRef<float> coefficients, mlir::Value x);
  mlir::Value exp2Wide(mlir::Value x);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value erfLimited(mlir::Value z, mlir::Value scale, mlir::Value offset);
  /// The remainder of x by multiples of pi/2, in [-pi/4, pi/4], and which of the four quarter turns it is in, a float.
  std::pair<mlir::Value, mlir::Value> reduceAngle(mlir::Value x);
  mlir::Value sineOfQuarter(mlir::Value remainder, mlir::Value quarter);

  mlir::ImplicitLocOpBuilder &b;
  bool scalesWide;
};

} // namespace tamis
