// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How fast a language model's plan reads a prompt and writes tokens.

#ifndef TAMIS_TOOLS_TAMIS_TOKENRATES_H
#define TAMIS_TOOLS_TAMIS_TOKENRATES_H

#include "tamis/tamis.hpp"
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tamis::tool {

/// What is measured, and how often.
struct TokenRateOptions {
  std::vector<int64_t> prompts = {512}; ///< "pp": tokens that are read at once, after none
  std::vector<int64_t> texts = {128};   ///< "tg": tokens that are read one by one, after none
  std::vector<int> threads = {0};
  int repetitions = 0; ///< runs of each; 0: five
  uint64_t seed = 1;   ///< of the tokens, which are random: speed does not depend on them
};

/// One test at one number of threads.
struct TokenRate {
  std::string test; ///< "pp512", "tg128"
  int64_t tokens;
  int threads;
  std::vector<double> rates; ///< tokens a second of each run

  double mean() const;
  double deviation() const; ///< of the runs, as of a sample
  double median() const;
};

/// Does this plan have the inputs of a language model with a cache?
bool isLanguageModel(const Plan &plan);

/// Measures as llama-bench does: a run of each test that does not count, then the runs; logits of the last token alone,
/// nothing is sampled. Errors: the plan's; tests longer than its context.
Result<std::vector<TokenRate>> measureTokenRates(const std::shared_ptr<const Plan> &plan,
                                                 const TokenRateOptions &options);

std::string tokenRatesText(const std::vector<TokenRate> &rates);
nlohmann::ordered_json tokenRatesJson(const std::vector<TokenRate> &rates);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_TOKENRATES_H
