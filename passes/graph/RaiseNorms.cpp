// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognises layer and RMS normalisation.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::graph {
#define GEN_PASS_DEF_RAISENORMS
#include "passes/graph/Passes.h.inc"

namespace {
/// x of x * x or x ** 2.
Value matchSquare(Value value) {
  if (auto pow = matchElementwise(value, K::pow); pow && uniformNumber(pow.getOperands()[1]) == 2)
    return pow.getOperands()[0];
  if (auto mul = matchElementwise(value, K::mul); mul && mul.getOperands()[0] == mul.getOperands()[1])
    return mul.getOperands()[0];
  return {};
}

/// x of 1 / sqrt(x) in its spellings, each step noted in `trail`.
Value matchInverseRoot(Value value, Trail &trail) {
  auto op = value.getDefiningOp<ElementwiseOp>();
  if (!op)
    return {};
  trail.add(op);
  Value operand = op.getOperands()[0];
  if (op.getKind() == K::rsqrt)
    return operand;
  if (op.getKind() == K::pow && uniformNumber(op.getOperands()[1]) == -0.5)
    return operand;
  Value root;
  if (op.getKind() == K::reciprocal)
    root = operand;
  else if (op.getKind() == K::div && uniformNumber(operand) == 1)
    root = op.getOperands()[1];
  else
    return {};
  auto sqrt = root.getDefiningOp<ElementwiseOp>();
  if (!sqrt)
    return {};
  trail.add(sqrt);
  bool isRoot = sqrt.getKind() == K::sqrt || (sqrt.getKind() == K::pow && uniformNumber(sqrt.getOperands()[1]) == 0.5);
  return isRoot ? sqrt.getOperands()[0] : Value();
}

/// The operand of mean(..) over the last axes; `axis` is the first of them.
Value matchMean(Value value, int64_t &axis) {
  auto reduce = value.getDefiningOp<ReduceOp>();
  if (!reduce || reduce.getKind() != ReduceKind::mean || reduce.getAxes().empty())
    return {};
  int64_t rank = typeOf(value).getRank();
  axis = rank - int64_t(reduce.getAxes().size());
  if (!llvm::equal(reduce.getAxes(), llvm::seq(axis, rank)))
    return {};
  for (int64_t inner = axis; inner < rank; ++inner)
    if (typeOf(reduce.getInput()).isDynamicDim(inner))
      return {};
  return reduce.getInput();
}

/// d / sqrt(mean(d^2) + epsilon)
struct RaiseNorm : OpRewritePattern<ElementwiseOp> {
  RaiseNorm(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    if (op.getKind() == K::div) {
      auto sqrt = op.getOperands()[1].getDefiningOp<ElementwiseOp>();
      bool isRoot = sqrt && (sqrt.getKind() == K::sqrt ||
                             (sqrt.getKind() == K::pow && uniformNumber(sqrt.getOperands()[1]) == 0.5));
      Trail trail;
      trail.add(sqrt);
      return isRoot ? raise(op, op.getOperands()[0], sqrt.getOperands()[0], trail, rewriter) : failure();
    }
    if (op.getKind() != K::mul)
      return rewriter.notifyMatchFailure(op, "is neither a quotient nor a product");
    for (unsigned i : {0u, 1u}) {
      Trail trail;
      Value variance = matchInverseRoot(op.getOperands()[i], trail);
      if (variance && succeeded(raise(op, op.getOperands()[1 - i], variance, trail, rewriter)))
        return success();
    }
    return rewriter.notifyMatchFailure(op, "no factor is an inverse root");
  }

private:
  LogicalResult raise(ElementwiseOp op, Value deviation, Value variance, Trail &trail,
                      PatternRewriter &rewriter) const {
    auto add = matchElementwise(variance, K::add);
    if (!add)
      return rewriter.notifyMatchFailure(op, "adds no epsilon");
    trail.add(add);
    auto epsilon = uniformNumber(add.getOperands()[1]);
    Value mean = add.getOperands()[0];
    if (!epsilon) {
      epsilon = uniformNumber(add.getOperands()[0]);
      mean = add.getOperands()[1];
    }
    int64_t axis;
    Value squares = epsilon ? matchMean(mean, axis) : Value();
    if (!squares || *epsilon < 0)
      return rewriter.notifyMatchFailure(op, "takes no mean over the last axes");
    trail.add(mean);
    trail.add(squares);
    Value base = matchSquare(squares);
    if (!base || base.getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "takes the mean of no squares");
    Value input = base, divided = deviation;
    NormKind kind = NormKind::rms;
    // Both sides may subtract the mean, in one op or in two alike.
    Value centred = matchCentred(base, axis, trail);
    if (centred && (base == deviation || matchCentred(deviation, axis, trail) == centred)) {
      kind = NormKind::layer;
      input = centred;
    } else if (divided != base) {
      return rewriter.notifyMatchFailure(op, "divides another value than it squares");
    }
    trail.add(op);
    ++count;
    auto norm = NormOp::create(rewriter, trail.fuse(rewriter), op.getType(), kind, input, Value(), Value(), axis,
                               APFloat(*epsilon));
    rewriter.replaceOp(op, norm);
    return success();
  }

  /// x of x - mean(x), the mean over the axes from `axis` on.
  static Value matchCentred(Value value, int64_t axis, Trail &trail) {
    auto sub = matchElementwise(value, K::sub);
    int64_t meanAxis;
    Value input = sub ? matchMean(sub.getOperands()[1], meanAxis) : Value();
    if (!input || input != sub.getOperands()[0] || meanAxis != axis)
      return {};
    trail.add(sub.getOperands()[1]);
    trail.add(sub);
    return input;
  }

  Pass::Statistic &count;
};

/// norm(x) * scale, norm(x) + bias
struct TakeParameter : OpRewritePattern<ElementwiseOp> {
  TakeParameter(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    bool isScale = op.getKind() == K::mul;
    if (!isScale && op.getKind() != K::add)
      return rewriter.notifyMatchFailure(op, "is neither a product nor a sum");
    for (unsigned i : {0u, 1u}) {
      auto norm = op.getOperands()[i].getDefiningOp<NormOp>();
      if (!norm || !norm->hasOneUse() || norm.getType() != op.getType() || norm.getBias() ||
          (isScale && norm.getScale()))
        continue;
      Dims dims = dimsOf(norm.getResult());
      Value parameter = asParameter(rewriter, op.getOperands()[1 - i], ArrayRef(dims).drop_front(norm.getAxis()));
      if (!parameter)
        continue;
      Trail trail;
      trail.add(norm);
      trail.add(op);
      Value scale = isScale ? parameter : norm.getScale();
      if (!scale) // a bias comes with a scale
        scale = makeUniform(rewriter, norm.getLoc(), typeOf(parameter), 1);
      ++count;
      auto taken = NormOp::create(rewriter, trail.fuse(rewriter), op.getType(), norm.getKind(), norm.getInput(), scale,
                                  isScale ? Value() : parameter, norm.getAxis(), norm.getEpsilon());
      rewriter.replaceOp(op, taken);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand is a normalisation that has none yet");
  }
  Pass::Statistic &count;
};

struct RaiseNormsPass : impl::RaiseNormsBase<RaiseNormsPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<RaiseNorm>(&getContext(), numRaised);
    patterns.add<TakeParameter>(&getContext(), numParameters);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
