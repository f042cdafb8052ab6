// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which code a GPU gets, and what is said when there is no driver, no device or no code for it.

#include "runtime/device/cuda/TargetFit.h"
#include "test/runtime/cuda/StubDevice.h"

using namespace tamis;
using namespace tamis::test;

using CudaLoad = StubDevice;

TEST_F(CudaLoad, missingDriver) {
  options.driver = "/nonexistent/libcuda.so.1";
  EXPECT_EQ(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE)
                .rfind("no NVIDIA driver was found: cannot open '/nonexistent/libcuda.so.1': ", 0),
            0u);
  options.driver.clear();
  setenv("TAMIS_CUDA_DRIVER", "/nonexistent/by-environment.so", 1);
  EXPECT_NE(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE).find("cannot open '/nonexistent/by-environment.so'"),
            std::string::npos);
  setenv("TAMIS_CUDA_DRIVER", TAMIS_STUB_DRIVER, 1);
  EXPECT_TRUE(load(cudaGatherPlan()));
  unsetenv("TAMIS_CUDA_DRIVER");
  options.driver = TAMIS_TEST_IMAGE;
  EXPECT_EQ(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE),
            "'" TAMIS_TEST_IMAGE "' is no CUDA driver: it has no cuInit and cuDriverGetVersion");
}

TEST_F(CudaLoad, oldDriver) {
  stub->version = 10020;
  EXPECT_EQ(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE),
            "the CUDA driver '" TAMIS_STUB_DRIVER "' is of CUDA 10.2, wanted is 11.0 or later");
}

TEST_F(CudaLoad, driverWithoutAnEntryPoint) {
  options.driver = TAMIS_STUB_WITHOUT_EVENTS;
  EXPECT_EQ(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE),
            "the CUDA driver '" TAMIS_STUB_WITHOUT_EVENTS "' of CUDA 12.4 has no cuEventElapsedTime");
}

TEST_F(CudaLoad, driverThatDoesNotStart) {
  stub->init = cuda::kNoDevice;
  EXPECT_EQ(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE),
            "the CUDA driver '" TAMIS_STUB_DRIVER "' does not start: CUDA_ERROR_OF_STUB (the stub was told so)");
}

TEST_F(CudaLoad, noDevice) {
  stub->devices = 0;
  EXPECT_EQ(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE), "the CUDA driver knows no device");
  stub->devices = 2;
  options.deviceNumber = 2;
  EXPECT_EQ(refusal(cudaGatherPlan(), TAMIS_NO_DEVICE), "CUDA device 2 was asked for, there are 2");
  options.deviceNumber = 1;
  EXPECT_TRUE(load(cudaGatherPlan()));
}

TEST_F(CudaLoad, noCodeForTheDevice) {
  stub->major = 7, stub->minor = 5;
  EXPECT_EQ(
      refusal(cudaChainPlan(1, 8), TAMIS_NO_CODE_FOR_MACHINE),
      "no code of the plan is for this device (Stub GPU, compute capability 7.5): 'sm_80' needs compute capability "
      "8.0 or later, the device has 7.5");
  stub->major = 8, stub->minor = 0;
  options.level = "sm_90";
  EXPECT_EQ(refusal(cudaChainPlan(1, 8), TAMIS_NO_CODE_FOR_MACHINE),
            "no code of the plan is for level 'sm_90': 'sm_80' level 'sm_90' was asked for");
  options.level.clear();
  std::string text = refusal(gatherPlan(), TAMIS_NO_CODE_FOR_MACHINE);
  EXPECT_NE(text.find(", and the plan was loaded for an NVIDIA GPU"), std::string::npos) << text;
}

/// The plan's name of the code that is used on the stub, or why none is.
static std::string sectionInUse(const Plan &plan) {
  std::string names;
  for (const tamis_section_info &section : plan.sections())
    if (section.in_use && section.kind == TAMIS_SECTION_CODE)
      names += std::string(names.empty() ? "" : ", ") + section.name;
  return names;
}

TEST_F(CudaLoad, theBestCodeIsTaken) {
  PlanBuilder builder = cudaGatherPlan();
  builder.cudaSection("sm_80-cubin", "ELF of a cubin");
  builder.cudaSection("sm_86", cudaKernels());
  builder.cudaSection("sm_90a", cudaKernels());
  struct {
    int major, minor;
    const char *wanted;
  } const devices[] = {{8, 0, "sm_80-cubin"}, {8, 6, "sm_86"},  {8, 9, "sm_86"},
                       {9, 0, "sm_90a"},      {10, 0, "sm_86"}, {12, 1, "sm_86"}};
  for (const auto &device : devices) {
    stub->major = device.major, stub->minor = device.minor;
    Result<Plan> plan = load(builder);
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_EQ(sectionInUse(*plan), device.wanted);
  }
  // What the driver refuses is followed by the next best.
  stub->major = 8, stub->minor = 0, stub->cubin = cuda::kNoBinaryForGpu;
  Result<Plan> plan = load(builder);
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_EQ(sectionInUse(*plan), "sm_80");
  EXPECT_EQ(stub->loadedCode, cudaKernels());
  for (const tamis_section_info &section : plan->sections())
    if (!strcmp(section.name, "sm_80-cubin")) {
      EXPECT_STREQ(section.reason, "is refused by the driver of CUDA 12.4: CUDA_ERROR_OF_STUB (the stub was told so): "
                                   "line 7: fatal;line 8: worse");
    }
}

