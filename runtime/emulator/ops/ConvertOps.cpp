// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// cvt between integers and floats, to the nearest where a float results. Other roundings are in RoundedOps.cpp.

#include "runtime/emulator/ops/Lanes.h"
#include "runtime/emulator/ops/SmallFloats.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

template <typename T> constexpr bool isSigned = T(-1) < T(0);
template <typename T> constexpr T lowest = isSigned<T> ? T(Bits<sizeof(T)>(1) << (8 * sizeof(T) - 1)) : T(0);
template <typename T> constexpr T highest = T(~lowest<T>);
/// Results fill a register that may be wider than their type.
template <typename T>
using Stored = typename Choose<sizeof(T) == 8, T, typename Choose<isSigned<T>, int32_t, uint32_t>::type>::type;

template <typename D, typename S> TAMIS_INLINE Stored<D> integer(S value) {
  return Stored<D>(D(value));
}
template <typename D, typename S> TAMIS_INLINE Stored<D> integerSaturated(S value) {
  __int128 wide = value;
  return Stored<D>(wide < lowest<D> ? lowest<D> : (wide > highest<D>) ? highest<D> : D(value));
}

/// Out of range to the nearest end, NaN to 0.
template <typename D> TAMIS_INLINE Stored<D> fromFloating(double value) {
  constexpr double low = double(lowest<D>), high = double(highest<D>);
  double inside = value <= low || value != value ? low : value >= high ? 0.0 : value;
  D result = value >= high ? highest<D> : D(inside);
  return Stored<D>(value != value ? D(0) : result);
}
/// The same in f32 for results to 32 bits, where f64 lanes would cost twice.
template <typename D> TAMIS_INLINE Stored<D> fromFloating(float value) {
  return fromFloating<D>(double(value));
}

enum Rounding { Nearest, Zero, Down, Up };
template <Rounding rounding> TAMIS_INLINE float whole(float value) {
  return rounding == Nearest ? __builtin_rintf(value)
         : rounding == Zero  ? __builtin_truncf(value)
         : rounding == Down  ? __builtin_floorf(value)
                             : __builtin_ceilf(value);
}
template <Rounding rounding> TAMIS_INLINE double whole(double value) {
  return rounding == Nearest ? __builtin_rint(value)
         : rounding == Zero  ? __builtin_trunc(value)
         : rounding == Down  ? __builtin_floor(value)
                             : __builtin_ceil(value);
}

