// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops over the lanes of a warp, written so that compilers vectorise them. Included by files that are compiled once a
// level: it uses no function templates of the standard library, which a linker could take from the wrong level.

#ifndef TAMIS_RUNTIME_EMULATOR_OPS_LANES_H
#define TAMIS_RUNTIME_EMULATOR_OPS_LANES_H

#include "runtime/emulator/ops/Handlers.h"
#include "runtime/emulator/run/Warp.h"

#ifdef __clang__
#define TAMIS_LANES _Pragma("clang loop vectorize(assume_safety) unroll(disable)") for (int l = 0; l < 32; ++l)
#define TAMIS_EACH_LANE _Pragma("clang loop vectorize(disable) unroll(disable)") for (int l = 0; l < 32; ++l)
#else
#define TAMIS_LANES _Pragma("GCC ivdep") for (int l = 0; l < 32; ++l)
#define TAMIS_EACH_LANE _Pragma("GCC unroll 1") for (int l = 0; l < 32; ++l)
#endif
#define TAMIS_INLINE inline __attribute__((always_inline))

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

template <bool condition, typename A, typename B> struct Choose {
  using type = A;
};
template <typename A, typename B> struct Choose<false, A, B> {
  using type = B;
};
template <typename T, typename U> constexpr bool isSame = false;
template <typename T> constexpr bool isSame<T, T> = true;

/// What a register of the type is kept in: 16-bit values lie in 32-bit lanes.
template <typename T> using Slot = typename Choose<sizeof(T) == 8, uint64_t, uint32_t>::type;
template <int bytes>
using Bits = typename Choose<
    bytes == 8, uint64_t,
    typename Choose<bytes == 4, uint32_t, typename Choose<bytes == 2, uint16_t, uint8_t>::type>::type>::type;

/// f16 and bf16 are computed in f32; these name them where a register's type is meant.
struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};

template <typename T> TAMIS_INLINE T fromSlot(Slot<T> slot) {
  return __builtin_bit_cast(T, static_cast<Bits<sizeof(T)>>(slot));
}
template <typename T> TAMIS_INLINE Slot<T> toSlot(T value) {
  return __builtin_bit_cast(Bits<sizeof(T)>, value);
}

// One result from one, two or three operands of types.
template <typename D, typename A, auto f> void map1(Warp &w, const Instruction &i, uint32_t mask) {
  auto *d = w.at<Slot<D>>(i.op[0]);
  auto *a = w.at<Slot<A>>(i.op[1]);
  if (mask == ~0u) {
    TAMIS_LANES d[l] = toSlot<D>(f(fromSlot<A>(a[l])));
  } else {
    TAMIS_EACH_LANE
    if (mask >> l & 1)
      d[l] = toSlot<D>(f(fromSlot<A>(a[l])));
  }
}

template <typename D, typename A, typename B, auto f> void map2(Warp &w, const Instruction &i, uint32_t mask) {
  auto *d = w.at<Slot<D>>(i.op[0]);
  auto *a = w.at<Slot<A>>(i.op[1]);
  auto *b = w.at<Slot<B>>(i.op[2]);
  if (mask == ~0u) {
    TAMIS_LANES d[l] = toSlot<D>(f(fromSlot<A>(a[l]), fromSlot<B>(b[l])));
  } else {
    TAMIS_EACH_LANE
    if (mask >> l & 1)
      d[l] = toSlot<D>(f(fromSlot<A>(a[l]), fromSlot<B>(b[l])));
  }
}

template <typename D, typename A, typename B, typename C, auto f>
void map3(Warp &w, const Instruction &i, uint32_t mask) {
  auto *d = w.at<Slot<D>>(i.op[0]);
  auto *a = w.at<Slot<A>>(i.op[1]);
  auto *b = w.at<Slot<B>>(i.op[2]);
  auto *c = w.at<Slot<C>>(i.op[3]);
  if (mask == ~0u) {
    TAMIS_LANES d[l] = toSlot<D>(f(fromSlot<A>(a[l]), fromSlot<B>(b[l]), fromSlot<C>(c[l])));
  } else {
    TAMIS_EACH_LANE
    if (mask >> l & 1)
      d[l] = toSlot<D>(f(fromSlot<A>(a[l]), fromSlot<B>(b[l]), fromSlot<C>(c[l])));
  }
}

