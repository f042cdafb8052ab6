// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arithmetic on constants.
#include "dialects/model/ModelConstants.h"

#include "llvm/ADT/APSInt.h"

#include <cmath>

using namespace mlir;

namespace tamis::model {

using K = ElementwiseKind;

static double toDouble(const APFloat &value) {
  APFloat wide = value;
  bool inexact;
  wide.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &inexact);
  return wide.convertToDouble();
}

static Attribute fromDouble(double number, FloatType type) {
  APFloat value(number);
  bool inexact;
  value.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
  return FloatAttr::get(type, value);
}

static Attribute fromBool(bool value, Type type) {
  return IntegerAttr::get(type, APInt(1, value));
}

static bool isUnsigned(Type type) {
  return type.isInteger(1) || type.isUnsignedInteger();
}

static std::optional<double> evaluateFloat(K kind, double x, double y) {
  switch (kind) {
  case K::neg:
    return -x;
  case K::abs:
    return std::fabs(x);
  case K::exp:
    return std::exp(x);
  case K::log:
    return std::log(x);
  case K::sqrt:
    return std::sqrt(x);
  case K::rsqrt:
    return 1 / std::sqrt(x);
  case K::reciprocal:
    return 1 / x;
  case K::erf:
    return std::erf(x);
  case K::tanh:
    return std::tanh(x);
  case K::sigmoid:
    return 1 / (1 + std::exp(-x));
  case K::sin:
    return std::sin(x);
  case K::cos:
    return std::cos(x);
  case K::floor:
    return std::floor(x);
  case K::ceil:
    return std::ceil(x);
  case K::round:
    return std::nearbyint(x); // the default rounding mode: ties to even
  case K::sign:
    return std::isnan(x) ? x : double((x > 0) - (x < 0));
  case K::add:
    return x + y;
  case K::sub:
    return x - y;
  case K::mul:
    return x * y;
  case K::div:
    return x / y;
  case K::pow:
    return std::pow(x, y);
  case K::mod: {
    double rest = std::fmod(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
  case K::fmod:
    return std::fmod(x, y);
  case K::minimum:
    return std::isnan(x) ? x : std::isnan(y) ? y : std::fmin(x, y);
  case K::maximum:
    return std::isnan(x) ? x : std::isnan(y) ? y : std::fmax(x, y);
  default:
    return std::nullopt;
  }
}

static bool compare(K kind, int order, bool unordered) {
  switch (kind) {
  case K::equal:
    return !unordered && order == 0;
  case K::not_equal:
    return unordered || order != 0;
  case K::less:
    return !unordered && order < 0;
  case K::less_equal:
    return !unordered && order <= 0;
  case K::greater:
    return !unordered && order > 0;
  default:
    return !unordered && order >= 0;
  }
}

static std::optional<APInt> evaluateInteger(K kind, const APInt &x, const APInt &y, bool isUnsigned) {
  auto zero = [&] { return APInt::getZero(x.getBitWidth()); };
  switch (kind) {
  case K::neg:
    return -x;
  case K::abs:
    return isUnsigned ? x : x.abs();
  case K::sign:
    return isUnsigned ? APInt(x.getBitWidth(), !x.isZero())
                      : APInt(x.getBitWidth(),
                              x.isZero()       ? 0
                              : x.isNegative() ? -1
                                               : 1,
                              /*isSigned=*/true);
  case K::floor:
  case K::ceil:
  case K::round:
    return x;
  case K::add:
    return x + y;
  case K::sub:
    return x - y;
  case K::mul:
    return x * y;
  case K::div:
    return y.isZero() ? zero() : isUnsigned ? x.udiv(y) : x.sdiv(y);
  case K::fmod:
    if (y.isZero())
      return std::nullopt;
    return isUnsigned ? x.urem(y) : x.srem(y);
  case K::mod: {
    if (y.isZero())
      return std::nullopt;
    if (isUnsigned)
      return x.urem(y);
    APInt rest = x.srem(y);
    return !rest.isZero() && rest.isNegative() != y.isNegative() ? rest + y : rest;
  }
  case K::pow: {
    if (!isUnsigned && y.isNegative())
      return std::nullopt;
    APInt power(x.getBitWidth(), 1), base = x;
    for (APInt exponent = y; !exponent.isZero(); exponent.lshrInPlace(1), base *= base)
      if (exponent[0])
        power *= base;
    return power;
  }
  case K::minimum:
    return (isUnsigned ? x.ule(y) : x.sle(y)) ? x : y;
  case K::maximum:
    return (isUnsigned ? x.uge(y) : x.sge(y)) ? x : y;
  case K::logical_not:
    return ~x;
  case K::logical_and:
    return x & y;
  case K::logical_or:
    return x | y;
  case K::logical_xor:
    return x ^ y;
  default:
    return std::nullopt;
  }
}

Attribute evaluateScalar(K kind, ArrayRef<Attribute> operands, Type result) {
  if (kind == K::select) {
    auto condition = dyn_cast<IntegerAttr>(operands[0]);
    return !condition ? Attribute() : condition.getValue().isZero() ? operands[2] : operands[1];
  }
  bool comparison = kind >= K::equal && kind <= K::greater_equal;
  if (auto x = dyn_cast<FloatAttr>(operands[0])) {
    auto y = operands.size() > 1 ? dyn_cast<FloatAttr>(operands[1]) : x;
    if (!y)
      return {};
    double a = toDouble(x.getValue()), b = toDouble(y.getValue());
    if (kind == K::isnan || kind == K::isinf)
      return fromBool(kind == K::isnan ? std::isnan(a) : std::isinf(a), result);
    if (comparison)
      return fromBool(compare(kind, a < b ? -1 : a > b, std::isnan(a) || std::isnan(b)), result);
    auto type = dyn_cast<FloatType>(result);
    auto number = evaluateFloat(kind, a, b);
    return type && number ? fromDouble(*number, type) : Attribute();
  }
  auto x = dyn_cast<IntegerAttr>(operands[0]);
  auto y = operands.size() > 1 ? dyn_cast<IntegerAttr>(operands[1]) : x;
  if (!x || !y || x.getType() != y.getType())
    return {};
  const APInt a = x.getValue(), b = y.getValue();
  bool plain = isUnsigned(x.getType());
  if (comparison)
    return fromBool(compare(kind, a == b ? 0 : (plain ? a.ult(b) : a.slt(b)) ? -1 : 1, false), result);
  auto number = evaluateInteger(kind, a, b, plain);
  return number && number->getBitWidth() == result.getIntOrFloatBitWidth() ? IntegerAttr::get(result, *number)
                                                                           : Attribute();
}

Attribute castScalar(Attribute value, Type to) {
  if (auto number = dyn_cast<FloatAttr>(value)) {
    APFloat from = number.getValue();
    if (to.isInteger(1))
      return fromBool(!from.isZero(), to); // NaN is not zero
    bool ignored;
    if (auto type = dyn_cast<FloatType>(to)) {
      from.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &ignored);
      return FloatAttr::get(type, from);
    }
    if (!to.isInteger())
      return {};
    APSInt integer(to.getIntOrFloatBitWidth(), isUnsigned(to));
    from.convertToInteger(integer, APFloat::rmTowardZero, &ignored); // saturates; NaN gives 0
    return IntegerAttr::get(to, APInt(integer));
  }
  auto number = dyn_cast<IntegerAttr>(value);
  if (!number)
    return {};
  APInt from = number.getValue();
  bool plain = isUnsigned(number.getType());
  if (to.isInteger(1))
    return fromBool(!from.isZero(), to);
  if (auto type = dyn_cast<FloatType>(to)) {
    APFloat converted(type.getFloatSemantics());
    converted.convertFromAPInt(from, !plain, APFloat::rmNearestTiesToEven);
    return FloatAttr::get(type, converted);
  }
  if (!to.isInteger())
    return {};
  unsigned width = to.getIntOrFloatBitWidth();
  return IntegerAttr::get(to, plain ? from.zextOrTrunc(width) : from.sextOrTrunc(width));
}

DenseElementsAttr pickElements(DenseElementsAttr source, RankedTensorType type,
                               llvm::function_ref<int64_t(int64_t)> from) {
  if (!type.hasStaticShape())
    return {};
  if (source.isSplat())
    return DenseElementsAttr::get(type, source.getSplatValue<Attribute>());
  if (type.getNumElements() > kFoldLimit || source.getNumElements() > kFoldLimit)
    return {};
  SmallVector<Attribute> elements(source.getValues<Attribute>()), picked;
  picked.reserve(type.getNumElements());
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    picked.push_back(elements[from(i)]);
  return DenseElementsAttr::get(type, picked);
}

TypedAttr uniformValue(Value value) {
  SmallVector<Type> casts; // to apply to the constant, the last first
  while (Operation *op = value.getDefiningOp()) {
    if (auto constant = dyn_cast<ConstantOp>(op)) {
      auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
      Attribute scalar = elements && elements.isSplat() ? elements.getSplatValue<Attribute>() : Attribute();
      while (scalar && !casts.empty())
        scalar = castScalar(scalar, casts.pop_back_val());
      return dyn_cast_or_null<TypedAttr>(scalar);
    }
    if (isa<CastOp>(op))
      casts.push_back(cast<RankedTensorType>(value.getType()).getElementType());
    else if (!isa<ReshapeOp, TransposeOp, BroadcastOp, SliceOp>(op))
      return {};
    value = op->getOperand(0);
  }
  return {};
}

std::optional<double> uniformNumber(Value value) {
  TypedAttr attr = uniformValue(value);
  if (auto number = dyn_cast_or_null<FloatAttr>(attr))
    return toDouble(number.getValue());
  if (auto number = dyn_cast_or_null<IntegerAttr>(attr))
    return isUnsigned(number.getType()) ? double(number.getValue().getZExtValue())
                                        : double(number.getValue().getSExtValue());
  return std::nullopt;
}

Value makeUniform(OpBuilder &builder, Location loc, RankedTensorType type, double number) {
  Type element = type.getElementType();
  Attribute scalar = castScalar(builder.getF64FloatAttr(number), element);
  auto small = type.hasStaticShape() ? type : RankedTensorType::get({}, element);
  Value constant = ConstantOp::create(builder, loc, small, DenseElementsAttr::get(small, scalar));
  return small == type ? constant : BroadcastOp::create(builder, loc, type, constant).getResult();
}

Value layerWeight(Operation *op) {
  Value weight;
  if (auto linear = dyn_cast<LinearOp>(op))
    weight = linear.getWeight();
  else if (auto embedding = dyn_cast<EmbeddingOp>(op))
    weight = embedding.getTable();
  else
    return {};
  return cast<RankedTensorType>(op->getResult(0).getType()).getElementType().isF32() ? weight : Value();
}

std::optional<std::string> weightKey(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto weight = dyn_cast<WeightOp>(op))
      return weight.getKey().str();
    if (!isa<ReshapeOp, TransposeOp, BroadcastOp, SliceOp, ConcatOp, GatherOp, CastOp, ElementwiseOp, DequantizeOp>(op))
      return std::nullopt;
    value = op->getOperand(0);
  }
  return std::nullopt;
}

} // namespace tamis::model
