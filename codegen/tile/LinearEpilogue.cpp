// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused ops: which fit, and how they read their operands.
#include "codegen/tile/LinearEpilogue.h"
#include "codegen/tile/Linear.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

static bool isOfIntegers(Operation *product) {
  return isa<IntegerLinearOp>(product);
}

std::optional<EpilogueOperand> tamis::classifyEpilogueOperand(Value operand, Operation *product) {
  Type result = product->getResult(0).getType();
  auto type = dyn_cast<RankedTensorType>(operand.getType());
  if (!type || !type.getElementType().isF32())
    return std::nullopt;
  Dims sizes = dimsOf(type), wanted = dimsOf(result);
  auto both = broadcastDims(sizes, wanted);
  if (!both || *both != wanted)
    return std::nullopt;
  if (auto constant = operand.getDefiningOp<model::ConstantOp>())
    return constant.getValue().isSplat() ? std::optional(EpilogueOperand::constant) : std::nullopt;
  DimExpr count = tamis::product(sizes);
  if (count == tamis::product(wanted))
    return EpilogueOperand::perElement;
  if (count.isConstant(1))
    return EpilogueOperand::scalar;
  if (!sizes.empty() && sizes.back() == wanted.back() && count == sizes.back())
    return EpilogueOperand::perColumn;
  Dims rows = wanted;
  rows.back() = 1;
  if (isOfIntegers(product) && count == tamis::product(rows))
    return EpilogueOperand::perRow;
  return std::nullopt;
}

/// What integers are first made to before the rest is computed.
static bool isCastOfSums(Operation *op, Value previous, Operation *product) {
  return isa<CastOp>(op) && isOfIntegers(product) && previous == product->getResult(0) && op->getOperand(0) == previous;
}

/// What layers of bf16 round their numbers to at the end, for others that read them.
static bool isRounding(Operation *op, Value previous, Operation *product) {
  auto elementOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); };
  return isa<CastOp>(op) && op->getOperand(0) == previous && elementOf(previous).isF32() &&
         elementOf(op->getResult(0)).isBF16() && elementOf(product->getOperand(0)).isBF16();
}

bool tamis::canFuseIntoLinear(Operation *op, Value previous, Operation *product) {
  if (op->getNumResults() != 1 || !isa<RankedTensorType>(op->getResult(0).getType()))
    return false;
  Type type = op->getResult(0).getType();
  if (dimsOf(type) != dimsOf(previous.getType()))
    return false;
  if (isRounding(op, previous, product))
    return true;
  if (!cast<RankedTensorType>(type).getElementType().isF32())
    return false;
  if (isa<ActivationOp>(op))
    return op->getOperand(0) == previous;
  if (isCastOfSums(op, previous, product))
    return true;
  auto elementwise = dyn_cast<ElementwiseOp>(op);
  if (!elementwise || !VectorMath::has(elementwise.getKind()) || !llvm::is_contained(op->getOperands(), previous))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value value) { return value == previous || classifyEpilogueOperand(value, product); });
}

FailureOr<SmallVector<Operation *>> tamis::epilogueOf(func::FuncOp kernel, Operation *product, Operation *behind) {
  SmallVector<Operation *> epilogue;
  Value last = product->getResult(0);
  for (Operation &op : kernel.front().without_terminator()) {
    if (&op == product || &op == behind || isa<model::ConstantOp>(op) ||
        op.getResult(0) == product->getOperand(1)) // its weight, unpacked
      continue;
    if (!isa<ActivationOp, ElementwiseOp>(op) && !isCastOfSums(&op, last, product) && !isRounding(&op, last, product))
      return op.emitOpError() << "cannot be computed with a " << product->getName().getStringRef();
    for (Value operand : op.getOperands()) {
      Operation *definition = operand.getDefiningOp();
      bool computed = (definition && definition == product) || llvm::is_contained(epilogue, definition);
      if (!computed && !classifyEpilogueOperand(operand, product))
        return op.emitOpError() << "has an operand of type " << operand.getType() << " beside a "
                                << product->getName().getStringRef() << " of type " << product->getResult(0).getType();
    }
    if (auto elementwise = dyn_cast<ElementwiseOp>(op); elementwise && !VectorMath::has(elementwise.getKind()))
      return op.emitOpError("cannot be computed on vectors");
    epilogue.push_back(&op);
    last = op.getResult(0);
  }
  Operation *terminator = kernel.front().getTerminator();
  if (behind ? behind->getOperand(0) != last : terminator->getNumOperands() != 1 || terminator->getOperand(0) != last)
    return kernel.emitOpError("returns something else than its last op's result");
  return epilogue;
}

Value LinearEpilogue::load(Value buffer, Value offset, const EpiloguePlace &place) {
  if (place.valid == place.lanes)
    return b.loadVector(buffer, offset, place.lanes);
  auto type = b.vectorType(place.lanes, cast<MemRefType>(buffer.getType()).getElementType());
  Value mask = vector::ConstantMaskOp::create(b, VectorType::get(type.getShape(), b.getI1Type()),
                                              ArrayRef<int64_t>{int64_t(place.valid)});
  Value zero = arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
  return vector::MaskedLoadOp::create(b, type, buffer, offset, mask, zero);
}

void LinearEpilogue::store(Value vector, Value buffer, const EpiloguePlace &place) {
  if (place.valid == place.lanes)
    return b.storeVector(vector, buffer, place.offset);
  // LLVM 22 writes four bytes where the mask leaves two.
  if (place.valid == 1 && cast<VectorType>(vector.getType()).getElementTypeBitWidth() < 32)
    return b.store(vector::ExtractOp::create(b, vector, 0), buffer, place.offset);
  Value mask = vector::ConstantMaskOp::create(b, VectorType::get({int64_t(place.lanes)}, b.getI1Type()),
                                              ArrayRef<int64_t>{int64_t(place.valid)});
  vector::MaskedStoreOp::create(b, buffer, place.offset, mask, vector);
}

Value LinearEpilogue::operand(Value modelValue, const EpiloguePlace &place) {
  switch (*classifyEpilogueOperand(modelValue, first.getDefiningOp())) {
  case EpilogueOperand::perElement:
    return load(b.bufferOf(modelValue), place.offset, place);
  case EpilogueOperand::perColumn:
    return load(b.bufferOf(modelValue), place.column, place);
  case EpilogueOperand::perRow:
    return b.broadcast(b.load(b.bufferOf(modelValue), place.row), place.lanes);
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
    else if (isRounding(op, op->getOperand(0), first.getDefiningOp()))
      last = math.toBFloat16(operands[0]);
    else if (isa<CastOp>(op))
      last = arith::SIToFPOp::create(b, b.vectorType(place.lanes), operands[0]);
    else
      last = math.elementwise(cast<ElementwiseOp>(op).getKind(), operands);
    values[op->getResult(0)] = last;
  }
  return last;
}
