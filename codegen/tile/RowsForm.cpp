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

std::optional<RowsForm> RowsForm::of(func::FuncOp kernel) {
  RowsForm form;
  for (Operation &op : kernel.front()) {
    if (auto norm = dyn_cast<NormOp>(op))
      form.norm = norm;
    else if (auto softmax = dyn_cast<SoftmaxOp>(op))
      form.softmax = softmax;
    else
      continue;
    Dims dims = dimsOf(op.getResult(0).getType());
    size_t axis = form.norm ? form.norm.getAxis() : form.softmax.getAxis();
    if (!form.lead.empty() || !form.inner.empty() || (form.softmax && axis + 1 != dims.size()))
      return std::nullopt; // a second one, or not along rows
    form.lead.assign(dims.begin(), dims.begin() + axis);
    form.inner.assign(dims.begin() + axis, dims.end());
  }
  if (form.inner.empty() || elementOf(form.result()).isF64())
    return std::nullopt;
  for (BlockArgument argument : kernel.getArguments())
    if (!argument.use_empty() && !form.accessOf(argument))
      return std::nullopt;
  for (Operation &op : kernel.front().without_terminator()) {
    auto constant = dyn_cast<ConstantOp>(op);
    auto splat = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
    bool isNumber = splat && splat.isSplat();
    if (!isNumber && &op != form.op() && !ElementMath::isVectorizable(&op))
      return std::nullopt;
    if (!form.accessOf(op.getResult(0)))
      return std::nullopt;
  }
  Dims all = dimsOf(form.result().getType());
  for (Value result : kernel.front().getTerminator()->getOperands())
    if (dimsOf(result.getType()) != all)
      return std::nullopt;
  return form;
}
