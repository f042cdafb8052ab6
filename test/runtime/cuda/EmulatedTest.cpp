// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plans on the emulated device: the runtime's own road through the driver interface, with the PTX interpreted and
// checked.

#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include "test/runtime/cuda/CudaPlans.h"
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <numeric>

using namespace tamis;
using namespace tamis::test;

namespace {
class Emulated : public ::testing::Test {
protected:
  void SetUp() override { options.device = TAMIS_DEVICE_EMULATED, options.driver = TAMIS_EMULATED_DRIVER; }

  Result<Plan> load(const PlanBuilder &builder) {
    file = builder.build();
    return Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()}, options);
  }
  /// The gather plan with its PTX changed: each `from` is there, and becomes `to`.
  PlanBuilder changed(PlanBuilder builder, const std::string &from, const std::string &to) {
    std::string ptx = cudaKernels();
    size_t at = ptx.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    ptx.replace(at, from.size(), to);
    builder.cudaCode["sm_80"] = Bytes(ptx.begin(), ptx.end());
    builder.cudaCode["sm_80"].push_back(0);
    return builder;
  }
  /// Runs the gather plan. `ids` count up from 0 to 9 and again; a mask value is 100 times its batch entry.
  Result<std::vector<Tensor>> run(Context &context, int64_t batch, int64_t sequence) {
    ids.assign(size_t(batch * sequence), 0);
    mask.assign(size_t(batch * sequence * 2), 0);
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = int64_t(i % 10);
    for (size_t i = 0; i < mask.size(); ++i)
      mask[i] = 100.0f * float(i / size_t(sequence * 2));
    return context.run({Tensor(ids.data(), {batch, sequence}), Tensor(mask.data(), {batch, 2 * sequence})});
  }
  /// What goes to standard error and the message of a run that fails.
  std::pair<std::string, std::string> failure(const PlanBuilder &builder) {
    Result<Plan> plan = load(builder);
    if (!plan)
      return {"", plan.error().message()};
    Result<Context> context = plan->context();
    testing::internal::CaptureStderr();
    Result<std::vector<Tensor>> outputs = run(*context, 3, 33);
    std::string said = testing::internal::GetCapturedStderr();
    if (outputs)
      return {said, "it ran"};
    EXPECT_EQ(outputs.error().status(), TAMIS_DEVICE_FAILED);
    // Whatever comes after fails, as on a device.
    EXPECT_FALSE(run(*context, 3, 33));
    return {said, outputs.error().message()};
  }

  LoadOptions options;
  Bytes file;
  std::vector<int64_t> ids;
  std::vector<float> mask;
};
} // namespace

TEST_F(Emulated, runsEveryShapeWithoutAFinding) {
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_EQ(plan->deviceText(), "Tamis emulated sm_80 (as A100), compute capability 8.0");
  Result<Context> context = plan->context();
  ASSERT_TRUE(context) << context.error().message();
  testing::internal::CaptureStderr();
  for (int64_t sequence : {64, 0, 1, 3, 63})
    for (int64_t batch : {1, 2, 8})
      for (int again = 0; again < 3; ++again) {
        Result<std::vector<Tensor>> outputs = run(*context, batch, sequence);
        ASSERT_TRUE(outputs) << outputs.error().message();
        for (int64_t i = 0; i < batch * sequence; ++i)
          for (int64_t j = 0; j < 4; ++j)
            ASSERT_EQ((*outputs)[0].as<float>()[i * 4 + j], float(2 * (10 * (i % 10) + j) + 100 * (i / sequence)));
      }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  context->setProfiling(true);
  ASSERT_TRUE(run(*context, 8, 64));
  EXPECT_GT(context->dispatch(1)->nanoseconds, 0);
}

TEST_F(Emulated, runsSharedMemoryAndBarriers) {
  Result<Plan> plan = load(cudaChainPlan(4, 1000));
  ASSERT_TRUE(plan) << plan.error().message();
  Result<Context> context = plan->context();
  std::vector<int64_t> x(1000);
  std::iota(x.begin(), x.end(), 0);
  for (int64_t n : {0, 1, 63, 64, 65, 1000}) {
    Result<std::vector<Tensor>> outputs = context->run({Tensor(x.data(), {n})});
    ASSERT_TRUE(outputs) << outputs.error().message();
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ((*outputs)[0].as<int64_t>()[i], i + 4);
  }
}

