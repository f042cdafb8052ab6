// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes out what patterns select.
#include "dialects/sattn/patterns/PatternBuilder.h"
#include "passes/sparsify/Passes.h"

using namespace mlir;

namespace tamis::sparsify {
#define GEN_PASS_DEF_LOWERSELECTION
#include "passes/sparsify/Passes.h.inc"

namespace {
/// Hands the marks of an attention on to those that take its place.
struct MarkAttention : OpBuilder::Listener {
  explicit MarkAttention(sattn::AttentionOp from) : from(from) {}
  void notifyOperationInserted(Operation *op, OpBuilder::InsertPoint) override {
    if (!isa<sattn::AttendOp>(op))
      return;
    reads = true;
    for (StringRef name : {kSelectsFor, kSharesIndexOf})
      if (Attribute mark = from->getDiscardableAttr(name))
        op->setDiscardableAttr(name, mark);
  }
  sattn::AttentionOp from;
  bool reads = false; ///< indices
};

struct LowerSelection : impl::LowerSelectionBase<LowerSelection> {
  void runOnOperation() override {
    for (auto op : llvm::make_early_inc_range(getOperation().getOps<sattn::AttentionOp>())) {
      MarkAttention marks(op);
      OpBuilder builder(op, &marks);
      sattn::PatternBuilder selection(builder, op);
      op.replaceAllUsesWith(op.getPattern().lower(selection));
      if (!marks.reads && op->hasAttr(kSharesIndexOf)) {
        op.emitOpError() << "shares what another layer selects but " << op.getPattern() << " selects nothing";
        return signalPassFailure();
      }
      op.erase();
      ++numLowered;
    }
  }
};
} // namespace
} // namespace tamis::sparsify
