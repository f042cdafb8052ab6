// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs of plans on a GPU, by the stub driver: values, graphs, memory, times, and failures in the middle.

#include "test/runtime/cuda/StubDevice.h"

using namespace tamis;
using namespace tamis::test;

using CudaRun = StubDevice;

TEST_F(CudaRun, runsEveryShape) {
  for (const char *separate : {"0", "1"}) {
    setenv("TAMIS_CUDA_SEPARATE_BUFFERS", separate, 1);
    Result<Plan> plan = load(cudaGatherPlan());
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(plan->device(), TAMIS_DEVICE_CUDA);
    EXPECT_EQ(plan->deviceText(), "Stub GPU, compute capability 8.0");
    Result<Context> context = plan->context(3), other = plan->context();
    ASSERT_TRUE(context && other);
    for (int64_t sequence : {64, 0, 1, 3, 63})
      for (int64_t batch : {1, 2, 8})
        for (int again = 0; again < 3; ++again) {
          expectRun(*context, batch, sequence);
          if (sequence == 3)
            expectRun(*other, batch, sequence + again);
        }
    expectRun(*context, 1, 64);
  }
  EXPECT_EQ(stub->sharedAsked.size(), 0u);
}

TEST_F(CudaRun, makesAGraphOfTheSecondRunOfAShape) {
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan);
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  expectRun(*context, 8, 64); // the largest first, so that nothing moves afterwards
  EXPECT_EQ(stub->calls["cuLaunchKernel"], 2);
  EXPECT_EQ(stub->calls["cuStreamBeginCapture"], 0);
  for (int i = 0; i < 3; ++i)
    expectRun(*context, 8, 64);
  EXPECT_EQ(stub->calls["cuLaunchKernel"], 4); // two more, for the capture
  EXPECT_EQ(stub->calls["cuGraphLaunch"], 3);
  for (int i = 0; i < 3; ++i) { // shapes in turn keep their graphs
    expectRun(*context, 1, 5);
    expectRun(*context, 8, 64);
  }
  EXPECT_EQ(stub->calls["cuGraphInstantiate"], 2);
  EXPECT_EQ(stub->calls["cuGraphLaunch"], 8);
  for (int64_t sequence = 1; sequence <= 20; ++sequence) // more shapes than graphs are kept
    for (int i = 0; i < 2; ++i)
      expectRun(*context, 1, sequence);
  expectRun(*context, 8, 64);
  int allocations = stub->calls["cuMemAlloc"] + stub->calls["cuMemHostAlloc"];
  expectRun(*context, 7, 33);
  EXPECT_EQ(stub->calls["cuMemAlloc"] + stub->calls["cuMemHostAlloc"], allocations);
}

TEST_F(CudaRun, forgetsGraphsWhenMemoryMoves) {
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan);
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  for (int i = 0; i < 3; ++i)
    expectRun(*context, 1, 2);
  expectRun(*context, 8, 64); // moves what the graph of the other shape names
  for (int i = 0; i < 3; ++i)
    expectRun(*context, 1, 2);
}

TEST_F(CudaRun, runsWithoutGraphs) {
  use(TAMIS_STUB_WITHOUT_GRAPHS);
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan) << plan.error().message();
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  for (int i = 0; i < 3; ++i)
    expectRun(*context, 2, 3);
  EXPECT_EQ(stub->calls["cuLaunchKernel"], 6);
}

TEST_F(CudaRun, runsWhereCaptureIsRefused) {
  stub->capture = cuda::kStreamCaptureUnsupported;
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan);
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  for (int i = 0; i < 4; ++i)
    expectRun(*context, 2, 3);
  EXPECT_EQ(stub->calls["cuStreamBeginCapture"], 1);
  EXPECT_EQ(stub->calls["cuGraphLaunch"], 0);
}

TEST_F(CudaRun, timesDispatchesByEvents) {
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan);
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  context->setProfiling(true);
  for (int i = 0; i < 3; ++i)
    expectRun(*context, 2, 3);
  EXPECT_EQ(context->dispatch(0)->nanoseconds, 250000);
  EXPECT_EQ(context->dispatch(1)->nanoseconds, 250000);
  EXPECT_EQ(context->dispatch(1)->groups, 1);
  EXPECT_EQ(stub->calls["cuGraphLaunch"], 0);
  EXPECT_EQ(stub->calls["cuEventCreate"], 3);
  context->setProfiling(false);
  expectRun(*context, 2, 3);
  EXPECT_EQ(context->dispatch(0)->nanoseconds, 0);
}

TEST_F(CudaRun, givesKernelsTheSharedMemoryTheyAskFor) {
  Result<Plan> plan = load(cudaChainPlan(5, 1000));
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_EQ(stub->sharedAsked["increment"], int32_t(kIncrementShared));
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  std::vector<int64_t> x(1000);
  std::iota(x.begin(), x.end(), 0);
  for (int64_t n : {0, 1, 63, 64, 65, 1000}) {
    Result<std::vector<Tensor>> outputs = context->run({Tensor(x.data(), {n})});
    ASSERT_TRUE(outputs) << outputs.error().message();
    for (int64_t i = 0; i < n; ++i)
      ASSERT_EQ((*outputs)[0].as<int64_t>()[i], i + 5);
  }
  stub->sharedOptIn = 49152;
  EXPECT_EQ(refusal(cudaChainPlan(1, 8), TAMIS_NO_CODE_FOR_MACHINE),
            "kernel 'increment' needs 65536 bytes of shared memory, the device (Stub GPU, compute capability 8.0) has "
            "49152 for a block");
}

