// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Folds and canonical forms of the ops that compute.
#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/IR/PatternMatch.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using K = ElementwiseKind;

static Type elementOf(Type type) {
  return cast<RankedTensorType>(type).getElementType();
}

/// Whether every number of `from` is one of `to`, so that a cast on through `to` may start at `from`.
static bool holdsAll(Type from, Type to) {
  auto mantissa = [](Type type) { return cast<FloatType>(type).getFPMantissaWidth(); };
  if (isa<FloatType>(from)) {
    if (!isa<FloatType>(to))
      return false;
    auto narrow = cast<FloatType>(from), wide = cast<FloatType>(to);
    return APFloat::isRepresentableBy(narrow.getFloatSemantics(), wide.getFloatSemantics());
  }
  unsigned bits = from.getIntOrFloatBitWidth();
  bool plain = from.isInteger(1) || from.isUnsignedInteger();
  if (isa<FloatType>(to))
    return bits - !plain <= mantissa(to);
  if (to.isInteger(1) || to.isUnsignedInteger())
    return plain && bits <= to.getIntOrFloatBitWidth();
  return plain ? bits < to.getIntOrFloatBitWidth() : bits <= to.getIntOrFloatBitWidth();
}

OpFoldResult CastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  auto elements = dyn_cast_or_null<DenseElementsAttr>(adaptor.getInput());
  auto type = cast<RankedTensorType>(getType());
  if (!elements || !type.hasStaticShape())
    return {};
  if (elements.isSplat()) {
    Attribute value = castScalar(elements.getSplatValue<Attribute>(), type.getElementType());
    return value ? OpFoldResult(DenseElementsAttr::get(type, value)) : OpFoldResult();
  }
  if (elements.getNumElements() > kFoldLimit)
    return {};
  SmallVector<Attribute> values;
  for (Attribute value : elements.getValues<Attribute>()) {
    values.push_back(castScalar(value, type.getElementType()));
    if (!values.back())
      return {};
  }
  return DenseElementsAttr::get(type, values);
}

OpFoldResult ReduceOp::fold(FoldAdaptor adaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : OpFoldResult(); // over single elements
}

/// The element of a constant operand that element `i` (row-major) of the result reads.
static int64_t broadcastIndex(int64_t i, ArrayRef<int64_t> result, ArrayRef<int64_t> operand) {
  int64_t at = 0, stride = 1;
  for (size_t back = 1; back <= result.size(); ++back) {
    int64_t size = result[result.size() - back];
    if (back <= operand.size()) {
      int64_t own = operand[operand.size() - back];
      at += own == 1 ? 0 : i % size * stride;
      stride *= own;
    }
    i /= size;
  }
  return at;
}

static DenseElementsAttr evaluate(K kind, ArrayRef<Attribute> operands, RankedTensorType type) {
  SmallVector<DenseElementsAttr> inputs;
  for (Attribute operand : operands) {
    auto elements = dyn_cast_or_null<DenseElementsAttr>(operand);
    if (!elements)
      return {};
    inputs.push_back(elements);
  }
  if (!type.hasStaticShape())
    return {};
  SmallVector<Attribute> scalars(inputs.size());
  if (llvm::all_of(inputs, [](DenseElementsAttr input) { return input.isSplat(); })) {
    for (auto [scalar, input] : llvm::zip_equal(scalars, inputs))
      scalar = input.getSplatValue<Attribute>();
    Attribute value = evaluateScalar(kind, scalars, type.getElementType());
    return value ? DenseElementsAttr::get(type, value) : DenseElementsAttr();
  }
  if (type.getNumElements() > kFoldLimit)
    return {};
  SmallVector<SmallVector<Attribute>> values;
  for (DenseElementsAttr input : inputs)
    values.emplace_back(input.getValues<Attribute>());
  SmallVector<Attribute> results;
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    for (auto [scalar, input, value] : llvm::zip_equal(scalars, inputs, values))
      scalar = value[broadcastIndex(i, type.getShape(), input.getType().getShape())];
    results.push_back(evaluateScalar(kind, scalars, type.getElementType()));
    if (!results.back())
      return {};
  }
  return DenseElementsAttr::get(type, results);
}

/// The operand that the op passes on (up to broadcasting), or null: x + 0, x * 1, x / 1, x ** 1, x and true,
/// select(true, x, y), and the like. x + 0 is taken for x although it turns -0 into 0.
static Value passedOperand(ElementwiseOp op) {
  OperandRange operands = op.getOperands();
  auto is = [&](unsigned i, double number) { return uniformNumber(operands[i]) == number; };
  switch (op.getKind()) {
  case K::add:
  case K::logical_or:
  case K::logical_xor:
    if (op.getKind() == K::logical_or && operands[0] == operands[1])
      return operands[0];
    return is(1, 0) ? operands[0] : is(0, 0) ? operands[1] : Value();
  case K::sub:
    return is(1, 0) ? operands[0] : Value();
  case K::mul:
    return is(1, 1) ? operands[0] : is(0, 1) ? operands[1] : Value();
  case K::logical_and:
    if (operands[0] == operands[1])
      return operands[0];
    if (!elementOf(op.getType()).isInteger(1))
      return {};
    return is(1, 1) ? operands[0] : is(0, 1) ? operands[1] : Value();
  case K::div:
  case K::pow:
    return is(1, 1) ? operands[0] : Value();
  case K::minimum:
  case K::maximum:
    return operands[0] == operands[1] ? operands[0] : Value();
  case K::select:
    if (operands[1] == operands[2] || is(0, 1))
      return operands[1];
    return is(0, 0) ? operands[2] : Value();
  case K::logical_not:
    if (auto inner = operands[0].getDefiningOp<ElementwiseOp>(); inner && inner.getKind() == K::logical_not)
      return inner.getOperands()[0];
    return {};
  default:
    return {};
  }
}

