// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each check: a kernel that it must report, and one beside it that it must not.

#include "test/runtime/emulator/EmulatorFixture.h"

namespace tamis::emulator {
namespace {

const std::string sharedWords = ".shared .align 16 .b8 s[512];";

/// Runs `body` with a buffer of 256 written bytes.
KernelRun &runBody(KernelRun &run, const std::string &body, uint32_t threads = 64,
                   const std::string &declarations = sharedWords) {
  run.addBuffer(std::vector<uint32_t>(64, 7));
  run.add(uint32_t(64));
  run.shape.blockX = threads;
  run.run(smallKernel(body, declarations));
  return run;
}

void expectOnly(const std::string &body, DiagnosticKind kind, const std::string &line, uint32_t threads = 64) {
  KernelRun run;
  runBody(run, body, threads);
  ASSERT_EQ(run.report.diagnostics.size(), 1u) << run.all();
  const Diagnostic &found = run.report.diagnostics[0];
  EXPECT_EQ(found.kind, kind) << run.all();
  // The line of the text that the finding names holds the instruction.
  std::string text = smallKernel(body, sharedWords);
  std::vector<std::string> lines(1);
  for (char c : text)
    c == '\n' ? lines.emplace_back() : lines.back() += c;
  ASSERT_LE(found.line, lines.size());
  ASSERT_GE(found.line, 1u);
  EXPECT_NE(lines[found.line - 1].find(line), std::string::npos) << found.text() << "\n" << lines[found.line - 1];
}
void expectNothing(const std::string &body, uint32_t threads = 64) {
  KernelRun run;
  runBody(run, body, threads);
  EXPECT_TRUE(run.report.diagnostics.empty()) << run.all();
}

const std::string ownWord = "mov.u32 %r2, s;\nshl.b32 %r3, %r1, 2;\nadd.u32 %r4, %r2, %r3;\n";
const std::string otherWord = ownWord + "xor.b32 %r5, %r1, 32;\nshl.b32 %r5, %r5, 2;\nadd.u32 %r5, %r5, %r2;\n";

TEST(Checks, SharedRace) {
  const std::string reader = "setp.lt.u32 %p0, %r1, 32;\n@%p0 ld.shared.u32 %r6, [%r5];\n";
  const std::string writer = "@!%p0 st.shared.u32 [%r4], %r1;\n";
  expectOnly(otherWord + "st.shared.u32 [%r4], %r1;\nbar.sync 0;\n" + reader + writer, DiagnosticKind::SharedRace,
             "shared.u32");
  expectNothing(otherWord + "st.shared.u32 [%r4], %r1;\nbar.sync 0;\n" + reader + "bar.sync 0;\n" + writer);
  expectNothing(otherWord + "st.shared.u32 [%r4], %r1;\nbar.sync 0;\nld.shared.u32 %r6, [%r5];");
}
TEST(Checks, BytesOfOneWordAreNoRace) {
  // Warp 0 writes even bytes, warp 1 odd ones.
  const std::string bytes = "mov.u32 %r2, s;\nand.b32 %r3, %r1, 31;\nshr.u32 %r4, %r1, 5;\nshl.b32 %r3, %r3, 1;\n"
                            "add.u32 %r3, %r3, %r4;\nadd.u32 %r2, %r2, %r3;\nst.shared.u8 [%r2], %r1;";
  expectNothing(bytes);
}
TEST(Checks, UninitialisedShared) {
  expectOnly(ownWord + "ld.shared.u32 %r6, [%r4];", DiagnosticKind::UninitialisedRead, "ld.shared");
}
TEST(Checks, UninitialisedGlobal) {
  KernelRun run;
  uint64_t out = run.addOutput(256);
  run.add(uint32_t(0));
  run.shape.blockX = 32;
  run.run(smallKernel("st.global.u32 [%rd0], %r1;\nld.global.u32 %r2, [%rd0];\nld.global.u32 %r2, [%rd0+64];"));
  ASSERT_EQ(run.report.diagnostics.size(), 1u) << run.all();
  EXPECT_EQ(run.report.diagnostics[0].address, out + 64);
  EXPECT_EQ(run.report.diagnostics[0].count, 32u);
}
TEST(Checks, UninitialisedLocal) {
  const std::string local = ".local .align 4 .b8 l[16];\nmov.u32 %r2, l;\n";
  expectOnly(local + "ld.local.u32 %r3, [%r2+4];", DiagnosticKind::UninitialisedRead, "ld.local");
  expectNothing(local + "st.local.u32 [%r2+4], %r1;\nld.local.u32 %r3, [l+4];");
}
TEST(Checks, UnwaitedRead) {
  const std::string copy = otherWord + "cvt.u64.u32 %rd1, %r3;\nadd.s64 %rd1, %rd0, %rd1;\n"
                                       "cp.async.ca.shared.global [%r4], [%rd1], 4;\ncp.async.commit_group;\n";
  expectOnly(copy + "ld.shared.u32 %r6, [%r4];\ncp.async.wait_all;", DiagnosticKind::UnwaitedRead, "ld.shared");
  expectNothing(copy + "cp.async.wait_group 0;\nld.shared.u32 %r6, [%r4];");
}
TEST(Checks, OutOfBounds) {
  const std::string global = "mul.wide.u32 %rd1, %r1, 4;\nadd.s64 %rd1, %rd0, %rd1;\n";
  expectOnly(global + "ld.global.u32 %r2, [%rd1+4];", DiagnosticKind::OutOfBounds, "ld.global");
  expectOnly(global + "st.global.u32 [%rd1+-4], %r1;", DiagnosticKind::OutOfBounds, "st.global");
  expectOnly(ownWord + "st.shared.u32 [%r4+260], %r1;", DiagnosticKind::OutOfBounds, "st.shared");
  expectOnly(".local .align 4 .b8 l[16];\nst.local.u32 [l+16], %r1;", DiagnosticKind::OutOfBounds, "st.local");
  expectNothing(global + "ld.global.u32 %r2, [%rd1];\nst.global.u32 [%rd1], %r1;");
  expectNothing(ownWord + "st.shared.u32 [%r4+256], %r1;");
}
TEST(Checks, OutOfBoundsWithoutChecksIsReportedToo) {
  KernelRun run;
  run.options.checks = false;
  runBody(run, "ld.global.u32 %r2, [%rd0+256];");
  EXPECT_TRUE(run.has(DiagnosticKind::OutOfBounds)) << run.all();
}
TEST(Checks, NullAndFreedPointers) {
  KernelRun run;
  run.addBuffer(std::vector<uint32_t>(4));
  run.memory.free(run.memory.find(*reinterpret_cast<uint64_t *>(run.params.data())).address);
  run.add(uint32_t(0));
  run.run(smallKernel("ld.global.u32 %r2, [%rd0];\nmov.u64 %rd1, 0;\nld.global.u32 %r2, [%rd1];"));
  EXPECT_EQ(run.report.diagnostics.size(), 2u) << run.all();
}
TEST(Checks, Misaligned) {
  expectOnly("ld.global.u32 %r2, [%rd0+2];", DiagnosticKind::Misaligned, "ld.global");
  expectOnly(ownWord + "st.shared.v2.u32 [%r4+4], {%r1, %r1};", DiagnosticKind::Misaligned, "st.shared", 1);
}
TEST(Checks, DivergentBarrier) {
  expectOnly("setp.lt.u32 %p0, %r1, 16;\n@%p0 bra SKIP;\nbar.sync 0;\nSKIP:", DiagnosticKind::DivergentBarrier,
             "bar.sync", 32);
  // A whole warp stays away.
  expectOnly("setp.lt.u32 %p0, %r1, 32;\n@%p0 bra SKIP;\nbar.sync 0;\nSKIP:", DiagnosticKind::DivergentBarrier,
             "bar.sync");
  expectNothing("setp.lt.u32 %p0, %r1, 16;\n@%p0 bra SKIP;\nadd.u32 %r2, %r1, 1;\nSKIP:\nbar.sync 0;");
  expectNothing("setp.lt.u32 %p0, %r1, 32;\n@%p0 bra SKIP;\nbar.sync 1, 32;\nSKIP:");
}
TEST(Checks, PartialWarp) {
  const std::string shuffle = "shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1;";
  expectOnly("setp.lt.u32 %p0, %r1, 16;\n@%p0 " + shuffle, DiagnosticKind::PartialWarp, "shfl", 32);
  expectNothing(shuffle);
  expectNothing("setp.lt.u32 %p0, %r1, 16;\n@%p0 shfl.sync.bfly.b32 %r2, %r1, 1, 31, 0xffff;", 32);
  const std::string matrix = "mov.u32 %r2, s;\nshl.b32 %r3, %r1, 4;\nadd.u32 %r4, %r2, %r3;\n"
                             "st.shared.v4.u32 [%r4], {%r1, %r1, %r1, %r1};\nbar.warp.sync -1;\n";
  const std::string load = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r5, %r6, %r7, %r8}, [%r4];";
  expectOnly(matrix + "setp.lt.u32 %p0, %r1, 16;\n@%p0 " + load, DiagnosticKind::PartialWarp, "ldmatrix", 32);
  expectNothing(matrix + load, 32);
}
TEST(Checks, UndefinedRegister) {
  expectOnly("st.global.u32 [%rd0], %r30;", DiagnosticKind::UndefinedRegister, "st.global");
  expectOnly("add.u32 %r31, %r30, 1;\nst.global.u32 [%rd0], %r31;", DiagnosticKind::UndefinedRegister, "st.global");
  expectOnly("@%p5 bra SKIP;\nmov.u32 %r2, 0;\nSKIP:", DiagnosticKind::UndefinedRegister, "bra");
  // Written in one branch alone.
  expectOnly("setp.lt.u32 %p0, %r1, 16;\n@%p0 mov.u32 %r30, 1;\nst.global.u32 [%rd0], %r30;",
             DiagnosticKind::UndefinedRegister, "st.global");
  // Moved about, and never used.
  expectNothing("add.u32 %r31, %r30, 1;\nmov.u32 %r31, 1;\nst.global.u32 [%rd0], %r31;");
}
TEST(Checks, TrapAndEndlessLoop) {
  expectOnly("setp.eq.u32 %p0, %r1, 40;\n@%p0 trap;", DiagnosticKind::Trap, "trap");
  KernelRun run;
  run.options.instructionLimit = 1000;
  runBody(run, "AGAIN:\nbra AGAIN;");
  EXPECT_TRUE(run.has(DiagnosticKind::InstructionLimit)) << run.all();
  EXPECT_TRUE(run.report.failed());
}
TEST(Checks, EqualFindingsAreMerged) {
  KernelRun run;
  run.shape.gridX = 5;
  run.options.threads = 2;
  runBody(run, "ld.global.u32 %r2, [%rd0+256];");
  ASSERT_EQ(run.report.diagnostics.size(), 1u);
  EXPECT_EQ(run.report.diagnostics[0].count, 5u * 64);
  EXPECT_EQ(run.report.diagnostics[0].block[0], 0u);
}

TEST(Launch, WhatDoesNotFitIsRefused) {
  Memory memory(1 << 24);
  ParseResult parsed = parseModule(mutated(smallKernel(""), "\n{\n", "\n.reqntid 64, 1, 1\n{\n"), memory);
  ASSERT_TRUE(parsed.module);
  std::vector<uint8_t> params(12);
  auto refused = [&](const char *entry, LaunchShape shape, size_t bytes) {
    Report report = launch(*parsed.module, entry, shape, params.data(), bytes, {});
    return report.failed() && report.diagnostics[0].kind == DiagnosticKind::LaunchError;
  };
  EXPECT_TRUE(refused("other", {1, 1, 1, 64}, 12));
  EXPECT_TRUE(refused("k", {1, 1, 1, 32}, 12));
  EXPECT_TRUE(refused("k", {1, 1, 1, 64}, 11));
  EXPECT_TRUE(refused("k", {1, 1, 1, 64, 1, 1, 300000}, 12));
  EXPECT_FALSE(refused("k", {1, 1, 1, 64}, 12));
  EXPECT_FALSE(refused("k", {0, 1, 1, 64}, 12));
}

TEST(Traffic, BankConflictsAndSectors) {
  // Words 8 apart: 8 passes; every second word of global memory: twice the sectors.
  KernelRun run;
  run.options.traffic = true;
  run.addBuffer(std::vector<uint32_t>(64, 7));
  run.add(uint32_t(64));
  run.shape.blockX = 32;
  run.run(smallKernel("mov.u32 %r2, s;\nshl.b32 %r3, %r1, 5;\nadd.u32 %r4, %r2, %r3;\nst.shared.u32 [%r4], %r1;\n"
                      "shl.b32 %r3, %r1, 2;\nadd.u32 %r4, %r2, %r3;\nst.shared.u32 [%r4], %r1;\n"
                      "mul.wide.u32 %rd1, %r1, 8;\nadd.s64 %rd1, %rd0, %rd1;\nld.global.u32 %r5, [%rd1];",
                      ".shared .align 16 .b8 s[1024];"));
  ASSERT_TRUE(run.report.diagnostics.empty()) << run.all();
  EXPECT_EQ(run.report.counts.sharedWavefronts, 8u + 1);
  EXPECT_EQ(run.report.counts.idealSharedWavefronts, 2u);
  EXPECT_EQ(run.report.counts.globalSectors, 8u);
  EXPECT_EQ(run.report.counts.idealGlobalSectors, 4u);
  EXPECT_EQ(run.report.counts.globalLoadBytes, 128u);
}

} // namespace
} // namespace tamis::emulator
