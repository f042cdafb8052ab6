// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused ops: which fit, and how they read their operands.
#include "codegen/tile/LinearEpilogue.h"
#include "codegen/tile/Linear.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

std::optional<EpilogueOperand> tamis::classifyEpilogueOperand(Value operand, Type result) {
  auto type = dyn_cast<RankedTensorType>(operand.getType());
  if (!type || !type.getElementType().isF32())
    return std::nullopt;
  Dims sizes = dimsOf(type), wanted = dimsOf(result);
  auto both = broadcastDims(sizes, wanted);
  if (!both || *both != wanted)
    return std::nullopt;
  if (auto constant = operand.getDefiningOp<model::ConstantOp>())
    return constant.getValue().isSplat() ? std::optional(EpilogueOperand::constant) : std::nullopt;
  DimExpr count = product(sizes);
  if (count == product(wanted))
    return EpilogueOperand::perElement;
  if (count.isConstant(1))
    return EpilogueOperand::scalar;
  if (!sizes.empty() && sizes.back() == wanted.back() && count == sizes.back())
    return EpilogueOperand::perColumn;
  return std::nullopt;
}

bool tamis::canFuseIntoLinear(Operation *op, Value previous) {
  if (op->getNumResults() != 1 || !isa<RankedTensorType>(op->getResult(0).getType()))
    return false;
  Type type = op->getResult(0).getType();
  if (!cast<RankedTensorType>(type).getElementType().isF32() || dimsOf(type) != dimsOf(previous.getType()))
    return false;
  if (isa<ActivationOp>(op))
    return op->getOperand(0) == previous;
  auto elementwise = dyn_cast<ElementwiseOp>(op);
  if (!elementwise || !VectorMath::has(elementwise.getKind()) || !llvm::is_contained(op->getOperands(), previous))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value value) { return value == previous || classifyEpilogueOperand(value, type); });
}

Value LinearEpilogue::load(Value buffer, Value offset, const EpiloguePlace &place) {
  if (place.valid == place.lanes)
    return b.loadVector(buffer, offset, place.lanes);
  auto type = b.vectorType(place.lanes);
  Value mask = vector::ConstantMaskOp::create(b, VectorType::get(type.getShape(), b.getI1Type()),
                                              ArrayRef<int64_t>{int64_t(place.valid)});
  return vector::MaskedLoadOp::create(b, type, buffer, offset, mask, b.splat(0, place.lanes));
}

void LinearEpilogue::store(Value vector, Value buffer, const EpiloguePlace &place) {
  if (place.valid == place.lanes)
    return b.storeVector(vector, buffer, place.offset);
  Value mask = vector::ConstantMaskOp::create(b, VectorType::get({int64_t(place.lanes)}, b.getI1Type()),
                                              ArrayRef<int64_t>{int64_t(place.valid)});
  vector::MaskedStoreOp::create(b, buffer, place.offset, mask, vector);
}

Value LinearEpilogue::operand(Value modelValue, const EpiloguePlace &place) {
  switch (*classifyEpilogueOperand(modelValue, first.getType())) {
  case EpilogueOperand::perElement:
    return load(b.bufferOf(modelValue), place.offset, place);
  case EpilogueOperand::perColumn:
    return load(b.bufferOf(modelValue), place.column, place);
  case EpilogueOperand::scalar:
    return b.broadcast(b.load(b.bufferOf(modelValue), b.index(0)), place.lanes);
  case EpilogueOperand::constant: {
    auto constant = modelValue.getDefiningOp<model::ConstantOp>();
    return b.splat(constant.getValue().getSplatValue<APFloat>().convertToFloat(), place.lanes);
  }
  }
  llvm_unreachable("unknown operand");
}

Value LinearEpilogue::apply(Value accumulated, const EpiloguePlace &place) {
  llvm::DenseMap<Value, Value> values{{first, accumulated}};
  Value last = accumulated;
  for (Operation *op : ops) {
    SmallVector<Value> operands;
    for (Value value : op->getOperands()) {
      auto it = values.find(value);
      operands.push_back(it != values.end() ? it->second : operand(value, place));
    }
    if (auto activation = dyn_cast<ActivationOp>(op))
      last = math.activation(activation.getKind(), operands[0]);
    else
      last = math.elementwise(cast<ElementwiseOp>(op).getKind(), operands);
    values[op->getResult(0)] = last;
  }
  return last;
}
