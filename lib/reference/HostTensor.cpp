// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Element types: between bytes and numbers.
#include "lib/reference/HostTensor.h"

#include "lib/support/Weights.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace tamis::reference;

namespace {
template <typename T> T load(const char *bytes) {
  return llvm::support::endian::read<T, llvm::endianness::little>(bytes);
}
template <typename T> void store(char *bytes, T value) {
  llvm::support::endian::write<T, llvm::endianness::little>(bytes, value);
}

/// IEEE 754 binary16 as a number.
double halfToDouble(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double magnitude = exponent == 31  ? (fraction ? std::nan("") : INFINITY)
                     : exponent == 0 ? std::ldexp(fraction, -24)
                                     : std::ldexp(fraction + 1024, exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

/// A number in 8 or 16 bits, rounded once (double to float to half would round twice).
uint16_t roundToBits(double value, const llvm::fltSemantics &semantics) {
  llvm::APFloat number(value);
  bool losesInfo;
  number.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return static_cast<uint16_t>(number.bitcastToAPInt().getZExtValue());
}

/// 8 bits of a float: sign, exponent, then `fractionBits`. `hasInfinity`: the highest exponent is as IEEE 754 has it,
/// for infinity and NaN; else all ones but the sign is NaN, and the rest are numbers. Source: Micikevicius et al., FP8
/// formats for deep learning, 2022, table 1.
double byteToDouble(uint8_t bits, int fractionBits, int bias, bool hasInfinity) {
  int magnitude = bits & 127, exponent = magnitude >> fractionBits, fraction = magnitude & ((1 << fractionBits) - 1);
  int highest = 127 >> fractionBits;
  double value = exponent ? std::ldexp(fraction + (1 << fractionBits), exponent - bias - fractionBits)
                          : std::ldexp(fraction, 1 - bias - fractionBits);
  if (hasInfinity && exponent == highest)
    value = fraction ? std::nan("") : INFINITY;
  else if (!hasInfinity && magnitude == 127)
    value = std::nan("");
  return bits >> 7 ? -value : value;
}

/// Calls `use` with a function from element index to number (floats) or 64-bit integer (integers).
template <typename Use> void withReader(Type element, const char *data, Use use) {
  if (element.isF64())
    use([=](int64_t i) { return load<double>(data + i * 8); });
  else if (element.isF32())
    use([=](int64_t i) { return double(load<float>(data + i * 4)); });
  else if (element.isF16())
    use([=](int64_t i) { return halfToDouble(load<uint16_t>(data + i * 2)); });
  else if (element.isBF16())
    use([=](int64_t i) { return double(llvm::bit_cast<float>(uint32_t(load<uint16_t>(data + i * 2)) << 16)); });
  else if (element.isUnsignedInteger(32))
    use([=](int64_t i) { return int64_t(load<uint32_t>(data + i * 4)); });
  else if (element.isUnsignedInteger(16))
    use([=](int64_t i) { return int64_t(load<uint16_t>(data + i * 2)); });
  else if (element.isInteger(64)) // without a sign, its bits
    use([=](int64_t i) { return load<int64_t>(data + i * 8); });
  else if (element.isInteger(32))
    use([=](int64_t i) { return int64_t(load<int32_t>(data + i * 4)); });
  else if (element.isInteger(16))
    use([=](int64_t i) { return int64_t(load<int16_t>(data + i * 2)); });
  else if (element.isUnsignedInteger(8))
    use([=](int64_t i) { return int64_t(uint8_t(data[i])); });
  else if (element.isInteger(8))
    use([=](int64_t i) { return int64_t(int8_t(data[i])); });
  else if (isa<Float8E4M3FNType>(element))
    use([=](int64_t i) { return byteToDouble(data[i], 3, 7, /*hasInfinity=*/false); });
  else if (isa<Float8E5M2Type>(element))
    use([=](int64_t i) { return byteToDouble(data[i], 2, 15, /*hasInfinity=*/true); });
  else if (element.isUnsignedInteger(4))
    use([=](int64_t i) { return int64_t(data[i] & 15); });
  else if (element.isInteger(4))
    use([=](int64_t i) { return int64_t(llvm::SignExtend64<4>(data[i] & 15)); });
  else if (element.isInteger(1))
    use([=](int64_t i) { return int64_t(data[i] != 0); });
  else
    llvm_unreachable("unsupported elements are rejected on entry");
}

/// A number as an integer of `element`: fraction dropped, saturated, NaN to 0. Bounds are exact powers of two as
/// doubles.
int64_t saturate(double value, Type element) {
  if (element.isInteger(1))
    return value != 0; // NaN is not zero
  if (std::isnan(value))
    return 0;
  bool isUnsigned = element.isUnsignedInteger();
  unsigned bits = element.getIntOrFloatBitWidth();
  double low = isUnsigned ? 0 : -std::ldexp(1, bits - 1), above = std::ldexp(1, isUnsigned ? bits : bits - 1);
  if (value <= low)
    return static_cast<int64_t>(low);
  if (value >= above)
    return isUnsigned ? int64_t(llvm::maxUIntN(bits)) : llvm::maxIntN(bits);
  if (isUnsigned)
    return int64_t(uint64_t(value));
  return static_cast<int64_t>(value);
}

void writeFloat(Type element, char *at, double value) {
  if (element.isF64())
    store(at, value);
  else if (element.isF32())
    store(at, static_cast<float>(value)); // IEEE: to nearest, infinity on overflow
  else if (element.getIntOrFloatBitWidth() == 8)
    store(at, uint8_t(roundToBits(value, llvm::cast<FloatType>(element).getFloatSemantics())));
  else
    store(at, roundToBits(value, llvm::cast<FloatType>(element).getFloatSemantics()));
}

void writeInteger(Type element, char *at, int64_t value) {
  switch (element.getIntOrFloatBitWidth()) {
  case 64:
    return store(at, value);
  case 32:
    return store(at, static_cast<int32_t>(value));
  case 16:
    return store(at, static_cast<int16_t>(value));
  case 8:
    return store(at, static_cast<int8_t>(value));
  case 4:
    return store(at, static_cast<int8_t>(element.isUnsignedInteger() ? value & 15 : llvm::SignExtend64<4>(value & 15)));
  default:
    *at = value != 0;
  }
}
} // namespace

bool tamis::reference::isSupported(Type element) {
  return element.isF16() || element.isBF16() || element.isF32() || element.isF64() || element.isSignlessInteger(1) ||
         element.isSignlessInteger(8) || element.isSignlessInteger(16) || element.isSignlessInteger(32) ||
         element.isSignlessInteger(64) || element.isUnsignedInteger(8) || element.isUnsignedInteger(16) ||
         element.isUnsignedInteger(32) || element.isUnsignedInteger(64) || element.isSignlessInteger(4) ||
         element.isUnsignedInteger(4) || isa<Float8E4M3FNType, Float8E5M2Type>(element);
}

std::optional<int64_t> tamis::reference::elementCount(ArrayRef<int64_t> shape) {
  if (llvm::any_of(shape, [](int64_t size) { return size < 0; }))
    return std::nullopt;
  if (llvm::is_contained(shape, 0)) // before sizes that would overflow
    return 0;
  int64_t count = 1;
  for (int64_t size : shape)
    if (llvm::MulOverflow(count, size, count))
      return std::nullopt;
  return count;
}

HostTensor HostTensor::zeros(Type element, ArrayRef<int64_t> shape) {
  auto count = elementCount(shape);
  assert(count && isSupported(element) && "callers check shapes and elements");
  return {element, SmallVector<int64_t>(shape), std::vector<char>(*count * elementBytes(element))};
}

HostTensor HostTensor::ofNumbers(Type element, ArrayRef<int64_t> shape, ArrayRef<double> values) {
  HostTensor tensor = zeros(element, shape);
  assert(int64_t(values.size()) == tensor.size());
  writeFloats(tensor, 0, values);
  return tensor;
}

int64_t HostTensor::size() const {
  return elementCount(shape).value_or(0);
}
int64_t TensorView::size() const {
  return elementCount(shape).value_or(0);
}

std::vector<double> HostTensor::numbers() const {
  return readFloats(*this);
}

std::vector<double> tamis::reference::readFloats(const TensorView &tensor, int64_t begin, int64_t count) {
  std::vector<double> values(count);
  bool wide = tensor.element.isUnsignedInteger(64);
  withReader(tensor.element, tensor.bytes.data() + begin * elementBytes(tensor.element), [&](auto read) {
    for (int64_t i = 0; i < count; ++i)
      values[i] = wide ? static_cast<double>(static_cast<uint64_t>(read(i))) : static_cast<double>(read(i));
  });
  return values;
}

std::vector<double> tamis::reference::readFloats(const TensorView &tensor) {
  return readFloats(tensor, 0, tensor.size());
}

std::vector<int64_t> tamis::reference::readIntegers(const TensorView &tensor) {
  std::vector<int64_t> values(tensor.size());
  Type wide = IntegerType::get(tensor.element.getContext(), 64);
  withReader(tensor.element, tensor.bytes.data(), [&](auto read) {
    for (int64_t i = 0; i < int64_t(values.size()); ++i) {
      if constexpr (std::is_same_v<decltype(read(0)), double>)
        values[i] = saturate(read(i), wide);
      else
        values[i] = read(i);
    }
  });
  return values;
}

void tamis::reference::writeFloats(HostTensor &tensor, int64_t begin, ArrayRef<double> values) {
  int64_t width = elementBytes(tensor.element);
  char *at = tensor.bytes.data() + begin * width;
  bool toFloat = isa<FloatType>(tensor.element);
  for (double value : values) {
    if (toFloat)
      writeFloat(tensor.element, at, value);
    else
      writeInteger(tensor.element, at, saturate(value, tensor.element));
    at += width;
  }
}

/// An integer to the nearest float of `element`. Through double f32 would round twice, so it goes straight there.
static void writeIntegerAsFloat(Type element, char *at, int64_t value, bool isUnsigned) {
  llvm::APFloat number(llvm::cast<FloatType>(element).getFloatSemantics());
  number.convertFromAPInt(llvm::APInt(64, uint64_t(value)), /*IsSigned=*/!isUnsigned,
                          llvm::APFloat::rmNearestTiesToEven);
  uint64_t bits = number.bitcastToAPInt().getZExtValue();
  std::memcpy(at, &bits, tamis::elementBytes(element));
}

void tamis::reference::writeIntegers(HostTensor &tensor, ArrayRef<int64_t> values, bool isUnsigned) {
  int64_t width = elementBytes(tensor.element);
  char *at = tensor.bytes.data();
  bool toFloat = isa<FloatType>(tensor.element);
  for (int64_t value : values) {
    if (toFloat)
      writeIntegerAsFloat(tensor.element, at, value, isUnsigned);
    else
      writeInteger(tensor.element, at, value);
    at += width;
  }
}
