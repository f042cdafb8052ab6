// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel that makes an index of others, taken apart.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// An index that a kernel reads.
struct IndexOperand {
  sattn::KeyIndexType type;
  mlir::BlockArgument source; ///< null: bands
  sattn::BandsOp bands;
};

struct IndexKernel {
  mlir::Operation *op; ///< whose operands these are
  llvm::SmallVector<IndexOperand> inputs;
  sattn::KeyIndexType type; ///< of the result
  DimExpr batch, rows, items, capacity;
  int64_t heads = 0;

  /// Rows of the result in a work group; 0: all of a head.
  int64_t groupRows() const;
  /// Elements of scratch: a status, then a flag for each item of the result, with coarsen.
  DimExpr scratchElements() const;

  /// Fails with a diagnostic on what tileIndex does not take.
  static llvm::FailureOr<IndexKernel> analyse(mlir::func::FuncOp kernel);
};

} // namespace tamis
