// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Polynomials in place of libm. Coefficients, lowest power first: scripts/fit-polynomials.
#include "codegen/tile/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;

namespace {
// e^f, |f| <= ln(2)/2: relative error in f32 6.2e-08
constexpr float kExp[] = {0x1p+0f, 0x1p+0f, 0x1p-1f, 0x1.55549p-3f, 0x1.55545ep-5f, 0x1.123b46p-7f, 0x1.6db414p-10f};
// 2^f, |f| <= 1/2: relative error in f32 2.1e-07
constexpr float kExp2[] = {0x1.000002p+0f, 0x1.62e428p-1f, 0x1.ebf918p-3f,
                           0x1.c6b6e4p-5f, 0x1.3d0c52p-7f, 0x1.5c08e4p-10f};
// 2^f, 0 <= f < 1: relative error in f32 1.5e-07
constexpr float kExp2Positive[] = {0x1.fffffep-1f, 0x1.62e4f6p-1f, 0x1.ebd5a8p-3f,
                                   0x1.c95446p-5f, 0x1.26900ep-7f, 0x1.ec3208p-10f};
// erf(z) / z in z^2 - kErfCentre, |z| <= kErfLimit: absolute error of erf in f32 2.4e-07, and exactly 1 at the limit
constexpr float kErfLimit = 3.75f, kErfCentre = 7.03125f;
constexpr float kErf[] = {0x1.821b38p-2f,   -0x1.b62448p-6f,  0x1.713b38p-9f,   -0x1.51ab0ep-12f, 0x1.376f14p-15f,
                          -0x1.17988cp-18f, 0x1.dc4b9cp-22f,  -0x1.79d094p-25f, 0x1.201de4p-28f,  -0x1.b31996p-32f,
                          0x1.0977cap-35f,  -0x1.a58258p-40f, 0x1.4151ap-43f,   -0x1.7f3f8ep-46f, 0x1.43d72cp-50f};
// (log(1+f) - f) / f^2, sqrt(1/2) <= 1+f <= sqrt(2): relative fit 4.2e-09
constexpr float kLog[] = {-0x1.fffff8p-2f, 0x1.555544p-2f,  -0x1.0003fep-2f, 0x1.99a96ap-3f, -0x1.543244p-3f,
                          0x1.22115ep-3f,  -0x1.0e8422p-3f, 0x1.0a56c6p-3f,  -0x1.40721p-4f};
// (sin(x) - x) / x^3 and (cos(x) - 1 + x^2/2) / x^4 in x^2, |x| <= pi/4: fits 2.3e-12, 9.9e-14
constexpr float kSin[] = {-0x1.555556p-3f, 0x1.111106p-7f, -0x1.a00e0ep-13f, 0x1.6c8988p-19f};
constexpr float kCos[] = {0x1.555556p-5f, -0x1.6c16b8p-10f, 0x1.a0112p-16f, -0x1.242aeep-22f};

// Added to a number of magnitude below 2^22, rounds it to an integer, which is then in the low bits.
constexpr double kRound = 12582912.0; // 1.5 * 2^23
constexpr int64_t kRoundBits = 0x4B400000;
// ln(2) in two parts; the first has zeros enough that an exponent times it is exact.
constexpr double kLn2High = 0x1.62e4p-1, kLn2Low = 0x1.7f7d1cf79abcap-20;
constexpr double kSmallestNormal = 0x1p-126;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Type typeLike(Type element, Type like) {
  if (auto vector = dyn_cast<VectorType>(like))
    return VectorType::get(vector.getShape(), element);
  return element;
}
} // namespace

Value VectorMath::constant(double value, Value like) {
  Type type = like.getType();
  auto number = b.getF32FloatAttr(static_cast<float>(value));
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, number.getValue()));
  return arith::ConstantOp::create(b, number);
}

Value VectorMath::integer(int64_t value, Value like) {
  auto number = b.getI32IntegerAttr(static_cast<int32_t>(value));
  if (auto vector = dyn_cast<VectorType>(typeLike(b.getI32Type(), like.getType())))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, number.getValue()));
  return arith::ConstantOp::create(b, number);
}

