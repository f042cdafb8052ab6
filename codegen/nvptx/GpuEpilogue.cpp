// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What follows a product of matrices on a GPU.
#include "codegen/nvptx/GpuEpilogue.h"

#include "codegen/tile/LinearEpilogue.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

static bool isFloat(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  Type element = tensor ? tensor.getElementType() : Type();
  return element && (element.isF32() || element.isF16() || element.isBF16());
}

/// As classifyEpilogueOperand, of f16 and bf16 too.
static std::optional<EpilogueOperand> classify(Value operand, Type result) {
  if (!isFloat(operand.getType()))
    return std::nullopt;
  Dims sizes = dimsOf(operand.getType()), wanted = dimsOf(result);
  if (auto constant = operand.getDefiningOp<ConstantOp>())
    return constant.getValue().isSplat() ? std::optional(EpilogueOperand::constant) : std::nullopt;
  auto both = broadcastDims(sizes, wanted);
  if (!isa<BlockArgument>(operand) || !both || *both != wanted)
    return std::nullopt;
  DimExpr count = product(sizes);
  if (count == product(wanted))
    return EpilogueOperand::perElement;
  if (count.isConstant(1))
    return EpilogueOperand::scalar;
  if (!sizes.empty() && sizes.back() == wanted.back() && count == sizes.back())
    return EpilogueOperand::perColumn;
  return std::nullopt;
}

FailureOr<SmallVector<Operation *>> GpuEpilogue::analyse(LinearOp linear) {
  SmallVector<Operation *> ops;
  auto kernel = cast<func::FuncOp>(linear->getParentOp());
  Value last = linear.getResult();
  for (Operation &op : kernel.front().without_terminator()) {
    if (&op == linear || isa<ConstantOp>(op) || &op == linear.getWeight().getDefiningOp()) // unpacked weights
      continue;
    if (!isa<ActivationOp, ElementwiseOp>(op) || !isFloat(op.getResult(0).getType()) ||
        dimsOf(op.getResult(0).getType()) != dimsOf(linear.getType()))
      return op.emitOpError("cannot be computed with a model.linear");
    for (Value operand : op.getOperands()) {
      Operation *definition = operand.getDefiningOp();
      bool computed = definition && (definition == linear || llvm::is_contained(ops, definition));
      if (!computed && !classify(operand, linear.getType()))
        return op.emitOpError() << "has an operand of type " << operand.getType() << " beside a model.linear of type "
                                << linear.getType();
    }
    if (auto elementwise = dyn_cast<ElementwiseOp>(op); elementwise && !VectorMath::has(elementwise.getKind()))
      return op.emitOpError("cannot be computed with a model.linear");
    ops.push_back(&op);
    last = op.getResult(0);
  }
  Operation *terminator = kernel.front().getTerminator();
  if (terminator->getNumOperands() != 1 || terminator->getOperand(0) != last)
    return kernel.emitOpError("returns something else than its last op's result");
  return ops;
}

/// Columns beyond the last are read as the one before.
GpuEpilogue::Pair GpuEpilogue::loadPair(Value buffer, Type element, Number offset, Number column) {
  auto widen = [&](Value x) { return element.isF32() ? x : Value(arith::ExtFOp::create(b, b.getF32Type(), x)); };
  unsigned bytes = element.getIntOrFloatBitWidth() / 8;
  Value pointer = gpu.pointer(buffer, element, offset);
  if (!isEven()) {
    Number next(b, gpu.select(column + 1 < columns(), offset + 1, offset));
    return {widen(gpu.load(element, pointer, bytes)),
            widen(gpu.load(element, gpu.pointer(buffer, element, next), bytes))};
  }
  auto both = gpu.loadParts(VectorType::get({2}, element), pointer, 2 * bytes);
  return {widen(both[0]), widen(both[1])};
}

GpuEpilogue::Pair GpuEpilogue::operand(Value value, Number row, Number column) {
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  switch (*classify(value, linear.getType())) {
  case EpilogueOperand::perElement:
    return loadPair(b.bufferOf(value), element, row * columns() + column, column);
  case EpilogueOperand::perColumn:
    return loadPair(b.bufferOf(value), element, column, column);
  case EpilogueOperand::scalar: {
    Value x =
        gpu.load(element, gpu.pointer(b.bufferOf(value), element, gpu.index(0)), element.getIntOrFloatBitWidth() / 8);
    if (!element.isF32())
      x = arith::ExtFOp::create(b, b.getF32Type(), x);
    return {x, x};
  }
  case EpilogueOperand::constant: {
    auto elements = cast<DenseElementsAttr>(value.getDefiningOp<ConstantOp>().getValue());
    Value x = gpu.f32(elements.getSplatValue<APFloat>().convertToDouble());
    return {x, x};
  }
  }
  llvm_unreachable("unknown operand");
}

void GpuEpilogue::write(Pair sums, Number row, Number column) {
  if (linear.getBias()) {
    Pair bias = operand(linear.getBias(), row, column);
    sums = {gpu.add(sums[0], bias[0]), gpu.add(sums[1], bias[1])};
  }
  DenseMap<Value, Pair> values{{linear.getResult(), sums}};
  Pair last = sums;
  for (Operation *op : ops) {
    SmallVector<Pair> operands;
    for (Value value : op->getOperands()) {
      if (!values.count(value))
        values[value] = operand(value, row, column);
      operands.push_back(values[value]);
    }
    for (unsigned i = 0; i < 2; ++i) {
      SmallVector<Value> own = llvm::to_vector(llvm::map_range(operands, [&](Pair &pair) { return pair[i]; }));
      if (auto activation = dyn_cast<ActivationOp>(op))
        last[i] = math.activation(activation.getKind(), own[0]);
      else
        last[i] = math.elementwise(cast<ElementwiseOp>(op).getKind(), own);
    }
    values[op->getResult(0)] = last;
  }
  Type element = cast<RankedTensorType>(linear.getType()).getElementType();
  auto narrow = [&](Value x) { return element.isF32() ? x : Value(arith::TruncFOp::create(b, element, x)); };
  unsigned bytes = element.getIntOrFloatBitWidth() / 8;
  Value pointer = gpu.pointer(b.result(0), element, row * columns() + column);
  if (!isEven()) {
    gpu.store(narrow(last[0]), pointer, bytes);
    b.branch(column + 1 < columns(), [&] {
      gpu.store(narrow(last[1]), gpu.pointer(b.result(0), element, row * columns() + column + 1), bytes);
    });
    return;
  }
  Value both = element == gpu.narrow() ? gpu.pack(last[0], last[1]) : gpu.vector({narrow(last[0]), narrow(last[1])});
  gpu.store(both, pointer, 2 * bytes);
}

void GpuEpilogue::writeTile(ArrayRef<Value> sums, Number row, Number column, int64_t across, int64_t step, Number rows,
                            bool isWhole) {
  for (int64_t i = 0; !sums.empty(); ++i, sums = sums.drop_front(across / 2))
    for (int64_t upper = 0; upper < 2; ++upper) {
      Number own = row + (i * step + upper * 8);
      b.branch(own < rows, [&] {
        for (int64_t j = 0; j < across / 8; ++j) {
          Number at = column + j * 8;
          auto store = [&] { write({sums[j * 4 + upper * 2], sums[j * 4 + upper * 2 + 1]}, own, at); };
          if (isWhole)
            store();
          else
            b.branch(at < columns(), store);
        }
      });
    }
}
