// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Over which axes the loops of a map kernel run.
#include "codegen/tile/MapSpace.h"

#include "codegen/tile/ElementMath.h"
#include "codegen/tile/Map.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
/// Elements of a work group of ops that cost about what their reads cost: some microseconds, so that handing out groups
/// costs little, and some kilobytes, so that groups are many.
constexpr int64_t kGroupElements = 4096;

/// Columns of a work group that sums rows in scratch: up to all of a row of this length.
constexpr int64_t kBufferedGroup = 1024;

/// Shortest row for which sums are kept in scratch rather than in a register.
constexpr int64_t kBufferedColumns = 8;

bool isPointwise(Operation *op) {
  return isa<ElementwiseOp, ActivationOp, CastOp>(op);
}

/// Whether every value of the kernel is one number or has the results' elements in their order.
bool readsInOrder(func::FuncOp kernel, const DimExpr &elements) {
  auto fits = [&](Value value) {
    Dims dims = dimsOf(value.getType());
    return product(dims) == elements || llvm::all_of(dims, [](const DimExpr &dim) { return dim.isConstant(1); });
  };
  for (Operation &op : kernel.front().without_terminator()) {
    bool isNumber = isa<ConstantOp>(op) && fits(op.getResult(0)) &&
                    cast<DenseElementsAttr>(cast<ConstantOp>(op).getValue()).isSplat();
    if (!isNumber && !isPointwise(&op) && !isa<ReshapeOp>(op))
      return false;
    if (!fits(op.getResult(0)) || !llvm::all_of(op.getOperands(), fits))
      return false;
    // Operands of one number broadcast; axes of the others must not.
    for (Value operand : op.getOperands())
      if (isPointwise(&op) && product(dimsOf(operand.getType())) == elements &&
          product(dimsOf(op.getResult(0).getType())) != elements)
        return false;
  }
  return true;
}

/// The values that are computed at the same point as the result: through pointwise ops of equal sizes.
void collectRoots(Value value, llvm::SetVector<Operation *> &roots) {
  Operation *op = value.getDefiningOp();
  if (!op || !roots.insert(op) || !isPointwise(op))
    return;
  for (Value operand : op->getOperands())
    if (dimsOf(operand.getType()) == dimsOf(value.getType()))
      collectRoots(operand, roots);
}

/// Sizes of the operand of a reshape that splits the last axis of `dims` in static parts, or else splits nothing.
std::optional<Dims> splitLastAxis(ReshapeOp reshape, ArrayRef<DimExpr> dims) {
  Dims inner = dimsOf(reshape.getInput().getType());
  auto last = dims.back().constant();
  if (!last)
    return std::nullopt;
  int64_t tail = 1;
  size_t first = inner.size();
  while (first > 0 && tail < *last && inner[first - 1].constant())
    tail *= *inner[--first].constant();
  if (tail != *last || inner.size() - first < 2)
    return std::nullopt;
  Dims split(dims.drop_back());
  split.append(inner.begin() + first, inner.end());
  return split;
}

/// Multiply-adds for each element, as far as known.
int64_t workPerElement(func::FuncOp kernel) {
  int64_t work = 1;
  auto count = [&](const DimExpr &dim) {
    work = std::min<int64_t>(work * dim.constant().value_or(64), kGroupElements);
  };
  for (Operation &op : kernel.front()) {
    if (auto reduce = dyn_cast<ReduceOp>(op))
      for (int64_t axis : reduce.getAxes())
        count(dimsOf(reduce.getInput().getType())[axis]);
    if (auto matmul = dyn_cast<MatmulOp>(op))
      count(dimsOf(matmul.getLhs().getType()).back());
  }
  return std::max<int64_t>(work, 1);
}

