// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mma.sync and wgmma. A 32-bit register of A or B over a warp is a block of 8 rows by 16 bytes, which is also its order
// in memory here: lane 4 r + c holds bytes 4 c of row r. A is [[a0, a2], [a1, a3]], B transposed is [b0, b1]; registers
// of C are pairs of columns of 8 rows (PTX ISA, "Matrix Fragments for mma.m16n8k16" and its siblings). The
// instruction's list holds the registers of D, A, B and C.

#include "runtime/emulator/ops/Lanes.h"
#include "runtime/emulator/ops/SmallFloats.h"
#include "runtime/emulator/ops/WarpGroup.h"
#if defined(__F16C__) && defined(__AVX2__)
#include <immintrin.h>
#endif

namespace tamis::emulator::TAMIS_EMULATOR_LEVEL {
namespace {

struct Tf32 {};
struct S8 {};
struct U8 {};
struct S4 {};
struct U4 {};

/// Bits of an element, and one of them from the bytes of a row.
template <typename E> struct Element;
template <> struct Element<F16> {
  static constexpr int bits = 16;
  using Sum = float;
  static TAMIS_INLINE float get(const uint8_t *row, int k) {
    return widen(F16{reinterpret_cast<const uint16_t *>(row)[k]});
  }
};
template <> struct Element<Bf16> {
  static constexpr int bits = 16;
  using Sum = float;
  static TAMIS_INLINE float get(const uint8_t *row, int k) {
    return widen(Bf16{reinterpret_cast<const uint16_t *>(row)[k]});
  }
};
template <> struct Element<Tf32> {
  static constexpr int bits = 32;
  using Sum = float;
  static TAMIS_INLINE float get(const uint8_t *row, int k) {
    return fromBits(reinterpret_cast<const uint32_t *>(row)[k] & ~0x1fffu);
  }
};
template <typename E> struct SmallElement {
  static constexpr int bits = 8;
  using Sum = float;
  static TAMIS_INLINE float get(const uint8_t *row, int k) { return decodeSmall<E>(row[k]); }
};
template <> struct Element<E4m3> : SmallElement<E4m3> {};
template <> struct Element<E5m2> : SmallElement<E5m2> {};
template <> struct Element<S8> {
  static constexpr int bits = 8;
  using Sum = int32_t;
  static TAMIS_INLINE int32_t get(const uint8_t *row, int k) { return int8_t(row[k]); }
};
template <> struct Element<U8> {
  static constexpr int bits = 8;
  using Sum = int32_t;
  static TAMIS_INLINE int32_t get(const uint8_t *row, int k) { return row[k]; }
};
template <> struct Element<S4> {
  static constexpr int bits = 4;
  using Sum = int32_t;
  static TAMIS_INLINE int32_t get(const uint8_t *row, int k) {
    return int32_t(uint32_t(row[k / 2] >> 4 * (k & 1)) << 28) >> 28;
  }
};
template <> struct Element<U4> {
  static constexpr int bits = 4;
  using Sum = int32_t;
  static TAMIS_INLINE int32_t get(const uint8_t *row, int k) { return row[k / 2] >> 4 * (k & 1) & 15; }
};

enum Saturation { Wraps, Saturates };

template <typename T> using Vector4 [[gnu::vector_size(4 * sizeof(T))]] = T;
template <typename T> using Vector8 [[gnu::vector_size(8 * sizeof(T))]] = T;

/// The 128 bytes of a register as numbers, 8 rows one after the other.
template <typename E> TAMIS_INLINE void widenBlock(const uint8_t *from, typename Element<E>::Sum *to) {
  constexpr int count = 1024 / Element<E>::bits;
#if defined(__F16C__) && defined(__AVX2__)
  if constexpr (isSame<E, F16>) {
    for (int k = 0; k < count; k += 8)
      _mm256_storeu_ps(to + k, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from + 2 * k))));
    return;
  }
#endif
  for (int k = 0; k < count; ++k)
    to[k] = Element<E>::get(from, k);
}