TEST_F(Emulated, seesAStepBeyondABuffer) {
  // One thread more than there are tokens, which real memory would forgive.
  auto [said, message] =
      failure(changed(cudaGatherPlan(), "setp.ge.s64 %p1, %rd5, %rd4", "setp.gt.s64 %p1, %rd5, %rd4"));
  EXPECT_NE(said.find("kernel 'gather': ptx:"), std::string::npos) << said;
  EXPECT_NE(said.find("out of bounds"), std::string::npos) << said;
  EXPECT_EQ(message, "cannot run dispatch 'gather' (kernel 'gather', 2 blocks of 64 threads): CUDA_ERROR_LAUNCH_FAILED "
                     "(the emulator found faults; its report is on standard error)");
}

TEST_F(Emulated, seesAnOutputThatIsNotWritten) {
  auto [said, message] = failure(changed(cudaGatherPlan(), "setp.ge.s64 %p1, %rd6, %rd4",
                                         "sub.s64 %rd4, %rd4, 1;\n  setp.ge.s64 %p1, %rd6, %rd4"));
  EXPECT_NE(said.find("1584 bytes are copied to the host of which byte 1568 was never written"), std::string::npos)
      << said;
  EXPECT_EQ(message.rfind("cannot copy an output from the device: CUDA_ERROR_LAUNCH_FAILED", 0), 0u) << message;
}

TEST_F(Emulated, seesWhatIsReadBeforeItIsWritten) {
  PlanBuilder builder = cudaGatherPlan();
  std::swap(builder.program().dispatches[0], builder.program().dispatches[1]);
  auto [said, message] = failure(builder);
  EXPECT_NE(said.find("uninitialised read"), std::string::npos) << said;
  EXPECT_NE(message.find("dispatch 'scale'"), std::string::npos) << message;
}

/// Other programs make the descriptors of bulk copies through the driver.
TEST_F(Emulated, encodesTensorMaps) {
  void *library = dlopen(TAMIS_EMULATED_DRIVER, RTLD_NOW);
  ASSERT_TRUE(library) << dlerror();
  auto initialise = reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"));
  auto encode = reinterpret_cast<int (*)(void *, uint32_t, uint32_t, void *, const uint64_t *, const uint64_t *,
                                         const uint32_t *, const uint32_t *, uint32_t, uint32_t, uint32_t, uint32_t)>(
      dlsym(library, "cuTensorMapEncodeTiled"));
  ASSERT_TRUE(initialise && encode);
  auto retain = reinterpret_cast<int (*)(void **, int)>(dlsym(library, "cuDevicePrimaryCtxRetain"));
  auto enter = reinterpret_cast<int (*)(void *)>(dlsym(library, "cuCtxSetCurrent"));
  ASSERT_TRUE(retain && enter);
  void *context = nullptr;
  EXPECT_EQ(initialise(0), 0);
  EXPECT_EQ(retain(&context, 0), 0);
  EXPECT_EQ(enter(context), 0);
  alignas(64) unsigned char map[128];
  constexpr uint32_t half = 6, swizzle128 = 3;
  uint64_t sizes[2] = {100, 7}, strides[1] = {208};
  uint32_t box[2] = {64, 4}, steps[2] = {1, 1};
  auto *address = reinterpret_cast<void *>(0x1000000000);
  EXPECT_EQ(encode(map, half, 2, address, sizes, strides, box, steps, 0, swizzle128, 0, 0), 0);
  EXPECT_EQ(encode(map, half, 6, address, sizes, strides, box, steps, 0, swizzle128, 0, 0), 1);
  box[0] = 72; // longer than the swizzle
  EXPECT_EQ(encode(map, half, 2, address, sizes, strides, box, steps, 0, swizzle128, 0, 0), 1);
  box[0] = 64;
  strides[0] = 200; // no multiple of 16
  EXPECT_EQ(encode(map, half, 2, address, sizes, strides, box, steps, 0, swizzle128, 0, 0), 1);
  EXPECT_EQ(enter(nullptr), 0);
  dlclose(library);
}

TEST_F(Emulated, refusesPtxThatDoesNotParse) {
  auto [said, message] = failure(changed(cudaGatherPlan(), "mad.lo.s32", "mad.lo.s33"));
  EXPECT_NE(message.find("'sm_80' is refused by the driver of CUDA 13.0: CUDA_ERROR_INVALID_PTX"), std::string::npos)
      << message;
  EXPECT_NE(message.find("ptx:24: unknown opcode 'mad.lo.s33'"), std::string::npos) << message;
}

TEST_F(Emulated, refusesParametersThatAreNotTheKernels) {
  PlanBuilder builder = cudaGatherPlan();
  builder.program().dispatches[1]->arguments.pop_back();
  auto [said, message] = failure(builder);
  EXPECT_NE(said.find("kernel 'scale' is not launched: it was given 32 bytes of parameters and takes 40"),
            std::string::npos)
      << said;
  EXPECT_NE(message.find("CUDA_ERROR_INVALID_VALUE"), std::string::npos) << message;
}