Value VectorMath::bits(Value x) {
  return arith::BitcastOp::create(b, typeLike(b.getI32Type(), x.getType()), x);
}
Value VectorMath::fromBits(Value x) {
  return arith::BitcastOp::create(b, typeLike(b.getF32Type(), x.getType()), x);
}

Value VectorMath::fma(Value x, Value y, Value z) {
  // vector.fma becomes a multiply and an add where the machine has no fused one; math.fma would become a call.
  if (isa<VectorType>(x.getType()))
    return vector::FMAOp::create(b, x, y, z);
  auto one = VectorType::get({1}, x.getType());
  auto widen = [&](Value v) { return vector::BroadcastOp::create(b, one, v).getResult(); };
  return vector::ExtractOp::create(b, vector::FMAOp::create(b, widen(x), widen(y), widen(z)), int64_t(0));
}

Value VectorMath::select(Value condition, Value yes, Value no) {
  return arith::SelectOp::create(b, condition, yes, no);
}

// "low > x ? low : x" is what one x86 instruction computes, NaN included.
Value VectorMath::atLeast(Value x, double low) {
  Value bound = constant(low, x);
  return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, bound, x), bound, x);
}

Value VectorMath::atMost(Value x, double high) {
  Value bound = constant(high, x);
  return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, bound, x), bound, x);
}

Value VectorMath::larger(Value x, Value y) {
  return select(arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, y), x, y);
}

/// Adding half a unit, less one where the result is even, carries into the exponent as it should.
Value VectorMath::toBFloat16(Value x) {
  Value all = bits(x), sixteen = integer(16, x), upper = arith::ShRUIOp::create(b, all, sixteen);
  Value odd = arith::AndIOp::create(b, upper, integer(1, x));
  Value raised = arith::AddIOp::create(b, arith::AddIOp::create(b, all, integer(0x7fff, x)), odd);
  Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
  Value quiet = arith::OrIOp::create(b, arith::AndIOp::create(b, upper, integer(0x8000, x)), integer(0x7fc0, x));
  Value rounded = select(isNaN, quiet, arith::ShRUIOp::create(b, raised, sixteen));
  return arith::TruncIOp::create(b, typeLike(b.getI16Type(), x.getType()), rounded);
}

Value VectorMath::horner(llvm::ArrayRef<float> coefficients, Value x) {
  Value result = constant(coefficients.back(), x);
  for (float c : llvm::reverse(coefficients.drop_back()))
    result = fma(result, x, constant(c, x));
  return result;
}

Value VectorMath::exp(Value x) {
  // Beyond these bounds the result is 0 or infinite; between them the exponent needs two factors to reach both ends.
  x = atMost(atLeast(x, -105), 89);
  Value rounded = fma(x, constant(M_LOG2E, x), constant(kRound, x));
  Value n = arith::SubFOp::create(b, rounded, constant(kRound, x));
  Value f = fma(n, constant(-kLn2Low, x), fma(n, constant(-kLn2High, x), x));
  Value exponent = arith::SubIOp::create(b, bits(rounded), integer(kRoundBits, x));
  Value half = arith::ShRSIOp::create(b, exponent, integer(1, x));
  Value rest = arith::SubIOp::create(b, exponent, half);
  auto power = [&](Value e) {
    return fromBits(arith::ShLIOp::create(b, arith::AddIOp::create(b, e, integer(127, x)), integer(23, x)));
  };
  Value p = arith::MulFOp::create(b, horner(kExp, f), power(half));
  return arith::MulFOp::create(b, p, power(rest));
}

Value VectorMath::expLimited(Value x) {
  x = atMost(atLeast(x, -87), 88);
  Value rounded = fma(x, constant(M_LOG2E, x), constant(kRound + 127, x));
  Value n = arith::SubFOp::create(b, rounded, constant(kRound + 127, x));
  Value f = fma(n, constant(-kLn2Low, x), fma(n, constant(-kLn2High, x), x));
  // The integer in the low bits of `rounded`, moved into the exponent's place.
  Value exponent = arith::ShLIOp::create(b, bits(rounded), integer(23, x));
  return arith::MulFOp::create(b, horner(kExp, f), fromBits(exponent));
}

