// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognises scaled dot-product attention.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

#include <cmath>

using namespace mlir;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::graph {
#define GEN_PASS_DEF_RAISEATTENTION
#include "passes/graph/Passes.h.inc"

namespace {
/// A score that is replaced by a number at or below this one has weight zero, whether the number replaces it or is
/// added to it: float32 scores are far smaller than half a unit in the last place of it.
constexpr double kSwallowsScores = -1e30;

/// One step from the scores to the softmax: what is added, and what keeps a score from being replaced.
struct MaskStep {
  Value added;           ///< float; null for a selection
  double factor = 1;     ///< of `added`
  Value keep;            ///< bool; scores where it does not hold become `fill`
  bool inverted = false; ///< keep where `keep` is false
  double fill = 0;
};

/// softmax(scale q k^T, masked) v, taken apart.
struct Attention {
  Value query, keyTransposed, value;
  double scale = 1;
  SmallVector<MaskStep> masks;
  Trail trail;
};

/// p of select(isnan(p), 0, p) and of select(not isnan(p), p, 0); p itself otherwise.
Value skipCleanUp(Value value, Trail &trail) {
  auto select = matchElementwise(value, K::select);
  if (!select)
    return value;
  auto isnan = matchElementwise(select.getOperands()[0], K::isnan);
  if (!isnan || isnan.getOperands()[0] != select.getOperands()[2] || uniformNumber(select.getOperands()[1]) != 0)
    return value;
  trail.add(isnan);
  trail.add(select);
  return select.getOperands()[2];
}

/// Walks from the softmax's operand to the product of queries and keys; `factor` is what the rest of the way multiplies
/// the value by.
bool findScores(Value value, double factor, Attention &attention, unsigned depth = 8) {
  if (auto product = value.getDefiningOp<MatmulOp>()) {
    attention.query = product.getLhs();
    attention.keyTransposed = product.getRhs();
    attention.scale = factor;
    attention.trail.add(product);
    return true;
  }
  auto op = value.getDefiningOp<ElementwiseOp>();
  if (!op || depth == 0)
    return false;
  size_t masks = attention.masks.size(), mark = attention.trail.size();
  attention.trail.add(op);
  double scaled = factor;
  if (Value inner = matchScaled(value, scaled); inner && findScores(inner, scaled, attention, depth - 1))
    return true;
  auto tryOperand = [&](unsigned i, MaskStep step) {
    attention.masks.resize(masks);
    attention.trail.truncate(mark);
    attention.trail.add(op);
    if (op.getOperands()[i].getType() != op.getType())
      return false;
    attention.masks.push_back(step);
    return findScores(op.getOperands()[i], factor, attention, depth - 1);
  };
  if (op.getKind() == K::add || op.getKind() == K::sub) {
    double sign = op.getKind() == K::add ? 1 : -1;
    if (tryOperand(0, {op.getOperands()[1], sign * factor, {}, false, 0}) ||
        (sign > 0 && tryOperand(1, {op.getOperands()[0], factor, {}, false, 0})))
      return true;
  }
  if (op.getKind() == K::select)
    for (unsigned scores : {1u, 2u}) {
      auto fill = uniformNumber(op.getOperands()[3 - scores]);
      if (fill && *fill * factor <= kSwallowsScores &&
          tryOperand(scores, {{}, factor, op.getOperands()[0], scores == 2, *fill * factor}))
        return true;
    }
  attention.masks.resize(masks);
  attention.trail.truncate(mark);
  return false;
}

/// Adds the ops that Raiser::stripScale takes away.
void noteScales(Value value, Trail &trail) {
  double ignored = 1;
  for (Operation *op = value.getDefiningOp(); op; op = value.getDefiningOp()) {
    Value inner = matchScaled(value, ignored);
    if (inner)
      trail.add(op);
    else if (!isa<ReshapeOp, TransposeOp>(op))
      return;
    value = inner ? inner : op->getOperand(0);
  }
}

class Raiser {
public:
  Raiser(PatternRewriter &rewriter, Attention &attention, MatmulOp root)
      : rewriter(rewriter), attention(attention), root(root), loc(attention.trail.fuse(rewriter)) {}

  /// The replacement of `root`, or null when sizes do not fit.
  Value raise() {
    Dims query = dimsOf(attention.query), keys = dimsOf(attention.keyTransposed), value = dimsOf(attention.value);
    rank = query.size();
    if ((rank != 3 && rank != 4) || keys.size() != rank || value.size() != rank || query[0] != keys[0] ||
        keys[0] != value[0] || !query[rank - 1].constant() || !value[rank - 1].constant() ||
        (rank == 4 && (query[1] != keys[1] || keys[1] != value[1] || !query[1].constant())))
      return {};
    heads = rank == 4 ? *query[1].constant() : 1;
    if (heads == 0 || query[rank - 1].isConstant(0) || value[rank - 1].isConstant(0))
      return {};
    batch = query[0];
    queries = query[rank - 2];
    keyCount = keys[rank - 1];
    Type element = typeOf(attention.query).getElementType();
    bool named = rank == 3 ? root.getType() == tensorType(element, {batch, queries, value[2]})
                           : root.getType() == tensorType(element, {batch, DimExpr(heads), queries, value[3]});
    if (!named || !checkMasks())
      return {};

    // Nothing was changed so far; from here on nothing fails.
    attention.query = stripScale(attention.query);
    attention.keyTransposed = stripScale(attention.keyTransposed);
    SmallVector<int64_t> swap{0, 2, 1};
    if (rank == 4)
      swap = {0, 1, 3, 2};
    Value key = swapBack(attention.keyTransposed, swap), values = attention.value;
    int64_t keyHeads = heads;
    if (rank == 4) {
      auto [sharedKey, groupsOfKey] = stripRepeat(key);
      auto [sharedValue, groupsOfValue] = stripRepeat(values);
      if (groupsOfKey == groupsOfValue && groupsOfKey != heads) {
        key = sharedKey;
        values = sharedValue;
        keyHeads = groupsOfKey;
      }
    }
    Dims result{batch, queries, DimExpr(heads) * value[rank - 1]};
    Value mask = buildMask();
    Value out = AttentionOp::create(rewriter, loc, tensorType(typeOf(attention.query).getElementType(), result),
                                    mergeHeads(attention.query), mergeHeads(key), mergeHeads(values), mask, heads,
                                    keyHeads, APFloat(attention.scale), /*causal=*/false);
    if (rank == 3)
      return out;
    out = reshapeTo(rewriter, loc, out, {batch, queries, DimExpr(heads), value[rank - 1]});
    return transposeBy(rewriter, loc, out, {0, 2, 1, 3});
  }

private:
  /// x of c x, also where views stand between the product and the value; c goes to the scale.
  Value stripScale(Value value) {
    if (Value inner = matchScaled(value, attention.scale))
      return stripScale(inner);
    Operation *view = value.getDefiningOp();
    if (!isa_and_nonnull<ReshapeOp, TransposeOp>(view))
      return value;
    Value inner = stripScale(view->getOperand(0));
    if (inner == view->getOperand(0))
      return value;
    if (auto transpose = dyn_cast<TransposeOp>(view))
      return transposeBy(rewriter, loc, inner, transpose.getPermutation());
    return reshapeTo(rewriter, loc, inner, dimsOf(value));
  }

  Value swapBack(Value value, ArrayRef<int64_t> swap) {
    auto transpose = value.getDefiningOp<TransposeOp>();
    if (transpose && transpose.getPermutation() == swap)
      return transpose.getInput();
    return transposeBy(rewriter, loc, value, swap);
  }

  /// [batch, heads, tokens, width] made by repeating each of g heads: the value before, [batch, g, tokens, width], and
  /// g.
  std::pair<Value, int64_t> stripRepeat(Value value) {
    Dims dims = dimsOf(value);
    auto reshape = value.getDefiningOp<ReshapeOp>();
    auto broadcast = reshape ? reshape.getInput().getDefiningOp<BroadcastOp>() : BroadcastOp();
    if (!broadcast || typeOf(broadcast.getResult()).getRank() != 5)
      return {value, heads};
    Dims wide = dimsOf(broadcast.getResult()), narrow = dimsOf(broadcast.getInput());
    if (narrow.size() != 5 || !wide[1].constant() || wide[0] != dims[0] || wide[3] != dims[2] || wide[4] != dims[3] ||
        narrow != Dims{wide[0], wide[1], DimExpr(1), wide[3], wide[4]})
      return {value, heads};
    return {reshapeTo(rewriter, loc, broadcast.getInput(), {wide[0], wide[1], wide[3], wide[4]}), *wide[1].constant()};
  }

  /// [batch, heads, tokens, width] as [batch, tokens, heads * width].
  Value mergeHeads(Value value) {
    if (rank == 3)
      return value;
    Dims dims = dimsOf(value);
    value = transposeBy(rewriter, loc, value, {0, 2, 1, 3});
    return reshapeTo(rewriter, loc, value, {dims[0], dims[2], dims[1] * dims[3]});
  }

  /// A mask as rank 4, aligned with [batch, heads, queries, keys]; null sizes of a rank 3 softmax are [batch, queries,
  /// keys].
  Dims maskDims(Value mask) const {
    Dims dims = dimsOf(mask);
    while (dims.size() < rank)
      dims.insert(dims.begin(), DimExpr(1));
    if (rank == 3)
      dims.insert(dims.begin() + 1, DimExpr(1));
    return dims;
  }

  bool checkMasks() const {
    Dims scores{batch, DimExpr(heads), queries, keyCount};
    for (const MaskStep &step : attention.masks) {
      Value mask = step.added ? step.added : step.keep;
      if (dimsOf(mask).size() > rank || !std::isfinite(step.factor))
        return false;
      auto both = broadcastDims(maskDims(mask), scores);
      if (!both || *both != scores)
        return false;
    }
    return true;
  }

  Value elementwise(K kind, ValueRange operands) {
    Dims dims;
    for (Value operand : operands)
      dims = *broadcastDims(dims, dimsOf(operand)); // all are masks of the same scores
    auto type = tensorType(typeOf(operands.back()).getElementType(), dims);
    return rewriter.createOrFold<ElementwiseOp>(loc, type, kind, operands);
  }

  Value scalar(double number) {
    return makeUniform(rewriter, loc, RankedTensorType::get({}, typeOf(attention.query).getElementType()), number);
  }

  /// All steps as one mask, bool when only -inf ever replaces a score.
  Value buildMask() {
    bool allBool =
        llvm::all_of(attention.masks, [](const MaskStep &step) { return !step.added && std::isinf(step.fill); });
    Value mask;
    for (const MaskStep &step : attention.masks) {
      Value part = step.added ? step.added : step.keep;
      part = reshapeTo(rewriter, loc, part, maskDims(part));
      if (step.added) {
        if (step.factor != 1)
          part = elementwise(K::mul, {part, scalar(step.factor)});
      } else if (allBool) {
        if (step.inverted)
          part = elementwise(K::logical_not, part);
      } else {
        Value zero = scalar(0), fill = scalar(step.fill);
        part = elementwise(K::select, step.inverted ? ValueRange{part, fill, zero} : ValueRange{part, zero, fill});
      }
      mask = !mask ? part : elementwise(allBool ? K::logical_and : K::add, {mask, part});
    }
    return mask;
  }

  PatternRewriter &rewriter;
  Attention &attention;
  MatmulOp root;
  Location loc;
  size_t rank = 0;
  int64_t heads = 1;
  DimExpr batch, queries, keyCount;
};

struct MatmulToAttention : OpRewritePattern<MatmulOp> {
  MatmulToAttention(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    Attention attention;
    Value weights = skipCleanUp(op.getLhs(), attention.trail);
    auto softmax = weights.getDefiningOp<SoftmaxOp>();
    if (!softmax || int64_t(softmax.getAxis()) + 1 != typeOf(weights).getRank())
      return rewriter.notifyMatchFailure(op, "left operand is no softmax over its last axis");
    if (typeOf(weights).getElementType().isF64())
      return rewriter.notifyMatchFailure(op, "attention of f64 has no kernel");
    attention.trail.add(softmax);
    attention.value = op.getRhs();
    if (!findScores(softmax.getInput(), 1, attention) || typeOf(attention.query).getRank() != typeOf(weights).getRank())
      return rewriter.notifyMatchFailure(op, "softmax is not over masked scores");
    attention.trail.add(op);
    noteScales(attention.query, attention.trail);
    noteScales(attention.keyTransposed, attention.trail);
    Raiser raiser(rewriter, attention, op);
    Value result = raiser.raise();
    if (!result)
      return rewriter.notifyMatchFailure(op, "sizes are not those of attention");
    rewriter.replaceOp(op, result);
    ++count;
    return success();
  }
  Pass::Statistic &count;
};

struct RaiseAttentionPass : impl::RaiseAttentionBase<RaiseAttentionPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<MatmulToAttention>(&getContext(), numRaised);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
