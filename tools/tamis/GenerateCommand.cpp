// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis generate: text from a language model's plan.

#include "runtime/npy/NpyFile.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/LanguageModel.h"
#include "tools/tamis/Terminal.h"
#include "tools/text/Chat.h"
#include "tools/text/Sampler.h"
#include "tools/text/TextStream.h"
#include <algorithm>
#include <chrono>
#include <memory>

namespace tamis::tool {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {
struct Options {
  std::string path, prompt, system, level, logitsPath, cacheFile;
  std::vector<std::string> stops;
  bool isChat = false, isJson = false;
  int64_t tokens = 128, chunk = 512;
  int threads = 0;
  text::SamplerOptions sampler;
};
} // namespace

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

static int generate(const Options &options) {
  Result<LanguageModel> model = LanguageModel::open(options.path, options.level, options.threads);
  if (!model)
    return fail(model.error());
  auto &[decoder, tokenizer, about] = *model;
  auto failHere = [&](const std::string &what) { return fail(options.path + ": " + what); };

  std::string prompt = options.prompt;
  if (options.isChat) {
    auto turns = nlohmann::ordered_json::array();
    if (!options.system.empty())
      turns.push_back({{"role", "system"}, {"content", options.system}});
    turns.push_back({{"role", "user"}, {"content", options.prompt}});
    Result<std::string> chat = text::chatText(about, tokenizer, turns);
    if (!chat)
      return failHere(chat.error().message());
    prompt = *chat;
  }
  std::vector<int32_t> tokens = model->encode(prompt);
  if (tokens.empty())
    return failHere("the prompt is empty");
  auto promptSize = int64_t(tokens.size());
  const std::vector<int32_t> promptTokens = tokens;
  if (promptSize >= decoder.positions())
    return failHere("the prompt has " + std::to_string(promptSize) + " tokens but the model's context holds " +
                    std::to_string(decoder.positions()));
  int64_t most = std::min(options.tokens, decoder.positions() - promptSize);
  if (!options.cacheFile.empty() && !decoder.isPaged())
    return failHere("--cache-file is for plans that keep their cache in pages");
  // A text that is continued may be longer than this one: pages that are not used take no memory.
  int64_t room = options.cacheFile.empty() ? promptSize + most : decoder.positions();
  if (Result<void> reserved = decoder.reserve(room, options.chunk); !reserved)
    return failHere(reserved.error().message());
  Result<int64_t> known = options.cacheFile.empty() ? int64_t(0) : decoder.resume(options.cacheFile, tokens);
  if (!known)
    return fail(known.error());

  std::vector<int32_t> ends = about.value("end", std::vector<int32_t>());
  text::Sampler sampler(options.sampler);
  text::TextStream stream(options.stops);
  auto show = [&] {
    std::string_view fresh = stream.take();
    if (options.isJson || fresh.empty())
      return;
    fwrite(fresh.data(), 1, fresh.size(), stdout);
    fflush(stdout);
  };
  std::vector<int32_t> made;
  std::vector<float> kept; // the logits of each choice, where they are asked for
  const char *reason = "length";
  Clock::time_point start = Clock::now();
  Result<const float *> logits = decoder.read({tokens.begin() + ptrdiff_t(*known), tokens.end()});
  double promptSeconds = secondsSince(start);
  start = Clock::now();
  while (logits && int64_t(made.size()) < most) {
    if (!options.logitsPath.empty())
      kept.insert(kept.end(), *logits, *logits + decoder.vocabulary());
    int32_t token = sampler.pick(*logits, size_t(decoder.vocabulary()), tokens);
    if (std::find(ends.begin(), ends.end(), token) != ends.end()) {
      reason = "end";
      break;
    }
    made.push_back(token);
    tokens.push_back(token);
    bool goesOn = stream.add(tokenizer.decode({token}));
    show();
    if (!goesOn) {
      reason = "stop";
      break;
    }
    if (int64_t(made.size()) < most)
      logits = decoder.read({token});
  }
  if (!logits)
    return failHere(logits.error().message());
  stream.finish();
  show();
  double seconds = secondsSince(start);
  if (!options.logitsPath.empty()) {
    int64_t rows = int64_t(kept.size()) / decoder.vocabulary();
    if (Result<void> written = npy::writeNpy(options.logitsPath, Tensor(kept.data(), {rows, decoder.vocabulary()}));
        !written)
      return fail(written.error());
  }
  if (!options.cacheFile.empty())
    if (Result<void> saved = decoder.save(options.cacheFile); !saved)
      return fail(saved.error());
  double promptRate = double(promptSize - *known) / promptSeconds, rate = double(made.size()) / seconds;
  if (options.isJson) {
    Json result{{"text", stream.all()},       {"tokens", made},          {"prompt_tokens", promptSize},
                {"prompt_ids", promptTokens}, {"reason", reason},        {"prompt_tokens_per_second", promptRate},
                {"tokens_per_second", rate},  {"cached_tokens", *known}, {"cache_bytes", decoder.cacheBytes()}};
    if (cache::PagedCache *pages = decoder.pages()) {
      cache::Statistics now = pages->statistics();
      result["cache"] = {{"page_tokens", pages->pageTokens()},
                         {"page_bytes", now.pageBytes},
                         {"pages", now.pages},
                         {"used", now.used},
                         {"shared", now.shared},
                         {"idle", now.idle},
                         {"tokens", now.tokensRead},
                         {"tokens_adopted", now.tokensAdopted}};
    }
    printf("%s\n", result.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return kSuccess;
  }
  printf("\n");
  fflush(stdout);
  if (hasTerminal())
    fprintf(stderr, "%lld tokens read at %.1f a second, %zu written at %.1f a second; the cache holds %.1f MB\n",
            static_cast<long long>(promptSize), promptRate, made.size(), rate, double(decoder.cacheBytes()) / 1e6);
  return kSuccess;
}

Command addGenerateCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("generate", "Continue a text with a language model's plan");
  auto options = std::make_shared<Options>();
  app->add_option("PLAN", options->path, "a plan of a language model, with its tokenizer")->required();
  app->add_option("--prompt", options->prompt, "the text to continue, or what is said to the model with --chat")
      ->required()
      ->option_text("TEXT");
  app->add_flag("--chat", options->isChat, "put the prompt into the model's form of a conversation");
  app->add_option("--system", options->system, "with --chat: what the model is told first")->option_text("TEXT");
  app->add_option("--tokens", options->tokens, "how many to write at most")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24))
      ->option_text("N [128]");
  app->add_option("--temperature", options->sampler.temperature, "0: always the most likely token")
      ->check(CLI::Range(0.0, 100.0))
      ->option_text("T [0]");
  app->add_option("--top-k", options->sampler.topK, "of the k most likely alone; 0: of all")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 24))
      ->option_text("K [0]");
  app->add_option("--top-p", options->sampler.topP, "of the most likely that have this probability together")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("P [1]");
  app->add_option("--min-p", options->sampler.minP, "of those this share as likely as the most likely")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("P [0]");
  app->add_option("--repetition-penalty", options->sampler.repetitionPenalty, "above 1: tokens seen become unlikely")
      ->check(CLI::Range(0.01, 100.0))
      ->option_text("R [1]");
  app->add_option("--seed", options->sampler.seed, "the same seed gives the same text")->option_text("N [0]");
  addList(*app, "--stop", options->stops, "end before this text; may be repeated")->option_text("TEXT");
  app->add_option("--chunk", options->chunk, "tokens of the prompt that are read at once")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 24))
      ->option_text("N [512]");
  app->add_option("--cache-file", options->cacheFile,
                  "the cache of an earlier text: what it begins with alike is not read again; written at the end")
      ->option_text("FILE");
  app->add_flag("--json", options->isJson, "print text, tokens, why it ended and rates as JSON at the end");
  app->add_option("--logits", options->logitsPath, "write the logits of each choice, f32 [choices, vocabulary]")
      ->option_text("FILE.npy");
  app->add_option("--threads", options->threads, "0 means one for each CPU")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  app->add_option("--level", options->level, "use the plan's code of this name alone, such as x86-64-v3")
      ->option_text("NAME");
  return {app, [options] {
            for (const std::string &stop : options->stops)
              if (stop.empty())
                return failUsage("--stop is given no text");
            return generate(*options);
          }};
}

} // namespace tamis::tool
