// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Constraints of the sattn dialect's ops; the labels are those of their descriptions.
#include "dialects/sattn/SattnDialect.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;
using model::Dims;
using model::dimsOf;

namespace {
LogicalResult expectDims(Operation *op, Value value, ArrayRef<DimExpr> wanted, const char *what) {
  Dims found = dimsOf(value.getType());
  if (ArrayRef<DimExpr>(found) != wanted)
    return op->emitOpError() << "has " << what << " of sizes " << model::str(found) << " but " << model::str(wanted)
                             << " is wanted";
  return success();
}

/// `B x 1 x 1 x tokens`.
LogicalResult expectKeyMask(Operation *op, Value mask, const DimExpr &batch, const DimExpr &tokens) {
  return mask ? expectDims(op, mask, {batch, 1, 1, tokens}, "a mask") : success();
}

/// The index's rows and items cut these queries and keys.
LogicalResult expectFits(Operation *op, KeyIndexType index, const DimExpr &queries, const DimExpr &keys) {
  DimExpr rows = rowCount(queries, index.getRows()), items = ceilDiv(keys, index.getColumns());
  DimExpr foundRows = index.shapeDims()[2], foundItems = index.itemCount();
  if (foundRows != rows || foundItems != items)
    return op->emitOpError() << "has an index of " << foundRows.str() << " rows and " << foundItems.str()
                             << " items but " << rows.str() << " and " << items.str() << " fit " << queries.str()
                             << " queries and " << keys.str() << " keys";
  return success();
}

/// Queries and keys given as texts.
LogicalResult expectFits(Operation *op, KeyIndexType index, StringRef queries, StringRef keys) {
  auto q = DimExpr::parse(queries), k = DimExpr::parse(keys);
  if (!q || !k)
    return op->emitOpError() << "found the sizes \"" << queries << "\" and \"" << keys
                             << "\" but size expressions are wanted";
  return expectFits(op, index, *q, *k);
}

/// Batch, heads and vectors of an operand that is tokens or a summary, and their width; nothing when it is neither.
std::optional<Dims> vectorsOf(Value operand, int64_t heads) {
  Dims dims = dimsOf(operand.getType());
  if (dims.size() == 4 && dims[1] == DimExpr(heads))
    return dims;
  if (dims.size() != 3 || !dims[2].constant() || *dims[2].constant() % heads)
    return std::nullopt;
  return Dims{dims[0], DimExpr(heads), dims[1], DimExpr(*dims[2].constant() / heads)};
}
} // namespace

AttentionSizes AttentionOp::sizes() {
  Dims query = dimsOf(getQuery().getType()), key = dimsOf(getKey().getType()), result = dimsOf(getType());
  int64_t heads = getHeads();
  return {query[1],
          key[1],
          heads,
          int64_t(getKvHeads()),
          query[2].constant().value_or(0) / heads,
          result[2].constant().value_or(0) / heads,
          getCausal()};
}

LogicalResult AttentionOp::verify() {
  if (failed(model::verifyAttention(*this, getQuery(), getKey(), getValue(), getMask(), getResult(), getHeads(),
                                    getKvHeads()))) // C1
    return failure();
  Dims query = dimsOf(getQuery().getType()), key = dimsOf(getKey().getType());
  AttentionSizes sizes = this->sizes();
  if (failed(getPattern().fits(sizes, [&] { return emitOpError(); })))
    return failure();
  SmallVector<PatternWeight> wanted = getPattern().weights(sizes);
  if (wanted.size() != getWeights().size()) { // C3
    InFlightDiagnostic error = emitOpError() << "has " << getWeights().size() << " weights but " << getPattern()
                                             << " wants " << wanted.size();
    for (const PatternWeight &weight : wanted)
      error << ", '" << weight.name << "' of sizes " << model::str(Dims(weight.shape.begin(), weight.shape.end()));
    return error;
  }
  for (auto [weight, operand] : llvm::zip(wanted, getWeights())) {
    Dims shape(weight.shape.begin(), weight.shape.end());
    if (failed(expectDims(*this, operand, shape, ("the weight '" + weight.name + "'").str().c_str())))
      return failure();
  }
  if (!getPattern().readsNumbers())
    return success();
  return expectKeyMask(*this, getMask(), query[0], key[1]); // C2
}

