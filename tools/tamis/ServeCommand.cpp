// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis serve: a plan behind OpenAI's API.

#include "runtime/cache/PagedCache.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Decoder.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Terminal.h"
#include "tools/tamis/TokenRates.h"
#include "tools/tamis/serve/Service.h"
#include <csignal>
#include <filesystem>
#include <pthread.h>
#include <sys/resource.h>

namespace tamis::tool {

using namespace serve;

namespace {
struct Options {
  std::string path, host = "127.0.0.1", mode = "realtime", name, level;
  int port = 8080, threads = 0;
  // -1: as the mode says
  int64_t batch = -1, chunk = -1;
  double waitMilliseconds = -1;
  int64_t queue = 64, maxTokens = 4096, maxSeconds = 120, cacheMegabytes = 1024, drainSeconds = 30;
  double maxBodyMegabytes = 4, requestSeconds = 10;
};

/// What the two modes choose: small batches and short steps, so that nobody waits long; or large ones, so that most
/// is done in an hour.
struct Mode {
  int64_t batch, chunk;
  double waitMilliseconds;
};
constexpr Mode kRealtime{4, 64, 2}, kOffline{128, 512, 20};
} // namespace

/// Adds what answers requests for this kind of plan.
static Result<void> fill(Service &service, Plan given, const Options &options) {
  auto shared = std::make_shared<const Plan>(std::move(given));
  const Plan &plan = *shared;
  const Mode &mode = options.mode == "offline" ? kOffline : kRealtime;
  int64_t batch = options.batch > 0 ? options.batch : mode.batch;
  service.about = nlohmann::json::parse(sectionText(plan, "generation"), nullptr, /*allow_exceptions=*/false);
  if (!service.about.is_object())
    service.about = nlohmann::json::object();
  if (std::string json = sectionText(plan, "tokenizer"); !json.empty()) {
    Result<text::Tokenizer> tokenizer = text::Tokenizer::parse(json);
    if (!tokenizer)
      return tokenizer.error();
    service.tokenizer = std::move(*tokenizer);
  }
  if (isLanguageModel(plan)) {
    EngineOptions engine;
    engine.running = batch, engine.waiting = options.queue;
    engine.chunk = options.chunk > 0 ? options.chunk : mode.chunk;
    // Pages hold whole numbers of tokens: more than the model has positions, perhaps.
    engine.context = std::max<int64_t>(0, service.about.value("context", int64_t(0)));
    engine.ends = service.about.value("end", std::vector<int32_t>());
    auto make = cache::PagedCache::isPaged(plan) ? makePagedModel : makeOneByOneModel;
    auto model = make(shared, options.threads, options.cacheMegabytes << 20);
    if (!model)
      return model.error();
    service.engine = std::make_unique<Engine>(std::move(*model), std::move(engine));
    return {};
  }
  EmbedderOptions embedder;
  embedder.batch = batch, embedder.waiting = options.queue * 64;
  double wait = options.waitMilliseconds >= 0 ? options.waitMilliseconds : mode.waitMilliseconds;
  embedder.wait = std::chrono::microseconds(int64_t(wait * 1000));
  embedder.onBatch = [&service](size_t size) { service.metrics.embeddingBatch(size); };
  auto made = Embedder::make(plan, options.threads, std::move(embedder));
  if (!made)
    return made.error();
  service.embedder = std::move(*made);
  return {};
}

static int run(const Options &options) {
  // Before any thread is made: all have these signals blocked, and one waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int each : {SIGTERM, SIGINT})
    sigaddset(&signals, each);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // Every connection is an open file.
  if (rlimit files; !getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }

  LoadOptions load;
  load.level = options.level;
  Result<Plan> plan = openPlan(options.path, load);
  if (!plan)
    return fail(plan.error());
  Service service;
  service.name = options.name.empty() ? std::filesystem::path(options.path).stem().string() : options.name;
  service.limits = {options.maxTokens, std::chrono::seconds(options.maxSeconds)};
  if (Result<void> filled = fill(service, std::move(*plan), options); !filled)
    return fail(options.path + ": " + filled.error().message());

  HttpLimits limits;
  limits.body = size_t(options.maxBodyMegabytes * 1e6);
  limits.request = std::chrono::milliseconds(int64_t(options.requestSeconds * 1000));
  HttpServer server(limits);
  service.install(server);
  int port = server.bind(options.host, options.port);
  if (port < 0)
    return fail("cannot listen on " + options.host + " port " + std::to_string(options.port) + ": " + strerror(errno));
  printf("%s listens on http://%s:%d\n", service.name.c_str(), options.host.c_str(), port);
  fflush(stdout);

  std::atomic<bool> isOver = false;
  std::thread watch([&] {
    timespec look{0, 100'000'000};
    while (!isOver && sigtimedwait(&signals, nullptr, &look) < 0) {
    }
    if (isOver)
      return;
    // The server itself stops last: it would cut streams short. A second signal, or the end of the time for it, ends
    // what is still being answered.
    service.isDraining = true;
    for (int64_t left = options.drainSeconds * 10; left > 0 && service.active > 0; --left)
      if (sigtimedwait(&signals, nullptr, &look) >= 0)
        break;
    if (service.engine)
      service.engine->stop();
    if (service.embedder)
      service.embedder->stop();
    server.stop();
  });
  bool served = server.listen_after_bind();
  isOver = true;
  watch.join();
  return served || service.isDraining ? kSuccess : fail("the server ended: " + std::string(strerror(errno)));
}

Command addServeCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("serve", "Serve a plan by OpenAI's API");
  auto options = std::make_shared<Options>();
  auto number = [&](const char *name, int64_t &value, int64_t least, const char *what, const char *shown) {
    app->add_option(name, value, what)->check(CLI::Range(least, int64_t(1) << 24))->option_text(shown);
  };
  app->add_option("PLAN", options->path, "a plan of a language model, or of an encoder")->required();
  app->add_option("--host", options->host, "address to listen on")->option_text("ADDRESS [127.0.0.1]");
  app->add_option("--port", options->port, "0: any that is free")->check(CLI::Range(0, 65535))->option_text("N [8080]");
  app->add_option("--name", options->name, "of the model, as clients call it; not given, the plan's file")
      ->option_text("NAME");
  app->add_option("--mode", options->mode, "short waits, or much in an hour: sets --batch, --wait-ms and --chunk")
      ->check(CLI::IsMember({"realtime", "offline"}))
      ->option_text("realtime|offline [realtime]");
  number("--batch", options->batch, 1, "texts that run at the same time at most", "N [4|128]");
  app->add_option("--wait-ms", options->waitMilliseconds, "how long a text to embed waits for others at most")
      ->check(CLI::Range(0.0, 1e6))
      ->option_text("MS [2|20]");
  number("--chunk", options->chunk, 1, "tokens of prompts in one step at most", "N [64|512]");
  number("--queue", options->queue, 1, "texts that wait at most; more are refused (429)", "N [64]");
  number("--cache-mb", options->cacheMegabytes, 1, "for the keys and values of all texts, one context at least",
         "N [1024]");
  number("--max-tokens", options->maxTokens, 1, "written for a request at most", "N [4096]");
  number("--max-seconds", options->maxSeconds, 1, "for a request at most", "N [120]");
  app->add_option("--max-body-mb", options->maxBodyMegabytes, "size of a request at most")
      ->check(CLI::Range(0.001, 1000.0))
      ->option_text("N [4]");
  app->add_option("--request-seconds", options->requestSeconds, "within which a request must arrive whole")
      ->check(CLI::Range(0.1, 3600.0))
      ->option_text("N [10]");
  number("--drain-seconds", options->drainSeconds, 0, "for requests that run when the server is asked to stop",
         "N [30]");
  app->add_option("--threads", options->threads, "0 means one for each CPU")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  app->add_option("--level", options->level, "use the plan's code of this name alone, such as x86-64-v3")
      ->option_text("NAME");
  return {app, [options] { return run(*options); }};
}

} // namespace tamis::tool