/// A sum that is worth a row of scratch.
bool isBuffered(Operation *op, ArrayRef<DimExpr> dims) {
  Type element = cast<RankedTensorType>(op->getResult(0).getType()).getElementType();
  bool isNarrow = element.isF32() || element.isF16() || element.isBF16();
  bool isLong = !dims.back().constant() || *dims.back().constant() >= kBufferedColumns;
  if (!isNarrow || !isLong || ArrayRef<DimExpr>(dimsOf(op->getResult(0).getType())) != dims)
    return false;
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return !reduce.getAxes().empty() && reduce.getAxes().back() + 1 < int64_t(dims.size());
  return isa<MatmulOp>(op);
}
} // namespace

bool tamis::canFuseIntoMap(Operation *op) {
  auto isSupported = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && ElementMath::isSupported(tensor.getElementType());
  };
  if (!llvm::all_of(op->getOperandTypes(), isSupported) || !llvm::all_of(op->getResultTypes(), isSupported))
    return false;
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    return elements && (elements.isSplat() || elements.getNumElements() <= 64);
  }
  return isa<ElementwiseOp, ActivationOp, CastOp, ReshapeOp, TransposeOp, BroadcastOp, SliceOp, ConcatOp, GatherOp,
             GatherNdOp, EmbeddingOp, IotaOp, SizesOp, ReduceOp, MatmulOp, SoftmaxOp, NormOp>(op);
}

FailureOr<MapSpace> MapSpace::of(func::FuncOp kernel) {
  for (Operation &op : kernel.front().without_terminator())
    if (!canFuseIntoMap(&op))
      return op.emitOpError("cannot be part of a map kernel");
  ValueRange results = kernel.front().getTerminator()->getOperands();
  if (results.empty())
    return kernel.emitError("expected a kernel with a result");
  MapSpace space;
  space.dims = dimsOf(results[0].getType());
  for (Value result : results)
    if (product(dimsOf(result.getType())) != space.elements())
      return kernel.emitError() << "gives results of " << product(dimsOf(result.getType())).str() << " and "
                                << space.elements().str() << " elements, but a map kernel has one number of them";

  space.isFlat = readsInOrder(kernel, space.elements());
  llvm::SetVector<Operation *> roots;
  if (!space.isFlat) {
    // A reshape at the end changes nothing in memory: loop over its operand instead.
    Value root = results[0];
    while (auto reshape = root.getDefiningOp<ReshapeOp>())
      root = reshape.getInput();
    space.dims = dimsOf(root.getType());
    collectRoots(root, roots);
  }
  if (space.isFlat || space.dims.empty())
    space.dims = {product(dimsOf(results[0].getType()))};
  space.innermost = space.dims.size() - 1;
  for (Operation *op : roots) {
    auto softmax = dyn_cast<SoftmaxOp>(op);
    auto norm = dyn_cast<NormOp>(op);
    auto reshape = dyn_cast<ReshapeOp>(op);
    if (softmax) {
      space.innermost = softmax.getAxis();
      break;
    }
    if (norm) { // one loop over what is normalised
      space.dims.truncate(norm.getAxis());
      space.dims.push_back(product(ArrayRef(dimsOf(norm.getType())).drop_front(norm.getAxis())));
      space.innermost = norm.getAxis();
      break;
    }
    if (isBuffered(op, space.dims)) {
      space.buffered = op;
      break;
    }
    if (reshape)
      if (auto split = splitLastAxis(reshape, space.dims)) {
        space.dims = *split;
        space.innermost = split->size() - 1;
        break;
      }
  }

  auto row = space.rowElements().constant();
  space.chunk = std::max<int64_t>(kGroupElements / std::max<int64_t>(workPerElement(kernel) / 8, 1), 64);
  if (space.buffered) // a group reads all that is summed: long rows pay
    space.chunk = std::max(space.chunk, row && *row <= kBufferedGroup ? *row : kBufferedGroup / 4);
  if (row && *row > 0 && *row <= space.chunk && space.dims.size() > 1) {
    space.hasWholeRows = true;
    space.chunk = (space.chunk + *row / 2) / *row * *row;
  }
  return space;
}
