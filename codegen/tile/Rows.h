// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels around one norm, softmax or quantization of rows: each row is read once from memory, treated in the
// first-level cache, and written.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Whether `op`, a producer or a user of the norm, softmax or quantization `row`, directly or through others of this
/// kind, can be in its kernel: elementwise, activation or cast with a result of the row op's sizes.
bool canFuseIntoRows(mlir::Operation *op, mlir::Operation *row);

/// Grid and scratch of a row kernel: one `model.norm`, `model.softmax` or `model.quantize_rows`, or the latter behind
/// one of the others, and ops that canFuseIntoRows. Groups are rows of about 8192 elements, 16 rows where their length
/// is dynamic; scratch holds one row in f32. Kernels that the fast form does not cover (RowsForm) are map kernels, with
/// the launch of those. Fails with a diagnostic on any other op.
llvm::FailureOr<Launch> rowsLaunch(mlir::func::FuncOp kernel);

/// Replaces such a kernel by its tiled form. Results must not overlap operands. Means and sums of squared deviations
/// are two passes over the row, in f32 in several partial sums; a softmax of a row of -infinity alone is NaN. Bytes are
/// exactly those of the numbers that the kernel computes, on every target. Fails with a diagnostic as rowsLaunch does.
llvm::LogicalResult tileRows(mlir::func::FuncOp kernel, const CpuTarget &target);

} // namespace tamis
