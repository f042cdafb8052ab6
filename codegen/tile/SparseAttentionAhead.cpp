// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the next block of queries reads, asked for while this one is computed: with few keys a query, waiting for it
// took a quarter of the time.
#include "codegen/tile/SparseAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

namespace {
constexpr int64_t kKeysOfTile = 4; // whose lines are asked for with a tile: few enough never to be waited for
} // namespace

/// Lists blocks of keys that the next queries of the group read and that are not packed; gives their number. What
/// stored indices say there is not checked yet.
Value SparseAttentionTiler::listAhead(const Rows &rows) {
  Value none = b.index(0), first = rows.endQuery;
  Value end = b.minimum(rows.group.endQuery, b.add(first, AttentionSchedule::kBlockQueries));
  Value lastBlock = b.sub(keyBlocks, b.index(1));
  auto add = [&](Value block, Value count) {
    block = b.minimum(block, lastBlock);
    storeInteger(block, partOf(parts.ahead, b.minimum(count, lastBlock)));
    Value isNew = compare(CmpIPredicate::eq, loadInteger(partOf(parts.packed, block)), none);
    return Vectors{select(isNew, b.add(count, 1), count)};
  };
  Value isMore = compare(CmpIPredicate::ult, first, end), count = none;
  for (const BandIndex &band : sparse.bands) {
    Value query = b.minimum(first, b.sub(queries, b.index(1)));
    Value low = rangeOf(band, query).low, high = rangeOf(band, b.sub(signedMax(end, b.add(query, 1)), b.index(1))).high;
    high = select(isMore, signedMin(high, endKeyOf(end)), none);
    count = b.loop(b.divFloor(low, b.index(blockKeys)), ceilDiv(high, blockKeys), 1, count,
                   [&](Value block, ValueRange carried) { return add(block, carried[0]); })[0];
  }
  for (const StoredIndex &index : sparse.blocks) {
    Value buffer = b.argument(index.source.getArgNumber());
    auto number = [&](Value offset) {
      return arith::IndexCastUIOp::create(b, b.getIndexType(), b.load(buffer, offset)).getResult();
    };
    Value row = rowOf(index, rows.group, rowOfQuery(index, b.minimum(first, b.sub(queries, b.index(1)))));
    Value items = b.minimum(number(row), b.size(index.type.capacityExpr()));
    count = b.loop(none, select(isMore, items, none), 1, count, [&](Value i, ValueRange carried) {
      Value item = number(b.add(b.add(row, 1), i));
      return add(b.mul(item, index.columns() / blockKeys), carried[0]);
    })[0];
  }
  return b.minimum(count, keyBlocks);
}

/// With tile `number`: queries of the next block, results of this one, keys and values of the blocks that are listed.
void SparseAttentionTiler::fetchAhead(const Rows &rows, Value number, Value listed) {
  Value row = b.mul(number, kKeysOfTile), lastKey = b.sub(keys, b.index(1));
  b.branch(compare(CmpIPredicate::ult, row, b.index(AttentionSchedule::kBlockQueries)), [&] {
    for (int64_t i = 0; i < kKeysOfTile; ++i)
      fetchQuery(rows.group, b.add(rows.firstQuery, b.add(row, i)), AttentionSchedule::kBlockQueries);
  });
  Value perBlock = b.index(blockKeys / kKeysOfTile), which = b.divFloor(number, perBlock);
  b.branch(compare(CmpIPredicate::ult, which, listed), [&] {
    Value block = loadInteger(partOf(parts.ahead, which));
    Value first = b.add(b.mul(block, blockKeys), b.mul(b.rem(number, perBlock), kKeysOfTile));
    for (int64_t i = 0; i < kKeysOfTile; ++i)
      fetchKey(rows.group, b.minimum(b.add(first, i), lastKey));
  });
}
