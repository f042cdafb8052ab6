// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The next token from its logits.

#ifndef TAMIS_TOOLS_TEXT_SAMPLER_H
#define TAMIS_TOOLS_TEXT_SAMPLER_H

#include <cstdint>
#include <random>
#include <vector>

namespace tamis::text {

struct SamplerOptions {
  double temperature = 0;       ///< divides the logits; 0: the most likely token, always
  int64_t topK = 0;             ///< only the k most likely; 0: all
  double topP = 1;              ///< only the most likely that together have this probability
  double minP = 0;              ///< only those at least this share as likely as the most likely
  double repetitionPenalty = 1; ///< of tokens seen: divides positive logits and multiplies negative ones (Keskar et
                                ///< al., "CTRL", 2019, arXiv:1909.05858)
  uint64_t seed = 0;
};

/// Filters in the order penalty, k, temperature, p, min-p. The same options, logits and history give the same tokens on
/// every machine whose exponential is the same. Ties go to the lower id; NaN is never picked.
class Sampler {
public:
  explicit Sampler(const SamplerOptions &options) : options(options), random(options.seed) {}

  /// `logits` of all `count` > 0 tokens; `history` is what the penalty is for.
  int32_t pick(const float *logits, size_t count, const std::vector<int32_t> &history);

private:
  SamplerOptions options;
  std::mt19937_64 random;
};

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_SAMPLER_H
