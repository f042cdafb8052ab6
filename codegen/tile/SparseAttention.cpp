// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over indices: work groups, blocks of queries, the blocks of keys that they read.
#include "codegen/tile/SparseAttention.h"
#include "codegen/tile/SparseAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

SparseAttentionTiler::SparseAttentionTiler(KernelBuilder &builder, const SparseAttentionKernel &kernel,
                                           const AttentionSchedule &schedule)
    : AttentionTiler(builder, kernel, schedule), sparse(kernel), parts(kernel, place),
      keyBlocks(b.size(parts.keyBlocks)) {}

Value SparseAttentionTiler::emit() {
  Value fine = arith::ConstantIntOp::create(b, 0, 32), none = b.index(-1);
  // What is packed stays for the next group, if it is of the same head.
  auto carried = b.loop(b.begin(), b.end(), 1, {fine, none, none}, [&](Value index, ValueRange before) {
    Group group = decode(index, kGroupQueries);
    Value head = b.add(b.mul(group.batch, kernel.heads), group.head), packed = packedHead(group);
    b.branch(compare(CmpIPredicate::ne, packed, before[1]), [&] {
      b.loop(b.index(0), keyBlocks, 1, [&](Value block) { storeInteger(b.index(0), partOf(parts.packed, block)); });
      if (!sparse.lists.empty())
        clear(b.size(parts.copied), b.mul(keyBlocks, blockKeys / int64_t(sizeof(float))));
    });
    Value status = before[0], poolFault = fine;
    if (sparse.isPoolOfHead()) {
      poolFault = findFault(*sparse.pool, group, b.index(0), b.index(1));
      Value isNew = compare(CmpIPredicate::ne, head, before[2]);
      Value isFine = compare(CmpIPredicate::eq, poolFault, fine);
      b.branch(both(isNew, isFine), [&] { gatherPool(group, nullptr); });
    }
    status = b.loop(group.firstQuery, group.endQuery, AttentionSchedule::kBlockQueries, status,
                    [&](Value firstQuery, ValueRange carried) {
                      Rows rows{group, firstQuery, {}, {}, {}};
                      rows.endQuery = b.minimum(group.endQuery, b.add(firstQuery, AttentionSchedule::kBlockQueries));
                      rows.count = b.sub(rows.endQuery, firstQuery);
                      rows.endKey = endKeyOf(rows.endQuery);
                      Value fault = either(poolFault, findFault(rows));
                      b.branch(compare(CmpIPredicate::eq, fault, fine), [&] { queryBlock(rows); });
                      return Vectors{either(carried[0], fault)};
                    })[0];
    return Vectors{status, packed, head};
  });
  return carried[0];
}

/// As findFault of an index, over all that the block of queries reads, the pool of a head apart.
Value SparseAttentionTiler::findFault(const Rows &rows) {
  Value fault = arith::ConstantIntOp::create(b, 0, 32);
  auto check = [&](const StoredIndex &index) {
    fault = either(fault, findFault(index, rows.group, rows.firstQuery, rows.endQuery));
  };
  llvm::for_each(sparse.blocks, check);
  llvm::for_each(sparse.lists, check);
  if (sparse.pool && !sparse.isPoolOfHead())
    check(*sparse.pool);
  return fault;
}

void SparseAttentionTiler::queryBlock(const Rows &rows) {
  packQueries(rows.group, rows.firstQuery, rows.count);
  markBlocks(rows);
  if (sparse.lists.empty()) {
    passEntries(rows, listEntries(rows));
  } else {
    Value inTiles = markLists(rows);
    Value hasEntries = sparse.hasTiles() ? arith::ConstantIntOp::create(b, 1, 1).getResult() : inTiles;
    b.branch(hasEntries, [&] { passEntries(rows, listEntries(rows)); });
    Value oneByOne = arith::XOrIOp::create(b, inTiles, arith::ConstantIntOp::create(b, 1, 1));
    b.branch(oneByOne, [&] { readLists(rows); });
  }
  writeResult(rows.group, rows.firstQuery, rows.count);
}

