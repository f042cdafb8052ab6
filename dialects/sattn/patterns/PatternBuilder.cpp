// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the ops that take the place of an attention with a pattern, over its operands.
#include "dialects/sattn/patterns/PatternBuilder.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

PatternBuilder::PatternBuilder(OpBuilder &builder, AttentionOp op)
    : builder(builder), op(op), queryDims(model::dimsOf(op.getQuery().getType())),
      keyDims(model::dimsOf(op.getKey().getType())),
      element(cast<RankedTensorType>(op.getQuery().getType()).getElementType()) {}

Value PatternBuilder::keyMask() {
  Value mask = op.getMask();
  auto type = mask ? cast<RankedTensorType>(mask.getType()) : RankedTensorType();
  if (!mask || type.getElementType().isInteger(1) || knownKeyMask)
    return knownKeyMask ? knownKeyMask : mask;
  auto limitType = RankedTensorType::get({}, type.getElementType());
  Value limit = model::ConstantOp::create(
      builder, op.getLoc(), limitType,
      DenseElementsAttr::get(limitType, builder.getFloatAttr(type.getElementType(), kLeftOut)));
  Type boolType = model::tensorType(builder.getI1Type(), model::dimsOf(type));
  return knownKeyMask = model::ElementwiseOp::create(builder, op.getLoc(), boolType, model::ElementwiseKind::greater,
                                                     ValueRange{mask, limit});
}

Value PatternBuilder::summary(SummaryKind kind, Value tokens, int64_t heads, int64_t width) {
  model::Dims dims = model::dimsOf(tokens.getType());
  int64_t columns = summaryColumns(kind, *dims[2].constant() / heads, width);
  Type type = model::tensorType(element, {dims[0], heads, ceilDiv(dims[1], width), columns});
  // A mask of keys tells of queries too where both are the same tokens.
  Value mask = dims[1] == keys() ? keyMask() : Value();
  return SummarizeOp::create(builder, op.getLoc(), type, kind, tokens, mask, heads, width);
}

Value PatternBuilder::summaryOfQueries(SummaryKind kind, int64_t width) {
  return summary(kind, op.getQuery(), op.getHeads(), width);
}
Value PatternBuilder::summaryOfKeys(SummaryKind kind, int64_t width) {
  return summary(kind, op.getKey(), op.getKvHeads(), width);
}
Value PatternBuilder::meansOfQueries(int64_t width) {
  return summaryOfQueries(SummaryKind::mean, width);
}
Value PatternBuilder::meansOfKeys(int64_t width) {
  return summaryOfKeys(SummaryKind::mean, width);
}

static DimExpr countOf(Value vectors) {
  model::Dims dims = model::dimsOf(vectors.getType());
  return dims[dims.size() == 4 ? 2 : 1];
}

Value PatternBuilder::score(Value queries, Value keys) {
  Type type = model::tensorType(element, {queryDims[0], int64_t(op.getHeads()), countOf(queries), countOf(keys)});
  return ScoreOp::create(builder, op.getLoc(), type, queries, keys, Value(), op.getHeads(), op.getKvHeads(), false);
}

Value PatternBuilder::scoreOfKeyHeads(Value queries, int64_t width) {
  Value means = summary(SummaryKind::mean, queries, op.getKvHeads(), width), keyMeans = meansOfKeys(width);
  Type type = model::tensorType(element, {queryDims[0], int64_t(op.getKvHeads()), countOf(means), countOf(keyMeans)});
  return ScoreOp::create(builder, op.getLoc(), type, means, keyMeans, Value(), op.getKvHeads(), op.getKvHeads(), false);
}

Value PatternBuilder::agreement(Value queries, Value keys) {
  Type type = model::tensorType(cast<RankedTensorType>(queries.getType()).getElementType(),
                                {queryDims[0], int64_t(op.getHeads()), countOf(queries), countOf(keys)});
  return ScoreOp::create(builder, op.getLoc(), type, queries, keys, Value(), op.getHeads(), op.getKvHeads(),
                         /*agreement=*/true);
}

Value PatternBuilder::weightedScore(Value queries, Value keys, Value weights, int64_t heads) {
  Type type = model::tensorType(element, {queryDims[0], 1, countOf(queries), countOf(keys)});
  return ScoreOp::create(builder, op.getLoc(), type, queries, keys, weights, heads, 1, false);
}

