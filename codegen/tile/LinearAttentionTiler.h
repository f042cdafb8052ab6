// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops of linear attention.
#pragma once

#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/LinearAttentionKernel.h"
#include "codegen/tile/VectorMath.h"

namespace tamis {

class LinearAttentionTiler {
public:
  LinearAttentionTiler(KernelBuilder &builder, const LinearAttentionKernel &kernel, const CpuTarget &target);
  void emit();

private:
  using Vectors = llvm::SmallVector<mlir::Value>;
  using Scratch = LinearAttentionScratch;
  /// The head of a batch item that a work group computes.
  struct Group {
    mlir::Value batch, head, keyHead;
  };
  /// Some queries that follow each other, and, with causal order, the keys that only some of them read.
  struct Chunk {
    Group group;
    mlir::Value firstQuery, rows;
    mlir::Value firstKey, keyCount;
    mlir::Value limit; ///< row i reads the first limit + i + 1 of those keys; negative for some rows, maybe
  };
  /// Left times right, both in scratch: sums over k < depth(row) of left[row][k] right[k][column].
  struct Product {
    mlir::Value left;
    int64_t leftRow, leftDepth; ///< elements from one row, and one k, to the next
    mlir::Value right;
    int64_t rightRow;
    llvm::function_ref<mlir::Value(mlir::Value row)> depth;
  };

  // LinearAttention.cpp: groups and chunks.
  void group(const Group &group);
  void addKeys(const Group &group, mlir::Value first, mlir::Value end);
  void addToState(mlir::Value count);
  void addOwnKeys(const Chunk &chunk);
  void writeResult(const Chunk &chunk);

  // LinearAttentionParts.cpp: what is prepared in scratch, and products of matrices.
  void packQueries(const Chunk &chunk);
  void packKeys(const Group &group, mlir::Value first, mlir::Value count);
  void turnKeys(mlir::Value count);
  mlir::Value weightOf(const Group &group, mlir::Value key);
  mlir::Value featureOf(mlir::Value x, int64_t valid);
  /// target[row][column] = the sum of products, plus what is there with `adds`. Rows in tiles of kRows.
  void multiply(llvm::ArrayRef<Product> products, mlir::Value rows, int64_t columns, mlir::Value target,
                int64_t targetRow, bool adds);
  void tile(llvm::ArrayRef<Product> products, mlir::Value row, mlir::Value column, unsigned vectors, mlir::Value target,
            int64_t targetRow, bool adds);

  mlir::Value load(mlir::Value buffer, mlir::Value offset, int64_t valid);
  mlir::Value load(mlir::Value offset) { return b.loadVector(scratch, offset, lanes); }
  void store(mlir::Value vector, mlir::Value offset) { b.storeVector(vector, scratch, offset); }
  mlir::Value splatOf(mlir::Value offset) { return b.broadcast(b.load(scratch, offset), lanes); }
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  /// Inside [0, keys].
  mlir::Value limitToKeys(mlir::Value position);

  static constexpr unsigned kRows = 4;

  KernelBuilder &b;
  const LinearAttentionKernel &kernel;
  Scratch place;
  VectorMath math;
  unsigned lanes, registers;
  mlir::Value scratch, queries, keys;
};

} // namespace tamis
