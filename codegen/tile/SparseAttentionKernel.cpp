// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Takes kernels of attention over indices apart and lays out their scratch.
#include "codegen/tile/SparseAttentionKernel.h"

using namespace mlir;
using namespace tamis;
using sattn::AttendOp;

int64_t StoredIndex::heads() const {
  return *type.shapeDims()[1].constant();
}
bool StoredIndex::perBatch() const {
  return !type.shapeDims()[0].isConstant(1);
}

FailureOr<SparseAttentionKernel> SparseAttentionKernel::analyse(func::FuncOp function, bool allowsHalf) {
  auto ops = function.getOps<AttendOp>();
  if (ops.empty() || !llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("has no sattn.attend to tile");
  AttendOp op = *ops.begin();
  for (Operation &other : function.front().without_terminator())
    if (&other != op && !isa<model::SliceOp, sattn::LoadIndexOp, sattn::BandsOp, sattn::StorePartialOp>(other))
      return other.emitOpError("cannot be computed with a sattn.attend");
  Operation *terminator = function.front().getTerminator();
  Value result = terminator->getNumOperands() == 1 ? terminator->getOperand(0) : Value();
  auto store = result ? result.getDefiningOp<sattn::StorePartialOp>() : sattn::StorePartialOp();
  if (!result || (store ? store.getInput() : result) != op.getResult())
    return function.emitOpError("returns something else than the result of its sattn.attend");
  auto operands = AttentionKernel::of(op, allowsHalf);
  if (failed(operands))
    return failure();
  operands->isPartial = bool(store);

  SparseAttentionKernel kernel{*operands, {}, {}, {}, {}};
  constexpr int64_t block = AttentionSchedule::kMostBlockKeys, queries = AttentionSchedule::kBlockQueries;
  for (auto [number, index] : llvm::enumerate(op.getIndices())) {
    if (auto bands = index.getDefiningOp<sattn::BandsOp>()) {
      kernel.bands.push_back({bands.getType().getRows(), bands.getType().getColumns(), int64_t(bands.getBefore()),
                              int64_t(bands.getAfter()), int64_t(bands.getSinks())});
      continue;
    }
    auto load = index.getDefiningOp<sattn::LoadIndexOp>();
    auto source = load ? dyn_cast<BlockArgument>(load.getInput()) : BlockArgument();
    if (!source)
      return op.emitOpError("has an index that is neither bands nor loaded from an argument of its kernel");
    StoredIndex stored{source, load.getType(), op.isFull(number)};
    (stored.rows() % queries == 0 && stored.columns() % block == 0 ? kernel.blocks : kernel.lists).push_back(stored);
  }
  if (kernel.lists.size() == 1 && kernel.lists[0].rows() % queries == 0)
    kernel.pool = kernel.lists.pop_back_val();
  return kernel;
}

SparseScratch::SparseScratch(const SparseAttentionKernel &kernel, const AttentionScratch &fixed) {
  constexpr int64_t block = AttentionSchedule::kMostBlockKeys;
  auto blocksOf = [](const DimExpr &keys) { return DimExpr::floorDiv(keys + (block - 1), block); };
  if (!kernel.blocks.empty() || !kernel.bands.empty() || !kernel.lists.empty())
    keyBlocks = blocksOf(kernel.keys);
  if (kernel.pool)
    poolBlocks = blocksOf(kernel.pool->mostKeys());
  DimExpr blocks = keyBlocks + poolBlocks, next = fixed.blocks;
  auto take = [&](const DimExpr &elements) {
    DimExpr begin = next;
    next = next + elements;
    return begin;
  };
  // Vectors of whole blocks first: all of these are multiples of one.
  take(blocks * fixed.blockSize);
  positions = take(blocks * block);
  if (!kernel.lists.empty()) {
    constexpr int64_t lanes = AttentionSchedule::kMostLanes, bytes = sizeof(float);
    keyRows = take(kernel.keys * int64_t(llvm::alignTo(kernel.D, lanes) + llvm::alignTo(kernel.E, lanes)));
    copied = take(keyBlocks * (block / bytes));
    pairWidth = (keyBlocks + 1) * (block / bytes); // no power of two, or all rows would fall on one set of a cache
    pairs = take(pairWidth * AttentionSchedule::kBlockQueries);
  }
  cover = take(keyBlocks);
  packed = take(keyBlocks);
  entries = take(blocks);
  ahead = take(keyBlocks);
  poolKeys = take(1);
  if (!kernel.lists.empty()) {
    DimExpr most = kPadding;
    for (const StoredIndex &list : kernel.lists)
      most = most + list.mostKeys();
    listed = take(most);
    seen = take(kernel.lists.size() > 1 ? kernel.keys : DimExpr(0));
    touched = take(keyBlocks);
  }
  end = next;
}
