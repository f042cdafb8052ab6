// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Takes kernels of a selection apart and lays out their scratch.
#include "codegen/tile/SelectKernel.h"

#include <algorithm>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using namespace tamis::sattn;

namespace {
// Rows of a group: transposing the keys of a head takes about as long as scoring them against 8 rows.
constexpr int64_t kGroupRows = 128;
// A group whose keys are summaries reads `width` tokens for each; so many rows a token of them make that cheap.
constexpr int64_t kRowsOfSummary = 8;
// Rows of a tile, the most that fits first: a block of keys in the first-level cache serves them all.
constexpr int64_t kTileRows[] = {16, 4, 1};
constexpr int64_t kMostLanes = 16;

FailureOr<BlockArgument> maskOf(Operation *op, Value mask) {
  if (!mask || isa<BlockArgument>(mask))
    return dyn_cast_or_null<BlockArgument>(mask);
  return op->emitOpError("has a mask that is no argument of its kernel");
}

FailureOr<ScoreOperand> operandOf(ScoreOp op, Value value) {
  ScoreOperand operand;
  operand.summary = value.getDefiningOp<SummarizeOp>();
  Operation *reader = operand.summary ? operand.summary.getOperation() : op.getOperation();
  Value tokens = operand.summary ? operand.summary.getInput() : value;
  auto columns = columnRange(reader, tokens);
  auto mask = maskOf(reader, operand.summary ? operand.summary.getMask() : Value());
  if (failed(columns) || failed(mask))
    return failure();
  operand.tokens = *columns;
  operand.mask = *mask;
  operand.tokenCount = dimsOf(tokens.getType())[1];
  operand.count = operand.summary ? dimsOf(value.getType())[2] : operand.tokenCount;
  return operand;
}

DimExpr alignTo(const DimExpr &size, int64_t block) {
  return ceilDiv(size, block) * block;
}
} // namespace