TEST_F(CudaRun, writesIntoTheCallersMemory) {
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan);
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  std::vector<float> out(2 * 3 * 4 + 1, -1);
  std::vector<Tensor> outputs = {Tensor(out.data(), {2, 3, 4})};
  for (int i = 0; i < 3; ++i) {
    std::fill(out.begin(), out.end(), -1.0f);
    ASSERT_TRUE(context->run(inputs(2, 3), outputs));
    expectValues(outputs[0], 2, 3);
    EXPECT_EQ(out.back(), -1); // not past the end
    EXPECT_EQ(context->output(0)->data(), out.data());
  }
  // An output that the context owns is no input of its next run.
  Result<std::vector<Tensor>> owned = context->run(inputs(2, 3));
  ASSERT_TRUE(owned);
  std::vector<Tensor> given = inputs(2, 3);
  given[1] = Tensor((*owned)[0].as<float>(), {2, 6});
  EXPECT_EQ(context->run(given).error().message(), "input 'mask' overlaps the memory of output 'out'");
}

TEST_F(CudaRun, tellsWhatTheDriverSays) {
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan);
  Result<Context> context = plan->context();
  ASSERT_TRUE(context);
  expectRun(*context, 2, 3);
  stub->launch = cuda::kLaunchOutOfResources;
  Error error = context->run(inputs(2, 3)).error();
  EXPECT_EQ(error.status(), TAMIS_DEVICE_FAILED);
  EXPECT_EQ(error.message(), "cannot launch the run's graph: CUDA_ERROR_OF_STUB (the stub was told so)");
  context->setProfiling(true);
  EXPECT_EQ(context->run(inputs(2, 3)).error().message(),
            "cannot run dispatch 'gather' (kernel 'gather', 1 blocks of 64 threads): CUDA_ERROR_OF_STUB (the stub was "
            "told so)");
  stub->launch = cuda::kSuccess;
  stub->synchronize = cuda::kLaunchFailed;
  EXPECT_EQ(context->run(inputs(2, 3)).error().message(),
            "cannot end the run on the device: CUDA_ERROR_OF_STUB (the stub was told so)");
  stub->synchronize = cuda::kSuccess;
  expectRun(*context, 2, 3);
}

TEST_F(CudaRun, reportsMemoryThatIsShort) {
  for (const char *separate : {"0", "1"}) {
    setenv("TAMIS_CUDA_SEPARATE_BUFFERS", separate, 1);
    int failures = 0;
    for (int left = 0; left < 20; ++left) {
      stub->allocationsLeft = left;
      Result<Plan> plan = load(cudaGatherPlan());
      if (!plan) {
        EXPECT_EQ(plan.error().status(), TAMIS_OUT_OF_MEMORY);
        ++failures;
        continue;
      }
      Result<Context> context = plan->context();
      ASSERT_TRUE(context);
      Result<std::vector<Tensor>> outputs = context->run(inputs(2, 3));
      if (!outputs) {
        EXPECT_EQ(outputs.error().status(), TAMIS_OUT_OF_MEMORY);
        EXPECT_NE(outputs.error().message().find("CUDA_ERROR_OUT_OF_MEMORY"), std::string::npos);
        ++failures;
      }
      stub->allocationsLeft = 1 << 20; // the context stays usable
      expectRun(*context, 2, 3);
      if (!outputs)
        continue;
      break;
    }
    // Constants, pinned memory, device memory; apart: two inputs, one output, one place of the arena.
    EXPECT_EQ(failures, *separate == '1' ? 6 : 3);
  }
}

TEST_F(CudaRun, givesEachBufferItsOwnMemoryOnRequest) {
  Result<Plan> together = load(cudaGatherPlan());
  ASSERT_TRUE(together);
  EXPECT_EQ(stub->calls["cuMemAlloc"], 1); // constants
  Result<Context> context = together->context();
  expectRun(*context, 2, 3);
  EXPECT_EQ(stub->calls["cuMemAlloc"], 2);
  setenv("TAMIS_CUDA_SEPARATE_BUFFERS", "1", 1);
  Result<Plan> plan = load(cudaChainPlan(4, 100)); // an input, an output, two places of the arena
  ASSERT_TRUE(plan);
  Result<Context> apart = plan->context();
  std::vector<int64_t> x(100, 7);
  stub->calls.clear();
  Result<std::vector<Tensor>> outputs = apart->run({Tensor(x.data(), {100})});
  ASSERT_TRUE(outputs);
  EXPECT_EQ((*outputs)[0].as<int64_t>()[99], 11);
  EXPECT_EQ(stub->calls["cuMemAlloc"], 3); // the plan has no list of arena buffers, so its arena stays one
}
