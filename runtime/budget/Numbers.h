// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What little of mathematics the runtime needs: it links no libm.

#ifndef TAMIS_RUNTIME_BUDGET_NUMBERS_H
#define TAMIS_RUNTIME_BUDGET_NUMBERS_H

#include <cstdint>
#include <cstring>

namespace tamis::runtime {

inline uint64_t bitsOf(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline double fromBits(uint64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/// The power of two that a positive, normal number is no less than.
inline int exponentOf(double x) {
  return int(bitsOf(x) >> 52 & 0x7ff) - 1023;
}

/// The square root, an instruction on both architectures (-fno-math-errno).
inline double squareRoot(double x) {
  return __builtin_sqrt(x);
}

/// e^x for x <= 0, within 1e-12; 0 below -700.
inline double exponential(double x) {
  if (!(x > -700))
    return 0;
  int power = int(x * 1.4426950408889634 - 0.5);
  double rest = x - power * 0.69314718055994531, term = 1, sum = 1;
  for (int i = 1; i < 14; ++i) {
    term *= rest / i;
    sum += term;
  }
  return sum * fromBits(uint64_t(power + 1023) << 52);
}

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_BUDGET_NUMBERS_H
