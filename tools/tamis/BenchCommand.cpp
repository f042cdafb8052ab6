// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis bench: how long a plan takes, and which dispatches take it.

#include "tools/tamis-run/DeviceOption.h"
#include "tools/tamis/BenchMix.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Table.h"
#include "tools/tamis/Terminal.h"
#include "tools/tamis/TokenRates.h"
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

namespace tamis::tool {

namespace {
using Json = nlohmann::ordered_json;

struct Options {
  std::string path, level, pathName, device = "cpu";
  std::vector<std::string> inputs, dims;
  std::vector<int> threads = {0};
  std::vector<int64_t> prompts, texts;
  int repetitions = 0, warmup = 3;
  uint64_t seed = 1;
  bool profile = false, json = false, mix = false;
  int requests = 0;
  double latency = 0, sample = -1;
  std::string monitor;
};

/// Seconds of the runs, sorted.
struct Times {
  std::vector<double> seconds;

  /// Between the two nearest runs, where the share falls between them.
  double quantile(double share) const {
    double at = share * double(seconds.size() - 1);
    auto below = size_t(at);
    size_t above = std::min(below + 1, seconds.size() - 1);
    return seconds[below] + (at - double(below)) * (seconds[above] - seconds[below]);
  }
};

struct DispatchTime {
  std::string name;
  std::vector<std::string> sources;
  tamis_dispatch_cost cost;
  double seconds; ///< median
};

struct Measurement {
  int threads;
  Times times;
  std::vector<DispatchTime> dispatches; ///< with --profile
};
} // namespace

using Clock = std::chrono::steady_clock;
static double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Runs until the asked number is reached, or for a second and ten runs at least. `after` sees each run.
template <typename After>
static Result<void> repeat(Context &context, const std::vector<tamis_tensor> &inputs, int repetitions, After after) {
  constexpr double enough = 1;
  constexpr int least = 10;
  tamis_error error;
  Clock::time_point start = Clock::now();
  for (int i = 0; repetitions ? i < repetitions : i < least || since(start) < enough; ++i) {
    Clock::time_point begin = Clock::now();
    if (tamis_run(context.get(), inputs.data(), inputs.size(), nullptr, 0, &error))
      return Error(error);
    after(since(begin));
  }
  return {};
}

static Result<std::vector<DispatchTime>> profile(const Plan &plan, Context &context,
                                                 const std::vector<tamis_tensor> &inputs, int repetitions) {
  std::vector<tamis_dispatch_info> infos = plan.dispatches();
  std::vector<std::vector<double>> times(infos.size());
  context.setProfiling(true);
  Result<void> done = repeat(context, inputs, repetitions, [&](double) {
    for (size_t i = 0; i < infos.size(); ++i)
      if (Result<tamis_dispatch_cost> cost = context.dispatch(i))
        times[i].push_back(double(cost->nanoseconds) * 1e-9);
  });
  context.setProfiling(false);
  if (!done)
    return done.error();
  std::vector<DispatchTime> dispatches;
  for (size_t i = 0; i < infos.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    dispatches.push_back({infos[i].name,
                          std::vector<std::string>(infos[i].sources, infos[i].sources + infos[i].source_count),
                          *context.dispatch(i), Times{times[i]}.quantile(0.5)});
  }
  return dispatches;
}

static Result<Measurement> measure(const Plan &plan, Context &context, const std::vector<npy::Array> &arrays,
                                   const Options &options) {
  std::vector<Tensor> tensors;
  for (const npy::Array &array : arrays)
    tensors.push_back(const_cast<npy::Array &>(array).tensor()); // inputs are only read
  std::vector<tamis_tensor> inputs;
  for (const Tensor &tensor : tensors)
    inputs.push_back(tensor.view());

  Measurement result{context.threads(), {}, {}};
  // At least one: the first run pays for memory.
  if (Result<void> warm = repeat(context, inputs, std::max(options.warmup, 1), [](double) {}); !warm)
    return warm.error();
  Result<void> timed =
      repeat(context, inputs, options.repetitions, [&](double seconds) { result.times.seconds.push_back(seconds); });
  if (!timed)
    return timed.error();
  std::sort(result.times.seconds.begin(), result.times.seconds.end());
  if (options.profile) {
    Result<std::vector<DispatchTime>> dispatches = profile(plan, context, inputs, options.repetitions);
    if (!dispatches)
      return dispatches.error();
    result.dispatches = std::move(*dispatches);
  }
  return result;
}

static double total(const Measurement &measurement) {
  double seconds = 0;
  for (const DispatchTime &dispatch : measurement.dispatches)
    seconds += dispatch.seconds;
  return seconds;
}

static std::string rate(double amount, double seconds) {
  return seconds > 0 ? format("%.1f", amount / seconds * 1e-9) : "-";
}

static void printText(const Plan &plan, const std::string &sizes, const std::vector<Measurement> &measurements) {
  bool isGpu = plan.device() != TAMIS_DEVICE_CPU;
  printf("%s%s%s%s%s\n", plan.model().c_str(), sizes.empty() ? "" : " at ", sizes.c_str(), isGpu ? " on " : "",
         isGpu ? plan.deviceText().c_str() : "");
  if (plan.device() == TAMIS_DEVICE_EMULATED)
    printf("times are those of the interpreter and say nothing of a GPU\n");
  Table table({{"threads", Table::right},
               {"median", Table::right},
               {"p10", Table::right},
               {"p90", Table::right},
               {"minimum", Table::right},
               {"runs", Table::right}});
  for (const Measurement &m : measurements)
    table.add({std::to_string(m.threads), secondsText(m.times.quantile(0.5)), secondsText(m.times.quantile(0.1)),
               secondsText(m.times.quantile(0.9)), secondsText(m.times.seconds.front()),
               std::to_string(m.times.seconds.size())});
  fputs(table.text().c_str(), stdout);
  for (const Measurement &m : measurements) {
    if (m.dispatches.empty())
      continue;
    printf("\ndispatches, %d thread%s, medians\n", m.threads, m.threads == 1 ? "" : "s");
    Table profile({{"#", Table::right},
                   {"time", Table::right},
                   {"share", Table::right},
                   {"GFLOP/s", Table::right},
                   {"GB/s", Table::right},
                   {"groups", Table::right},
                   {"dispatch"},
                   {"first node"}});
    double all = total(m);
    for (size_t i = 0; i < m.dispatches.size(); ++i) {
      const DispatchTime &d = m.dispatches[i];
      profile.add({std::to_string(i), secondsText(d.seconds), format("%.1f%%", all > 0 ? 100 * d.seconds / all : 0),
                   rate(double(d.cost.flops), d.seconds), rate(double(d.cost.bytes), d.seconds),
                   std::to_string(d.cost.groups), d.name, d.sources.empty() ? "" : d.sources.front()});
    }
    fputs(profile.text().c_str(), stdout);
    printf("  %s in all\n", secondsText(all).c_str());
  }
}

static void printJson(const Plan &plan, const std::vector<int64_t> &sizes,
                      const std::vector<Measurement> &measurements) {
  Json document = {
      {"model", plan.model()}, {"compiler", plan.compiler()}, {"device", plan.deviceText()}, {"sizes", Json::object()}};
  std::vector<tamis_symbol_info> symbols = plan.symbols();
  for (size_t i = 0; i < symbols.size(); ++i)
    document["sizes"][symbols[i].name] = sizes[i];
  for (const Measurement &m : measurements) {
    Json entry = {{"threads", m.threads},
                  {"runs", m.times.seconds.size()},
                  {"median_seconds", m.times.quantile(0.5)},
                  {"p10_seconds", m.times.quantile(0.1)},
                  {"p90_seconds", m.times.quantile(0.9)},
                  {"minimum_seconds", m.times.seconds.front()}};
    for (const DispatchTime &d : m.dispatches)
      entry["dispatches"].push_back({{"name", d.name},
                                     {"sources", d.sources},
                                     {"median_seconds", d.seconds},
                                     {"groups", d.cost.groups},
                                     {"flops", d.cost.flops},
                                     {"bytes", d.cost.bytes}});
    document["measurements"].push_back(std::move(entry));
  }
  printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

/// The rates of a language model, in the place of times of single runs.
static int benchTokens(const std::shared_ptr<const Plan> &plan, const Options &options) {
  TokenRateOptions asked;
  if (!options.prompts.empty() || !options.texts.empty())
    asked.prompts = options.prompts, asked.texts = options.texts;
  asked.threads = options.threads, asked.repetitions = options.repetitions, asked.seed = options.seed;
  Result<std::vector<TokenRate>> rates = measureTokenRates(plan, asked);
  if (!rates)
    return fail(options.path + ": " + rates.error().message());
  if (options.json) {
    Json document = {{"model", plan->model()},
                     {"compiler", plan->compiler()},
                     {"device", plan->deviceText()},
                     {"tests", tokenRatesJson(*rates)}};
    printf("%s\n", document.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
  } else {
    printf("%s\n%s", plan->model().c_str(), tokenRatesText(*rates).c_str());
  }
  return kSuccess;
}

/// The options of --mix, which is a measurement of its own.
static int mix(const Options &options) {
  if (!options.inputs.empty() || options.profile || options.repetitions || options.device != "cpu" ||
      !options.pathName.empty() || options.threads.size() != 1)
    return failUsage("--mix runs random requests on all paths of a plan on the CPU, with one number of threads: "
                     "--input, --profile, --repetitions, --device, --path and more --threads are not for it");
  MixOptions mix;
  mix.path = options.path;
  mix.level = options.level;
  mix.dims = options.dims;
  mix.threads = options.threads[0];
  if (options.requests)
    mix.requests = options.requests;
  if (options.sample >= 0)
    mix.sample = options.sample;
  mix.latency = options.latency;
  mix.seed = options.seed;
  mix.monitor = options.monitor;
  mix.json = options.json;
  return benchMix(mix);
}

static int bench(const Options &options) {
  if (options.mix)
    return mix(options);
  if (options.requests || options.latency > 0 || options.sample >= 0 || !options.monitor.empty())
    return failUsage("--requests, --latency, --sample and --monitor are for --mix");
  LoadOptions load;
  load.level = options.level;
  load.path = options.pathName;
  parseDevice(options.device, load);
  Result<Plan> plan = openPlan(options.path, load);
  if (!plan)
    return fail(plan.error());
  bool asksTokens = !options.prompts.empty() || !options.texts.empty();
  bool asksRuns = options.profile || !options.inputs.empty() || !options.dims.empty();
  if (asksTokens && asksRuns)
    return failUsage("--pp and --tg measure tokens; --dim, --input and --profile single runs of the plan");
  if (asksTokens || (!asksRuns && isLanguageModel(*plan)))
    return benchTokens(std::make_shared<const Plan>(std::move(*plan)), options);
  std::vector<Measurement> measurements;
  std::vector<int64_t> sizes;
  ProgressLine progress(!options.json && hasTerminal());
  for (int threads : options.threads) {
    Result<Context> context = plan->context(threads);
    if (!context)
      return fail(context.error());
    Result<std::vector<npy::Array>> arrays =
        makeInputs(*plan, *context, options.inputs, options.dims, {options.seed, DefaultSizes()});
    if (!arrays)
      return fail(arrays.error());
    std::vector<Tensor> tensors;
    for (npy::Array &array : *arrays)
      tensors.push_back(array.tensor());
    sizes = sizesOf(*plan, tensors);
    progress.show(format("measuring with %d threads ...", int(context->threads())));
    Result<Measurement> measurement = measure(*plan, *context, *arrays, options);
    progress.clear();
    if (!measurement)
      return fail(measurement.error());
    measurements.push_back(std::move(*measurement));
  }
  if (options.json)
    printJson(*plan, sizes, measurements);
  else
    printText(*plan, sizesText(*plan, sizes), measurements);
  return kSuccess;
}

Command addBenchCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("bench", "Measure a plan");
  auto options = std::make_shared<Options>();
  app->add_option("PLAN", options->path, "a plan")->required();
  addList(*app, "--dim", options->dims, "a named size; may be repeated. Not given, batch is 1, everything else 128")
      ->option_text("NAME=NUMBER");
  addList(*app, "--input", options->inputs, "an input's values, as in `tamis run`; not given, they are random")
      ->option_text("NAME=...");
  app->add_option("--seed", options->seed, "of random inputs")->option_text("N [1]");
  app->add_option("--threads", options->threads, "thread counts to measure, separated by commas; 0: one for each CPU")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(0, 1024))
      ->option_text("N,... [0]");
  for (auto [name, list, what] : {std::tuple("--pp", &options->prompts, "of a language model: tokens read at once"),
                                  std::tuple("--tg", &options->texts, "of a language model: tokens written")})
    app->add_option(name, *list, what)
        ->delimiter(',')
        ->allow_extra_args(false)
        ->check(CLI::Range(int64_t(1), int64_t(1) << 24))
        ->option_text("N,...");
  app->add_option("--repetitions", options->repetitions, "runs; 0 means as many as a second holds, and ten at least")
      ->check(CLI::Range(0, 1000000000))
      ->option_text("N [0]");
  app->add_option("--warmup", options->warmup, "runs before those that count, at least one")
      ->check(CLI::Range(0, 1000000000))
      ->option_text("N [3]");
  app->add_option("--path", options->pathName, "of a plan with several: the one to run; by default the first")
      ->option_text("NAME");
  app->add_option("--level", options->level, "use the plan's code of this name alone, such as x86-64-v3")
      ->option_text("NAME");
  addDevice(*app, options->device);
  app->add_flag("--profile", options->profile, "time, share and rates of each dispatch, from as many further runs");
  app->add_flag("--json", options->json, "print JSON");
  app->add_flag(
      "--mix", options->mix,
      "of a plan of several paths: a stream of mixed requests, each of which takes one under a compute budget");
  app->add_option("--requests", options->requests, "with --mix: how many")
      ->check(CLI::Range(1, 1000000000))
      ->option_text("N [120]");
  app->add_option("--latency", options->latency,
                  "with --mix: milliseconds that a request may take; by default 1.5 times what the longest takes on "
                  "the precise path")
      ->check(CLI::PositiveNumber)
      ->option_text("MS");
  app->add_option("--sample", options->sample, "with --mix: share of requests that are compared with the precise path")
      ->check(CLI::Range(0.0, 1.0))
      ->option_text("SHARE [0.1]");
  app->add_option("--monitor", options->monitor, "with --mix: write what was counted, as JSON or Prometheus' text")
      ->option_text("FILE.json | FILE");
  return {app, [options] { return bench(*options); }};
}

} // namespace tamis::tool
