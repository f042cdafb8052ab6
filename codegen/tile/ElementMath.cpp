// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise functions, activations and reduction steps, by kind and element type.
#include "codegen/tile/ElementMath.h"

#include "codegen/tile/VectorMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using arith::CmpFPredicate;
using arith::CmpIPredicate;
using K = ElementwiseKind;

static bool isHalf(Type element) {
  return element.isF16() || element.isBF16();
}
static bool isUnsigned(Type element) {
  return element.isUnsignedInteger() || element.isInteger(1);
}

ElementMath::ElementMath(ImplicitLocOpBuilder &builder, const CpuTarget &target)
    : builder(builder), hasHalfConversion(target.isArm() || llvm::is_contained(target.features, "f16c")) {}

bool ElementMath::isSupported(Type element) {
  return isHalf(element) || element.isF32() || element.isF64() || element.isInteger(4) ||
         element.isSignlessInteger(1) ||
         (isa<IntegerType>(element) && !element.isSignedInteger() &&
          llvm::is_contained({8u, 16u, 32u, 64u}, element.getIntOrFloatBitWidth()));
}

bool ElementMath::isVectorizable(Operation *op) {
  auto elementwise = dyn_cast<ElementwiseOp>(op);
  if (!elementwise)
    return isa<ActivationOp, CastOp>(op);
  bool isFloat = isa<FloatType>(cast<RankedTensorType>(op->getOperand(0).getType()).getElementType());
  switch (elementwise.getKind()) {
  case K::mod:
  case K::fmod:
    return !isFloat;
  case K::pow:
    return isFloat;
  default:
    return true;
  }
}

Type ElementMath::computeType(Type element) {
  MLIRContext *context = element.getContext();
  if (isHalf(element))
    return Float32Type::get(context);
  if (element.isInteger(4))
    return IntegerType::get(context, 8);
  if (element.isUnsignedInteger())
    return IntegerType::get(context, element.getIntOrFloatBitWidth());
  return element;
}

// Values and types.

Type ElementMath::like(Value shape, Type scalar) {
  auto vector = dyn_cast<VectorType>(shape.getType());
  return vector ? Type(vector.clone(scalar)) : scalar;
}

Value ElementMath::constant(Type type, double value) {
  Type scalar = getElementTypeOrSelf(type);
  TypedAttr attribute = builder.getFloatAttr(scalar, value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, attribute);
  return arith::ConstantOp::create(builder, attribute);
}

Value ElementMath::integer(Type type, int64_t value) {
  Type scalar = getElementTypeOrSelf(type);
  TypedAttr attribute = builder.getIntegerAttr(scalar, value);
  if (auto vector = dyn_cast<VectorType>(type))
    attribute = DenseElementsAttr::get(vector, attribute);
  return arith::ConstantOp::create(builder, attribute);
}

Value ElementMath::constant(DenseElementsAttr elements, int64_t index, Type element) {
  Type type = computeType(element);
  if (isa<FloatType>(element)) {
    APFloat value = elements.isSplat() ? elements.getSplatValue<APFloat>() : elements.getValues<APFloat>()[index];
    bool losesInfo;
    value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
    return constant(type, value.convertToDouble());
  }
  APInt value = elements.isSplat() ? elements.getSplatValue<APInt>() : elements.getValues<APInt>()[index];
  unsigned width = type.getIntOrFloatBitWidth(); // wider than 4 bits
  value = element.isUnsignedInteger() || element.isInteger(1) ? value.zextOrTrunc(width) : value.sextOrTrunc(width);
  return arith::ConstantOp::create(builder, cast<TypedAttr>(IntegerAttr::get(type, value)));
}

Value ElementMath::add(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a)))
    return arith::AddFOp::create(builder, a, b);
  return arith::AddIOp::create(builder, a, b);
}
Value ElementMath::sub(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a)))
    return arith::SubFOp::create(builder, a, b);
  return arith::SubIOp::create(builder, a, b);
}
Value ElementMath::mul(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a)))
    return arith::MulFOp::create(builder, a, b);
  return arith::MulIOp::create(builder, a, b);
}
Value ElementMath::div(Value a, Value b) {
  return arith::DivFOp::create(builder, a, b);
}

Value ElementMath::muladd(Value a, Value b, Value c) {
  auto contract = arith::FastMathFlags::contract;
  return arith::AddFOp::create(builder, arith::MulFOp::create(builder, a, b, contract), c, contract);
}

Value ElementMath::extend(Value x) {
  if (getElementTypeOrSelf(x).isF64())
    return x;
  return arith::ExtFOp::create(builder, like(x, builder.getF64Type()), x);
}

Value ElementMath::truncate(Value x, Type scalar) {
  if (getElementTypeOrSelf(x) == scalar)
    return x;
  return arith::TruncFOp::create(builder, like(x, scalar), x);
}

