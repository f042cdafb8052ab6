// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What follows a product of matrices on a GPU, on neighbours in registers.
#pragma once

#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/tile/VectorMath.h"
#include "dialects/model/ModelDialect.h"

namespace tamis {

/// The ops after a linear, on two neighbouring columns at a time. Operands and results lie as f32 or f16; the
/// arithmetic is that of f32 throughout.
class GpuEpilogue {
public:
  /// Takes the kernel apart: `ops` are those after the linear, in order. Fails with a diagnostic on what an epilogue
  /// cannot hold.
  static llvm::FailureOr<llvm::SmallVector<mlir::Operation *>> analyse(model::LinearOp linear);

  GpuEpilogue(GpuBuilder &gpu, model::LinearOp linear, llvm::ArrayRef<mlir::Operation *> ops)
      : gpu(gpu), b(gpu.b), math(gpu.b), linear(linear), ops(ops) {}

  /// Computes and writes columns `column` and `column + 1` of a row, indices. `sums`: what the linear gives without its
  /// bias. The second column may be missing (columns are odd).
  void write(std::array<mlir::Value, 2> sums, Number row, Number column);

  /// write() for the sums of a thread: of rows `row`, and of that 8 below, in blocks of rows `step` apart, each of
  /// `across` columns; of 8 columns four sums, two neighbours of either row. Rows from `rows` on, and columns that do
  /// not exist unless all are whole, are left out.
  void writeTile(llvm::ArrayRef<mlir::Value> sums, Number row, Number column, int64_t across, int64_t step, Number rows,
                 bool isWhole);

private:
  using Pair = std::array<mlir::Value, 2>;
  Pair operand(mlir::Value value, Number row, Number column);
  Pair loadPair(mlir::Value buffer, mlir::Type element, Number offset, Number column);
  bool isEven() const { return columns() % 2 == 0; }
  int64_t columns() const { return mlir::cast<mlir::RankedTensorType>(linear.getType()).getShape().back(); }

  GpuBuilder &gpu;
  KernelBuilder &b;
  VectorMath math;
  mutable model::LinearOp linear;
  llvm::ArrayRef<mlir::Operation *> ops;
};

} // namespace tamis