LogicalResult SummarizeOp::verify() {
  Dims input = dimsOf(getInput().getType());
  int64_t heads = getHeads();
  if (input.size() != 3 || !input[2].constant() || *input[2].constant() % heads) // C1
    return emitOpError() << "cannot split " << model::str(input) << " into " << heads << " heads";
  if (failed(expectDims(*this, getResult(),
                        {input[0], heads, ceilDiv(input[1], getWidth()),
                         summaryColumns(getKind(), *input[2].constant() / heads, getWidth())},
                        "a result")))
    return failure();
  return expectKeyMask(*this, getMask(), input[0], input[1]); // C2
}

LogicalResult ScoreOp::verify() {
  if (getHeads() % getKvHeads()) // C1
    return emitOpError() << "has " << getHeads() << " heads over " << getKvHeads();
  auto queries = vectorsOf(getQueries(), getHeads()), keys = vectorsOf(getKeys(), getKvHeads());
  if (!queries || !keys || (*queries)[0] != (*keys)[0] || (*queries)[3] != (*keys)[3])
    return emitOpError() << "cannot multiply " << getHeads() << " heads of "
                         << model::str(dimsOf(getQueries().getType())) << " with " << getKvHeads() << " of "
                         << model::str(dimsOf(getKeys().getType()));
  DimExpr heads = getWeights() ? DimExpr(1) : (*queries)[1];
  if (failed(expectDims(*this, getResult(), {(*queries)[0], heads, (*queries)[2], (*keys)[2]}, "a result"))) // C2
    return failure();
  if (!getWeights())
    return success();
  return expectDims(*this, getWeights(), {(*queries)[0], (*queries)[2], (*queries)[1]}, "weights"); // C3
}

LogicalResult WeighOp::verify() {
  Dims scores = dimsOf(getScores().getType());
  auto queries = DimExpr::parse(getQueries()), keys = DimExpr::parse(getKeys());
  if (!queries || !keys)
    return emitOpError() << "found the sizes \"" << getQueries() << "\" and \"" << getKeys()
                         << "\" but size expressions are wanted";
  DimExpr rows = ceilDiv(*queries, getWidth()), columns = ceilDiv(*keys, getWidth());
  if (scores.size() != 4 || scores[2] != rows || scores[3] != columns) // C1
    return emitOpError() << "has scores of sizes " << model::str(scores) << " but rows of " << rows.str()
                         << " and columns of " << columns.str() << " are wanted";
  bool isDiagonal = getKind() == WeighKind::diagonals;
  if (isDiagonal && (!getCausal() || getWidth() != 1 || getColumns() != 1)) // C3
    return emitOpError("weighs diagonals, which want causal order, a width of 1 and columns of 1");
  Dims wanted{scores[0], scores[1], rowCount(*queries, getRows() * getWidth()),
              ceilDiv(*keys, getColumns() * getWidth())};
  if (failed(expectDims(*this, getResult(), wanted, "a result")))
    return failure();
  return expectKeyMask(*this, getMask(), scores[0], *keys); // C2
}

LogicalResult SelectOp::verify() {
  KeyIndexType index = getType();
  Dims wanted = index.shapeDims();
  wanted.push_back(index.itemCount());
  if (failed(expectDims(*this, getScores(), wanted, "scores")) ||
      failed(expectFits(*this, index, getQueries(), getKeys()))) // C1
    return failure();
  if (getCandidates()) {
    KeyIndexType candidates = cast<KeyIndexType>(getCandidates().getType());
    Dims shape = candidates.shapeDims();
    bool broadcasts =
        (shape[0] == wanted[0] || shape[0] == DimExpr(1)) && (shape[1] == wanted[1] || shape[1] == DimExpr(1));
    if (!broadcasts || candidates.getRows() != index.getRows() || candidates.getColumns() != index.getColumns() ||
        shape[2] != wanted[2] || candidates.itemCount() != index.itemCount()) // C2
      return emitOpError() << "selects " << index << " among " << candidates << ", which has other rows or items";
  }
  return expectKeyMask(*this, getMask(), wanted[0], *DimExpr::parse(getKeys())); // C3
}

