// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights that patterns have of their own: from a file, or fitted.
#include "lib/driver/PatternWeights.h"

#include "dialects/model/ModelDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace tamis;

namespace {
class Supplier {
public:
  Supplier(ModuleOp module, WeightStore &weights, ArrayRef<Passage> passages, const Activity &activity)
      : module(module), weights(weights), passages(passages), activity(activity) {}

  FailureOr<std::vector<WeightOrigin>> run() {
    SmallVector<Operation *> unfitted;
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!main)
      return module.emitError("expected a function @main");
    for (auto op : main.getOps<sattn::AttentionOp>()) {
      auto known = takeKnown(op);
      if (failed(known))
        return failure();
      if (!*known)
        unfitted.push_back(op);
    }
    if (unfitted.empty())
      return std::move(origins);
    auto runs = runModel(module, unfitted, weights, passages, activity);
    if (failed(runs))
      return failure();
    for (auto [number, op] : llvm::enumerate(unfitted)) {
      std::vector<sattn::AttentionInputs> samples;
      for (const ModelRun &run : *runs)
        llvm::append_range(samples, itemsOf(op, run.attentions[number]));
      if (failed(fit(cast<sattn::AttentionOp>(op), samples)))
        return failure();
    }
    return std::move(origins);
  }

private:
  /// Whether the store has all weights of the op, or the op has none.
  FailureOr<bool> takeKnown(sattn::AttentionOp op) {
    std::vector<WeightOrigin> found;
    for (Value operand : op.getWeights()) {
      auto weight = operand.getDefiningOp<model::WeightOp>();
      if (!weight)
        continue; // computed by the model
      const WeightStore::Weight *known = weights.find(weight.getKey());
      if (!known && passages.empty())
        return op.emitOpError() << "found no weight '" << weight.getKey() << "' of " << operand.getType() << " but "
                                << op.getPattern()
                                << " wants it: from a file (--attention-weights), or fitted to passages (--calibrate)";
      if (!known)
        return false;
      if (known->type != operand.getType())
        return op.emitOpError() << "found the weight '" << weight.getKey() << "' of " << known->type << " but "
                                << op.getPattern() << " wants " << operand.getType();
      found.push_back({weight.getKey().str(), false});
    }
    llvm::append_range(origins, found);
    return true;
  }

  LogicalResult fit(sattn::AttentionOp op, ArrayRef<sattn::AttentionInputs> samples) {
    activity("fitting the weights of a pattern ...");
    std::vector<std::vector<double>> fitted = op.getPattern().fit(samples);
    if (fitted.size() != op.getWeights().size())
      return op.emitOpError() << "found no way to fit the weights of " << op.getPattern()
                              << " but a file that holds them is wanted (--attention-weights)";
    for (auto [operand, numbers] : llvm::zip_equal(op.getWeights(), fitted)) {
      auto weight = operand.getDefiningOp<model::WeightOp>();
      std::vector<float> floats(numbers.begin(), numbers.end());
      std::string key = freshKey(weight.getKey());
      ArrayRef<char> bytes(reinterpret_cast<const char *>(floats.data()), floats.size() * sizeof(float));
      if (auto error = weights.add(key, cast<RankedTensorType>(weight.getType()), weights.keep(bytes)))
        return op.emitOpError(llvm::toString(std::move(error)));
      origins.push_back({weight.getKey().str(), true});
      weight.setKey(key);
    }
    return success();
  }

  /// One compilation may fit the same weight again and again, in the search for patterns.
  std::string freshKey(StringRef key) {
    std::string fresh = key.str();
    for (int i = 2; weights.find(fresh); ++i)
      fresh = (key + "#" + Twine(i)).str();
    return fresh;
  }

  ModuleOp module;
  WeightStore &weights;
  ArrayRef<Passage> passages;
  const Activity &activity;
  std::vector<WeightOrigin> origins;
};
} // namespace

FailureOr<std::vector<WeightOrigin>> tamis::supplyPatternWeights(ModuleOp module, WeightStore &weights,
                                                                 ArrayRef<Passage> passages, const Activity &activity) {
  return Supplier(module, weights, passages, activity).run();
}
