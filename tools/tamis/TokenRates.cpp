// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How fast a language model's plan reads a prompt and writes tokens.

#include "tools/tamis/TokenRates.h"
#include "tools/tamis/Decoder.h"
#include "tools/tamis/Table.h"
#include "tools/tamis/Terminal.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

namespace tamis::tool {

using Clock = std::chrono::steady_clock;

double TokenRate::mean() const {
  return std::accumulate(rates.begin(), rates.end(), 0.0) / double(rates.size());
}

double TokenRate::deviation() const {
  double squares = 0;
  for (double rate : rates)
    squares += (rate - mean()) * (rate - mean());
  return rates.size() > 1 ? std::sqrt(squares / double(rates.size() - 1)) : 0;
}

double TokenRate::median() const {
  std::vector<double> sorted = rates;
  std::sort(sorted.begin(), sorted.end());
  size_t half = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

bool isLanguageModel(const Plan &plan) {
  std::vector<tamis_tensor_info> inputs = plan.inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const tamis_tensor_info &info) { return std::string(info.name) == "logits_at"; });
}

/// Seconds that it takes to read `tokens` after none, in as few runs of the plan as `chunk` allows.
static Result<double> timed(Decoder &decoder, const std::vector<int32_t> &tokens, size_t chunk) {
  decoder.truncate(0);
  Clock::time_point start = Clock::now();
  for (size_t at = 0; at < tokens.size(); at += chunk) {
    size_t end = std::min(at + chunk, tokens.size());
    Result<const float *> logits =
        decoder.read(std::vector<int32_t>(tokens.begin() + int64_t(at), tokens.begin() + int64_t(end)));
    if (!logits)
      return logits.error();
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Result<std::vector<TokenRate>> measureTokenRates(const std::shared_ptr<const Plan> &plan,
                                                 const TokenRateOptions &options) {
  constexpr int enough = 5;
  constexpr int64_t chunk = 512;
  std::vector<TokenRate> found;
  ProgressLine progress;
  for (int threads : options.threads) {
    Result<Decoder> decoder = Decoder::open(plan, threads);
    if (!decoder)
      return decoder.error();
    Result<Context> counted = plan->context(threads); // asked how many threads 0 means
    if (!counted)
      return counted.error();
    int64_t longest = 1;
    for (const auto *list : {&options.prompts, &options.texts})
      for (int64_t tokens : *list)
        longest = std::max(longest, tokens);
    if (Result<void> room = decoder->reserve(longest, chunk); !room)
      return room.error();
    std::mt19937_64 random(options.seed);
    auto measure = [&](const char *kind, int64_t count, size_t atOnce) -> Result<void> {
      TokenRate rate{kind + std::to_string(count), count, counted->threads(), {}};
      progress.show("measuring " + rate.test + " with " + std::to_string(rate.threads) + " threads ...");
      std::vector<int32_t> tokens;
      for (int64_t i = 0; i < count; ++i)
        tokens.push_back(int32_t(random() % uint64_t(decoder->vocabulary())));
      int runs = options.repetitions ? options.repetitions : enough;
      for (int run = -1; run < runs; ++run) {
        Result<double> seconds = timed(*decoder, tokens, atOnce);
        if (!seconds)
          return seconds.error();
        if (run >= 0)
          rate.rates.push_back(double(count) / std::max(*seconds, 1e-9));
      }
      found.push_back(std::move(rate));
      return {};
    };
    for (int64_t tokens : options.prompts)
      if (Result<void> done = measure("pp", tokens, size_t(chunk)); !done)
        return done.error();
    for (int64_t tokens : options.texts)
      if (Result<void> done = measure("tg", tokens, 1); !done)
        return done.error();
  }
  return found;
}

std::string tokenRatesText(const std::vector<TokenRate> &rates) {
  Table table(
      {{"test"}, {"threads", Table::right}, {"tokens/s", Table::right}, {"+-", Table::right}, {"runs", Table::right}});
  for (const TokenRate &rate : rates)
    table.add({rate.test, std::to_string(rate.threads), format("%.2f", rate.mean()), format("%.2f", rate.deviation()),
               std::to_string(rate.rates.size())});
  return table.text();
}

nlohmann::ordered_json tokenRatesJson(const std::vector<TokenRate> &rates) {
  auto list = nlohmann::ordered_json::array();
  for (const TokenRate &rate : rates)
    list.push_back({{"test", rate.test},
                    {"tokens", rate.tokens},
                    {"threads", rate.threads},
                    {"tokens_per_second", rate.mean()},
                    {"deviation", rate.deviation()},
                    {"median_tokens_per_second", rate.median()},
                    {"runs", rate.rates}});
  return list;
}

} // namespace tamis::tool
