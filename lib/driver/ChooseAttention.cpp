// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cheapest pattern for each layer and head that keeps the model's error under a bound.
#include "lib/driver/ChooseAttention.h"

#include "dialects/model/ModelDialect.h"
#include "lib/driver/PatternWeights.h"
#include "lib/driver/Pipeline.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/JSON.h"
#include <cmath>

using namespace mlir;
using namespace tamis;

/// What it costs to cut an attention into runs of heads: a copy of the result, read and written, at 10 GB/s, and 2 us
/// for each kernel more. Estimates, not measured: they only keep small gains from cutting a layer apart.
static constexpr double kCopySeconds = 2 * sizeof(float) / 10e9, kKernelSeconds = 2e-6;
/// A layer reads what the one before selects where it would select this share of it itself. An estimate that says which
/// layers to try: the error on passages held out decides.
static constexpr double kOverlap = 0.8;
/// Pairs of all heads that are looked at to tell what two layers both select, a few seconds.
static constexpr int64_t kCountedPairs = int64_t(1) << 26;

namespace {
/// One candidate a head, by layer.
using Assignment = std::vector<std::vector<size_t>>;

class Chooser {
public:
  Chooser(ModuleOp module, WeightStore &weights, ArrayRef<Passage> passages, const ChooseOptions &options,
          const Activity &activity)
      : module(module), weights(weights), passages(passages), options(options), activity(activity) {}

  FailureOr<AttentionChoice> run() {
    auto main = module.lookupSymbol<func::FuncOp>("main");
    for (auto op : main.getOps<model::AttentionOp>())
      layers.push_back(op);
    for (Operation &op : main.getOps())
      if (isa<model::AttentionOp, sattn::AttentionOp>(op))
        numbers.push_back(isa<model::AttentionOp>(op) ? int64_t(numbers.size()) : -1);
    if (layers.empty())
      return emitError(UnknownLoc::get(module.getContext())) << "found no dense attention to choose patterns for";
    auto parts = SplitPassages::of(passages, UnknownLoc::get(module.getContext()));
    if (failed(parts))
      return failure();
    split = std::move(*parts);
    std::vector<Passage> all = split.seen;
    llvm::append_range(all, split.heldOut);
    auto runs = runModel(module, layers, weights, all, activity);
    if (failed(runs))
      return failure();
    for (auto [number, outputs] : llvm::enumerate(options.right))
      if (SplitPassages::isHeldOut(number, options.right.size()))
        wanted.push_back(outputs);
    if (options.right.empty())
      for (ModelRun &run : llvm::drop_begin(*runs, split.seen.size()))
        wanted.push_back(std::move(run.outputs));
    runs->resize(split.seen.size());
    int64_t keys = 0;
    for (const ModelRun &run : *runs)
      for (const AttentionOperands &operands : run.attentions)
        keys = std::max(keys, operands.key.dims[1]);
    auto candidates = makeCandidates(options.candidates, keys, module.getLoc());
    if (failed(candidates) || failed(measure(*candidates, layers, *runs, activity)))
      return failure();
    choice.candidates = std::move(*candidates);
    for (auto [layer, operands] : llvm::zip_equal(layers, runs->front().attentions))
      results.push_back(operands.query.dims[0] * operands.query.dims[1] *
                        *model::dimsOf(layer->getResult(0).getType()).back().constant());
    if (failed(search()) || failed(share(runs->front())))
      return failure();
    describe();
    return std::move(choice);
  }

private:
  static int64_t headsOf(Operation *layer) { return cast<model::AttentionOp>(layer).getHeads(); }

  /// From the most accurate assignment to the cheapest one, each cheaper than the one before. Weighs the cost of a head
  /// against its part of the squared error of its layer's output; the sum over layers stands for the model's.
  std::vector<Assignment> assignments() {
    std::vector<Assignment> found;
    double last = INFINITY;
    // Times of all dense attention for each unit of error, in steps that leave few models to compile and check.
    for (double weight = 1e3; weight > 1e-3; weight /= 3) {
      Assignment assignment;
      double seconds = 0;
      for (size_t layer = 0; layer < layers.size(); ++layer) {
        assignment.push_back(best(layer, weight * denseSeconds()));
        seconds += secondsOf(layer, assignment.back());
      }
      if (seconds < last * (1 - 1e-3))
        found.push_back(std::move(assignment)), last = seconds;
    }
    return found;
  }

