// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dense layers whose weights are unpacked where they are multiplied.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is that of tileLinear with a `model.dequantize` before it, of which the linear reads its weight:
/// ```mlir
/// func.func @int4_linear(%x: tensor<?x576xf32, #model.dims<"n", "576">>, %q: tensor<1536x576xui4>,
///                        %s: tensor<1536x18xf16>, %m: tensor<1536x18xf16>) -> tensor<?x1536xf32, ...> {
///   %w = model.dequantize %q scale %s minimum %m block 32 along 1 : ...
///   %0 = model.linear %x, %w transposed : ...
///   return %0 : ...
/// }
/// ```
/// The buffer of the integers holds words, those of scales, zero points and minima units (PackWords.h); a zero point
/// that is a constant of the kernel has none. Work groups are those of tileLinear, of packedLinearRows(K) rows.
///
/// Up to kUnpackedRows rows, weights become f32 in registers, once for all rows: a masked word converts to the integer
/// times a power of two, which the input was divided by before. Sums are of f32: of a group's inputs times integers,
/// then of groups times scales. What zero points and minima add is a product of theirs with the group's sum of inputs,
/// so that an infinite input gives NaN where they are not 0. More rows: a work group unpacks its panel into scratch and
/// goes on as tileLinear. Errors, as diagnostics: those of tileLinear; a weight of another form (PackedWeight).
llvm::LogicalResult tilePackedLinear(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target.
Launch packedLinearLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
