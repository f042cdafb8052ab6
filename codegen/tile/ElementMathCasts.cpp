// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversions between element types, and between buffers and compute form.
#include "codegen/tile/ElementMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

static bool isHalf(Type element) {
  return element.isF16() || element.isBF16();
}

/// i16 to f32. Written out where the machine has no instruction: LLVM would call a function.
Value ElementMath::fromHalfBits(Value x, Type element) {
  Type f32 = builder.getF32Type();
  if (element.isF16() && hasHalfConversion)
    return arith::ExtFOp::create(builder, like(x, f32), fromBits(x, element));
  Value wide = arith::ExtUIOp::create(builder, like(x, builder.getI32Type()), x);
  Type integers = wide.getType();
  if (element.isBF16())
    return fromBits(arith::ShLIOp::create(builder, wide, integer(integers, 16)), f32);
  auto masked = [&](int64_t mask) -> Value { return arith::AndIOp::create(builder, wide, integer(integers, mask)); };
  auto shifted = [&](Value value, int64_t by) -> Value {
    return arith::ShLIOp::create(builder, value, integer(integers, by));
  };
  // Exponents differ by 112; multiplying also normalises what is below the normal range of f16.
  Value magnitude = mul(fromBits(shifted(masked(0x7fff), 13), f32), constant(like(x, f32), 0x1p112));
  Value isSpecial = compare(CmpIPredicate::uge, masked(0x7fff), integer(integers, 0x7c00));
  Value special = arith::OrIOp::create(builder, shifted(masked(0x7fff), 13), integer(integers, 0x7f800000));
  Value result = select(isSpecial, special, bits(magnitude));
  return fromBits(arith::OrIOp::create(builder, result, shifted(masked(0x8000), 16)), f32);
}

/// f32 to i16, to nearest with ties to even.
Value ElementMath::toHalfBits(Value x, Type element) {
  Type i16 = like(x, builder.getI16Type());
  if (element.isF16() && hasHalfConversion)
    return bits(arith::TruncFOp::create(builder, like(x, element), x));
  Value all = bits(x);
  Type integers = all.getType();
  auto number = [&](int64_t value) { return integer(integers, value); };
  auto right = [&](Value value, int64_t by) -> Value { return arith::ShRUIOp::create(builder, value, number(by)); };
  auto masked = [&](Value value, int64_t mask) -> Value { return arith::AndIOp::create(builder, value, number(mask)); };
  Value magnitude = masked(all, 0x7fffffff), sign = right(masked(all, int32_t(0x80000000)), 16);
  Value isNaN = compare(CmpIPredicate::ugt, magnitude, number(0x7f800000));
  // Adding half a unit, less one where the result is even, carries into the exponent as it should.
  auto rounded = [&](Value value, int64_t drop) {
    Value odd = masked(right(value, drop), 1);
    return right(add(add(value, number((1 << (drop - 1)) - 1)), odd), drop);
  };
  Value result;
  if (element.isBF16()) {
    result = select(isNaN, number(0x7fc0), rounded(magnitude, 16));
  } else {
    Value normal = rounded(sub(magnitude, number(112 << 23)), 13);
    // The addition of 1/2 shifts small numbers to where their last f16 digit is the last of f32, and rounds.
    Value small =
        sub(bits(add(fromBits(magnitude, builder.getF32Type()), constant(x.getType(), 0.5))), number(0x3f000000));
    result = select(compare(CmpIPredicate::ult, magnitude, number(0x38800000)), small, normal);
    result = select(compare(CmpIPredicate::uge, magnitude, number(0x47800000)), number(0x7c00), result);
    result = select(isNaN, number(0x7e00), result);
  }
  return arith::TruncIOp::create(builder, i16, arith::OrIOp::create(builder, result, sign));
}

Value ElementMath::round(Value x, Type element) {
  return isHalf(element) ? fromHalfBits(toHalfBits(x, element), element) : x;
}

Value ElementMath::narrow(Value x, Type element) {
  if (element.isF64())
    return x;
  Value near = truncate(x, builder.getF32Type());
  if (!isHalf(element))
    return near;
  // Twice to nearest is not to nearest. Where f32 is not exact its last bit is set instead, which decides the second
  // rounding as the digits behind it would.
  Value magnitude = math::AbsFOp::create(builder, x), nearMagnitude = math::AbsFOp::create(builder, extend(near));
  Value all = bits(near), one = integer(all.getType(), 1), zero = integer(all.getType(), 0);
  Value isEven = compare(CmpIPredicate::eq, arith::AndIOp::create(builder, all, one), zero);
  Value isAbove = compare(CmpFPredicate::OGT, nearMagnitude, magnitude);
  Value isBelow = compare(CmpFPredicate::OLT, nearMagnitude, magnitude);
  Value step = select(isAbove, integer(all.getType(), -1), select(isBelow, one, zero));
  Value odd = fromBits(add(all, select(isEven, step, zero)), builder.getF32Type());
  return round(odd, element);
}

Value ElementMath::fromStorage(Value stored, Type element) {
  if (element.isInteger(1))
    return compare(CmpIPredicate::ne, stored, integer(stored.getType(), 0));
  return isHalf(element) ? fromHalfBits(stored, element) : stored;
}

