// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading a plan and running it: values, shapes, and what is said about wrong inputs.

#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include <gtest/gtest.h>

using namespace tamis;
using namespace tamis::test;

namespace {
/// The gather plan of PlanBuilder.h with inputs of one shape.
class GatherTest : public ::testing::Test {
protected:
  void SetUp() override { load(gatherPlan()); }

  void load(const PlanBuilder &builder) {
    file = builder.build();
    Result<Plan> loaded = Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()});
    ASSERT_TRUE(loaded) << loaded.error().message();
    plan.emplace(std::move(*loaded));
  }

  Context makeContext(int threads = 1) {
    Result<Context> context = plan->context(threads);
    EXPECT_TRUE(context) << context.error().message();
    return std::move(*context);
  }

  /// ids count up from 0 to 9 and again; every mask value is 100 times its batch entry.
  std::vector<Tensor> inputs(int64_t batch, int64_t sequence) {
    ids.assign(size_t(batch * sequence), 0);
    mask.assign(size_t(batch * sequence * 2), 0);
    for (size_t i = 0; i < ids.size(); ++i)
      ids[i] = int64_t(i % 10);
    for (size_t i = 0; i < mask.size(); ++i)
      mask[i] = 100.0f * float(i / size_t(sequence * 2));
    return {Tensor(ids.data(), {batch, sequence}), Tensor(mask.data(), {batch, 2 * sequence})};
  }

  void expectValues(const Tensor &out, int64_t batch, int64_t sequence) {
    ASSERT_EQ(out.dims(), (std::vector<int64_t>{batch, sequence, 4}));
    for (int64_t i = 0; i < batch * sequence; ++i)
      for (int64_t j = 0; j < 4; ++j)
        ASSERT_EQ(out.as<float>()[i * 4 + j], float(2 * (10 * (i % 10) + j) + 100 * (i / sequence))) << i << " " << j;
  }

  std::string messageOf(std::vector<Tensor> given, tamis_status status) {
    Context context = makeContext();
    Result<std::vector<Tensor>> result = context.run(given);
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().status(), status);
    return result.error().message();
  }

  Bytes file;
  std::optional<Plan> plan;
  std::vector<int64_t> ids;
  std::vector<float> mask;
};
} // namespace

TEST_F(GatherTest, runsEveryShapeOnEveryThreadCount) {
  for (int threads : {1, 2, 3, 5}) {
    Context context = makeContext(threads);
    for (int64_t batch : {1, 2, 8})
      for (int64_t sequence : {0, 1, 2, 3, 63, 64}) {
        Result<std::vector<Tensor>> outputs = context.run(inputs(batch, sequence));
        ASSERT_TRUE(outputs) << outputs.error().message();
        expectValues((*outputs)[0], batch, sequence);
      }
  }
}

TEST_F(GatherTest, tellsWhatThePlanHolds) {
  EXPECT_EQ(plan->model(), "test");
  ASSERT_EQ(plan->symbols().size(), 2u);
  EXPECT_STREQ(plan->symbols()[1].name, "sequence");
  EXPECT_EQ(plan->symbols()[1].max, 64);
  ASSERT_EQ(plan->inputs().size(), 2u);
  EXPECT_STREQ(plan->inputs()[1].dim_names[1], "2*sequence");
  EXPECT_EQ(plan->inputs()[1].element_type, TAMIS_F32);
  ASSERT_EQ(plan->outputs().size(), 1u);
  EXPECT_EQ(plan->outputs()[0].rank, 3);
  EXPECT_EQ(plan->outputs()[0].dims[0], -1);
  EXPECT_EQ(plan->outputs()[0].dims[2], 4);
  ASSERT_EQ(plan->dispatches().size(), 2u);
  EXPECT_STREQ(plan->dispatches()[0].sources[1], "/embeddings/Add");
  EXPECT_STREQ(plan->dispatches()[1].kernel, "scale_by_scratch");
  EXPECT_GT(plan->dispatches()[1].code_bytes, 0u);
  std::vector<tamis_section_info> sections = plan->sections();
  ASSERT_EQ(sections.size(), 2u);
  EXPECT_EQ(sections[0].in_use, 1);
  EXPECT_EQ(sections[0].reason, nullptr);
  EXPECT_EQ(sections[1].kind, TAMIS_SECTION_WEIGHTS);
  EXPECT_EQ(static_cast<const float *>(sections[1].data)[11], 23.0f);
  EXPECT_TRUE(plan->verify());
}