Value ElementMath::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(builder, condition, a, b);
}
Value ElementMath::compare(CmpFPredicate predicate, Value a, Value b) {
  return arith::CmpFOp::create(builder, predicate, a, b);
}
Value ElementMath::compare(CmpIPredicate predicate, Value a, Value b) {
  return arith::CmpIOp::create(builder, predicate, a, b);
}
Value ElementMath::bits(Value x) {
  unsigned width = getElementTypeOrSelf(x).getIntOrFloatBitWidth();
  return arith::BitcastOp::create(builder, like(x, builder.getIntegerType(width)), x);
}
Value ElementMath::fromBits(Value x, Type scalar) {
  return arith::BitcastOp::create(builder, like(x, scalar), x);
}

// Elementwise functions.

Value ElementMath::elementwise(ElementwiseKind kind, ArrayRef<Value> operands, Type element) {
  if (kind == K::select)
    return select(operands[0], operands[1], operands[2]);
  return isa<FloatType>(element) ? floatElementwise(kind, operands, element)
                                 : integerElementwise(kind, operands, element);
}

Value ElementMath::floatElementwise(ElementwiseKind kind, ArrayRef<Value> operands, Type element) {
  Value x = operands[0], y = operands.size() > 1 ? operands[1] : Value();
  Type type = x.getType();
  switch (kind) {
  // Nothing to round.
  case K::neg:
    return arith::NegFOp::create(builder, x);
  case K::abs:
    return math::AbsFOp::create(builder, x);
  case K::floor:
    return math::FloorOp::create(builder, x);
  case K::ceil:
    return math::CeilOp::create(builder, x);
  case K::round:
    return math::RoundEvenOp::create(builder, x);
  // Not arith's ops, which are expanded to comparisons that lose the sign of zero and hide reductions from the
  // vectoriser.
  case K::minimum:
    return LLVM::MinimumOp::create(builder, x, y);
  case K::maximum:
    return LLVM::MaximumOp::create(builder, x, y);
  case K::sign: {
    Value zero = constant(type, 0);
    Value rest = select(compare(CmpFPredicate::UNO, x, x), x, zero);
    rest = select(compare(CmpFPredicate::OLT, x, zero), constant(type, -1), rest);
    return select(compare(CmpFPredicate::OGT, x, zero), constant(type, 1), rest);
  }
  case K::isnan:
    return compare(CmpFPredicate::UNO, x, x);
  case K::isinf:
    return compare(CmpFPredicate::OEQ, math::AbsFOp::create(builder, x),
                   constant(type, std::numeric_limits<double>::infinity()));
  case K::equal:
    return compare(CmpFPredicate::OEQ, x, y);
  case K::not_equal:
    return compare(CmpFPredicate::UNE, x, y);
  case K::less:
    return compare(CmpFPredicate::OLT, x, y);
  case K::less_equal:
    return compare(CmpFPredicate::OLE, x, y);
  case K::greater:
    return compare(CmpFPredicate::OGT, x, y);
  case K::greater_equal:
    return compare(CmpFPredicate::OGE, x, y);
  // Rounded to the element type.
  case K::exp:
    return round(exp(x), element);
  case K::log:
    return round(log(x), element);
  case K::sqrt:
    return round(math::SqrtOp::create(builder, x), element);
  case K::rsqrt:
    return round(div(constant(type, 1), math::SqrtOp::create(builder, x)), element);
  case K::reciprocal:
    return round(div(constant(type, 1), x), element);
  case K::erf:
    return round(erf(x), element);
  case K::tanh:
    return round(tanh(x), element);
  case K::sigmoid:
    return round(sigmoid(x), element);
  case K::sin:
  case K::cos:
    return round(sinCos(x, kind == K::cos), element);
  case K::add:
    return round(add(x, y), element);
  case K::sub:
    return round(sub(x, y), element);
  case K::mul:
    return round(mul(x, y), element);
  case K::div:
    return round(div(x, y), element);
  case K::pow:
    return round(pow(x, y), element);
  case K::fmod:
    return narrow(fmod(extend(x), extend(y)), element);
  case K::mod: {
    Value divisor = extend(y), rest = fmod(extend(x), divisor), zero = constant(rest.getType(), 0);
    Value other = compare(CmpFPredicate::OLT,
                          mul(math::CopySignOp::create(builder, constant(rest.getType(), 1), rest),
                              math::CopySignOp::create(builder, constant(rest.getType(), 1), divisor)),
                          zero);
    Value moved = select(other, add(rest, divisor), rest);
    Value isZero = compare(CmpFPredicate::OEQ, rest, zero);
    return narrow(select(isZero, math::CopySignOp::create(builder, zero, divisor), moved), element);
  }
  default:
    llvm_unreachable("the verifier checks the element type");
  }
}

