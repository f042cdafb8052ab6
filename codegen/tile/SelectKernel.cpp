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

FailureOr<ScoreOperand> operandOf(ScoreOp op, Value value, int64_t heads) {
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
  operand.columns = *dimsOf(tokens.getType())[2].constant() / heads;
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
  else if ((kernel.diagonals = index.getDefiningOp<DiagonalsOp>()))
    index = kernel.diagonals.getDistances();
  kernel.op = index.getDefiningOp<SelectOp>();
  if (!kernel.op)
    return store.emitOpError("stores something else than what a sattn.select of its kernel selects");
  if (Value candidates = kernel.op.getCandidates())
    if (auto first = candidates.getDefiningOp<SelectOp>())
      if (failed(kernel.analyseRefined(first)))
        return failure();
  Value scored = kernel.op.getScores();
  if ((kernel.weighed.op = scored.getDefiningOp<WeighOp>()))
    scored = kernel.weighed.op.getScores();
  auto score = scored.getDefiningOp<ScoreOp>();
  kernel.scores = dyn_cast<BlockArgument>(kernel.op.getScores()); // weights of given scores are not computed
  if (!score && !kernel.scores)
    return kernel.op.emitOpError("has scores that are neither an argument of its kernel nor of a sattn.score in it");
  if (Value candidates = kernel.op.getCandidates()) {
    kernel.candidates = candidates.getDefiningOp<BandsOp>();
    if (!kernel.candidates)
      return kernel.op.emitOpError("has candidates that are not of a sattn.bands of its kernel");
    if (kernel.weighed.op)
      return kernel.op.emitOpError("selects weighed scores among candidates, which kernels do not");
  }
  auto mask = maskOf(kernel.op, kernel.op.getMask());
  auto weighedMask = maskOf(kernel.op, kernel.weighed.op ? kernel.weighed.op.getMask() : Value());
  if (failed(mask) || failed(weighedMask) || failed(score ? kernel.analyseProduct(score) : kernel.analyseGiven()))
    return failure();
  kernel.mask = *mask;
  if (kernel.weighed.op) {
    kernel.weighed.mask = *weighedMask;
    kernel.weighed.queries = *DimExpr::parse(kernel.weighed.op.getQueries()); // verified
    kernel.weighed.rows = dimsOf(score.getType())[2];
    kernel.weighed.columns = dimsOf(score.getType())[3];
  }
  Operation *again = kernel.refined.op ? kernel.refined.op.getScores().getDefiningOp() : nullptr;
  Operation *known[] = {kernel.refined.op,
                        again,
                        store,
                        kernel.coarsen,
                        kernel.diagonals,
                        kernel.op,
                        kernel.candidates,
                        score,
                        kernel.weighed.op,
                        kernel.query.summary,
                        kernel.key.summary};
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
  kernel.flagCount = stored.itemCount();
  return kernel;
}

LogicalResult SelectKernel::analyseProduct(ScoreOp score) {
  if (score.getWeights() && score.getKvHeads() != 1)
    return score.emitOpError() << "sums heads over " << score.getKvHeads() << " heads of keys but one is wanted";
  auto ofQuery = operandOf(score, score.getQueries(), score.getHeads());
  auto ofKey = operandOf(score, score.getKeys(), score.getKvHeads());
  auto ofHeads =
      score.getWeights() ? operandOf(score, score.getWeights(), score.getHeads()) : FailureOr(ScoreOperand());
  if (failed(ofQuery) || failed(ofKey) || failed(ofHeads))
    return failure();
  query = *ofQuery;
  key = *ofKey;
  headWeights = *ofHeads;
  summedHeads = score.getWeights() ? int64_t(score.getHeads()) : 0;
  Dims queryDims = dimsOf(score.getQueries().getType());
  heads = summedHeads ? 1 : int64_t(score.getHeads());
  groupSize = summedHeads ? 1 : score.getHeads() / score.getKvHeads();
  isAgreement = score.getAgreement();
  D = queryDims.size() == 4 ? *queryDims[3].constant() : *queryDims[2].constant() / int64_t(score.getHeads());
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

/// Makes `op`, which selects among `candidates`, the one that selects again.
LogicalResult SelectKernel::analyseRefined(SelectOp candidates) {
  auto score = op.getScores().getDefiningOp<ScoreOp>();
  BudgetKind budget = op.getBudget().getKind();
  bool isCount = budget == BudgetKind::count || budget == BudgetKind::fraction;
  if (!score || score.getAgreement() || score.getWeights() || !isCount || op.getSinks() || op.getLocal() ||
      op.getMask() != candidates.getMask() || op.getCausal() != candidates.getCausal() || coarsen || diagonals)
    return op.emitOpError("selects among what a sattn.select of its kernel selects, which wants products of tokens, a "
                          "number of items, and the same mask and order");
  auto ofQuery = operandOf(score, score.getQueries(), score.getHeads());
  auto ofKey = operandOf(score, score.getKeys(), score.getKvHeads());
  if (failed(ofQuery) || failed(ofKey))
    return failure();
  if (ofQuery->summary || ofKey->summary)
    return score.emitOpError("multiplies summaries among candidates but tokens are wanted");
  refined = {op,
             *ofQuery,
             *ofKey,
             int64_t(score.getHeads() / score.getKvHeads()),
             ofQuery->columns,
             op.getType().capacityExpr()};
  op = candidates;
  return success();
}

int64_t SelectKernel::joinedRows() const {
  if (!coarsen)
    return 1;
  int64_t to = CoarsenOp(coarsen).getType().getRows();
  return to ? to / R : 0;
}

DimExpr SelectKernel::groupRows() const {
  if (diagonals) // one selection for all of them
    return DimExpr::max(storedRows, 1);
  int64_t rows = kGroupRows, joined = joinedRows();
  if (key.summary && !candidates)
    rows = std::max(rows, kRowsOfSummary * int64_t(SummarizeOp(key.summary).getWidth()));
  if (WeighOp weigh = weighed.op)
    rows = weigh.getRows() ? std::max<int64_t>(1, rows / int64_t(weigh.getRows())) : 1;
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
  return candidates ? DimExpr::min(items, extentOf(tileRows())) : weighed.op ? weighed.columns : items;
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
  headWeights = take(kernel.tileRows(), kernel.summedHeads);
  staged = take(kMostLanes * paddedD, bool(kernel.key.summary));
  scores = take(stride * kernel.tileRows());
  DimExpr ranks = kernel.weighed.op ? alignTo(kernel.items, kBlock) : stride;
  BudgetKind budget = SelectOp(kernel.op).getBudget().getKind();
  weights = take(ranks, budget == BudgetKind::mass || budget == BudgetKind::share);
  DimExpr most = kernel.refined.op ? kernel.capacity + kBlock : DimExpr(0);
  refined = take(alignTo(most, kBlock), bool(kernel.refined.op));
  found = take(most, bool(kernel.refined.op));
  survivors = take(DimExpr::max(ranks, most) + kBlock);
  kept = take(ranks, bool(kernel.mask));
  keptColumns = take(stride, bool(kernel.weighed.mask));
  sums = take(ranks + kBlock, bool(kernel.weighed.op)) + kBlock;
  distances = take(kernel.capacity, bool(kernel.diagonals));
  list = take(DimExpr::max(kernel.capacity, kernel.storedCapacity) + kBlock);
  flags = take(alignTo(kernel.flagCount, kBlock), kernel.coarsen || kernel.diagonals);
  packed = take(stride * kernel.D);
}
