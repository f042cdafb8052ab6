// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Folds and canonical forms of the ops that make, move or pick elements.
#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "dialects/model/ModelViews.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

static DenseElementsAttr dense(Attribute attribute) {
  return dyn_cast_or_null<DenseElementsAttr>(attribute);
}

/// Row-major strides of a static shape.
static SmallVector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

/// A constant whose element at coordinates `i` of `type` is element `start + sum steps_k * i_k` of `source`.
static DenseElementsAttr pickStrided(DenseElementsAttr source, RankedTensorType type, int64_t start,
                                     ArrayRef<int64_t> steps) {
  if (!type.hasStaticShape())
    return {};
  SmallVector<int64_t> strides = stridesOf(type.getShape());
  return pickElements(source, type, [&](int64_t i) {
    int64_t at = start; // inside of the source, as the ops' verifiers say
    for (size_t axis = 0; axis < steps.size(); ++axis)
      at += i / strides[axis] % type.getDimSize(axis) * steps[axis];
    return at;
  });
}

OpFoldResult ConstantOp::fold(FoldAdaptor adaptor) {
  return getValue();
}

static std::optional<SmallVector<int64_t>> constantSizes(ArrayAttr texts) {
  SmallVector<int64_t> numbers;
  for (Attribute text : texts) {
    auto parsed = DimExpr::parse(cast<StringAttr>(text).getValue());
    auto number = parsed ? parsed->constant() : std::nullopt;
    if (!number)
      return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

OpFoldResult SizesOp::fold(FoldAdaptor adaptor) {
  auto numbers = constantSizes(getExprs());
  return numbers ? OpFoldResult(DenseElementsAttr::get(getType(), ArrayRef(*numbers))) : OpFoldResult();
}

OpFoldResult IotaOp::fold(FoldAdaptor adaptor) {
  auto start = DimExpr::parse(getStart()), step = DimExpr::parse(getStep());
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || type.getNumElements() > kFoldLimit || !start || !step || !start->constant() ||
      !step->constant())
    return {};
  SmallVector<Attribute> elements;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    uint64_t value = uint64_t(*start->constant()) + uint64_t(i) * uint64_t(*step->constant()); // wraps as the op does
    auto element = IntegerAttr::get(IntegerType::get(getContext(), 64), APInt(64, value));
    elements.push_back(castScalar(element, type.getElementType()));
  }
  return DenseElementsAttr::get(type, elements);
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  auto elements = dense(adaptor.getInput());
  auto type = cast<RankedTensorType>(getType());
  return elements && type.hasStaticShape() ? OpFoldResult(elements.reshape(type)) : OpFoldResult();
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (llvm::equal(getPermutation(), llvm::seq<int64_t>(0, type.getRank())))
    return getInput();
  auto elements = dense(adaptor.getInput());
  if (!elements)
    return {};
  SmallVector<int64_t> strides = stridesOf(elements.getType().getShape()), steps;
  for (int64_t axis : getPermutation())
    steps.push_back(strides[axis]);
  return pickStrided(elements, type, 0, steps);
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  auto elements = dense(adaptor.getInput());
  if (!elements)
    return {};
  auto type = cast<RankedTensorType>(getType());
  ArrayRef<int64_t> shape = elements.getType().getShape();
  SmallVector<int64_t> steps(type.getRank() - shape.size());
  for (auto [size, stride] : llvm::zip_equal(shape, stridesOf(shape)))
    steps.push_back(size == 1 ? 0 : stride);
  return pickStrided(elements, type, 0, steps);
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  auto starts = constantSizes(getStarts());
  if (!starts)
    return {};
  if (getInput().getType() == getType() && llvm::all_of(*starts, [](int64_t start) { return start == 0; }) &&
      llvm::all_of(getSteps(), [](int64_t step) { return step == 1; }))
    return getInput();
  auto elements = dense(adaptor.getInput());
  auto type = cast<RankedTensorType>(getType());
  if (!elements || !type.hasStaticShape() || type.getNumElements() == 0) // starts of nothing may be anything
    return {};
  int64_t first = 0;
  SmallVector<int64_t> steps;
  for (auto [start, step, stride] : llvm::zip_equal(*starts, getSteps(), stridesOf(elements.getType().getShape()))) {
    first += start * stride;
    steps.push_back(step * stride);
  }
  return pickStrided(elements, type, first, steps);
}