TEST_F(GatherTest, worksOutSizesWithoutRunning) {
  Context context = makeContext(3);
  EXPECT_FALSE(context.memory());
  EXPECT_FALSE(context.output(0));
  ASSERT_TRUE(context.prepareSizes({2, 5}));
  EXPECT_EQ(context.input(1)->dims(), (std::vector<int64_t>{2, 10}));
  EXPECT_EQ(context.output(0)->dims(), (std::vector<int64_t>{2, 5, 4}));
  EXPECT_EQ(context.output(0)->data(), nullptr);
  EXPECT_EQ(context.memory()->arena_bytes, 192); // 2 * 5 rows of 16 bytes, aligned to 64
  EXPECT_EQ(context.memory()->output_bytes, 160);
  EXPECT_GE(context.memory()->scratch_bytes, 3 * 16);
  EXPECT_EQ(context.dispatch(1)->groups, 10);
  EXPECT_EQ(context.dispatch(1)->scratch_bytes, 16);
  EXPECT_EQ(context.dispatch(1)->flops, 10);
  EXPECT_EQ(context.dispatch(0)->bytes, 160);
  EXPECT_EQ(context.arenaBuffer(0)->size, 160);
  EXPECT_EQ(context.arenaBuffer(0)->last, 1u);
  EXPECT_EQ(context.prepareSizes({9, 5}).error().message(), "batch is 9, allowed are 1 to 8");
  EXPECT_EQ(context.prepareSizes({1}).error().status(), TAMIS_INVALID_ARGUMENT);
  EXPECT_FALSE(context.dispatch(2));
}

TEST_F(GatherTest, refusesWrongInputsByName) {
  std::vector<Tensor> good = inputs(2, 3);
  EXPECT_EQ(messageOf({good[0]}, TAMIS_INVALID_ARGUMENT), "1 inputs were given, the plan has 2: ids, mask");
  EXPECT_EQ(messageOf({good[1], good[1]}, TAMIS_SHAPE_MISMATCH),
            "input 'ids': element type f32 was given, i64 is wanted");
  EXPECT_EQ(messageOf({Tensor(ids.data(), {6}), good[1]}, TAMIS_SHAPE_MISMATCH),
            "input 'ids': rank 1 was given, 2 is wanted");
  EXPECT_EQ(messageOf({Tensor(ids.data(), {9, 3}), good[1]}, TAMIS_SHAPE_MISMATCH),
            "input 'ids': dimension 0 (batch) is 9, allowed are 1 to 8");
  EXPECT_EQ(messageOf({Tensor(ids.data(), {2, -1}), good[1]}, TAMIS_SHAPE_MISMATCH),
            "input 'ids': dimension 1 (sequence) is -1, allowed are 0 to 64");
  EXPECT_EQ(messageOf({good[0], Tensor(mask.data(), {1, 6})}, TAMIS_SHAPE_MISMATCH),
            "input 'mask': dimension 0 (batch) is 1, but input 'ids' has batch = 2");
  EXPECT_EQ(messageOf({good[0], Tensor(mask.data(), {2, 5})}, TAMIS_SHAPE_MISMATCH),
            "input 'mask': dimension 1 is 5, wanted is 2*sequence = 6");
  EXPECT_EQ(messageOf({Tensor(TAMIS_I64, nullptr, {2, 3}), good[1]}, TAMIS_INVALID_ARGUMENT),
            "input 'ids': the data is null");
  auto *odd = reinterpret_cast<char *>(mask.data()) + 1;
  EXPECT_EQ(messageOf({good[0], Tensor(TAMIS_F32, odd, {2, 6})}, TAMIS_INVALID_ARGUMENT),
            "input 'mask': the data is not aligned to its elements of 4 bytes");
}

TEST_F(GatherTest, allowsNullDataOfEmptyTensors) {
  Context context = makeContext();
  Result<std::vector<Tensor>> outputs =
      context.run({Tensor(TAMIS_I64, nullptr, {3, 0}), Tensor(TAMIS_F32, nullptr, {3, 0})});
  ASSERT_TRUE(outputs) << outputs.error().message();
  EXPECT_EQ((*outputs)[0].dims(), (std::vector<int64_t>{3, 0, 4}));
}

TEST_F(GatherTest, reportsAnIndexOutOfRangeAndGoesOn) {
  for (int threads : {1, 2}) {
    Context context = makeContext(threads);
    std::vector<Tensor> given = inputs(8, 64);
    ids[300] = 10;
    Result<std::vector<Tensor>> result = context.run(given);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status(), TAMIS_INDEX_OUT_OF_RANGE);
    EXPECT_EQ(result.error().message(),
              "index out of range in dispatch 'gather' (nodes /embeddings/Gather, /embeddings/Add)");
    result = context.run(inputs(8, 64));
    ASSERT_TRUE(result);
    expectValues((*result)[0], 8, 64);
  }
}

TEST_F(GatherTest, writesIntoTheCallersMemory) {
  Context context = makeContext(2);
  std::vector<float> out(2 * 3 * 4 + 1, -1);
  std::vector<Tensor> outputs = {Tensor(out.data(), {2, 3, 4})};
  ASSERT_TRUE(context.run(inputs(2, 3), outputs));
  expectValues(outputs[0], 2, 3);
  EXPECT_EQ(out.back(), -1); // not past the end
  EXPECT_EQ(context.output(0)->data(), out.data());

  auto refused = [&](std::vector<Tensor> wrong) {
    Result<void> result = context.run(inputs(2, 3), wrong);
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().status(), TAMIS_INVALID_ARGUMENT);
    return result.error().message();
  };
  EXPECT_EQ(refused({Tensor(out.data(), {2, 3, 5})}),
            "output 'out': dimension 2 (4) was given as 5, this run writes 4");
  EXPECT_EQ(refused({Tensor(out.data(), {24})}), "output 'out': rank 1 was given, the plan writes 3");
  EXPECT_EQ(refused({Tensor(TAMIS_I32, out.data(), {2, 3, 4})}),
            "output 'out': element type i32 was given, the plan writes f32");
  EXPECT_EQ(refused({outputs[0], outputs[0]}), "2 outputs were given, the plan has 1");
  std::vector<Tensor> own = {Tensor()};
  ASSERT_TRUE(context.run(inputs(2, 3), own));
  expectValues(own[0], 2, 3);
}

