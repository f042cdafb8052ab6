// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arithmetic of sizes, at its edges and against 128-bit arithmetic.

#include "runtime/plan/ShapeProgram.h"
#include "test/runtime/PlanBuilder.h"
#include <gtest/gtest.h>
#include <optional>
#include <random>

using namespace tamis::runtime;
using namespace tamis::test;
namespace plan = tamis::plan;

/// `op` of two numbers, by way of a plan; nothing when it fails.
static std::optional<int64_t> evaluate(plan::SizeOp op, int64_t a, int64_t b, int64_t imm = 0) {
  plan::PlanT source;
  source.sizes = {plan::SizeInst(a, 0, 0, plan::SizeOp_Constant), plan::SizeInst(b, 0, 0, plan::SizeOp_Constant),
                  plan::SizeInst(imm, 0, 1, op)};
  flatbuffers::FlatBufferBuilder builder;
  plan::FinishPlanBuffer(builder, plan::CreatePlan(builder, &source));
  int64_t registers[3];
  tamis_error error;
  if (evaluateSizes(*plan::GetPlan(builder.GetBufferPointer()), nullptr, registers, &error)) {
    EXPECT_EQ(error.status, TAMIS_SHAPE_MISMATCH);
    return std::nullopt;
  }
  return registers[2];
}

TEST(ShapeProgram, dividesTowardsTheRightSide) {
  EXPECT_EQ(evaluate(plan::SizeOp_FloorDiv, 7, 2), 3);
  EXPECT_EQ(evaluate(plan::SizeOp_FloorDiv, -7, 2), -4);
  EXPECT_EQ(evaluate(plan::SizeOp_FloorDiv, 7, -2), -4);
  EXPECT_EQ(evaluate(plan::SizeOp_FloorDiv, -7, -2), 3);
  EXPECT_EQ(evaluate(plan::SizeOp_CeilDiv, 7, 2), 4);
  EXPECT_EQ(evaluate(plan::SizeOp_CeilDiv, -7, 2), -3);
  EXPECT_EQ(evaluate(plan::SizeOp_CeilDiv, 7, -2), -3);
  EXPECT_EQ(evaluate(plan::SizeOp_CeilDiv, -7, -2), 4);
  EXPECT_EQ(evaluate(plan::SizeOp_CeilDiv, 8, 2), 4);
  EXPECT_EQ(evaluate(plan::SizeOp_CeilDiv, 0, 5), 0);
  EXPECT_EQ(evaluate(plan::SizeOp_FloorDiv, 1, 0), std::nullopt);
  EXPECT_EQ(evaluate(plan::SizeOp_CeilDiv, INT64_MIN, -1), std::nullopt);
}

TEST(ShapeProgram, alignsUp) {
  EXPECT_EQ(evaluate(plan::SizeOp_AlignUp, 0, 0, 64), 0);
  EXPECT_EQ(evaluate(plan::SizeOp_AlignUp, 1, 0, 64), 64);
  EXPECT_EQ(evaluate(plan::SizeOp_AlignUp, 64, 0, 64), 64);
  EXPECT_EQ(evaluate(plan::SizeOp_AlignUp, 65, 0, 1), 65);
  EXPECT_EQ(evaluate(plan::SizeOp_AlignUp, INT64_MAX, 0, 64), std::nullopt);
}

TEST(ShapeProgram, noticesEveryOverflow) {
  const int64_t edges[] = {INT64_MIN,        INT64_MIN + 1, -3,       -1, 0, 1, 2, 1000003,
                           int64_t(1) << 32, INT64_MAX - 1, INT64_MAX};
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    int64_t a = random() % 2 ? edges[random() % 11] : int64_t(random()) >> random() % 64;
    int64_t b = random() % 2 ? edges[random() % 11] : int64_t(random()) >> random() % 64;
    const __int128 exact[] = {__int128(a) + b, __int128(a) - b, __int128(a) * b, a > b ? a : b, a < b ? a : b};
    const plan::SizeOp ops[] = {plan::SizeOp_Add, plan::SizeOp_Sub, plan::SizeOp_Mul, plan::SizeOp_Max,
                                plan::SizeOp_Min};
    int which = int(random() % 5);
    bool fits = exact[which] >= INT64_MIN && exact[which] <= INT64_MAX;
    std::optional<int64_t> result = evaluate(ops[which], a, b);
    ASSERT_EQ(result.has_value(), fits) << a << " " << b << " op " << which;
    ASSERT_EQ(result.value_or(0), fits ? int64_t(exact[which]) : 0);
  }
}

TEST(ShapeProgram, countsBytes) {
  int64_t bytes = -1;
  const int64_t some[] = {2, 3, 4}, none[] = {INT64_MAX, 0, INT64_MAX}, large[] = {int64_t(1) << 32, int64_t(1) << 31},
                negative[] = {2, -1};
  EXPECT_TRUE(tensorBytes(some, 3, 4, bytes));
  EXPECT_EQ(bytes, 96);
  EXPECT_TRUE(tensorBytes(nullptr, 0, 8, bytes));
  EXPECT_EQ(bytes, 8);
  EXPECT_TRUE(tensorBytes(none, 3, 4, bytes));
  EXPECT_EQ(bytes, 0);
  EXPECT_FALSE(tensorBytes(large, 2, 1, bytes));
  EXPECT_FALSE(tensorBytes(negative, 2, 1, bytes));
}
