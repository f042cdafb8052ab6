// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The functions of elements that model ops are made of, as code on scalars or vectors.
#pragma once

#include "codegen/schedule/Target.h"
#include "dialects/model/ModelDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tamis {

/// Emits what `model.elementwise`, `model.activation`, `model.cast` and the steps of `model.reduce` compute, at the
/// builder's insertion point. The code calls no function and branches only where said.
///
/// Values are in compute form: f16 and bf16 as f32 already rounded to the narrow type, numbers without a sign as those
/// of their width, 4 bits as i8, bool as i1, others as they are. Each may be a scalar or a one-dimensional vector;
/// operands of one call have one length. `element` is the model's element type, which alone knows signs and roundings.
///
/// Accuracy: + - * / sqrt, remainders, roundings and casts are exact in the element type. What test/codegen/map holds
/// the others to, relative: f32 2e-6 (log 4e-7 even near 1) or 1e-6 absolute, f64 2e-13 (log 4e-16) or 1e-15 absolute,
/// f16 and bf16 one unit in the last place. sin and cos lose digits from |x| = 1e7 on, and are NaN from 2^30 on.
class ElementMath {
public:
  ElementMath(mlir::ImplicitLocOpBuilder &builder, const CpuTarget &target);

  /// Whether values of the element type can be computed: f16, bf16, f32, f64, i1, i4, i8, i16, i32, i64 and ui4 to
  /// ui64.
  static bool isSupported(mlir::Type element);
  /// Whether the function is free of branches, so that it may be emitted on vectors.
  static bool isVectorizable(mlir::Operation *op);
  static mlir::Type computeType(mlir::Type element);

  /// Between what buffers hold (see bufferType) and compute form.
  mlir::Value fromStorage(mlir::Value stored, mlir::Type element);
  mlir::Value toStorage(mlir::Value value, mlir::Type element);

  mlir::Value elementwise(model::ElementwiseKind kind, llvm::ArrayRef<mlir::Value> operands, mlir::Type element);
  mlir::Value activation(model::ActivationKind kind, mlir::Value x, mlir::Type element);
  mlir::Value cast(mlir::Value x, mlir::Type from, mlir::Type to);

  /// Sums, means and products of floats accumulate in f64, all else in the compute type.
  mlir::Type accumulatorType(model::ReduceKind kind, mlir::Type element);
  mlir::Value reduceInit(model::ReduceKind kind, mlir::Type element);
  mlir::Value reduceStep(model::ReduceKind kind, mlir::Value accumulator, mlir::Value x, mlir::Type element);
  /// `count`: elements that were reduced, an i64.
  mlir::Value reduceFinish(model::ReduceKind kind, mlir::Value accumulator, mlir::Value count, mlir::Type element);

  /// A number of `type`, a scalar or a vector of it.
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value integer(mlir::Type type, int64_t value);
  /// An element of a dense constant, in compute form.
  mlir::Value constant(mlir::DenseElementsAttr elements, int64_t index, mlir::Type element);

  // Functions of f32 and f64.
  mlir::Value exp(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value erf(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value sigmoid(mlir::Value x);
  mlir::Value sinCos(mlir::Value x, bool cosine);
  mlir::Value pow(mlir::Value x, mlir::Value y);
  mlir::Value fmod(mlir::Value x, mlir::Value y); ///< scalars only; loops

  // Short names for the ops of arith, used by row kernels too.
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value muladd(mlir::Value a, mlir::Value b, mlir::Value c); ///< a * b + c, fused where the machine can
  mlir::Value extend(mlir::Value x);                               ///< f32 to f64; f64 stays
  mlir::Value truncate(mlir::Value x, mlir::Type scalar);          ///< f64 to `scalar`, or as it is

private:
  mlir::Value integerElementwise(model::ElementwiseKind kind, llvm::ArrayRef<mlir::Value> operands, mlir::Type element);
  mlir::Value floatElementwise(model::ElementwiseKind kind, llvm::ArrayRef<mlir::Value> operands, mlir::Type element);
  mlir::Value integerPow(mlir::Value x, mlir::Value y, bool isUnsigned);
  mlir::Value smallPower(mlir::Value x, int64_t n);
  mlir::Value round(mlir::Value x, mlir::Type element);        ///< to what the element type can hold
  mlir::Value narrow(mlir::Value x, mlir::Type element);       ///< f64 to compute form, rounded once
  mlir::Value toHalfBits(mlir::Value x, mlir::Type element);   ///< f32 to i16
  mlir::Value fromHalfBits(mlir::Value x, mlir::Type element); ///< i16 to f32
  mlir::Value floatToInteger(mlir::Value x, unsigned width, bool isUnsigned);
  mlir::Value integerToFloat(mlir::Value x, mlir::Type from, mlir::Type to);
  mlir::Value exp64(mlir::Value x);
  mlir::Value expm1Positive(mlir::Value x);
  mlir::Value powerOfTwo(mlir::Value exponent);
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients);

  mlir::Type like(mlir::Value shape, mlir::Type scalar);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a, mlir::Value b);
  mlir::Value bits(mlir::Value x);                        ///< a float's bits as integers
  mlir::Value fromBits(mlir::Value x, mlir::Type scalar); ///< and back

  mlir::ImplicitLocOpBuilder &builder;
  bool hasHalfConversion; ///< f16 to f32 and back in one instruction
};

} // namespace tamis