  double denseSeconds() const {
    double sum = 0;
    for (double seconds : choice.candidates[0].seconds)
      sum += seconds;
    return sum;
  }

  double errorOf(size_t layer, size_t head, size_t candidate) const {
    return candidate ? choice.candidates[candidate].errors[layer][head].squared : 0;
  }

  double secondsOf(size_t layer, ArrayRef<size_t> heads) const {
    double seconds = 0, runs = 0;
    for (size_t h = 0; h < heads.size(); ++h) {
      seconds += choice.candidates[heads[h]].seconds[layer] / double(heads.size());
      runs += h == 0 || heads[h] != heads[h - 1];
    }
    return seconds + (runs > 1 ? results[layer] * kCopySeconds + (runs - 1) * kKernelSeconds : 0);
  }

  /// The cheaper of one candidate for all heads and one for each.
  std::vector<size_t> best(size_t layer, double weight) const {
    size_t heads = headsOf(layers[layer]);
    auto costOf = [&](ArrayRef<size_t> assignment) {
      double cost = secondsOf(layer, assignment);
      for (size_t h = 0; h < heads; ++h)
        cost += weight * errorOf(layer, h, assignment[h]);
      return cost;
    };
    std::vector<size_t> result(heads, 0), single(heads, 0);
    double least = costOf(result);
    auto consider = [&](const std::vector<size_t> &assignment) {
      if (double cost = costOf(assignment); cost < least)
        least = cost, result = assignment;
    };
    for (size_t c = 1; c < choice.candidates.size(); ++c)
      if (choice.candidates[c].refused.empty()) {
        consider(std::vector<size_t>(heads, c));
        for (size_t h = 0; h < heads; ++h) {
          auto cost = [&](size_t of) {
            return choice.candidates[of].seconds[layer] / double(heads) + weight * errorOf(layer, h, of);
          };
          if (cost(c) < cost(single[h]))
            single[h] = c;
        }
      }
    consider(single);
    return result;
  }

