// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of real numbers by argument reduction and polynomials; f64 throughout where f32 would lose digits.
#include "codegen/tile/ElementMath.h"

#include "codegen/tile/VectorMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// ln 2 and pi / 2 in pieces of so few bits that their products with the small integers of argument reduction are exact.
constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kHalfPi1 = 0x1.921fb54p+0, kHalfPi2 = 0x1.10b46118p-30, kHalfPi3 = 0x1.313198a2e037p-61;

// 1.5 * 2^52: adding it leaves the nearest integer in the low bits of an f64.
constexpr double kRoundMagic = 0x1.8p52;

Type scalarOf(Value value) {
  return getElementTypeOrSelf(value.getType());
}

/// The first `count` coefficients a(0), a(1), ...
SmallVector<double> series(unsigned count, function_ref<double(unsigned)> term) {
  SmallVector<double> coefficients;
  for (unsigned n = 0; n < count; ++n)
    coefficients.push_back(term(n));
  return coefficients;
}
double factorial(unsigned n) {
  return std::tgamma(n + 1.0);
}
} // namespace

Value ElementMath::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = constant(x.getType(), coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = muladd(sum, x, constant(x.getType(), coefficient));
  return sum;
}

/// 2^exponent for i64 exponents of normal f64 numbers.
Value ElementMath::powerOfTwo(Value exponent) {
  Value biased = add(exponent, integer(exponent.getType(), 1023));
  Value shifted = arith::ShLIOp::create(builder, biased, integer(exponent.getType(), 52));
  return fromBits(shifted, builder.getF64Type());
}

namespace {
/// x = k ln 2 + r with |r| <= ln 2 / 2.
struct Reduced {
  Value k, r;
};
} // namespace

static Reduced reduceByLn2(ElementMath &math, ImplicitLocOpBuilder &builder, Value x) {
  Value magic = math.constant(x.getType(), kRoundMagic);
  Value shifted = math.muladd(x, math.constant(x.getType(), 1 / M_LN2), magic);
  Value whole = math.sub(shifted, magic);
  Value r = math.muladd(whole, math.constant(x.getType(), -kLn2High), x);
  r = math.muladd(whole, math.constant(x.getType(), -kLn2Low), r);
  Type integers = builder.getI64Type();
  if (auto vector = dyn_cast<VectorType>(x.getType()))
    integers = vector.clone(integers);
  Value k = math.sub(arith::BitcastOp::create(builder, integers, shifted),
                     arith::BitcastOp::create(builder, integers, magic));
  return {k, r};
}

Value ElementMath::exp64(Value x) {
  // Beyond these bounds the result is infinity or zero anyway; comparisons keep NaN.
  Value high = constant(x.getType(), 1000), low = constant(x.getType(), -1000);
  x = select(compare(CmpFPredicate::OGT, x, high), high, x);
  x = select(compare(CmpFPredicate::OLT, x, low), low, x);
  auto [k, r] = reduceByLn2(*this, builder, x);
  Value value = polynomial(r, series(14, [](unsigned n) { return 1 / factorial(n); }));
  // In two steps, each a normal number, so that results below the normal range come out right.
  Value half = arith::ShRSIOp::create(builder, k, integer(k.getType(), 1));
  return mul(mul(value, powerOfTwo(half)), powerOfTwo(sub(k, half)));
}

/// exp(x) - 1 without cancellation, for 0 <= x <= 700 or NaN.
Value ElementMath::expm1Positive(Value x) {
  auto [k, r] = reduceByLn2(*this, builder, x);
  Value rest = mul(polynomial(r, series(14, [](unsigned n) { return 1 / factorial(n + 1); })), r);
  Value scale = powerOfTwo(k);
  return muladd(scale, rest, sub(scale, constant(x.getType(), 1)));
}

Value ElementMath::exp(Value x) {
  return scalarOf(x).isF64() ? exp64(x) : VectorMath(builder).exp(x);
}

