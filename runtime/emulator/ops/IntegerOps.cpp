// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer and bit instructions. Names are opcodes with their types; see the PTX ISA, "Integer Arithmetic Instructions"
// and "Logic and Shift Instructions", for what each does at its edges.

#include "runtime/emulator/ops/Lanes.h"

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

template <int bytes> using Wide = typename Choose<bytes == 2, int32_t, int64_t>::type;
template <typename T> constexpr bool isSigned = T(-1) < T(0);
template <typename T> using Unsigned = Bits<sizeof(T)>;
/// Twice as wide, of the same sign.
template <typename T>
using Double =
    typename Choose<sizeof(T) == 2, typename Choose<isSigned<T>, int32_t, uint32_t>::type,
                    typename Choose<sizeof(T) == 4, typename Choose<isSigned<T>, int64_t, uint64_t>::type,
                                    typename Choose<isSigned<T>, __int128, unsigned __int128>::type>::type>::type;
template <typename T> constexpr int width = 8 * sizeof(T);
template <typename T> constexpr T lowest = isSigned<T> ? T(Unsigned<T>(1) << (width<T> - 1)) : T(0);
template <typename T> constexpr T highest = T(~lowest<T>);

template <typename T> TAMIS_INLINE T add(T a, T b) {
  return T(Unsigned<T>(Unsigned<T>(a) + Unsigned<T>(b)));
}
template <typename T> TAMIS_INLINE T subtract(T a, T b) {
  return T(Unsigned<T>(Unsigned<T>(a) - Unsigned<T>(b)));
}
template <typename T> TAMIS_INLINE T mulLow(T a, T b) {
  return T(Unsigned<T>(uint64_t(Unsigned<T>(a)) * uint64_t(Unsigned<T>(b))));
}
template <typename T> TAMIS_INLINE T mulHigh(T a, T b) {
  return T((Double<T>(a) * Double<T>(b)) >> width<T>);
}
template <typename T> TAMIS_INLINE Double<T> mulWide(T a, T b) {
  return Double<T>(Double<T>(a) * Double<T>(b));
}
template <typename T> TAMIS_INLINE T mul24(T a, T b) {
  if constexpr (isSigned<T>)
    return T((int64_t(int32_t(uint32_t(a) << 8) >> 8) * int64_t(int32_t(uint32_t(b) << 8) >> 8)));
  else
    return T(uint64_t(a & 0xffffff) * uint64_t(b & 0xffffff));
}
// Division by zero gives all ones, as the hardware does; the ISA leaves it open.
template <typename T> TAMIS_INLINE T divide(T a, T b) {
  if (b == 0)
    return T(-1);
  if (isSigned<T> && b == T(-1))
    return subtract(T(0), a);
  return T(a / b);
}
template <typename T> TAMIS_INLINE T remainder(T a, T b) {
  if (b == 0)
    return a;
  if (isSigned<T> && b == T(-1))
    return 0;
  return T(a % b);
}
template <typename T> TAMIS_INLINE T shiftLeft(T a, uint32_t n) {
  return n >= uint32_t(width<T>) ? T(0) : T(a << n);
}
template <typename T> TAMIS_INLINE T shiftRight(T a, uint32_t n) {
  return n >= uint32_t(width<T>) ? (isSigned<T> && a < 0 ? T(-1) : T(0)) : T(a >> n);
}
template <typename T> TAMIS_INLINE T addSaturated(T a, T b) {
  int64_t sum = int64_t(a) + int64_t(b);
  return T(sum > highest<T> ? highest<T> : sum < lowest<T> ? lowest<T> : T(sum));
}
template <typename T> TAMIS_INLINE T subSaturated(T a, T b) {
  int64_t sum = int64_t(a) - int64_t(b);
  return T(sum > highest<T> ? highest<T> : sum < lowest<T> ? lowest<T> : T(sum));
}

