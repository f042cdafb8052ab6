// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which ops of a model serve some sizes alone.
#pragma once

#include "lib/support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

namespace tamis {

/// A `select` whose condition is a comparison of two sizes uses one of its sides for all elements. For each op that
/// such a side alone needs: an expression that is 1 for the sizes where its value is used, and 0 for the others. Ops
/// that are always needed have none.
llvm::DenseMap<mlir::Operation *, DimExpr> sizeGuardsOf(mlir::func::FuncOp function);

} // namespace tamis