/// Cover of every block of keys.
void SparseAttentionTiler::markBlocks(const Rows &rows) {
  auto mark = [&](Value block, Cover cover) { storeInteger(b.index(cover), partOf(parts.cover, block)); };
  b.loop(b.index(0), keyBlocks, 1, [&](Value block) { mark(block, kNone); });
  markBands(rows);
  SmallVector<const StoredIndex *> indices; // full ones last: their marks stay
  for (bool isFull : {false, true})
    for (const StoredIndex &index : sparse.blocks)
      if (index.isFull == isFull)
        indices.push_back(&index);
  for (const StoredIndex *each : indices) {
    const StoredIndex &index = *each;
    int64_t width = index.columns() / blockKeys;
    Value end = ceilDiv(rows.endKey, blockKeys);
    items(index, rowOf(index, rows.group, rowOfQuery(index, rows.firstQuery)), {}, [&](Value item, ValueRange) {
      Value first = b.mul(item, width);
      b.loop(first, b.minimum(end, b.add(first, width)), 1,
             [&](Value block) { mark(block, index.isFull ? kAllUnmasked : kAll); });
      return Vectors{};
    });
  }
}

void SparseAttentionTiler::markBands(const Rows &rows) {
  // Blocks that hold one of the keys [low, high), and those of which all keys that exist are among them.
  auto mark = [&](Value low, Value high, Cover cover) {
    Value first = b.divFloor(low, b.index(blockKeys)), end = ceilDiv(high, blockKeys);
    if (cover == kAll) {
      first = ceilDiv(low, blockKeys);
      end = select(compare(CmpIPredicate::eq, high, keys), keyBlocks, b.divFloor(high, b.index(blockKeys)));
    }
    b.loop(first, signedMin(end, ceilDiv(rows.endKey, blockKeys)), 1, [&](Value block) {
      Value offset = partOf(parts.cover, block);
      storeInteger(signedMax(loadInteger(offset), b.index(cover)), offset);
    });
  };
  for (const BandIndex &band : sparse.bands) {
    // Ranges do not go back from one query to the next.
    Range first = rangeOf(band, rows.firstQuery), last = rangeOf(band, b.sub(rows.endQuery, b.index(1)));
    mark(first.low, last.high, kSome);
    mark(last.low, first.high, kAll);
    if (!band.sinks)
      continue;
    mark(b.index(0), first.sinks, kSome);
    mark(b.index(0), first.sinks, kAll);
  }
}

void SparseAttentionTiler::addEntry(Value number, Value block, Value flags) {
  storeInteger(b.add(b.mul(block, 1 << kFlagBits), flags), partOf(parts.entries, number));
}

Value SparseAttentionTiler::listEntries(const Rows &rows) {
  Value none = b.index(0), firstLimit = positionOf(rows.firstQuery);
  if (sparse.pool && sparse.blocks.empty() && sparse.bands.empty())
    return listPool(rows, none);
  auto flag = [&](Value condition, int64_t flags) { return select(condition, b.index(flags), none); };
  Value count = b.loop(none, ceilDiv(rows.endKey, blockKeys), 1, none, [&](Value block, ValueRange carried) {
    Value cover = loadInteger(partOf(parts.cover, block));
    Value isRead = compare(CmpIPredicate::ne, cover, none);
    b.branch(isRead, [&] {
      Value packed = partOf(parts.packed, block);
      b.branch(compare(CmpIPredicate::eq, loadInteger(packed), none), [&] {
        storeInteger(b.index(1), packed);
        placeBlock(block);
        packBlock(rows.group, block);
      });
      Value flags = none;
      Value isWhole = compare(CmpIPredicate::uge, cover, b.index(kAll));
      auto flagPart = [&](Cover part, int64_t partFlags) {
        Value isPart = compare(CmpIPredicate::ne, both(cover, b.index(part)), none);
        flags = either(flags, select(isWhole, none, flag(isPart, kTested | partFlags)));
      };
      if (!sparse.bands.empty())
        flagPart(kSome, kInBands);
      if (!sparse.lists.empty())
        flagPart(kListed, kInPairs);
      if (kernel.causal) {
        Value last = b.add(b.mul(block, blockKeys), blockKeys - 1);
        flags = either(flags, flag(compare(CmpIPredicate::sgt, last, firstLimit), kTested));
      }
      if (sparse.skipsMasks()) {
        Value exist = compare(CmpIPredicate::sle, b.mul(b.add(block, 1), blockKeys), keys);
        flags = either(flags, flag(both(compare(CmpIPredicate::uge, cover, b.index(kAllUnmasked)), exist), kUnmasked));
      }
      addEntry(carried[0], block, flags);
    });
    return Vectors{select(isRead, b.add(carried[0], 1), carried[0])};
  })[0];
  return sparse.pool ? listPool(rows, count) : count;
}

