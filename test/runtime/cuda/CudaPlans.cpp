// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPU's programs beside those of the CPU, over the same inputs and constants.

#include "test/runtime/cuda/CudaPlans.h"
#include "test/runtime/PlanBuilder.h"

namespace tamis::test {

std::string cudaKernels() {
  return R"(.version 8.0
.target sm_80
.address_size 64
.extern .shared .align 128 .b8 dynamic[];

.visible .entry gather(
  .param .u64 .ptr .global .align 16 gather_0,
  .param .u64 .ptr .global .align 16 gather_1,
  .param .u64 .ptr .global .align 16 gather_2,
  .param .u64 gather_3)
.reqntid 64
{
  .reg .pred %p<3>;
  .reg .b32 %r<5>;
  .reg .f32 %f<5>;
  .reg .b64 %rd<13>;
  ld.param.u64 %rd1, [gather_0];
  ld.param.u64 %rd2, [gather_1];
  ld.param.u64 %rd3, [gather_2];
  ld.param.u64 %rd4, [gather_3];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  cvt.u64.u32 %rd5, %r4;
  setp.ge.s64 %p1, %rd5, %rd4;
  @%p1 bra $done;
  shl.b64 %rd6, %rd5, 3;
  add.s64 %rd7, %rd1, %rd6;
  ld.global.u64 %rd8, [%rd7];
  setp.gt.u64 %p2, %rd8, 9;
  @%p2 bra $outside;
  shl.b64 %rd9, %rd8, 4;
  add.s64 %rd10, %rd2, %rd9;
  ld.global.v4.f32 {%f1, %f2, %f3, %f4}, [%rd10];
  shl.b64 %rd11, %rd5, 4;
  add.s64 %rd12, %rd3, %rd11;
  st.global.v4.f32 [%rd12], {%f1, %f2, %f3, %f4};
$done:
  ret;
$outside:
  trap;
}

.visible .entry scale(
  .param .u64 .ptr .global .align 16 scale_0,
  .param .u64 .ptr .global .align 16 scale_1,
  .param .u64 .ptr .global .align 16 scale_2,
  .param .u64 scale_3,
  .param .u64 scale_4)
.reqntid 64
{
  .reg .pred %p<2>;
  .reg .b32 %r<5>;
  .reg .f32 %f<10>;
  .reg .b64 %rd<16>;
  ld.param.u64 %rd1, [scale_0];
  ld.param.u64 %rd2, [scale_1];
  ld.param.u64 %rd3, [scale_2];
  ld.param.u64 %rd4, [scale_3];
  ld.param.u64 %rd5, [scale_4];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  cvt.u64.u32 %rd6, %r4;
  setp.ge.s64 %p1, %rd6, %rd4;
  @%p1 bra $scaled;
  div.s64 %rd7, %rd6, %rd5;
  mul.lo.s64 %rd8, %rd7, %rd5;
  shl.b64 %rd9, %rd8, 3;
  add.s64 %rd10, %rd2, %rd9;
  ld.global.f32 %f1, [%rd10];
  shl.b64 %rd11, %rd6, 4;
  add.s64 %rd12, %rd1, %rd11;
  ld.global.v4.f32 {%f2, %f3, %f4, %f5}, [%rd12];
  fma.rn.f32 %f6, %f2, 0f40000000, %f1;
  fma.rn.f32 %f7, %f3, 0f40000000, %f1;
  fma.rn.f32 %f8, %f4, 0f40000000, %f1;
  fma.rn.f32 %f9, %f5, 0f40000000, %f1;
  add.s64 %rd13, %rd3, %rd11;
  st.global.v4.f32 [%rd13], {%f6, %f7, %f8, %f9};
$scaled:
  ret;
}

.visible .entry increment(
  .param .u64 .ptr .global .align 16 increment_0,
  .param .u64 .ptr .global .align 16 increment_1,
  .param .u64 increment_2)
.reqntid 64
{
  .reg .pred %p<2>;
  .reg .b32 %r<8>;
  .reg .b64 %rd<12>;
  ld.param.u64 %rd1, [increment_0];
  ld.param.u64 %rd2, [increment_1];
  ld.param.u64 %rd3, [increment_2];
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mad.lo.s32 %r4, %r1, %r2, %r3;
  cvt.u64.u32 %rd4, %r4;
  setp.ge.s64 %p1, %rd4, %rd3;
  shl.b64 %rd5, %rd4, 3;
  shl.b32 %r5, %r3, 3;
  mov.u32 %r6, dynamic;
  add.s32 %r7, %r6, %r5;
  @%p1 bra $waiting;
  add.s64 %rd6, %rd1, %rd5;
  ld.global.u64 %rd7, [%rd6];
  st.shared.u64 [%r7+64512], %rd7;
$waiting:
  bar.sync 0;
  @%p1 bra $incremented;
  ld.shared.u64 %rd8, [%r7+64512];
  add.s64 %rd9, %rd8, 1;
  add.s64 %rd10, %rd2, %rd5;
  st.global.u64 [%rd10], %rd9;
$incremented:
  ret;
}
)";
}

/// The register of symbol `number`.
static uint32_t symbolRegister(const PlanBuilder &b, int64_t number) {
  for (size_t i = 0; i < b.plan.sizes.size(); ++i)
    if (b.plan.sizes[i].op() == plan::SizeOp_Symbol && b.plan.sizes[i].imm() == number)
      return uint32_t(i);
  return 0;
}

/// A copy of the program `from` for CUDA: the same dispatches with as many threads as it had groups.
static void copyToCuda(PlanBuilder &b, const plan::ProgramT &from) {
  b.startCuda("sm_80", cudaKernels());
  uint32_t threads = b.constant(kBlockThreads);
  for (const auto &original : from.dispatches) {
    std::string kernel = from.kernels[original->kernel]->name;
    plan::DispatchT &dispatch = b.dispatch(original->name, kernel == "scale_by_scratch" ? "scale" : kernel,
                                           b.op(plan::SizeOp_CeilDiv, original->grid, threads), original->buffers);
    dispatch.sources = original->sources;
    dispatch.arguments = {original->grid};
    if (kernel == "scale_by_scratch")
      dispatch.arguments.push_back(symbolRegister(b, 1));
    plan::KernelT &made = *b.program().kernels[dispatch.kernel];
    made.threads = kBlockThreads;
    made.shared = kernel == "increment" ? kIncrementShared : 0;
  }
  for (const auto &buffer : from.arena)
    b.program().arena.push_back(std::make_unique<plan::ArenaBufferT>(*buffer));
  b.program().arena_size = from.arena_size;
}

PlanBuilder cudaGatherPlan() {
  PlanBuilder b = gatherPlan();
  plan::ProgramT original(b.program());
  copyToCuda(b, original);
  return b;
}

PlanBuilder cudaChainPlan(int count, int64_t max) {
  PlanBuilder b = chainPlan(count, max);
  plan::ProgramT original(b.program());
  b.plan.sections.clear();
  b.plan.programs.clear();
  copyToCuda(b, original);
  return b;
}

} // namespace tamis::test
