// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A pipelined kernel with swizzled shared memory, and the mistakes that numbers alone often miss: each is reported, the
// original is not.

#include "test/runtime/emulator/EmulatorFixture.h"

namespace tamis::emulator {
namespace {

// Tiles of 1 KiB come through two stages; each of 64 threads adds up 16 bytes that a thread of the other warp copied.
const std::string pipeline = R"(
.version 8.0
.target sm_80
.address_size 64
.extern .shared .align 128 .b8 tiles[];
.visible .entry pipeline(.param .u64 .ptr .global .align 16 in, .param .u64 .ptr .global .align 4 out, .param .u32 n)
.reqntid 64, 1, 1
{
  .reg .pred %p<4>;
  .reg .b32 %r<32>;
  .reg .b64 %rd<8>;
  .reg .f32 %f<8>;
  ld.param.u64 %rd1, [in];
  ld.param.u64 %rd2, [out];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %tid.x;
  mov.u32 %r3, tiles;
  shl.b32 %r4, %r2, 4;
  shl.b32 %r5, %r2, 1;
  and.b32 %r5, %r5, 112;
  xor.b32 %r6, %r4, %r5;
  add.u32 %r7, %r3, %r6;
  xor.b32 %r8, %r2, 32;
  shl.b32 %r9, %r8, 4;
  shl.b32 %r10, %r8, 1;
  and.b32 %r10, %r10, 112;
  xor.b32 %r11, %r9, %r10;
  add.u32 %r12, %r3, %r11;
  cvt.u64.u32 %rd3, %r4;
  add.s64 %rd4, %rd1, %rd3;
  mov.f32 %f1, 0f00000000;
  setp.eq.u32 %p1, %r1, 0;
  @%p1 bra DONE;
  cp.async.cg.shared.global [%r7], [%rd4], 16;
  cp.async.commit_group;
  mov.u32 %r13, 0;
LOOP:
  add.u32 %r14, %r13, 1;
  setp.lt.u32 %p2, %r14, %r1;
  and.b32 %r15, %r14, 1;
  shl.b32 %r15, %r15, 10;
  add.u32 %r16, %r7, %r15;
  mul.wide.u32 %rd5, %r14, 1024;
  add.s64 %rd6, %rd4, %rd5;
  @%p2 cp.async.cg.shared.global [%r16], [%rd6], 16;
  cp.async.commit_group;
  cp.async.wait_group 1;
  bar.sync 0;
  and.b32 %r17, %r13, 1;
  shl.b32 %r17, %r17, 10;
  add.u32 %r18, %r12, %r17;
  ld.shared.v4.f32 {%f2, %f3, %f4, %f5}, [%r18];
  add.f32 %f2, %f2, %f3;
  add.f32 %f4, %f4, %f5;
  add.f32 %f2, %f2, %f4;
  add.f32 %f1, %f1, %f2;
  bar.sync 0;
  mov.u32 %r13, %r14;
  @%p2 bra LOOP;
DONE:
  mul.wide.u32 %rd7, %r2, 4;
  add.s64 %rd7, %rd2, %rd7;
  st.global.f32 [%rd7], %f1;
  ret;
}
)";

/// Runs with several orders of warps; true when any of them was reported.
bool isReported(const std::string &text, uint32_t tiles, std::string &what, bool &isRight) {
  isRight = true;
  bool found = false;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    KernelRun run;
    run.options.seed = seed;
    std::vector<float> in(256 * tiles);
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = float(i % 97);
    run.addBuffer(in);
    uint64_t out = run.addOutput(64 * 4);
    run.add(tiles);
    run.shape.blockX = 64;
    run.shape.sharedBytes = 2048;
    run.run(text);
    found |= !run.report.diagnostics.empty();
    what += run.all();
    std::vector<float> got = run.read<float>(out, 64);
    for (uint32_t thread = 0; thread < 64; ++thread) {
      float wanted = 0;
      for (uint32_t tile = 0; tile < tiles; ++tile)
        for (uint32_t i = 0; i < 4; ++i)
          wanted += in[tile * 256 + (thread ^ 32) * 4 + i];
      isRight &= got[thread] == wanted;
    }
  }
  return found;
}

TEST(Mutation, OriginalIsRightAndUnreported) {
  for (uint32_t tiles : {0u, 1u, 2u, 3u, 8u}) {
    std::string what;
    bool isRight;
    EXPECT_FALSE(isReported(pipeline, tiles, what, isRight)) << tiles << " tiles: " << what;
    EXPECT_TRUE(isRight) << tiles;
  }
}

void expectReported(const std::string &text, const std::string &kind) {
  EXPECT_NE(text, pipeline);
  std::string what;
  bool isRight;
  EXPECT_TRUE(isReported(text, 8, what, isRight));
  EXPECT_NE(what.find(kind), std::string::npos) << what;
}

TEST(Mutation, FirstBarrierDropped) {
  expectReported(mutated(pipeline, "bar.sync 0;", "", 0), "race");
}
TEST(Mutation, SecondBarrierDropped) {
  expectReported(mutated(pipeline, "bar.sync 0;", "", 1), "race");
}
TEST(Mutation, WaitDropped) {
  expectReported(mutated(pipeline, "cp.async.wait_group 1;", ""), "unwaited read");
}
TEST(Mutation, WaitWeakened) {
  expectReported(mutated(pipeline, "wait_group 1;", "wait_group 2;"), "unwaited read");
}
TEST(Mutation, SwizzleBroken) {
  expectReported(mutated(pipeline, "xor.b32 %r6, %r4, %r5;", "or.b32 %r6, %r4, %r5;"), "uninitialised read");
}
TEST(Mutation, BoundOffByOne) {
  expectReported(mutated(pipeline, "setp.lt.u32 %p2", "setp.le.u32 %p2"), "out of bounds");
}
TEST(Mutation, SharedOffByOneRow) {
  expectReported(mutated(pipeline, "shl.b32 %r17, %r17, 10;", "shl.b32 %r17, %r17, 11;"), "out of bounds");
}

} // namespace
} // namespace tamis::emulator
