// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Takes kernels that make an index of others apart.
#include "codegen/tile/IndexKernel.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

FailureOr<IndexKernel> IndexKernel::analyse(func::FuncOp function) {
  auto stores = function.getOps<StoreIndexOp>();
  if (stores.empty() || !llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("has no sattn.store_index to tile");
  StoreIndexOp store = *stores.begin();
  Operation *terminator = function.front().getTerminator();
  if (terminator->getNumOperands() != 1 || terminator->getOperand(0) != store.getResult())
    return function.emitOpError("returns something else than the result of its sattn.store_index");
  IndexKernel kernel;
  kernel.op = store.getInput().getDefiningOp();
  if (!kernel.op || !isa<UnionOp, IntersectOp, RefineOp, CoarsenOp, TransposeOp, ShareOp>(kernel.op))
    return store.emitOpError("stores something else than what an op from index to index makes");
  for (Operation &other : function.front().without_terminator())
    if (&other != kernel.op && &other != store && !isa<LoadIndexOp, BandsOp>(other))
      return other.emitOpError() << "cannot be computed with a " << kernel.op->getName();
  for (Value input : kernel.op->getOperands()) {
    IndexOperand operand{cast<KeyIndexType>(input.getType()), {}, input.getDefiningOp<BandsOp>()};
    auto load = input.getDefiningOp<LoadIndexOp>();
    operand.source = load ? dyn_cast<BlockArgument>(load.getInput()) : BlockArgument();
    if (!operand.source && !operand.bands)
      return kernel.op->emitOpError("has an index that is neither bands nor loaded from an argument of its kernel");
    kernel.inputs.push_back(operand);
  }
  kernel.type = store.getInput().getType();
  model::Dims shape = kernel.type.shapeDims();
  kernel.batch = shape[0];
  auto heads = shape[1].constant();
  if (!heads)
    return kernel.op->emitOpError() << "has " << shape[1].str() << " heads but a number is wanted";
  kernel.heads = *heads;
  kernel.rows = shape[2];
  kernel.items = kernel.type.itemCount();
  kernel.capacity = kernel.type.capacityExpr();
  return kernel;
}

int64_t IndexKernel::groupRows() const {
  constexpr int64_t rows = 64;
  return isa<TransposeOp>(op) ? 0 : rows; // every row of an operand adds to any row of its transpose
}

DimExpr IndexKernel::scratchElements() const {
  return isa<CoarsenOp>(op) ? items + 1 : DimExpr(1);
}
