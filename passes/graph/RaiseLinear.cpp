// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognises dense layers.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::graph {
#define GEN_PASS_DEF_RAISELINEAR
#include "passes/graph/Passes.h.inc"

namespace {
/// matmul(x, w), matmul(x, transpose(w))
struct MatmulToLinear : OpRewritePattern<MatmulOp> {
  MatmulToLinear(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Value weight = op.getRhs();
    if (typeOf(weight).getRank() != 2 || !isa<FloatType>(typeOf(weight).getElementType()) ||
        !isWeightExpression(weight))
      return rewriter.notifyMatchFailure(op, "right operand is no known matrix of floats");
    Trail trail;
    trail.add(op);
    bool transposed = false;
    if (auto transpose = weight.getDefiningOp<TransposeOp>()) { // of rank 2, and no identity once canonical
      transposed = transpose.getPermutation()[0] == 1;
      weight = transpose.getInput();
      trail.add(transpose);
    }
    ++count;
    auto linear =
        LinearOp::create(rewriter, trail.fuse(rewriter), op.getType(), op.getLhs(), weight, Value(), transposed);
    rewriter.replaceOp(op, linear);
    return success();
  }
  Pass::Statistic &count;
};

/// linear(x, transpose(w)) is linear(x, w) transposed.
struct LinearOfTranspose : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    auto transpose = op.getWeight().getDefiningOp<TransposeOp>();
    if (!transpose || transpose.getPermutation()[0] != 1)
      return rewriter.notifyMatchFailure(op, "weight is not transposed");
    rewriter.modifyOpInPlace(op, [&] {
      op.getWeightMutable().assign(transpose.getInput());
      op.setTransposed(!op.getTransposed());
    });
    return success();
  }
};

/// linear(x, w) + b, reshape(linear(x, w)) + b
struct AddToBias : OpRewritePattern<ElementwiseOp> {
  AddToBias(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    if (op.getKind() != ElementwiseKind::add)
      return rewriter.notifyMatchFailure(op, "is no addition");
    for (unsigned i : {0u, 1u}) {
      Value sum = op.getOperands()[i], vector = op.getOperands()[1 - i];
      auto reshape = sum.getDefiningOp<ReshapeOp>();
      auto linear = (reshape ? reshape.getInput() : sum).getDefiningOp<LinearOp>();
      if (!linear || linear.getBias() || !linear->hasOneUse() || !sum.hasOneUse() || sum.getType() != op.getType())
        continue;
      DimExpr columns = dimsOf(linear.getResult()).back();
      if (dimsOf(sum).empty() || dimsOf(sum).back() != columns)
        continue;
      Value bias = asParameter(rewriter, vector, {columns});
      if (!bias)
        continue;
      Trail trail;
      trail.add(linear);
      trail.add(op);
      ++count;
      Value result = LinearOp::create(rewriter, trail.fuse(rewriter), linear.getType(), linear.getInput(),
                                      linear.getWeight(), bias, linear.getTransposed());
      if (reshape)
        result = ReshapeOp::create(rewriter, reshape.getLoc(), op.getType(), result);
      rewriter.replaceOp(op, result);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "adds no known vector to a dense layer");
  }
  Pass::Statistic &count;
};

struct RaiseLinearPass : impl::RaiseLinearBase<RaiseLinearPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<MatmulToLinear>(&getContext(), numRaised);
    patterns.add<AddToBias>(&getContext(), numBiases);
    patterns.add<LinearOfTranspose>(&getContext());
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
