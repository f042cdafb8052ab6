// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel of one attention over indices, taken apart.
#pragma once

#include "codegen/tile/AttentionKernel.h"

namespace tamis {

/// An index that lies in memory.
struct StoredIndex {
  mlir::BlockArgument source;
  sattn::KeyIndexType type;
  bool isFull;                                          ///< neither order nor mask says anything of what it holds
  int64_t rows() const { return type.getRows(); }       ///< queries of a row, 0 for all
  int64_t columns() const { return type.getColumns(); } ///< keys of an item
  int64_t heads() const;
  bool perBatch() const;
  DimExpr rowCount() const { return type.shapeDims()[2]; }
  /// No more keys than this are in a row.
  DimExpr mostKeys() const { return type.capacityExpr() * columns(); }
};

/// An index in closed form: `sattn.bands`.
struct BandIndex {
  int64_t rows, columns, before, after, sinks;
};

/// The indices of a `sattn.attend`, by how they are read.
///
/// - Blocks: rows and items cover whole blocks of queries and keys. Keys are packed once a head, block by block as they
/// are
///   first needed, and every block is a full tile.
/// - Bands: the range of keys of a query block is computed; tiles at its edges test each pair.
/// - A pool: the one index of another kind, if its rows cover whole blocks of queries. Its keys are gathered into
/// tiles.
/// - Lists: others. Each query reads the keys of its rows one by one; or, where the queries of a block read much of the
/// same keys, these are read as blocks, and every pair is looked up.
/// A key in several counts where it is read first, in this order. Masks of each pair are not read for blocks that are
/// full; elsewhere it makes no difference whether an index is.
struct SparseAttentionKernel : AttentionKernel {
  llvm::SmallVector<StoredIndex> blocks;
  llvm::SmallVector<BandIndex> bands;
  std::optional<StoredIndex> pool;
  llvm::SmallVector<StoredIndex> lists;

  /// Keys are read in packed blocks, whatever lists hold.
  bool hasTiles() const { return !blocks.empty() || !bands.empty() || pool; }
  /// The pool is the same for all queries of a head.
  bool isPoolOfHead() const { return pool && pool->rows() == 0 && blocks.empty(); }

  /// Some tiles need not read the mask that there is.
  bool skipsMasks() const {
    return mask.perQuery && llvm::any_of(blocks, [](const StoredIndex &index) { return index.isFull; });
  }

  /// Fails with a diagnostic on what tileSparseAttention does not take.
  static llvm::FailureOr<SparseAttentionKernel> analyse(mlir::func::FuncOp kernel, bool allowsHalf = false);
};

/// Parts of a thread's scratch that grow with the keys, as offsets in f32 elements. They follow those of
/// AttentionScratch; integers are kept as their bits. The same for every target.
struct SparseScratch {
  DimExpr keyBlocks;  ///< blocks of keys by their place, and before them in all parts that hold blocks
  DimExpr poolBlocks; ///< blocks of gathered keys
  DimExpr positions;  ///< [blocks][blockKeys], numbers of the keys of each block; kNoKey where there is none
  DimExpr cover;      ///< [keyBlocks], what the query block reads of each
  DimExpr packed;     ///< [keyBlocks], whether they are packed
  DimExpr entries;    ///< [blocks] that the query block reads, with flags
  DimExpr ahead;      ///< [keyBlocks] that the next query block reads and that are not packed
  DimExpr poolKeys;   ///< [1], how many keys are gathered
  DimExpr listed;     ///< [most keys of all lists, and kPadding], keys that a query reads one by one
  DimExpr seen;       ///< [keys], the row of the query block that last listed a key
  DimExpr touched;    ///< [keyBlocks], whether a list of the query block holds a key of them
  DimExpr keyRows;    ///< [keys][D and E, each rounded up], keys and values that lists read, side by side
  DimExpr copied;     ///< [keyBlocks][blockKeys] of bytes: whether a key is in keyRows
  DimExpr pairs;      ///< [kBlockQueries][pairWidth] of bytes: whether a list holds the key for the query
  DimExpr pairWidth;  ///< elements
  DimExpr end;

  SparseScratch(const SparseAttentionKernel &kernel, const AttentionScratch &fixed);
  static constexpr int64_t kNoKey = INT32_MAX;
  static constexpr int64_t kPadding = AttentionSchedule::kMostLanes;
};

} // namespace tamis