template <typename T> TAMIS_INLINE T extractField(T a, uint32_t position, uint32_t length) {
  position &= 255;
  length &= 255;
  using U = Unsigned<T>;
  // The sign is the field's last bit, or the value's where the field runs over its end.
  uint32_t last = position + length - 1;
  last = last < width<T> ? last : width<T> - 1;
  bool isNegative = isSigned<T> && length != 0 && (U(a) >> last & 1);
  U field = position < width<T> ? U(a) >> position : 0;
  U mask = length >= width<T> ? U(-1) : U((U(1) << length) - 1);
  // Bits that the field takes from beyond the value are sign, too.
  U beyond = position < width<T> ? (position ? U(~(U(-1) >> position)) : U(0)) : U(-1);
  field = (field & mask) | (isNegative ? U(~mask | beyond) : U(0));
  return T(field);
}
template <typename T> TAMIS_INLINE T insertField(T a, T b, uint32_t position, uint32_t length) {
  position &= 255;
  length &= 255;
  if (position >= width<T> || length == 0)
    return b;
  T mask = T((length >= width<T> ? T(-1) : T((T(1) << length) - 1)) << position);
  return T((b & ~mask) | ((a << position) & mask));
}
template <typename T> void bfi(Warp &w, const Instruction &i, uint32_t mask) {
  auto *d = w.at<T>(i.op[0]);
  auto *a = w.at<T>(i.op[1]), *b = w.at<T>(i.op[2]);
  auto *c = w.at<uint32_t>(i.op[3]), *e = w.at<uint32_t>(i.op[4]);
  TAMIS_EACH_LANE
  if (mask >> l & 1)
    d[l] = insertField<T>(a[l], b[l], c[l], e[l]);
}
template <typename T> TAMIS_INLINE uint32_t findBit(T a) {
  Unsigned<T> bits = isSigned<T> && a < 0 ? Unsigned<T>(~a) : Unsigned<T>(a);
  return bits == 0 ? ~0u : uint32_t(63 - __builtin_clzll(uint64_t(bits)));
}
template <typename T> TAMIS_INLINE T reverse(T a) {
  T result = 0;
  for (int i = 0; i < width<T>; ++i)
    result |= T((a >> i & 1) << (width<T> - 1 - i));
  return result;
}

template <bool isLeft, bool wraps> TAMIS_INLINE uint32_t funnel(uint32_t a, uint32_t b, uint32_t c) {
  uint32_t n = wraps ? c & 31 : c < 32 ? c : 32;
  uint64_t both = uint64_t(b) << 32 | a;
  return isLeft ? uint32_t(both << n >> 32) : uint32_t(both >> n);
}

TAMIS_INLINE uint32_t selectByte(uint64_t bytes, uint32_t selector) {
  uint32_t byte = uint32_t(bytes >> 8 * (selector & 7)) & 255;
  return selector & 8 ? (byte & 128 ? 255 : 0) : byte;
}
TAMIS_INLINE uint32_t permute(uint32_t a, uint32_t b, uint32_t c) {
  uint64_t bytes = uint64_t(b) << 32 | a;
  return selectByte(bytes, c) | selectByte(bytes, c >> 4) << 8 | selectByte(bytes, c >> 8) << 16 |
         selectByte(bytes, c >> 12) << 24;
}
/// The other modes of prmt choose bytes around the number in c's last two bits.
template <int mode> TAMIS_INLINE uint32_t permuteMode(uint32_t a, uint32_t b, uint32_t c) {
  constexpr uint16_t selectors[6][4] = {{0x3210, 0x4321, 0x5432, 0x6543},  // f4e
                                        {0x5670, 0x6701, 0x7012, 0x0123},  // b4e
                                        {0x0000, 0x1111, 0x2222, 0x3333},  // rc8
                                        {0x3210, 0x3211, 0x3222, 0x3333},  // ecl
                                        {0x0000, 0x1110, 0x2210, 0x3210},  // ecr
                                        {0x1010, 0x3232, 0x1010, 0x3232}}; // rc16
  return permute(a, b, selectors[mode][c & 3]);
}

/// The truth table is the immediate.
void lop3(Warp &w, const Instruction &i, uint32_t mask) {
  auto *d = w.at<uint32_t>(i.op[0]);
  auto *a = w.at<uint32_t>(i.op[1]), *b = w.at<uint32_t>(i.op[2]), *c = w.at<uint32_t>(i.op[3]);
  uint32_t term[8];
  for (int j = 0; j < 8; ++j)
    term[j] = i.offset >> j & 1 ? ~0u : 0;
  uint32_t result[32];
  TAMIS_LANES {
    uint32_t x = a[l], y = b[l], z = c[l];
    result[l] = (term[0] & ~x & ~y & ~z) | (term[1] & ~x & ~y & z) | (term[2] & ~x & y & ~z) | (term[3] & ~x & y & z) |
                (term[4] & x & ~y & ~z) | (term[5] & x & ~y & z) | (term[6] & x & y & ~z) | (term[7] & x & y & z);
  }
  for (int l = 0; l < 32; ++l)
    d[l] = mask >> l & 1 ? result[l] : d[l];
}

template <typename A, typename B> TAMIS_INLINE uint32_t dotBytes(uint32_t a, uint32_t b, uint32_t c) {
  for (int i = 0; i < 4; ++i)
    c += uint32_t(int32_t(A(a >> 8 * i)) * int32_t(B(b >> 8 * i)));
  return c;
}

