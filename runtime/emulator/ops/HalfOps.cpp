// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f16 and bf16, alone and in pairs, computed in f32 (f64 under fma) and rounded once more, which gives the nearest
// value: f32 has more than twice their digits.

#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

template <typename T> TAMIS_INLINE T rounded(float value) {
  return narrow<T>(value);
}

template <typename T> struct Half {
  static TAMIS_INLINE T fma(T a, T b, T c) {
    return rounded<T>(toOdd(double(widen(a)) * double(widen(b)) + double(widen(c))));
  }
  static TAMIS_INLINE T fmaRelu(T a, T b, T c) { return relu(fma(a, b, c)); }
  static TAMIS_INLINE T relu(T a) {
    float value = widen(a);
    return value != value ? T{0x7fff} : (value > 0) ? a : T{0};
  }
  static TAMIS_INLINE T sat(T a) {
    float value = widen(a);
    return rounded<T>(saturate(value));
  }
  static TAMIS_INLINE T least(T x, T y) {
    float a = widen(x), b = widen(y);
    return a != a ? (b != b ? T{0x7fff} : y) : b != b ? x : (a < b || (a == b && x.bits >> 15)) ? x : y;
  }
  static TAMIS_INLINE T most(T x, T y) {
    float a = widen(x), b = widen(y);
    return a != a ? (b != b ? T{0x7fff} : y) : b != b ? x : ((a > b) || (a == b && y.bits >> 15)) ? x : y;
  }
  static TAMIS_INLINE T leastNan(T x, T y) {
    float a = widen(x), b = widen(y);
    return a != a || b != b ? T{0x7fff} : least(x, y);
  }
  static TAMIS_INLINE T mostNan(T x, T y) {
    float a = widen(x), b = widen(y);
    return a != a || b != b ? T{0x7fff} : most(x, y);
  }
};

TAMIS_INLINE uint32_t pack(uint16_t low, uint16_t high) {
  return uint32_t(low) | uint32_t(high) << 16;
}
template <typename T> TAMIS_INLINE T low(uint32_t a) {
  return {uint16_t(a)};
}
template <typename T> TAMIS_INLINE T high(uint32_t a) {
  return {uint16_t(a >> 16)};
}

// A function of halves, alone and on both of a pair.
#define ONE(name, type, T, expression)                                                                                 \
  {name "." type, map1<T, T, [](T a) { return T(expression); }>}, {                                                    \
    name "." type "x2", map1<uint32_t, uint32_t, [](uint32_t x) {                                                      \
      auto f = [](T a) { return T(expression); };                                                                      \
      return pack(f(low<T>(x)).bits, f(high<T>(x)).bits);                                                              \
    }>                                                                                                                 \
  }
#define TWO(name, type, T, expression)                                                                                 \
  {name "." type, map2<T, T, T, [](T a, T b) { return T(expression); }>}, {                                            \
    name "." type "x2", map2<uint32_t, uint32_t, uint32_t, [](uint32_t x, uint32_t y) {                                \
      auto f = [](T a, T b) { return T(expression); };                                                                 \
      return pack(f(low<T>(x), low<T>(y)).bits, f(high<T>(x), high<T>(y)).bits);                                       \
    }>                                                                                                                 \
  }
#define THREE(name, type, T, expression)                                                                               \
  {name "." type, map3<T, T, T, T, [](T a, T b, T c) { return T(expression); }>}, {                                    \
    name "." type "x2", map3<uint32_t, uint32_t, uint32_t, uint32_t, [](uint32_t x, uint32_t y, uint32_t z) {          \
      auto f = [](T a, T b, T c) { return T(expression); };                                                            \
      return pack(f(low<T>(x), low<T>(y), low<T>(z)).bits, f(high<T>(x), high<T>(y), high<T>(z)).bits);                \
    }>                                                                                                                 \
  }

#define ALL(type, T)                                                                                                   \
  TWO("add", type, T, rounded<T>(widen(a) + widen(b))), TWO("sub", type, T, rounded<T>(widen(a) - widen(b))),          \
      TWO("mul", type, T, rounded<T>(widen(a) * widen(b))), TWO("min", type, T, Half<T>::least(a, b)),                 \
      TWO("add.sat", type, T, Half<T>::sat(rounded<T>(widen(a) + widen(b)))),                                          \
      TWO("mul.sat", type, T, Half<T>::sat(rounded<T>(widen(a) * widen(b)))),                                          \
      TWO("max", type, T, Half<T>::most(a, b)), TWO("min.NaN", type, T, Half<T>::leastNan(a, b)),                      \
      TWO("max.NaN", type, T, Half<T>::mostNan(a, b)), THREE("fma", type, T, Half<T>::fma(a, b, c)),                   \
      THREE("fma.relu", type, T, Half<T>::fmaRelu(a, b, c)),                                                           \
      THREE("fma.sat", type, T, Half<T>::sat(Half<T>::fma(a, b, c))),                                                  \
      ONE("neg", type, T, T{uint16_t(a.bits ^ 0x8000)}), ONE("abs", type, T, T{uint16_t(a.bits & 0x7fff)}),            \
      ONE("ex2.approx", type, T, rounded<T>(float(__builtin_exp2(double(widen(a)))))),                                 \
      ONE("tanh.approx", type, T, rounded<T>(__builtin_tanhf(widen(a))))

const HandlerEntry entries[] = {ALL("f16", F16), ALL("bf16", Bf16)};

} // namespace

HandlerTable halfTable() {
  return {entries, sizeof entries / sizeof *entries};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