Value ElementMath::tanh(Value x) {
  if (!scalarOf(x).isF64())
    return VectorMath(builder).tanh(x);
  Value twice = mul(math::AbsFOp::create(builder, x), constant(x.getType(), 2));
  Value high = constant(x.getType(), 80);
  twice = select(compare(CmpFPredicate::OGT, twice, high), high, twice);
  Value e = expm1Positive(twice);
  return math::CopySignOp::create(builder, div(e, add(e, constant(x.getType(), 2))), x);
}

Value ElementMath::sigmoid(Value x) {
  Value one = constant(x.getType(), 1);
  return div(one, add(one, exp(arith::NegFOp::create(builder, x))));
}

// Near zero the Maclaurin series; from 3/4 on 1 - exp(-a^2) q(u), u = (a - 2) / (a + 2), where q is the Chebyshev fit
// of erfc(a) exp(a^2) for a in [0.75, 6.25], largest error 6e-19.
Value ElementMath::erf(Value x) {
  if (!scalarOf(x).isF64())
    return VectorMath(builder).erf(x);
  static constexpr double kTail[] = {
      0.25539567631050574342,      -0.42718584741395838691,   0.24165819424246670691,     -0.078978581015734747916,
      0.0037328924043000145792,    0.0069974617394132184822,  -0.00084714324978412347987, -0.00098197703436113414371,
      0.000043555581913848626538,  0.00017436131471028991329, 0.000027525620694497972472, -0.000027581412753812046957,
      -0.000013967827480232423589, 1.4007700977851538357e-6,  3.7814320649987189894e-6,   1.1620659236854932983e-6,
      -5.0433418400542654755e-7,   -4.2898505483539084023e-7, -3.9713155915361274491e-9};
  Type type = x.getType();
  Value near = mul(x, polynomial(mul(x, x), series(17, [](unsigned n) {
                                   return (n % 2 ? -M_2_SQRTPI : M_2_SQRTPI) / (factorial(n) * (2 * n + 1));
                                 })));
  Value a = math::AbsFOp::create(builder, x), last = constant(type, 6.25), two = constant(type, 2);
  a = select(compare(CmpFPredicate::OGT, a, last), last, a);
  Value u = div(sub(a, two), add(a, two));
  Value tail = mul(exp64(arith::NegFOp::create(builder, mul(a, a))), polynomial(u, kTail));
  Value far = math::CopySignOp::create(builder, sub(constant(type, 1), tail), x);
  return select(compare(CmpFPredicate::OLT, a, constant(type, 0.75)), near, far);
}

// x = 2^e m with m in [sqrt 1/2, sqrt 2); log m from the series of the inverse hyperbolic tangent in s = f / (2 + f),
// f = m - 1, arranged so that f itself enters unrounded.
Value ElementMath::log(Value x) {
  if (!scalarOf(x).isF64())
    return VectorMath(builder).log(x);
  constexpr int64_t kOneBits = 0x3ff0000000000000, kLowBits = 0x3fe6a09e667f3bcd; // of 1 and of sqrt 1/2
  Type type = x.getType();
  Value isTiny = compare(CmpFPredicate::OLT, x, constant(type, 0x1p-1022));
  Value normal = bits(select(isTiny, mul(x, constant(type, 0x1p54)), x));
  Type integers = normal.getType();
  Value shifted = add(normal, integer(integers, kOneBits - kLowBits));
  Value biased = arith::ShRUIOp::create(builder, shifted, integer(integers, 52));
  Value exponent = sub(biased, select(isTiny, integer(integers, 1023 + 54), integer(integers, 1023)));
  // Conversions of 64-bit integers are slow before AVX-512.
  Value e =
      arith::SIToFPOp::create(builder, type, arith::TruncIOp::create(builder, like(x, builder.getI32Type()), exponent));
  Value fraction = arith::AndIOp::create(builder, shifted, integer(integers, (int64_t(1) << 52) - 1));
  Value f = sub(fromBits(add(fraction, integer(integers, kLowBits)), scalarOf(x)), constant(type, 1));
  Value s = div(f, add(f, constant(type, 2))), z = mul(s, s);
  Value rest = mul(z, polynomial(z, series(10, [](unsigned n) { return 2.0 / (2 * n + 3); })));
  Value half = mul(mul(f, f), constant(type, 0.5));
  Value low = muladd(s, add(half, rest), mul(e, constant(type, kLn2Low)));
  Value result = sub(mul(e, constant(type, kLn2High)), sub(sub(half, low), f));
  result = select(compare(CmpFPredicate::OLT, x, constant(type, kInfinity)), result, x); // infinity and NaN
  Value zero = constant(type, 0);
  result = select(compare(CmpFPredicate::OEQ, x, zero), constant(type, -kInfinity), result);
  return select(compare(CmpFPredicate::OLT, x, zero), constant(type, kNaN), result);
}