  /// The cheapest assignment whose error holds on the passages held out: more error for less cost, so halving finds it.
  LogicalResult search() {
    std::vector<Assignment> all = assignments();
    Assignment dense;
    for (Operation *layer : layers)
      dense.emplace_back(headsOf(layer), 0);
    Assignment chosen = dense;
    if (!options.right.empty()) {
      auto error = check(dense);
      if (failed(error))
        return failure();
      choice.error = *error;
    }
    size_t low = 0, high = all.size();
    while (low < high) {
      size_t middle = (low + high) / 2;
      if (all[middle] == dense) {
        low = middle + 1;
        continue;
      }
      activity("checking a choice on passages held out ...");
      auto error = check(all[middle]);
      if (failed(error))
        return failure();
      if (error->cosine <= options.maxError) {
        chosen = all[middle];
        choice.error = *error;
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (const auto &heads : chosen)
      for (size_t candidate : heads)
        if (candidate)
          choice.denseBelow = std::max(choice.denseBelow, choice.candidates[candidate].denseBelow);
    assignment = chosen;
    choice.shared.resize(layers.size());
    choice.policy = policyOf(chosen);
    choice.denseSeconds = denseSeconds();
    for (size_t layer = 0; layer < layers.size(); ++layer) {
      choice.seconds += secondsOf(layer, chosen[layer]);
      auto &runs = choice.layers.emplace_back();
      for (size_t h = 0; h < chosen[layer].size(); ++h) {
        if (runs.empty() || runs.back().candidate != chosen[layer][h])
          runs.push_back({int64_t(h), 0, chosen[layer][h]});
        ++runs.back().count;
      }
    }
    return success();
  }

  /// Tries whether layers may read what the ones before them select.
  LogicalResult share(const ModelRun &run) {
    activity("comparing what layers select ...");
    int64_t left = kCountedPairs;
    bool any = false;
    for (size_t layer = 1; layer < layers.size(); ++layer) {
      const std::vector<size_t> &heads = assignment[layer];
      const Candidate &candidate = choice.candidates[heads.front()];
      if (choice.shared[layer - 1] || heads != assignment[layer - 1] || !llvm::all_equal(heads) ||
          !selects(candidate, layer))
        continue;
      sattn::AttentionInputs item = itemsOf(layers[layer], run.attentions[layer]).front();
      left -= int64_t(heads.size()) * item.queries * item.keys;
      if (left < 0)
        break;
      double overlap =
          overlapOf(candidate.pattern, item, itemsOf(layers[layer - 1], run.attentions[layer - 1]).front());
      if (overlap >= kOverlap)
        choice.shared[layer] = overlap, any = true;
    }
    if (!any)
      return success();
    activity("checking layers that share on passages held out ...");
    auto error = check(assignment);
    if (failed(error))
      return failure();
    if (error->cosine <= options.maxError)
      choice.error = *error;
    else
      choice.shared.assign(layers.size(), std::nullopt);
    choice.policy = policyOf(assignment);
    return success();
  }

  /// Whether a candidate selects by numbers, and without weights of its own.
  bool selects(const Candidate &candidate, size_t layer) {
    return candidate.pattern && candidate.pattern.readsNumbers() &&
           candidate.pattern.weights(sizesOf(layers[layer])).empty() && !isa<sattn::LinearAttr>(candidate.pattern);
  }

  std::string policyOf(const Assignment &assignment) const {
    llvm::json::Object rules;
    size_t lastNumber = 0;
    for (size_t layer = 0, number = 0; number < numbers.size(); ++number) {
      if (numbers[number] < 0)
        continue;
      size_t at = layer++;
      const std::vector<size_t> &heads = assignment[at];
      if (!choice.shared.empty() && choice.shared[at]) {
        rules[std::to_string(number)] = "share(" + std::to_string(lastNumber) + ")";
        continue;
      }
      lastNumber = number;
      auto textOf = [&](size_t h) { return choice.candidates[heads[h]].text; };
      if (llvm::all_equal(heads)) {
        if (heads[0])
          rules[std::to_string(number)] = textOf(0);
        continue;
      }
      llvm::json::Object byHead;
      for (size_t h = 0, first = 0; h < heads.size(); ++h)
        if (h + 1 == heads.size() || heads[h + 1] != heads[h]) {
          if (heads[h])
            byHead[std::to_string(first) + (h > first ? "-" + std::to_string(h) : "")] = textOf(h);
          first = h + 1;
        }
      rules[std::to_string(number)] = std::move(byHead);
    }
    std::string text;
    llvm::raw_string_ostream(text) << llvm::json::Value(
        llvm::json::Object{{"default", "dense"}, {"layers", std::move(rules)}, {"dense_below", choice.denseBelow}});
    return text;
  }

  /// Compiles the model with these patterns and runs it on the passages held out.
  FailureOr<OutputError> check(const Assignment &assignment) {
    OwningOpRef<ModuleOp> copy(module.clone());
    PassManager choose(module.getContext()), rest(module.getContext());
    addChoosePass(choose, policyOf(assignment));
    addSelectionPasses(rest);
    if (failed(choose.run(*copy)) || failed(supplyPatternWeights(*copy, weights, split.seen, activity)) ||
        failed(rest.run(*copy)))
      return failure();
    return measureError(*copy, weights, split.heldOut, wanted);
  }

  void describe() {
    choice.maxError = options.maxError;
    choice.passages = split.seen.size();
    choice.heldOut = split.heldOut.size();
    for (size_t number = 0; number < layers.size(); ++number)
      for (ChosenHeads &heads : choice.layers[number]) {
        const Candidate &candidate = choice.candidates[heads.candidate];
        if (!candidate.pattern)
          continue;
        auto meanOfHeads = [&](std::optional<double> HeadError::*figure) {
          return meanOf(candidate.errors[number], figure, heads.first, heads.count);
        };
        heads.pairs = meanOfHeads(&HeadError::kept).value_or(candidate.pairs[number]);
        heads.mass = meanOfHeads(&HeadError::mass);
      }
  }

  ModuleOp module;
  WeightStore &weights;
  ArrayRef<Passage> passages;
  const ChooseOptions &options;
  const Activity &activity;
  SplitPassages split;
  SmallVector<Operation *> layers;
  SmallVector<int64_t> numbers;                ///< of each attention of the model, -1 where it has a pattern
  std::vector<std::vector<npy::Array>> wanted; ///< outputs on the passages held out: the dense model's, or given
  Assignment assignment;                       ///< what is chosen
  std::vector<double> results;                 ///< elements of each layer's result, on the first passage
  AttentionChoice choice;
};
} // namespace

FailureOr<AttentionChoice> tamis::chooseAttention(ModuleOp module, WeightStore &weights, ArrayRef<Passage> passages,
                                                  const ChooseOptions &options, const Activity &activity) {
  return Chooser(module, weights, passages, options, activity).run();
}
