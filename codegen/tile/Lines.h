// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that walk along an axis, and those that write at places known at run time, as loops.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `model.cumulative`, `model.top_k` or `model.scatter` of its arguments:
/// ```mlir
/// func.func @top_k(%x: tensor<2x4096xf32>) -> tensor<2x8xi64> {
///   %places = model.top_k %x axis 1 : tensor<2x4096xf32> -> tensor<2x8xi64>
///   return %places : tensor<2x8xi64>
/// }
/// ```
/// A work group is some lines along the axis: n steps each, n log n of top_k, in scratch of two numbers an element. Of
/// a scatter it is some elements of all updates of one batch item: it copies their data and then goes through the
/// updates in order. The kernel returns 1 when an index is out of range; its update is left out. Results must not
/// overlap operands. Errors, as diagnostics: other ops, operands of other origin.
llvm::LogicalResult tileLines(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel. Fails with a diagnostic as tileLines does.
llvm::FailureOr<Launch> linesLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
