// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rounds weights to bf16, and has their layers round what they read.
#include "lib/driver/HalfWeights.h"

#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelShapes.h"
#include "lib/driver/KnownValues.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/precision/Passes.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
class Rounder {
public:
  Rounder(func::FuncOp main, WeightStore &weights, const Activity &activity)
      : main(main), weights(weights), activity(activity), builder(main.getContext()) {}

  LogicalResult run() {
    SmallVector<Operation *> layers;
    for (Operation &op : main.getOps()) {
      auto mark = op.getAttrOfType<StringAttr>(precision::kPrecision);
      Value weight = layerWeight(&op);
      if (mark && mark.getValue() == kBFloat16 && weight && isKnown(weight))
        layers.push_back(&op);
    }
    for (auto [done, op] : llvm::enumerate(layers)) {
      activity("rounding weights, " + std::to_string(done + 1) + " of " + std::to_string(layers.size()));
      builder.setInsertionPoint(op);
      auto linear = dyn_cast<LinearOp>(op);
      if (failed(linear ? round(linear) : round(cast<EmbeddingOp>(op))))
        return failure();
    }
    return success();
  }

private:
  /// The rounded weight, in the store and as a value.
  FailureOr<Value> rounded(Value weight) {
    auto tensor = valueOf(weight, weights, builder.getBF16Type());
    if (failed(tensor))
      return failure();
    auto type = RankedTensorType::get(tensor->shape, tensor->element);
    std::string key = weightKey(weight).value_or("constant") + ".bf16";
    for (; const WeightStore::Weight *known = weights.find(key); key += "'") // merged matrices may begin alike
      if (known->type == type && known->bytes == ArrayRef(tensor->bytes))
        break;
    if (!weights.find(key))
      if (llvm::Error error = weights.add(key, type, weights.keep(tensor->bytes)))
        return emitError(weight.getLoc()) << llvm::toString(std::move(error));
    return Value(WeightOp::create(builder, weight.getLoc(), type, key));
  }

  LogicalResult round(LinearOp op) {
    auto weight = rounded(op.getWeight());
    if (failed(weight))
      return failure();
    Value input = CastOp::create(builder, op.getLoc(),
                                 tensorType(builder.getBF16Type(), dimsOf(op.getInput().getType())), op.getInput());
    auto half = LinearOp::create(builder, op.getLoc(), op.getType(), input, *weight, op.getBias(), op.getTransposed());
    op.replaceAllUsesWith(half.getResult());
    op.erase();
    return success();
  }

  LogicalResult round(EmbeddingOp op) {
    auto table = rounded(op.getTable());
    if (failed(table))
      return failure();
    auto rows = EmbeddingOp::create(builder, op.getLoc(), tensorType(builder.getBF16Type(), dimsOf(op.getType())),
                                    *table, op.getIds());
    auto wide = CastOp::create(builder, op.getLoc(), op.getType(), rows);
    op.replaceAllUsesWith(wide.getResult());
    op.erase();
    return success();
  }

  func::FuncOp main;
  WeightStore &weights;
  const Activity &activity;
  OpBuilder builder;
};
} // namespace

LogicalResult tamis::roundLayers(ModuleOp module, WeightStore &weights, const Activity &activity) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module.emitError("expected a function @main");
  return Rounder(main, weights, activity).run();
}
