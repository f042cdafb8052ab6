// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns index arithmetic into views and truths.
#include "dialects/model/ModelAffine.h"
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::graph {
#define GEN_PASS_DEF_SIMPLIFYINDEXING
#include "passes/graph/Passes.h.inc"

namespace {
/// The coordinates of the index tensor that run through one axis of the data, as digits of one number: outermost first,
/// each step the product of step and size of the next.
struct Digits {
  SmallVector<unsigned> coordinates;
  DimExpr start, step = 1, count = 1;
};

/// Orders the coordinates with a step into digits, or nothing.
std::optional<Digits> digitsOf(const AffineIndex &index, ArrayRef<DimExpr> dims) {
  SmallVector<unsigned> left;
  for (auto [axis, step] : llvm::enumerate(index.steps))
    if (!step.isConstant(0))
      left.push_back(axis);
  Digits digits;
  digits.start = index.start;
  if (left.empty())
    return digits;
  // From the innermost digit, whose step is the step of the whole, outwards: any start is tried, as steps are symbolic.
  for (unsigned innermost : left) {
    SmallVector<unsigned> rest(left), order{innermost};
    llvm::erase(rest, innermost);
    DimExpr next = index.steps[innermost] * dims[innermost];
    while (!rest.empty()) {
      auto *it = llvm::find_if(rest, [&](unsigned axis) { return index.steps[axis] == next; });
      if (it == rest.end())
        break;
      next = index.steps[*it] * dims[*it];
      order.push_back(*it);
      rest.erase(it);
    }
    if (!rest.empty())
      continue;
    digits.step = index.steps[innermost];
    for (unsigned axis : order)
      digits.count = digits.count * dims[axis];
    digits.coordinates.assign(order.rbegin(), order.rend());
    return digits;
  }
  return std::nullopt;
}

/// A gather of `data` by one affine index for each of the data's axes from `lead` on, as views. The result's axes are
/// the data's in front of `lead`, those of the indices (sizes `indexDims`), and the rest of the data's.
class GatherAsViews {
public:
  GatherAsViews(Value data, unsigned lead, ArrayRef<AffineIndex> indices, ArrayRef<DimExpr> indexDims,
                const SymbolRanges &ranges)
      : data(data), dataDims(dimsOf(data)), lead(lead), indices(indices), indexDims(indexDims), ranges(ranges) {}

  /// Whether every index is inside the data and no coordinate serves two axes.
  bool analyse() {
    SmallVector<bool> used(indexDims.size());
    for (auto [i, index] : llvm::enumerate(indices)) {
      auto digits = digitsOf(index, indexDims);
      if (!digits || !digits->step.constant())
        return false;
      auto extremes = ranges.extremes(index, indexDims);
      if (!extremes || !ranges.isNonNegative(extremes->first) ||
          !ranges.isNonNegative(dataDims[lead + i] - DimExpr(1) - extremes->second))
        return false;
      for (unsigned coordinate : digits->coordinates)
        if (std::exchange(used[coordinate], true))
          return false;
      axes.push_back(*digits);
    }
    return true;
  }

  Value build(OpBuilder &builder, Location loc, RankedTensorType type) const {
    // Pick along each axis, split the axes into coordinates, order those, add the others as ones, repeat.
    Dims picked = dataDims, split(dataDims.begin(), dataDims.begin() + lead), ordered;
    SmallVector<Attribute> starts(dataDims.size(), builder.getStringAttr("0"));
    SmallVector<int64_t> steps(dataDims.size(), 1), permutation;
    SmallVector<unsigned> coordinates;
    for (auto [i, digits] : llvm::enumerate(axes)) {
      starts[lead + i] = builder.getStringAttr(digits.start.str());
      steps[lead + i] = *digits.step.constant();
      picked[lead + i] = digits.count;
      for (unsigned coordinate : digits.coordinates)
        split.push_back(indexDims[coordinate]);
      coordinates.append(digits.coordinates);
    }
    ArrayRef<DimExpr> trailing = ArrayRef(dataDims).drop_front(lead + axes.size());
    split.append(trailing.begin(), trailing.end());
    for (unsigned axis = 0; axis < split.size(); ++axis)
      permutation.push_back(axis);
    std::sort(permutation.begin() + lead, permutation.begin() + lead + coordinates.size(),
              [&](int64_t a, int64_t b) { return coordinates[a - lead] < coordinates[b - lead]; });
    ordered.assign(dataDims.begin(), dataDims.begin() + lead);
    for (unsigned coordinate = 0; coordinate < indexDims.size(); ++coordinate)
      ordered.push_back(llvm::is_contained(coordinates, coordinate) ? indexDims[coordinate] : DimExpr(1));
    ordered.append(trailing.begin(), trailing.end());

    Value view = builder.createOrFold<SliceOp>(loc, tensorType(type.getElementType(), picked), data,
                                               builder.getArrayAttr(starts), steps);
    view = transposeBy(builder, loc, reshapeTo(builder, loc, view, split), permutation);
    return builder.createOrFold<BroadcastOp>(loc, type, reshapeTo(builder, loc, view, ordered));
  }

private:
  Value data;
  Dims dataDims;
  unsigned lead;
  ArrayRef<AffineIndex> indices;
  ArrayRef<DimExpr> indexDims;
  const SymbolRanges &ranges;
  SmallVector<Digits> axes;
};

struct AffineGather : OpRewritePattern<GatherOp> {
  AffineGather(MLIRContext *context, const SymbolRanges &ranges, Pass::Statistic &count)
      : OpRewritePattern(context), ranges(ranges), count(count) {}

  LogicalResult matchAndRewrite(GatherOp op, PatternRewriter &rewriter) const override {
    auto index = affineIndexOf(op.getIndices());
    if (!index)
      return rewriter.notifyMatchFailure(op, "indices are not affine");
    Dims indexDims = dimsOf(op.getIndices());
    GatherAsViews views(op.getData(), op.getAxis(), *index, indexDims, ranges);
    if (!views.analyse())
      return rewriter.notifyMatchFailure(op, "indices may leave the data, or run through it in no regular order");
    ++count;
    rewriter.replaceOp(op, views.build(rewriter, op.getLoc(), typeOf(op.getResult())));
    return success();
  }
  const SymbolRanges &ranges;
  Pass::Statistic &count;
};

struct AffineGatherNd : OpRewritePattern<GatherNdOp> {
  AffineGatherNd(MLIRContext *context, const SymbolRanges &ranges, Pass::Statistic &count)
      : OpRewritePattern(context), ranges(ranges), count(count) {}

  LogicalResult matchAndRewrite(GatherNdOp op, PatternRewriter &rewriter) const override {
    Dims indexDims = dimsOf(op.getIndices());
    if (op.getBatchDims() != 0)
      return rewriter.notifyMatchFailure(op, "shares leading axes");
    auto indices = affineTuplesOf(op.getIndices());
    if (!indices)
      return rewriter.notifyMatchFailure(op, "indices are not affine");
    indexDims.pop_back();
    GatherAsViews views(op.getData(), 0, *indices, indexDims, ranges);
    if (!views.analyse())
      return rewriter.notifyMatchFailure(op, "indices may leave the data, or run through it in no regular order");
    ++count;
    rewriter.replaceOp(op, views.build(rewriter, op.getLoc(), typeOf(op.getResult())));
    return success();
  }
  const SymbolRanges &ranges;
  Pass::Statistic &count;
};

/// A comparison of affine tensors whose difference keeps its sign.
struct AffineComparison : OpRewritePattern<ElementwiseOp> {
  AffineComparison(MLIRContext *context, const SymbolRanges &ranges, Pass::Statistic &count)
      : OpRewritePattern(context), ranges(ranges), count(count) {}

  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    K kind = op.getKind();
    if (kind < K::equal || kind > K::greater_equal)
      return rewriter.notifyMatchFailure(op, "is no comparison");
    auto lhs = affineIndexOf(op.getOperands()[0]), rhs = affineIndexOf(op.getOperands()[1]);
    if (!lhs || !rhs)
      return rewriter.notifyMatchFailure(op, "operands are not affine");
    Dims dims = dimsOf(op.getResult());
    AffineIndex difference{lhs->start - rhs->start, {}};
    for (size_t back = dims.size(); back > 0; --back) {
      auto stepOf = [&](const AffineIndex &index) {
        return back <= index.steps.size() ? index.steps[index.steps.size() - back] : DimExpr(0);
      };
      difference.steps.push_back(stepOf(*lhs) - stepOf(*rhs));
    }
    auto extremes = ranges.extremes(difference, dims);
    if (!extremes)
      return rewriter.notifyMatchFailure(op, "the difference has steps of unknown sign");
    auto low = ranges.lowerBound(extremes->first), high = ranges.upperBound(extremes->second);
    bool positive = low && *low > 0, notNegative = low && *low >= 0, negative = high && *high < 0,
         notPositive = high && *high <= 0, zero = notNegative && notPositive;
    std::optional<bool> truth;
    auto decide = [&](bool yes, bool no) {
      truth = yes ? std::optional(true) : no ? std::optional(false) : std::nullopt;
    };
    switch (kind) {
    case K::equal:
      decide(zero, positive || negative);
      break;
    case K::not_equal:
      decide(positive || negative, zero);
      break;
    case K::less:
      decide(negative, notNegative);
      break;
    case K::less_equal:
      decide(notPositive, positive);
      break;
    case K::greater:
      decide(positive, notPositive);
      break;
    default:
      decide(notNegative, negative);
    }
    if (!truth)
      return rewriter.notifyMatchFailure(op, "the outcome depends on sizes or coordinates");
    ++count;
    rewriter.replaceOp(op, makeUniform(rewriter, op.getLoc(), typeOf(op.getResult()), *truth));
    return success();
  }
  const SymbolRanges &ranges;
  Pass::Statistic &count;
};

struct SimplifyIndexingPass : impl::SimplifyIndexingBase<SimplifyIndexingPass> {
  void runOnOperation() override {
    SymbolRanges ranges(getOperation());
    RewritePatternSet patterns(&getContext());
    patterns.add<AffineGather, AffineGatherNd>(&getContext(), ranges, numGathers);
    patterns.add<AffineComparison>(&getContext(), ranges, numComparisons);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
