// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Constraints, folds and sizes of the ops between numbers and the integers that stand for them.
#include "dialects/model/ModelQuant.h"

#include "dialects/model/ModelConstants.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

std::optional<Dims> tamis::model::spreadBlocks(ArrayRef<DimExpr> scale, ArrayRef<DimExpr> operand,
                                               std::optional<int64_t> block, int64_t axis) {
  Dims spread(scale);
  if (!block)
    return spread;
  if (scale.size() != operand.size() || axis < 0 || axis >= int64_t(operand.size()) || *block < 1 ||
      scale[axis] != DimExpr::floorDiv(operand[axis] + (*block - 1), *block))
    return std::nullopt;
  spread[axis] = operand[axis];
  return spread;
}

/// C1 to C4, the same for both ops. `narrow`: the value of integers or narrow floats.
template <typename Op> static LogicalResult verifyQuantization(Op op, Value narrow) {
  Dims dims = dimsOf(op.getInput().getType()), scale = dimsOf(op.getScale().getType());
  if (op.getBlock().has_value() != op.getAxis().has_value())
    return op.emitOpError("has a block without its axis, or an axis without its block");
  if (op.getBlock() && (int64_t(*op.getBlock()) < 1 || *op.getAxis() >= dims.size())) // C4
    return op.emitOpError() << "has blocks of " << int64_t(*op.getBlock()) << " along axis " << int64_t(*op.getAxis())
                            << " of an operand of " << dims.size() << " axes";
  auto block = op.getBlock() ? std::optional<int64_t>(*op.getBlock()) : std::nullopt;
  auto spread = spreadBlocks(scale, dims, block, op.getAxis().value_or(0));
  auto both = spread ? broadcastDims(*spread, dims) : std::nullopt;
  if (!both || *both != dims) // C1
    return op.emitOpError() << "has scales of " << str(scale) << " for an operand of " << str(dims);
  if (Value zero = op.getZeroPoint()) { // C2
    if (dimsOf(zero.getType()) != scale)
      return op.emitOpError() << "has zero points of " << str(dimsOf(zero.getType())) << " beside scales of "
                              << str(scale);
    if (elementOf(zero) != elementOf(narrow) || !elementOf(narrow).isInteger())
      return op.emitOpError() << "has zero points of " << elementOf(zero) << " for elements of " << elementOf(narrow)
                              << (elementOf(narrow).isInteger() ? "" : ", which have none");
  }
  if (dimsOf(op.getType()) != dims) // C3
    return op.emitOpError() << "gives sizes " << str(dimsOf(op.getType())) << " but " << str(dims) << " is wanted";
  return success();
}

LogicalResult QuantizeOp::verify() {
  return verifyQuantization(*this, getResult());
}
LogicalResult DequantizeOp::verify() {
  if (getMinimum() && getMinimum().getType() != getScale().getType()) // C5
    return emitOpError() << "has minima of " << getMinimum().getType() << " beside scales of " << getScale().getType();
  return verifyQuantization(*this, getInput());
}

LogicalResult QuantizeRowsOp::verify() {
  Dims dims = dimsOf(getInput().getType()), rows = dims;
  if (dims.empty()) // C1
    return emitOpError("expected rows but found a single number");
  if (dimsOf(getResult().getType()) != dims) // C2
    return emitOpError() << "gives sizes " << str(dimsOf(getResult().getType())) << " but " << str(dims)
                         << " is wanted";
  rows.back() = 1;
  for (Value number : {getScale(), getZeroPoint()})
    if (dimsOf(number.getType()) != rows)
      return emitOpError() << "gives " << (number == getScale() ? "scales" : "zero points") << " of "
                           << str(dimsOf(number.getType())) << " but " << str(rows) << " is wanted";
  return success();
}