Value ElementMath::sinCos(Value x, bool cosine) {
  Type given = scalarOf(x);
  x = extend(x);
  Type type = x.getType();
  Value magic = constant(type, kRoundMagic);
  Value shifted = muladd(x, constant(type, M_2_PI), magic);
  Value quarters = sub(shifted, magic);
  Value r = x;
  for (double piece : {kHalfPi1, kHalfPi2, kHalfPi3})
    r = muladd(quarters, constant(type, -piece), r);
  Value square = mul(r, r);
  Value sine =
      mul(r, polynomial(square, series(9, [](unsigned n) { return (n % 2 ? -1 : 1) / factorial(2 * n + 1); })));
  Value cosines = polynomial(square, series(9, [](unsigned n) { return (n % 2 ? -1 : 1) / factorial(2 * n); }));
  Value quadrant = bits(shifted);
  Type integers = quadrant.getType();
  if (cosine)
    quadrant = add(quadrant, integer(integers, 1));
  auto hasBit = [&](int64_t bit) {
    Value masked = arith::AndIOp::create(builder, quadrant, integer(integers, bit));
    return compare(CmpIPredicate::ne, masked, integer(integers, 0));
  };
  Value result = select(hasBit(1), cosines, sine);
  result = select(hasBit(2), arith::NegFOp::create(builder, result), result);
  Value magnitude = math::AbsFOp::create(builder, x);
  result = select(compare(CmpFPredicate::OLT, magnitude, constant(type, 0x1p30)), result, constant(type, kNaN));
  return truncate(result, given);
}

/// x^n by multiplication, n >= 1.
Value ElementMath::smallPower(Value x, int64_t n) {
  if (n == 1)
    return x;
  Value half = smallPower(x, n / 2), square = mul(half, half);
  return n % 2 ? mul(square, x) : square;
}

Value ElementMath::pow(Value x, Value y) {
  Type given = scalarOf(x), type = x.getType();
  // Exponents known here: most are 2, 3 and 1/2.
  FloatAttr known;
  DenseElementsAttr splat;
  if (matchPattern(y, m_Constant(&splat)) && splat.isSplat())
    known = splat.getSplatValue<FloatAttr>();
  else
    matchPattern(y, m_Constant(&known));
  if (known) {
    double exponent = known.getValueAsDouble();
    if (exponent >= 1 && exponent <= 4 && exponent == std::floor(exponent))
      return smallPower(x, int64_t(exponent));
    if (exponent == -1)
      return div(constant(type, 1), x);
    if (exponent == 0.5) { // unlike the square root of -0 and -infinity, both results are positive
      Value root = math::SqrtOp::create(builder, add(x, constant(type, 0)));
      return select(compare(CmpFPredicate::OEQ, x, constant(type, -kInfinity)), constant(type, kInfinity), root);
    }
  }

  x = extend(x);
  y = extend(y);
  type = x.getType();
  Value zero = constant(type, 0), one = constant(type, 1), magnitude = math::AbsFOp::create(builder, x);
  Value result = exp64(mul(y, log(magnitude)));
  // log(1) * infinity is NaN, but every power of 1 and -1 is of magnitude 1.
  Value isOne = compare(CmpFPredicate::OEQ, magnitude, one), isNumber = compare(CmpFPredicate::ORD, y, y);
  result = select(arith::AndIOp::create(builder, isOne, isNumber), one, result);
  Value isWhole = compare(CmpFPredicate::OEQ, math::FloorOp::create(builder, y), y);
  Value half = mul(y, constant(type, 0.5));
  Value isOdd =
      arith::AndIOp::create(builder, isWhole, compare(CmpFPredicate::ONE, math::FloorOp::create(builder, half), half));
  Value signedResult = math::CopySignOp::create(builder, result, x);
  result = select(isOdd, signedResult, result);
  Value noRoot = arith::AndIOp::create(builder, compare(CmpFPredicate::OLT, x, zero),
                                       compare(CmpFPredicate::OGT, x, constant(type, -kInfinity)));
  noRoot = arith::AndIOp::create(builder, noRoot, compare(CmpFPredicate::UNE, math::FloorOp::create(builder, y), y));
  result = select(noRoot, constant(type, kNaN), result);
  Value always =
      arith::OrIOp::create(builder, compare(CmpFPredicate::OEQ, y, zero), compare(CmpFPredicate::OEQ, x, one));
  return truncate(select(always, one, result), given);
}