/// The number that all elements of the result have for any operands, or nothing.
static std::optional<double> knownResult(ElementwiseOp op) {
  OperandRange operands = op.getOperands();
  K kind = op.getKind();
  if (llvm::all_of(operands, [](Value operand) { return uniformValue(operand) != nullptr; })) {
    SmallVector<Attribute> scalars;
    for (Value operand : operands)
      scalars.push_back(uniformValue(operand));
    auto value = evaluateScalar(kind, scalars, elementOf(op.getType()));
    if (auto number = dyn_cast_or_null<IntegerAttr>(value); number && number.getType().isInteger(1))
      return number.getValue().getZExtValue();
  }
  bool isBool = elementOf(op.getType()).isInteger(1);
  if (kind == K::logical_and || (kind == K::logical_or && isBool))
    for (Value operand : operands)
      if (uniformNumber(operand) == (kind == K::logical_or ? 1.0 : 0.0))
        return kind == K::logical_or;
  if (operands.size() == 2 && operands[0] == operands[1] && !isa<FloatType>(elementOf(operands[0].getType()))) {
    if (kind == K::sub || kind == K::logical_xor || kind == K::not_equal || kind == K::less || kind == K::greater)
      return 0;
    if (kind == K::equal || kind == K::less_equal || kind == K::greater_equal)
      return 1;
  }
  return std::nullopt;
}

OpFoldResult ElementwiseOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (auto constant = evaluate(getKind(), adaptor.getOperands_(), type))
    return constant;
  if (Value passed = passedOperand(*this); passed && passed.getType() == type)
    return passed;
  if (auto number = knownResult(*this); number && type.hasStaticShape())
    return DenseElementsAttr::get(type,
                                  castScalar(Builder(getContext()).getF64FloatAttr(*number), type.getElementType()));
  return {};
}

namespace {
/// As the fold, where the result has other sizes than the operand passed on, or is dynamic.
struct SimplifyElementwise : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    auto type = cast<RankedTensorType>(op.getType());
    if (Value passed = passedOperand(op)) {
      rewriter.replaceOpWithNewOp<BroadcastOp>(op, type, passed);
      return success();
    }
    auto number = knownResult(op);
    if (!number)
      return rewriter.notifyMatchFailure(op, "depends on its operands");
    rewriter.replaceOp(op, makeUniform(rewriter, op.getLoc(), type, *number));
    return success();
  }
};

/// select(not c, x, y) is select(c, y, x).
struct SelectOfNot : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    auto inverted = op.getOperands()[0].getDefiningOp<ElementwiseOp>();
    if (op.getKind() != K::select || !inverted || inverted.getKind() != K::logical_not)
      return rewriter.notifyMatchFailure(op, "is no select by a negation");
    Value operands[] = {inverted.getOperands()[0], op.getOperands()[2], op.getOperands()[1]};
    rewriter.replaceOpWithNewOp<ElementwiseOp>(op, op.getType(), K::select, operands);
    return success();
  }
};

/// (x * c) * d is x * (c * d), and so for integer +; the constants must hold one number each, and their product must be
/// a normal number.
struct MergeScalars : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    K kind = op.getKind();
    bool isFloat = isa<FloatType>(elementOf(op.getType()));
    if (kind != K::mul && (kind != K::add || isFloat))
      return rewriter.notifyMatchFailure(op, "does not associate");
    for (unsigned i : {0u, 1u}) {
      auto inner = op.getOperands()[1 - i].getDefiningOp<ElementwiseOp>();
      TypedAttr outerValue = uniformValue(op.getOperands()[i]);
      if (!inner || !outerValue || inner.getKind() != kind)
        continue;
      for (unsigned j : {0u, 1u}) {
        TypedAttr innerValue = uniformValue(inner.getOperands()[j]);
        Value rest = inner.getOperands()[1 - j];
        if (!innerValue || rest.getType() != op.getType())
          continue;
        Attribute merged = evaluateScalar(kind, {outerValue, innerValue}, elementOf(op.getType()));
        if (auto number = dyn_cast_or_null<FloatAttr>(merged); number && !number.getValue().isNormal())
          continue;
        if (!merged)
          continue;
        auto scalar = RankedTensorType::get({}, elementOf(op.getType()));
        Value constant = ConstantOp::create(rewriter, op.getLoc(), scalar, DenseElementsAttr::get(scalar, merged));
        rewriter.replaceOpWithNewOp<ElementwiseOp>(op, op.getType(), kind, ValueRange{rest, constant});
        return success();
      }
    }
    return rewriter.notifyMatchFailure(op, "has no two constants in a row");
  }
};

