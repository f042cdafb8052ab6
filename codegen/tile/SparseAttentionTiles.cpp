// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Blocks of keys in place or gathered, and which of their pairs count.
#include "codegen/tile/SparseAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

void SparseAttentionTiler::placeBlock(Value block) {
  Value first = b.mul(block, blockKeys), positions = partOf(parts.positions, first);
  b.loop(b.index(0), b.index(blockKeys), 1, [&](Value i) {
    Value key = b.add(first, i), exists = compare(CmpIPredicate::slt, key, keys);
    storeInteger(select(exists, key, b.index(SparseScratch::kNoKey)), b.add(positions, i));
  });
}

/// As AttentionTiler::packKeys and packValues: keys transposed, a bias a key, values. Where there is no key its values
/// are zero, and its bias excludes it.
void SparseAttentionTiler::packBlock(const Group &group, Value block) {
  Value positions = partOf(parts.positions, b.mul(block, blockKeys));
  Value target = at(place.blocks, b.mul(block, place.blockSize)), last = b.sub(keys, b.index(1));
  Value keyOffset = keyBase(group), valueOffset = valueBase(group);
  b.loop(b.index(0), b.index(blockKeys), lanes, [&](Value column) {
    Value from = b.add(positions, column);
    Vectors rowOffsets;
    for (unsigned i = 0; i < lanes; ++i) {
      Value key = b.minimum(loadInteger(b.add(from, i)), last);
      rowOffsets.push_back(b.add(keyOffset, b.mul(key, kernel.key.rowStride)));
    }
    Value bias = kernel.mask.perQuery ? Value() : gatheredBias(group, b.index(0), from);
    packKeyVector(rowOffsets, b.add(target, column), hasKeyMask() ? bias : Value());
    if (bias)
      store(bias, scratch, at(place.blockBias, b.add(target, column)));
  });
  Value values = at(place.blockValues, target);
  setFlag(target, false);
  b.loop(b.index(0), b.index(blockKeys), 1, [&](Value i) {
    Value key = loadInteger(b.add(positions, i));
    b.branch(
        compare(CmpIPredicate::slt, key, keys),
        [&] { packFiniteRow(b.add(valueOffset, b.mul(key, kernel.value.rowStride)), target, i); },
        [&] { clearValueRow(values, i); });
  });
  if (hasKeyMask())
    clearExcludedValues(target, b.index(blockKeys));
}

void SparseAttentionTiler::gatherPool(const Group &group, const Rows *rows) {
  const StoredIndex &pool = *sparse.pool;
  Value positions = partOf(parts.positions, b.mul(keyBlocks, blockKeys));
  Value row = rowOf(pool, group, rows ? rowOfQuery(pool, rows->firstQuery) : b.index(0));
  auto gather = [&](Value item, ValueRange carried) {
    Value first = b.mul(item, pool.columns());
    return b.loop(first, b.minimum(keys, b.add(first, pool.columns())), 1, carried, [&](Value key, ValueRange carried) {
      storeInteger(key, b.add(positions, carried[0]));
      Value isNew = arith::ConstantIntOp::create(b, 1, 1);
      if (!sparse.blocks.empty()) {
        Value cover = loadInteger(partOf(parts.cover, b.divFloor(key, b.index(blockKeys))));
        isNew = compare(CmpIPredicate::ult, cover, b.index(kAll));
      }
      if (rows && kernel.causal)
        isNew = both(isNew, compare(CmpIPredicate::slt, key, rows->endKey));
      return Vectors{select(isNew, b.add(carried[0], 1), carried[0])};
    });
  };
  Value count = items(pool, row, b.index(0), gather)[0];
  storeInteger(count, b.size(parts.poolKeys));
  Value blocks = ceilDiv(count, blockKeys);
  b.loop(count, b.mul(blocks, blockKeys), 1,
         [&](Value key) { storeInteger(b.index(SparseScratch::kNoKey), b.add(positions, key)); });
  b.loop(b.index(0), blocks, 1, [&](Value block) { packBlock(group, b.add(keyBlocks, block)); });
}

