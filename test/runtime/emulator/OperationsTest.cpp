// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values: instructions over random operands against plain C++, matrices against a plain product.

#include "runtime/npy/HalfFloat.h"
#include "test/runtime/emulator/EmulatorFixture.h"
#include <bit>
#include <cmath>
#include <functional>
#include <random>

namespace tamis::emulator {
namespace {

using npy::fromBf16;
using npy::fromF16;
using npy::toBf16;
using npy::toF16;

/// Words that meet edges: small, large, infinite, NaN-like, and random.
std::vector<uint32_t> edgeWords(size_t count, uint32_t seed) {
  static const uint32_t edges[] = {0,          1,          2,          31,         32,         33,         0x7fffffff,
                                   0x80000000, 0xffffffff, 0x3f800000, 0xbf800000, 0x3f000000, 0x40490fdb, 0x00ff00ff,
                                   0x477fe000, 0x33800000, 0x3c003c00, 0xfc007c00, 0x41200000, 0xc2c80000};
  std::mt19937 random(seed);
  std::vector<uint32_t> words(count);
  for (uint32_t &word : words)
    word = random() % 3 ? random() : edges[random() % std::size(edges)];
  return words;
}

using Function = std::function<uint32_t(uint32_t, uint32_t, uint32_t)>;
bool isNanBits(uint32_t bits) {
  return (bits & 0x7fffffff) > 0x7f800000;
}

/// `instruction` computes %r5 from %r2, %r3 and %r4; all lanes, then some of them.
void expectWords(const std::string &instruction, const Function &wanted, bool isFloat = false) {
  for (const char *guard : {"", "@%p0 "}) {
    const size_t count = 256;
    KernelRun run;
    std::vector<uint32_t> words = edgeWords(3 * count, 5);
    run.addBuffer(words);
    run.add(uint32_t(count));
    uint64_t out = run.memory.allocate(count * 4);
    run.shape.blockX = count;
    char address[32];
    snprintf(address, sizeof address, "%llu", static_cast<unsigned long long>(out));
    std::string text = instruction;
    if (size_t at = text.rfind('\n'); at != std::string::npos)
      text.insert(at + 1, guard);
    else
      text = guard + text;
    run.run(smallKernel("mul.wide.u32 %rd1, %r1, 4;\nadd.s64 %rd2, %rd0, %rd1;\nld.global.u32 %r2, [%rd2];\n"
                        "ld.global.u32 %r3, [%rd2+1024];\nld.global.u32 %r4, [%rd2+2048];\n"
                        "and.b32 %r6, %r1, 5;\nsetp.ne.u32 %p0, %r6, 1;\nmov.u32 %r5, 77;\n" +
                        text + "\nmov.u64 %rd3, " + address +
                        ";\nadd.s64 %rd3, %rd3, %rd1;\nst.global.u32 [%rd3], %r5;"));
    EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
    std::vector<uint32_t> got = run.read<uint32_t>(out, count);
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t a = words[i], b = words[count + i], c = words[2 * count + i];
      uint32_t value = *guard && (i & 5) == 1 ? 77 : wanted(a, b, c);
      if (isFloat && isNanBits(value) && isNanBits(got[i]))
        continue;
      ASSERT_EQ(got[i], value) << guard << instruction << " of " << a << ", " << b << ", " << c;
    }
  }
}

float asFloat(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
uint32_t asBits(float value) {
  return std::bit_cast<uint32_t>(value);
}
int32_t asSigned(uint32_t bits) {
  return int32_t(bits);
}

TEST(Operations, Integers) {
  using U = uint32_t;
  expectWords("add.u32 %r5, %r2, %r3;", [](U a, U b, U) { return a + b; });
  expectWords("sub.s32 %r5, %r2, %r3;", [](U a, U b, U) { return a - b; });
  expectWords("mul.lo.s32 %r5, %r2, %r3;", [](U a, U b, U) { return a * b; });
  expectWords("mul.hi.u32 %r5, %r2, %r3;", [](U a, U b, U) { return U(uint64_t(a) * b >> 32); });
  expectWords("mul.hi.s32 %r5, %r2, %r3;", [](U a, U b, U) { return U(int64_t(asSigned(a)) * asSigned(b) >> 32); });
  expectWords("mad.lo.u32 %r5, %r2, %r3, %r4;", [](U a, U b, U c) { return a * b + c; });
  expectWords("min.s32 %r5, %r2, %r3;", [](U a, U b, U) { return U(std::min(asSigned(a), asSigned(b))); });
  expectWords("min.relu.s32 %r5, %r2, %r3;",
              [](U a, U b, U) { return U(std::max(std::min(asSigned(a), asSigned(b)), 0)); });
  expectWords("max.relu.s16x2 %r5, %r2, %r3;", [](U a, U b, U) {
    auto larger = [](U x, U y) { return U(std::max({int16_t(x), int16_t(y), int16_t(0)})); };
    return larger(a, b) | larger(a >> 16, b >> 16) << 16;
  });
  expectWords("max.u32 %r5, %r2, %r3;", [](U a, U b, U) { return std::max(a, b); });
  expectWords("neg.s32 %r5, %r2;", [](U a, U, U) { return 0 - a; });
  expectWords("shl.b32 %r5, %r2, %r3;", [](U a, U b, U) { return b > 31 ? 0 : a << b; });
  expectWords("shr.u32 %r5, %r2, %r3;", [](U a, U b, U) { return b > 31 ? 0 : a >> b; });
  expectWords("shr.s32 %r5, %r2, %r3;", [](U a, U b, U) { return U(asSigned(a) >> std::min(b, 31u)); });
  expectWords("shf.l.wrap.b32 %r5, %r2, %r3, %r4;",
              [](U a, U b, U c) { return U((uint64_t(b) << 32 | a) << (c & 31) >> 32); });
  expectWords("shf.r.clamp.b32 %r5, %r2, %r3, %r4;",
              [](U a, U b, U c) { return U((uint64_t(b) << 32 | a) >> std::min(c, 32u)); });
  expectWords("lop3.b32 %r5, %r2, %r3, %r4, 0xe8;", [](U a, U b, U c) { return (a & b) | (a & c) | (b & c); });
  expectWords("popc.b32 %r5, %r2;", [](U a, U, U) { return U(std::popcount(a)); });
  expectWords("clz.b32 %r5, %r2;", [](U a, U, U) { return U(std::countl_zero(a)); });
  expectWords("bfe.u32 %r5, %r2, 5, 9;", [](U a, U, U) { return a >> 5 & 511; });
  expectWords("bfe.s32 %r5, %r2, 20, 16;", [](U a, U, U) { return U(asSigned(a) >> 20); });
  expectWords("bfe.s32 %r5, %r2, 4, 8;", [](U a, U, U) { return U(asSigned(a << 20) >> 24); });
  expectWords("bfi.b32 %r5, %r2, %r3, 8, 12;", [](U a, U b, U) { return (b & ~0xfff00u) | (a << 8 & 0xfff00); });
  expectWords("prmt.b32 %r5, %r2, %r3, 0x5410;", [](U a, U b, U) { return (a & 0xffff) | b << 16; });
  expectWords("rem.u32 %r5, %r2, 13;", [](U a, U, U) { return a % 13; });
  expectWords("div.s32 %r5, %r2, -7;", [](U a, U, U) { return U(asSigned(a) / -7); });
  expectWords("setp.lt.s32 %p1, %r2, %r3;\nselp.b32 %r5, %r3, %r4, %p1;",
              [](U a, U b, U c) { return asSigned(a) < asSigned(b) ? b : c; });
  expectWords("add.cc.u32 %r7, %r2, %r3;\naddc.u32 %r5, 0, 0;", [](U a, U b, U) { return U((uint64_t(a) + b) >> 32); });
  expectWords("mul.wide.s32 %rd4, %r2, %r3;\nshr.u64 %rd4, %rd4, 16;\ncvt.u32.u64 %r5, %rd4;",
              [](U a, U b, U) { return U(uint64_t(int64_t(asSigned(a)) * asSigned(b)) >> 16); });
}

TEST(Operations, Floats) {
  using U = uint32_t;
  auto single = [](const std::string &text, float (*f)(float, float, float)) {
    expectWords(text, [f](U a, U b, U c) { return asBits(f(asFloat(a), asFloat(b), asFloat(c))); }, true);
  };
  single("add.rn.f32 %r5, %r2, %r3;", [](float a, float b, float) { return a + b; });
  single("mul.f32 %r5, %r2, %r3;", [](float a, float b, float) { return a * b; });
  single("fma.rn.f32 %r5, %r2, %r3, %r4;", [](float a, float b, float c) { return std::fma(a, b, c); });
  single("div.rn.f32 %r5, %r2, %r3;", [](float a, float b, float) { return a / b; });
  single("sqrt.rn.f32 %r5, %r2;", [](float a, float, float) { return std::sqrt(a); });
  single("max.f32 %r5, %r2, %r3;", [](float a, float b, float) {
    return std::isnan(a) ? b : std::isnan(b) ? a : std::max(a, b);
  });
  single("min.NaN.f32 %r5, %r2, %r3;", [](float a, float b, float) {
    return std::isnan(a + 0 * b) && (std::isnan(a) || std::isnan(b)) ? NAN : std::min(a, b);
  });
  single("abs.f32 %r5, %r2;", [](float a, float, float) { return std::fabs(a); });
  single("neg.f32 %r5, %r2;", [](float a, float, float) { return -a; });
  single("copysign.f32 %r5, %r2, %r3;", [](float a, float b, float) { return std::copysign(b, a); });
  single("cvt.rni.f32.f32 %r5, %r2;", [](float a, float, float) { return std::nearbyint(a); });
  single("cvt.rn.f32.s32 %r5, %r2;", [](float a, float, float) { return float(std::bit_cast<int32_t>(a)); });
  expectWords("cvt.rzi.s32.f32 %r5, %r2;", [](U a, U, U) {
    double value = asFloat(a);
    return std::isnan(value) ? 0 : U(int32_t(std::min(std::max(std::trunc(value), -2147483648.0), 2147483647.0)));
  });
  expectWords("cvt.rn.f16x2.f32 %r5, %r2, %r3;", [](U a, U b, U) {
    auto half = [](U bits) { return isNanBits(bits) ? 0x7fffu : toF16(asFloat(bits)); };
    return half(a) << 16 | half(b);
  });
  expectWords(
      "{ .reg .b16 h; mov.b32 {h, _}, %r2; cvt.f32.f16 %r7, h; }\nmov.b32 %r5, %r7;",
      [](U a, U, U) { return asBits(fromF16(uint16_t(a))); }, true);
  expectWords("fma.rn.bf16x2 %r5, %r2, %r3, %r4;", [](U a, U b, U c) {
    U result = 0;
    for (int i = 0; i < 32; i += 16) {
      double exact = double(fromBf16(uint16_t(a >> i))) * fromBf16(uint16_t(b >> i)) + fromBf16(uint16_t(c >> i));
      // Rounding to odd first keeps the second rounding right.
      float f = float(exact);
      if (double(f) != exact && !std::isnan(exact)) {
        U bits = asBits(f);
        bits -= std::fabs(double(f)) > std::fabs(exact);
        f = asFloat(bits | 1);
      }
      result |= U(std::isnan(exact) ? 0x7fff : toBf16(f)) << i;
    }
    return result;
  });
}

TEST(Operations, ApproximateFunctionsAreClose) {
  KernelRun run;
  std::vector<float> in(256);
  for (size_t i = 0; i < in.size(); ++i)
    in[i] = float(i) * 0.13f + 0.01f - 16;
  uint64_t data = run.addBuffer(in);
  run.add(uint32_t(0));
  run.shape.blockX = 256;
  run.run(smallKernel("mul.wide.u32 %rd1, %r1, 4;\nadd.s64 %rd1, %rd0, %rd1;\nld.global.f32 %f0, [%rd1];\n"
                      "ex2.approx.ftz.f32 %f1, %f0;\nlg2.approx.f32 %f2, %f1;\nsub.f32 %f2, %f2, %f0;\n"
                      "rcp.approx.f32 %f3, %f1;\nfma.rn.f32 %f3, %f3, %f1, 0fBF800000;\n"
                      "rsqrt.approx.f32 %f4, %f1;\nmul.f32 %f5, %f4, %f4;\nfma.rn.f32 %f5, %f5, %f1, 0fBF800000;\n"
                      "abs.f32 %f2, %f2;\nabs.f32 %f3, %f3;\nabs.f32 %f5, %f5;\nmax.f32 %f2, %f2, %f3;\n"
                      "max.f32 %f2, %f2, %f5;\nst.global.f32 [%rd1], %f2;"));
  EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
  for (float error : run.read<float>(data, 256))
    EXPECT_LT(error, 2e-6f);
  EXPECT_EQ(run.report.counts.specialFunctions, 4u * 256);
}

/// One warp multiplies 16 x K by K x 8 of `type` with C = 1; values are small integers, so sums are exact.
void expectProduct(const std::string &type, const std::string &sumType, int K, int bits,
                   const std::function<uint32_t(int)> &encode) {
  std::mt19937 random(3);
  std::vector<int> a(size_t(16 * K)), b(size_t(8 * K));
  for (int &value : a)
    value = int(random() % 7) - 3;
  for (int &value : b)
    value = int(random() % 7) - 3;
  // Registers: blocks of 8 rows by 16 bytes, A row by row of blocks down, then across; B transposed.
  int perBlock = 128 / bits, blocks = K / perBlock, perWord = 32 / bits;
  std::vector<uint32_t> words;
  auto addBlock = [&](const std::vector<int> &from, int firstRow, int block) {
    for (int lane = 0; lane < 32; ++lane) {
      uint32_t word = 0;
      for (int i = 0; i < perWord; ++i)
        word |= encode(from[size_t((firstRow + lane / 4) * K + block * perBlock + lane % 4 * perWord + i)]) << bits * i;
      words.push_back(word);
    }
  };
  for (int block = 0; block < blocks; ++block)
    for (int half = 0; half < 2; ++half)
      addBlock(a, 8 * half, block);
  for (int block = 0; block < blocks; ++block)
    addBlock(b, 0, block);
  KernelRun run;
  uint64_t data = run.addBuffer(words);
  run.add(uint32_t(0));
  run.shape.blockX = 32;
  std::string loads, aList, bList;
  for (int i = 0; i < 3 * blocks; ++i) {
    std::string name = "%r" + std::to_string(10 + i);
    loads += "ld.global.b32 " + name + ", [%rd1+" + std::to_string(128 * i) + "];\n";
    std::string &list = i < 2 * blocks ? aList : bList;
    list += (list.empty() ? "" : ", ") + name;
  }
  std::string one = sumType == "f32" ? "0f3F800000" : "1";
  run.run(smallKernel("mul.wide.u32 %rd1, %r1, 4;\nadd.s64 %rd1, %rd0, %rd1;\n" + loads + "mov.b32 %r2, " + one +
                      ";\nmma.sync.aligned.m16n8k" + std::to_string(K) + ".row.col." + sumType + "." + type + "." +
                      type + "." + sumType + "\n  {%r3, %r4, %r5, %r6}, {" + aList + "}, {" + bList +
                      "}, {%r2, %r2, %r2, %r2};\nst.global.b32 [%rd1], %r3;\nst.global.b32 [%rd1+128], %r4;\n"
                      "st.global.b32 [%rd1+256], %r5;\n" +
                      (words.size() > 96 ? "st.global.b32 [%rd1+384], %r6;" : "")));
  EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
  EXPECT_EQ(run.report.counts.tensorMacs, uint64_t(16 * 8 * K));
  std::vector<uint32_t> got = run.read<uint32_t>(data, words.size());
  for (int i = 0; i < (words.size() > 96 ? 4 : 3); ++i)
    for (int lane = 0; lane < 32; ++lane) {
      int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2, wanted = 1;
      for (int k = 0; k < K; ++k)
        wanted += a[size_t(row * K + k)] * b[size_t(column * K + k)];
      uint32_t word = got[size_t(32 * i + lane)];
      ASSERT_EQ(sumType == "f32" ? asFloat(word) : float(int32_t(word)), float(wanted))
          << type << " k" << K << " row " << row << " column " << column;
    }
}

TEST(Operations, MatrixProducts) {
  auto half = [](int value) { return uint32_t(toF16(float(value))); };
  auto bfloat = [](int value) { return uint32_t(toBf16(float(value))); };
  auto tf32 = [](int value) { return asBits(float(value)); };
  auto byte = [](int value) { return uint32_t(uint8_t(value)); };
  auto e4m3 = [](int value) { // +-0 to 3
    const uint32_t bits[] = {0, 0x38, 0x40, 0x44};
    return bits[std::abs(value)] | (value < 0 ? 0x80u : 0);
  };
  expectProduct("f16", "f32", 16, 16, half);
  expectProduct("f16", "f32", 8, 16, half);
  expectProduct("bf16", "f32", 16, 16, bfloat);
  expectProduct("tf32", "f32", 8, 32, tf32);
  expectProduct("s8", "s32", 32, 8, byte);
  expectProduct("s8", "s32", 16, 8, byte);
  expectProduct("e4m3", "f32", 32, 8, e4m3);
}

TEST(Operations, MatricesAreLoadedAsTheyLie) {
  // A 16 x 16 tile of f16 holds 16 row + column; x4 gives its four blocks, trans their transposes.
  for (bool isTransposed : {false, true}) {
    KernelRun run;
    std::vector<uint16_t> tile(256);
    for (size_t i = 0; i < tile.size(); ++i)
      tile[i] = uint16_t(i);
    uint64_t data = run.addBuffer(tile);
    run.add(uint32_t(0));
    run.shape.blockX = 32;
    run.run(smallKernel(
        std::string("mul.wide.u32 %rd1, %r1, 16;\nadd.s64 %rd2, %rd0, %rd1;\nmov.u32 %r2, s;\n"
                    "shl.b32 %r3, %r1, 4;\nadd.u32 %r4, %r2, %r3;\nld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd2];\n"
                    "st.shared.v4.u32 [%r4], {%r5, %r6, %r7, %r8};\nbar.warp.sync -1;\n"
                    // Lane l names row l % 16, columns from 8 (l / 16) on.
                    "and.b32 %r9, %r1, 15;\nshr.u32 %r10, %r1, 4;\nshl.b32 %r9, %r9, 5;\nshl.b32 %r10, %r10, 4;\n"
                    "add.u32 %r9, %r9, %r10;\nadd.u32 %r9, %r9, %r2;\n"
                    "ldmatrix.sync.aligned.m8n8.x4") +
            (isTransposed ? ".trans" : "") +
            ".shared.b16 {%r5, %r6, %r7, %r8}, [%r9];\nst.global.v4.u32 [%rd2], {%r5, %r6, %r7, %r8};",
        ".shared .align 16 .b8 s[512];"));
    EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
    std::vector<uint16_t> got = run.read<uint16_t>(data, 256);
    for (int lane = 0; lane < 32; ++lane)
      for (int m = 0; m < 4; ++m)
        for (int i = 0; i < 2; ++i) {
          int row = lane / 4, column = lane % 4 * 2 + i;
          if (isTransposed)
            std::swap(row, column);
          EXPECT_EQ(got[size_t(lane * 8 + m * 2 + i)], 16 * (row + m % 2 * 8) + column + m / 2 * 8);
        }
  }
}

TEST(Operations, WarpsTalk) {
  auto lanes = [](const std::string &body, const std::function<uint32_t(uint32_t)> &wanted) {
    KernelRun run;
    uint64_t out = run.addOutput(128);
    run.add(uint32_t(0));
    run.shape.blockX = 32;
    run.run(smallKernel(body + "\nmul.wide.u32 %rd1, %r1, 4;\nadd.s64 %rd1, %rd0, %rd1;\nst.global.u32 [%rd1], %r2;"));
    EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
    std::vector<uint32_t> got = run.read<uint32_t>(out, 32);
    for (uint32_t i = 0; i < 32; ++i)
      EXPECT_EQ(got[i], wanted(i)) << body;
  };
  lanes("shfl.sync.bfly.b32 %r2, %r1, 5, 31, -1;", [](uint32_t i) { return i ^ 5; });
  lanes("shfl.sync.down.b32 %r2|%p1, %r1, 3, 31, -1;", [](uint32_t i) { return i + 3 < 32 ? i + 3 : i; });
  lanes("shfl.sync.up.b32 %r2, %r1, 3, 0, -1;", [](uint32_t i) { return i >= 3 ? i - 3 : i; });
  lanes("shfl.sync.idx.b32 %r2, %r1, 1, 0x181f, -1;", [](uint32_t i) { return (i & 24) + 1; });
  lanes("setp.lt.u32 %p1, %r1, 9;\nvote.sync.ballot.b32 %r2, %p1, -1;", [](uint32_t) { return 511u; });
  lanes("and.b32 %r3, %r1, 3;\nmatch.any.sync.b32 %r2, %r3, -1;", [](uint32_t i) { return 0x11111111u << (i & 3); });
  lanes("redux.sync.add.s32 %r2, %r1, -1;", [](uint32_t) { return 496u; });
  // Odd lanes take one way, even ones another, and meet again.
  lanes("and.b32 %r3, %r1, 1;\nsetp.eq.u32 %p1, %r3, 0;\n@%p1 bra EVEN;\nadd.u32 %r4, %r1, 100;\nbra MEET;\nEVEN:\n"
        "add.u32 %r4, %r1, 200;\nMEET:\nshfl.sync.bfly.b32 %r2, %r4, 1, 31, -1;",
        [](uint32_t i) { return (i ^ 1) + (i & 1 ? 200 : 100); });
}

TEST(Operations, AtomicsOverBlocks) {
  KernelRun run;
  uint64_t sum = run.addBuffer(std::vector<uint32_t>{5});
  run.add(uint32_t(0));
  run.shape.blockX = 64;
  run.shape.gridX = 20;
  run.options.threads = 4;
  run.run(smallKernel("red.global.add.u32 [%rd0], 2;\natom.global.max.u32 %r2, [%rd0], 1;"));
  EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
  EXPECT_EQ(run.read<uint32_t>(sum, 1)[0], 5u + 2 * 64 * 20);
}

TEST(Operations, FunctionsAndTables) {
  const std::string callee = ".func (.param .b32 result) twice(.param .b32 x)\n{\n.reg .b32 %r<3>;\n"
                             "ld.param.b32 %r1, [x];\nadd.u32 %r2, %r1, %r1;\nst.param.b32 [result], %r2;\nret;\n}\n"
                             ".const .align 4 .u32 table[4] = {10, 20, 30, 40};\n";
  KernelRun run;
  uint64_t out = run.addOutput(128);
  run.add(uint32_t(0));
  run.shape.blockX = 32;
  run.run(
      smallKernel("and.b32 %r2, %r1, 3;\nmul.wide.u32 %rd1, %r2, 4;\nmov.u64 %rd2, table;\nadd.s64 %rd2, %rd2, %rd1;\n"
                  "ld.const.u32 %r3, [%rd2];\n{\n.param .b32 p0;\n.param .b32 r0;\nst.param.b32 [p0], %r3;\n"
                  "call.uni (r0), twice, (p0);\nld.param.b32 %r4, [r0];\n}\n"
                  "mul.wide.u32 %rd3, %r1, 4;\nadd.s64 %rd3, %rd0, %rd3;\nst.global.u32 [%rd3], %r4;",
                  callee));
  EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
  std::vector<uint32_t> got = run.read<uint32_t>(out, 32);
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(got[i], 20 * (i % 4 + 1));
}

} // namespace
} // namespace tamis::emulator
