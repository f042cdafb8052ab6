// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention on a GPU over indices of any kind.
#pragma once

#include "codegen/nvptx/GpuAttention.h"

namespace tamis {

/// Blocks of 64 keys are walked in order, and those that an index holds a key of are computed, with a test of each
/// pair: two threads have the bits of a query's pairs with a block, of 32 keys each. Rows of a stored index are read
/// once, by a place in them that moves on with the blocks. A key in several indices counts once, for bits are joined.
class GpuSparseAttentionTiler : public GpuAttentionTiler {
public:
  GpuSparseAttentionTiler(KernelBuilder &builder, const SparseAttentionKernel &kernel, GpuAttentionForm form);
  void emit() override;
  int64_t sharedBytes() const override { return isSplit ? 2 * roundedBytes() : roundedBytes(); }
  unsigned groups() const override { return 2; } ///< bits and places in rows take registers, too
  std::string schedule() const override {
    return std::string("64 queries by 64 keys, 4 warps of 16 queries, 1 stage, pairs tested") +
           (isSplit ? ", split" : "");
  }

private:
  /// A row of a stored index that a thread reads.
  struct Row {
    const StoredIndex *index;
    Number first, count; ///< where its items begin, how many there are
  };
  struct Range {
    Number low, high, sinks; ///< keys [low, high) and [0, sinks)
  };
  void openRows();
  Range rangeOf(const BandIndex &band, Number query);
  Number loadItem(const Row &row, Number place);
  /// The same; ends the launch where there is no such item.
  Number loadChecked(const Row &row, Number place);
  /// The thread's 32 bits of a block of which its keys begin at `first`; moves `places` on.
  mlir::Value bitsOf(Number first, Values &places);
  /// Bits [low, high) of 32, of any numbers.
  mlir::Value bitsBetween(Number low, Number high);
  /// Gives each thread the bits of the pairs that it computes.
  void shareBits(mlir::Value bits);

  const SparseAttentionKernel &sparse;
  llvm::SmallVector<Row> rows;
  Number ownQuery, ownKey; ///< index: of the thread's bits, the key less that of the block
};

} // namespace tamis