LogicalResult IntegerLinearOp::verify() {
  auto weight = cast<RankedTensorType>(getWeight().getType());
  Dims dims = dimsOf(getInput().getType());
  if (weight.getRank() != 2 || !weight.hasStaticShape() || dims.empty()) // C1
    return emitOpError() << "expected a static matrix as weight but found " << weight;
  int64_t inner = weight.getDimSize(getTransposed() ? 1 : 0), outer = weight.getDimSize(getTransposed() ? 0 : 1);
  if (!dims.back().isConstant(inner))
    return emitOpError() << "multiplies rows of " << dims.back().str() << " by a weight for rows of " << inner;
  if (Value zero = getInputZeroPoint()) { // C2
    Dims rows = dims, found = dimsOf(zero.getType());
    rows.back() = 1;
    auto both = broadcastDims(found, rows);
    if (elementOf(zero) != elementOf(getInput()) || !both || *both != rows ||
        !(product(found).isConstant(1) || found == rows))
      return emitOpError() << "has an input zero point of " << zero.getType() << " for rows of " << str(rows) << " of "
                           << elementOf(getInput());
  }
  if (Value zero = getWeightZeroPoint()) { // C3
    Dims found = dimsOf(zero.getType());
    if (elementOf(zero) != weight.getElementType() || !(product(found).isConstant(1) || found == Dims{DimExpr(outer)}))
      return emitOpError() << "has a weight zero point of " << zero.getType() << " for " << outer << " columns of "
                           << weight.getElementType();
  }
  dims.back() = outer;
  if (dimsOf(getType()) != dims) // C4
    return emitOpError() << "gives sizes " << str(dimsOf(getType())) << " but " << str(dims) << " is wanted";
  return success();
}

// Folds.

/// Element `i` of a constant that is as large as the result, or uniform.
static Attribute elementAt(DenseElementsAttr elements, int64_t i) {
  return elements.isSplat() ? elements.getSplatValue<Attribute>() : elements.getValues<Attribute>()[i];
}

/// The elements of a small constant result by `element`, or null. Scales of other sizes than the result's are left
/// alone unless they are uniform.
static OpFoldResult foldElements(RankedTensorType type, ArrayRef<Attribute> operands,
                                 llvm::function_ref<Attribute(ArrayRef<Attribute>)> element) {
  SmallVector<DenseElementsAttr> constants;
  bool splat = true;
  for (Attribute operand : operands) {
    auto dense = dyn_cast_or_null<DenseElementsAttr>(operand);
    if (!dense || (!dense.isSplat() && dense.getNumElements() != type.getNumElements()))
      return {};
    splat &= dense.isSplat();
    constants.push_back(dense);
  }
  if (!splat && type.getNumElements() > kFoldLimit)
    return {};
  SmallVector<Attribute> results;
  for (int64_t i = 0; i < (splat ? 1 : type.getNumElements()); ++i) {
    SmallVector<Attribute> scalars;
    for (DenseElementsAttr constant : constants)
      scalars.push_back(elementAt(constant, i));
    results.push_back(element(scalars));
    if (!results.back())
      return {};
  }
  return DenseElementsAttr::get(type, results);
}

OpFoldResult QuantizeOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || type.getNumElements() == 0 || getBlock() || !type.getElementType().isInteger())
    return {};
  SmallVector<Attribute> operands{adaptor.getInput(), adaptor.getScale()};
  if (getZeroPoint())
    operands.push_back(adaptor.getZeroPoint());
  Type number = elementOf(getInput()).isF64() ? Float64Type::get(getContext()) : Type(Float32Type::get(getContext()));
  using K = ElementwiseKind;
  return foldElements(type, operands, [&](ArrayRef<Attribute> x) -> Attribute {
    Attribute quotient = evaluateScalar(K::div, {castScalar(x[0], number), castScalar(x[1], number)}, number);
    quotient = quotient ? evaluateScalar(K::round, {quotient}, number) : quotient;
    if (quotient && x.size() > 2)
      quotient = evaluateScalar(K::add, {quotient, castScalar(x[2], number)}, number);
    return quotient ? castScalar(quotient, type.getElementType()) : Attribute();
  });
}

OpFoldResult DequantizeOp::fold(FoldAdaptor adaptor) {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape() || type.getNumElements() == 0 || getBlock() || getMinimum() ||
      !elementOf(getInput()).isInteger())
    return {};
  SmallVector<Attribute> operands{adaptor.getInput(), adaptor.getScale()};
  if (getZeroPoint())
    operands.push_back(adaptor.getZeroPoint());
  Type i64 = IntegerType::get(getContext(), 64);
  Type number = type.getElementType().isF64() ? type.getElementType() : Type(Float32Type::get(getContext()));
  using K = ElementwiseKind;
  return foldElements(type, operands, [&](ArrayRef<Attribute> x) -> Attribute {
    Attribute difference = castScalar(x[0], i64);
    if (x.size() > 2)
      difference = evaluateScalar(K::sub, {difference, castScalar(x[2], i64)}, i64);
    Attribute scaled = evaluateScalar(K::mul, {castScalar(difference, number), castScalar(x[1], number)}, number);
    return scaled ? castScalar(scaled, type.getElementType()) : Attribute();
  });
}
