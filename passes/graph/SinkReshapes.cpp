// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves reshapes towards the results until they cancel.
#include "dialects/model/ModelViews.h"
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::graph {
#define GEN_PASS_DEF_SINKRESHAPES
#include "passes/graph/Passes.h.inc"

namespace {
/// How many axes, counted from the last, a reshape leaves as they are.
size_t keptAxes(ArrayRef<DimExpr> from, ArrayRef<DimExpr> to) {
  size_t kept = 0;
  while (kept < std::min(from.size(), to.size()) && from[from.size() - 1 - kept] == to[to.size() - 1 - kept])
    ++kept;
  return kept;
}

/// Base of the patterns that count the reshapes they move.
template <typename Op> struct SinkPattern : OpRewritePattern<Op> {
  SinkPattern(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern<Op>(context), count(count) {}
  Pass::Statistic &count;
};

struct SinkThroughLinear : SinkPattern<LinearOp> {
  using SinkPattern::SinkPattern;
  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<ReshapeOp>();
    Dims from = reshape ? dimsOf(reshape.getInput()) : Dims();
    if (!reshape || keptAxes(from, dimsOf(op.getInput())) == 0)
      return rewriter.notifyMatchFailure(op, "operand is no reshape of rows");
    from.back() = dimsOf(op.getResult()).back();
    auto linear = LinearOp::create(rewriter, op.getLoc(), tensorType(typeOf(op.getResult()).getElementType(), from),
                                   reshape.getInput(), op.getWeight(), op.getBias(), op.getTransposed());
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), linear);
    ++count;
    return success();
  }
};

struct SinkThroughNorm : SinkPattern<NormOp> {
  using SinkPattern::SinkPattern;
  LogicalResult matchAndRewrite(NormOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<ReshapeOp>();
    size_t normalised = typeOf(op.getResult()).getRank() - op.getAxis();
    if (!reshape || keptAxes(dimsOf(reshape.getInput()), dimsOf(op.getInput())) < normalised)
      return rewriter.notifyMatchFailure(op, "operand is no reshape of other axes");
    Value input = reshape.getInput();
    auto norm = NormOp::create(rewriter, op.getLoc(), input.getType(), op.getKind(), input, op.getScale(), op.getBias(),
                               typeOf(input).getRank() - normalised, op.getEpsilon());
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), norm);
    ++count;
    return success();
  }
};

struct SinkThroughSoftmax : SinkPattern<SoftmaxOp> {
  using SinkPattern::SinkPattern;
  LogicalResult matchAndRewrite(SoftmaxOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<ReshapeOp>();
    size_t kept = typeOf(op.getResult()).getRank() - op.getAxis();
    if (!reshape || keptAxes(dimsOf(reshape.getInput()), dimsOf(op.getInput())) < kept)
      return rewriter.notifyMatchFailure(op, "operand is no reshape of other axes");
    Value input = reshape.getInput();
    auto softmax = SoftmaxOp::create(rewriter, op.getLoc(), input.getType(), input, typeOf(input).getRank() - kept);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), softmax);
    ++count;
    return success();
  }
};

/// activation, cast
template <typename Op> struct SinkThroughUnary : SinkPattern<Op> {
  using SinkPattern<Op>::SinkPattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().template getDefiningOp<ReshapeOp>();
    if (!reshape)
      return rewriter.notifyMatchFailure(op, "operand is no reshape");
    auto type = tensorType(typeOf(op.getResult()).getElementType(), dimsOf(reshape.getInput()));
    Operation *moved = rewriter.clone(*op);
    moved->setOperand(0, reshape.getInput());
    moved->getResult(0).setType(type);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), moved->getResult(0));
    ++this->count;
    return success();
  }
};

struct SinkThroughElementwise : SinkPattern<ElementwiseOp> {
  using SinkPattern::SinkPattern;
  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    Dims to = dimsOf(op.getResult()), from;
    for (Value operand : op.getOperands())
      if (auto reshape = operand.getDefiningOp<ReshapeOp>(); reshape && dimsOf(operand) == to)
        from = dimsOf(reshape.getInput());
    if (from.empty())
      return rewriter.notifyMatchFailure(op, "no operand is a reshape to the result's sizes");
    size_t kept = keptAxes(from, to);
    // Per operand the sizes it has in front of the reshape: those of the reshape's operand, or the kept axes that it is
    // broadcast along (none for a single number).
    SmallVector<Dims> moved;
    for (Value operand : op.getOperands()) {
      auto reshape = operand.getDefiningOp<ReshapeOp>();
      Dims dims = dimsOf(operand);
      auto *firstUsed = llvm::find_if(dims, [](const DimExpr &dim) { return !dim.isConstant(1); });
      if (reshape && dims == to && dimsOf(reshape.getInput()) == from)
        moved.push_back(from);
      else if (size_t(dims.end() - firstUsed) <= kept)
        moved.emplace_back(firstUsed, dims.end());
      else
        return rewriter.notifyMatchFailure(op, "operands are not reshaped alike");
    }
    SmallVector<Value> operands;
    for (auto [operand, dims] : llvm::zip_equal(op.getOperands(), moved)) {
      auto reshape = operand.getDefiningOp<ReshapeOp>();
      Value before = reshape && dimsOf(reshape.getInput()) == dims ? reshape.getInput() : operand;
      operands.push_back(reshapeTo(rewriter, op.getLoc(), before, dims));
    }
    auto type = tensorType(typeOf(op.getResult()).getElementType(), from);
    auto result = ElementwiseOp::create(rewriter, op.getLoc(), type, op.getKind(), operands);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), result);
    ++count;
    return success();
  }
};

