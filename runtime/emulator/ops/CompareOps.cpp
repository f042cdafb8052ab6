// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Comparison and selection: setp, set, selp, slct, testp, and logic of predicates.

#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

/// Results p (op[0]) and !p (op[4]); op[3] is the predicate that `flags` combines with: 0 none, 1 and, 2 or, 3 xor.
template <typename T, auto f> void setp(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t found = compare<T, T, f>(w, i), opposite = ~found;
  uint32_t other = *w.at<uint32_t>(i.op[3]) ^ uint32_t(i.offset);
  if (i.flags == 1) {
    found &= other;
    opposite &= other;
  } else if (i.flags == 2) {
    found |= other;
    opposite |= other;
  } else if (i.flags == 3) {
    found ^= other;
    opposite ^= other;
  }
  uint32_t *p = w.at<uint32_t>(i.op[0]), *q = w.at<uint32_t>(i.op[4]);
  *q = (*q & ~mask) | (opposite & mask);
  *p = (*p & ~mask) | (found & mask);
}

/// Comparison of both halves: results op[0] and op[4].
template <typename T, auto f> void setpPair(Warp &w, const Instruction &i, uint32_t mask) {
  auto *a = w.at<uint32_t>(i.op[1]), *b = w.at<uint32_t>(i.op[2]);
  uint32_t low = 0, high = 0;
  TAMIS_EACH_LANE {
    low |= uint32_t(f(widen(T{uint16_t(a[l])}), widen(T{uint16_t(b[l])}))) << l;
    high |= uint32_t(f(widen(T{uint16_t(a[l] >> 16)}), widen(T{uint16_t(b[l] >> 16)}))) << l;
  }
  uint32_t *p = w.at<uint32_t>(i.op[0]), *q = w.at<uint32_t>(i.op[4]);
  *p = (*p & ~mask) | (low & mask);
  *q = (*q & ~mask) | (high & mask);
}

/// All ones or 1.0 where true.
template <bool isFloat, typename T, auto f> void set(Warp &w, const Instruction &i, uint32_t mask) {
  uint32_t found = compare<T, T, f>(w, i);
  auto *d = w.at<uint32_t>(i.op[0]);
  TAMIS_EACH_LANE
  if (mask >> l & 1)
    d[l] = found >> l & 1 ? (isFloat ? 0x3f800000u : ~0u) : 0;
}

template <typename T> TAMIS_INLINE bool isNan(T a) {
  return a != a;
}
template <typename T> struct Value {
  static TAMIS_INLINE T get(T a) { return a; }
};
template <> struct Value<F16> {
  static TAMIS_INLINE float get(F16 a) { return widen(a); }
};
template <> struct Value<Bf16> {
  static TAMIS_INLINE float get(Bf16 a) { return widen(a); }
};

/// op[3] is the predicate, flipped by `offset`.
template <typename T> void selp(Warp &w, const Instruction &i, uint32_t mask) {
  auto *d = w.at<T>(i.op[0]);
  auto *a = w.at<T>(i.op[1]), *b = w.at<T>(i.op[2]);
  uint32_t chosen = *w.at<uint32_t>(i.op[3]) ^ uint32_t(i.offset);
  if (mask == ~0u) {
    TAMIS_LANES {
      T x = a[l], y = b[l];
      d[l] = chosen >> l & 1 ? x : y;
    }
  } else {
    TAMIS_EACH_LANE
    if (mask >> l & 1)
      d[l] = chosen >> l & 1 ? a[l] : b[l];
  }
}

template <auto f> void predicates(Warp &w, const Instruction &i, uint32_t mask) {
  // A negated operand flips the bits that `offset` holds for it.
  uint32_t a = *w.at<uint32_t>(i.op[1]) ^ (i.flags & 1 ? ~0u : 0),
           b = *w.at<uint32_t>(i.op[2]) ^ (i.flags & 2 ? ~0u : 0);
  uint32_t *d = w.at<uint32_t>(i.op[0]);
  *d = (*d & ~mask) | (f(a, b) & mask);
}

template <typename T, uint64_t exponent, auto f> void testp(Warp &w, const Instruction &i, uint32_t mask) {
  auto *a = w.at<T>(i.op[1]);
  uint32_t found = 0;
  TAMIS_EACH_LANE {
    T magnitude = T(a[l] << 1) >> 1;
    found |= uint32_t(f(uint64_t(magnitude), exponent)) << l;
  }
  uint32_t *d = w.at<uint32_t>(i.op[0]);
  *d = (*d & ~mask) | (found & mask);
}

#define INTEGER(cmp, op)                                                                                               \
  {"setp." cmp ".u16", setp<uint16_t, [](uint16_t a, uint16_t b) { return (a op b); }>},                               \
      {"setp." cmp ".s16", setp<int16_t, [](int16_t a, int16_t b) { return (a op b); }>},                              \
      {"setp." cmp ".u32", setp<uint32_t, [](uint32_t a, uint32_t b) { return (a op b); }>},                           \
      {"setp." cmp ".s32", setp<int32_t, [](int32_t a, int32_t b) { return (a op b); }>},                              \
      {"setp." cmp ".u64", setp<uint64_t, [](uint64_t a, uint64_t b) { return (a op b); }>},                           \
      {"setp." cmp ".s64", setp<int64_t, [](int64_t a, int64_t b) { return (a op b); }>},                              \
      {"set." cmp ".u32.u32", set<false, uint32_t, [](uint32_t a, uint32_t b) { return (a op b); }>},                  \
      {"set." cmp ".u32.s32", set<false, int32_t, [](int32_t a, int32_t b) { return (a op b); }>},                     \
      {"set." cmp ".f32.u32", set<true, uint32_t, [](uint32_t a, uint32_t b) { return (a op b); }>}, {                 \
    "set." cmp ".f32.s32", set<true, int32_t, [](int32_t a, int32_t b) { return (a op b); }>                           \
  }
