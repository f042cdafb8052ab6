// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes out what patterns select.
#include "dialects/sattn/patterns/PatternBuilder.h"
#include "passes/sparsify/Passes.h"

using namespace mlir;

namespace tamis::sparsify {
#define GEN_PASS_DEF_LOWERSELECTION
#include "passes/sparsify/Passes.h.inc"

namespace {
struct LowerSelection : impl::LowerSelectionBase<LowerSelection> {
  void runOnOperation() override {
    for (auto op : llvm::make_early_inc_range(getOperation().getOps<sattn::AttentionOp>())) {
      OpBuilder builder(op);
      sattn::PatternBuilder selection(builder, op);
      op.replaceAllUsesWith(op.getPattern().lower(selection));
      op.erase();
      ++numLowered;
    }
  }
};
} // namespace
} // namespace tamis::sparsify