LogicalResult BandsOp::verify() {
  if (getType().getRows() < 1) // C1
    return emitOpError() << "gives " << getType() << " but rows of queries are wanted";
  return expectFits(*this, getType(), getQueries(), getKeys());
}

namespace {
/// All but the capacity.
bool areAlike(KeyIndexType a, KeyIndexType b) {
  return a.getRows() == b.getRows() && a.getColumns() == b.getColumns() && a.getUnit() == b.getUnit() &&
         a.getShape() == b.getShape() && a.getItems() == b.getItems();
}

LogicalResult expectAlike(Operation *op, TypeRange inputs, KeyIndexType result) {
  if (inputs.empty())
    return op->emitOpError("has no operand");
  for (Type input : inputs)
    if (!areAlike(cast<KeyIndexType>(input), result))
      return op->emitOpError() << "makes " << result << " of " << input << ", which differs in more than its capacity";
  return success();
}

/// Both have the items that cut these keys.
LogicalResult expectItems(Operation *op, KeyIndexType from, KeyIndexType to, StringRef keys) {
  auto size = DimExpr::parse(keys);
  if (!size)
    return op->emitOpError() << "found the size \"" << keys << "\" but a size expression is wanted";
  for (KeyIndexType index : {from, to})
    if (index.itemCount() != ceilDiv(*size, index.getColumns()))
      return op->emitOpError() << "has an index of " << index.itemCount().str() << " items but "
                               << ceilDiv(*size, index.getColumns()).str() << " fit " << size->str() << " keys";
  return success();
}
} // namespace

LogicalResult UnionOp::verify() {
  return expectAlike(*this, getInputs().getTypes(), getType()); // C1
}

LogicalResult IntersectOp::verify() {
  return expectAlike(*this, getInputs().getTypes(), getType()); // C1
}

LogicalResult RefineOp::verify() {
  KeyIndexType from = getInput().getType(), to = getType();
  if (from.getColumns() % to.getColumns() || from.getRows() != to.getRows() || from.getShape() != to.getShape()) // C1
    return emitOpError() << "cannot make " << to << " of " << from;
  return expectItems(*this, from, to, getKeys()); // C2
}

LogicalResult CoarsenOp::verify() {
  KeyIndexType from = getInput().getType(), to = getType();
  Dims fromShape = from.shapeDims(), toShape = to.shapeDims();
  bool covers = to.getRows() == 0 ? true : from.getRows() > 0 && to.getRows() % from.getRows() == 0;
  bool sameItems = keepsItems() && from.getUnit() == to.getUnit() && from.itemCount() == to.itemCount();
  if (!covers || to.getColumns() % from.getColumns() || fromShape[0] != toShape[0] ||
      fromShape[1] != toShape[1] || // C1
      (!getKeys() && !sameItems))   // C2
    return emitOpError() << "cannot make " << to << " of " << from;
  return getKeys() ? expectItems(*this, from, to, *getKeys()) : success();
}

LogicalResult TransposeOp::verify() {
  KeyIndexType from = getInput().getType(), to = getType();
  Dims fromShape = from.shapeDims(), toShape = to.shapeDims();
  if (from.getRows() < 1 || to.getRows() != from.getColumns() || to.getColumns() != from.getRows() ||
      fromShape[0] != toShape[0] || fromShape[1] != toShape[1] || toShape[2] != from.itemCount() ||
      to.itemCount() != fromShape[2]) // C1
    return emitOpError() << "cannot make " << to << " of " << from;
  return success();
}

LogicalResult DiagonalsOp::verify() {
  KeyIndexType from = getDistances().getType(), to = getType();
  auto keys = DimExpr::parse(getKeys());
  if (from.getRows() != 0 || from.getUnit() != Unit::token || (keys && from.itemCount() != *keys)) // C1
    return emitOpError() << "takes " << from << " but one row of as many distances as keys is wanted";
  Dims fromShape = from.shapeDims(), toShape = to.shapeDims();
  if (to.getRows() < 1 || fromShape[0] != toShape[0] || fromShape[1] != toShape[1]) // C2
    return emitOpError() << "gives " << to << " of " << from
                         << " but rows of queries, and its batch and heads, are wanted";
  return expectFits(*this, to, getQueries(), getKeys());
}

