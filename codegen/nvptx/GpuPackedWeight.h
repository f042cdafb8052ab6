// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights that stay packed in device memory, as numbers in registers.
#pragma once

#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/tile/PackWords.h"
#include "codegen/tile/PackedWeight.h"

namespace tamis {

/// Reads what packWords and packUnits wrote (PackWords.h), some neighbouring columns at a time. The numbers are those
/// of the model.dequantize: (integer - zero point) * scale + minimum, of f32.
class GpuPackedWeight {
public:
  using Values = llvm::SmallVector<mlir::Value>;

  GpuPackedWeight(GpuBuilder &gpu, const PackedWeight &weight) : gpu(gpu), b(gpu.b), weight(weight) {}

  int64_t perWord() const { return tamis::perWord(weight.bits); } ///< integers along the depth
  int64_t words() const { return llvm::divideCeil(weight.depth, perWord()); }

  /// A word of each of `columns` columns from `column` on, and the units of its group; indices. `columns`: 1, or 4 from
  /// a multiple of that.
  Values fetch(Number word, Number column, unsigned columns);
  /// The numbers of what fetch() gave: [integer of the word][column].
  Values unpack(llvm::ArrayRef<mlir::Value> fetched, unsigned columns);

  // A tile of `depth` rows along the depth by `columns` columns, by all threads of a work group.
  /// Appends what the thread needs of tile `number` along the depth, from column `firstColumn` of `N` on. Words and
  /// columns that do not exist are read as the last.
  void fetchTile(Number number, Number firstColumn, int64_t N, Values &values);
  /// store(row, block, x) for the thread's part of what fetchTile() gave: columns 4 block to 4 block + 3 of a row of
  /// the tile; i32.
  void putTile(llvm::ArrayRef<mlir::Value> values,
               llvm::function_ref<void(Number row, Number block, llvm::ArrayRef<mlir::Value> x)> store);
  /// How the tile is shared out. Before the two above.
  void setTile(int64_t depth, int64_t columns, int64_t threads);

private:
  int64_t parts() const { return columns / 4 * (depth / perWord()); } ///< words of four columns
  int64_t turns() const { return llvm::divideCeil(parts(), threads); }
  Values loadUnits(mlir::Value operand, Number panel, Number group, Number column, unsigned columns);

  GpuBuilder &gpu;
  KernelBuilder &b;
  PackedWeight weight;
  int64_t depth = 0, columns = 0, threads = 0; ///< of a tile
};

} // namespace tamis