OpFoldResult ConcatOp::fold(FoldAdaptor adaptor) {
  if (getInputs().size() == 1)
    return getInputs()[0];
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || type.getNumElements() > kFoldLimit)
    return {};
  SmallVector<SmallVector<Attribute>> parts;
  SmallVector<int64_t> lengths; // elements each part adds for one position of the axes before `axis`
  int64_t inner = 1;
  for (int64_t size : type.getShape().drop_front(getAxis() + 1))
    inner *= size;
  for (auto [attribute, input] : llvm::zip_equal(adaptor.getInputs(), getInputs())) {
    auto elements = dense(attribute);
    if (!elements)
      return {};
    parts.emplace_back(elements.getValues<Attribute>());
    lengths.push_back(cast<RankedTensorType>(input.getType()).getDimSize(getAxis()) * inner);
  }
  SmallVector<Attribute> joined;
  for (int64_t row = 0; int64_t(joined.size()) < type.getNumElements(); ++row)
    for (auto [part, length] : llvm::zip_equal(parts, lengths))
      joined.append(part.begin() + row * length, part.begin() + (row + 1) * length);
  return DenseElementsAttr::get(type, joined);
}

/// An index into `size` elements, negative ones from the end; nothing outside.
static std::optional<int64_t> wrapIndex(Attribute index, int64_t size) {
  int64_t at = cast<IntegerAttr>(index).getValue().getSExtValue();
  at = at < 0 ? at + size : at;
  return at >= 0 && at < size ? std::optional(at) : std::nullopt;
}

OpFoldResult GatherOp::fold(FoldAdaptor adaptor) {
  auto data = dense(adaptor.getData()), indices = dense(adaptor.getIndices());
  auto type = cast<RankedTensorType>(getType());
  if (!data || !indices || !type.hasStaticShape() || indices.getNumElements() > kFoldLimit)
    return {};
  int64_t size = data.getType().getDimSize(getAxis()), inner = 1;
  for (int64_t after : data.getType().getShape().drop_front(getAxis() + 1))
    inner *= after;
  SmallVector<int64_t> at;
  for (Attribute index : indices.getValues<Attribute>()) {
    auto wrapped = wrapIndex(index, size);
    if (!wrapped)
      return {}; // an error of the run, which the op reports
    at.push_back(*wrapped);
  }
  int64_t count = at.size();
  return pickElements(data, type, [&](int64_t i) {
    int64_t column = i % inner, index = i / inner % count, row = i / inner / count;
    return (row * size + at[index]) * inner + column;
  });
}

OpFoldResult GatherNdOp::fold(FoldAdaptor adaptor) {
  auto data = dense(adaptor.getData()), indices = dense(adaptor.getIndices());
  auto type = cast<RankedTensorType>(getType());
  if (!data || !indices || getBatchDims() != 0 || !type.hasStaticShape() || indices.getNumElements() > kFoldLimit)
    return {};
  ArrayRef<int64_t> shape = data.getType().getShape();
  int64_t width = indices.getType().getShape().back(), inner = 1;
  for (int64_t size : shape.drop_front(width))
    inner *= size;
  SmallVector<int64_t> at;
  for (auto [i, index] : llvm::enumerate(indices.getValues<Attribute>())) {
    int64_t axis = i % width;
    auto wrapped = wrapIndex(index, shape[axis]);
    if (!wrapped)
      return {};
    if (axis == 0)
      at.push_back(0);
    at.back() = at.back() * shape[axis] + *wrapped;
  }
  return pickElements(data, type, [&](int64_t i) { return at[i / inner] * inner + i % inner; });
}

namespace {
/// reshape(reshape(x)) is one reshape, whatever the sizes.
struct MergeReshapes : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<ReshapeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is no reshape");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), inner.getInput());
    return success();
  }
};

/// transpose(transpose(x)) is one transpose.
struct MergeTransposes : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<TransposeOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is no transpose");
    SmallVector<int64_t> permutation;
    for (int64_t axis : op.getPermutation())
      permutation.push_back(inner.getPermutation()[axis]);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, op.getType(), inner.getInput(), permutation);
    return success();
  }
};

