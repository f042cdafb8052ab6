// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Patterns find their weights from samples of dense attention.
#include "dialects/sattn/LeastSquares.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/AsmParser/AsmParser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cmath>
#include <random>

using namespace tamis::sattn;

namespace {
class Fit : public testing::Test {
protected:
  Fit() { context.loadDialect<SattnDialect>(); }
  PatternAttrInterface pattern(const char *text) {
    return llvm::cast<PatternAttrInterface>(mlir::parseAttribute(text, &context));
  }
  std::vector<double> normal(int64_t count) {
    std::vector<double> numbers(count);
    for (double &number : numbers)
      number = std::normal_distribution<>()(generator);
    return numbers;
  }
  AttentionInputs sample(int64_t tokens, int64_t heads, int64_t kvHeads, int64_t width = 4) {
    AttentionInputs item{tokens,
                         tokens,
                         heads,
                         kvHeads,
                         width,
                         width,
                         normal(tokens * heads * width),
                         normal(tokens * kvHeads * width),
                         normal(tokens * kvHeads * width)};
    item.sameTokens = true;
    item.scale = 0.5;
    return item;
  }
  static void expectNear(const std::vector<double> &found, const std::vector<double> &wanted, double tolerance) {
    ASSERT_EQ(found.size(), wanted.size());
    for (size_t i = 0; i < found.size(); ++i)
      EXPECT_NEAR(found[i], wanted[i], tolerance) << "at " << i;
  }
  static bool isFinite(const std::vector<std::vector<double>> &weights) {
    return llvm::all_of(weights, [](const std::vector<double> &weight) {
      return llvm::all_of(weight, [](double x) { return std::isfinite(x); });
    });
  }

