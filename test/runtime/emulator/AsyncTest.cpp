// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mbarriers and bulk copies: each used rightly, and with one thing wrong.

#include "runtime/emulator/TensorMap.h"
#include "test/runtime/emulator/EmulatorFixture.h"

namespace tamis::emulator {
namespace {

const std::string shared = ".shared .align 1024 .b8 s[8192];\n.shared .align 8 .b8 m[16];\n";

/// %r2: s, %r3: m, %p0: thread 0.
const std::string head = "mov.u32 %r2, s;\nmov.u32 %r3, m;\nsetp.eq.u32 %p0, %r1, 0;\n";
const std::string ready = "fence.proxy.async;\nbar.sync 0;\n";
std::string initialise(int count) {
  return head + "@%p0 mbarrier.init.shared::cta.b64 [%r3], " + std::to_string(count) + ";\n" + ready;
}
const std::string wait = "again:\nmbarrier.try_wait.parity.shared::cta.b64 %p1, [%r3], 0;\n@!%p1 bra again;\n";
const std::string copy =
    "@%p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 256;\n"
    "@%p0 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd0], 256, [%r3];\n";
const std::string readOwn = "shl.b32 %r4, %r1, 2;\nadd.u32 %r5, %r2, %r4;\nld.shared.u32 %r6, [%r5];\n";
const std::string writeOwn = "cvt.u64.u32 %rd1, %r4;\nadd.s64 %rd1, %rd0, %rd1;\nst.global.u32 [%rd1+1024], %r6;\n";

struct Bulk {
  KernelRun run;
  std::vector<uint32_t> out;
  explicit Bulk(const std::string &body, uint32_t threads = 64) {
    std::vector<uint32_t> in(512, 0);
    for (uint32_t i = 0; i < 256; ++i)
      in[i] = i + 1;
    uint64_t buffer = run.addBuffer(in);
    run.add(uint32_t(0));
    run.shape.blockX = threads;
    run.options.instructionLimit = 1 << 20;
    std::string text = smallKernel(body, shared);
    text.replace(text.find("sm_80"), 5, "sm_90");
    run.run(text);
    out = run.read<uint32_t>(buffer + 1024, 256);
  }
};
void expectFound(const std::string &body, DiagnosticKind kind, const std::string &detail) {
  Bulk bulk(body);
  const Diagnostic *found = bulk.run.find(kind);
  ASSERT_TRUE(found) << body << bulk.run.all();
  EXPECT_NE(found->detail.find(detail), std::string::npos) << bulk.run.all();
}

TEST(Async, BulkCopyToShared) {
  Bulk bulk(initialise(1) + copy + wait + readOwn + writeOwn);
  EXPECT_TRUE(bulk.run.report.diagnostics.empty()) << bulk.run.all();
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(bulk.out[i], i + 1);
  expectFound(initialise(1) + copy + readOwn + writeOwn + wait, DiagnosticKind::UnwaitedRead, "was not waited for");
  // It is asked once, and the answer is not looked at.
  expectFound(initialise(2) + copy + mutated(wait, "@!%p1 bra again;\n", "") + readOwn + writeOwn,
              DiagnosticKind::SharedRace, "no barrier between");
}
TEST(Async, BulkCopyRules) {
  std::string good = initialise(1) + copy + wait + readOwn + writeOwn;
  expectFound(mutated(good, "_, [%r3], 256", "_, [%r3], 272"), DiagnosticKind::DivergentBarrier, "does not end");
  expectFound(mutated(good, "@%p0 mbarrier.init.shared::cta.b64 [%r3], 1;\n", ""), DiagnosticKind::AsyncMisuse,
              "no mbarrier was initialised");
  expectFound(mutated(good, ready, ""), DiagnosticKind::SharedRace, "no barrier between");
  expectFound(mutated(good, "[%rd0], 256, [", "[%rd0+4], 256, ["), DiagnosticKind::Misaligned, "multiple of 16");
  expectFound(mutated(good, "[%rd0], 256, [", "[%rd0+2032], 256, ["), DiagnosticKind::OutOfBounds, "bulk copy");
  expectFound(mutated(good, "[%r2], [%rd0]", "[%r2+8192], [%rd0]"), DiagnosticKind::OutOfBounds, "shared memory");
  expectFound(initialise(1) + copy, DiagnosticKind::AsyncMisuse, "nobody waited");
  expectFound(initialise(1) + copy + "mbarrier.arrive.shared::cta.b64 _, [%r3];\n" + wait, DiagnosticKind::AsyncMisuse,
              "arrivals at an mbarrier");
  // The copy may come while others still read.
  expectFound(initialise(1) + readOwn + copy + wait, DiagnosticKind::SharedRace, "no barrier between");
}
TEST(Async, BulkCopyToGlobal) {
  const std::string write = head + "shl.b32 %r4, %r1, 2;\nadd.u32 %r5, %r2, %r4;\nst.shared.u32 [%r5], %r1;\n" + ready;
  const std::string store = "@%p0 cp.async.bulk.global.shared::cta.bulk_group [%rd0+1024], [%r2], 256;\n"
                            "cp.async.bulk.commit_group;\n";
  const std::string waitAll = "cp.async.bulk.wait_group.read 0;\n";
  const std::string overwrite = "bar.sync 0;\nst.shared.u32 [%r5], %r0;\n";
  Bulk bulk(write + store + waitAll + overwrite);
  EXPECT_TRUE(bulk.run.report.diagnostics.empty()) << bulk.run.all();
  for (uint32_t i = 0; i < 64; ++i)
    EXPECT_EQ(bulk.out[i], i);
  expectFound(write + store + overwrite + waitAll, DiagnosticKind::SharedRace, "with no barrier between");
  expectFound(write + store, DiagnosticKind::AsyncMisuse, "nobody waited");
  expectFound(mutated(write, "fence.proxy.async;\n", "") + store + waitAll, DiagnosticKind::AsyncMisuse,
              "no fence.proxy.async");
}
/// The second warp produces, the first consumes; arrivals say what is known.
TEST(Async, ArrivalsOrderWarps) {
  const std::string roles = initialise(32) + "setp.lt.u32 %p2, %r1, 32;\nand.b32 %r4, %r1, 31;\nshl.b32 %r4, %r4, 2;\n"
                                             "add.u32 %r5, %r2, %r4;\n@%p2 bra consume;\n";
  const std::string produce = "st.shared.u32 [%r5], %r1;\nmbarrier.arrive.shared::cta.b64 %rd2, [%r3];\nbra done;\n";
  const std::string consume = "consume:\n" + wait + "ld.shared.u32 %r6, [%r5];\n" + writeOwn + "done:\n";
  Bulk good(roles + produce + consume);
  EXPECT_TRUE(good.run.report.diagnostics.empty()) << good.run.all();
  for (uint32_t i = 0; i < 32; ++i)
    EXPECT_EQ(good.out[i], 32 + i);
  expectFound(roles +
                  mutated(produce, "st.shared.u32 [%r5], %r1;\nmbarrier.arrive.shared::cta.b64 %rd2, [%r3];\n",
                          "mbarrier.arrive.shared::cta.b64 %rd2, [%r3];\nst.shared.u32 [%r5], %r1;\n") +
                  consume,
              DiagnosticKind::SharedRace, "no barrier between");
  expectFound(mutated(roles, "[%r3], 32", "[%r3], 33") + produce + consume, DiagnosticKind::DivergentBarrier,
              "does not end");
}
TEST(Async, StatesAndParities) {
  const std::string arrive = "mbarrier.arrive.shared::cta.b64 %rd2, [%r3];\n";
  const std::string test = "again:\nmbarrier.test_wait.shared::cta.b64 %p1, [%r3], %rd2;\n@!%p1 bra again;\n";
  Bulk state(initialise(64) + arrive + test);
  EXPECT_TRUE(state.run.report.diagnostics.empty()) << state.run.all();
  // Nothing came yet: the phase before the first counts as ended, the first does not.
  Bulk parity(initialise(64) +
              "mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r3], 1;\nselp.u32 %r6, 1, 0, %p1;\n"
              "mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r3], 0;\n@%p1 add.u32 %r6, %r6, 2;\n"
              "shl.b32 %r4, %r1, 2;\n" +
              writeOwn);
  EXPECT_TRUE(parity.run.report.diagnostics.empty()) << parity.run.all();
  EXPECT_EQ(parity.out[5], 1u);
}
TEST(Async, CopiesOfThreadsArrive) {
  const std::string each = "shl.b32 %r4, %r1, 2;\nadd.u32 %r5, %r2, %r4;\ncvt.u64.u32 %rd1, %r4;\n"
                           "add.s64 %rd1, %rd0, %rd1;\ncp.async.ca.shared.global [%r5], [%rd1], 4;\n";
  const std::string arrive = "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%r3];\n";
  const std::string other = "xor.b32 %r7, %r4, 128;\nadd.u32 %r7, %r2, %r7;\nld.shared.u32 %r6, [%r7];\n";
  Bulk good(initialise(64) + each + arrive + wait + other + writeOwn);
  EXPECT_TRUE(good.run.report.diagnostics.empty()) << good.run.all();
  EXPECT_EQ(good.out[0], 33u);
  expectFound(initialise(64) + each + arrive + other + writeOwn, DiagnosticKind::SharedRace, "no barrier between");
}

/// A box of 32 x 4 words at (x, y) of a tensor of 40 x 6, swizzled by 128 bytes.
TEST(Async, TensorCopies) {
  constexpr uint32_t columns = 40, rows = 6, pitch = 48;
  const std::string load = "@%p0 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r3], 512;\n"
                           "@%p0 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], "
                           "[%rd1, {%r10, %r11}], [%r3];\n";
  const std::string store = "@%p0 cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd2, {%r10, %r11}], [%r2];\n"
                            "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\n";
  for (auto [x, y] : {std::pair<int, int>{0, 0}, {4, 1}, {16, 4}, {-5, -2}, {100, 0}}) {
    KernelRun run;
    std::vector<uint32_t> tensor(rows * pitch);
    for (uint32_t i = 0; i < tensor.size(); ++i)
      tensor[i] = i + 1;
    uint64_t from = run.addBuffer(tensor), to = run.addBuffer(std::vector<uint32_t>(rows * pitch, 0));
    run.params.clear();
    auto mapOf = [&](uint64_t address) {
      TensorMap map;
      map.axes = 2;
      map.elementBytes = 4;
      map.swizzle = 128;
      map.address = address;
      map.sizes[0] = columns - 1;
      map.sizes[1] = rows - 1;
      map.strides[0] = pitch * 4;
      map.box[0] = 32;
      map.box[1] = 4;
      map.steps[0] = map.steps[1] = 1;
      std::vector<uint8_t> bytes(128);
      memcpy(bytes.data(), &map, sizeof map);
      return bytes;
    };
    std::vector<uint8_t> maps = mapOf(from), second = mapOf(to);
    maps.insert(maps.end(), second.begin(), second.end());
    run.params = maps; // by value
    uint64_t out = run.addOutput(512);
    run.add(uint32_t(0));
    run.shape.blockX = 32;
    std::string text = smallKernel(
        "mov.b64 %rd3, t;\ncvta.param.u64 %rd1, %rd3;\nadd.s64 %rd2, %rd1, 128;\nmov.u32 %r10, " + std::to_string(x) +
            ";\nmov.u32 %r11, " + std::to_string(y) + ";\n" + initialise(1) + load + wait +
            "mov.u32 %r7, 0;\nrow:\nshl.b32 %r4, %r7, 7;\nshl.b32 %r5, %r1, 2;\n"
            "add.u32 %r4, %r4, %r5;\ncvt.u64.u32 %rd4, %r4;\nadd.s64 %rd4, %rd0, %rd4;\n"
            "shl.b32 %r6, %r7, 4;\nxor.b32 %r4, %r4, %r6;\nadd.u32 %r4, %r4, %r2;\n"
            "ld.shared.u32 %r8, [%r4];\nst.global.u32 [%rd4], %r8;\n"
            "add.u32 %r7, %r7, 1;\nsetp.lt.u32 %p2, %r7, 4;\n@%p2 bra row;\n" +
            ready + store,
        shared);
    text.replace(text.find("sm_80"), 5, "sm_90");
    text.replace(text.find(".param"), 0, ".param .align 64 .b8 t[256], ");
    run.run(text);
    EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
    std::vector<uint32_t> found = run.read<uint32_t>(out, 128), back = run.read<uint32_t>(to, rows * pitch);
    std::vector<uint32_t> wanted(128), wantedBack(rows * pitch);
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < 32; ++j) {
        int row = y + i, column = x + j;
        bool isInside = row >= 0 && row < int(rows) && column >= 0 && column < int(columns);
        if (isInside)
          wanted[i * 32 + j] = wantedBack[row * pitch + column] = uint32_t(row) * pitch + uint32_t(column) + 1;
      }
    EXPECT_EQ(found, wanted) << x << " " << y;
    EXPECT_EQ(back, wantedBack) << x << " " << y;
  }
}

} // namespace
} // namespace tamis::emulator
