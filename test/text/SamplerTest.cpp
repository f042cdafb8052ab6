// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Picking tokens.

#include "tools/text/Sampler.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <map>

using namespace tamis::text;

namespace {
/// How often each token is picked of 20,000.
std::map<int32_t, int> counts(const SamplerOptions &options, const std::vector<float> &logits,
                              const std::vector<int32_t> &history = {}) {
  Sampler sampler(options);
  std::map<int32_t, int> counts;
  for (int i = 0; i < 20000; ++i)
    ++counts[sampler.pick(logits.data(), logits.size(), history)];
  return counts;
}

SamplerOptions warm() {
  SamplerOptions options;
  options.temperature = 1;
  return options;
}

TEST(Sampler, GreedyTakesTheFirstOfTheLargest) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(counts({}, {nan, 1, 3, 3, -1}), (std::map<int32_t, int>{{2, 20000}}));
  EXPECT_EQ(counts({}, {nan, nan}), (std::map<int32_t, int>{{0, 20000}}));
}

TEST(Sampler, PicksBySoftmax) {
  std::vector<float> logits{0, std::log(2.f), std::log(5.f), -INFINITY};
  auto picked = counts(warm(), logits);
  EXPECT_NEAR(picked[0], 2500, 200);
  EXPECT_NEAR(picked[1], 5000, 250);
  EXPECT_NEAR(picked[2], 12500, 300);
  EXPECT_EQ(picked.count(3), 0u);
  SamplerOptions cold = warm();
  cold.temperature = 0.5; // squares the weights: 1, 4, 25
  EXPECT_NEAR(counts(cold, logits)[0], 20000 / 30, 120);
}

TEST(Sampler, Filters) {
  std::vector<float> logits{std::log(1.f), std::log(2.f), std::log(3.f), std::log(4.f)}; // .1 .2 .3 .4
  SamplerOptions options = warm();
  options.topK = 2;
  EXPECT_EQ(counts(options, logits).size(), 2u);
  options = warm();
  options.topP = 0.65; // .4 + .3 reaches it
  EXPECT_EQ(counts(options, logits).size(), 2u);
  options.topP = 0; // one is always left
  EXPECT_EQ(counts(options, logits).size(), 1u);
  options = warm();
  options.minP = 0.45; // at least .18
  EXPECT_EQ(counts(options, logits).size(), 3u);
}

TEST(Sampler, PenaltyMakesWhatWasSeenUnlikely) {
  SamplerOptions options;
  options.repetitionPenalty = 2;
  EXPECT_EQ(counts(options, {3, 2, -1}, {0, 0, -5, 99}), (std::map<int32_t, int>{{1, 20000}}));
  EXPECT_EQ(counts(options, {-3, -2}, {1}), (std::map<int32_t, int>{{0, 20000}}));
}

TEST(Sampler, SameSeedSameTokens) {
  SamplerOptions options = warm(), other = warm();
  other.seed = 1;
  std::vector<float> logits(100, 0.f);
  Sampler a(options), b(options), c(other);
  int same = 0;
  for (int i = 0; i < 50; ++i) {
    int32_t token = a.pick(logits.data(), logits.size(), {});
    EXPECT_EQ(b.pick(logits.data(), logits.size(), {}), token);
    same += c.pick(logits.data(), logits.size(), {}) == token;
  }
  EXPECT_LT(same, 10);
}
} // namespace
