// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Station 6: the passes that take tiled kernels to the LLVM dialect.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace tamis {

/// Adds to a module's pass manager what lowers tiled kernels (scf, vector, memref, arith on flat buffers; see
/// codegen/tile/KernelBuilder.h) to the LLVM dialect, each public function wrapped in the ABI of a plan.
void buildCpuPipeline(mlir::OpPassManager &manager);

/// Gives every public function of a module in the LLVM dialect the ABI of a plan's kernels:
/// ```
/// i32 kernel(ptr buffers, ptr sizes, i64 begin, i64 end, ptr scratch)
/// ```
/// The function itself becomes the internal `NAME.body`, inlined into the new one, with its pointers free of aliases.
/// Requires: arguments are pointers (buffers), then i64 (sizes, begin, end), then the pointer to scratch; it returns i32.
std::unique_ptr<mlir::OperationPass<mlir::ModuleOp>> createWrapKernelsPass();

} // namespace tamis