#define FLOATING(cmp, expression)                                                                                      \
  {"setp." cmp ".f32", setp<float, [](float a, float b) { return (expression); }>},                                    \
      {"setp." cmp ".ftz.f32", setp<float,                                                                             \
                                    [](float x, float y) {                                                             \
                                      float a = flush(x), b = flush(y);                                                \
                                      return (expression);                                                             \
                                    }>},                                                                               \
      {"setp." cmp ".f64", setp<double, [](double a, double b) { return (expression); }>},                             \
      {"setp." cmp ".f16", setp<F16,                                                                                   \
                                [](F16 x, F16 y) {                                                                     \
                                  float a = widen(x), b = widen(y);                                                    \
                                  return (expression);                                                                 \
                                }>},                                                                                   \
      {"setp." cmp ".bf16", setp<Bf16,                                                                                 \
                                 [](Bf16 x, Bf16 y) {                                                                  \
                                   float a = widen(x), b = widen(y);                                                   \
                                   return (expression);                                                                \
                                 }>},                                                                                  \
      {"setp." cmp ".f16x2", setpPair<F16, [](float a, float b) { return (expression); }>},                            \
      {"setp." cmp ".bf16x2", setpPair<Bf16, [](float a, float b) { return (expression); }>},                          \
      {"set." cmp ".u32.f32", set<false, float, [](float a, float b) { return (expression); }>}, {                     \
    "set." cmp ".f32.f32", set<true, float, [](float a, float b) { return (expression); }>                             \
  }

const HandlerEntry entries[] = {
    INTEGER("eq", ==),
    INTEGER("ne", !=),
    INTEGER("lt", <),
    INTEGER("le", <=),
    INTEGER("gt", >),
    INTEGER("ge", >=),
    INTEGER("lo", <),
    INTEGER("ls", <=),
    INTEGER("hi", >),
    INTEGER("hs", >=),
    FLOATING("eq", a == b),
    FLOATING("ne", a<b || a> b),
    FLOATING("lt", a < b),
    FLOATING("le", a <= b),
    FLOATING("gt", a > b),
    FLOATING("ge", a >= b),
    FLOATING("equ", !(a < b || a > b)),
    FLOATING("neu", a != b),
    FLOATING("ltu", !(a >= b)),
    FLOATING("leu", !(a > b)),
    FLOATING("gtu", !(a <= b)),
    FLOATING("geu", !(a < b)),
    FLOATING("num", !isNan(a) && !isNan(b)),
    FLOATING("nan", isNan(a) || isNan(b)),
    {"selp.b16", selp<uint32_t>},
    {"selp.b32", selp<uint32_t>},
    {"selp.b64", selp<uint64_t>},
    {"and.pred", predicates<[](uint32_t a, uint32_t b) { return a & b; }>},
    {"or.pred", predicates<[](uint32_t a, uint32_t b) { return a | b; }>},
    {"xor.pred", predicates<[](uint32_t a, uint32_t b) { return a ^ b; }>},
    {"not.pred", predicates<[](uint32_t a, uint32_t) { return ~a; }>},
    {"mov.pred", predicates<[](uint32_t a, uint32_t) { return a; }>},
    {"slct.b32.s32",
     map3<uint32_t, uint32_t, uint32_t, int32_t, [](uint32_t a, uint32_t b, int32_t c) { return (c >= 0) ? a : b; }>},
    {"slct.b32.f32",
     map3<uint32_t, uint32_t, uint32_t, float, [](uint32_t a, uint32_t b, float c) { return (c >= 0) ? a : b; }>},
    {"testp.finite.f32", testp<uint32_t, 0x7f800000, [](uint64_t a, uint64_t e) { return a < e; }>},
    {"testp.infinite.f32", testp<uint32_t, 0x7f800000, [](uint64_t a, uint64_t e) { return a == e; }>},
    {"testp.number.f32", testp<uint32_t, 0x7f800000, [](uint64_t a, uint64_t e) { return a <= e; }>},
    {"testp.notanumber.f32", testp<uint32_t, 0x7f800000, [](uint64_t a, uint64_t e) { return (a > e); }>},
    {"testp.subnormal.f32", testp<uint32_t, 0x800000, [](uint64_t a, uint64_t e) { return a != 0 && a < e; }>},
    {"testp.finite.f64", testp<uint64_t, 0x7ff0000000000000, [](uint64_t a, uint64_t e) { return a < e; }>},
    {"testp.infinite.f64", testp<uint64_t, 0x7ff0000000000000, [](uint64_t a, uint64_t e) { return a == e; }>},
    {"testp.number.f64", testp<uint64_t, 0x7ff0000000000000, [](uint64_t a, uint64_t e) { return a <= e; }>},
    {"testp.notanumber.f64", testp<uint64_t, 0x7ff0000000000000, [](uint64_t a, uint64_t e) { return (a > e); }>},
};

} // namespace

HandlerTable compareTable() {
  return {entries, sizeof entries / sizeof *entries};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