/// 8 x 8, rows to columns; `stride` elements lie between rows of `from`. Its rows are taken as 0 2 4 6 1 3 5 7, the
/// order in which two registers of C hold their columns.
template <typename T> TAMIS_INLINE void transposeColumns(const T *from, int stride, Vector8<T> *to) {
  Vector8<T> r[8], s[8];
  constexpr int order[8] = {0, 2, 4, 6, 1, 3, 5, 7};
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
    __builtin_memcpy(&r[i], from + order[i] * stride, sizeof r[i]);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) { // pairs of rows
    s[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
    s[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) { // fours
    r[i] = __builtin_shufflevector(s[i], s[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    r[i + 1] = __builtin_shufflevector(s[i + 1], s[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    r[i + 2] = __builtin_shufflevector(s[i], s[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    r[i + 3] = __builtin_shufflevector(s[i + 1], s[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    to[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    to[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

/// A block of B, which lies in a register as columns by K, to K rows.
template <typename B> TAMIS_INLINE void widenColumns(const uint8_t *from, Vector8<typename Element<B>::Sum> *to) {
  using Sum = typename Element<B>::Sum;
  constexpr int perBlock = 128 / Element<B>::bits;
  alignas(64) Sum wide[8 * perBlock + 8];
  widenBlock<B>(from, wide);
  if constexpr (perBlock >= 8) {
    for (int k = 0; k < perBlock; k += 8)
      transposeColumns<Sum>(wide + k, perBlock, to + k);
  } else { // 32-bit elements: four a row
    Vector8<Sum> four[8];
    transposeColumns<Sum>(wide, perBlock, four);
    for (int k = 0; k < perBlock; ++k)
      to[k] = four[k];
  }
}

/// D = C + A B of eight columns; `d` and `c` are registers. Sums of a row lie in the order 0 2 4 6 1 3 5 7.
template <typename Sum, int rowBlocks, int blocks, int perBlock, bool isHalf, Saturation saturation>
TAMIS_INLINE void addProduct(Warp &w, const Sum (&a)[blocks][rowBlocks][8 * perBlock], const Vector8<Sum> *b,
                             const uint32_t *list, const uint32_t *c, bool addsToSums) {
  using V = Vector8<Sum>;
  constexpr bool isInteger = isSame<Sum, int32_t>;
  for (int half = 0; half < rowBlocks; ++half) {
    V d[8], sums[8];
    if (!addsToSums) {
#pragma GCC unroll 8
      for (int row = 0; row < 8; ++row)
        d[row] = V{};
    } else if constexpr (isHalf) {
      const uint32_t *from = w.at<uint32_t>(c[half]);
      for (int row = 0; row < 8; ++row)
        for (int t = 0; t < 4; ++t) {
          d[row][t] = Sum(widen(F16{uint16_t(from[4 * row + t])}));
          d[row][4 + t] = Sum(widen(F16{uint16_t(from[4 * row + t] >> 16)}));
        }
    } else {
      const Sum *even = w.at<Sum>(c[2 * half]), *odd = w.at<Sum>(c[2 * half + 1]);
#pragma GCC unroll 8
      for (int row = 0; row < 8; ++row) {
        Vector4<Sum> x, y;
        __builtin_memcpy(&x, even + 4 * row, sizeof x);
        __builtin_memcpy(&y, odd + 4 * row, sizeof y);
        d[row] = __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7);
      }
    }
#pragma GCC unroll 8
    for (int row = 0; row < 8; ++row)
      sums[row] = isInteger ? V{} : d[row];
    for (int block = 0; block < blocks; ++block)
#pragma GCC unroll 1
      for (int k = 0; k < perBlock; ++k) {
        V column = b[block * perBlock + k];
#pragma GCC unroll 8
        for (int row = 0; row < 8; ++row)
          sums[row] += a[block][half][row * perBlock + k] * column;
      }
    if constexpr (isInteger) {
      for (int row = 0; row < 8; ++row)
        for (int t = 0; t < 8; ++t) {
          int64_t sum = int64_t(sums[row][t]) + int64_t(d[row][t]);
          if (saturation == Saturates)
            sum = (sum > 0x7fffffff) ? 0x7fffffff : sum < -0x80000000ll ? -0x80000000ll : sum;
          sums[row][t] = Sum(uint32_t(uint64_t(sum)));
        }
    }
    if constexpr (isHalf) {
      uint32_t *to = w.at<uint32_t>(list[half]);
      for (int row = 0; row < 8; ++row)
        for (int t = 0; t < 4; ++t)
          to[4 * row + t] = uint32_t(toF16(float(sums[row][t])).bits) | uint32_t(toF16(float(sums[row][4 + t])).bits)
                                                                            << 16;
    } else {
      Sum *even = w.at<Sum>(list[2 * half]), *odd = w.at<Sum>(list[2 * half + 1]);
#pragma GCC unroll 8
      for (int row = 0; row < 8; ++row) {
        Vector4<Sum> x = __builtin_shufflevector(sums[row], sums[row], 0, 1, 2, 3);
        Vector4<Sum> y = __builtin_shufflevector(sums[row], sums[row], 4, 5, 6, 7);
        __builtin_memcpy(even + 4 * row, &x, sizeof x);
        __builtin_memcpy(odd + 4 * row, &y, sizeof y);
      }
    }
  }
}

/// `rows` is 8 or 16. Half: C and D are f16 pairs. A row of the sums holds columns 0 2 4 6 1 3 5 7.
template <typename A, typename B, int rows, int K, bool isHalf, Saturation saturation>
void mma(Warp &w, const Instruction &i, uint32_t) {
  using Sum = typename Element<A>::Sum;
  using V = Vector8<Sum>;
  constexpr int perBlock = 128 / Element<A>::bits; // elements of a row in one register
  constexpr int blocks = K / perBlock, rowBlocks = rows / 8;
  constexpr int results = isHalf ? rowBlocks : 2 * rowBlocks;
  const uint32_t *list = w.block->kernel->pool.data() + i.list;
  alignas(64) Sum a[blocks][rowBlocks][8 * perBlock];
  alignas(64) V b[K < 8 ? 8 : K];

  for (int block = 0; block < blocks; ++block) {
    for (int half = 0; half < rowBlocks; ++half)
      widenBlock<A>(w.at<uint8_t>(list[results + block * rowBlocks + half]), a[block][half]);
    widenColumns<B>(w.at<uint8_t>(list[results + blocks * rowBlocks + block]), b + block * perBlock);
  }

  const uint32_t *c = list + results + blocks * rowBlocks + blocks;
  addProduct<Sum, rowBlocks, blocks, perBlock, isHalf, saturation>(w, a, b, list, c, true);
}

/// m8n8k4 in f64: A and B hold one element a lane.
void mmaF64(Warp &w, const Instruction &i, uint32_t) {
  const uint32_t *list = w.block->kernel->pool.data() + i.list;
  auto *a = w.at<double>(list[2]), *b = w.at<double>(list[3]);
  double d[2][32];
  for (int lane = 0; lane < 32; ++lane)
    for (int j = 0; j < 2; ++j) {
      double sum = w.at<double>(list[4 + j])[lane];
      for (int k = 0; k < 4; ++k)
        sum = __builtin_fma(a[lane / 4 * 4 + k], b[(2 * (lane % 4) + j) * 4 + k], sum);
      d[j][lane] = sum;
    }
  for (int j = 0; j < 2; ++j)
    for (int lane = 0; lane < 32; ++lane)
      w.at<double>(list[j])[lane] = d[j][lane];
}

/// wgmma: this warp's 16 rows; see WarpGroupOps.cpp.
template <typename A, typename B, bool isHalf, Saturation saturation>
void wgmma(Warp &w, const Instruction &i, uint32_t mask) {
  using Sum = typename Element<A>::Sum;
  constexpr int perBlock = 128 / Element<A>::bits;
  ProductOperands operands;
  prepareProduct(w, i, mask, operands);
  alignas(64) Sum a[2][2][8 * perBlock];
  for (int block = 0; block < 4; ++block) {
    Sum *to = a[block / 2][block % 2];
    widenBlock<A>(operands.a[block], to);
    for (int k = 0; (i.flags & kNegate) && k < 8 * perBlock; ++k)
      to[k] = -to[k];
  }
  const uint32_t *list = w.block->kernel->pool.data() + i.list;
  for (uint32_t column = 0; column < i.count; ++column) {
    alignas(64) Vector8<Sum> b[2 * perBlock < 8 ? 8 : 2 * perBlock];
    for (int block = 0; block < 2; ++block)
      widenColumns<B>(operands.b[column][block], b + block * perBlock);
    const uint32_t *d = list + (isHalf ? 2 : 4) * column;
    addProduct<Sum, 2, 2, perBlock, isHalf, saturation>(w, a, b, d, d, operands.addsToSums);
  }
}

#define INTEGER(shape, a, A, b, B, rows, K)                                                                            \
  {"mma." shape ".s32." a "." b ".s32", mma<A, B, rows, K, false, Wraps>}, {                                           \
    "mma." shape ".satfinite.s32." a "." b ".s32", mma<A, B, rows, K, false, Saturates>                                \
  }
#define SIGNS(shape, s, S, u, U, rows, K)                                                                              \
  INTEGER(shape, s, S, s, S, rows, K), INTEGER(shape, u, U, u, U, rows, K), INTEGER(shape, s, S, u, U, rows, K),       \
      INTEGER(shape, u, U, s, S, rows, K)
#define SMALL(a, A, b, B)                                                                                              \
  {"mma.m16n8k32.f32." a "." b ".f32", mma<A, B, 16, 32, false, Wraps>}, {                                             \
    "mma.m16n8k32.f16." a "." b ".f16", mma<A, B, 16, 32, true, Wraps>                                                 \
  }

#define GROUP_SMALL(a, A, b, B)                                                                                        \
  {"wgmma.f32." a "." b, wgmma<A, B, false, Wraps>}, {                                                                 \
    "wgmma.f16." a "." b, wgmma<A, B, true, Wraps>                                                                     \
  }
#define GROUP_INTEGER(a, A, b, B)                                                                                      \
  {"wgmma.s32." a "." b, wgmma<A, B, false, Wraps>}, {                                                                 \
    "wgmma.satfinite.s32." a "." b, wgmma<A, B, false, Saturates>                                                      \
  }

const HandlerEntry entries[] = {
    {"mma.m16n8k16.f32.f16.f16.f32", mma<F16, F16, 16, 16, false, Wraps>},
    {"mma.m16n8k16.f32.bf16.bf16.f32", mma<Bf16, Bf16, 16, 16, false, Wraps>},
    {"mma.m16n8k16.f16.f16.f16.f16", mma<F16, F16, 16, 16, true, Wraps>},
    {"mma.m16n8k8.f32.f16.f16.f32", mma<F16, F16, 16, 8, false, Wraps>},
    {"mma.m16n8k8.f32.bf16.bf16.f32", mma<Bf16, Bf16, 16, 8, false, Wraps>},
    {"mma.m16n8k8.f16.f16.f16.f16", mma<F16, F16, 16, 8, true, Wraps>},
    {"mma.m16n8k8.f32.tf32.tf32.f32", mma<Tf32, Tf32, 16, 8, false, Wraps>},
    {"mma.m16n8k4.f32.tf32.tf32.f32", mma<Tf32, Tf32, 16, 4, false, Wraps>},
    SMALL("e4m3", E4m3, "e4m3", E4m3),
    SMALL("e4m3", E4m3, "e5m2", E5m2),
    SMALL("e5m2", E5m2, "e4m3", E4m3),
    SMALL("e5m2", E5m2, "e5m2", E5m2),
    SIGNS("m16n8k32", "s8", S8, "u8", U8, 16, 32),
    SIGNS("m16n8k16", "s8", S8, "u8", U8, 16, 16),
    SIGNS("m8n8k16", "s8", S8, "u8", U8, 8, 16),
    SIGNS("m16n8k64", "s4", S4, "u4", U4, 16, 64),
    SIGNS("m16n8k32", "s4", S4, "u4", U4, 16, 32),
    SIGNS("m8n8k32", "s4", S4, "u4", U4, 8, 32),
    {"wgmma.f32.f16.f16", wgmma<F16, F16, false, Wraps>},
    {"wgmma.f16.f16.f16", wgmma<F16, F16, true, Wraps>},
    {"wgmma.f32.bf16.bf16", wgmma<Bf16, Bf16, false, Wraps>},
    {"wgmma.f32.tf32.tf32", wgmma<Tf32, Tf32, false, Wraps>},
    GROUP_SMALL("e4m3", E4m3, "e4m3", E4m3),
    GROUP_SMALL("e4m3", E4m3, "e5m2", E5m2),
    GROUP_SMALL("e5m2", E5m2, "e4m3", E4m3),
    GROUP_SMALL("e5m2", E5m2, "e5m2", E5m2),
    GROUP_INTEGER("s8", S8, "s8", S8),
    GROUP_INTEGER("s8", S8, "u8", U8),
    GROUP_INTEGER("u8", U8, "s8", S8),
    GROUP_INTEGER("u8", U8, "u8", U8),
    {"mma.m8n8k4.f64.f64.f64.f64", mmaF64},
};

} // namespace

HandlerTable matrixTable() {
  return {entries, sizeof entries / sizeof *entries};
}

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
