// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mma.sync. A 32-bit register of A or B over a warp is a block of 8 rows by 16 bytes, which is also its order in memory
// here: lane 4 r + c holds bytes 4 c of row r. A is [[a0, a2], [a1, a3]], B transposed is [b0, b1]; registers of C are
// pairs of columns of 8 rows (PTX ISA, "Matrix Fragments for mma.m16n8k16" and its siblings). The instruction's list holds
// the registers of D, A, B and C.

#include "runtime/emulator/ops/Lanes.h"
#include "runtime/emulator/ops/SmallFloats.h"

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
  static TAMIS_INLINE int32_t get(const uint8_t *row, int k) { return int32_t(uint32_t(row[k / 2] >> 4 * (k & 1)) << 28) >> 28; }
};
template <> struct Element<U4> {
  static constexpr int bits = 4;
  using Sum = int32_t;
  static TAMIS_INLINE int32_t get(const uint8_t *row, int k) { return row[k / 2] >> 4 * (k & 1) & 15; }
};

enum Saturation { Wraps, Saturates };

/// `rows` is 8 or 16. Half: C and D are f16 pairs.
template <typename A, typename B, int rows, int K, bool isHalf, Saturation saturation>
void mma(Warp &w, const Instruction &i, uint32_t) {
  using Sum = typename Element<A>::Sum;
  constexpr int perBlock = 128 / Element<A>::bits; // elements of a row in one register
  constexpr int blocks = K / perBlock, rowBlocks = rows / 8;
  constexpr int results = isHalf ? rowBlocks : 2 * rowBlocks;
  const uint32_t *list = w.block->kernel->pool.data() + i.list;
  Sum a[rows][K], b[K][8], d[rows][8];

  for (int block = 0; block < blocks; ++block) {
    for (int half = 0; half < rowBlocks; ++half) {
      const uint8_t *from = w.at<uint8_t>(list[results + block * rowBlocks + half]);
      for (int row = 0; row < 8; ++row)
        for (int k = 0; k < perBlock; ++k)
          a[half * 8 + row][block * perBlock + k] = Element<A>::get(from + row * 16, k);
    }
    const uint8_t *from = w.at<uint8_t>(list[results + blocks * rowBlocks + block]);
    for (int k = 0; k < perBlock; ++k)
      for (int column = 0; column < 8; ++column)
        b[block * perBlock + k][column] = Element<B>::get(from + column * 16, k);
  }

  const uint32_t *c = list + results + blocks * rowBlocks + blocks;
  for (int half = 0; half < rowBlocks; ++half)
    for (int row = 0; row < 8; ++row)
      for (int column = 0; column < 8; ++column) {
        int lane = 4 * row + column / 2;
        uint32_t bits = isHalf ? w.at<uint32_t>(c[half])[lane] : w.at<uint32_t>(c[2 * half + column % 2])[lane];
        if constexpr (isHalf)
          d[half * 8 + row][column] = Sum(widen(F16{uint16_t(bits >> 16 * (column % 2))}));
        else
          d[half * 8 + row][column] = __builtin_bit_cast(Sum, bits);
      }

  for (int row = 0; row < rows; ++row) {
    Sum sums[8];
    if constexpr (isSame<Sum, int32_t>) {
      int64_t wide[8];
      for (int column = 0; column < 8; ++column)
        wide[column] = d[row][column];
      for (int k = 0; k < K; ++k)
        for (int column = 0; column < 8; ++column)
          wide[column] += a[row][k] * b[k][column];
      for (int column = 0; column < 8; ++column) {
        int64_t value = wide[column];
        if (saturation == Saturates)
          value = (value > 0x7fffffff) ? 0x7fffffff : value < -0x80000000ll ? -0x80000000ll : value;
        sums[column] = Sum(uint32_t(uint64_t(value)));
      }
    } else {
      for (int column = 0; column < 8; ++column)
        sums[column] = d[row][column];
      for (int k = 0; k < K; ++k)
        for (int column = 0; column < 8; ++column)
          sums[column] += a[row][k] * b[k][column];
    }
    for (int column = 0; column < 8; ++column)
      d[row][column] = sums[column];
  }

  for (int half = 0; half < rowBlocks; ++half) {
    if constexpr (isHalf) {
      uint32_t *to = w.at<uint32_t>(list[half]);
      for (int lane = 0; lane < 32; ++lane) {
        const Sum *pair = &d[half * 8 + lane / 4][2 * (lane % 4)];
        to[lane] = uint32_t(toF16(float(pair[0])).bits) | uint32_t(toF16(float(pair[1])).bits) << 16;
      }
    } else {
      Sum *even = w.at<Sum>(list[2 * half]), *odd = w.at<Sum>(list[2 * half + 1]);
      for (int lane = 0; lane < 32; ++lane) {
        even[lane] = d[half * 8 + lane / 4][2 * (lane % 4)];
        odd[lane] = d[half * 8 + lane / 4][2 * (lane % 4) + 1];
      }
    }
  }
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
    {"mma.m8n8k4.f64.f64.f64.f64", mmaF64},
};

} // namespace

HandlerTable matrixTable() { return {entries, sizeof entries / sizeof *entries}; }

} // namespace tamis::emulator::TAMIS_EMULATOR_LEVEL
