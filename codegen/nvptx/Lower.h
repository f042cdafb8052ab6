// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From tiled GPU kernels to the LLVM dialect.
#pragma once

#include "codegen/schedule/GpuTarget.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

namespace tamis {

/// The pointer behind a buffer of a kernel, !llvm.ptr: emits a call that lowering removes, since memref has no such op
/// for 32-bit indices.
mlir::Value pointerOf(mlir::ImplicitLocOpBuilder &builder, mlir::Value buffer);

/// How many inputs and threads the kernel has that a module is lowered to.
struct KernelFrame {
  unsigned inputs;     ///< leading buffers that are only read
  unsigned threads;    ///< of a work group
  unsigned groups;     ///< work groups that a multiprocessor shall hold
  unsigned indexWidth; ///< 32 when no buffer has 2^31 elements, else 64
};

/// Lowers a module with one function in KernelBuilder's form to the LLVM dialect and gives it the ABI of GPU kernels:
/// ```
/// .entry NAME(buffers: .u64 ..., sizes: .s64 ...)
/// ```
/// with one work group's number as `begin`, no scratch, and a trap where the function returns something but 0.
/// Fails with a diagnostic.
llvm::LogicalResult lowerKernel(mlir::ModuleOp module, const KernelFrame &frame);

} // namespace tamis
