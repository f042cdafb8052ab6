// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matchers that several graph passes share.
#include "passes/graph/Matchers.h"

#include "llvm/ADT/SetVector.h"

#include <cmath>

using namespace mlir;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::graph {

bool isNearly(double a, double b) {
  return std::fabs(a - b) <= 1e-4 * std::fabs(b);
}

ElementwiseOp matchElementwise(Value value, K kind) {
  auto op = value.getDefiningOp<ElementwiseOp>();
  return op && op.getKind() == kind ? op : ElementwiseOp();
}

Value matchScaled(Value value, double &factor) {
  auto op = value.getDefiningOp<ElementwiseOp>();
  if (!op)
    return {};
  OperandRange operands = op.getOperands();
  Value scaled;
  double by = 0;
  if (op.getKind() == K::neg) {
    scaled = operands[0];
    by = -1;
  } else if (op.getKind() == K::mul || op.getKind() == K::div) {
    auto right = uniformNumber(operands[1]), left = uniformNumber(operands[0]);
    if (right) {
      scaled = operands[0];
      by = op.getKind() == K::mul ? *right : 1 / *right;
    } else if (left && op.getKind() == K::mul) {
      scaled = operands[1];
      by = *left;
    }
  }
  if (!scaled || scaled.getType() != value.getType() || !std::isfinite(by) ||
      !isa<FloatType>(typeOf(value).getElementType()))
    return {};
  factor *= by;
  return scaled;
}

bool isWeightExpression(Value value) {
  // Real ones join a handful of weights; the limit keeps hostile graphs from being walked again and again.
  constexpr size_t maxOps = 64;
  llvm::SmallSetVector<Operation *, 8> ops;
  auto add = [&](Value operand) {
    Operation *op = operand.getDefiningOp();
    bool fits =
        isa_and_nonnull<WeightOp, ConstantOp>(op) ||
        (isa_and_nonnull<ConcatOp, TransposeOp, ReshapeOp, SliceOp, CastOp, ElementwiseOp, BroadcastOp, DequantizeOp>(
             op) &&
         typeOf(operand).hasStaticShape());
    return fits && (ops.insert(op), ops.size() <= maxOps);
  };
  if (!add(value))
    return false;
  for (size_t i = 0; i < ops.size(); ++i)
    if (!llvm::all_of(ops[i]->getOperands(), add))
      return false;
  return true;
}

static Dims withoutOnes(ArrayRef<DimExpr> dims) {
  Dims kept;
  llvm::copy_if(dims, std::back_inserter(kept), [](const DimExpr &dim) { return !dim.isConstant(1); });
  return kept;
}

bool fitsParameter(Value value, ArrayRef<DimExpr> dims) {
  if (!isWeightExpression(value))
    return false;
  Dims own = dimsOf(value);
  // Aligned at the last axis, as broadcasting does: [1, n] and [n] stand for n columns, [n, 1] does not.
  if (own.size() > dims.size() &&
      !llvm::all_of(ArrayRef(own).drop_back(dims.size()), [](const DimExpr &d) { return d.isConstant(1); }))
    return false;
  if (own.size() >= dims.size() && ArrayRef(own).take_back(dims.size()) == dims)
    return true;
  if (own.size() < dims.size() && withoutOnes(ArrayRef(dims).drop_back(own.size())).empty() &&
      ArrayRef(dims).take_back(own.size()) == ArrayRef(own))
    return true;
  return uniformNumber(value) && withoutOnes(own).empty();
}

Value asParameter(OpBuilder &builder, Value value, ArrayRef<DimExpr> dims) {
  if (!fitsParameter(value, dims))
    return {};
  auto type = tensorType(typeOf(value).getElementType(), dims);
  if (typeOf(value).getNumElements() == type.getNumElements())
    return reshapeTo(builder, value.getLoc(), value, dims);
  return makeUniform(builder, value.getLoc(), type, *uniformNumber(value));
}

LogicalResult applyPatterns(Operation *root, RewritePatternSet &&patterns) {
  GreedyRewriteConfig config;
  config.setMaxIterations(GreedyRewriteConfig::kNoLimit);
  return applyPatternsGreedily(root, std::move(patterns), config);
}

Value reshapeTo(OpBuilder &builder, Location loc, Value value, ArrayRef<DimExpr> dims) {
  auto type = tensorType(typeOf(value).getElementType(), dims);
  return type == value.getType() ? value : builder.createOrFold<ReshapeOp>(loc, type, value);
}

Value transposeBy(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> permutation) {
  Dims dims = dimsOf(value), moved;
  for (int64_t axis : permutation)
    moved.push_back(dims[axis]);
  return builder.createOrFold<TransposeOp>(loc, tensorType(typeOf(value).getElementType(), moved), value, permutation);
}

} // namespace tamis::graph
