// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cheapest precision of each layer that keeps the model's error under a bound.
#include "lib/driver/ChoosePrecision.h"

#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelDialect.h"
#include "lib/driver/HalfWeights.h"
#include "lib/driver/Pipeline.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "passes/precision/Passes.h"
#include "passes/precision/Policy.h"
#include "llvm/Support/JSON.h"
#include <cmath>

using namespace mlir;
using namespace tamis;

/// Passages that every layer and precision is tried on; the choice is checked on all that are held out.
static constexpr size_t kTried = 8;
/// What one thread multiplies and adds in a second, in f32, bf16 and as bytes, and reads. Estimates that only say which
/// of two precisions is cheaper: bytes are multiplied 2.8 times as fast, and few rows wait for their weights.
static constexpr double kFloatRate = 100e9, kHalfRate = 200e9, kByteRate = 280e9, kReadRate = 10e9;

double tamis::bytesOf(const LayerPrecision &layer, llvm::StringRef precision) {
  double numbers = double(layer.inputs) * double(layer.outputs);
  if (precision == precision::kUnchanged)
    return numbers * sizeof(float);
  if (precision == kBFloat16)
    return numbers * sizeof(uint16_t);
  QuantizeOptions options = llvm::cantFail(parseQuantizeOptions(precision));
  int64_t shared = layer.isTable ? layer.outputs : layer.inputs; // a row of either has scales of its own
  bool hasGroups = options.group != 0 && options.group < shared;
  double units = numbers / double(std::max<int64_t>(1, hasGroups ? options.group : shared));
  double scaleBytes = hasGroups ? 2 : sizeof(float); // groups have scales of f16
  return numbers * double(options.bits) / 8 + units * (scaleBytes + (options.symmetric ? 0 : 1));
}

double tamis::secondsOf(const LayerPrecision &layer, llvm::StringRef precision, int64_t rows) {
  if (layer.isTable)
    return 0;
  double rate = kFloatRate;
  if (precision == kBFloat16)
    rate = kHalfRate;
  else if (precision.starts_with("int8") && llvm::cantFail(parseQuantizeOptions(precision)).group == 0)
    rate = kByteRate;
  double work = 2.0 * double(rows) * double(layer.inputs) * double(layer.outputs);
  return work / rate + bytesOf(layer, precision) / kReadRate;
}

LogicalResult tamis::quantizeLayers(ModuleOp module, WeightStore &weights, llvm::StringRef policy,
                                    ArrayRef<Passage> passages, const Activity &activity) {
  PassManager assign(module.getContext());
  precision::AssignPrecisionOptions options;
  options.policy = policy.str();
  assign.addNestedPass<func::FuncOp>(precision::createAssignPrecision(options));
  if (failed(assign.run(module)))
    return failure();
  llvm::SetVector<StringAttr> marks;
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module.emitError("expected a function @main");
  for (Operation &op : main.getOps())
    if (auto mark = op.getAttrOfType<StringAttr>(precision::kPrecision))
      marks.insert(mark);
  for (StringAttr mark : marks) {
    if (mark.getValue() == kBFloat16) {
      if (failed(roundLayers(module, weights, activity)))
        return failure();
      continue;
    }
    auto quantize = parseQuantizeOptions(mark.getValue());
    if (!quantize)
      return emitError(UnknownLoc::get(module.getContext())) << llvm::toString(quantize.takeError()) << "; or bf16";
    quantize->mark = mark;
    if (failed(quantizeWeights(module, weights, *quantize, passages, activity)))
      return failure();
  }
  // Layers that read one value quantize it once.
  PassManager clean(module.getContext());
  clean.addPass(createCanonicalizerPass());
  clean.addPass(createCSEPass());
  return clean.run(module);
}

namespace {
class Chooser {
public:
  Chooser(ModuleOp module, WeightStore &weights, ArrayRef<Passage> passages, const ChoosePrecisionOptions &options,
          const Activity &activity)
      : module(module), weights(weights), passages(passages), options(options), activity(activity) {}