LogicalResult ShareOp::verify() {
  KeyIndexType from = getInput().getType(), to = getType();
  Dims fromShape = from.shapeDims(), toShape = to.shapeDims();
  bool sameRest = from.getRows() == to.getRows() && from.getColumns() == to.getColumns() &&
                  from.getUnit() == to.getUnit() && from.getItems() == to.getItems() &&
                  from.getCapacity() == to.getCapacity() && fromShape[2] == toShape[2];
  if (!sameRest || (fromShape[0] != toShape[0] && fromShape[0] != DimExpr(1))) // C1
    return emitOpError() << "cannot make " << to << " of " << from;
  auto count = fromShape[1].constant();
  bool known = count && llvm::all_of(getHeads(), [&](int64_t head) { return head >= 0 && head < *count; });
  if (!known || toShape[1] != DimExpr(getHeads().size())) // C2
    return emitOpError() << "gives " << toShape[1].str() << " heads those numbered " << getHeads() << " of "
                         << fromShape[1].str();
  return success();
}

LogicalResult AttendOp::verify() {
  auto partial = dyn_cast<PartialType>(getType());
  if (failed(model::verifyAttention(*this, getQuery(), getKey(), getValue(), getMask(), partial ? Value() : getResult(),
                                    getHeads(), getKvHeads()))) // C1
    return failure();
  Dims query = dimsOf(getQuery().getType()), key = dimsOf(getKey().getType());
  if (partial) { // C4
    int64_t width = *dimsOf(getValue().getType())[2].constant() / int64_t(getKvHeads());
    auto wanted = PartialType::get(getContext(), {query[0], int64_t(getHeads()), query[1], width});
    Type element = cast<RankedTensorType>(getQuery().getType()).getElementType();
    if (partial != wanted || !element.isF32())
      return emitOpError() << "gives " << partial << " of operands of " << element << " but " << wanted
                           << " of f32 is wanted";
  }
  for (Type type : getIndices().getTypes()) { // C2
    KeyIndexType index = cast<KeyIndexType>(type);
    Dims shape = index.shapeDims();
    auto heads = shape[1].constant();
    if ((shape[0] != query[0] && shape[0] != DimExpr(1)) || !heads || *heads < 1 || getHeads() % *heads)
      return emitOpError() << "has an index of " << shape[0].str() << " batch items and " << shape[1].str()
                           << " heads for " << query[0].str() << " and " << getHeads();
    if (failed(expectFits(*this, index, query[1], key[1])))
      return failure();
  }
  int64_t least = 0, count = getIndices().size();
  for (int64_t number : getFull().value_or(ArrayRef<int64_t>())) { // C3
    if (number < least || number >= count)
      return emitOpError() << "has the full indices " << getFullAttr() << " but ascending numbers from 0, below "
                           << count << ", are wanted";
    least = number + 1;
  }
  return success();
}

/// One row of tokens for each batch item: which of `all` tokens, in room for `some`.
static LogicalResult expectOneRow(Operation *op, KeyIndexType index, const DimExpr &batch, const DimExpr &all,
                                  const DimExpr &some) {
  Dims shape = index.shapeDims();
  if (index.getUnit() != Unit::token || shape[0] != batch || shape[1] != DimExpr(1) || shape[2] != DimExpr(1) ||
      index.itemCount() != all || index.capacityExpr() != some)
    return op->emitOpError() << "has " << index << " but one row of tokens for each of " << batch.str()
                             << " batch items, of " << all.str() << " items and a capacity of " << some.str()
                             << ", is wanted";
  return success();
}

/// `whole` is `B x S x F`, and `part` the tokens of an index of it.
static LogicalResult verifyCompaction(Operation *op, KeyIndexType index, Value whole, Value part) {
  Dims all = dimsOf(whole.getType()), some = dimsOf(part.getType());
  if (all.size() != 3 || some.size() != 3 || all[0] != some[0] || all[2] != some[2]) // C2
    return op->emitOpError() << "has tokens of sizes " << model::str(all) << " and " << model::str(some)
                             << " but three axes are wanted, of which two agree";
  return expectOneRow(op, index, all[0], all[1], some[1]); // C1
}

