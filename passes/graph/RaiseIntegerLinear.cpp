// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognises dense layers of integers behind the numbers they stand for.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::graph {
#define GEN_PASS_DEF_RAISEINTEGERLINEAR
#include "passes/graph/Passes.h.inc"

namespace {
bool isOne(Value value) {
  return !value || product(dimsOf(value)).isConstant(1);
}

/// linear(dequantize(x), dequantize(w))
struct DequantizedLinear : OpRewritePattern<LinearOp> {
  DequantizedLinear(MLIRContext *context, Pass::Statistic &count) : OpRewritePattern(context), count(count) {}

  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<ReshapeOp>(); // moves whole integers as well as numbers
    auto input = (reshape ? reshape.getInput() : op.getInput()).getDefiningOp<DequantizeOp>();
    auto weight = op.getWeight().getDefiningOp<DequantizeOp>();
    if (!input || !weight || !typeOf(op.getResult()).getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "operands are no f32 numbers that integers stand for");
    Type element = typeOf(input.getInput()).getElementType(), of = typeOf(weight.getInput()).getElementType();
    if (!element.isInteger(8) || !(of.isInteger(8) || of.isInteger(4)) || !isWeightExpression(weight))
      return rewriter.notifyMatchFailure(op, "integers are not of 8 bits, or not known");
    if (input.getBlock() || !isOne(input.getScale()) || !isOne(input.getZeroPoint()))
      return rewriter.notifyMatchFailure(op, "the input has more than one scale");
    // One number, or one a column of the result.
    DimExpr columns = dimsOf(op.getResult()).back();
    Dims each = op.getTransposed() ? Dims{columns, DimExpr(1)} : Dims{DimExpr(1), columns};
    auto isByColumn = [&](Value value) {
      return isOne(value) || dimsOf(value) == each || (!op.getTransposed() && dimsOf(value) == Dims{columns});
    };
    if (weight.getBlock() || !isByColumn(weight.getScale()) || !isByColumn(weight.getZeroPoint()))
      return rewriter.notifyMatchFailure(op, "the weight has other scales than one a column");

    Trail trail;
    trail.add(op);
    trail.add(input);
    trail.add(weight);
    Location loc = trail.fuse(rewriter);
    auto number = [&](Value value) -> Value {
      if (!value)
        return {};
      return reshapeTo(rewriter, loc, value, isOne(value) ? Dims() : Dims{columns});
    };
    Value x = reshape ? reshapeTo(rewriter, loc, input.getInput(), dimsOf(op.getInput())) : input.getInput();
    Dims dims = dimsOf(op.getResult());
    Value result =
        IntegerLinearOp::create(rewriter, loc, tensorType(rewriter.getI32Type(), dims), x, weight.getInput(),
                                number(input.getZeroPoint()), number(weight.getZeroPoint()), op.getTransposed());
    result = CastOp::create(rewriter, loc, op.getType(), result);
    auto apply = [&](ElementwiseKind kind, Value operand) {
      result = ElementwiseOp::create(rewriter, loc, op.getType(), kind, ValueRange{result, operand});
    };
    apply(ElementwiseKind::mul, number(input.getScale()));
    apply(ElementwiseKind::mul, number(weight.getScale()));
    if (op.getBias())
      apply(ElementwiseKind::add, op.getBias());
    ++count;
    rewriter.replaceOp(op, result);
    return success();
  }
  Pass::Statistic &count;
};

struct RaiseIntegerLinearPass : impl::RaiseIntegerLinearBase<RaiseIntegerLinearPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DequantizedLinear>(&getContext(), numRaised);
    if (failed(applyPatterns(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
} // namespace tamis::graph