/// A chain of reshapes and transposes becomes the shortest that does the same; a transpose that moves no number is a
/// reshape, and a chain that leads back to its source is nothing.
template <typename Op> struct ShortenViews : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Value shorter =
        shortenViews(rewriter, op.getLoc(), ViewChain::of(op.getResult()), cast<RankedTensorType>(op.getType()));
    if (!shorter)
      return rewriter.notifyMatchFailure(op, "is as short as it can be");
    rewriter.replaceOp(op, shorter);
    return success();
  }
};

/// `dims` with axes of size one in front, up to `rank` axes.
Dims padFront(ArrayRef<DimExpr> dims, size_t rank) {
  Dims padded(rank - dims.size(), DimExpr(1));
  padded.append(dims.begin(), dims.end());
  return padded;
}

Value reshapeTo(PatternRewriter &rewriter, Location loc, Value value, ArrayRef<DimExpr> dims) {
  auto type = tensorType(cast<RankedTensorType>(value.getType()).getElementType(), dims);
  return type == value.getType() ? value : ReshapeOp::create(rewriter, loc, type, value).getResult();
}

/// A broadcast that repeats nothing is a reshape; one of a broadcast is one.
struct SimplifyBroadcast : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    if (auto inner = op.getInput().getDefiningOp<BroadcastOp>()) {
      rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), inner.getInput());
      return success();
    }
    Dims from = dimsOf(op.getInput().getType()), to = dimsOf(op.getType());
    if (padFront(from, to.size()) == to) {
      rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), op.getInput());
      return success();
    }
    // Axes of size one in front come by themselves.
    auto inner = op.getInput().getDefiningOp<ReshapeOp>();
    if (!inner || padFront(dimsOf(inner.getInput().getType()),
                           std::max(from.size(), dimsOf(inner.getInput().getType()).size())) != from)
      return rewriter.notifyMatchFailure(op, "repeats elements");
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), inner.getInput());
    return success();
  }
};

/// reshape(broadcast(x)) that only adds or drops axes of size one is broadcast(reshape(x)): what is repeated stays
/// small as long as possible, and broadcasts meet the ops that do without them.
struct ReshapeOfBroadcast : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getInput().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "operand is no broadcast");
    Dims wide = dimsOf(broadcast.getType()), to = dimsOf(op.getType());
    Dims narrow = padFront(dimsOf(broadcast.getInput().getType()), wide.size()), small;
    size_t axis = 0;
    auto skipOnes = [&] {
      while (axis < wide.size() && wide[axis].isConstant(1))
        ++axis;
    };
    for (const DimExpr &dim : to) {
      if (dim.isConstant(1)) {
        small.push_back(1);
        continue;
      }
      skipOnes();
      if (axis == wide.size() || wide[axis] != dim)
        return rewriter.notifyMatchFailure(op, "splits or merges axes");
      small.push_back(narrow[axis++]);
    }
    skipOnes();
    if (axis != wide.size())
      return rewriter.notifyMatchFailure(op, "splits or merges axes");
    Value view = reshapeTo(rewriter, op.getLoc(), broadcast.getInput(), small);
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), view);
    return success();
  }
};

/// transpose(broadcast(x)) is broadcast(transpose(x)).
struct TransposeOfBroadcast : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getInput().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "operand is no broadcast");
    Dims narrow = padFront(dimsOf(broadcast.getInput().getType()), op.getPermutation().size()), moved;
    for (int64_t axis : op.getPermutation())
      moved.push_back(narrow[axis]);
    Type element = cast<RankedTensorType>(op.getType()).getElementType();
    Value view = reshapeTo(rewriter, op.getLoc(), broadcast.getInput(), narrow);
    view = TransposeOp::create(rewriter, op.getLoc(), tensorType(element, moved), view, op.getPermutation());
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), view);
    return success();
  }
};

