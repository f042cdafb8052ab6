// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// wgmma: values over layouts, types and signs; each rule broken once.

#include "test/runtime/emulator/EmulatorFixture.h"
#include <random>

namespace tamis::emulator {
namespace {

/// One product, 64 x columns, in a kernel of a warp group. The host prepares shared memory as it shall be.
struct Product {
  std::string type = "f16", sums = "f32"; ///< or bf16, tf32; f16
  uint32_t columns = 64, swizzle = 128;
  bool transposeA = false, transposeB = false, registerA = false, adds = true;
  int signA = 1, signB = 1;
  uint32_t threads = 128;

  bool isWide() const { return type == "tf32"; }
  uint32_t elementBytes() const { return isWide() ? 4 : 2; }
  uint32_t depth() const { return 32 / elementBytes(); }
  static constexpr uint32_t kAt = 8192, kBytes = 49152; ///< where B lies, and all

  /// Where an element lies (PTX ISA, "Shared Memory Matrix Layout"): blocks of 8 rows of 16 bytes without a swizzle.
  uint32_t place(uint32_t along, uint32_t k, bool isTransposed) const {
    uint32_t s = swizzle, at;
    if (!isTransposed) {
      uint32_t byte = k * elementBytes();
      at = s ? along * s + byte : along / 8 * 256 + byte / 16 * 128 + along % 8 * 16 + byte % 16;
    } else {
      at = s ? along / (s / 2) * 16 * s + k * s + along % (s / 2) * 2
             : along / 8 * 256 + k / 8 * 128 + k % 8 * 16 + along % 8 * 2;
    }
    return s ? at ^ (at / 128 % (s / 16) * 16) : at;
  }
  uint64_t descriptor(bool isTransposed) const {
    uint64_t leading = swizzle ? (isTransposed ? 16 * swizzle : 16) : 128, stride = swizzle ? 8 * swizzle : 256;
    uint64_t mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle == 32 ? 3 : 0;
    return leading / 16 << 16 | stride / 16 << 32 | mode << 62;
  }
  uint32_t registers() const { return sums == "f16" ? columns / 4 : columns / 2; }