TEST_F(CudaLoad, codeTheDriverRefuses) {
  stub->ptx = cuda::kUnsupportedPtxVersion;
  EXPECT_EQ(
      refusal(cudaChainPlan(1, 8), TAMIS_NO_CODE_FOR_MACHINE),
      "no code of the plan is for this device (Stub GPU, compute capability 8.0): 'sm_80' is refused by the driver "
      "of CUDA 12.4: CUDA_ERROR_OF_STUB (the stub was told so): line 7: fatal;line 8: worse");
}

TEST_F(CudaLoad, kernelsTheCodeDoesNotHold) {
  PlanBuilder builder = cudaChainPlan(1, 8);
  builder.program().kernels[0]->name = "absent";
  EXPECT_EQ(refusal(builder, TAMIS_DAMAGED_PLAN),
            "kernel 'absent' has no entry of its name in the code for the device");
}

TEST_F(CudaLoad, everyDeviceHasItsProgram) {
  options.device = TAMIS_DEVICE_CPU;
  Result<Plan> cpu = load(cudaGatherPlan());
  ASSERT_TRUE(cpu) << cpu.error().message();
  EXPECT_EQ(sectionInUse(*cpu), "host");
  EXPECT_STREQ(cpu->dispatches()[1].kernel, "scale_by_scratch");
  EXPECT_EQ(cpu->deviceText(), "cpu");
  Result<Context> context = cpu->context(1);
  expectRun(*context, 2, 3);
  std::string text = refusal(cudaChainPlan(1, 8), TAMIS_NO_CODE_FOR_MACHINE);
  EXPECT_EQ(text,
            "no code of the plan is for this machine: 'sm_80' is for an NVIDIA GPU, and the plan was loaded for the "
            "CPU");
}

TEST_F(CudaLoad, aPlanForNoDeviceCanBeAsked) {
  options.device = TAMIS_DEVICE_NONE;
  Result<Plan> first = load(cudaGatherPlan());
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_STREQ(first->dispatches()[1].kernel, "scale_by_scratch");
  options.level = "sm_80";
  Result<Plan> plan = load(cudaGatherPlan());
  ASSERT_TRUE(plan) << plan.error().message();
  EXPECT_STREQ(plan->dispatches()[1].kernel, "scale");
  EXPECT_EQ(sectionInUse(*plan), "");
  EXPECT_EQ(plan->deviceText(), "none");
  Result<Context> context = plan->context();
  ASSERT_TRUE(context) << context.error().message();
  ASSERT_TRUE(context->prepareSizes({8, 60}));
  EXPECT_EQ(context->dispatch(0)->groups, 8); // 480 tokens by 64
  EXPECT_EQ(context->run(inputs(1, 1)).error().message(), "the plan was loaded for no device, so that it cannot run");
  options.level = "sm_75";
  EXPECT_EQ(refusal(cudaChainPlan(1, 8), TAMIS_NO_CODE_FOR_MACHINE),
            "no code of the plan is for level 'sm_75': 'sm_80' level 'sm_75' was asked for");
}

TEST(CudaTarget, fits) {
  struct {
    const char *name;
    int major, minor;
    bool fits;
  } const cases[] = {{"sm_80", 8, 0, true},        {"sm_80", 12, 0, true},       {"sm_80", 7, 5, false},
                     {"sm_89", 8, 6, false},       {"sm_89", 9, 0, true},        {"sm_90a", 9, 0, true},
                     {"sm_90a", 10, 0, false},     {"sm_100f", 10, 3, true},     {"sm_100f", 12, 0, false},
                     {"sm_100a", 10, 3, false},    {"sm_80-cubin", 8, 9, true},  {"sm_80-cubin", 9, 0, false},
                     {"sm_86-cubin", 8, 0, false}, {"sm_90a-cubin", 9, 0, true}, {"sm_120", 12, 1, true}};
  for (const auto &c : cases) {
    cuda::Target target;
    ASSERT_TRUE(cuda::Target::parse(c.name, target)) << c.name;
    char reason[200] = {};
    EXPECT_EQ(target.fits({c.major, c.minor}, reason, sizeof reason), c.fits) << c.name << " " << c.major << c.minor;
    EXPECT_EQ(*reason == 0, c.fits);
  }
  cuda::Target target;
  for (const char *name : {"", "sm_", "sm_8", "sm_80b", "sm_80-", "sm_80-cubinx", "compute_80", "sm_80000"})
    EXPECT_FALSE(cuda::Target::parse(name, target)) << name;
}