template <typename T, bool isMax> TAMIS_INLINE uint32_t pairMinMax(uint32_t a, uint32_t b) {
  T a0 = T(a), a1 = T(a >> 16), b0 = T(b), b1 = T(b >> 16);
  T low = (a0 > b0) == isMax ? a0 : b0, high = (a1 > b1) == isMax ? a1 : b1;
  return uint32_t(uint16_t(low)) | uint32_t(uint16_t(high)) << 16;
}

TAMIS_INLINE int32_t relu(int32_t a) {
  return a < 0 ? 0 : a;
}
TAMIS_INLINE uint32_t pairRelu(uint32_t a) {
  return (a & 0x8000 ? 0 : a & 0xffff) | (a & 0x80000000 ? 0 : a & 0xffff0000);
}

TAMIS_INLINE uint32_t maskFrom(uint32_t a, uint32_t b) {
  uint64_t ones = b >= 32 ? 0xffffffffull : (1ull << b) - 1;
  return a >= 32 ? 0 : uint32_t(ones << a);
}

#define TYPED(name, type, T)                                                                                           \
  {"add." name, map2<T, T, T, add<T>>}, {"sub." name, map2<T, T, T, subtract<T>>},                                     \
      {"mul.lo." name, map2<T, T, T, mulLow<T>>}, {"mul.hi." name, map2<T, T, T, mulHigh<T>>},                         \
      {"mad.lo." name, map3<T, T, T, T, [](T a, T b, T c) { return add(mulLow(a, b), c); }>},                          \
      {"mad.hi." name, map3<T, T, T, T, [](T a, T b, T c) { return add(mulHigh(a, b), c); }>},                         \
      {"sad." name, map3<T, T, T, T, [](T a, T b, T c) { return add(a < b ? subtract(b, a) : subtract(a, b), c); }>},  \
      {"div." name, map2<T, T, T, divide<T>>}, {"rem." name, map2<T, T, T, remainder<T>>},                             \
      {"min." name, map2<T, T, T, [](T a, T b) { return a < b ? a : b; }>},                                            \
      {"max." name, map2<T, T, T, [](T a, T b) { return (a > b) ? a : b; }>},                                          \
      {"abs." name, map1<T, T, [](T a) { return a < T(0) ? subtract(T(0), a) : a; }>},                                 \
      {"neg." name, map1<T, T, [](T a) { return subtract(T(0), a); }>}, {                                              \
    "shr." name, map2<T, T, uint32_t, shiftRight<T>>                                                                   \
  }
#define WIDENING(name, T)                                                                                              \
  {"mul.wide." name, map2<Double<T>, T, T, mulWide<T>>}, {                                                             \
    "mad.wide." name,                                                                                                  \
        map3<Double<T>, T, T, Double<T>, [](T a, T b, Double<T> c) { return add<Double<T>>(mulWide(a, b), c); }>       \
  }
#define NARROW(name, T)                                                                                                \
  {"mul24.lo." name, map2<T, T, T, mul24<T>>}, {                                                                       \
    "mad24.lo." name, map3<T, T, T, T, [](T a, T b, T c) { return add(mul24(a, b), c); }>                              \
  }
#define FIELDS(name, T)                                                                                                \
  {"bfe." name, map3<T, T, uint32_t, uint32_t, extractField<T>>}, {"bfind." name, map1<uint32_t, T, findBit<T>>}, {    \
    "bfind.shiftamt." name, map1<uint32_t, T, [](T a) {                                                                \
      uint32_t bit = findBit(a);                                                                                       \
      return bit == ~0u ? bit : uint32_t(width<T> - 1) - bit;                                                          \
    }>                                                                                                                 \
  }
#define LOGIC(name, T)                                                                                                 \
  {"and." name, map2<T, T, T, [](T a, T b) { return T(a & b); }>},                                                     \
      {"or." name, map2<T, T, T, [](T a, T b) { return T(a | b); }>},                                                  \
      {"xor." name, map2<T, T, T, [](T a, T b) { return T(a ^ b); }>},                                                 \
      {"not." name, map1<T, T, [](T a) { return T(~a); }>}, {"cnot." name, map1<T, T, [](T a) { return T(a == 0); }>}, \
      {"shl." name, map2<T, T, uint32_t, shiftLeft<T>>}, {"shr." name, map2<T, T, uint32_t, shiftRight<T>>}, {         \
    "mov." name, map1<T, T, [](T a) { return a; }>                                                                     \
  }
#define BITS(name, T)                                                                                                  \
  {"popc." name, map1<uint32_t, T, [](T a) { return uint32_t(__builtin_popcountll(a)); }>},                            \
      {"clz." name,                                                                                                    \
       map1<uint32_t, T,                                                                                               \
            [](T a) { return a == 0 ? uint32_t(width<T>) : uint32_t(__builtin_clzll(a) - (64 - width<T>)); }>},        \
      {"brev." name, map1<T, T, reverse<T>>}, {                                                                        \
    "bfi." name, bfi<T>                                                                                                \
  }