/// cvt of two f32 into a pair: the first operand is the upper half.
template <typename T> TAMIS_INLINE uint32_t packPair(float a, float b) {
  return uint32_t(narrow<T>(a).bits) << 16 | narrow<T>(b).bits;
}
TAMIS_INLINE float relu(float value) {
  return (value > 0) || value != value ? value : 0.0f;
}
TAMIS_INLINE float toTf32(float value) { // ties away from zero
  uint32_t bits = toBits(value);
  return (bits & 0x7f800000) == 0x7f800000 ? value : fromBits((bits + 0x1000) & ~0x1fffu);
}
TAMIS_INLINE float toTf32Even(float value) {
  uint32_t bits = toBits(value);
  return (bits & 0x7f800000) == 0x7f800000 ? value : fromBits((bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu);
}

template <typename Small> uint32_t packSmall(float a, float b) {
  return uint32_t(encodeSmall<Small>(a)) << 8 | encodeSmall<Small>(b);
}
template <typename Small> uint32_t unpackSmall(uint32_t a) {
  return packPair<F16>(decodeSmall<Small>(uint8_t(a >> 8)), decodeSmall<Small>(uint8_t(a)));
}
template <typename Small> uint32_t packSmallHalves(uint32_t a) {
  return packSmall<Small>(widen(F16{uint16_t(a >> 16)}), widen(F16{uint16_t(a)}));
}

/// d = c << bits | saturated a, b
template <typename D> uint32_t packSaturated(int32_t a, int32_t b, uint32_t c) {
  constexpr int bits = 8 * sizeof(D);
  auto clamp = [](int32_t value) {
    int64_t wide = value;
    return uint32_t(Bits<sizeof(D)>(wide < lowest<D> ? lowest<D> : (wide > highest<D>) ? highest<D> : D(wide)));
  };
  uint32_t pair = clamp(a) << bits | clamp(b);
  return bits == 16 ? pair : c << 16 | pair;
}

#define INTEGER(d, D, s, S)                                                                                            \
  {"cvt." d "." s, map1<Stored<D>, S, [](S a) { return integer<D>(a); }>}, {                                           \
    "cvt.sat." d "." s, map1<Stored<D>, S, [](S a) { return integerSaturated<D>(a); }>                                 \
  }
#define FROM_INTEGER(s, S)                                                                                             \
  INTEGER("u8", uint8_t, s, S), INTEGER("s8", int8_t, s, S), INTEGER("u16", uint16_t, s, S),                           \
      INTEGER("s16", int16_t, s, S), INTEGER("u32", uint32_t, s, S), INTEGER("s32", int32_t, s, S),                    \
      INTEGER("u64", uint64_t, s, S), INTEGER("s64", int64_t, s, S),                                                   \
      {"cvt.rn.f32." s, map1<float, S, [](S a) { return float(a); }>},                                                 \
      {"cvt.rn.f64." s, map1<double, S, [](S a) { return double(a); }>},                                               \
      {"cvt.rn.f16." s, map1<F16, S, [](S a) { return toF16(toOdd(double(a))); }>}, {                                  \
    "cvt.rn.bf16." s, map1<Bf16, S, [](S a) { return toBf16(toOdd(double(a))); }>                                      \
  }
#define TO_INTEGER(d, D, s, S, get)                                                                                    \
  {"cvt.rni." d "." s, map1<Stored<D>, S, [](S a) { return fromFloating<D>(whole<Nearest>(get(a))); }>},               \
      {"cvt.rzi." d "." s, map1<Stored<D>, S, [](S a) { return fromFloating<D>(whole<Zero>(get(a))); }>},              \
      {"cvt.rmi." d "." s, map1<Stored<D>, S, [](S a) { return fromFloating<D>(whole<Down>(get(a))); }>}, {            \
    "cvt.rpi." d "." s, map1<Stored<D>, S, [](S a) { return fromFloating<D>(whole<Up>(get(a))); }>                     \
  }
#define FROM_FLOAT(s, S, get)                                                                                          \
  TO_INTEGER("u8", uint8_t, s, S, get), TO_INTEGER("s8", int8_t, s, S, get), TO_INTEGER("u16", uint16_t, s, S, get),   \
      TO_INTEGER("s16", int16_t, s, S, get), TO_INTEGER("u32", uint32_t, s, S, get),                                   \
      TO_INTEGER("s32", int32_t, s, S, get), TO_INTEGER("u64", uint64_t, s, S, get),                                   \
      TO_INTEGER("s64", int64_t, s, S, get)
#define WHOLE(name, rounding)                                                                                          \
  {"cvt." name ".f32.f32", map1<float, float, [](float a) { return whole<rounding>(a); }>},                            \
      {"cvt." name ".sat.f32.f32", map1<float, float, [](float a) { return saturate(whole<rounding>(a)); }>},          \
      {"cvt." name ".f64.f64", map1<double, double, [](double a) { return whole<rounding>(a); }>},                     \
      {"cvt." name ".f16.f16", map1<F16, F16, [](F16 a) { return toF16(whole<rounding>(widen(a))); }>}, {              \
    "cvt." name ".bf16.bf16", map1<Bf16, Bf16, [](Bf16 a) { return toBf16(whole<rounding>(widen(a))); }>               \
  }

TAMIS_INLINE float same(float a) {
  return a;
}
TAMIS_INLINE double same(double a) {
  return a;
}

const HandlerEntry entries[] = {
    FROM_INTEGER("u8", uint8_t),
    FROM_INTEGER("s8", int8_t),
    FROM_INTEGER("u16", uint16_t),
    FROM_INTEGER("s16", int16_t),
    FROM_INTEGER("u32", uint32_t),
    FROM_INTEGER("s32", int32_t),
    FROM_INTEGER("u64", uint64_t),
    FROM_INTEGER("s64", int64_t),
    FROM_FLOAT("f32", float, same),
    FROM_FLOAT("f64", double, same),
    FROM_FLOAT("f16", F16, widen),
    FROM_FLOAT("bf16", Bf16, widen),
    WHOLE("rni", Nearest),
    WHOLE("rzi", Zero),
    WHOLE("rmi", Down),
    WHOLE("rpi", Up),
    {"cvt.f32.f32", map1<float, float, [](float a) { return a; }>},
    {"cvt.sat.f32.f32", map1<float, float, [](float a) { return saturate(a); }>},
    {"cvt.sat.f64.f64", map1<double, double, [](double a) { return saturate(a); }>},
    {"cvt.f64.f32", map1<double, float, [](float a) { return double(a); }>},
    {"cvt.rn.f32.f64", map1<float, double, [](double a) { return float(a); }>},
    {"cvt.rn.sat.f32.f64", map1<float, double, [](double a) { return saturate(float(a)); }>},
    {"cvt.f32.f16", map1<float, F16, [](F16 a) { return widen(a); }>},
    {"cvt.f32.bf16", map1<float, Bf16, [](Bf16 a) { return widen(a); }>},
    {"cvt.sat.f32.f16", map1<float, F16, [](F16 a) { return saturate(widen(a)); }>},
    {"cvt.f64.f16", map1<double, F16, [](F16 a) { return double(widen(a)); }>},
    {"cvt.rn.f16.f32", map1<F16, float, [](float a) { return toF16(a); }>},
    {"cvt.rn.sat.f16.f32", map1<F16, float, [](float a) { return toF16(saturate(a)); }>},
    {"cvt.rn.relu.f16.f32", map1<F16, float, [](float a) { return toF16(relu(a)); }>},
    {"cvt.rn.bf16.f32", map1<Bf16, float, [](float a) { return toBf16(a); }>},
    {"cvt.rn.relu.bf16.f32", map1<Bf16, float, [](float a) { return toBf16(relu(a)); }>},
    {"cvt.rn.f16.f64", map1<F16, double, [](double a) { return toF16(toOdd(a)); }>},
    {"cvt.rn.bf16.f64", map1<Bf16, double, [](double a) { return toBf16(toOdd(a)); }>},
    {"cvt.rn.f16.bf16", map1<F16, Bf16, [](Bf16 a) { return toF16(widen(a)); }>},
    {"cvt.rn.bf16.f16", map1<Bf16, F16, [](F16 a) { return toBf16(widen(a)); }>},
    {"cvt.rn.f16x2.f32", map2<uint32_t, float, float, [](float a, float b) { return packPair<F16>(a, b); }>},
    {"cvt.rn.bf16x2.f32", map2<uint32_t, float, float, [](float a, float b) { return packPair<Bf16>(a, b); }>},
    {"cvt.rn.relu.f16x2.f32",
     map2<uint32_t, float, float, [](float a, float b) { return packPair<F16>(relu(a), relu(b)); }>},
    {"cvt.rn.relu.bf16x2.f32",
     map2<uint32_t, float, float, [](float a, float b) { return packPair<Bf16>(relu(a), relu(b)); }>},
    {"cvt.rna.tf32.f32", map1<float, float, [](float a) { return toTf32(a); }>},
    {"cvt.rn.tf32.f32", map1<float, float, [](float a) { return toTf32Even(a); }>},
    {"cvt.rz.tf32.f32", map1<float, float, [](float a) { return fromBits(toBits(a) & ~0x1fffu); }>},
    {"cvt.rn.satfinite.e4m3x2.f32", map2<uint32_t, float, float, packSmall<E4m3>>},
    {"cvt.rn.satfinite.e5m2x2.f32", map2<uint32_t, float, float, packSmall<E5m2>>},
    {"cvt.rn.satfinite.e4m3x2.f16x2", map1<uint32_t, uint32_t, packSmallHalves<E4m3>>},
    {"cvt.rn.satfinite.e5m2x2.f16x2", map1<uint32_t, uint32_t, packSmallHalves<E5m2>>},
    {"cvt.rn.f16x2.e4m3x2", map1<uint32_t, uint32_t, unpackSmall<E4m3>>},
    {"cvt.rn.f16x2.e5m2x2", map1<uint32_t, uint32_t, unpackSmall<E5m2>>},
    {"cvt.pack.sat.s8.s32.b32", map3<uint32_t, int32_t, int32_t, uint32_t, packSaturated<int8_t>>},
    {"cvt.pack.sat.u8.s32.b32", map3<uint32_t, int32_t, int32_t, uint32_t, packSaturated<uint8_t>>},
    {"cvt.pack.sat.s16.s32", map3<uint32_t, int32_t, int32_t, uint32_t, packSaturated<int16_t>>},
    {"cvt.pack.sat.u16.s32", map3<uint32_t, int32_t, int32_t, uint32_t, packSaturated<uint16_t>>},
};

} // namespace

HandlerTable convertTable() {
  return {entries, sizeof entries / sizeof *entries};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
