// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dense layers and what follows them element by element.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `model.linear` of f32 and ops that canFuseIntoLinear accepts after it, returning one value:
/// ```mlir
/// func.func @linear_gelu(%x: tensor<?x384xf32, #model.dims<"n", "384">>, %w: tensor<1536x384xf32>,
///                        %b: tensor<1536xf32>) -> tensor<?x1536xf32, #model.dims<"n", "1536">> {
///   %0 = model.linear %x, %w bias %b transposed : ...
///   %1 = model.activation gelu %0 : ...
///   return %1 : ...
/// }
/// ```
/// The buffer of the weight holds its packed form (PackPanels.h). A work group is a block of linearRows(K) rows times
/// a panel of kPanelColumns columns; consecutive groups share the rows.
/// Errors, as diagnostics: another element type than f32, an op or operand that cannot be fused.
llvm::LogicalResult tileLinear(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target.
Launch linearLaunch(mlir::func::FuncOp kernel);

/// Whether `op` can follow `product`, a linear or integer_linear, in its kernel, where `previous` is the product's
/// result or that of the last op fused. Integers are first cast to f32, and operands behind them may have one element a
/// row. Else: an activation or elementwise function of f32 that keeps the sizes of `previous`, and whose other operands
/// have as many elements, or one along each axis but the last, or one element; constants with one value for all. Behind
/// a linear of bf16, a cast of f32 to bf16 can be the last.
bool canFuseIntoLinear(mlir::Operation *op, mlir::Value previous, mlir::Operation *product);

} // namespace tamis
