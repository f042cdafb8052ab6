// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights that stay packed in a plan.
#include "codegen/tile/PackedWeight.h"

#include "codegen/tile/ConstantExpression.h"
#include "codegen/tile/PackWords.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

static std::optional<int64_t> uniformInteger(Value value) {
  auto constant = value.getDefiningOp<model::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  if (!elements || !elements.isSplat())
    return std::nullopt;
  APInt number = elements.getSplatValue<APInt>();
  bool isUnsigned = elements.getElementType().isUnsignedInteger();
  return isUnsigned ? int64_t(number.getZExtValue()) : number.getSExtValue();
}

std::optional<PackedWeight> PackedWeight::of(Value weight) {
  auto op = weight.getDefiningOp<DequantizeOp>();
  if (!op || !op.getBlock() || *op.getAxis() != 1)
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(op.getInput().getType());
  auto integer = dyn_cast<IntegerType>(type.getElementType());
  Type scale = cast<RankedTensorType>(op.getScale().getType()).getElementType();
  if (type.getRank() != 2 || !type.hasStaticShape() || type.getNumElements() == 0 || !integer ||
      (integer.getWidth() != 4 && integer.getWidth() != 8) || !(scale.isF16() || scale.isF32()) ||
      !cast<RankedTensorType>(op.getType()).getElementType().isF32())
    return std::nullopt;
  PackedWeight result{op, type.getDimSize(0), type.getDimSize(1), 0, 0, integer.getWidth(), !integer.isUnsigned(), 0};
  result.group = std::min<int64_t>(*op.getBlock(), result.depth);
  result.groups = result.groupsOf(result.depth);
  auto units = cast<RankedTensorType>(op.getScale().getType()).getShape();
  if (units != ArrayRef<int64_t>{result.outputs, result.groups} ||
      (result.groups > 1 && result.group % perWord(result.bits)))
    return std::nullopt;
  if (op.getZeroPoint())
    result.uniformZero = uniformInteger(op.getZeroPoint());
  return result;
}

bool tamis::readsPacked(OpOperand &use) {
  if (auto linear = dyn_cast<LinearOp>(use.getOwner()))
    return linear.getTransposed() && use.getOperandNumber() == linear.getWeightMutable().getOperandNumber() &&
           cast<RankedTensorType>(linear.getType()).getElementType().isF32();
  auto embedding = dyn_cast<EmbeddingOp>(use.getOwner());
  return embedding && use.getOperandNumber() == embedding.getTableMutable().getOperandNumber();
}

bool tamis::keepsPacked(DequantizeOp op) {
  auto weight = PackedWeight::of(op);
  if (!weight || op->use_empty() || !llvm::all_of(op->getUses(), readsPacked))
    return false;
  Value zeros = weight->zeroPoints();
  return constantExpression(op.getInput()) && constantExpression(op.getScale()) &&
         (!zeros || constantExpression(zeros)) && (!op.getMinimum() || constantExpression(op.getMinimum()));
}