Value VectorMath::exp2Limited(Value x) {
  return exp2From(-125, x);
}

Value VectorMath::exp2From(double low, Value x) {
  x = atLeast(x, low);
  if (auto vector = dyn_cast<VectorType>(x.getType()); scalesWide && vector && vector.getNumElements() == 16)
    return exp2Wide(x);
  Value rounded = arith::AddFOp::create(b, x, constant(kRound + 127, x));
  Value f = arith::SubFOp::create(b, x, arith::SubFOp::create(b, rounded, constant(kRound + 127, x)));
  Value exponent = arith::ShLIOp::create(b, bits(rounded), integer(23, x));
  return arith::MulFOp::create(b, horner(kExp2, f), fromBits(exponent));
}

/// Seven instructions where others take eleven, and those share their ports with multiply-adds.
Value VectorMath::exp2Wide(Value x) {
  auto call = [&](llvm::StringRef name, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, TypeRange(x.getType()), b.getStringAttr(name), operands,
                                         LLVM::FastmathFlagsAttr{})
        .getResults();
  };
  auto i32 = [&](int value) { return LLVM::ConstantOp::create(b, b.getI32IntegerAttr(value)); };
  Value all = LLVM::ConstantOp::create(b, b.getI16IntegerAttr(-1)), currentRounding = i32(4), towardNegative = i32(1);
  Value f = call("llvm.x86.avx512.mask.reduce.ps.512", {x, towardNegative, x, all, currentRounding}); // x - floor(x)
  Value power = horner(kExp2Positive, f);
  return call("llvm.x86.avx512.mask.scalef.ps.512", {power, x, power, all, currentRounding}); // power * 2^floor(x)
}

Value VectorMath::log(Value x) {
  auto compare = [&](arith::CmpFPredicate predicate, double number) {
    return arith::CmpFOp::create(b, predicate, x, constant(number, x)).getResult();
  };
  // x = 2^e m with m in [sqrt(1/2), sqrt(2)); numbers below the normal ones are scaled up first.
  Value tiny = compare(arith::CmpFPredicate::OLT, kSmallestNormal);
  Value scaled = select(tiny, arith::MulFOp::create(b, x, constant(0x1p23, x)), x);
  Value offset = arith::SubIOp::create(b, bits(scaled), integer(0x3F3504F3, x));
  Value exponent = arith::ShRSIOp::create(b, offset, integer(23, x));
  Value mantissa = fromBits(
      arith::AddIOp::create(b, arith::AndIOp::create(b, offset, integer(0x7FFFFF, x)), integer(0x3F3504F3, x)));
  Value e = arith::SIToFPOp::create(b, x.getType(), exponent);
  e = arith::SubFOp::create(b, e, select(tiny, constant(23, x), constant(0, x)));
  Value f = arith::SubFOp::create(b, mantissa, constant(1, x));
  Value square = arith::MulFOp::create(b, f, f);
  Value tail = fma(horner(kLog, f), square, arith::MulFOp::create(b, e, constant(kLn2Low, x)));
  Value result = fma(e, constant(kLn2High, x), arith::AddFOp::create(b, f, tail));
  // NaN, and +infinity, stay; the sum keeps NaN quiet.
  result = select(compare(arith::CmpFPredicate::OLT, kInfinity), result, x);
  result = select(compare(arith::CmpFPredicate::OEQ, 0), constant(-kInfinity, x), result);
  return select(compare(arith::CmpFPredicate::OLT, 0), constant(NAN, x), result);
}

Value VectorMath::erfLimited(Value z, Value scale, Value offset) {
  z = atMost(atLeast(z, -kErfLimit), kErfLimit);
  Value u = fma(z, z, constant(-kErfCentre, z));
  Value q = horner(kErf, u);
  Value product = scale ? arith::MulFOp::create(b, z, scale).getResult() : z;
  return offset ? fma(q, product, offset) : arith::MulFOp::create(b, q, product).getResult();
}

