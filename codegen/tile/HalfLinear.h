// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dense layers of bf16, summed in f32, and what follows them element by element.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `model.linear` of bf16 that gives f32, its weight not transposed, and ops that canFuseIntoLinear
/// accepts after it, returning one value; the last may be a cast to bf16:
/// ```mlir
/// func.func @linear_gelu(%x: tensor<?x384xbf16, #model.dims<"n", "384">>, %w: tensor<384x1536xbf16>,
///                        %b: tensor<1536xf32>) -> tensor<?x1536xbf16, #model.dims<"n", "1536">> {
///   %0 = model.linear %x, %w bias %b : ...
///   %1 = model.activation gelu %0 : ...
///   %2 = model.cast %1 : ...
///   return %2 : ...
/// }
/// ```
/// The buffer of the weight holds its packed form (packPairPanels). Work groups are those of tileLinear.
///
/// Products are exact and summed in f32, in an order that differs by target: in tile registers where it has them
/// (amx-bf16, with 16 lanes) and K is a multiple of 32; two products at a time where it has avx512bf16 with 16 lanes;
/// else one after the other, as f32. Tile registers and avx512bf16 take numbers below the normal range, 1.18e-38, and
/// sums below it, for 0; the others do not. NaN and infinities are those of the sums. Errors, as diagnostics: those of
/// tileLinear, a transposed weight.
llvm::LogicalResult tileHalfLinear(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target.
Launch halfLinearLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
