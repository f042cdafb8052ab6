// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Computes attention of 16-bit floats in f32.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::graph {
#define GEN_PASS_DEF_WIDENHALF
#include "passes/graph/Passes.h.inc"

namespace {
Value castTo(PatternRewriter &rewriter, Location loc, Value value, Type element) {
  return CastOp::create(rewriter, loc, tensorType(element, tamis::model::dimsOf(value.getType())), value);
}

struct WidenAttention : OpRewritePattern<AttentionOp> {
  WidenAttention(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    Type element = typeOf(op.getQuery()).getElementType();
    if (!element.isF16() && !element.isBF16())
      return rewriter.notifyMatchFailure(op, "operands are not of 16 bits");
    Type f32 = rewriter.getF32Type();
    auto wide = [&](Value value) { return castTo(rewriter, op.getLoc(), value, f32); };
    Value mask = op.getMask();
    if (mask && isa<FloatType>(typeOf(mask).getElementType()))
      mask = wide(mask);
    auto type = tensorType(f32, tamis::model::dimsOf(op.getType()));
    auto widened =
        AttentionOp::create(rewriter, op.getLoc(), type, wide(op.getQuery()), wide(op.getKey()), wide(op.getValue()),
                            mask, op.getHeads(), op.getKvHeads(), op.getScale(), op.getCausal());
    rewriter.replaceOp(op, castTo(rewriter, op.getLoc(), widened, element));
    ++count;
    return success();
  }
  Pass::Statistic &count;
};

struct WidenHalf : impl::WidenHalfBase<WidenHalf> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<WidenAttention>(&getContext(), numWidened);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
