// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the ops around attention among some of the tokens.
#include "dialects/sattn/patterns/Compaction.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;
using model::Dims;
using model::dimsOf;
using model::ElementwiseKind;

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

Value tamis::sattn::compact(PatternBuilder &b, Value tokens, Value index) {
  Dims dims = dimsOf(tokens.getType());
  dims[1] = cast<KeyIndexType>(index.getType()).capacityExpr();
  return CompactOp::create(b.ops(), b.loc(), model::tensorType(elementOf(tokens), dims), tokens, index);
}

Value tamis::sattn::expand(PatternBuilder &b, Value tokens, Value index) {
  Dims dims = dimsOf(tokens.getType());
  dims[1] = cast<KeyIndexType>(index.getType()).itemCount();
  return ExpandOp::create(b.ops(), b.loc(), model::tensorType(elementOf(tokens), dims), tokens, index);
}

Value tamis::sattn::maskOfCompacted(PatternBuilder &b, Value index) {
  auto type = cast<KeyIndexType>(index.getType());
  DimExpr batch = type.shapeDims()[0], capacity = type.capacityExpr();
  Type i32 = b.ops().getI32Type();
  auto boolType = model::tensorType(b.ops().getI1Type(), {batch, 1, 1, capacity});
  // A row of a stored index begins with the number of its items.
  Value stored = StoreIndexOp::create(b.ops(), b.loc(), type.storage(), index);
  Value count =
      model::SliceOp::create(b.ops(), b.loc(), model::tensorType(i32, {batch, 1, 1, 1}), stored,
                             b.ops().getStrArrayAttr({"0", "0", "0", "0"}), b.ops().getDenseI64ArrayAttr({1, 1, 1, 1}));
  Value places = model::IotaOp::create(b.ops(), b.loc(), model::tensorType(i32, {capacity}), b.ops().getStringAttr("0"),
                                       b.ops().getStringAttr("1"));
  Value exists =
      model::ElementwiseOp::create(b.ops(), b.loc(), boolType, ElementwiseKind::less, ValueRange{places, count});
  Value mask = AttentionOp(b.attention()).getMask();
  if (!mask || elementOf(mask).isInteger(1)) // nothing that the mask leaves out is in the index
    return exists;
  Type element = elementOf(mask);
  Value added =
      model::ReshapeOp::create(b.ops(), b.loc(), model::tensorType(element, {batch, type.itemCount(), 1}), mask);
  added = model::ReshapeOp::create(b.ops(), b.loc(), model::tensorType(element, {batch, 1, 1, capacity}),
                                   compact(b, added, index));
  auto scalar = RankedTensorType::get({}, element);
  Value excluded = model::ConstantOp::create(b.ops(), b.loc(), scalar,
                                             DenseElementsAttr::get(scalar, b.ops().getFloatAttr(element, -INFINITY)));
  return model::ElementwiseOp::create(b.ops(), b.loc(), added.getType(), ElementwiseKind::select,
                                      ValueRange{exists, added, excluded});
}
