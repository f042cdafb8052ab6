// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of a GPU's program round the operands of their products to.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace tamis {

/// Gives kernels the attribute kGpuSplit (codegen/nvptx/GpuKernels.h) whose products decide what a selection by score
/// keeps: scores that lie close together change places when they are rounded, and what is read is another key. `main`:
/// the program of dispatches, `kernels`: in model form.
void splitProductsOfSelections(mlir::func::FuncOp main, mlir::ModuleOp kernels);

/// Has the other products round to bf16, not to f16 (kGpuBf16).
void roundProductsToBf16(mlir::ModuleOp kernels);

} // namespace tamis