/// reshape(f(reshape(a), b)), the outer reshape undoing the inner one, is f(a, reshape(b)): the scores of an attention
/// that adds products of [batch*heads, ..] to them.
struct HoistOverElementwise : SinkPattern<ReshapeOp> {
  using SinkPattern::SinkPattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<ElementwiseOp>();
    if (!inner || !inner->hasOneUse())
      return rewriter.notifyMatchFailure(op, "operand is no elementwise op of its own");
    Dims from = dimsOf(inner.getResult()), to = dimsOf(op.getResult());
    // What only adds or drops leading ones sinks instead.
    auto *firstUsed = llvm::find_if(to, [](const DimExpr &dim) { return !dim.isConstant(1); });
    if (size_t(to.end() - firstUsed) <= keptAxes(from, to))
      return rewriter.notifyMatchFailure(op, "splits and merges no axes");
    bool undoes = false;
    for (Value operand : inner.getOperands()) {
      auto reshape = operand.getDefiningOp<ReshapeOp>();
      undoes |= reshape && dimsOf(operand) == from && dimsOf(reshape.getInput()) == to;
      if (dimsOf(operand) != from && !product(dimsOf(operand)).isConstant(1))
        return rewriter.notifyMatchFailure(op, "an operand is broadcast");
    }
    if (!undoes)
      return rewriter.notifyMatchFailure(op, "undoes no reshape");
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands()) {
      auto reshape = operand.getDefiningOp<ReshapeOp>(); // not reshaped twice, which would sink again
      bool cancels = reshape && dimsOf(operand) == from && dimsOf(reshape.getInput()) == to;
      operands.push_back(cancels ? reshape.getInput()
                                 : reshapeTo(rewriter, op.getLoc(), operand, dimsOf(operand) == from ? to : Dims()));
    }
    rewriter.replaceOpWithNewOp<ElementwiseOp>(op, op.getType(), inner.getKind(), operands);
    ++count;
    return success();
  }
};

/// matmul([a*b, m, k], [a*b, k, n]) whose operands are views of [a, b, ..] values is a matmul of rank 4.
struct SplitBatch : SinkPattern<MatmulOp> {
  using SinkPattern::SinkPattern;
  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    if (typeOf(op.getLhs()).getRank() != 3 || typeOf(op.getRhs()).getRank() != 3 ||
        dimsOf(op.getLhs())[0] != dimsOf(op.getRhs())[0])
      return rewriter.notifyMatchFailure(op, "operands have no common leading axis of three");
    Dims lead;
    for (Value operand : {op.getLhs(), op.getRhs()}) {
      ViewChain chain = ViewChain::of(operand);
      Dims factors;
      for (unsigned factor : chain.resultAxes()[0])
        factors.push_back(chain.factors()[factor]);
      if (factors.size() != 2 || (!lead.empty() && lead != factors))
        return rewriter.notifyMatchFailure(op, "leading axes have other than two common factors");
      lead = factors;
    }
    auto split = [&](Value operand) {
      Dims dims = lead;
      dims.append({dimsOf(operand)[1], dimsOf(operand)[2]});
      return reshapeTo(rewriter, op.getLoc(), operand, dims);
    };
    Dims dims = lead;
    dims.append({dimsOf(op.getResult())[1], dimsOf(op.getResult())[2]});
    auto product = MatmulOp::create(rewriter, op.getLoc(), tensorType(typeOf(op.getResult()).getElementType(), dims),
                                    split(op.getLhs()), split(op.getRhs()));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), product);
    ++count;
    return success();
  }
};

struct SinkReshapesPass : impl::SinkReshapesBase<SinkReshapesPass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<HoistOverElementwise, SinkThroughElementwise, SinkThroughLinear, SinkThroughNorm, SinkThroughSoftmax,
                 SinkThroughUnary<ActivationOp>, SinkThroughUnary<CastOp>, SplitBatch>(context, numSunk);
    // Views must merge on the way, or moved reshapes pile up in front of the next op.
    ReshapeOp::getCanonicalizationPatterns(patterns, context);
    TransposeOp::getCanonicalizationPatterns(patterns, context);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