  mlir::MLIRContext context;
  std::mt19937 generator{3};
};

/// Every query of a head is the same: what a token receives is the exponential of a product with its key.
void repeatFirstQuery(AttentionInputs &item) {
  int64_t width = item.heads * item.width;
  for (int64_t q = 1; q < item.queries; ++q)
    std::copy_n(item.query.begin(), width, item.query.begin() + q * width);
}

TEST_F(Fit, LeastSquares) {
  std::vector<double> truth = normal(7);
  LeastSquares regression(7);
  for (int i = 0; i < 150; ++i) { // more than are summed at a time
    std::vector<double> features = normal(7);
    double target = 0;
    for (int j = 0; j < 7; ++j)
      target += truth[j] * features[j];
    regression.add(features, target);
  }
  regression.add({1, 1, NAN, 1, 1, 1, 1}, 5);
  regression.add({1, 1, 1, 1, 1, 1, 1}, INFINITY);
  expectNear(regression.solve(), truth, 1e-5);
}

TEST_F(Fit, LeastSquaresOfLittle) {
  EXPECT_THAT(LeastSquares(3).solve(), testing::Each(0));
  EXPECT_THAT(LeastSquares(0).solve(), testing::IsEmpty());
  // Two features that say the same share a weight, one that says nothing has none.
  LeastSquares same(3);
  for (double x : {1.0, 2.0, -3.0})
    same.add({x, x, 0}, 4 * x);
  expectNear(same.solve(), {2, 2, 0}, 1e-4);
  LeastSquares large(2);
  large.add({1e200, 1}, 1e300);
  for (double weight : large.solve())
    EXPECT_TRUE(std::isfinite(weight));
}

TEST_F(Fit, GateOfOneHead) {
  std::vector<AttentionInputs> samples;
  std::vector<double> query = normal(4), truth;
  for (double x : query)
    truth.push_back(0.5 * x);
  for (int64_t tokens : {20, 35}) {
    samples.push_back(sample(tokens, 1, 1));
    std::copy(query.begin(), query.end(), samples.back().query.begin());
    repeatFirstQuery(samples.back());
  }
  for (const char *text : {"#sattn.gate_quantile<>", "#sattn.dynamic_gate<>", "#sattn.token_activation<>"}) {
    auto weights = pattern(text).fit(samples);
    ASSERT_EQ(weights.size(), 1u);
    expectNear(weights[0], truth, 1e-4);
  }
}

// Heads 0 and 1 read the first head of keys, and ask the same; 2 and 3 the second.
TEST_F(Fit, GatePerHead) {
  AttentionInputs item = sample(50, 4, 2, 3);
  std::copy_n(item.query.begin(), 3, item.query.begin() + 3);
  std::copy_n(item.query.begin() + 6, 3, item.query.begin() + 9);
  repeatFirstQuery(item);
  std::vector<double> truth(2 * 6);
  for (int64_t d = 0; d < 3; ++d) {
    truth[d] = 0.5 * item.query[d];
    truth[6 + 3 + d] = 0.5 * item.query[6 + d];
  }
  for (const char *text : {"#sattn.gate_quantile<per_head = true>", "#sattn.dynamic_gate<per_head = true>"})
    expectNear(pattern(text).fit({item})[0], truth, 1e-4);
  EXPECT_EQ(pattern("#sattn.gate_quantile<>").fit({item})[0].size(), 6u);
}

// What is left out is no observation, and what it holds does not matter.
TEST_F(Fit, GateOfMaskedTokens) {
  AttentionInputs item = sample(30, 1, 1);
  repeatFirstQuery(item);
  item.keyKept.assign(30, true);
  std::vector<double> truth;
  for (int64_t d = 0; d < 4; ++d)
    truth.push_back(0.5 * item.query[d]);
  for (int64_t k : {0, 7, 29}) {
    item.keyKept[k] = false;
    std::fill_n(item.key.begin() + k * 4, 4, 1e3);
    std::fill_n(item.query.begin() + k * 4, 4, -50);
  }
  item.added = [&](int64_t, int64_t, int64_t k) { return item.keyKept[k] ? 0.0 : -INFINITY; };
  expectNear(pattern("#sattn.gate_quantile<>").fit({item})[0], truth, 1e-4);
}

// Every query reads alike what it may, and a token has fewer readers the later it stands: they count, not their number.
TEST_F(Fit, GateInCausalOrder) {
  AttentionInputs item = sample(40, 1, 1, 1);
  item.causal = true;
  std::fill(item.query.begin(), item.query.end(), 0);
  for (int64_t k = 0; k < 40; ++k) {
    double sum = 0;
    for (int64_t q = k; q < 40; ++q)
      sum += 1.0 / (q + 1);
    item.key[k] = std::log(sum / (40 - k));
  }
  expectNear(pattern("#sattn.gate_quantile<>").fit({item})[0], {1}, 1e-4);
}

// Two keys: one that nearly everything goes to, with a value of zero, and one whose weight is an exponential.
TEST_F(Fit, Focus) {
  std::vector<AttentionInputs> samples;
  std::vector<double> key = normal(4);
  for (int64_t tokens : {30, 45}) {
    AttentionInputs item = sample(tokens, 1, 1);
    item.key.assign(item.key.size(), 0);
    item.value.assign(item.value.size(), 0);
    std::copy(key.begin(), key.end(), item.key.begin());
    item.value[2] = 3;
    item.added = [](int64_t, int64_t, int64_t k) { return k == 0 ? 0.0 : k == 1 ? 40.0 : -INFINITY; };
    samples.push_back(item);
  }
  auto weights = pattern("#sattn.focus_aware<>").fit(samples);
  ASSERT_EQ(weights.size(), 2u);
  std::vector<double> truth(12);
  for (int64_t d = 0; d < 4; ++d)
    truth[4 + d] = 0.5 * key[d];
  expectNear(weights[0], truth, 1e-4);
  EXPECT_TRUE(std::isfinite(weights[1][0]));
  // A share of the tokens is below one half.
  int64_t below = 0, all = 0;
  for (const AttentionInputs &item : samples)
    for (int64_t t = 0; t < item.queries; ++t, ++all) {
      double logit = weights[1][0];
      for (int64_t d = 0; d < 4; ++d)
        logit += truth[4 + d] * item.query[t * 4 + d];
      below += logit < 0;
    }
  EXPECT_NEAR(double(below) / all, 0.63, 0.1);
}

// Keys that are codewords already are found again, whatever a mask leaves out.
TEST_F(Fit, Codebook) {
  AttentionInputs item = sample(60, 2, 2);
  item.keyKept.assign(60, true);
  for (int64_t k = 0; k < 60; ++k)
    for (int64_t part = 0; part < 4; ++part) // of two heads
      for (int64_t d = 0; d < 2; ++d)
        item.key[(k * 4 + part) * 2 + d] = k % 3 + 10 * part + 100 * d;
  item.keyKept[1] = false;
  item.key[8] = 1e6;
  auto ann = pattern("#sattn.ann<method = pq, parts = 2, centroids = 3>");
  std::vector<double> found = ann.fit({item}).front(), wanted;
  ASSERT_EQ(found.size(), 24u);
  for (int64_t row = 0; row < 4; ++row) {
    std::vector<double> first{found[row * 6], found[row * 6 + 2], found[row * 6 + 4]};
    llvm::sort(first);
    EXPECT_THAT(first, testing::ElementsAre(10 * row, 10 * row + 1, 10 * row + 2));
  }
}

// Logits of two columns, of one head: the indexer of as many orders keys as they do.
TEST_F(Fit, Indexer) {
  AttentionInputs item = sample(30, 1, 1);
  for (int64_t t = 0; t < 30; ++t) {
    item.query[t * 4] = 1; // a constant, of which the weights of index heads can be made
    item.key[t * 4] = 7;   // and that orders no keys
    item.key[t * 4 + 3] = item.key[t * 4 + 1] + item.key[t * 4 + 2];
  }
  auto indexer = pattern("#sattn.indexer<k = 5, heads = 2, width = 2>"), best = pattern("#sattn.top_k<k = 5>");
  item.weights = indexer.fit({item});
  HeadInputs head(item, 0);
  KeptPairs found(30, 30), wanted(30, 30);
  indexer.keep(head, found);
  best.keep(head, wanted);
  for (int64_t q = 0; q < 30; ++q)
    for (int64_t k = 0; k < 30; ++k)
      EXPECT_EQ(found(q, k), wanted(q, k)) << "query " << q << " key " << k;
}

// The branch that is dense attention gets the gate.
TEST_F(Fit, Branches) {
  AttentionInputs item = sample(40, 2, 1);
  item.causal = true;
  auto nsa =
      pattern("#sattn.compressed_selected_window<block = 4, k = 1, sinks = 0, local = 1, compress = 4, window = 40>");
  auto weights = nsa.fit({item});
  EXPECT_THAT(weights[0], testing::Each(0));
  double open = std::log(0.99 / 0.01);
  for (int64_t h = 0; h < 2; ++h)
    expectNear({weights[1].begin() + 3 * h, weights[1].begin() + 3 * h + 3}, {-open, -open, open}, 1e-6);
}

TEST_F(Fit, SingularSamples) {
  for (const char *text :
       {"#sattn.gate_quantile<>", "#sattn.gate_quantile<per_head = true>", "#sattn.dynamic_gate<>",
        "#sattn.token_activation<>", "#sattn.focus_aware<>", "#sattn.focus_aware<threshold = 0.5>",
        "#sattn.ann<method = pq, parts = 2>", "#sattn.compressed_selected_window<>", "#sattn.indexer<>"}) {
    SCOPED_TRACE(text);
    for (int kind = 0; kind < 6; ++kind) {
      AttentionInputs item = sample(kind == 0 ? 0 : kind == 1 ? 1 : 9, 4, 2);
      if (kind == 2)
        item.key.assign(item.key.size(), 1);
      if (kind == 3)
        item.value.assign(item.value.size(), 0);
      if (kind == 4)
        item.keyKept.assign(9, false);
      if (kind == 5)
        item.query[5] = item.key[9] = item.value[11] = NAN;
      item.causal = kind == 5;
      auto weights = pattern(text).fit({item});
      AttentionSizes sizes{item.queries, item.keys, 4, 2, 4, 4, false};
      auto wanted = pattern(text).weights(sizes);
      ASSERT_EQ(weights.size(), wanted.size());
      for (auto [found, weight] : llvm::zip(weights, wanted))
        EXPECT_EQ(int64_t(found.size()), llvm::product_of(weight.shape)) << weight.name.str();
      EXPECT_TRUE(isFinite(weights)) << "samples of kind " << kind;
    }
    for (const std::vector<double> &weight : pattern(text).fit({}))
      EXPECT_TRUE(weight.empty());
  }
}
} // namespace
