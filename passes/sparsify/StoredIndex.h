// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Indices of blocks that are known at compile time.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "mlir/IR/Builders.h"
#include "passes/sparsify/MaskTable.h"

namespace tamis::sparsify {

/// The items of each row of an index: by head, by row, ascending.
struct BlockTable {
  int64_t rows, columns; ///< queries of a row, keys of an item
  std::vector<std::vector<std::vector<int32_t>>> items;

  /// Blocks that hold a kept pair.
  static BlockTable of(const MaskTable &table, int64_t rows, int64_t columns);
  /// What the storage of an index says; nothing when `index` is not loaded from a constant. Rows of the constant of
  /// which only the first ones are loaded are among them.
  static std::optional<BlockTable> of(mlir::Value index);

  /// One head for each group of `heads` that have equal items, as an index counts them.
  void shareHeads(int64_t heads);
  /// Pairs of a query and a key in all blocks, of the heads that there are.
  int64_t pairs(int64_t queries, int64_t keys) const;
  int64_t capacity() const;
  bool isEmpty() const;
  /// Its storage as a constant, `1 x heads x rows x (capacity + 1)`.
  mlir::Value store(mlir::OpBuilder &builder, mlir::Location loc) const;
  mlir::Value load(mlir::OpBuilder &builder, mlir::Location loc, const DimExpr &queries, const DimExpr &keys) const;
};

} // namespace tamis::sparsify
