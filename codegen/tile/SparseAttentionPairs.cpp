// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lists read in tiles: where the queries of a block read much of the same keys, whole blocks of keys are multiplied,
// and a byte a pair says whether it counts.
#include "codegen/tile/SparseAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

namespace {
// Costs in pairs of a tile, measured with 64 columns a head on AVX-512: a key read for one query alone, and bringing a
// block of keys into the form of tiles.
constexpr int64_t kCostOfListed = 3, kCostOfPacking = 1024, kRowsOfTile = 4;
} // namespace

/// Marks the blocks of keys that tiles read for the lists, if that is cheaper.
Value SparseAttentionTiler::markLists(const Rows &rows) {
  Value none = b.index(0), one = b.index(1);
  Value listed = none; // pairs, those that several lists hold more than once
  for (const StoredIndex &list : sparse.lists) {
    Value buffer = b.argument(list.source.getArgNumber());
    listed = b.loop(none, rows.count, 1, listed, [&](Value row, ValueRange carried) {
      Value offset = rowOf(list, rows.group, rowOfQuery(list, b.add(rows.firstQuery, row)));
      Value count = arith::IndexCastUIOp::create(b, b.getIndexType(), b.load(buffer, offset));
      return Vectors{b.add(carried[0], b.mul(count, list.columns()))};
    })[0];
  }
  // Every block serves all queries of the head, and this block of them has its share in preparing it.
  Value tileRows = b.mul(ceilDiv(rows.count, kRowsOfTile), kRowsOfTile);
  Value share = b.divFloor(b.mul(rows.count, kCostOfPacking), signedMax(queries, one));
  Value pairsOfBlock = b.add(b.mul(tileRows, blockKeys), share), oneByOne = b.mul(listed, kCostOfListed);
  Value reach = ceilDiv(rows.endKey, blockKeys);
  Value anyway = compare(CmpIPredicate::ule, b.mul(reach, pairsOfBlock), oneByOne); // even if they hold keys of all
  auto touch = [&](Value block, Value whether) { storeInteger(whether, partOf(parts.touched, block)); };
  b.loop(none, keyBlocks, 1, [&](Value block) { touch(block, select(anyway, one, none)); });
  b.branch(arith::XOrIOp::create(b, anyway, arith::ConstantIntOp::create(b, 1, 1)), [&] {
    eachListed(rows, [&](const StoredIndex &list, Value, Value item) {
      Value first = b.mul(item, list.columns()), end = b.minimum(keys, b.add(first, list.columns()));
      if (list.columns() == 1)
        return touch(b.divFloor(item, b.index(blockKeys)), one);
      b.loop(b.divFloor(first, b.index(blockKeys)), ceilDiv(end, blockKeys), 1,
             [&](Value block) { touch(block, one); });
    });
  });
  auto coverOf = [&](Value block) { return partOf(parts.cover, block); };
  Value blocks = b.loop(none, reach, 1, none, [&](Value block, ValueRange carried) { // that are not read anyway
    Value isNew = both(compare(CmpIPredicate::eq, loadInteger(coverOf(block)), none),
                       compare(CmpIPredicate::ne, loadInteger(partOf(parts.touched, block)), none));
    return Vectors{b.add(carried[0], select(isNew, one, none))};
  })[0];
  Value inTiles = compare(CmpIPredicate::ule, b.mul(blocks, pairsOfBlock), oneByOne);
  b.branch(inTiles, [&] {
    b.loop(none, reach, 1, [&](Value block) {
      Value cover = loadInteger(coverOf(block)), touched = loadInteger(partOf(parts.touched, block));
      storeInteger(either(cover, select(compare(CmpIPredicate::ne, touched, none), b.index(kListed), none)),
                   coverOf(block));
    });
    markPairs(rows);
  });
  return inTiles;
}

void SparseAttentionTiler::eachListed(const Rows &rows,
                                      llvm::function_ref<void(const StoredIndex &, Value, Value)> body) {
  for (const StoredIndex &list : sparse.lists)
    b.loop(b.index(0), rows.count, 1, [&](Value row) {
      Value from = rowOf(list, rows.group, rowOfQuery(list, b.add(rows.firstQuery, row)));
      items(list, from, {}, [&](Value item, ValueRange) {
        body(list, row, item);
        return Vectors{};
      });
    });
}

void SparseAttentionTiler::markPairs(const Rows &rows) {
  Value width = b.size(parts.pairWidth), rowBytes = b.mul(width, int64_t(sizeof(float)));
  clear(b.size(parts.pairs), b.mul(width, rows.count));
  Value yes = arith::ConstantIntOp::create(b, 1, 8);
  eachListed(rows, [&](const StoredIndex &list, Value row, Value item) {
    Value base = b.mul(row, rowBytes);
    auto mark = [&](Value key) { LLVM::StoreOp::create(b, yes, bytePointer(parts.pairs, b.add(base, key))); };
    if (list.columns() == 1)
      return mark(item);
    Value first = b.mul(item, list.columns());
    b.loop(first, b.minimum(keys, b.add(first, list.columns())), 1, mark);
  });
}

/// Of a vector of keys of a tile.
Value SparseAttentionTiler::isListed(const Tile &tile, Value row, Value column) {
  Value rowBytes = b.mul(b.size(parts.pairWidth), int64_t(sizeof(float)));
  Value byte = b.add(b.mul(b.add(tile.row, row), rowBytes), b.add(tile.firstKey, column));
  auto type = b.vectorType(lanes, b.getI8Type());
  Value bytes = LLVM::LoadOp::create(b, type, bytePointer(parts.pairs, byte), /*alignment=*/1);
  return compare(CmpIPredicate::ne, bytes, arith::ConstantOp::create(b, b.getZeroAttr(type)));
}