/// Adds the blocks of gathered keys to `entries` others.
Value SparseAttentionTiler::listPool(const Rows &rows, Value entries) {
  if (!sparse.isPoolOfHead())
    gatherPool(rows.group, &rows);
  Value none = b.index(0), keyCount = loadInteger(b.size(parts.poolKeys)), firstLimit = positionOf(rows.firstQuery);
  return b.loop(none, ceilDiv(keyCount, blockKeys), 1, entries, [&](Value number, ValueRange carried) {
    Value block = b.add(keyBlocks, number), begin = b.mul(number, blockKeys);
    auto positionAt = [&](Value key) { // of the pool
      return loadInteger(partOf(parts.positions, b.add(b.mul(keyBlocks, blockKeys), key)));
    };
    Value first = positionAt(begin), last = positionAt(b.sub(b.minimum(keyCount, b.add(begin, blockKeys)), b.index(1)));
    Value flags = b.index(kGathered);
    for (const BandIndex &band : sparse.bands) {
      Value low = rangeOf(band, rows.firstQuery).low;
      Range range = rangeOf(band, b.sub(rows.endQuery, b.index(1)));
      Value meets = both(compare(CmpIPredicate::slt, first, range.high), compare(CmpIPredicate::sge, last, low));
      if (band.sinks)
        meets = either(meets, compare(CmpIPredicate::slt, first, range.sinks));
      flags = either(flags, select(meets, b.index(kTested | kInBands), none));
    }
    if (kernel.causal)
      flags = either(flags, select(compare(CmpIPredicate::sgt, last, firstLimit), b.index(kTested), none));
    Value isRead = compare(CmpIPredicate::slt, first, rows.endKey);
    b.branch(isRead, [&] { addEntry(carried[0], block, flags); });
    return Vectors{select(isRead, b.add(carried[0], 1), carried[0])};
  })[0];
}

void SparseAttentionTiler::passEntries(const Rows &rows, Value entries) {
  auto tileOf = [&](Value number, Value row, unsigned tileRows) {
    Value entry = loadInteger(partOf(parts.entries, number));
    Value block = b.divFloor(entry, b.index(1 << kFlagBits));
    Tile tile{rows.group,
              rows.firstQuery,
              row,
              tileRows,
              b.mul(block, blockKeys),
              b.index(blockKeys),
              at(place.blocks, b.mul(block, place.blockSize)),
              schedule.keyVectors,
              number,
              {},
              {}};
    tile.positions = partOf(parts.positions, tile.firstKey);
    tile.flags = b.rem(entry, b.index(1 << kFlagBits));
    return tile;
  };
  Value none = b.index(0), pipelined = none;
  if (schedule.pipelinedRows) {
    // As in dense attention: tiles next to each other must not share rows.
    Value hasTwo = compare(CmpIPredicate::ugt, rows.count, b.index(schedule.pipelinedRows));
    pipelined = select(hasTwo, entries, none);
    b.branch(compare(CmpIPredicate::ne, pipelined, none), [&] {
      Value listed = none;
      if (!sparse.blocks.empty() || !sparse.bands.empty())
        listed = listAhead(rows);
      pipelineBlocks(
          rows.count, pipelined, [&](Value number, Value row) { return tileOf(number, row, schedule.pipelinedRows); },
          [&](Value number) { fetchAhead(rows, number, listed); });
    });
  }
  b.loop(pipelined, entries, 1, [&](Value number) {
    b.loop(none, rows.count, schedule.kRows, [&](Value row) {
      Tile tile = tileOf(number, row, schedule.kRows);
      score(tile);
      weigh(tile);
      accumulateValues(tile);
    });
  });
}

LogicalResult tamis::tileSparseAttention(func::FuncOp function, const CpuTarget &target) {
  auto kernel = SparseAttentionKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  Value status = SparseAttentionTiler(builder, *kernel, AttentionSchedule::ofWholeBlocks(target)).emit();
  builder.finish(status);
  return success();
}

FailureOr<Launch> tamis::sparseAttentionLaunch(func::FuncOp function) {
  auto kernel = SparseAttentionKernel::analyse(function);
  if (failed(kernel))
    return failure();
  constexpr int64_t queries = SparseAttentionTiler::kGroupQueries;
  DimExpr chunks = DimExpr::floorDiv(kernel->queries + (queries - 1), queries);
  using S = AttentionSchedule;
  AttentionScratch fixed({S::kMostLanes, 32, S::kMostBlockKeys / S::kMostLanes, {}, 0, 0}, kernel->D, kernel->E);
  DimExpr bytes = SparseScratch(*kernel, fixed).end * int64_t(sizeof(float));
  return Launch{kernel->batch * kernel->heads * chunks, bytes};
}
