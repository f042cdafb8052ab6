// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dense layers of 8-bit integers and what follows them element by element.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `model.integer_linear`, its weight not transposed, and ops that canFuseIntoLinear accepts after
/// it, returning one value:
/// ```mlir
/// func.func @integer_linear(%x: tensor<?x384xui8, #model.dims<"n", "384">>, %w: tensor<384x1536xi8>, %zx: tensor<ui8>,
///                           %s: tensor<1536xf32>) -> tensor<?x1536xf32, #model.dims<"n", "1536">> {
///   %0 = model.integer_linear %x, %w input_zero_point %zx : ...
///   %1 = model.cast %0 : ...
///   %2 = model.elementwise mul %1, %s : ...
///   return %2 : ...
/// }
/// ```
/// Behind the last of these ops there may be a `model.quantize_rows` where canQuantizeRows says so; the kernel then
/// returns its results, those that are used.
///
/// The buffer of the weight holds its packed form (packBytePanels). Work groups are those of tileLinear. The integers
/// are the same on every target: in tile registers where it has them (amx-int8, with 16 lanes) and K is a multiple of
/// 64; four products at a time where it has VNNI (avx512vnni with 16 lanes, avxvnni with 8) or
/// AArch64's dotprod or i8mm; else two and two of them widened to 16 bits. None of it saturates. Errors, as
/// diagnostics: an op or operand that cannot be fused, a transposed weight.
llvm::LogicalResult tileIntegerLinear(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Whether a quantization of the rows that such a kernel computes, of N numbers, can be a part of it: a work group then
/// computes whole rows, which wait for their extremes in scratch, and never reach memory as numbers.
bool canQuantizeRows(int64_t N);

/// Grid and scratch of such a kernel, the same for every target.
Launch integerLinearLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