  std::string text() const {
    auto list = [](const char *name, uint32_t count) {
      std::string all = "{";
      for (uint32_t i = 0; i < count; ++i)
        all += (i ? ", " : "") + (name + std::to_string(i));
      return all + "}";
    };
    auto n = [](uint64_t value) { return std::to_string(value); };
    std::string t =
        ".version 8.0\n.target sm_90a\n.address_size 64\n.shared .align 1024 .b8 s[" + n(kBytes) + "];\n" +
        ".visible .entry k(.param .u64 .ptr .global .align 16 image, .param .u64 .ptr .global .align 16 a,\n"
        " .param .u64 .ptr .global .align 16 c, .param .u64 .ptr .global .align 16 d)\n{\n"
        ".reg .pred %p<4>; .reg .b32 %r<16>; .reg .b32 %d<128>; .reg .b32 %a<4>; .reg .b64 %rd<16>;\n"
        "ld.param.u64 %rd0, [image]; ld.param.u64 %rd1, [a]; ld.param.u64 %rd2, [c]; ld.param.u64 %rd3, [d];\n"
        "mov.u32 %r0, %tid.x; mov.u32 %r1, s; mov.u32 %r2, %r0;\nloop:\n"
        "mul.wide.u32 %rd4, %r2, 16; add.s64 %rd4, %rd0, %rd4; ld.global.v4.b32 {%r4, %r5, %r6, %r7}, [%rd4];\n"
        "shl.b32 %r3, %r2, 4; add.u32 %r3, %r3, %r1;\n"
        "st.shared.v4.b32 [%r3], {%r4, %r5, %r6, %r7};\nadd.u32 %r2, %r2, " +
        n(threads) + "; setp.lt.u32 %p0, %r2, " + n(kBytes / 16) + ";\n@%p0 bra loop;\n";
    t += "mad.wide.u32 %rd5, %r0, 16, %rd1;\nld.global.v4.b32 " + list("%a", 4) +
         ", [%rd5];\nmad.wide.u32 %rd6, %r0, " + n(4 * registers()) + ", %rd2;\nmad.wide.u32 %rd7, %r0, " +
         n(4 * registers()) + ", %rd3;\n";
    for (uint32_t i = 0; i < registers(); ++i)
      t += "ld.global.b32 %d" + n(i) + ", [%rd6+" + n(4 * i) + "];\n";
    t += "cvt.u64.u32 %rd8, %r1; shr.u64 %rd8, %rd8, 4;\nor.b64 %rd9, %rd8, " + n(descriptor(transposeA)) +
         ";\nadd.u64 %rd8, %rd8, " + n(kAt / 16) + ";\nor.b64 %rd10, %rd8, " + n(descriptor(transposeB)) + ";\n";
    t += "setp.eq.u32 %p1, %r1, " + std::string(adds ? "%r1" : "0") + ";\n";
    t += "fence.proxy.async;\nbar.sync 0;\nwgmma.fence.sync.aligned;\n";
    t += "wgmma.mma_async.sync.aligned.m64n" + n(columns) + "k" + n(depth()) + "." + sums + "." + type + "." + type +
         " " + list("%d", registers()) + ", " + (registerA ? list("%a", 4) : std::string("%rd9")) + ", %rd10, %p1, " +
         std::to_string(signA) + ", " + std::to_string(signB);
    if (!isWide())
      t += (registerA ? "" : std::string(", ") + (transposeA ? "1" : "0")) + ", " + (transposeB ? "1" : "0");
    t += ";\nwgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n";
    for (uint32_t i = 0; i < registers(); ++i)
      t += "st.global.b32 [%rd7+" + n(4 * i) + "], %d" + n(i) + ";\n";
    return t + "ret;\n}\n";
  }
};

/// Small integers, which all types hold.
uint32_t bitsOf(int value, const std::string &type) {
  float single = float(value);
  uint32_t bits;
  memcpy(&bits, &single, 4);
  if (type == "f32" || type == "tf32")
    return bits;
  if (type == "bf16")
    return bits >> 16;
  return value ? ((bits >> 16 & 0x8000) | (((bits >> 23 & 255) - 112) << 10) | (bits >> 13 & 0x3ff)) : 0;
}

class ProductRun {
public:
  KernelRun run;
  std::vector<uint32_t> found, wanted;

