// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What was chosen and why, as text and as JSON.
#include "lib/driver/ChooseAttention.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <numeric>

using namespace tamis;

static std::string headsText(const ChosenHeads &heads) {
  std::string text = std::to_string(heads.first);
  return heads.count == 1 ? text : text + "-" + std::to_string(heads.first + heads.count - 1);
}

static double sumOf(llvm::ArrayRef<double> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0);
}

/// Means of relative errors: of one layer's heads, and of all.
static double errorOf(const Candidate &candidate, size_t layer, int64_t first, int64_t count) {
  double sum = 0;
  for (int64_t h = first; h < first + count && !candidate.errors[layer].empty(); ++h)
    sum += candidate.errors[layer][h].relative;
  return sum / double(count);
}
static double errorOf(const Candidate &candidate) {
  double sum = 0, heads = 0;
  for (size_t layer = 0; layer < candidate.errors.size(); ++layer)
    for (const HeadError &error : candidate.errors[layer])
      sum += error.relative, ++heads;
  return heads > 0 ? sum / heads : 0;
}

/// The mean of a figure over all layers; nothing where one of them has none.
static std::optional<double> meanOfAll(const Candidate &candidate, std::optional<double> HeadError::*figure) {
  double sum = 0;
  for (const auto &layer : candidate.errors) {
    auto mean = meanOf(layer, figure, 0, layer.size());
    if (!mean)
      return std::nullopt;
    sum += *mean / double(candidate.errors.size());
  }
  return sum;
}
static std::string figureText(std::optional<double> figure) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (figure)
    out << llvm::format("  %6.3f", *figure);
  else
    out << "       -";
  return text;
}

std::string AttentionChoice::text() const {
  std::string text;
  llvm::raw_string_ostream out(text);
  size_t width = 12;
  for (const Candidate &candidate : candidates)
    width = std::max(width, candidate.text.size());
  double dense = sumOf(candidates[0].seconds);
  out << "patterns, measured on " << passages
      << " passages: time of dense attention's; pairs at most, pairs kept and weight of dense attention kept; mean "
         "error of a head\n";
  for (const Candidate &candidate : candidates) {
    out << "  " << llvm::left_justify(candidate.text, width);
    if (candidate.refused.empty())
      out << llvm::format("  %6.3f  %6.3f", sumOf(candidate.seconds) / dense,
                          sumOf(candidate.pairs) / double(candidate.pairs.size()))
          << figureText(candidate.pattern ? meanOfAll(candidate, &HeadError::kept) : 1)
          << figureText(candidate.pattern ? meanOfAll(candidate, &HeadError::mass) : 1)
          << llvm::format("  %6.4f\n", errorOf(candidate));
    else
      out << "  not used: " << candidate.refused << "\n";
  }
  out << "chosen: pairs kept, weight of dense attention kept, error of a head\n";
  for (auto [layer, runs] : llvm::enumerate(layers))
    for (const ChosenHeads &heads : runs) {
      const Candidate &candidate = candidates[heads.candidate];
      out << llvm::format("  layer %-3zu heads %-6s", layer, headsText(heads).c_str())
          << llvm::left_justify(candidate.text, width);
      if (heads.candidate)
        out << llvm::format("  %6.3f", heads.pairs) << figureText(heads.mass)
            << llvm::format("  %6.4f", errorOf(candidate, layer, heads.first, heads.count));
      if (shared[layer])
        out << llvm::format("  what layer %zu selects, of which it would select %.2f", layer - 1, *shared[layer]);
      out << "\n";
    }
  out << llvm::format("error on %zu passages held out: %.5f (1 - cosine; %.5f is allowed), relative %.4f\n", heldOut,
                      error.cosine, maxError, error.relative);
  out << llvm::format("attention is expected to take %.2f of the time of dense attention\n", seconds / denseSeconds);
  if (denseBelow)
    out << "attention of less than " << denseBelow << " keys stays dense\n";
  return text;
}

std::string AttentionChoice::json() const {
  using llvm::json::Array;
  using llvm::json::Object;
  Array tried, chosen;
  for (const Candidate &candidate : candidates) {
    Object object{{"pattern", candidate.text}};
    if (!candidate.refused.empty()) {
      object["refused"] = candidate.refused;
    } else {
      Array errors;
      for (const auto &layer : candidate.errors) {
        Array heads;
        for (const HeadError &error : layer)
          heads.push_back(error.relative);
        errors.push_back(std::move(heads));
      }
      object["seconds"] = Array(candidate.seconds);
      object["pairs"] = Array(candidate.pairs);
      object["errors"] = std::move(errors);
      if (auto kept = candidate.pattern ? meanOfAll(candidate, &HeadError::kept) : 1)
        object["kept"] = *kept;
      if (auto mass = candidate.pattern ? meanOfAll(candidate, &HeadError::mass) : 1)
        object["mass"] = *mass;
    }
    tried.push_back(std::move(object));
  }
  for (auto [number, runs] : llvm::enumerate(layers)) {
    Array layer;
    for (const ChosenHeads &heads : runs) {
      Object object{{"first", heads.first},
                    {"count", heads.count},
                    {"pattern", candidates[heads.candidate].text},
                    {"pairs", heads.pairs}};
      if (heads.mass)
        object["mass"] = *heads.mass;
      if (shared[number])
        object["shared_overlap"] = *shared[number];
      layer.push_back(std::move(object));
    }
    chosen.push_back(std::move(layer));
  }
  auto parsed = llvm::json::parse(policy);
  Object report{{"max_error", maxError},
                {"dense_below", denseBelow},
                {"error", Object{{"cosine", error.cosine}, {"relative", error.relative}}},
                {"passages", int64_t(passages)},
                {"held_out", int64_t(heldOut)},
                {"seconds", seconds},
                {"dense_seconds", denseSeconds},
                {"candidates", std::move(tried)},
                {"layers", std::move(chosen)},
                {"policy", parsed ? std::move(*parsed) : llvm::json::Value(nullptr)}};
  std::string text;
  llvm::raw_string_ostream(text) << llvm::formatv("{0:2}", llvm::json::Value(std::move(report))) << "\n";
  return text;
}
