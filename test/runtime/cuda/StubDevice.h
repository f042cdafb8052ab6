// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tests on the stub driver: a fresh one for each test, and nothing of it left at the end.

#ifndef TAMIS_TEST_RUNTIME_CUDA_STUBDEVICE_H
#define TAMIS_TEST_RUNTIME_CUDA_STUBDEVICE_H

#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include "test/runtime/cuda/CudaPlans.h"
#include "test/runtime/cuda/StubDriver.h"
#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <numeric>

namespace tamis::test {

class StubDevice : public ::testing::Test {
protected:
  void SetUp() override {
    unsetenv("TAMIS_CUDA_SEPARATE_BUFFERS");
    use(TAMIS_STUB_DRIVER);
  }
  void TearDown() override {
    EXPECT_EQ(stub->live, 0) << "what was taken from the driver was not given back";
    EXPECT_EQ(stub->badCalls, 0);
    unsetenv("TAMIS_CUDA_SEPARATE_BUFFERS");
  }

  void use(const std::string &path) {
    options.device = TAMIS_DEVICE_CUDA;
    options.driver = path;
    void *library = dlopen(path.c_str(), RTLD_NOW);
    ASSERT_TRUE(library) << dlerror();
    auto get = reinterpret_cast<StubDriver *(*)()>(dlsym(library, "tamis_stub"));
    ASSERT_TRUE(get);
    stub = get();
    *stub = {};
  }

  Result<Plan> load(const PlanBuilder &builder) {
    file = builder.build();
    return Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()}, options);
  }
  /// Why the plan does not load.
  std::string refusal(const PlanBuilder &builder, tamis_status status) {
    Result<Plan> plan = load(builder);
    if (plan)
      return "it was loaded";
    EXPECT_EQ(plan.error().status(), status) << plan.error().message();
    return plan.error().message();
  }

  /// Inputs of the gather plan: ids count up from 0 to 9 and again; a mask value is 100 times its batch entry.
  std::vector<Tensor> inputs(int64_t batch, int64_t sequence) {
    ids.assign(size_t(batch * sequence), 0);
    mask.assign(size_t(batch * sequence * 2), 0);
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = int64_t(i % 10);
    for (size_t i = 0; i < mask.size(); ++i)
      mask[i] = 100.0f * float(i / size_t(sequence * 2));
    return {Tensor(ids.data(), {batch, sequence}), Tensor(mask.data(), {batch, 2 * sequence})};
  }
  static void expectValues(const Tensor &out, int64_t batch, int64_t sequence) {
    ASSERT_EQ(out.dims(), (std::vector<int64_t>{batch, sequence, 4}));
    for (int64_t i = 0; i < batch * sequence; ++i)
      for (int64_t j = 0; j < 4; ++j)
        ASSERT_EQ(out.as<float>()[i * 4 + j], float(2 * (10 * (i % 10) + j) + 100 * (i / sequence))) << i << " " << j;
  }
  /// A run of the gather plan.
  void expectRun(Context &context, int64_t batch, int64_t sequence) {
    Result<std::vector<Tensor>> outputs = context.run(inputs(batch, sequence));
    ASSERT_TRUE(outputs) << outputs.error().message();
    expectValues((*outputs)[0], batch, sequence);
  }

  LoadOptions options;
  StubDriver *stub = nullptr;
  Bytes file;
  std::vector<int64_t> ids;
  std::vector<float> mask;
};

} // namespace tamis::test

#endif // TAMIS_TEST_RUNTIME_CUDA_STUBDEVICE_H