  FailureOr<PrecisionChoice> run() {
    if (failed(findPrecisions()) || failed(findLayers()))
      return failure();
    auto parts = SplitPassages::of(passages, UnknownLoc::get(module.getContext()));
    if (failed(parts))
      return failure();
    split = std::move(*parts);
    auto see = [&](std::vector<npy::Array> outputs, std::vector<npy::Array>) {
      choice.right.push_back(std::move(outputs));
      return success();
    };
    if (failed(observeModel(module, {}, weights, passages, activity, see)))
      return failure();
    for (auto [number, outputs] : llvm::enumerate(choice.right))
      (SplitPassages::isHeldOut(number, passages.size()) ? rightOfHeldOut : rightOfSeen).push_back(outputs);
    tried = std::min(kTried, split.seen.size());
    const npy::Array &first = passages.front().inputs.front();
    choice.rows = 1;
    for (int64_t size : first.dims)
      choice.rows *= size;
    if (failed(measure()) || failed(search()))
      return failure();
    choice.maxError = options.maxError;
    choice.passages = split.seen.size();
    choice.heldOut = split.heldOut.size();
    for (const LayerPrecision &layer : choice.layers) {
      StringRef precision = choice.precisions[layer.chosen];
      choice.bytes += bytesOf(layer, precision);
      choice.unchangedBytes += bytesOf(layer, precision::kUnchanged);
      choice.seconds += secondsOf(layer, precision, choice.rows);
      choice.unchangedSeconds += secondsOf(layer, precision::kUnchanged, choice.rows);
    }
    return std::move(choice);
  }

private:
  using Assignment = std::vector<size_t>; ///< a precision a layer

  InFlightDiagnostic error() { return emitError(UnknownLoc::get(module.getContext())); }

  LogicalResult findPrecisions() {
    choice.precisions.push_back(precision::kUnchanged.str());
    StringRef rest = options.candidates.empty() ? StringRef("int8, int4(group=32)") : StringRef(options.candidates);
    while (!rest.trim().empty()) {
      // A comma within parentheses belongs to the precision.
      size_t open = rest.find('('), comma = rest.find(',');
      if (open < comma)
        comma = rest.find(',', rest.find(')', open));
      StringRef text = rest.take_front(comma).trim();
      rest = comma == StringRef::npos ? StringRef() : rest.drop_front(comma + 1);
      if (text != kBFloat16)
        if (auto parsed = parseQuantizeOptions(text); !parsed)
          return error() << llvm::toString(parsed.takeError()) << "; or bf16";
      choice.precisions.push_back(text.str());
    }
    return success();
  }

  LogicalResult findLayers() {
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!main)
      return module.emitError("expected a function @main");
    llvm::StringSet<> seen;
    for (Operation &op : main.getOps()) {
      Value weight = model::layerWeight(&op);
      auto key = weight ? model::weightKey(weight) : std::nullopt;
      auto type = weight ? cast<RankedTensorType>(weight.getType()) : RankedTensorType();
      if (!key || !type.hasStaticShape() || !seen.insert(*key).second)
        continue;
      int64_t inputs = type.getShape()[0], outputs = type.getShape()[1];
      if (auto linear = dyn_cast<model::LinearOp>(op); linear && linear.getTransposed())
        std::swap(inputs, outputs);
      choice.layers.push_back({*key, inputs, outputs, isa<model::EmbeddingOp>(op), {}});
    }
    if (choice.layers.empty())
      return error() << "found no layers with weights of f32 to choose precisions for";
    return success();
  }

  std::string policyOf(const Assignment &assignment) const {
    llvm::json::Array rules;
    for (auto [layer, number] : llvm::zip_equal(choice.layers, assignment))
      if (number)
        rules.push_back(llvm::json::Object{{"weights", precision::exactly(layer.weight)},
                                           {"precision", choice.precisions[number]}});
    std::string text;
    llvm::raw_string_ostream(text) << llvm::json::Value(
        llvm::json::Object{{"default", precision::kUnchanged}, {"layers", std::move(rules)}});
    return text;
  }

