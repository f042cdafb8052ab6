// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16 and bf16 as numbers, for input and output only.

#ifndef TAMIS_RUNTIME_NPY_HALFFLOAT_H
#define TAMIS_RUNTIME_NPY_HALFFLOAT_H

#include <bit>
#include <cmath>
#include <cstdint>

namespace tamis::npy {

/// The nearest f16 (IEEE binary16), ties to even; beyond its range infinity.
inline uint16_t toF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  auto sign = uint16_t(bits >> 16 & 0x8000);
  float magnitude = std::fabs(value);
  if (std::isnan(value))
    return sign | 0x7e00;
  if (magnitude >= 65520.0f) // halfway from the largest finite value to the next power
    return sign | 0x7c00;
  if (magnitude < 0x1p-14f) // subnormal: a multiple of 2^-24; the product is exact
    return sign | uint16_t(std::nearbyint(magnitude * 0x1p24f));
  bits = std::bit_cast<uint32_t>(magnitude);
  bits += 0xfff + (bits >> 13 & 1);
  return sign | uint16_t((bits >> 13) - (112 << 10));
}

inline float fromF16(uint16_t half) {
  int exponent = half >> 10 & 31;
  float fraction = float(half & 1023);
  float magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                    : exponent == 0 ? std::ldexp(fraction, -24)
                                    : std::ldexp(1024 + fraction, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

/// The nearest bf16, ties to even.
inline uint16_t toBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline float fromBf16(uint16_t value) {
  return std::bit_cast<float>(uint32_t(value) << 16);
}

} // namespace tamis::npy

#endif // TAMIS_RUNTIME_NPY_HALFFLOAT_H
