// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Marks every layer with the precision that a policy gives it.
#include "dialects/model/ModelConstants.h"
#include "passes/precision/Passes.h"
#include "passes/precision/Policy.h"

using namespace mlir;

namespace tamis::precision {
#define GEN_PASS_DEF_ASSIGNPRECISION
#include "passes/precision/Passes.h.inc"

namespace {
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
