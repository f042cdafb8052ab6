// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a row kernel consists of.
#include "codegen/tile/RowsForm.h"

#include "codegen/tile/ElementMath.h"
#include <algorithm>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
/// Elements of a work group: about 30 KiB in f32, a few microseconds.
constexpr int64_t kGroupElements = 8192;
/// Rows of a group where their length is not known here.
constexpr int64_t kDynamicGroupRows = 16;

Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}
} // namespace

int64_t RowsForm::groupRows() const {
  auto number = length().constant();
  return number ? std::max<int64_t>(kGroupElements / std::max<int64_t>(*number, 1), 1) : kDynamicGroupRows;
}

bool RowsForm::isStaged() const {
  return !isa<BlockArgument>(input()) || !elementOf(input()).isF32();
}

bool RowsForm::needsScratch() const {
  return softmax || isStaged() || (quantize && !isa<BlockArgument>(quantize.getInput()));
}

Dims RowsForm::leadOf(Value value) const {
  Dims dims = dimsOf(value.getType()), own(lead.size(), DimExpr(1));
  size_t rank = lead.size() + inner.size();
  for (size_t axis = 0; axis < lead.size(); ++axis)
    if (axis + dims.size() >= rank)
      own[axis] = dims[axis + dims.size() - rank];
  return own;
}

std::optional<RowsForm::Access> RowsForm::accessOf(Value value) const {
  Dims dims = dimsOf(value.getType());
  if (dims.size() > lead.size() + inner.size())
    return std::nullopt;
  for (auto [own, all] : llvm::zip_equal(leadOf(value), lead))
    if (own != all && !own.isConstant(1))
      return std::nullopt;
  ArrayRef<DimExpr> last = ArrayRef(dims).take_back(std::min(dims.size(), inner.size()));
  if (last == ArrayRef(inner))
    return Access::row;
  bool isNumber = llvm::all_of(last, [](const DimExpr &dim) { return dim.isConstant(1); });
  return isNumber ? std::optional(Access::number) : std::nullopt;
}

/// Takes a norm, a softmax or a quantization; false where it does not go with those before.
bool RowsForm::addRowOp(Operation *op) {
  Dims dims = dimsOf(op->getOperand(0).getType());
  size_t axis = dims.size() - 1;
  bool isFirst = !norm && !softmax && !quantize;
  if (auto found = dyn_cast<QuantizeRowsOp>(op)) {
    if (quantize)
      return false;
    quantize = found;
  } else {
    if (!isFirst)
      return false;
    norm = dyn_cast<NormOp>(op);
    softmax = dyn_cast<SoftmaxOp>(op);
    size_t own = norm ? norm.getAxis() : softmax.getAxis();
    if (softmax && own != axis)
      return false; // not along rows
    axis = own;
  }
  Dims outer(dims.begin(), dims.begin() + axis), along(dims.begin() + axis, dims.end());
  if (!isFirst)
    return outer == lead && along == inner;
  lead = std::move(outer);
  inner = std::move(along);
  return true;
}

/// Whether an op beside the row ops gives values of a row, by a function of vectors.
bool RowsForm::isComputable(Operation *op) const {
  return op->getNumResults() == 1 && ElementMath::isVectorizable(op) && accessOf(op->getResult(0)) &&
         llvm::none_of(op->getOperands(),
                       [&](Value operand) { return quantize && operand.getDefiningOp() == quantize; });
}

static bool isRowOp(Operation *op) {
  return isa<NormOp, SoftmaxOp, QuantizeRowsOp>(op);
}

static bool isNumber(Operation *op) {
  auto constant = dyn_cast_or_null<ConstantOp>(op);
  auto dense = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  return dense && dense.isSplat();
}

std::optional<RowsForm> RowsForm::of(func::FuncOp kernel) {
  RowsForm form;
  for (Operation &op : kernel.front())
    if (isRowOp(&op) && !form.addRowOp(&op))
      return std::nullopt;
  if (form.inner.empty() || elementOf(form.result()).isF64())
    return std::nullopt;
  for (BlockArgument argument : kernel.getArguments())
    if (!argument.use_empty() && !form.accessOf(argument))
      return std::nullopt;
  for (Operation &op : kernel.front().without_terminator())
    if (!isRowOp(&op) && !(isNumber(&op) ? form.accessOf(op.getResult(0)).has_value() : form.isComputable(&op)))
      return std::nullopt;
  Dims all = dimsOf(form.op()->getOperand(0).getType());
  for (Value result : kernel.front().getTerminator()->getOperands())
    if (dimsOf(result.getType()) != all && !(form.quantize && result.getDefiningOp() == form.quantize))
      return std::nullopt;
  return form;
}

std::optional<RowsForm> RowsForm::of(ArrayRef<Operation *> ops) {
  RowsForm form;
  for (Operation *op : ops)
    if (isRowOp(op) && !form.addRowOp(op))
      return std::nullopt;
  if (form.inner.empty() || elementOf(form.result()).isF64())
    return std::nullopt;
  for (Operation *op : ops) {
    if (!isRowOp(op) && !form.isComputable(op))
      return std::nullopt;
    for (Value operand : op->getOperands())
      if (Operation *made = operand.getDefiningOp(); !llvm::is_contained(ops, made))
        if (!form.accessOf(operand) || (isa_and_nonnull<ConstantOp>(made) && !isNumber(made)))
          return std::nullopt;
  }
  return form;
}
