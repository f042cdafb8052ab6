// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weight-only expressions of a model.
#include "codegen/tile/ConstantExpression.h"

#include "dialects/model/ModelDialect.h"

using namespace mlir;
using namespace tamis;

ConstantExpression ConstantExpression::transpose() const {
  ConstantExpression result = *this;
  for (bool &mark : result.transposed)
    mark = !mark;
  result.axis = 1 - axis;
  return result;
}

std::optional<ConstantExpression> tamis::constantExpression(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (auto weight = dyn_cast<model::WeightOp>(op))
    return ConstantExpression{{weight.getKeyAttr()}, {false}, 0};
  if (auto constant = dyn_cast<model::ConstantOp>(op))
    return ConstantExpression{{constant.getValue()}, {false}, 0};
  if (auto transpose = dyn_cast<model::TransposeOp>(op)) {
    auto inner = constantExpression(transpose.getInput());
    if (!inner || inner->reshaped || transpose.getPermutation() != ArrayRef<int64_t>{1, 0})
      return std::nullopt;
    return inner->transpose();
  }
  if (auto concat = dyn_cast<model::ConcatOp>(op)) {
    ConstantExpression joined;
    joined.axis = concat.getAxis();
    for (Value input : concat.getInputs()) {
      auto piece = constantExpression(input);
      if (!piece || (piece->pieces.size() > 1 && piece->axis != joined.axis) || (piece->reshaped && joined.axis != 0))
        return std::nullopt;
      joined.pieces.append(piece->pieces);
      joined.transposed.append(piece->transposed);
      joined.reshaped |= piece->reshaped;
    }
    if (cast<RankedTensorType>(value.getType()).getRank() > 2 && joined.axis != 0)
      return std::nullopt;
    return joined;
  }
  if (auto reshape = dyn_cast<model::ReshapeOp>(op)) {
    // Bytes stay where they are only when pieces follow one another whole.
    auto inner = constantExpression(reshape.getInput());
    if (!inner || llvm::is_contained(inner->transposed, true) || (inner->pieces.size() > 1 && inner->axis != 0))
      return std::nullopt;
    inner->axis = 0;
    inner->reshaped = true;
    return inner;
  }
  return std::nullopt;
}
