// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The 8-bit floats e4m3 and e5m2 (OCP 8-bit Floating Point Specification, 1.0).

#ifndef TAMIS_RUNTIME_EMULATOR_OPS_SMALLFLOATS_H
#define TAMIS_RUNTIME_EMULATOR_OPS_SMALLFLOATS_H

#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

struct E4m3 {
  static constexpr int fraction = 3, bias = 7;
  static constexpr float largest = 448.0f;
  static constexpr uint8_t largestBits = 0x7e;
};
struct E5m2 {
  static constexpr int fraction = 2, bias = 15;
  static constexpr float largest = 57344.0f;
  static constexpr uint8_t largestBits = 0x7b;
};

/// Nearest, ties to even; beyond the largest finite value that value (.satfinite); NaN stays one.
template <typename T> inline uint8_t encodeSmall(float value) {
  uint8_t sign = uint8_t(toBits(value) >> 31 << 7);
  float magnitude = __builtin_fabsf(value);
  if (value != value)
    return 0x7f;
  if (magnitude >= T::largest)
    return sign | T::largestBits;
  int exponent = int(toBits(magnitude) >> 23) - 127;
  exponent = exponent < 1 - T::bias ? 1 - T::bias : exponent;
  int steps = int(__builtin_rintf(magnitude * fromBits(uint32_t(127 + T::fraction - exponent) << 23)));
  // A carry into the next power, and subnormals, come out of the same sum.
  return uint8_t(sign | (((exponent + T::bias - 1) << T::fraction) + steps));
}

template <typename T> inline float decodeSmall(uint8_t bits) {
  int exponent = (bits & 0x7f) >> T::fraction, steps = bits & ((1 << T::fraction) - 1);
  bool isE5 = T::fraction == 2;
  float magnitude;
  if (isE5 && exponent == 31)
    magnitude = steps ? fromBits(0x7fffffff) : fromBits(0x7f800000);
  else if (!isE5 && (bits & 0x7f) == 0x7f)
    magnitude = fromBits(0x7fffffff);
  else if (exponent == 0)
    magnitude = float(steps) * fromBits(uint32_t(128 - T::bias - T::fraction) << 23);
  else
    magnitude = float(steps + (1 << T::fraction)) * fromBits(uint32_t(127 + exponent - T::bias - T::fraction) << 23);
  return bits & 0x80 ? -magnitude : magnitude;
}

} // namespace
} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL

#endif // TAMIS_RUNTIME_EMULATOR_OPS_SMALLFLOATS_H
