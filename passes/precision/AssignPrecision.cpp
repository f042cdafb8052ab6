// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Marks every layer with the precision that a policy gives it.
#include "dialects/model/ModelConstants.h"
#include "passes/precision/Passes.h"
#include "passes/precision/Policy.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace tamis::precision {
#define GEN_PASS_DEF_ASSIGNPRECISION
#include "passes/precision/Passes.h.inc"

namespace {
bool isLayer(Operation *op) {
  return model::layerWeight(op) != nullptr;
}

/// Whether a linear makes queries, keys or values of an attention, or takes what it gives: whether there is an
/// attention on a way from its result, or to its input, with no layer between.
bool belongsToAttention(model::LinearOp linear) {
  llvm::SmallPtrSet<Operation *, 16> seen;
  SmallVector<Operation *> worklist;
  auto search = [&](function_ref<void(Operation *)> next) {
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val();
      if (!op || isLayer(op) || !seen.insert(op).second)
        continue;
      if (isa<model::AttentionOp>(op))
        return true;
      next(op);
    }
    return false;
  };
  llvm::append_range(worklist, linear->getUsers());
  if (search([&](Operation *op) { llvm::append_range(worklist, op->getUsers()); }))
    return true;
  seen.clear();
  worklist.assign({linear.getInput().getDefiningOp()});
  return search([&](Operation *op) {
    for (Value operand : op->getOperands())
      worklist.push_back(operand.getDefiningOp());
  });
}

struct AssignPrecision : impl::AssignPrecisionBase<AssignPrecision> {
  using AssignPrecisionBase::AssignPrecisionBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto chosen = Policy::parse(policy, function.getLoc());
    if (failed(chosen))
      return signalPassFailure();
    SmallVector<Operation *> layers;
    std::vector<std::string> keys;
    for (Operation &op : function.getOps()) {
      Value weight = model::layerWeight(&op);
      auto key = weight ? model::weightKey(weight) : std::nullopt;
      if (!key)
        continue;
      layers.push_back(&op);
      keys.push_back(*key);
    }
    if (failed(chosen->checkFits(keys, function.getLoc())))
      return signalPassFailure();
    for (auto [layer, key] : llvm::zip_equal(layers, keys)) {
      StringRef precision = chosen->precisionOf(key);
      if (precision == kMixed) {
        auto linear = dyn_cast<model::LinearOp>(layer);
        precision = linear && belongsToAttention(linear) ? "bf16" : "int8";
      }
      if (precision == kUnchanged) {
        layer->removeAttr(kPrecision);
        continue;
      }
      layer->setAttr(kPrecision, StringAttr::get(&getContext(), precision));
      ++numMarked;
    }
  }
};
} // namespace
} // namespace tamis::precision