Value VectorMath::erf(Value x) {
  return erfLimited(x, {}, {});
}

Value VectorMath::tanh(Value x) {
  Value limited = atMost(atLeast(x, -10), 10);
  Value e = expLimited(arith::AddFOp::create(b, limited, limited));
  Value quotient = arith::DivFOp::create(b, constant(-2, x), arith::AddFOp::create(b, e, constant(1, x)));
  return arith::AddFOp::create(b, quotient, constant(1, x));
}

Value VectorMath::sigmoid(Value x) {
  Value e = expLimited(arith::NegFOp::create(b, x));
  return arith::DivFOp::create(b, constant(1, x), arith::AddFOp::create(b, e, constant(1, x)));
}

std::pair<Value, Value> VectorMath::reduceAngle(Value x) {
  Value n = math::RoundEvenOp::create(b, arith::MulFOp::create(b, x, constant(M_2_PI, x)));
  // pi/2 in three parts of 24, 24 and the remaining bits.
  constexpr double parts[] = {0x1.921fb6p+0, -0x1.777a5cp-25, -0x1.ee59dap-50};
  Value remainder = x;
  for (double part : parts)
    remainder = fma(n, constant(-part, x), remainder);
  Value turns = math::FloorOp::create(b, arith::MulFOp::create(b, n, constant(0.25, x)));
  return {remainder, fma(turns, constant(-4, x), n)};
}

Value VectorMath::sineOfQuarter(Value r, Value quarter) {
  auto isQuarter = [&](double number) {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, quarter, constant(number, r)).getResult();
  };
  Value square = arith::MulFOp::create(b, r, r);
  Value sine = fma(arith::MulFOp::create(b, square, r), horner(kSin, square), r);
  Value cosine = fma(arith::MulFOp::create(b, square, square), horner(kCos, square),
                     fma(square, constant(-0.5, r), constant(1, r)));
  Value odd = arith::OrIOp::create(b, isQuarter(1), isQuarter(3));
  Value result = select(odd, cosine, sine);
  Value turned = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, quarter, constant(2, r));
  return select(turned, arith::NegFOp::create(b, result), result);
}

Value VectorMath::sin(Value x) {
  auto [remainder, quarter] = reduceAngle(x);
  return sineOfQuarter(remainder, quarter);
}

Value VectorMath::cos(Value x) {
  auto [remainder, quarter] = reduceAngle(x);
  Value next = arith::AddFOp::create(b, quarter, constant(1, x));
  Value wraps = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, next, constant(4, x));
  return sineOfQuarter(remainder, select(wraps, constant(0, x), next));
}

Value VectorMath::pow(Value x, Value y) {
  auto compare = [&](arith::CmpFPredicate predicate, Value left, Value right) {
    return arith::CmpFOp::create(b, predicate, left, right).getResult();
  };
  Value magnitude = exp(arith::MulFOp::create(b, y, log(math::AbsFOp::create(b, x))));
  Value half = arith::MulFOp::create(b, y, constant(0.5, x));
  Value integral = compare(arith::CmpFPredicate::OEQ, math::FloorOp::create(b, y), y);
  Value even = compare(arith::CmpFPredicate::OEQ, math::FloorOp::create(b, half), half);
  Value ofNegative = select(integral, select(even, magnitude, arith::NegFOp::create(b, magnitude)), constant(NAN, x));
  Value result = select(compare(arith::CmpFPredicate::OLT, x, constant(0, x)), ofNegative, magnitude);
  // 0 * infinity above would make NaN of x^0 and 1^y.
  result = select(compare(arith::CmpFPredicate::OEQ, y, constant(0, x)), constant(1, x), result);
  return select(compare(arith::CmpFPredicate::OEQ, x, constant(1, x)), constant(1, x), result);
}

