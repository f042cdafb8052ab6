// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes indices from op to op as tensors.
#include "passes/sparsify/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace tamis::sparsify {
#define GEN_PASS_DEF_STOREINDICES
#include "passes/sparsify/Passes.h.inc"

namespace {
/// Ops that are computed where their index is made: what they give is stored, not what they take.
bool isSelection(Operation *op) {
  return isa<sattn::SelectOp, sattn::CoarsenOp, sattn::DiagonalsOp>(op);
}

/// Ops whose result is never stored: each selection computes it for itself.
bool isEstimate(Operation *op) {
  return isa<sattn::SummarizeOp, sattn::ScoreOp, sattn::WeighOp>(op);
}

struct StoreIndices : impl::StoreIndicesBase<StoreIndices> {
  void runOnOperation() override {
    SmallVector<Value> selected, repeated;
    SmallVector<Operation *> estimates;
    getOperation().walk([&](Operation *op) {
      if (isEstimate(op))
        estimates.push_back(op);
      else if (isSelection(op))
        selected.push_back(op->getResult(0));
      else if (isa<sattn::BandsOp, sattn::LoadIndexOp>(op))
        repeated.push_back(op->getResult(0));
    });
    for (Value index : selected)
      store(index);
    for (Value index : repeated)
      repeat(index);
    for (Operation *op : llvm::reverse(estimates)) // readers first
      if (!op->use_empty() && !op->hasOneUse())
        repeat(op->getResult(0));
  }

  void store(Value index) {
    SmallVector<OpOperand *> readers;
    Value stored; // by a pattern that reads the tensor
    for (OpOperand &use : index.getUses())
      if (isa<sattn::StoreIndexOp>(use.getOwner()))
        stored = use.getOwner()->getResult(0);
      else if (!isSelection(use.getOwner()))
        readers.push_back(&use);
    if (readers.empty())
      return;
    OpBuilder builder(index.getContext());
    builder.setInsertionPointAfterValue(index);
    auto type = cast<sattn::KeyIndexType>(index.getType());
    if (stored)
      stored.getDefiningOp()->moveAfter(index.getDefiningOp());
    else
      stored = sattn::StoreIndexOp::create(builder, index.getLoc(), type.storage(), index);
    for (OpOperand *reader : readers) {
      builder.setInsertionPoint(reader->getOwner());
      reader->set(sattn::LoadIndexOp::create(builder, reader->getOwner()->getLoc(), type, stored));
    }
    ++numStored;
  }

  void repeat(Value value) {
    Operation *op = value.getDefiningOp();
    for (OpOperand &use : llvm::make_early_inc_range(value.getUses())) {
      OpBuilder builder(use.getOwner());
      use.set(builder.clone(*op)->getResult(0));
    }
    op->erase();
  }
};
} // namespace
} // namespace tamis::sparsify
