// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// f32 and f64 arithmetic that rounds to nearest, and the approximate functions. Those are computed as exactly as the
// host can: a GPU's last bits differ within the bounds that the PTX ISA states.

#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

/// 2^x within 2 units in the last place, by a polynomial that vectorises: Taylor's of e^(f ln 2) for |f| <= 1/2.
TAMIS_INLINE float exp2Of(float x) {
  // Out of range, and NaN, last.
  float clamped = x < -160.0f ? -160.0f : x > 160.0f ? 160.0f : x;
  clamped = x != x ? 0.0f : clamped;
  float whole = (clamped + 0x1.8p23f) - 0x1.8p23f;
  float f = clamped - whole;
  float p = 0x1.ffcbfcp-17f;
  p = p * f + 0x1.430912p-13f;
  p = p * f + 0x1.5d87fep-10f;
  p = p * f + 0x1.3b2ab6p-7f;
  p = p * f + 0x1.c6b08ep-5f;
  p = p * f + 0x1.ebfbe0p-3f;
  p = p * f + 0x1.62e430p-1f;
  p = p * f + 1.0f;
  // In two steps, so that subnormal results come out.
  int exponent = int(whole), half = exponent >> 1;
  float result = p * fromBits(uint32_t(half + 127) << 23) * fromBits(uint32_t(exponent - half + 127) << 23);
  return x != x ? x : result;
}

template <bool ftz> TAMIS_INLINE float minimum(float x, float y) {
  float a = flushIf<ftz>(x), b = flushIf<ftz>(y);
  float least = (a < b || (a == b && toBits(a) >> 31)) ? a : b;
  return a != a ? b : b != b ? a : least;
}
template <bool ftz> TAMIS_INLINE float maximum(float x, float y) {
  float a = flushIf<ftz>(x), b = flushIf<ftz>(y);
  float most = ((a > b) || (a == b && toBits(b) >> 31)) ? a : b;
  return a != a ? b : b != b ? a : most;
}
/// The NaN that min.NaN and max.NaN give.
constexpr float canonicalNan = __builtin_bit_cast(float, 0x7fffffffu);
template <bool ftz> TAMIS_INLINE float minimumNan(float a, float b) {
  return a != a || b != b ? canonicalNan : minimum<ftz>(a, b);
}
template <bool ftz> TAMIS_INLINE float maximumNan(float a, float b) {
  return a != a || b != b ? canonicalNan : maximum<ftz>(a, b);
}

// For two operands f(a, b); ftz flushes what comes in and what goes out.
#define TWO(name, expression)                                                                                          \
  {name ".f32", map2<float, float, float, [](float a, float b) { return (expression); }>}, {                           \
    name ".ftz.f32", map2<float, float, float, [](float x, float y) {                                                  \
      float a = flush(x), b = flush(y);                                                                                \
      return flush(expression);                                                                                        \
    }>                                                                                                                 \
  }
#define TWO_SATURATED(name, expression)                                                                                \
  {name ".sat.f32", map2<float, float, float, [](float a, float b) { return saturate(expression); }>}, {               \
    name ".ftz.sat.f32", map2<float, float, float, [](float x, float y) {                                              \
      float a = flush(x), b = flush(y);                                                                                \
      return saturate(flush(expression));                                                                              \
    }>                                                                                                                 \
  }
#define THREE(name, ftzName, result)                                                                                   \
  {name, map3<float, float, float, float, [](float a, float b, float c) { return result(__builtin_fmaf(a, b, c)); }>}, \
  {                                                                                                                    \
    ftzName, map3<float, float, float, float, [](float a, float b, float c) {                                          \
      return result(flush(__builtin_fmaf(flush(a), flush(b), flush(c))));                                              \
    }>                                                                                                                 \
  }