/// As maskBiasOf, of keys anywhere; where there is no key, kExcluded.
Value SparseAttentionTiler::gatheredBias(const Group &group, Value query, Value positions) {
  Value exists = compare(CmpIPredicate::slt, loadIntegers(positions), integer(keys)), bias = b.splat(0, lanes);
  if (kernel.mask) {
    Value mask = b.argument(kernel.mask.source.getArgNumber());
    Vectors elements;
    for (unsigned i = 0; i < (kernel.mask.perKey ? lanes : 1); ++i) {
      Value key = b.minimum(loadInteger(b.add(positions, i)), b.sub(keys, b.index(1)));
      elements.push_back(b.load(mask, maskOffset(group, query, key)));
    }
    auto type = b.vectorType(lanes, elements[0].getType());
    bias = maskBias(kernel.mask.perKey ? vector::FromElementsOp::create(b, type, elements).getResult()
                                       : b.broadcast(elements[0], lanes));
  }
  return arith::SelectOp::create(b, exists, bias, b.splat(kExcluded, lanes));
}

void SparseAttentionTiler::fillTileBias(const Tile &tile) {
  auto isSet = [&](Flag flag) { return compare(CmpIPredicate::ne, both(tile.flags, b.index(flag)), b.index(0)); };
  auto forEachVector = [&](llvm::function_ref<Value(Value row, Value column)> biasOf) {
    b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
      b.loop(b.index(0), b.index(blockKeys), lanes, [&](Value column) {
        store(biasOf(i, column), scratch, at(place.tileBias, b.add(b.mul(i, blockKeys), column)));
      });
    });
  };
  auto fillInPlace = [&] {
    if (!sparse.skipsMasks())
      return AttentionTiler::fillTileBias(tile);
    b.branch(
        isSet(kUnmasked), [&] { forEachVector([&](Value, Value) { return b.splat(0, lanes); }); },
        [&] { AttentionTiler::fillTileBias(tile); });
  };
  if (!sparse.pool)
    return fillInPlace();
  auto fillGathered = [&] {
    Value lastQuery = b.sub(queries, b.index(1));
    forEachVector([&](Value i, Value column) {
      Value query = b.minimum(b.add(tile.firstQuery, b.add(tile.row, i)), lastQuery);
      return gatheredBias(tile.group, query, b.add(tile.positions, column));
    });
  };
  b.branch(isSet(kGathered), fillGathered, fillInPlace);
}

Value SparseAttentionTiler::keyOf(const Tile &tile, Value place) {
  return loadInteger(b.add(tile.positions, place));
}

/// Keys later than the query, keys of a block that bands or lists hold in part, and keys of the pool that bands hold
/// already.
void SparseAttentionTiler::excludeKeys(const Tile &tile, int64_t part) {
  if (!kernel.causal && sparse.bands.empty() && sparse.lists.empty())
    return;
  auto isSet = [&](Flag flag) { return compare(CmpIPredicate::ne, both(tile.flags, b.index(flag)), b.index(0)); };
  b.branch(isSet(kTested), [&] {
    Value isGathered = b.broadcast(isSet(kGathered), lanes), all = arith::ConstantIntOp::create(b, 1, 1);
    Value isPart = either(isSet(kInBands), isSet(kInPairs)); // bands or lists say what counts
    Value isWhole = b.broadcast(arith::XOrIOp::create(b, isPart, all), lanes),
          hasPairs = b.broadcast(isSet(kInPairs), lanes);
    b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
      Value query = b.add(b.add(tile.firstQuery, tile.row), i), limit = integer(positionOf(query));
      SmallVector<Range> ranges;
      for (const BandIndex &band : sparse.bands) {
        Range range = rangeOf(band, query);
        ranges.push_back({integer(range.low), integer(range.high), integer(range.sinks)});
      }
      b.loop(b.index(0), b.index(blockKeys), lanes, [&](Value column) {
        Value key = loadIntegers(b.add(tile.positions, column)), keeps;
        for (auto [band, range] : llvm::zip(sparse.bands, ranges)) {
          Value holds = both(compare(CmpIPredicate::sge, key, range.low), compare(CmpIPredicate::slt, key, range.high));
          if (band.sinks)
            holds = either(holds, compare(CmpIPredicate::slt, key, range.sinks));
          keeps = keeps ? either(keeps, holds) : holds;
        }
        if (keeps)
          keeps = arith::XOrIOp::create(b, keeps, isGathered);
        if (!sparse.lists.empty()) {
          Value listed = both(hasPairs, isListed(tile, i, column));
          keeps = keeps ? either(keeps, listed) : listed;
        }
        if (keeps)
          keeps = either(isWhole, keeps);
        if (kernel.causal) {
          Value isEarlier = compare(CmpIPredicate::sle, key, limit);
          keeps = keeps ? both(keeps, isEarlier) : isEarlier;
        }
        Value offset = at(part, b.add(b.mul(i, blockKeys), column));
        store(arith::SelectOp::create(b, keeps, load(scratch, offset), b.splat(kExcluded, lanes)), scratch, offset);
      });
    });
  });
}