Value ElementMath::integerElementwise(ElementwiseKind kind, ArrayRef<Value> operands, Type element) {
  Value x = operands[0], y = operands.size() > 1 ? operands[1] : Value();
  Type type = x.getType();
  bool noSign = isUnsigned(element);
  Value zero = integer(type, 0), one = integer(type, 1);
  // Division by zero and of the lowest value by -1 trap or are undefined; both are answered apart.
  auto divide = [&](bool remainder) -> Value {
    Value isZero = compare(CmpIPredicate::eq, y, zero);
    Value isSpecial = isZero, answer = zero;
    if (!noSign) {
      Value isMinusOne = compare(CmpIPredicate::eq, y, integer(type, -1));
      isSpecial = arith::OrIOp::create(builder, isZero, isMinusOne);
      if (!remainder)
        answer = select(isZero, zero, sub(zero, x));
    }
    Value safe = select(isSpecial, one, y);
    Value result = noSign ? (remainder ? Value(arith::RemUIOp::create(builder, x, safe))
                                       : Value(arith::DivUIOp::create(builder, x, safe)))
                          : (remainder ? Value(arith::RemSIOp::create(builder, x, safe))
                                       : Value(arith::DivSIOp::create(builder, x, safe)));
    return select(isSpecial, answer, result);
  };
  switch (kind) {
  case K::neg:
    return sub(zero, x);
  case K::abs:
    return noSign ? x : select(compare(CmpIPredicate::slt, x, zero), sub(zero, x), x);
  case K::floor:
  case K::ceil:
  case K::round:
    return x;
  case K::sign: {
    Value positive = select(compare(CmpIPredicate::ne, x, zero), one, zero);
    return noSign ? positive : select(compare(CmpIPredicate::slt, x, zero), integer(type, -1), positive);
  }
  case K::logical_not:
    return arith::XOrIOp::create(builder, x, one);
  case K::logical_and:
    return arith::AndIOp::create(builder, x, y);
  case K::logical_or:
    return arith::OrIOp::create(builder, x, y);
  case K::logical_xor:
    return arith::XOrIOp::create(builder, x, y);
  case K::add:
    return add(x, y);
  case K::sub:
    return sub(x, y);
  case K::mul:
    return mul(x, y);
  case K::div:
    return divide(/*remainder=*/false);
  case K::fmod:
    return divide(/*remainder=*/true);
  case K::mod: {
    Value rest = divide(/*remainder=*/true);
    if (noSign)
      return rest;
    Value differs = compare(CmpIPredicate::slt, arith::XOrIOp::create(builder, rest, y), zero);
    Value moves = arith::AndIOp::create(builder, differs, compare(CmpIPredicate::ne, rest, zero));
    return select(moves, add(rest, y), rest);
  }
  case K::pow:
    return integerPow(x, y, noSign);
  case K::minimum:
    return noSign ? Value(arith::MinUIOp::create(builder, x, y)) : Value(arith::MinSIOp::create(builder, x, y));
  case K::maximum:
    return noSign ? Value(arith::MaxUIOp::create(builder, x, y)) : Value(arith::MaxSIOp::create(builder, x, y));
  case K::equal:
    return compare(CmpIPredicate::eq, x, y);
  case K::not_equal:
    return compare(CmpIPredicate::ne, x, y);
  case K::less:
    return compare(noSign ? CmpIPredicate::ult : CmpIPredicate::slt, x, y);
  case K::less_equal:
    return compare(noSign ? CmpIPredicate::ule : CmpIPredicate::sle, x, y);
  case K::greater:
    return compare(noSign ? CmpIPredicate::ugt : CmpIPredicate::sgt, x, y);
  case K::greater_equal:
    return compare(noSign ? CmpIPredicate::uge : CmpIPredicate::sge, x, y);
  default:
    llvm_unreachable("the verifier checks the element type");
  }
}

/// By squaring, low bits kept; a negative exponent gives 1 / x^-y without its fraction, 0 for x = 0.
Value ElementMath::integerPow(Value x, Value y, bool isUnsigned) {
  APInt known;
  if (matchPattern(y, m_ConstantInt(&known)) && known.sge(1) && known.sle(8))
    return smallPower(x, known.getSExtValue());
  Type type = x.getType();
  Value zero = integer(type, 0), one = integer(type, 1);
  auto loop = scf::WhileOp::create(
      builder, TypeRange{type, type, type}, ValueRange{y, one, x},
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        auto predicate = isUnsigned ? CmpIPredicate::ne : CmpIPredicate::sgt;
        scf::ConditionOp::create(nested, loc, arith::CmpIOp::create(nested, loc, predicate, state[0], zero), state);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Value odd = arith::AndIOp::create(nested, loc, state[0], one);
        Value isOdd = arith::CmpIOp::create(nested, loc, CmpIPredicate::ne, odd, zero);
        Value product = arith::MulIOp::create(nested, loc, state[1], state[2]);
        Value left = arith::ShRUIOp::create(nested, loc, state[0], one);
        Value square = arith::MulIOp::create(nested, loc, state[2], state[2]);
        Value result = arith::SelectOp::create(nested, loc, isOdd, product, state[1]);
        scf::YieldOp::create(nested, loc, ValueRange{left, result, square});
      });
  Value result = loop.getResult(1);
  if (isUnsigned)
    return result;
  Value isOdd = compare(CmpIPredicate::ne, arith::AndIOp::create(builder, y, one), zero);
  Value inverse = select(compare(CmpIPredicate::eq, x, integer(type, -1)), select(isOdd, integer(type, -1), one), zero);
  inverse = select(compare(CmpIPredicate::eq, x, one), one, inverse);
  return select(compare(CmpIPredicate::slt, y, zero), inverse, result);
}

