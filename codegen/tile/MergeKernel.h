// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel that merges partial results of attention, taken apart.
#pragma once

#include "lib/support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

struct MergeKernel {
  llvm::SmallVector<mlir::BlockArgument> inputs;
  DimExpr batch, queries;
  int64_t heads = 0, width = 0;
  bool isPartial = false;

  /// Fails with a diagnostic on what tileMerge does not take.
  static llvm::FailureOr<MergeKernel> analyse(mlir::func::FuncOp function);
};

} // namespace tamis