Value PatternBuilder::linear(Value tokens, Value weight) {
  model::Dims dims = model::dimsOf(tokens.getType());
  Type type = model::tensorType(element, {dims[0], dims[1], model::dimsOf(weight.getType())[1]});
  return model::LinearOp::create(builder, op.getLoc(), type, tokens, weight, Value(), false);
}

Value PatternBuilder::lastQueries(const DimExpr &count) {
  auto text = [&](const DimExpr &start) { return builder.getStringAttr(start.str()); };
  Type type = model::tensorType(element, {queryDims[0], count, queryDims[2]});
  return model::SliceOp::create(builder, op.getLoc(), type, op.getQuery(),
                                builder.getArrayAttr({text(0), text(queries() - count), text(0)}),
                                ArrayRef<int64_t>{1, 1, 1});
}

Value PatternBuilder::weigh(Value scores, const Weighing &weighing) {
  model::Dims dims = model::dimsOf(scores.getType());
  Type type = model::tensorType(element, {dims[0], dims[1], rowCount(weighing.queries, weighing.rows * weighing.width),
                                          ceilDiv(keys(), weighing.columns * weighing.width)});
  return WeighOp::create(builder, op.getLoc(), type, weighing.kind, scores, keyMask(), APFloat(weighing.scale),
                         weighing.width, weighing.rows, weighing.columns, weighing.queries.str(), keys().str(),
                         op.getCausal());
}

Value PatternBuilder::bands(int64_t rows, int64_t columns, int64_t before, int64_t after, int64_t sinks) {
  // The queries of a row stand at as many items as that, wherever the first one begins.
  int64_t own = rows == columns && queries() == keys() ? 1 : (rows + columns - 2) / columns + 1;
  DimExpr items = ceilDiv(keys(), columns);
  auto type = KeyIndexType::get(builder.getContext(), rows, columns, unitOf(columns), {1, 1, rowCount(queries(), rows)},
                                items, DimExpr::min(items, own + before + after + sinks));
  return BandsOp::create(builder, op.getLoc(), type, before, after, sinks, queries().str(), keys().str());
}

Value PatternBuilder::select(Value scores, int64_t rows, int64_t columns, const Selection &selection) {
  model::Dims dims = model::dimsOf(scores.getType());
  auto type = KeyIndexType::get(builder.getContext(), rows, columns, unitOf(columns), {dims[0], dims[1], dims[2]},
                                dims[3], DimExpr::min(dims[3], selection.capacity));
  auto budget = BudgetAttr::get(builder.getContext(), selection.kind, APFloat(selection.value));
  return SelectOp::create(builder, op.getLoc(), type, budget, scores, selection.candidates,
                          selection.masked ? keyMask() : Value(), queries().str(), keys().str(), selection.sinks,
                          selection.local, op.getCausal() && selection.ordered);
}

Value PatternBuilder::joinRows(Value index) {
  auto from = cast<KeyIndexType>(index.getType());
  model::Dims shape = from.shapeDims();
  auto to = KeyIndexType::get(builder.getContext(), 0, from.getColumns(), from.getUnit(), {shape[0], shape[1], 1},
                              from.itemCount(), DimExpr::min(from.itemCount(), from.capacityExpr() * shape[2]));
  return CoarsenOp::create(builder, op.getLoc(), to, index);
}

Value PatternBuilder::diagonals(Value distances, int64_t rows, int64_t columns) {
  auto from = cast<KeyIndexType>(distances.getType());
  model::Dims shape = from.shapeDims();
  // Where blocks of queries and keys begin at the same places, one of each distance crosses a border at most.
  int64_t crossed = (rows + columns - 2) / columns + 1;
  DimExpr items = ceilDiv(keys(), columns);
  auto to = KeyIndexType::get(builder.getContext(), rows, columns, unitOf(columns),
                              {shape[0], shape[1], rowCount(queries(), rows)}, items,
                              DimExpr::min(items, from.capacityExpr() * crossed));
  return DiagonalsOp::create(builder, op.getLoc(), to, distances, queries().str(), keys().str());
}

Value PatternBuilder::attend(ValueRange indices) {
  return AttendOp::create(builder, op.getLoc(), op.getType(), op.getQuery(), op.getKey(), op.getValue(), indices,
                          op.getMask(), op.getHeadsAttr(), op.getKvHeadsAttr(), op.getScaleAttr(), op.getCausalAttr());
}
