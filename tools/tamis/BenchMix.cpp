// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes the requests, keeps their clock, tells what was done with them.

#include "tools/tamis/BenchMix.h"
#include "runtime/npy/NpyFile.h"
#include "tamis/budget.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Table.h"
#include "tools/tamis/Terminal.h"
#include <algorithm>
#include <chrono>
#include <memory>
#include <random>

namespace tamis::tool {

namespace {
constexpr int kLengths = 3;
/// Parts of the longest length: short, middle, long.
constexpr double kShares[kLengths] = {1.0 / 32, 1.0 / 4, 1};
/// The longest length, where the plan allows it.
constexpr int64_t kLongest = 512;
constexpr double kByHand = 0.1;

struct Stretch {
  const char *name;
  double end;             ///< share of all requests
  double gap;             ///< between arrivals, over what its requests take on the precise path on average
  double often[kLengths]; ///< how often each length is asked for
};
constexpr Stretch kStretches[] = {
    {"calm", 0.35, 3, {0.5, 0.3, 0.2}}, {"burst", 0.65, 0.3, {0.5, 0.3, 0.2}}, {"long ones", 1, 3, {0.1, 0.2, 0.7}}};

struct Close {
  void operator()(tamis_budget *budget) const { tamis_budget_destroy(budget); }
};

struct Told {
  int paths[TAMIS_BUDGET_PATHS] = {}, byHand = 0, switches = 0, late = 0;
  std::vector<double> latencies;
};

class Mix {
public:
  explicit Mix(const MixOptions &options) : options(options), random(options.seed) {}

  Result<void> run() {
    if (Result<void> made = open(); !made)
      return made;
    ProgressLine progress(!options.json && hasTerminal());
    double free = 0, arrival = 0;
    for (int number = 0; number < options.requests; ++number) {
      progress.show(format("request %d of %d ...", number + 1, options.requests));
      size_t stretch = 0;
      while (number >= kStretches[stretch].end * options.requests)
        ++stretch;
      const auto &often = kStretches[stretch].often;
      double usual = often[0] * seconds[0] + often[1] * seconds[1] + often[2] * seconds[2], chance = draw();
      arrival += kStretches[stretch].gap * usual * (0.5 + draw());
      size_t length = chance < often[0] ? 0 : chance < often[0] + often[1] ? 1 : 2;
      auto path = draw() < kByHand ? TAMIS_BUDGET_PRECISE : TAMIS_BUDGET_AUTO;
      double start = std::max(arrival, free), waited = start - arrival;
      tamis_budget_result result;
      tamis_error error;
      if (tamis_budget_run(budget.get(), views[length].data(), views[length].size(), path, waited, &result, &error))
        return Error(error);
      free = start + result.seconds;
      Told &told = all[stretch];
      ++told.paths[result.path];
      told.byHand += path != TAMIS_BUDGET_AUTO;
      told.switches += result.switched != 0;
      told.late += waited + result.seconds > latency;
      told.latencies.push_back(waited + result.seconds);
    }
    progress.clear();
    return tell();
  }

private:
  double draw() { return std::uniform_real_distribution<double>()(random); }

  Result<void> open() {
    LoadOptions load;
    load.level = options.level;
    load.path = tamis_budget_path_name(TAMIS_BUDGET_PRECISE);
    Result<Plan> plan = openPlan(options.path, load);
    if (!plan)
      return plan.error();
    Result<Context> context = plan->context(options.threads);
    if (!context)
      return context.error();
    for (size_t length = 0; length < kLengths; ++length) {
      auto sizeOf = [&](const tamis_symbol_info &symbol) {
        DefaultSizes all{1, int64_t(kShares[length] * double(std::clamp(kLongest, symbol.min, symbol.max)))};
        return all(symbol);
      };
      Result<std::vector<npy::Array>> made = makeInputs(*plan, *context, {}, options.dims, {options.seed, sizeOf});
      if (!made)
        return made.error();
      arrays[length] = std::move(*made);
      for (npy::Array &array : arrays[length])
        tensors[length].push_back(array.tensor());
      for (const Tensor &tensor : tensors[length])
        views[length].push_back(tensor.view());
    }
    for (size_t length = 0; length < kLengths; ++length)
      if (Result<void> measured = measure(*context, length); !measured)
        return measured;
    latency = options.latency > 0 ? options.latency * 1e-3 : 1.5 * seconds[kLengths - 1];
    tamis_budget_options budgetOptions = {};
    budgetOptions.struct_size = sizeof budgetOptions;
    budgetOptions.threads = options.threads;
    budgetOptions.latency_seconds = latency;
    budgetOptions.sampled_share = options.sample;
    tamis_load_options view = load.view();
    tamis_budget *made = nullptr;
    tamis_error error;
    if (tamis_budget_create(options.path.c_str(), &view, &budgetOptions, &made, &error))
      return Error(error);
    budget.reset(made);
    return {};
  }

