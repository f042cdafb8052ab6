// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis perplexity: how well a language model's plan foretells a text.

#include "tools/tamis/Command.h"
#include "tools/tamis/LanguageModel.h"
#include "tools/tamis/Terminal.h"
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string path, file, level;
  int64_t window = 512, windows = 0, chunk = 0, judged = 0;
  int threads = 0;
  bool isJson = false;
};

/// Sums of what each token that is judged costs, in nats.
struct Cost {
  double sum = 0, squares = 0;
  int64_t count = 0;

  void add(const float *logits, int64_t vocabulary, int32_t token) {
    double most = *std::max_element(logits, logits + vocabulary), weights = 0;
    for (int64_t i = 0; i < vocabulary; ++i)
      weights += std::exp(double(logits[i]) - most);
    double cost = std::log(weights) + most - double(logits[token]);
    sum += cost, squares += cost * cost, ++count;
  }
  double mean() const { return sum / double(count); }
  /// Of the mean, as if tokens were independent.
  double error() const {
    double variance = squares / double(count) - mean() * mean();
    return count > 1 ? std::sqrt(std::max(0.0, variance) / double(count - 1)) : 0;
  }
};
} // namespace

static int measure(const Options &options) {
  std::ifstream file(options.file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file)
    return fail("cannot read '" + options.file + "'");
  Result<LanguageModel> model = LanguageModel::open(options.path, options.level, options.threads);
  if (!model)
    return fail(model.error());
  Decoder &decoder = model->decoder;
  int64_t window = std::min(options.window, decoder.positions());
  std::vector<int32_t> tokens = model->encode(text);
  auto windows = int64_t(tokens.size()) / window;
  if (options.windows)
    windows = std::min(windows, options.windows);
  if (!windows)
    return fail(options.file + ": has " + std::to_string(tokens.size()) + " tokens but one window of " +
                std::to_string(window) + " is wanted");
  int64_t judged = options.judged ? std::min(options.judged, window - 1) : window - window / 2, first = window - judged;
  if (Result<void> room = decoder.reserve(window, window); !room)
    return fail(options.path + ": " + room.error().message());
  ProgressLine progress;
  Cost cost;
  for (int64_t i = 0; i < windows; ++i) {
    progress.show("window " + std::to_string(i + 1) + " of " + std::to_string(windows));
    const int32_t *text = tokens.data() + i * window;
    decoder.truncate(0);
    // Tokens of the first half have little before them, and are not judged.
    auto judge = [&](const float *logits, int64_t at, int64_t count) {
      for (int64_t t = std::max(at, first); t < at + count && t + 1 < window; ++t)
        cost.add(logits + (t - at) * decoder.vocabulary(), decoder.vocabulary(), text[t + 1]);
    };
    // Those before come as a prompt does, in chunks of hundreds, and without logits of all.
    constexpr int64_t promptChunk = 512;
    auto read = [&](int64_t begin, int64_t end, int64_t chunk, bool isJudged) -> Result<void> {
      if (begin == end)
        return {};
      if (Result<void> room = decoder.reserve(window, chunk); !room)
        return room;
      std::function<void(const float *, int64_t, int64_t)> each;
      if (isJudged)
        each = judge;
      Result<const float *> done = decoder.read({text + begin, text + end}, each);
      return done ? Result<void>() : Result<void>(done.error());
    };
    int64_t split = options.chunk ? first : 0;
    Result<void> done = read(0, split, promptChunk, false);
    if (done)
      done = read(split, window, options.chunk ? options.chunk : window, true);
    if (!done)
      return fail(options.path + ": " + done.error().message());
  }
  progress.clear();
  double perplexity = std::exp(cost.mean());
  if (options.isJson)
    printf("%s\n", nlohmann::json{{"perplexity", perplexity},
                                  {"error", perplexity * cost.error()},
                                  {"mean_nats", cost.mean()},
                                  {"tokens", cost.count},
                                  {"window", window}}
                       .dump(2)
                       .c_str());
  else
    printf("perplexity %.4f +- %.4f over %lld tokens, in windows of %lld\n", perplexity, perplexity * cost.error(),
           static_cast<long long>(cost.count), static_cast<long long>(window));
  return kSuccess;
}

Command addPerplexityCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("perplexity", "Measure how well a language model's plan foretells a text");
  auto options = std::make_shared<Options>();
  app->add_option("PLAN", options->path, "a plan of a language model, with its tokenizer")->required();
  app->add_option("FILE", options->file, "a text, UTF-8")->required();
  app->add_option("--window", options->window,
                  "tokens that are read from a cold start; those of its second half are judged")
      ->check(CLI::Range(int64_t(4), int64_t(1) << 24))
      ->option_text("N [512]");
  app->add_option("--judge", options->judged, "how many tokens at the end of a window are judged; 0: its second half")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 24))
      ->option_text("N [0]");
  app->add_option(
         "--chunk", options->chunk,
         "read those that are judged so many at a time, after the others as a prompt: 1 is how text is written; "
         "0: the window at once")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 24))
      ->option_text("N [0]");
  app->add_option("--windows", options->windows, "how many at most; 0: all of the text")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40))
      ->option_text("N [0]");
  app->add_flag("--json", options->isJson, "print the figures as JSON");
  app->add_option("--threads", options->threads, "0 means one for each CPU")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  app->add_option("--level", options->level, "use the plan's code of this name alone, such as x86-64-v3")
      ->option_text("NAME");
  return {app, [options] { return measure(*options); }};
}

} // namespace tamis::tool
