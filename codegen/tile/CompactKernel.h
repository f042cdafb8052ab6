// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel that copies the tokens of an index, taken apart.
#pragma once

#include "codegen/tile/AttentionKernel.h"

namespace tamis {

struct CompactKernel {
  bool isExpand = false;
  ColumnRange tokens;
  mlir::BlockArgument index;
  DimExpr batch, from, to; ///< tokens of the operand, and of the result
  DimExpr items, capacity; ///< of the index
  int64_t features = 0;    ///< of a token
  int64_t groupTokens = 0;

  /// Fails with a diagnostic on what tileCompact does not take.
  static llvm::FailureOr<CompactKernel> analyse(mlir::func::FuncOp function);

private:
  template <typename Op> llvm::LogicalResult read(Op op);
};

} // namespace tamis