// Long division of the mantissas, eleven bits a step: exact, as the remainder of a division always is.
Value ElementMath::fmod(Value x, Value y) {
  Type type = builder.getF64Type(), integers = builder.getI64Type();
  auto number = [&](int64_t value) { return integer(integers, value); };
  Value a = math::AbsFOp::create(builder, x), b = math::AbsFOp::create(builder, y);
  auto split = [&](Value value, Value &exponent, Value &mantissa) {
    Value all = bits(value);
    Value stored = arith::ShRUIOp::create(builder, all, number(52));
    Value fraction = arith::AndIOp::create(builder, all, number((int64_t(1) << 52) - 1));
    Value isNormal = compare(CmpIPredicate::ne, stored, number(0));
    exponent = select(isNormal, stored, number(1));
    mantissa = select(isNormal, arith::OrIOp::create(builder, fraction, number(int64_t(1) << 52)), fraction);
  };
  Value exponentA, mantissaA, exponentB, mantissaB;
  split(a, exponentA, mantissaA);
  split(b, exponentB, mantissaB);
  Value divisor = arith::MaxSIOp::create(builder, mantissaB, number(1)); // zero is answered below
  Value rest = arith::RemUIOp::create(builder, mantissaA, divisor);
  auto loop = scf::WhileOp::create(
      builder, TypeRange{integers, integers}, ValueRange{sub(exponentA, exponentB), rest},
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Value more = arith::CmpIOp::create(nested, loc, CmpIPredicate::sgt, state[0], number(0));
        scf::ConditionOp::create(nested, loc, more, state);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Value step = arith::MinSIOp::create(nested, loc, state[0], number(11));
        Value shifted = arith::ShLIOp::create(nested, loc, state[1], step);
        Value left = arith::SubIOp::create(nested, loc, state[0], step);
        Value next = arith::RemUIOp::create(nested, loc, shifted, divisor);
        scf::YieldOp::create(nested, loc, ValueRange{left, next});
      });
  // rest * 2^(exponentB - 1075), where the power may lie below the normal range.
  Value normalUnit = arith::ShLIOp::create(builder, sub(exponentB, number(52)), number(52));
  Value below = arith::MinSIOp::create(builder, sub(exponentB, number(1)), number(52));
  Value unit = select(compare(CmpIPredicate::sgt, exponentB, number(52)), normalUnit,
                      arith::ShLIOp::create(builder, number(1), below));
  Value result = mul(arith::UIToFPOp::create(builder, type, loop.getResult(1)), fromBits(unit, type));
  result = select(compare(CmpFPredicate::OLT, a, b), a, result); // an infinite divisor too
  result = math::CopySignOp::create(builder, result, x);
  Value isDefined = arith::AndIOp::create(builder, compare(CmpFPredicate::OLT, a, constant(type, kInfinity)),
                                          compare(CmpFPredicate::OGT, b, constant(type, 0)));
  return select(isDefined, result, constant(type, kNaN));
}
