// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives attention the smallest mask that says the same.
#include "dialects/model/ModelAffine.h"
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

#include <limits>

using namespace mlir;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::graph {
#define GEN_PASS_DEF_SIMPLIFYMASKS
#include "passes/graph/Passes.h.inc"

namespace {
bool isBool(Value value) {
  return typeOf(value).getElementType().isInteger(1);
}

Dims toRankFour(Dims dims) {
  while (dims.size() < 4)
    dims.insert(dims.begin(), DimExpr(1));
  return dims;
}

/// Base of the patterns: a new mask for an attention.
struct MaskPattern : OpRewritePattern<AttentionOp> {
  MaskPattern(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult setMask(AttentionOp op, Value mask, PatternRewriter &rewriter, bool causal = false) const {
    rewriter.modifyOpInPlace(op, [&] {
      mask ? op.getMaskMutable().assign(mask) : op.getMaskMutable().clear();
      op.setCausal(op.getCausal() || causal);
    });
    ++count;
    return success();
  }
  Pass::Statistic &count;
};

/// attention(mask broadcast(m)) is attention(mask m).
struct StripBroadcast : MaskPattern {
  using MaskPattern::MaskPattern;
  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getMask() ? op.getMask().getDefiningOp<BroadcastOp>() : BroadcastOp();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "mask is no broadcast");
    Value mask = broadcast.getInput();
    return setMask(op, reshapeTo(rewriter, op.getLoc(), mask, toRankFour(dimsOf(mask))), rewriter);
  }
};

/// A mask that adds 0 or keeps all is none.
struct DropNeutral : MaskPattern {
  using MaskPattern::MaskPattern;
  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    if (!op.getMask() || uniformNumber(op.getMask()) != (isBool(op.getMask()) ? 1.0 : 0.0))
      return rewriter.notifyMatchFailure(op, "mask changes scores");
    return setMask(op, {}, rewriter);
  }
};

/// A float mask select(keep, 0, -inf) is the bool mask keep, and select(drop, -inf, 0) its negation.
struct InfinityToBool : MaskPattern {
  using MaskPattern::MaskPattern;
  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    Value mask = op.getMask();
    auto reshape = mask ? mask.getDefiningOp<ReshapeOp>() : ReshapeOp();
    auto select = mask ? matchElementwise(reshape ? reshape.getInput() : mask, K::select) : ElementwiseOp();
    if (!select || isBool(mask))
      return rewriter.notifyMatchFailure(op, "mask is no selection of numbers");
    Value keep = select.getOperands()[0];
    auto yes = uniformNumber(select.getOperands()[1]), no = uniformNumber(select.getOperands()[2]);
    constexpr double infinity = std::numeric_limits<double>::infinity();
    bool keeps = yes == 0 && no == -infinity, drops = yes == -infinity && no == 0;
    if ((!keeps && !drops) || dimsOf(keep) != dimsOf(select.getResult()))
      return rewriter.notifyMatchFailure(op, "mask does not select between 0 and -inf");
    if (drops)
      keep = ElementwiseOp::create(rewriter, select.getLoc(), keep.getType(), K::logical_not, keep);
    return setMask(op, reshapeTo(rewriter, op.getLoc(), keep, dimsOf(mask)), rewriter);
  }
};

/// A bool mask, or a side of its `and`, that keeps key k for query q where k <= q + K - Q is the causal flag.
struct PositionsToCausal : MaskPattern {
  using MaskPattern::MaskPattern;
  LogicalResult matchAndRewrite(AttentionOp op, PatternRewriter &rewriter) const override {
    Value mask = op.getMask();
    if (!mask || !isBool(mask))
      return rewriter.notifyMatchFailure(op, "has no bool mask");
    DimExpr queries = dimsOf(op.getQuery())[1], keys = dimsOf(op.getKey())[1];
    auto reshape = mask.getDefiningOp<ReshapeOp>();
    Value inner = reshape && toRankFour(dimsOf(reshape.getInput())) == dimsOf(mask) ? reshape.getInput() : mask;
    if (isCausal(inner, queries, keys))
      return setMask(op, {}, rewriter, /*causal=*/true);
    auto both = matchElementwise(inner, K::logical_and);
    for (unsigned i : {0u, 1u}) {
      if (!both || !isCausal(both.getOperands()[i], queries, keys))
        continue;
      Value rest = both.getOperands()[1 - i];
      return setMask(op, reshapeTo(rewriter, op.getLoc(), rest, toRankFour(dimsOf(rest))), rewriter, /*causal=*/true);
    }
    return rewriter.notifyMatchFailure(op, "mask is not that of positions");
  }

  static bool isCausal(Value mask, const DimExpr &queries, const DimExpr &keys) {
    auto op = mask.getDefiningOp<ElementwiseOp>();
    Dims dims = dimsOf(mask);
    size_t rank = dims.size();
    if (!op || rank < 2 || dims[rank - 2] != queries || dims[rank - 1] != keys)
      return false;
    // As upper - lower >= slack.
    Value upper = op.getOperands()[0], lower = op.getOperands().back();
    if (op.getKind() == K::less || op.getKind() == K::less_equal)
      std::swap(upper, lower);
    else if (op.getKind() != K::greater && op.getKind() != K::greater_equal)
      return false;
    int64_t slack = op.getKind() == K::less || op.getKind() == K::greater;
    auto high = affineIndexOf(upper), low = affineIndexOf(lower);
    if (!high || !low || high->start - low->start - DimExpr(slack) != keys - queries)
      return false;
    for (size_t back = 1; back <= rank; ++back) {
      auto stepOf = [&](const AffineIndex &index) {
        return back <= index.steps.size() ? index.steps[index.steps.size() - back] : DimExpr(0);
      };
      if (stepOf(*high) - stepOf(*low) != DimExpr(back == 1 ? -1 : back == 2 ? 1 : 0))
        return false;
    }
    return true;
  }
};

struct SimplifyMasksPass : impl::SimplifyMasksBase<SimplifyMasksPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<StripBroadcast, DropNeutral, InfinityToBool>(&getContext(), numSimplified);
    patterns.add<PositionsToCausal>(&getContext(), numCausal);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
