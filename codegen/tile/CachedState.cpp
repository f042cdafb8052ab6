// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs that keep keys and values in pages, made ready for kernels.
#include "codegen/tile/CachedState.h"

#include "codegen/tile/Cache.h"
#include "dialects/cache/CacheDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace tamis;

LogicalResult tamis::dropStateResults(func::FuncOp main) {
  Operation *terminator = main.front().getTerminator();
  llvm::BitVector dropped(main.getNumResults());
  for (auto append : main.getOps<cache::AppendOp>())
    for (auto [pool, result] : llvm::zip_equal(append.getPools(), append.getResults())) {
      auto argument = dyn_cast<BlockArgument>(pool);
      if (!argument || !argument.hasOneUse())
        return append.emitOpError("appends to a pool that is no input of the model, or that is read elsewhere, too: it "
                                  "is written in place");
      auto name = main.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "model.name");
      for (OpOperand &use : result.getUses()) {
        if (use.getOwner() != terminator)
          continue;
        auto state = main.getResultAttrOfType<StringAttr>(use.getOperandNumber(), cache::kStateAttr);
        if (!state || state != name)
          return append.emitOpError("gives an output that does not take the place of the input it appends to");
        dropped.set(use.getOperandNumber());
      }
      main.setArgAttr(argument.getArgNumber(), plan::kStateAttr, UnitAttr::get(main.getContext()));
    }
  for (unsigned i = 0; i < main.getNumResults(); ++i)
    if (!dropped[i] && main.getResultAttr(i, cache::kStateAttr))
      return main.emitOpError() << "gives output " << i << " in the place of an input to which nothing is appended";
  terminator->eraseOperands(dropped);
  return main.eraseResults(dropped);
}

void tamis::splitCachedAttention(func::FuncOp main) {
  OpBuilder builder(main.getContext());
  SmallVector<cache::AttendOp> attends(main.getOps<cache::AttendOp>());
  for (cache::AttendOp attend : attends) {
    model::Dims dims = model::dimsOf(attend.getType());
    if (dims.size() != 2)
      continue;
    cache::PoolSizes sizes = *cache::PoolSizes::of(attend, attend.getPools());
    DimExpr parts = cacheParts(dims[0], model::dimsOf(attend.getTable().getType())[1], sizes.page);
    if (parts.isConstant(1))
      continue;
    builder.setInsertionPoint(attend);
    Type element = cast<RankedTensorType>(attend.getType()).getElementType();
    Type type = model::tensorType(element,
                                  {dims[0], parts, DimExpr(int64_t(attend.getHeads())), DimExpr(sizes.valueWidth + 1)});
    Value partial = cache::AttendOp::create(builder, attend.getLoc(), type, attend.getQuery(), attend.getPools(),
                                            attend.getTable(), attend.getTexts(), attend.getPositions(),
                                            attend.getIndex(), attend.getHeadsAttr(), attend.getScaleAttr());
    Value merged = cache::MergeOp::create(builder, attend.getLoc(), attend.getType(), partial);
    attend.replaceAllUsesWith(merged);
    attend.erase();
  }
}
