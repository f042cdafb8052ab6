// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Partial results of attention as one.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `sattn.merge` of partial results that are loaded from its arguments; it returns the tensor, or
/// stores the partial result and returns that:
/// ```mlir
/// func.func @merge(%a: tensor<1x12x256x33xf32>, %b: tensor<1x12x256x33xf32>) -> tensor<1x256x384xf32> {
///   %x = sattn.load_partial %a : tensor<1x12x256x33xf32> -> !sattn.partial<["1", "12", "256", "32"]>
///   %y = sattn.load_partial %b : ...
///   %o = sattn.merge %x, %y : ... -> tensor<1x256x384xf32>
///   return %o : ...
/// }
/// ```
/// A work group is some queries of one head of one batch item. Errors, as diagnostics: other ops, operands of other
/// origin.
llvm::LogicalResult tileMerge(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid of such a kernel; it needs no scratch. Fails with a diagnostic as tileMerge does.
llvm::FailureOr<Launch> mergeLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
