// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Types of what ops make of indices: how many items a row may have at most.
#include "dialects/sattn/SattnDialect.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;
using model::Dims;

namespace {
KeyIndexType typeOf(Value index) {
  return cast<KeyIndexType>(index.getType());
}

KeyIndexType withCapacity(KeyIndexType type, const DimExpr &capacity) {
  return KeyIndexType::get(type.getContext(), type.getRows(), type.getColumns(), type.getUnit(), type.shapeDims(),
                           type.itemCount(), capacity);
}
} // namespace

void UnionOp::build(OpBuilder &, OperationState &state, ValueRange inputs) {
  DimExpr sum = 0;
  for (Value input : inputs)
    sum = sum + typeOf(input).capacityExpr();
  DimExpr items = typeOf(inputs.front()).itemCount();
  state.addOperands(inputs);
  state.addTypes(withCapacity(typeOf(inputs.front()), DimExpr::min(items, sum)));
}

void IntersectOp::build(OpBuilder &, OperationState &state, ValueRange inputs) {
  DimExpr least = typeOf(inputs.front()).capacityExpr();
  for (Value input : inputs.drop_front())
    least = DimExpr::min(least, typeOf(input).capacityExpr());
  state.addOperands(inputs);
  state.addTypes(withCapacity(typeOf(inputs.front()), least));
}

void RefineOp::build(OpBuilder &builder, OperationState &state, Value input, int64_t columns, Unit unit,
                     const DimExpr &keys) {
  KeyIndexType from = typeOf(input);
  DimExpr items = ceilDiv(keys, columns), capacity = from.capacityExpr() * (from.getColumns() / columns);
  auto to = KeyIndexType::get(builder.getContext(), from.getRows(), columns, unit, from.shapeDims(), items,
                              DimExpr::min(items, capacity));
  build(builder, state, to, input, keys.str());
}

void TransposeOp::build(OpBuilder &builder, OperationState &state, Value input) {
  KeyIndexType from = typeOf(input);
  Dims shape = from.shapeDims();
  auto to = KeyIndexType::get(builder.getContext(), from.getColumns(), from.getRows(),
                              from.getRows() == 1 ? Unit::token : Unit::block, {shape[0], shape[1], from.itemCount()},
                              shape[2], shape[2]);
  build(builder, state, to, input);
}

void ShareOp::build(OpBuilder &builder, OperationState &state, Value input, const DimExpr &batch,
                    ArrayRef<int64_t> heads) {
  KeyIndexType from = typeOf(input);
  auto to =
      KeyIndexType::get(builder.getContext(), from.getRows(), from.getColumns(), from.getUnit(),
                        {batch, int64_t(heads.size()), from.shapeDims()[2]}, from.itemCount(), from.capacityExpr());
  build(builder, state, to, input, heads);
}
