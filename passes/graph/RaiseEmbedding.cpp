// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognises table look-ups.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::graph {
#define GEN_PASS_DEF_RAISEEMBEDDING
#include "passes/graph/Passes.h.inc"

namespace {
struct RaiseEmbeddingPass : impl::RaiseEmbeddingBase<RaiseEmbeddingPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    getOperation().walk([&](GatherOp op) {
      RankedTensorType table = typeOf(op.getData());
      if (op.getAxis() != 0 || table.getRank() != 2 || !isa<FloatType>(table.getElementType()) ||
          !isWeightExpression(op.getData()))
        return;
      rewriter.setInsertionPoint(op);
      rewriter.replaceOpWithNewOp<EmbeddingOp>(op, op.getType(), op.getData(), op.getIndices());
      ++numRaised;
    });
  }
};
} // namespace
} // namespace tamis::graph
