// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs that keep keys and values in pages, made ready for kernels.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Results that carry `cache.state` are what `cache.append` makes of an argument: they go, and the argument is marked
/// `plan.state`, since the kernel writes it in place. Errors, on the op: an append to anything else, and a pool that is
/// read after it, which would be written by then.
llvm::LogicalResult dropStateResults(mlir::func::FuncOp main);

/// Each `cache.attend` computes parts that a `cache.merge` joins, so that several threads read one long text.
void splitCachedAttention(mlir::func::FuncOp main);

} // namespace tamis
