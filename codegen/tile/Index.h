// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Indices made of other indices.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one op from index to index (union, intersect, refine, coarsen, transpose or share); each operand is a
/// `sattn.load_index` of an argument, or a `sattn.bands`; it stores its index and returns that:
/// ```mlir
/// func.func @union(%a: tensor<1x12x4x3xi32>, %b: ...) -> tensor<1x12x4x4xi32> {
///   %i = sattn.load_index %a : tensor<1x12x4x3xi32> -> !sattn.index<64 x 64 block, ...>
///   %j = sattn.load_index %b : ...
///   %u = sattn.union %i, %j : ...
///   %t = sattn.store_index %u : ...
///   return %t : ...
/// }
/// ```
/// Loops are over the items that rows hold; those of coarsen over all items, too, once for each row of the result. What
/// a row holds behind its items is zero. The kernel returns 1 when a stored row has more items than its capacity or one
/// that is not there, and when a row of the result would have more than its capacity; it keeps the first ones.
/// Requires: the items of a stored row ascend. The same for every target: nothing of it is worth a vector.
/// Errors, as diagnostics: other ops, operands of other origin.
llvm::LogicalResult tileIndex(mlir::func::FuncOp kernel);

/// Grid and scratch of such a kernel; fails with a diagnostic as tileIndex does.
llvm::FailureOr<Launch> indexLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