/// Elementwise ops broadcast by themselves, so operands need not be; where no other operand asks for the size, the
/// result is computed small and then repeated.
struct ElementwiseOfBroadcast : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    SmallVector<Value> operands;
    Dims dims;
    for (Value operand : op.getOperands()) {
      auto broadcast = operand.getDefiningOp<BroadcastOp>();
      operands.push_back(broadcast ? broadcast.getInput() : operand);
      auto both = broadcastDims(dims, dimsOf(operands.back().getType()));
      if (!both)
        return rewriter.notifyMatchFailure(op, "sizes do not match");
      dims = *both;
    }
    if (llvm::equal(operands, op.getOperands()))
      return rewriter.notifyMatchFailure(op, "has no broadcast operand");
    auto type = tensorType(elementOf(op.getType()), dims);
    Value small = ElementwiseOp::create(rewriter, op.getLoc(), type, op.getKind(), operands);
    if (type != op.getType())
      small = BroadcastOp::create(rewriter, op.getLoc(), op.getType(), small);
    rewriter.replaceOp(op, small);
    return success();
  }
};

/// Axes of size one in front of an operand come by themselves where another operand has as many axes.
struct ElementwiseOfOnes : OpRewritePattern<ElementwiseOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ElementwiseOp op, PatternRewriter &rewriter) const override {
    size_t rank = cast<RankedTensorType>(op.getType()).getRank();
    for (OpOperand &operand : op->getOpOperands()) {
      auto reshape = operand.get().getDefiningOp<ReshapeOp>();
      Dims to = dimsOf(operand.get().getType()), from = reshape ? dimsOf(reshape.getInput().getType()) : Dims();
      bool onlyAddsOnes = reshape && from.size() < to.size() && ArrayRef(to).take_back(from.size()) == ArrayRef(from);
      bool othersHaveRank = llvm::any_of(op->getOpOperands(), [&](OpOperand &other) {
        return &other != &operand && size_t(cast<RankedTensorType>(other.get().getType()).getRank()) == rank;
      });
      if (!onlyAddsOnes || !othersHaveRank)
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(reshape.getInput()); });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "has no operand with needless axes");
  }
};

/// cast(cast(x)) is one cast where the type between them holds all numbers of x's type; what decides zero or not passes
/// through any widening.
struct MergeCasts : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<CastOp>();
    if (!inner)
      return rewriter.notifyMatchFailure(op, "operand is no cast");
    Type from = elementOf(inner.getInput().getType()), middle = elementOf(inner.getType());
    bool nonzeroStays = elementOf(op.getType()).isInteger(1) && from.isInteger() &&
                        (middle.isF32() || middle.isF64() || middle.isBF16()); // rounding never reaches zero
    if (!holdsAll(from, middle) && !nonzeroStays)
      return rewriter.notifyMatchFailure(op, "the type between loses numbers");
    rewriter.replaceOpWithNewOp<CastOp>(op, op.getType(), inner.getInput());
    return success();
  }
};

/// cast(broadcast(x)) is broadcast(cast(x)).
struct CastOfBroadcast : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getInput().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "operand is no broadcast");
    auto type = tensorType(elementOf(op.getType()), dimsOf(broadcast.getInput().getType()));
    Value small = CastOp::create(rewriter, op.getLoc(), type, broadcast.getInput());
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), small);
    return success();
  }
};

/// reduce(broadcast(x)) is broadcast(reduce(x)) where what is repeated is not what is reduced.
struct ReduceOfBroadcast : OpRewritePattern<ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReduceOp op, PatternRewriter &rewriter) const override {
    auto broadcast = op.getInput().getDefiningOp<BroadcastOp>();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "operand is no broadcast");
    Dims wide = dimsOf(broadcast.getType()), narrow = dimsOf(broadcast.getInput().getType());
    if (narrow.size() != wide.size())
      return rewriter.notifyMatchFailure(op, "operand gains axes");
    for (int64_t axis : op.getAxes()) {
      if (narrow[axis] != wide[axis])
        return rewriter.notifyMatchFailure(op, "reduces copies");
      narrow[axis] = 1;
    }
    auto type = tensorType(elementOf(op.getType()), narrow);
    Value small = ReduceOp::create(rewriter, op.getLoc(), type, op.getKind(), broadcast.getInput(), op.getAxes());
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), small);
    return success();
  }
};
} // namespace

void ReduceOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ReduceOfBroadcast>(context);
}

void ElementwiseOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ElementwiseOfBroadcast, ElementwiseOfOnes, MergeScalars, SelectOfNot, SimplifyElementwise>(context);
}

void CastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<CastOfBroadcast, MergeCasts>(context);
}