using u32 = uint32_t;
const HandlerEntry entries[] = {
    TYPED("u16", u16, uint16_t),
    TYPED("s16", s16, int16_t),
    TYPED("u32", u32, uint32_t),
    TYPED("s32", s32, int32_t),
    TYPED("u64", u64, uint64_t),
    TYPED("s64", s64, int64_t),
    WIDENING("u16", uint16_t),
    WIDENING("s16", int16_t),
    WIDENING("u32", uint32_t),
    WIDENING("s32", int32_t),
    NARROW("u32", uint32_t),
    NARROW("s32", int32_t),
    FIELDS("u32", uint32_t),
    FIELDS("s32", int32_t),
    FIELDS("u64", uint64_t),
    FIELDS("s64", int64_t),
    LOGIC("b16", uint16_t),
    LOGIC("b32", uint32_t),
    LOGIC("b64", uint64_t),
    BITS("b32", uint32_t),
    BITS("b64", uint64_t),
    {"add.sat.s32", map2<int32_t, int32_t, int32_t, addSaturated<int32_t>>},
    {"sub.sat.s32", map2<int32_t, int32_t, int32_t, subSaturated<int32_t>>},
    {"shf.l.wrap.b32", map3<u32, u32, u32, u32, funnel<true, true>>},
    {"shf.r.wrap.b32", map3<u32, u32, u32, u32, funnel<false, true>>},
    {"shf.l.clamp.b32", map3<u32, u32, u32, u32, funnel<true, false>>},
    {"shf.r.clamp.b32", map3<u32, u32, u32, u32, funnel<false, false>>},
    {"prmt.b32", map3<u32, u32, u32, u32, permute>},
    {"prmt.b32.f4e", map3<u32, u32, u32, u32, permuteMode<0>>},
    {"prmt.b32.b4e", map3<u32, u32, u32, u32, permuteMode<1>>},
    {"prmt.b32.rc8", map3<u32, u32, u32, u32, permuteMode<2>>},
    {"prmt.b32.ecl", map3<u32, u32, u32, u32, permuteMode<3>>},
    {"prmt.b32.ecr", map3<u32, u32, u32, u32, permuteMode<4>>},
    {"prmt.b32.rc16", map3<u32, u32, u32, u32, permuteMode<5>>},
    {"lop3.b32", lop3},
    {"dp4a.u32.u32", map3<u32, u32, u32, u32, dotBytes<uint8_t, uint8_t>>},
    {"dp4a.s32.s32", map3<u32, u32, u32, u32, dotBytes<int8_t, int8_t>>},
    {"dp4a.u32.s32", map3<u32, u32, u32, u32, dotBytes<uint8_t, int8_t>>},
    {"dp4a.s32.u32", map3<u32, u32, u32, u32, dotBytes<int8_t, uint8_t>>},
    {"bmsk.clamp.b32", map2<u32, u32, u32, maskFrom>},
    {"add.u16x2",
     map2<u32, u32, u32, [](u32 a, u32 b) { return ((a + b) & 0xffff) | ((a & ~0xffffu) + (b & ~0xffffu)); }>},
    {"add.s16x2",
     map2<u32, u32, u32, [](u32 a, u32 b) { return ((a + b) & 0xffff) | ((a & ~0xffffu) + (b & ~0xffffu)); }>},
    {"min.u16x2", map2<u32, u32, u32, pairMinMax<uint16_t, false>>},
    {"max.u16x2", map2<u32, u32, u32, pairMinMax<uint16_t, true>>},
    {"min.s16x2", map2<u32, u32, u32, pairMinMax<int16_t, false>>},
    {"max.s16x2", map2<u32, u32, u32, pairMinMax<int16_t, true>>},
    {"min.relu.s16x2", map2<u32, u32, u32, [](u32 a, u32 b) { return pairRelu(pairMinMax<int16_t, false>(a, b)); }>},
    {"max.relu.s16x2", map2<u32, u32, u32, [](u32 a, u32 b) { return pairRelu(pairMinMax<int16_t, true>(a, b)); }>},
    {"min.relu.s32", map2<int32_t, int32_t, int32_t, [](int32_t a, int32_t b) { return relu(a < b ? a : b); }>},
    {"max.relu.s32", map2<int32_t, int32_t, int32_t, [](int32_t a, int32_t b) { return relu(a > b ? a : b); }>},
};

} // namespace

HandlerTable integerTable() {
  return {entries, sizeof entries / sizeof *entries};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
