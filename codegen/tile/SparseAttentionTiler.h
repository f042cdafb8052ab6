// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops of attention over indices.
#pragma once

#include "codegen/tile/AttentionTiler.h"
#include "codegen/tile/SparseAttentionKernel.h"

namespace tamis {

/// One kernel's loops: groups of (batch, head, chunk of queries), cut into blocks of queries; for each the blocks of
/// keys that its indices hold are listed, packed where they are not yet, and passed as dense attention passes all; then
/// each query reads what lists hold.
class SparseAttentionTiler : AttentionTiler {
public:
  SparseAttentionTiler(KernelBuilder &builder, const SparseAttentionKernel &kernel, const AttentionSchedule &schedule);
  /// Gives the status of the kernel.
  mlir::Value emit();

  /// Queries of a work group. Groups of one head that run one after the other pack its keys once.
  static constexpr int64_t kGroupQueries = 256;

private:
  /// What a block of queries reads of a block of keys: nothing, what lists say of each pair, what bands say, what
  /// either says, from kAll on all that the mask leaves, or from kAllUnmasked on all.
  enum Cover { kNone, kListed, kSome, kAll = 4, kAllUnmasked = 8 };
  /// Flags of an entry, below the number of its block. kInPairs: lists say of each pair whether it counts.
  enum Flag { kTested = 1, kInBands = 2, kGathered = 4, kInPairs = 8, kUnmasked = 16, kFlagBits = 5 };
  /// A block of queries.
  struct Rows {
    Group group;
    mlir::Value firstQuery, endQuery, count;
    mlir::Value endKey; ///< causal order lets none of them read later keys
  };
  /// Keys that one query keeps of a band: [low, high) and [0, sinks).
  struct Range {
    mlir::Value low, high, sinks;
  };

  // SparseAttention.cpp: groups, blocks of queries, the blocks of keys that they read.
  mlir::Value findFault(const Rows &rows);
  void queryBlock(const Rows &rows);
  void markBlocks(const Rows &rows);
  void markBands(const Rows &rows);
  /// Packs and lists what is marked; gives the number of entries.
  mlir::Value listEntries(const Rows &rows);
  mlir::Value listPool(const Rows &rows, mlir::Value entries);
  void addEntry(mlir::Value number, mlir::Value block, mlir::Value flags);
  void passEntries(const Rows &rows, mlir::Value entries);

  // SparseAttentionAhead.cpp: what comes next.
  mlir::Value listAhead(const Rows &rows);
  void fetchAhead(const Rows &rows, mlir::Value number, mlir::Value listed);

  // SparseAttentionTiles.cpp: packed blocks and their tiles.
  /// Packs a block of keys whose positions are known.
  void packBlock(const Group &group, mlir::Value block);
  void placeBlock(mlir::Value block); ///< positions of a block by its place
  /// Gathers the keys of the pool's row that blocks do not hold, with its positions. `rows`: null for those of a head.
  void gatherPool(const Group &group, const Rows *rows);
  mlir::Value gatheredBias(const Group &group, mlir::Value query, mlir::Value positions);
  void fillTileBias(const Tile &tile) override;
  bool leavesOutPairs() const override { return true; }
  void excludeKeys(const Tile &tile, int64_t part) override;
  mlir::Value keyOf(const Tile &tile, mlir::Value place) override;

  // SparseAttentionLists.cpp: keys that are read one by one.
  void readLists(const Rows &rows);
  mlir::Value listKeys(const Rows &rows, mlir::Value row);
  void attendListed(const Group &group, mlir::Value query, mlir::Value row, mlir::Value first, mlir::Value count);
  void sumListed(mlir::Value row, mlir::Value first, mlir::Value count);
  /// Offset in scratch of the key and the value of a listed key.
  mlir::Value listedRow(mlir::Value number);
  void copyRow(const Group &group, mlir::Value key);

  // SparseAttentionPairs.cpp: lists that are read in tiles.
  /// i1: whether blocks of keys cost less than their keys one by one. If so, marks them, and the pairs that lists hold.
  mlir::Value markLists(const Rows &rows);
  /// body(list, row, item) for each item of the block's queries.
  void eachListed(const Rows &rows,
                  llvm::function_ref<void(const StoredIndex &list, mlir::Value row, mlir::Value item)> body);
  void markPairs(const Rows &rows);
  mlir::Value isListed(const Tile &tile, mlir::Value row, mlir::Value column);

  // SparseAttentionIndex.cpp: rows of indices.
  /// Offset in its buffer of a row.
  mlir::Value rowOf(const StoredIndex &index, const Group &group, mlir::Value row);
  mlir::Value rowOfQuery(const StoredIndex &index, mlir::Value query);
  /// i32: 1 when one of the rows of these queries says what cannot be, else 0.
  mlir::Value findFault(const StoredIndex &index, const Group &group, mlir::Value firstQuery, mlir::Value endQuery);
  /// body(item) for each item of a row without fault, with carried values.
  Vectors items(const StoredIndex &index, mlir::Value row, mlir::ValueRange init,
                llvm::function_ref<Vectors(mlir::Value item, mlir::ValueRange carried)> body);
  Range rangeOf(const BandIndex &band, mlir::Value query);

  // Integers in scratch; loaded ones are not negative.
  mlir::Value loadInteger(mlir::Value offset);
  void storeInteger(mlir::Value value, mlir::Value offset); ///< an index
  mlir::Value loadIntegers(mlir::Value offset);             ///< a vector of i32
  void clear(mlir::Value first, mlir::Value count);         ///< zeros, up to a vector more
  mlir::Value bytePointer(const DimExpr &part, mlir::Value byte);
  mlir::Value integer(mlir::Value index); ///< in all lanes of a vector of i32
  mlir::Value partOf(const DimExpr &part, mlir::Value offset) { return b.add(b.size(part), offset); }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value x, mlir::Value y);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value both(mlir::Value x, mlir::Value y);
  mlir::Value either(mlir::Value x, mlir::Value y);
  /// The key that the query stands at, and so the last that causal order lets it read.
  mlir::Value positionOf(mlir::Value query) { return b.add(query, b.sub(keys, queries)); }

  const SparseAttentionKernel &sparse;
  SparseScratch parts;
  mlir::Value keyBlocks;
};

} // namespace tamis