Value ElementMath::toStorage(Value value, Type element) {
  if (element.isInteger(1))
    return arith::ExtUIOp::create(builder, like(value, builder.getI8Type()), value);
  if (element.isBF16()) { // rounded already: the rest of its digits are 0
    Value all = bits(value);
    Value upper = arith::ShRUIOp::create(builder, all, integer(all.getType(), 16));
    return arith::TruncIOp::create(builder, like(value, builder.getI16Type()), upper);
  }
  return isHalf(element) ? toHalfBits(value, element) : value;
}

Value ElementMath::floatToInteger(Value x, unsigned width, bool isUnsigned) {
  Type type = x.getType(), i32 = like(x, builder.getI32Type());
  if (width < 32) { // both bounds are exact
    double low = isUnsigned ? 0 : -std::ldexp(1.0, width - 1);
    double high = std::ldexp(1.0, isUnsigned ? width : width - 1) - 1;
    x = select(compare(CmpFPredicate::UNO, x, x), constant(type, 0), x);
    x = select(compare(CmpFPredicate::OLT, x, constant(type, low)), constant(type, low), x);
    x = select(compare(CmpFPredicate::OGT, x, constant(type, high)), constant(type, high), x);
    Value wide = arith::FPToSIOp::create(builder, i32, x);
    return arith::TruncIOp::create(builder, like(x, builder.getIntegerType(std::max(width, 8u))), wide);
  }
  Type result = like(x, builder.getIntegerType(width));
  if (isUnsigned) { // from 0 to all bits
    Value zero = constant(type, 0), above = constant(type, std::ldexp(1.0, width));
    Value isPositive = compare(CmpFPredicate::OGT, x, zero), isHigh = compare(CmpFPredicate::OGE, x, above);
    Value fits = arith::AndIOp::create(builder, isPositive, compare(CmpFPredicate::OLT, x, above));
    Value converted = arith::FPToUIOp::create(builder, result, select(fits, x, zero));
    return select(isHigh, integer(result, -1), converted);
  }
  Value low = constant(type, -std::ldexp(1.0, width - 1)), above = constant(type, std::ldexp(1.0, width - 1));
  Value isLow = compare(CmpFPredicate::OLT, x, low), isHigh = compare(CmpFPredicate::OGE, x, above);
  Value fits =
      arith::AndIOp::create(builder, compare(CmpFPredicate::OGE, x, low), compare(CmpFPredicate::OLT, x, above));
  Value converted = arith::FPToSIOp::create(builder, result, select(fits, x, constant(type, 0)));
  converted = select(isLow, integer(result, llvm::minIntN(width)), converted);
  return select(isHigh, integer(result, llvm::maxIntN(width)), converted);
}

Value ElementMath::integerToFloat(Value x, Type from, Type to) {
  bool isUnsigned = from.isInteger(1) || from.isUnsignedInteger();
  if (isHalf(to) && from.isInteger(64)) {
    // More digits than f64 holds must not be lost before the last rounding: those below 2^16 shrink to one that tells
    // whether any was set, where the number is so large that they cannot matter otherwise.
    Type type = x.getType();
    Value low = arith::AndIOp::create(builder, x, integer(type, 0xffff));
    Value any = select(compare(CmpIPredicate::ne, low, integer(type, 0)), integer(type, 0x8000), integer(type, 0));
    Value sticky = arith::OrIOp::create(builder, sub(x, low), any);
    Value isSmall =
        compare(CmpIPredicate::ult, add(x, integer(type, int64_t(1) << 40)), integer(type, int64_t(1) << 41));
    x = select(isSmall, x, sticky);
  }
  Type wide = like(x, isHalf(to) ? Type(builder.getF64Type()) : to);
  Value converted =
      isUnsigned ? Value(arith::UIToFPOp::create(builder, wide, x)) : Value(arith::SIToFPOp::create(builder, wide, x));
  return isHalf(to) ? narrow(converted, to) : converted;
}

Value ElementMath::cast(Value x, Type from, Type to) {
  if (from == to)
    return x;
  bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  if (to.isInteger(1))
    return fromFloat ? compare(CmpFPredicate::UNE, x, constant(x.getType(), 0))
                     : compare(CmpIPredicate::ne, x, integer(x.getType(), 0));
  if (fromFloat && toFloat) {
    if (to.isF64())
      return extend(x);
    return from.isF64() ? narrow(x, to) : round(x, to);
  }
  if (fromFloat)
    return floatToInteger(x, to.getIntOrFloatBitWidth(), to.isUnsignedInteger());
  if (toFloat)
    return integerToFloat(x, from, to);
  if (to.isInteger(4)) { // the low bits, with their sign or zeros above
    Type byte = builder.getI8Type();
    Value narrow = cast(x, from.isInteger(4) ? byte : from, byte);
    if (to.isUnsignedInteger())
      return arith::AndIOp::create(builder, narrow, integer(narrow.getType(), 15));
    Value four = integer(narrow.getType(), 4);
    return arith::ShRSIOp::create(builder, arith::ShLIOp::create(builder, narrow, four), four);
  }
  // 4 bits are computed in 8.
  unsigned width = to.getIntOrFloatBitWidth(),
           old = std::max(from.getIntOrFloatBitWidth(), from.isInteger(4) ? 8u : 1u);
  Type type = like(x, builder.getIntegerType(width));
  if (width == old)
    return x;
  if (width < old)
    return arith::TruncIOp::create(builder, type, x);
  if (from.isInteger(1) || from.isUnsignedInteger())
    return arith::ExtUIOp::create(builder, type, x);
  return arith::ExtSIOp::create(builder, type, x);
}