Value ElementMath::activation(ActivationKind kind, Value x, Type element) {
  Type type = x.getType();
  if (!getElementTypeOrSelf(x).isF64() && kind != ActivationKind::relu && kind != ActivationKind::relu2)
    return round(VectorMath(builder).activation(kind, x), element);
  auto one = [&] { return constant(type, 1); };
  switch (kind) {
  case ActivationKind::relu:
  case ActivationKind::relu2: {
    Value zero = constant(type, 0);
    Value positive = select(compare(CmpFPredicate::OLE, x, zero), zero, x); // NaN stays
    return kind == ActivationKind::relu ? positive : round(mul(positive, positive), element);
  }
  case ActivationKind::gelu:
    return mul(mul(x, constant(type, 0.5)), add(one(), erf(mul(x, constant(type, M_SQRT1_2)))));
  case ActivationKind::gelu_tanh: {
    Value cube = mul(mul(x, x), x);
    Value inner = mul(constant(type, std::sqrt(M_2_PI)), add(x, mul(constant(type, 0.044715), cube)));
    return mul(mul(x, constant(type, 0.5)), add(one(), tanh(inner)));
  }
  case ActivationKind::quick_gelu:
    return mul(x, sigmoid(mul(x, constant(type, 1.702))));
  case ActivationKind::silu:
    return mul(x, sigmoid(x));
  }
  llvm_unreachable("every activation is listed");
}

// Reductions.

Type ElementMath::accumulatorType(ReduceKind kind, Type element) {
  if (kind == ReduceKind::max || kind == ReduceKind::min)
    return computeType(element);
  return isa<FloatType>(element) ? Type(builder.getF64Type()) : computeType(element);
}

Value ElementMath::reduceInit(ReduceKind kind, Type element) {
  Type type = accumulatorType(kind, element);
  bool isFloat = isa<FloatType>(type);
  if (kind != ReduceKind::max && kind != ReduceKind::min) {
    int64_t neutral = kind == ReduceKind::prod;
    return isFloat ? constant(type, double(neutral)) : integer(type, neutral);
  }
  bool lowest = kind == ReduceKind::max;
  if (isFloat)
    return constant(type, lowest ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity());
  unsigned width = type.getIntOrFloatBitWidth();
  if (isUnsigned(element))
    return integer(type, lowest ? 0 : -1); // all bits
  return integer(type, lowest ? llvm::minIntN(width) : llvm::maxIntN(width));
}

Value ElementMath::reduceStep(ReduceKind kind, Value accumulator, Value x, Type element) {
  if (kind == ReduceKind::max || kind == ReduceKind::min)
    return elementwise(kind == ReduceKind::max ? K::maximum : K::minimum, {accumulator, x}, element);
  if (isa<FloatType>(element)) {
    // Any order will do, so that the loop around may be vectorised.
    auto anyOrder = arith::FastMathFlags::reassoc;
    if (kind == ReduceKind::prod)
      return arith::MulFOp::create(builder, accumulator, extend(x), anyOrder);
    return arith::AddFOp::create(builder, accumulator, extend(x), anyOrder);
  }
  return kind == ReduceKind::prod ? mul(accumulator, x) : add(accumulator, x);
}

Value ElementMath::reduceFinish(ReduceKind kind, Value accumulator, Value count, Type element) {
  if (kind == ReduceKind::max || kind == ReduceKind::min)
    return accumulator;
  Type wide = accumulator.getType();
  if (isa<FloatType>(element)) {
    if (kind == ReduceKind::mean)
      accumulator = div(accumulator, arith::SIToFPOp::create(builder, wide, count));
    return narrow(accumulator, element);
  }
  if (kind != ReduceKind::mean)
    return accumulator;
  Type i64 = builder.getI64Type(); // the count need not fit the element type
  return cast(integerElementwise(K::div, {cast(accumulator, element, i64), count}, i64), i64, element);
}
