// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokens of an index next to each other, and back at their places.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `sattn.compact` or `sattn.expand` of f32, of an argument or columns of one (`model.slice`), by an
/// index that it loads from an argument:
/// ```mlir
/// func.func @compact(%x: ..., %t: tensor<2x1x1x40xi32>) -> tensor<2x39x384xf32> {
///   %i = sattn.load_index %t : tensor<2x1x1x40xi32> -> !sattn.index<0 x 1 token, ...>
///   %c = sattn.compact %x by %i : ...
///   return %c : ...
/// }
/// ```
/// A work group is some tokens of the result of one batch item. The kernel returns 1 when a row of the index says that
/// it has more items than its capacity, or an item that is not there; nothing is read beyond a buffer then. Requires:
/// the items of a row ascend. Errors, as diagnostics: other ops, another element type than f32, operands of other
/// origin.
llvm::LogicalResult tileCompact(mlir::func::FuncOp kernel, const CpuTarget &target);

/// The grid of such a kernel, which has no scratch; fails with a diagnostic as tileCompact does.
llvm::FailureOr<Launch> compactLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
