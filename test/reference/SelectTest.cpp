// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What sattn.select picks, worked out by hand: budgets, ties, sinks, causal order, masks.
#include "test/reference/SparseOpsFixture.h"

using namespace tamis::reference;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {
class Select : public SparseOpsFixture {
protected:
  /// One row of scores, of the only query.
  std::vector<Items> selectRow(const std::string &budget, std::vector<double> scores, const std::string &options = "") {
    int64_t n = scores.size();
    return select(budget, {1, 1, {1, 1, 1}, n, n}, tensor("f32", {1, 1, 1, n}, scores), 1, n, options);
  }
  std::vector<Items> select(const std::string &budget, const Index &index, const HostTensor &scores, int64_t queries,
                            int64_t keys, const std::string &options = "") {
    return rowsOf(index, selecting(budget, index, scores, queries, keys, options), {scores});
  }
  std::string selecting(const std::string &budget, const Index &index, const HostTensor &scores, int64_t queries,
                        int64_t keys, const std::string &options = "") {
    return "%i = sattn.select #sattn.budget<" + budget + "> %a queries \"" + std::to_string(queries) + "\" keys \"" +
           std::to_string(keys) + "\" " + options + " : " + typeOf(scores) + " -> " + index.type();
  }
  /// The same scores for every row.
  HostTensor repeated(int64_t rows, std::vector<double> scores) {
    std::vector<double> all;
    for (int64_t row = 0; row < rows; ++row)
      all.insert(all.end(), scores.begin(), scores.end());
    return tensor("f32", {1, 1, rows, int64_t(scores.size())}, all);
  }
};

TEST_F(Select, Count) {
  std::vector<double> scores{5, 1, 4, 4, 2};
  EXPECT_THAT(selectRow("count 1.0", scores), ElementsAre(Items{0}));
  EXPECT_THAT(selectRow("count 2.0", scores), ElementsAre(Items{0, 2})); // of equals the first
  EXPECT_THAT(selectRow("count 3.0", scores), ElementsAre(Items{0, 2, 3}));
  EXPECT_THAT(selectRow("count 9.0", scores), ElementsAre(Items{0, 1, 2, 3, 4}));
  EXPECT_THAT(selectRow("count 2.0", {0, -0.0, 0}), ElementsAre(Items{0, 1})); // zeros are equal
}

TEST_F(Select, Fraction) {
  std::vector<double> scores{5, 1, 4, 4, 2};
  EXPECT_THAT(selectRow("fraction 0.5", scores), ElementsAre(Items{0, 2}));
  EXPECT_THAT(selectRow("fraction 0.1", scores), ElementsAre(Items{0})); // at least one
  EXPECT_THAT(selectRow("fraction 1.0", scores), ElementsAre(Items{0, 1, 2, 3, 4}));
  // Of all items, not of those that the row may read.
  EXPECT_THAT(select("fraction 0.5", {1, 1, {1, 1, 4}, 4, 4}, repeated(4, {4, 3, 2, 1}), 4, 4, "causal"),
              ElementsAre(Items{0}, Items{0, 1}, Items{0, 1}, Items{0, 1}));
}

TEST_F(Select, Mass) {
  std::vector<double> scores{std::log(4), std::log(1), std::log(3), std::log(2)}; // weights 0.4, 0.1, 0.3, 0.2
  EXPECT_THAT(selectRow("mass 0.1", scores), ElementsAre(Items{0}));
  EXPECT_THAT(selectRow("mass 0.5", scores), ElementsAre(Items{0, 2}));
  EXPECT_THAT(selectRow("mass 0.75", scores), ElementsAre(Items{0, 2, 3}));
  EXPECT_THAT(selectRow("mass 0.95", scores), ElementsAre(Items{0, 1, 2, 3}));
  EXPECT_THAT(selectRow("mass 1.0", scores), ElementsAre(Items{0, 1, 2, 3}));
  EXPECT_THAT(selectRow("mass 0.5", {1000, 0, 1000}), ElementsAre(Items{0})); // and no overflow
}

TEST_F(Select, Share) {
  std::vector<double> scores{4, 1, -9, 3, kNan, 2}; // of 10
  EXPECT_THAT(selectRow("share 0.1", scores), ElementsAre(Items{0}));
  EXPECT_THAT(selectRow("share 0.5", scores), ElementsAre(Items{0, 3}));
  EXPECT_THAT(selectRow("share 0.75", scores), ElementsAre(Items{0, 3, 5}));
  EXPECT_THAT(selectRow("share 1.0", scores), ElementsAre(Items{0, 1, 3, 5}));
  EXPECT_THAT(selectRow("share 1.0", {0, -1, kNan}), ElementsAre(IsEmpty()));
  // What is kept before all others counts.
  auto sinks = [&](const std::string &budget, std::vector<double> row) {
    return select(budget, {1, 1, {1, 1, 1}, 6, 6}, repeated(1, row), 1, 6, "sinks 2");
  };
  EXPECT_THAT(sinks("share 0.5", scores), ElementsAre(Items{0, 1}));
  EXPECT_THAT(sinks("share 0.51", scores), ElementsAre(Items{0, 1, 3}));
  EXPECT_THAT(sinks("share 0.5", {-4, kNan, 1, 1, 1, 1}), ElementsAre(Items{0, 1, 2, 3}));
}

TEST_F(Select, Threshold) {
  std::vector<double> scores{5, 1, 4, 4, 2};
  EXPECT_THAT(selectRow("threshold 4.0", scores), ElementsAre(Items{0, 2, 3}));
  EXPECT_THAT(selectRow("threshold 4.5", scores), ElementsAre(Items{0}));
  EXPECT_THAT(selectRow("threshold 9.0", scores), ElementsAre(IsEmpty()));
}

TEST_F(Select, Quantile) {
  std::vector<double> scores{5, 1, 4, 4, 2};
  EXPECT_THAT(selectRow("quantile 0.0", scores), ElementsAre(Items{0, 2, 3, 4})); // above 1
  EXPECT_THAT(selectRow("quantile 0.25", scores), ElementsAre(Items{0, 2, 3}));   // above 2
  EXPECT_THAT(selectRow("quantile 0.5", scores), ElementsAre(Items{0}));          // above 4
  EXPECT_THAT(selectRow("quantile 0.5", {3, 3, 3}), ElementsAre(IsEmpty()));
}

TEST_F(Select, NaNAndInfinity) {
  std::vector<double> scores{kNan, 1, kNan, 0};
  EXPECT_THAT(selectRow("count 1.0", scores), ElementsAre(Items{1}));
  EXPECT_THAT(selectRow("count 3.0", scores), ElementsAre(Items{0, 1, 3})); // below every number, the first of equals
  EXPECT_THAT(selectRow("threshold -9.0", scores), ElementsAre(Items{1, 3}));
  EXPECT_THAT(selectRow("quantile 0.0", scores), ElementsAre(Items{1, 3}));
  EXPECT_THAT(selectRow("mass 0.5", scores), ElementsAre(Items{1}));
  EXPECT_THAT(selectRow("mass 1.0", scores), ElementsAre(Items{1, 3})); // NaN weighs nothing
  EXPECT_THAT(selectRow("mass 0.6", {kInf, 1, kInf}), ElementsAre(Items{0, 2}));
  EXPECT_THAT(selectRow("mass 0.6", {-kInf, -kInf}), ElementsAre(Items{0, 1}));
  EXPECT_THAT(selectRow("count 2.0", {-kInf, kNan, kInf}), ElementsAre(Items{0, 2}));
}

TEST_F(Select, SinksAndLocal) {
  Index index{1, 1, {1, 1, 5}, 5, 5};
  HostTensor scores = repeated(5, {1, 9, 8, 7, 6});
  EXPECT_THAT(select("count 3.0", index, scores, 5, 5, "sinks 1 local 2"),
              ElementsAre(Items{0, 1, 2}, Items{0, 1, 2}, Items{0, 1, 2}, Items{0, 2, 3}, Items{0, 3, 4}));
  EXPECT_THAT(select("count 3.0", index, scores, 5, 5, "sinks 1 local 2 causal"),
              ElementsAre(Items{0}, Items{0, 1}, Items{0, 1, 2}, Items{0, 2, 3}, Items{0, 3, 4}));
  // They count where the budget is a number, and come on top of the others.
  EXPECT_THAT(selectRow("fraction 0.4", {1, 9, 8, 7, 6}, "sinks 1"), ElementsAre(Items{0, 1}));
  EXPECT_THAT(selectRow("threshold 8.5", {1, 9, 8, 7, 6}, "sinks 1"), ElementsAre(Items{0, 1}));
  EXPECT_THAT(selectRow("quantile 0.5", {1, 9, 8, 7, 6}, "sinks 1"), ElementsAre(Items{0, 1, 2})); // above 7, of 6 to 9
  EXPECT_THAT(selectRow("count 1.0", {1, 9, 8}, "sinks 2"), ElementsAre(Items{0, 1})); // more than the budget
}

TEST_F(Select, WhereQueriesStand) {
  // Two queries of five keys stand at 3 and 4; three of one at -2, -1 and 0.
  EXPECT_THAT(select("count 9.0", {1, 1, {1, 1, 2}, 5, 5}, repeated(2, {1, 2, 3, 4, 5}), 2, 5, "causal"),
              ElementsAre(Items{0, 1, 2, 3}, Items{0, 1, 2, 3, 4}));
  EXPECT_THAT(select("count 1.0", {1, 1, {1, 1, 3}, 1, 1}, repeated(3, {7}), 3, 1, "local 1 causal"),
              ElementsAre(IsEmpty(), IsEmpty(), Items{0}));
  EXPECT_THAT(select("threshold 9.0", {1, 1, {1, 1, 2}, 5, 5}, repeated(2, {1, 2, 3, 4, 5}), 2, 5, "local 1"),
              ElementsAre(Items{3}, Items{4}));
}

TEST_F(Select, Blocks) {
  // Five queries in rows of two, five keys in blocks of two: a row reads blocks that begin no later than its last
  // query.
  HostTensor scores = repeated(3, {1, 2, 3});
  EXPECT_THAT(select("count 9.0", {2, 2, {1, 1, 3}, 3, 3}, scores, 5, 5, "causal"),
              ElementsAre(Items{0}, Items{0, 1}, Items{0, 1, 2}));
  EXPECT_THAT(select("count 1.0", {2, 2, {1, 1, 3}, 3, 3}, scores, 5, 5, "local 1"),
              ElementsAre(Items{0}, Items{1}, Items{2}));
  // Three queries stand at 2 to 4, in rows 2 and 3, and 4.
  EXPECT_THAT(select("count 9.0", {2, 2, {1, 1, 2}, 3, 3}, repeated(2, {1, 2, 3}), 3, 5, "causal"),
              ElementsAre(Items{0, 1}, Items{0, 1, 2}));
  // One row of all queries ends with the last key.
  EXPECT_THAT(select("count 1.0", {0, 2, {1, 1, 1}, 3, 3}, repeated(1, {3, 2, 1}), 5, 5, "local 1 causal"),
              ElementsAre(Items{2}));
}

TEST_F(Select, Masked) {
  // A block is left out when none of its keys is kept.
  Index index{0, 2, {2, 1, 1}, 3, 3};
  HostTensor scores = tensor("f32", {2, 1, 1, 3}, {1, 2, 3, 1, 2, 3});
  HostTensor mask = tensor("i1", {2, 1, 1, 5}, {1, 0, 0, 0, 1, /**/ 0, 0, 1, 1, 0});
  std::string body = "%i = sattn.select #sattn.budget<count 2.0> %a mask %b queries \"4\" keys \"5\" sinks 1 : "
                     "tensor<2x1x1x3xf32> mask tensor<2x1x1x5xi1> -> " +
                     index.type();
  EXPECT_THAT(rowsOf(index, body, {scores, mask}), ElementsAre(Items{0, 2}, Items{1}));
}

TEST_F(Select, Among) {
  // Candidates of one batch item and one head, for all.
  Index index{1, 1, {2, 2, 2}, 3, 2}, candidates{1, 1, {1, 1, 2}, 3, 3};
  HostTensor scores = tensor("f32", {2, 2, 2, 3}, {1, 2, 3, 3, 2, 1, /**/ 1, 1, 1, 1, 1, 1, //
                                                   3, 2, 1, 1, 2, 3, /**/ 1, 2, 3, 1, 2, 3});
  std::string body = "%c = sattn.load_index %b : " + candidates.storage() + " -> " + candidates.type() +
                     "%i = sattn.select #sattn.budget<count 1.0> %a among %c queries \"2\" keys \"3\" : "
                     "tensor<2x2x2x3xf32>, among " +
                     candidates.type() + " -> " + index.type();
  EXPECT_THAT(rowsOf(index, body, {scores, stored(candidates, {{0, 1}, {1, 2}})}),
              ElementsAre(Items{1}, Items{1}, Items{0}, Items{1}, Items{0}, Items{2}, Items{1}, Items{2}));
  EXPECT_THAT(rowsOf(index, body, {scores, stored(candidates, {{}, {0}})}),
              ElementsAre(IsEmpty(), Items{0}, IsEmpty(), Items{0}, IsEmpty(), Items{0}, IsEmpty(), Items{0}));
}

TEST_F(Select, MoreThanFits) {
  Index index{1, 1, {1, 1, 1}, 3, 2};
  HostTensor scores = repeated(1, {1, 2, 3});
  EXPECT_THAT(errorOf(storing(index, selecting("count 3.0", index, scores, 1, 3)), index.storage(), {scores}),
              HasSubstr("found 3 items in row 0 of an index with a capacity of 2"));
}
} // namespace
