// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows of tables that are packed.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is a `model.dequantize` and one `model.embedding` that reads its table from it:
/// ```mlir
/// func.func @int4_embedding(%q: tensor<49152x576xui4>, %s: tensor<49152x18xf16>, %ids: tensor<?xi64, ...>) -> ... {
///   %w = model.dequantize %q scale %s block 32 along 1 : ...
///   %0 = model.embedding %w, %ids : ...
///   return %0 : ...
/// }
/// ```
/// The table lies as the weight of a packed linear does (PackedLinear.h), so that a head that is tied to its embedding
/// shares it: a row is a column of a panel. A work group is 8 rows. The kernel returns 1 where an id is out of range.
/// The numbers are those of the op, rounded as it says.
/// Errors, as diagnostics: a table of another form (PackedWeight), other ops.
llvm::LogicalResult tilePackedLookup(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target. Fails with a diagnostic where it is none.
llvm::FailureOr<Launch> packedLookupLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