  FailureOr<OutputError> errorOf(const Assignment &assignment, ArrayRef<Passage> calibration, ArrayRef<Passage> on,
                                 ArrayRef<std::vector<npy::Array>> right) {
    WeightStore trial = weights.forTrial();
    OwningOpRef<ModuleOp> copy(module.clone());
    PassManager rest(module.getContext());
    addSelectionPasses(rest);
    addPackPass(rest);
    auto quiet = [](const std::string &) {};
    if (failed(quantizeLayers(*copy, trial, policyOf(assignment), calibration, quiet)) || failed(rest.run(*copy)) ||
        failed(dequantizeWeights(*copy, trial)))
      return failure();
    return measureError(*copy, trial, on, right);
  }

  LogicalResult measure() {
    size_t total = choice.layers.size() * (choice.precisions.size() - 1), done = 0;
    for (auto [number, layer] : llvm::enumerate(choice.layers)) {
      layer.errors.resize(choice.precisions.size());
      for (size_t p = 1; p < choice.precisions.size(); ++p) {
        activity("measuring layers in other precisions, " + std::to_string(++done) + " of " + std::to_string(total) +
                 " ...");
        Assignment alone(choice.layers.size());
        alone[number] = p;
        auto found =
            errorOf(alone, {}, ArrayRef(split.seen).take_front(tried), ArrayRef(rightOfSeen).take_front(tried));
        if (failed(found))
          return failure();
        layer.errors[p] = *found;
      }
    }
    return success();
  }

  double costOf(const LayerPrecision &layer, size_t number) const {
    // Tables cost no time to speak of; what they save is memory.
    StringRef precision = choice.precisions[number];
    return secondsOf(layer, precision, choice.rows) + (layer.isTable ? bytesOf(layer, precision) / kReadRate : 0);
  }

  /// From the most accurate assignment to the cheapest one, each cheaper than the one before. Weighs the cost of a
  /// layer against its error, as if errors added.
  std::vector<Assignment> assignments() const {
    std::vector<Assignment> found;
    double whole = 0, last = INFINITY;
    for (const LayerPrecision &layer : choice.layers)
      whole += costOf(layer, 0);
    for (double weight = 1e6; weight > 1e-2; weight /= 2) {
      Assignment assignment;
      double cost = 0;
      for (const LayerPrecision &layer : choice.layers) {
        size_t best = 0;
        auto sumOf = [&](size_t p) { return costOf(layer, p) + weight * whole * layer.errors[p].cosine; };
        for (size_t p = 1; p < choice.precisions.size(); ++p)
          if (sumOf(p) < sumOf(best))
            best = p;
        assignment.push_back(best);
        cost += costOf(layer, best);
      }
      if (cost < last)
        found.push_back(std::move(assignment)), last = cost;
    }
    return found;
  }

  /// The cheapest assignment whose error holds on the passages held out: more error for less cost, so halving finds it.
  LogicalResult search() {
    std::vector<Assignment> all = assignments();
    Assignment chosen(choice.layers.size(), 0);
    size_t low = 0, high = all.size();
    while (low < high) {
      size_t middle = (low + high) / 2;
      if (llvm::all_of(all[middle], [](size_t number) { return number == 0; })) {
        low = middle + 1;
        continue;
      }
      activity("checking a choice on passages held out ...");
      auto found = errorOf(all[middle], split.seen, split.heldOut, rightOfHeldOut);
      if (failed(found))
        return failure();
      if (found->cosine <= options.maxError) {
        chosen = all[middle];
        choice.error = *found;
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (auto [layer, number] : llvm::zip_equal(choice.layers, chosen))
      layer.chosen = number;
    choice.policy = policyOf(chosen);
    return success();
  }

  ModuleOp module;
  WeightStore &weights;
  ArrayRef<Passage> passages;
  const ChoosePrecisionOptions &options;
  const Activity &activity;
  SplitPassages split;
  std::vector<std::vector<npy::Array>> rightOfSeen, rightOfHeldOut;
  size_t tried = 0;
  PrecisionChoice choice;
};
} // namespace

FailureOr<PrecisionChoice> tamis::choosePrecision(ModuleOp module, WeightStore &weights, ArrayRef<Passage> passages,
                                                  const ChoosePrecisionOptions &options, const Activity &activity) {
  return Chooser(module, weights, passages, options, activity).run();
}
