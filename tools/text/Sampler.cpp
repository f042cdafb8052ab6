// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The next token from its logits.

#include "tools/text/Sampler.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::text {

namespace {
struct Candidate {
  double logit;
  int32_t token;
  double weight;
};

bool isBefore(const Candidate &a, const Candidate &b) {
  return a.logit != b.logit ? a.logit > b.logit : a.token < b.token;
}
} // namespace

int32_t Sampler::pick(const float *logits, size_t count, const std::vector<int32_t> &history) {
  if (options.temperature <= 0 && options.repetitionPenalty == 1) {
    size_t best = 0;
    bool isFound = false; // no NaN
    for (size_t i = 0; i < count; ++i)
      if (!std::isnan(logits[i]) && (!isFound || logits[i] > logits[best]))
        best = i, isFound = true;
    return int32_t(best);
  }
  std::vector<Candidate> all(count);
  for (size_t i = 0; i < count; ++i)
    all[i] = {std::isnan(logits[i]) ? -std::numeric_limits<double>::infinity() : double(logits[i]), int32_t(i), 0};
  if (options.repetitionPenalty != 1) {
    std::vector<int32_t> seen = history;
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    for (int32_t token : seen)
      if (token >= 0 && size_t(token) < count) {
        double &logit = all[size_t(token)].logit;
        logit = logit > 0 ? logit / options.repetitionPenalty : logit * options.repetitionPenalty;
      }
  }
  if (options.temperature <= 0)
    return std::min_element(all.begin(), all.end(), isBefore)->token;

  size_t kept = options.topK > 0 ? std::min(count, size_t(options.topK)) : count;
  std::partial_sort(all.begin(), all.begin() + int64_t(kept), all.end(), isBefore);
  all.resize(kept);
  double sum = 0;
  for (Candidate &candidate : all) {
    double below = candidate.logit - all[0].logit;
    candidate.weight = std::isnan(below) ? 1 : std::exp(below / options.temperature); // NaN: all are -infinity
    sum += candidate.weight;
  }
  double together = 0, least = options.minP * all[0].weight;
  size_t left = 0;
  while (left < all.size() && (left == 0 || (together < options.topP * sum && all[left].weight >= least)))
    together += all[left++].weight;
  // 53 random bits: the distribution of the standard library differs between libraries.
  double at = double(random() >> 11) * 0x1p-53 * together;
  for (size_t i = 0; i < left; ++i)
    if ((at -= all[i].weight) < 0)
      return all[i].token;
  return all[left - 1].token;
}

} // namespace tamis::text