Value VectorMath::activation(model::ActivationKind kind, Value x) {
  auto times = [&](Value a, Value c) { return arith::MulFOp::create(b, a, c).getResult(); };
  switch (kind) {
  case model::ActivationKind::relu:
    return atLeast(x, 0);
  case model::ActivationKind::relu2: {
    Value positive = atLeast(x, 0);
    return times(positive, positive);
  }
  case model::ActivationKind::gelu: // x (1/2 + erf(x / sqrt 2) / 2)
    return times(x, erfLimited(times(x, constant(M_SQRT1_2, x)), constant(0.5, x), constant(0.5, x)));
  case model::ActivationKind::gelu_tanh: { // (1 + tanh t) / 2 = sigmoid(2 t)
    constexpr double slope = 2 * M_SQRT1_2 * M_2_SQRTPI;
    Value cubic = fma(times(x, x), constant(slope * 0.044715, x), constant(slope, x));
    return times(x, sigmoid(times(x, cubic)));
  }
  case model::ActivationKind::quick_gelu:
    return times(x, sigmoid(times(x, constant(1.702, x))));
  case model::ActivationKind::silu:
    return times(x, sigmoid(x));
  }
  llvm_unreachable("unknown activation");
}

bool VectorMath::has(model::ElementwiseKind kind) {
  using Kind = model::ElementwiseKind;
  switch (kind) {
  case Kind::neg:
  case Kind::abs:
  case Kind::exp:
  case Kind::log:
  case Kind::sqrt:
  case Kind::rsqrt:
  case Kind::reciprocal:
  case Kind::erf:
  case Kind::tanh:
  case Kind::sigmoid:
  case Kind::sin:
  case Kind::cos:
  case Kind::floor:
  case Kind::ceil:
  case Kind::round:
  case Kind::sign:
  case Kind::add:
  case Kind::sub:
  case Kind::mul:
  case Kind::div:
  case Kind::pow:
  case Kind::minimum:
  case Kind::maximum:
    return true;
  default:
    return false;
  }
}

Value VectorMath::elementwise(model::ElementwiseKind kind, ValueRange operands) {
  using Kind = model::ElementwiseKind;
  Value x = operands[0], y = operands.size() > 1 ? operands[1] : Value();
  switch (kind) {
  case Kind::neg:
    return arith::NegFOp::create(b, x);
  case Kind::abs:
    return math::AbsFOp::create(b, x);
  case Kind::exp:
    return exp(x);
  case Kind::log:
    return log(x);
  case Kind::sqrt:
    return math::SqrtOp::create(b, x);
  case Kind::rsqrt:
    return arith::DivFOp::create(b, constant(1, x), math::SqrtOp::create(b, x));
  case Kind::reciprocal:
    return arith::DivFOp::create(b, constant(1, x), x);
  case Kind::erf:
    return erf(x);
  case Kind::tanh:
    return tanh(x);
  case Kind::sigmoid:
    return sigmoid(x);
  case Kind::sin:
    return sin(x);
  case Kind::cos:
    return cos(x);
  case Kind::floor:
    return math::FloorOp::create(b, x);
  case Kind::ceil:
    return math::CeilOp::create(b, x);
  case Kind::round:
    return math::RoundEvenOp::create(b, x);
  case Kind::sign: { // zero and NaN stay
    Value zero = constant(0, x), one = constant(1, x);
    Value positive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, zero);
    Value negative = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, zero);
    return select(positive, one, select(negative, arith::NegFOp::create(b, one), x));
  }
  case Kind::add:
    return arith::AddFOp::create(b, x, y);
  case Kind::sub:
    return arith::SubFOp::create(b, x, y);
  case Kind::mul:
    return arith::MulFOp::create(b, x, y);
  case Kind::div:
    return arith::DivFOp::create(b, x, y);
  case Kind::pow:
    return pow(x, y);
  case Kind::minimum:
    return arith::MinimumFOp::create(b, x, y);
  case Kind::maximum:
    return arith::MaximumFOp::create(b, x, y);
  default:
    llvm_unreachable("function without a vector form");
  }
}