/// slice(broadcast(x)) is broadcast(slice(x)): along repeated axes any element is as good as another.
struct SliceOfBroadcast : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getInput().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "operand is no broadcast");
    Dims wide = dimsOf(broadcast.getType()), dims = dimsOf(op.getType());
    Dims narrow = padFront(dimsOf(broadcast.getInput().getType()), wide.size());
    SmallVector<Attribute> starts(op.getStarts().begin(), op.getStarts().end());
    SmallVector<int64_t> steps(op.getSteps());
    for (size_t axis = 0; axis < wide.size(); ++axis) {
      if (!narrow[axis].isConstant(1) || wide[axis].isConstant(1))
        continue;
      starts[axis] = rewriter.getStringAttr("0");
      steps[axis] = 1;
      dims[axis] = 1;
    }
    Type element = cast<RankedTensorType>(op.getType()).getElementType();
    Value view = reshapeTo(rewriter, op.getLoc(), broadcast.getInput(), narrow);
    view =
        SliceOp::create(rewriter, op.getLoc(), tensorType(element, dims), view, rewriter.getArrayAttr(starts), steps);
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), view);
    return success();
  }
};

/// slice(slice(x)) is one slice.
struct MergeSlices : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<SliceOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is no slice");
    SmallVector<Attribute> starts;
    SmallVector<int64_t> steps;
    for (auto [outerStart, outerStep, innerStart, innerStep] :
         llvm::zip_equal(op.getStarts(), op.getSteps(), inner.getStarts(), inner.getSteps())) {
      auto outer = DimExpr::parse(cast<StringAttr>(outerStart).getValue());
      auto first = DimExpr::parse(cast<StringAttr>(innerStart).getValue());
      int64_t step;
      if (!outer || !first || llvm::MulOverflow(outerStep, innerStep, step))
        return rewriter.notifyMatchFailure(op, "starts are malformed, or steps too large");
      starts.push_back(rewriter.getStringAttr((*first + *outer * DimExpr(innerStep)).str()));
      steps.push_back(step);
    }
    rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), inner.getInput(), rewriter.getArrayAttr(starts), steps);
    return success();
  }
};

/// A slice of one operand's share of a concat is a slice of that operand.
struct SliceOfConcat : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto concat = op.getInput().getDefiningOp<ConcatOp>();
    if (!concat)
      return rewriter.notifyMatchFailure(op, "operand is no concat");
    int64_t axis = concat.getAxis(), step = op.getSteps()[axis];
    auto parsed = DimExpr::parse(cast<StringAttr>(op.getStarts()[axis]).getValue());
    auto first = parsed ? parsed->constant() : std::nullopt, count = dimsOf(op.getType())[axis].constant();
    auto last = first && count && *count > 0 ? llvm::checkedMulAdd(*count - 1, step, *first) : std::nullopt;
    if (!last)
      return rewriter.notifyMatchFailure(op, "picks an unknown share");
    int64_t low = std::min(*first, *last), high = std::max(*first, *last), begin = 0;
    for (Value input : concat.getInputs()) {
      auto size = dimsOf(input.getType())[axis].constant();
      if (!size)
        break;
      if (low >= begin && high < begin + *size) {
        SmallVector<Attribute> starts(op.getStarts().begin(), op.getStarts().end());
        starts[axis] = rewriter.getStringAttr(std::to_string(*first - begin));
        rewriter.replaceOpWithNewOp<SliceOp>(op, op.getType(), input, rewriter.getArrayAttr(starts), op.getSteps());
        return success();
      }
      begin += *size;
    }
    return rewriter.notifyMatchFailure(op, "picks from several operands");
  }
};

/// concat(concat(a, b), c) is concat(a, b, c); operands without elements go.
struct FlattenConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> inputs;
    for (Value input : op.getInputs()) {
      auto inner = input.getDefiningOp<ConcatOp>();
      if (inner && inner.getAxis() == op.getAxis())
        inputs.append(inner.getInputs().begin(), inner.getInputs().end());
      else if (!dimsOf(input.getType())[op.getAxis()].isConstant(0))
        inputs.push_back(input);
    }
    if (inputs.empty() || llvm::equal(inputs, op.getInputs()))
      return rewriter.notifyMatchFailure(op, "is flat");
    rewriter.replaceOpWithNewOp<ConcatOp>(op, op.getType(), inputs, op.getAxis());
    return success();
  }
};
} // namespace

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MergeReshapes, ReshapeOfBroadcast, ShortenViews<ReshapeOp>>(context);
}

void TransposeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MergeTransposes, ShortenViews<TransposeOp>, TransposeOfBroadcast>(context);
}

void BroadcastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<SimplifyBroadcast>(context);
}

void SliceOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MergeSlices, SliceOfBroadcast, SliceOfConcat>(context);
}

void ConcatOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FlattenConcat>(context);
}