LogicalResult CompactOp::verify() {
  return verifyCompaction(*this, getIndex().getType(), getInput(), getResult());
}

LogicalResult ExpandOp::verify() {
  return verifyCompaction(*this, getIndex().getType(), getResult(), getInput());
}

/// Whether an index holds all items, in any case.
static bool holdsAll(Value index) {
  auto select = index.getDefiningOp<SelectOp>();
  if (!select || select.getMask() || select.getCandidates() || select.getCausal())
    return false;
  BudgetAttr budget = select.getBudget();
  auto items = select.getType().itemCount().constant();
  return (budget.getKind() == BudgetKind::fraction && budget.number() == 1) ||
         (budget.getKind() == BudgetKind::count && items && budget.number() >= *items);
}

OpFoldResult CompactOp::fold(FoldAdaptor) {
  if (holdsAll(getIndex()) && getInput().getType() == getType())
    return getInput();
  // What lies behind the items of a compacted tensor is zero already.
  auto expanded = getInput().getDefiningOp<ExpandOp>();
  if (!expanded || expanded.getIndex() != getIndex() || !expanded.getInput().getDefiningOp<CompactOp>() ||
      expanded.getInput().getDefiningOp<CompactOp>().getIndex() != getIndex())
    return {};
  return expanded.getInput();
}

OpFoldResult ExpandOp::fold(FoldAdaptor) {
  if (holdsAll(getIndex()) && getInput().getType() == getType())
    return getInput();
  // Expanded again, the tokens that the index does not hold are zero already.
  auto compacted = getInput().getDefiningOp<CompactOp>();
  auto expanded = compacted ? compacted.getInput().getDefiningOp<ExpandOp>() : ExpandOp();
  return expanded && expanded.getIndex() == getIndex() && compacted.getIndex() == getIndex() ? expanded.getResult()
                                                                                             : OpFoldResult();
}

LogicalResult AttendAtOp::verify() {
  if (failed(model::verifyAttention(*this, getQuery(), getKey(), getValue(), getMask(), getResult(), getHeads(),
                                    getKvHeads()))) // C1
    return failure();
  Dims query = dimsOf(getQuery().getType()), key = dimsOf(getKey().getType());
  return expectOneRow(*this, getPositions().getType(), query[0], key[1], query[1]); // C2
}

LogicalResult MergeOp::verify() {
  if (getInputs().empty()) // C1
    return emitOpError("has no operand");
  auto type = cast<PartialType>(getInputs().front().getType());
  for (Type input : getInputs().getTypes())
    if (input != type)
      return emitOpError() << "merges " << type << " with " << input;
  if (getType() != type && getType() != type.whole()) // C2
    return emitOpError() << "gives " << getType() << " but " << type.whole() << " or " << type << " is wanted";
  return success();
}

LogicalResult StorePartialOp::verify() {
  if (getType() != getInput().getType().storage()) // C1
    return emitOpError() << "gives " << getType() << " but " << getInput().getType().storage() << " is wanted";
  return success();
}

LogicalResult LoadPartialOp::verify() {
  if (getInput().getType() != getType().storage()) // C1
    return emitOpError() << "reads " << getInput().getType() << " but " << getType().storage() << " is wanted";
  return success();
}

LogicalResult LinearAttendOp::verify() {
  if (failed(model::verifyAttention(*this, getQuery(), getKey(), getValue(), getMask(), getResult(), getHeads(),
                                    getKvHeads()))) // C1
    return failure();
  return expectKeyMask(*this, getMask(), dimsOf(getQuery().getType())[0], dimsOf(getKey().getType())[1]); // C2
}

LogicalResult StoreIndexOp::verify() {
  if (getType() != getInput().getType().storage()) // C1
    return emitOpError() << "gives " << getType() << " but " << getInput().getType().storage() << " is wanted";
  return success();
}

LogicalResult LoadIndexOp::verify() {
  if (getInput().getType() != getType().storage()) // C1
    return emitOpError() << "reads " << getInput().getType() << " but " << getType().storage() << " is wanted";
  return success();
}
