// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which keys each row of queries reads: scores and selection without a matrix of scores.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel scores queries against keys, both arguments of f32 or columns of one (`model.slice`), as they are or
/// summarised, or reads scores that are an argument of f32; maybe sums heads, or softmax weights over blocks or
/// diagonals; selects, maybe among bands or what another selection found; maybe joins rows, or finds what lies on
/// diagonals; and returns the stored index:
/// ```mlir
/// func.func @select(%q: ..., %k: ..., %m: tensor<...xi1>) -> tensor<...xi32> {
///   %qm = sattn.summarize mean %q mask %m heads 12 width 64 : ...
///   %s = sattn.score %qm, %k heads 12 kv_heads 12 : ...
///   %near = sattn.bands before 0 after 0 sinks 0 queries "s" keys "s" : ...
///   %i = sattn.select #sattn.budget<count 2.0> %s among %near mask %m queries "s" keys "s" : ...
///   %all = sattn.coarsen %i : ...
///   %t = sattn.store_index %all : ...
///   return %t : ...
/// }
/// ```
/// A work group is some rows of one head of one batch item (SelectKernel). What a row holds behind its items is zero. A
/// row with more items than its capacity, which only numbers can tell of budgets other than count and fraction, keeps
/// the first ones. Sums are of f32 in another order than the reference's.
/// Errors, as diagnostics: other ops, another element type than f32, operands of other origin; summed heads over
/// several heads of keys, weights among candidates.
llvm::LogicalResult tileSelect(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target; fails with a diagnostic as tileSelect does. Scratch
/// holds the keys of one head, transposed, and the scores of a few rows; of one row where scores are given.
llvm::FailureOr<Launch> selectLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