#define ONE(name, expression)                                                                                          \
  {name ".f32", map1<float, float, [](float a) { return (expression); }>}, {                                           \
    name ".ftz.f32", map1<float, float, [](float x) {                                                                  \
      float a = flush(x);                                                                                              \
      return flush(expression);                                                                                        \
    }>                                                                                                                 \
  }
#define TWO_DOUBLE(name, expression)                                                                                   \
  {name ".f64", map2<double, double, double, [](double a, double b) { return (expression); }>}
#define ONE_DOUBLE(name, expression) {name ".f64", map1<double, double, [](double a) { return (expression); }>}

TAMIS_INLINE float same(float value) {
  return value;
}

const HandlerEntry entries[] = {
    TWO("add", a + b),
    TWO("sub", a - b),
    TWO("mul", a *b),
    TWO_SATURATED("add", a + b),
    TWO_SATURATED("sub", a - b),
    TWO_SATURATED("mul", a *b),
    TWO("div", a / b),
    TWO("div.approx", a / b),
    TWO("div.full", a / b),
    TWO("copysign", __builtin_copysignf(b, a)),
    THREE("fma.f32", "fma.ftz.f32", same),
    THREE("fma.sat.f32", "fma.ftz.sat.f32", saturate),
    {"min.f32", map2<float, float, float, minimum<false>>},
    {"max.f32", map2<float, float, float, maximum<false>>},
    {"min.ftz.f32", map2<float, float, float, minimum<true>>},
    {"max.ftz.f32", map2<float, float, float, maximum<true>>},
    {"min.NaN.f32", map2<float, float, float, minimumNan<false>>},
    {"max.NaN.f32", map2<float, float, float, maximumNan<false>>},
    {"min.ftz.NaN.f32", map2<float, float, float, minimumNan<true>>},
    {"max.ftz.NaN.f32", map2<float, float, float, maximumNan<true>>},
    ONE("abs", __builtin_fabsf(a)),
    ONE("neg", -a),
    ONE("sqrt", __builtin_sqrtf(a)),
    ONE("sqrt.approx", __builtin_sqrtf(a)),
    ONE("rcp", 1.0f / a),
    ONE("rcp.approx", 1.0f / a),
    ONE("rsqrt.approx", 1.0f / __builtin_sqrtf(a)),
    ONE("ex2.approx", exp2Of(a)),
    ONE("lg2.approx", __builtin_log2f(a)),
    ONE("sin.approx", __builtin_sinf(a)),
    ONE("cos.approx", __builtin_cosf(a)),
    ONE("tanh.approx", __builtin_tanhf(a)),
    TWO_DOUBLE("add", a + b),
    TWO_DOUBLE("sub", a - b),
    TWO_DOUBLE("mul", a *b),
    TWO_DOUBLE("div", a / b),
    TWO_DOUBLE("min", a != a                                        ? b
                      : b != b                                      ? a
                      : (a < b || (a == b && __builtin_signbit(a))) ? a
                                                                    : b),
    TWO_DOUBLE("max", a != a                                        ? b
                      : b != b                                      ? a
                      : (b < a || (a == b && __builtin_signbit(b))) ? a
                                                                    : b),
    TWO_DOUBLE("copysign", __builtin_copysign(b, a)),
    {"fma.f64",
     map3<double, double, double, double, [](double a, double b, double c) { return __builtin_fma(a, b, c); }>},
    ONE_DOUBLE("abs", __builtin_fabs(a)),
    ONE_DOUBLE("neg", -a),
    ONE_DOUBLE("sqrt", __builtin_sqrt(a)),
    ONE_DOUBLE("rcp", 1.0 / a),
    ONE_DOUBLE("rcp.approx.ftz", 1.0 / a),
    ONE_DOUBLE("rsqrt.approx", 1.0 / __builtin_sqrt(a)),
    ONE_DOUBLE("rsqrt.approx.ftz", 1.0 / __builtin_sqrt(a)),
};

} // namespace

HandlerTable floatTable() {
  return {entries, sizeof entries / sizeof *entries};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