FailureOr<SelectKernel> SelectKernel::analyse(func::FuncOp function) {
  SelectKernel kernel;
  auto stores = function.getOps<StoreIndexOp>();
  if (stores.empty() || !llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("has no sattn.store_index to tile");
  StoreIndexOp store = *stores.begin();
  Operation *terminator = function.front().getTerminator();
  if (terminator->getNumOperands() != 1 || terminator->getOperand(0) != store.getResult())
    return function.emitOpError("returns something else than the result of its sattn.store_index");
  Value index = store.getInput();
  if ((kernel.coarsen = index.getDefiningOp<CoarsenOp>()))
    index = kernel.coarsen.getInput();
  kernel.op = index.getDefiningOp<SelectOp>();
  if (!kernel.op)
    return store.emitOpError("stores something else than what a sattn.select of its kernel selects");
  auto score = kernel.op.getScores().getDefiningOp<ScoreOp>();
  kernel.scores = dyn_cast<BlockArgument>(kernel.op.getScores());
  if (!score && !kernel.scores)
    return kernel.op.emitOpError("has scores that are neither an argument of its kernel nor of a sattn.score in it");
  if (Value candidates = kernel.op.getCandidates()) {
    kernel.candidates = candidates.getDefiningOp<BandsOp>();
    if (!kernel.candidates)
      return kernel.op.emitOpError("has candidates that are not of a sattn.bands of its kernel");
  }
  auto mask = maskOf(kernel.op, kernel.op.getMask());
  if (failed(mask) || failed(score ? kernel.analyseProduct(score) : kernel.analyseGiven()))
    return failure();
  kernel.mask = *mask;
  Operation *known[] = {store, kernel.coarsen,       kernel.op,         kernel.candidates,
                        score, kernel.query.summary, kernel.key.summary};
  for (Operation &other : function.front().without_terminator())
    if (!llvm::is_contained(known, &other) && !isa<SliceOp>(other))
      return other.emitOpError("cannot be computed with a sattn.select");

  KeyIndexType selected = kernel.op.getType(), stored = store.getInput().getType();
  Dims scores = dimsOf(kernel.op.getScores().getType());
  kernel.batch = scores[0];
  kernel.rows = scores[2];
  kernel.items = scores[3];
  kernel.queries = *DimExpr::parse(kernel.op.getQueries()); // verified
  kernel.keys = *DimExpr::parse(kernel.op.getKeys());
  kernel.R = selected.getRows();
  kernel.C = selected.getColumns();
  kernel.capacity = selected.capacityExpr();
  kernel.storedRows = stored.shapeDims()[2];
  kernel.storedCapacity = stored.capacityExpr();
  return kernel;
}

LogicalResult SelectKernel::analyseProduct(ScoreOp score) {
  auto ofQuery = operandOf(score, score.getQueries()), ofKey = operandOf(score, score.getKeys());
  if (failed(ofQuery) || failed(ofKey))
    return failure();
  query = *ofQuery;
  key = *ofKey;
  Dims queryDims = dimsOf(score.getQueries().getType());
  heads = score.getHeads();
  groupSize = score.getHeads() / score.getKvHeads();
  D = queryDims.size() == 4 ? *queryDims[3].constant() : *queryDims[2].constant() / heads;
  return success();
}

LogicalResult SelectKernel::analyseGiven() {
  auto type = cast<RankedTensorType>(scores.getType());
  auto count = dimsOf(type)[1].constant();
  if (!type.getElementType().isF32() || !count)
    return op.emitOpError() << "has scores of type " << type << " but f32 and a fixed number of heads are wanted";
  heads = *count;
  groupSize = 1;
  return success();
}

int64_t SelectKernel::joinedRows() const {
  if (!coarsen)
    return 1;
  int64_t to = CoarsenOp(coarsen).getType().getRows();
  return to ? to / R : 0;
}

int64_t SelectKernel::groupRows() const {
  int64_t rows = kGroupRows, joined = joinedRows();
  if (key.summary && !candidates)
    rows = std::max(rows, kRowsOfSummary * int64_t(SummarizeOp(key.summary).getWidth()));
  return joined ? std::max<int64_t>(1, rows / joined) : 1;
}

int64_t SelectKernel::extentOf(int64_t rows) const {
  constexpr int64_t most = int64_t(1) << 40; // no index is that long
  auto limit = [](uint64_t n) { return int64_t(std::min<uint64_t>(n, most)); };
  BandsOp bands = candidates;
  int64_t own = (rows * R + C - 2) / C + 1;
  return limit(bands.getBefore()) + limit(bands.getAfter()) + limit(bands.getSinks()) + own;
}

int64_t SelectKernel::tileRows() const {
  if (scores) // rows share no keys
    return 1;
  if (!candidates)
    return kTileRows[0];
  // Rows that stand far apart share few keys.
  for (int64_t rows : kTileRows)
    if (extentOf(rows) <= 2 * extentOf(1))
      return rows;
  return 1;
}

DimExpr SelectKernel::positions() const {
  return candidates ? DimExpr::min(items, extentOf(tileRows())) : items;
}

SelectScratch::SelectScratch(const SelectKernel &kernel) : paddedD(llvm::alignTo(kernel.D, kMostLanes)) {
  auto take = [&](const DimExpr &elements, bool isUsed = true) {
    DimExpr begin = total;
    if (isUsed)
      total = total + alignTo(elements, kBlock);
    return begin;
  };
  stride = alignTo(kernel.positions(), kBlock);
  queries = take(kernel.tileRows() * paddedD);
  staged = take(kMostLanes * paddedD, bool(kernel.key.summary));
  scores = take(stride * kernel.tileRows());
  weights = take(stride, SelectOp(kernel.op).getBudget().getKind() == BudgetKind::mass);
  survivors = take(stride + kBlock);
  kept = take(stride, bool(kernel.mask));
  list = take(DimExpr::max(kernel.capacity, kernel.storedCapacity) + kBlock);
  flags = take(alignTo(kernel.items, kBlock), bool(kernel.coarsen));
  packed = take(stride * kernel.D);
}