/// Results of `mask` lanes, one bit each.
template <typename A, typename B, auto f> TAMIS_INLINE uint32_t compare(Warp &w, const Instruction &i) {
  auto *a = w.at<Slot<A>>(i.op[1]);
  auto *b = w.at<Slot<B>>(i.op[2]);
  uint32_t bits[32];
  TAMIS_LANES bits[l] = f(fromSlot<A>(a[l]), fromSlot<B>(b[l])) ? 1u << l : 0;
  uint32_t all = 0;
  for (int l = 0; l < 32; ++l)
    all |= bits[l];
  return all;
}

TAMIS_INLINE float fromBits(uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}
TAMIS_INLINE uint32_t toBits(float value) {
  return __builtin_bit_cast(uint32_t, value);
}

/// Subnormal f32 become zeros of their sign.
TAMIS_INLINE float flush(float value) {
  uint32_t bits = toBits(value);
  return (bits & 0x7f800000) == 0 ? fromBits(bits & 0x80000000) : value;
}
template <bool ftz> TAMIS_INLINE float flushIf(float value) {
  if constexpr (ftz)
    return flush(value);
  return value;
}
/// To [0, 1], NaN to 0.
template <typename T> TAMIS_INLINE T saturate(T value) {
  return value > T(0) ? (value < T(1) ? value : T(1)) : T(0);
}

TAMIS_INLINE float widen(F16 half) {
  uint32_t sign = uint32_t(half.bits & 0x8000) << 16, magnitude = half.bits & 0x7fffu;
  // Scaling by 2^112 turns the exponent of f16 into that of f32, subnormals included.
  float value = fromBits(magnitude << 13) * 0x1p112f;
  uint32_t bits = magnitude >= 0x7c00 ? (0x7f800000 | magnitude << 13) : toBits(value);
  return fromBits(bits | sign);
}
TAMIS_INLINE float widen(Bf16 value) {
  return fromBits(uint32_t(value.bits) << 16);
}

/// Nearest, ties to even. NaN becomes the canonical NaN 0x7fff of the PTX ISA.
TAMIS_INLINE F16 toF16(float value) {
  uint32_t bits = toBits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  uint32_t normal = (magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
  // Below 2^-14 the addition of 0.5 rounds at 2^-24.
  uint32_t subnormal = toBits(fromBits(magnitude) + 0.5f) - toBits(0.5f);
  uint32_t result = magnitude < (113u << 23) ? subnormal : normal;
  result = magnitude >= 0x477ff000 ? 0x7c00 : result;
  result = magnitude > 0x7f800000 ? 0x7fff : result | sign;
  return {uint16_t(result)};
}
TAMIS_INLINE Bf16 toBf16(float value) {
  uint32_t bits = toBits(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return {uint16_t((bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : rounded)};
}
template <typename T> TAMIS_INLINE T narrow(float value) {
  if constexpr (isSame<T, F16>)
    return toF16(value);
  else
    return toBf16(value);
}
/// An f64 as an f32 that rounds to the same f16 or bf16 as the f64 does: odd in its last bit where inexact.
TAMIS_INLINE float toOdd(double value) {
  float single = float(value);
  double back = single;
  if (back == value || value != value)
    return single;
  uint32_t bits = toBits(single);
  if ((back < 0 ? -back : back) > (value < 0 ? -value : value))
    --bits;
  return fromBits(bits | 1);
}

} // namespace
} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL

#endif // TAMIS_RUNTIME_EMULATOR_OPS_LANES_H