TEST_F(GatherTest, refusesOverlappingMemory) {
  Context context = makeContext();
  std::vector<Tensor> given = inputs(2, 3);
  std::vector<float> memory(64);
  std::vector<Tensor> outputs = {Tensor(memory.data() + 11, {2, 3, 4})};
  given[1] = Tensor(memory.data(), {2, 6});
  EXPECT_EQ(context.run(given, outputs).error().message(), "input 'mask' overlaps the memory of output 'out'");
  outputs[0] = Tensor(memory.data() + 12, {2, 3, 4});
  EXPECT_TRUE(context.run(given, outputs));
  // An output of the last run, fed back: the context is about to write it, or to free it for a larger one.
  ASSERT_TRUE(context.run(inputs(2, 3)));
  given = inputs(1, 3);
  given[1] = Tensor(context.output(0)->as<float>(), {1, 6});
  EXPECT_EQ(context.run(given).error().message(), "input 'mask' overlaps the memory of output 'out'");
}

TEST_F(GatherTest, timesDispatchesWhenAsked) {
  for (int threads : {1, 2}) {
    Context context = makeContext(threads);
    ASSERT_TRUE(context.run(inputs(8, 64)));
    EXPECT_EQ(context.dispatch(0)->nanoseconds, 0);
    context.setProfiling(true);
    ASSERT_TRUE(context.run(inputs(8, 64)));
    EXPECT_GT(context.dispatch(0)->nanoseconds, 0);
    EXPECT_GT(context.dispatch(1)->nanoseconds, 0);
    context.setProfiling(false);
    ASSERT_TRUE(context.run(inputs(8, 64)));
    EXPECT_EQ(context.dispatch(0)->nanoseconds, 0);
  }
}

TEST_F(GatherTest, aContextKeepsItsPlan) {
  Context context = makeContext(2);
  plan.reset();
  Result<std::vector<Tensor>> outputs = context.run(inputs(2, 3));
  ASSERT_TRUE(outputs);
  expectValues((*outputs)[0], 2, 3);
}

TEST_F(GatherTest, checksTheCallItself) {
  tamis_error error;
  EXPECT_EQ(tamis_plan_load(nullptr, nullptr, nullptr, &error), TAMIS_INVALID_ARGUMENT);
  tamis_context *context = nullptr;
  EXPECT_EQ(tamis_context_create(plan->get(), -1, &context, &error), TAMIS_INVALID_ARGUMENT);
  EXPECT_EQ(tamis_context_create(plan->get(), 5000, &context, &error), TAMIS_INVALID_ARGUMENT);
  EXPECT_EQ(context, nullptr);
  tamis_tensor_info info;
  EXPECT_EQ(tamis_plan_input(plan->get(), 2, &info, &error), TAMIS_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "input 2 was asked for, the plan has 2");
  EXPECT_EQ(tamis_plan_input(plan->get(), 2, &info, nullptr), TAMIS_INVALID_ARGUMENT);
  tamis_load_options options = {};
  options.struct_size = 4096;
  tamis_plan *other = nullptr;
  EXPECT_EQ(tamis_plan_load_memory(file.data(), file.size(), &options, &other, &error), TAMIS_INVALID_ARGUMENT);
  EXPECT_STREQ(tamis_status_name(TAMIS_DAMAGED_PLAN), "TAMIS_DAMAGED_PLAN");
  EXPECT_EQ(tamis_element_size(TAMIS_BF16), 2u);
}

TEST_F(GatherTest, blamesThePlanForAnUnknownResult) {
  PlanBuilder builder = gatherPlan();
  builder.program().dispatches[1]->kernel = builder.kernel("invalid_result");
  load(builder);
  EXPECT_EQ(messageOf(inputs(2, 3), TAMIS_DAMAGED_PLAN), "dispatch 'scale' returned 7, which no kernel does");
}

TEST_F(GatherTest, checksTheConditionsOfThePlan) {
  PlanBuilder builder = gatherPlan();
  auto check = std::make_unique<tamis::plan::CheckT>();
  check->left = builder.plan.inputs[0]->dims[0], check->right = builder.plan.inputs[0]->dims[1];
  check->message = "/Add: batch and sequence must be equal";
  builder.plan.checks.push_back(std::move(check));
  load(builder);
  EXPECT_EQ(messageOf(inputs(2, 3), TAMIS_SHAPE_MISMATCH), "/Add: batch and sequence must be equal: 2 is not 3");
  Context context = makeContext();
  EXPECT_TRUE(context.run(inputs(3, 3)));
}