  /// The time of a length on the precise path: the least of some.
  Result<void> measure(Context &context, size_t length) {
    seconds[length] = 1e9;
    for (int i = 0; i < 4; ++i) {
      auto start = std::chrono::steady_clock::now();
      tamis_error error;
      if (tamis_run(context.get(), views[length].data(), views[length].size(), nullptr, 0, &error))
        return Error(error);
      seconds[length] =
          std::min(seconds[length], std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return {};
  }

  std::string text(tamis_budget_format form) {
    std::string text(tamis_budget_write(budget.get(), form, nullptr, 0) + 64, 0); // it may grow by some digits
    text.resize(std::min(text.size(), tamis_budget_write(budget.get(), form, text.data(), text.size())));
    return text;
  }

  Result<void> tell() {
    bool isJson = options.monitor.size() > 5 && options.monitor.substr(options.monitor.size() - 5) == ".json";
    if (!options.monitor.empty())
      if (Result<void> written =
              npy::writeFile(options.monitor, text(isJson ? TAMIS_BUDGET_JSON : TAMIS_BUDGET_PROMETHEUS));
          !written)
        return written;
    if (options.json) {
      fputs(text(TAMIS_BUDGET_JSON).c_str(), stdout);
      return {};
    }
    printf("%d requests, %s each at most\n", options.requests, secondsText(latency).c_str());
    Table table({{"requests"},
                 {"fast", Table::right},
                 {"balanced", Table::right},
                 {"precise", Table::right},
                 {"by hand", Table::right},
                 {"switches", Table::right},
                 {"late", Table::right},
                 {"median", Table::right},
                 {"p99", Table::right}});
    for (size_t i = 0; i < std::size(all); ++i) {
      Told &told = all[i];
      if (told.latencies.empty())
        continue;
      std::sort(told.latencies.begin(), told.latencies.end());
      auto quantile = [&](double share) {
        return secondsText(told.latencies[size_t(share * double(told.latencies.size() - 1))]);
      };
      table.add({kStretches[i].name, std::to_string(told.paths[TAMIS_BUDGET_FAST]),
                 std::to_string(told.paths[TAMIS_BUDGET_BALANCED]), std::to_string(told.paths[TAMIS_BUDGET_PRECISE]),
                 std::to_string(told.byHand), std::to_string(told.switches), std::to_string(told.late), quantile(0.5),
                 quantile(0.99)});
    }
    fputs(table.text().c_str(), stdout);
    tamis_budget_stats stats;
    if (tamis_budget_get_stats(budget.get(), &stats, nullptr) == TAMIS_OK)
      printf("%llu switches up and %llu down; %llu answers compared with the precise path's: cosine %.6f on average, "
             "%.6f at worst\n",
             static_cast<unsigned long long>(stats.switches_up), static_cast<unsigned long long>(stats.switches_down),
             static_cast<unsigned long long>(stats.compared), stats.mean_cosine, stats.worst_cosine);
    return {};
  }

  const MixOptions &options;
  std::mt19937_64 random;
  std::unique_ptr<tamis_budget, Close> budget;
  std::vector<npy::Array> arrays[kLengths];
  std::vector<Tensor> tensors[kLengths];
  std::vector<tamis_tensor> views[kLengths];
  double seconds[kLengths] = {}, latency = 0; ///< on the precise path, by length; that a request may take
  Told all[std::size(kStretches)];
};
} // namespace

int benchMix(const MixOptions &options) {
  Result<void> done = Mix(options).run();
  return done ? int(kSuccess) : fail(done.error());
}

} // namespace tamis::tool
