// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes indices and partial results from op to op as tensors.
#include "passes/sparsify/Passes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace tamis::sparsify {
#define GEN_PASS_DEF_STOREINDICES
#include "passes/sparsify/Passes.h.inc"

namespace {
/// A selection, and rows of one joined, or what lies on its diagonals, are one kernel.
bool isSelection(Operation *op) {
  Value selected;
  if (auto coarsen = dyn_cast<sattn::CoarsenOp>(op))
    selected = coarsen.keepsItems() ? coarsen.getInput() : Value();
  else if (auto diagonals = dyn_cast<sattn::DiagonalsOp>(op))
    selected = diagonals.getDistances();
  else
    return isa<sattn::SelectOp>(op);
  return selected && selected.getDefiningOp<sattn::SelectOp>() && selected.hasOneUse();
}

/// Ops whose result is never stored: each selection computes it for itself.
bool isEstimate(Operation *op) {
  return isa<sattn::SummarizeOp, sattn::ScoreOp, sattn::WeighOp>(op);
}

/// Ops that are computed where their index is made: what they give is stored, not what they take.
bool takesUnstored(Operation *reader, Operation *producer) {
  return isa<sattn::SelectOp>(producer) && producer->hasOneUse() && isSelection(reader);
}

struct StoreIndices : impl::StoreIndicesBase<StoreIndices> {
  void runOnOperation() override {
    SmallVector<Value> made, repeated;
    SmallVector<Operation *> estimates;
    getOperation().walk([&](Operation *op) {
      if (isEstimate(op))
        estimates.push_back(op);
      else if (isa<sattn::BandsOp, sattn::LoadIndexOp>(op))
        repeated.push_back(op->getResult(0));
      else if (op->getNumResults() == 1 && !isa<sattn::LoadPartialOp>(op) &&
               isa<sattn::KeyIndexType, sattn::PartialType>(op->getResult(0).getType()))
        made.push_back(op->getResult(0));
    });
    for (Value value : made) {
      if (isa<sattn::PartialType>(value.getType()))
        store<sattn::PartialType, sattn::StorePartialOp, sattn::LoadPartialOp>(value);
      else
        store<sattn::KeyIndexType, sattn::StoreIndexOp, sattn::LoadIndexOp>(value);
    }
    for (Value index : repeated)
      repeat(index);
    for (Operation *op : llvm::reverse(estimates)) // readers first
      if (!op->use_empty() && !op->hasOneUse())
        repeat(op->getResult(0));
  }

  template <typename Type, typename Store, typename Load> void store(Value value) {
    SmallVector<OpOperand *> readers;
    Value stored; // by a pattern that reads the tensor
    for (OpOperand &use : value.getUses())
      if (isa<Store>(use.getOwner()))
        stored = use.getOwner()->getResult(0);
      else if (!takesUnstored(use.getOwner(), value.getDefiningOp()))
        readers.push_back(&use);
    if (readers.empty())
      return;
    OpBuilder builder(value.getContext());
    builder.setInsertionPointAfterValue(value);
    auto type = cast<Type>(value.getType());
    if (stored)
      stored.getDefiningOp()->moveAfter(value.getDefiningOp());
    else
      stored = Store::create(builder, value.getLoc(), type.storage(), value);
    for (OpOperand *reader : readers) {
      builder.setInsertionPoint(reader->getOwner());
      reader->set(Load::create(builder, reader->getOwner()->getLoc(), type, stored));
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
