// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of the sattn dialect's ops, worked out by hand. The rest is in SelectTest.cpp, AttendTest.cpp and
// PatternsTest.cpp.
#include "test/reference/SparseOpsFixture.h"

using namespace tamis::reference;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {
class SparseOps : public SparseOpsFixture {};

TEST_F(SparseOps, Summarize) {
  // Two heads of two; the last block has one token.
  HostTensor x = tensor("f32", {1, 3, 4}, {1, 2, 10, -20, 3, 6, 30, -40, 5, 7, 50, 60});
  auto body = [](const std::string &kind) {
    return "%r = sattn.summarize " + kind + " %a heads 2 width 2 : tensor<1x3x4xf32> -> tensor<1x2x2x2xf32>";
  };
  expectNumbers(run(body("mean"), "tensor<1x2x2x2xf32>", {x}), {2, 4, 5, 7, 20, -30, 50, 60});
  expectNumbers(run(body("max"), "tensor<1x2x2x2xf32>", {x}), {3, 6, 5, 7, 30, -20, 50, 60});
  expectNumbers(run(body("min"), "tensor<1x2x2x2xf32>", {x}), {1, 2, 5, 7, 10, -40, 50, 60});
}

TEST_F(SparseOps, SummarizeWider) {
  HostTensor x = tensor("f32", {1, 5, 2}, {1, -2, -3, 6, /**/ 5, 7, kNan, 1, /**/ 4, -4});
  HostTensor mask = tensor("i1", {1, 1, 1, 5}, {1, 1, 1, 0, 1});
  auto of = [&](const std::string &kind, int64_t columns) {
    std::string type = "tensor<1x1x3x" + std::to_string(columns) + "xf32>";
    return run("%r = sattn.summarize " + kind +
                   " %a mask %b heads 1 width 2 : tensor<1x5x2xf32>, tensor<1x1x1x5xi1> -> " + type,
               type, {x, mask});
  };
  expectNumbers(of("bounds", 4), {1, 6, -3, -2, /**/ 5, 7, 5, 7, /**/ 4, -4, 4, -4});
  expectNumbers(of("signs", 4), {0, 2, -1, 0, /**/ 5, 7, 0, 0, /**/ 4, 0, 0, -4});
  expectNumbers(of("stack", 4), {1, -2, -3, 6, /**/ 5, 7, 0, 0, /**/ 4, -4, 0, 0});
  expectNumbers(of("stack_reversed", 4), {-3, 6, 1, -2, /**/ 0, 0, 5, 7, /**/ 0, 0, 4, -4});
}

TEST_F(SparseOps, SummarizeMasked) {
  HostTensor x = tensor("f32", {2, 5, 1}, {1, 2, 3, -4, kNan, 5, 6, kNan, 8, 9});
  HostTensor mask = tensor("i1", {2, 1, 1, 5}, {0, 1, 1, 1, 0, /**/ 0, 0, 1, 1, 1});
  auto body = [](const std::string &kind) {
    return "%r = sattn.summarize " + kind +
           " %a mask %b heads 1 width 2 : tensor<2x5x1xf32>, tensor<2x1x1x5xi1> -> tensor<2x1x3x1xf32>";
  };
  // A block of which no token is kept gives 0, and a NaN stays.
  expectNumbers(run(body("mean"), "tensor<2x1x3x1xf32>", {x, mask}), {2, -0.5, 0, 0, kNan, 9});
  expectNumbers(run(body("max"), "tensor<2x1x3x1xf32>", {x, mask}), {2, 3, 0, 0, kNan, 9});
  expectNumbers(run(body("min"), "tensor<2x1x3x1xf32>", {x, mask}), {2, -4, 0, 0, kNan, 9});
  expectNumbers(run("%r = sattn.summarize mean %a heads 1 width 2 : tensor<1x0x3xf32> -> tensor<1x1x0x3xf32>",
                    "tensor<1x1x0x3xf32>", {tensor("f32", {1, 0, 3}, {})}),
                {});
}

TEST_F(SparseOps, Score) {
  // Queries of tokens, two heads of two; both read the one head of keys, of a summary.
  HostTensor q = tensor("f32", {1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  HostTensor k = tensor("f32", {1, 1, 3, 2}, {1, 0, 0, 1, 10, -1});
  expectNumbers(run("%r = sattn.score %a, %b heads 2 kv_heads 1 : tensor<1x2x4xf32>, tensor<1x1x3x2xf32> -> "
                    "tensor<1x2x2x3xf32>",
                    "tensor<1x2x2x3xf32>", {q, k}),
                {1, 2, 8, 5, 6, 44, /**/ 3, 4, 26, 7, 8, 62});
  // Four heads of summaries over two of tokens: heads 0 and 1 read the first.
  HostTensor qm = tensor("f32", {1, 4, 1, 1}, {1, 2, 3, 4}), kt = tensor("f32", {1, 2, 2}, {1, 10, 2, 20});
  expectNumbers(run("%r = sattn.score %a, %b heads 4 kv_heads 2 : tensor<1x4x1x1xf32>, tensor<1x2x2xf32> -> "
                    "tensor<1x4x1x2xf32>",
                    "tensor<1x4x1x2xf32>", {qm, kt}),
                {1, 2, 2, 4, 30, 60, 40, 80});
}

TEST_F(SparseOps, ScoreOfAgreement) {
  HostTensor q = tensor("f32", {1, 1, 3}, {1, 2, kNan}), k = tensor("f32", {1, 3, 3}, {1, 2, kNan, 2, 1, 0, 0, 2, 0});
  expectNumbers(run("%r = sattn.score agreement %a, %b heads 1 kv_heads 1 : tensor<1x1x3xf32>, tensor<1x3x3xf32> -> "
                    "tensor<1x1x1x3xf32>",
                    "tensor<1x1x1x3xf32>", {q, k}),
                {2, 0, 1});
}

TEST_F(SparseOps, ScoreSumsHeads) {
  // What is below zero is left out before heads are summed.
  HostTensor q = tensor("f32", {1, 2, 4}, {1, 2, 3, 4, -1, 0, 2, 2}), k = tensor("f32", {1, 2, 2}, {1, 0, 0, -1});
  HostTensor w = tensor("f32", {1, 2, 2}, {10, 100, 2, -3});
  expectNumbers(run("%r = sattn.score %a, %b weights %c heads 2 kv_heads 1 : tensor<1x2x4xf32>, tensor<1x2x2xf32> "
                    "weights tensor<1x2x2xf32> -> tensor<1x1x2x2xf32>",
                    "tensor<1x1x2x2xf32>", {q, k, w}),
                {310, 0, -6, 0});
}

TEST_F(SparseOps, WeighBlocks) {
  // Weights are powers of two over their sum; rows of two tokens, a row and a column of one.
  double two = std::log(2.0);
  HostTensor s = tensor("f32", {1, 1, 2, 3}, {0, 2 * two, 4 * two, 2 * two, 0, 2 * two});
  HostTensor mask = tensor("i1", {1, 1, 1, 5}, {1, 0, 0, 0, 1});
  auto weigh = [&](const std::string &what, const std::string &result, const std::string &rest,
                   std::vector<HostTensor> inputs) {
    return run("%r = sattn.weigh blocks %a " + what + " scale 0.5 width 2 " + rest + " : tensor<1x1x2x3xf32>" +
                   (inputs.size() > 1 ? " mask tensor<1x1x1x5xi1>" : "") + " -> " + result,
               result, inputs);
  };
  expectNumbers(weigh("", "tensor<1x1x2x3xf32>", "rows 1 columns 1 queries \"3\" keys \"5\"", {s}),
                {1. / 7, 2. / 7, 4. / 7, 2. / 5, 1. / 5, 2. / 5}, 1e-6);
  expectNumbers(weigh("", "tensor<1x1x1x2xf32>", "rows 0 columns 2 queries \"3\" keys \"5\"", {s}),
                {3. / 7 + 3. / 5, 4. / 7 + 2. / 5}, 1e-6);
  // The first row ends at key 3, the second at key 4.
  expectNumbers(weigh("", "tensor<1x1x2x3xf32>", "rows 1 columns 1 queries \"3\" keys \"5\" causal", {s}),
                {1. / 3, 2. / 3, 0, 2. / 5, 1. / 5, 2. / 5}, 1e-6);
  expectNumbers(weigh("mask %b", "tensor<1x1x2x3xf32>", "rows 1 columns 1 queries \"3\" keys \"5\" causal", {s, mask}),
                {1, 0, 0, 1. / 2, 0, 1. / 2}, 1e-6);
}

TEST_F(SparseOps, WeighDiagonals) {
  // Two queries stand at keys 1 and 2; NaN weighs nothing, nor does a row of nothing but it.
  auto weigh = [&](std::vector<double> scores) {
    return run("%r = sattn.weigh diagonals %a scale 1.0 width 1 rows 0 columns 1 queries \"2\" keys \"3\" causal : "
               "tensor<1x1x2x3xf32> -> tensor<1x1x1x3xf32>",
               "tensor<1x1x1x3xf32>", {tensor("f32", {1, 1, 2, 3}, scores)});
  };
  expectNumbers(weigh({0, std::log(3.0), 9, 5, 5, 5}), {0.75 + 1. / 3, 0.25 + 1. / 3, 1. / 3}, 1e-6);
  expectNumbers(weigh({kNan, kNan, 9, kNan, 5, -kInf}), {0, 1, 0}, 1e-6);
  expectNumbers(weigh({0, kInf, 9, 5, kInf, kInf}), {1.5, 0.5, 0}, 1e-6);
}

TEST_F(SparseOps, Diagonals) {
  Index from{0, 1, {1, 2, 1}, 7, 3};
  HostTensor input = stored(from, {{0, 3}, {1, 6}});
  auto rows = [&](const Index &to, const std::string &sizes) {
    return rowsOf(to,
                  "%j = sattn.load_index %a : " + from.storage() + " -> " + from.type() + "%i = sattn.diagonals %j " +
                      sizes + " : " + from.type() + " -> " + to.type(),
                  {input});
  };
  EXPECT_THAT(rows({4, 2, {1, 2, 2}, 4, 4}, "queries \"7\" keys \"7\""),
              ElementsAre(Items{0, 1}, Items{0, 1, 2, 3}, Items{0, 1}, Items{0, 1, 2}));
  // Three queries stand at keys 4, 5 and 6.
  EXPECT_THAT(rows({1, 1, {1, 2, 3}, 7, 3}, "queries \"3\" keys \"7\""),
              ElementsAre(Items{1, 4}, Items{2, 5}, Items{3, 6}, Items{3}, Items{4}, Items{0, 5}));
}

TEST_F(SparseOps, Bands) {
  auto bands = [&](const Index &index, int64_t queries, int64_t keys, const std::string &what) {
    return rowsOf(index,
                  "%i = sattn.bands " + what + " queries \"" + std::to_string(queries) + "\" keys \"" +
                      std::to_string(keys) + "\" : " + index.type(),
                  {});
  };
  Index square{1, 1, {1, 1, 4}, 4, 4};
  EXPECT_THAT(bands(square, 4, 4, "before 1 after 1 sinks 0"),
              ElementsAre(Items{0, 1}, Items{0, 1, 2}, Items{1, 2, 3}, Items{2, 3}));
  EXPECT_THAT(bands(square, 4, 4, "before 0 after 0 sinks 1"),
              ElementsAre(Items{0}, Items{0, 1}, Items{0, 2}, Items{0, 3}));
  EXPECT_THAT(bands(square, 4, 4, "before 9 after 0 sinks 9"), testing::Each(Items{0, 1, 2, 3}));
  // Two queries of four keys stand at 2 and 3; four of two at -2 to 1.
  EXPECT_THAT(bands({1, 1, {1, 1, 2}, 4, 4}, 2, 4, "before 1 after 0 sinks 0"), ElementsAre(Items{1, 2}, Items{2, 3}));
  EXPECT_THAT(bands({1, 1, {1, 1, 4}, 2, 2}, 4, 2, "before 0 after 1 sinks 0"),
              ElementsAre(IsEmpty(), Items{0}, Items{0, 1}, Items{1}));
  // Rows of two queries over blocks of three keys: 0 and 1, 2 and 3, 4.
  EXPECT_THAT(bands({2, 3, {1, 1, 3}, 2, 2}, 5, 5, "before 0 after 0 sinks 0"),
              ElementsAre(Items{0}, Items{0, 1}, Items{1}));
  // Places below 0 belong to no block, -1 as little as -3.
  EXPECT_THAT(bands({1, 3, {1, 1, 4}, 1, 1}, 4, 1, "before 0 after 0 sinks 0"),
              ElementsAre(IsEmpty(), IsEmpty(), IsEmpty(), Items{0}));
  EXPECT_THAT(bands({1, 1, {2, 3, 1}, 1, 1}, 1, 1, "before 0 after 0 sinks 0"), // the same for batch items and heads
              ElementsAre(Items{0}, Items{0}, Items{0}, Items{0}, Items{0}, Items{0}));
}

TEST_F(SparseOps, Coarsen) {
  Index from{2, 1, {1, 2, 3}, 9, 2};
  HostTensor input = stored(from, {{1, 2}, {2, 5}, {8}, /**/ {}, {3}, {3, 4}});
  auto coarsened = [&](const Index &to) {
    return rowsOf(to,
                  "%j = sattn.load_index %a : " + from.storage() + " -> " + from.type() +
                      "%i = sattn.coarsen %j : " + from.type() + " -> " + to.type(),
                  {input});
  };
  EXPECT_THAT(coarsened({4, 1, {1, 2, 2}, 9, 4}), ElementsAre(Items{1, 2, 5}, Items{8}, Items{3}, Items{3, 4}));
  EXPECT_THAT(coarsened({0, 1, {1, 2, 1}, 9, 6}), ElementsAre(Items{1, 2, 5, 8}, Items{3, 4}));
  EXPECT_THAT(coarsened({2, 1, {1, 2, 3}, 9, 2}),
              ElementsAre(Items{1, 2}, Items{2, 5}, Items{8}, IsEmpty(), Items{3}, Items{3, 4}));
}

TEST_F(SparseOps, CompactAndExpand) {
  Index index{0, 1, {2, 1, 1}, 4, 3};
  HostTensor items = stored(index, {{0, 3}, {1, 2, 3}});
  std::string load = "%i = sattn.load_index %b : " + index.storage() + " -> " + index.type();
  HostTensor x = tensor("f32", {2, 4, 2}, {1, 2, 3, 4, 5, 6, 7, 8, /**/ 11, 12, 13, 14, 15, 16, 17, 18});
  expectNumbers(run(load + "%r = sattn.compact %a by %i : tensor<2x4x2xf32>, " + index.type() + " -> tensor<2x3x2xf32>",
                    "tensor<2x3x2xf32>", {x, items}),
                {1, 2, 7, 8, 0, 0, /**/ 13, 14, 15, 16, 17, 18});
  // What lies behind the items does not matter.
  HostTensor c = tensor("f32", {2, 3, 2}, {1, 2, 3, 4, kNan, 6, /**/ 7, 8, 9, 10, 11, 12});
  expectNumbers(run(load + "%r = sattn.expand %a by %i : tensor<2x3x2xf32>, " + index.type() + " -> tensor<2x4x2xf32>",
                    "tensor<2x4x2xf32>", {c, items}),
                {1, 2, 0, 0, 0, 0, 3, 4, /**/ 0, 0, 7, 8, 9, 10, 11, 12});
}

TEST_F(SparseOps, AttendAt) {
  // Weights are equal: a result is the mean of the values of 1, 2, 4, 8 that the query sees.
  Index index{0, 1, {2, 1, 1}, 4, 3};
  HostTensor items = stored(index, {{0, 3}, {}});
  HostTensor q = tensor("f32", {2, 3, 1}, {1, 2, kNan, 4, 5, 6}),
             k = tensor("f32", {2, 4, 1}, {0, 0, 0, 0, 0, 0, 0, 0});
  HostTensor v = tensor("f32", {2, 4, 1}, {1, 2, 4, 8, 1, 2, 4, 8});
  HostTensor m = tensor("i1", {2, 1, 1, 4}, {1, 0, 1, 1, 1, 1, 1, 1});
  auto body = [&](const std::string &causal) {
    return "%i = sattn.load_index %e : " + index.storage() + " -> " + index.type() +
           "%r = sattn.attend_at %a, %b, %c at %i mask %d heads 1 kv_heads 1 scale 1.0 " + causal +
           ": tensor<2x3x1xf32>, tensor<2x4x1xf32>, tensor<2x4x1xf32>, at " + index.type() +
           " mask tensor<2x1x1x4xi1> -> tensor<2x3x1xf32>";
  };
  expectNumbers(run(body("causal "), "tensor<2x3x1xf32>", {q, k, v, m, items}), {1, 13. / 3, 0, 0, 0, 0}, 1e-6);
  expectNumbers(run(body(""), "tensor<2x3x1xf32>", {q, k, v, m, items}), {13. / 3, 13. / 3, 0, 0, 0, 0}, 1e-6);
}

TEST_F(SparseOps, StoreAndLoad) {
  Index index{1, 1, {1, 1, 2}, 4, 3};
  std::string body = storing(index, "%i = sattn.load_index %a : " + index.storage() + " -> " + index.type());
  auto error = [&](std::vector<double> numbers) {
    return errorOf(body, index.storage(), {tensor("i32", {1, 1, 2, 4}, numbers)});
  };
  EXPECT_THAT(rowsOf(run(body, index.storage(), {stored(index, {{0, 3}, {}})})), ElementsAre(Items{0, 3}, IsEmpty()));
  EXPECT_EQ(error({3, 0, 1, 2, 0, -1, 99, 99}), ""); // what lies beyond the items may be anything
  EXPECT_THAT(error({4, 0, 1, 2, 0, 0, 0, 0}), HasSubstr("found 4 items in a row of an index with a capacity of 3"));
  EXPECT_THAT(error({0, 0, 0, 0, -1, 0, 0, 0}), HasSubstr("found -1 items in a row"));
  EXPECT_THAT(error({1, 4, 0, 0, 0, 0, 0, 0}), HasSubstr("found the item 4 in an index of 4 items"));
  EXPECT_THAT(error({1, 0, 0, 0, 2, 1, -1, 0}), HasSubstr("found the item -1 in an index of 4 items"));
}
} // namespace