  ProductRun(const Product &product, const std::string &text) {
    std::mt19937 random(7);
    auto any = [&] { return int(random() % 9) - 4; };
    uint32_t K = product.depth(), N = product.columns;
    std::vector<int> a(64 * K), b(K * N), c(64 * N);
    for (auto *matrix : {&a, &b, &c})
      for (int &value : *matrix)
        value = any();
    std::vector<uint8_t> image(Product::kBytes, 0);
    auto put = [&](uint32_t at, int value) {
      uint32_t bits = bitsOf(value, product.type);
      memcpy(&image[at], &bits, product.elementBytes());
    };
    for (uint32_t i = 0; i < 64; ++i)
      for (uint32_t k = 0; k < K; ++k)
        put(product.place(i, k, product.transposeA), a[i * K + k]);
    for (uint32_t k = 0; k < K; ++k)
      for (uint32_t j = 0; j < N; ++j)
        put(Product::kAt + product.place(j, k, product.transposeB), b[k * N + j]);
    bool isHalf = product.sums == "f16";
    uint32_t registers = product.registers(), each = isHalf ? 2 : 1;
    std::vector<uint32_t> fragments(128 * 4), sums(128 * registers);
    for (uint32_t t = 0; t < 128; ++t) {
      uint32_t lane = t % 32, row = t / 32 * 16 + lane / 4, perWord = 4 / product.elementBytes();
      for (uint32_t r = 0; r < 4; ++r) // four bytes of row (+ 8), of the first or second 16
        for (uint32_t i = 0; i < perWord; ++i) {
          uint32_t k = (r / 2 * 4 + lane % 4) * perWord + i;
          fragments[4 * t + r] |= bitsOf(a[(row + r % 2 * 8) * K + k], product.type) << 16 * i;
        }
      for (uint32_t r = 0; r < registers * each; ++r) {
        uint32_t i = row + r / 2 % 2 * 8, j = r / 4 * 8 + lane % 4 * 2 + r % 2;
        int sum = 0;
        for (uint32_t k = 0; k < K; ++k)
          sum += a[i * K + k] * b[k * N + j];
        sum = sum * product.signA * product.signB + (product.adds ? c[i * N + j] : 0);
        uint32_t word = t * registers + r / each, shift = 16 * (r % each);
        sums[word] |= bitsOf(c[i * N + j], product.sums) << shift;
        wanted.resize(128 * registers);
        wanted[word] |= bitsOf(sum, product.sums) << shift;
      }
    }
    run.addBuffer(image);
    run.addBuffer(fragments);
    run.addBuffer(sums);
    uint64_t out = run.addOutput(4 * wanted.size());
    run.shape.blockX = product.threads;
    run.options.traffic = true;
    run.run(text);
    found = run.read<uint32_t>(out, wanted.size());
  }
};

void expectRight(const Product &product) {
  ProductRun run(product, product.text());
  SCOPED_TRACE(product.text().substr(product.text().find("wgmma.mma"), 60) + " swizzle " +
               std::to_string(product.swizzle) + " transposed " + std::to_string(product.transposeA) +
               std::to_string(product.transposeB));
  EXPECT_TRUE(run.run.report.diagnostics.empty()) << run.run.all();
  EXPECT_EQ(run.found, run.wanted);
  const Counts &counts = run.run.report.counts;
  EXPECT_EQ(counts.tensorMacs, 64u * product.columns * product.depth());
  EXPECT_EQ(counts.sharedWavefronts, counts.idealSharedWavefronts); // what the layouts are for
}

TEST(WarpGroup, ValuesOfAllLayouts) {
  for (uint32_t swizzle : {0u, 32u, 64u, 128u})
    for (int transposed = 0; transposed < 4; ++transposed)
      for (uint32_t columns : {8u, 72u, 128u, 256u}) {
        Product product;
        product.swizzle = swizzle;
        product.columns = columns;
        product.transposeA = transposed & 1;
        product.transposeB = transposed & 2;
        if (product.place(columns - 1, 15, product.transposeB) + 2 > Product::kBytes - Product::kAt)
          continue;
        expectRight(product);
      }
}
TEST(WarpGroup, ValuesOfAllTypes) {
  for (const char *type : {"f16", "bf16", "tf32"})
    for (bool registerA : {false, true})
      for (bool adds : {false, true}) {
        Product product;
        product.type = type;
        product.registerA = registerA;
        product.adds = adds;
        product.columns = 24;
        expectRight(product);
        product.signA = -1;
        expectRight(product);
        product.signB = -1;
        expectRight(product);
      }
  Product half;
  half.sums = "f16";
  expectRight(half);
  half.registerA = true;
  expectRight(half);
}
/// The product with one thing changed is reported as `kind` with `detail`, and only so.
void expectFound(const std::string &from, const std::string &to, DiagnosticKind kind, const std::string &detail,
                 const Product &product = {}) {
  ProductRun run(product, mutated(product.text(), from, to));
  const Diagnostic *found = run.run.find(kind);
  ASSERT_TRUE(found) << from << "\n" << run.run.all();
  EXPECT_NE(found->detail.find(detail), std::string::npos) << run.run.all();
}

TEST(WarpGroup, RulesBroken) {
  expectFound("fence.proxy.async;\n", "", DiagnosticKind::AsyncMisuse, "fence.proxy.async");
  expectFound("wgmma.fence.sync.aligned;\n", "", DiagnosticKind::AsyncMisuse, "wgmma.fence");
  expectFound("wgmma.fence.sync.aligned;\n", "wgmma.fence.sync.aligned;\nmov.b32 %d3, 0;\n",
              DiagnosticKind::AsyncMisuse, "wgmma.fence");
  expectFound("wgmma.wait_group.sync.aligned 0;\n", "", DiagnosticKind::AsyncMisuse, "in flight");
  expectFound("wait_group.sync.aligned 0", "wait_group.sync.aligned 1", DiagnosticKind::AsyncMisuse, "in flight");
  expectFound("wgmma.commit_group.sync.aligned;\n", "", DiagnosticKind::AsyncMisuse, "in flight");
  expectFound("bar.sync 0;\n", "", DiagnosticKind::SharedRace, "no barrier between");
  expectFound("wgmma.commit_group.sync.aligned;\n", "wgmma.commit_group.sync.aligned;\nst.shared.b32 [%r1], %r0;\n",
              DiagnosticKind::SharedRace, "offset 0");
  // A barrier does not end a product.
  expectFound(
      "wgmma.commit_group.sync.aligned;\n",
      "wgmma.commit_group.sync.aligned;\nbar.sync 0;\nsetp.eq.u32 %p0, %r0, 96;\n@%p0 st.shared.b32 [%r1], %r0;\n",
      DiagnosticKind::SharedRace, "offset 0");
  Product fromRegisters;
  fromRegisters.registerA = true;
  expectFound("wgmma.commit_group.sync.aligned;\n", "wgmma.commit_group.sync.aligned;\nmov.b32 %a1, 0;\n",
              DiagnosticKind::AsyncMisuse, "uses", fromRegisters);
}
TEST(WarpGroup, GroupsAreWhole) {
  Product part;
  part.threads = 96;
  ProductRun run(part, part.text());
  EXPECT_TRUE(run.run.has(DiagnosticKind::PartialWarp)) << run.run.all();
  expectFound("wgmma.fence.sync.aligned;\n", "setp.gt.u32 %p2, %r0, 95;\n@%p2 exit;\nwgmma.fence.sync.aligned;\n",
              DiagnosticKind::PartialWarp, "not all four warps");
  expectFound("fence.proxy.async;\n", "fence.proxy.async;\nsetp.gt.u32 %p2, %r0, 95;\n@%p2 add.u64 %rd10, %rd10, 2;\n",
              DiagnosticKind::PartialWarp, "different matrix descriptors");
  expectFound("fence.proxy.async;\n", "fence.proxy.async;\nsetp.gt.u32 %p2, %r0, 100;\n@%p2 add.u64 %rd10, %rd10, 2;\n",
              DiagnosticKind::AsyncMisuse, "differs between lanes");
}
TEST(WarpGroup, WritersMayFenceAndReadersToo) {
  Product product;
  ProductRun run(product,
                 mutated(product.text(), "fence.proxy.async;\nbar.sync 0;", "bar.sync 0;\nfence.proxy.async;"));
  EXPECT_TRUE(run.run.report.diagnostics.empty()) << run.run.all();
  EXPECT_EQ(run.found, run.wanted);
}
TEST(WarpGroup, WrongTextIsRefused) {
  Memory memory;
  auto errorOf = [&](const std::string &from, const std::string &to) {
    ParseResult parsed = parseModule(mutated(Product().text(), from, to), memory);
    return parsed.errors.empty() ? std::string() : parsed.errors[0].message;
  };
  EXPECT_NE(errorOf("m64n64k16", "m64n60k16").find("wanted .m64nNk16"), std::string::npos);
  EXPECT_NE(errorOf("{%d0, ", "{").find("32 registers of D"), std::string::npos);
  EXPECT_NE(errorOf("%p1, 1, 1", "%p1, 2, 1").find("wanted -1 or 1"), std::string::npos);
  EXPECT_NE(errorOf(".target sm_90a", ".target sm_90").find("sm_90a"), std::string::npos);
}

} // namespace
} // namespace tamis::emulator
