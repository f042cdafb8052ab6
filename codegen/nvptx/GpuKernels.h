// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From kernels in model form to tiled GPU kernels, by kind.
#pragma once

#include "codegen/schedule/GpuDecision.h"
#include "codegen/schedule/GpuTarget.h"
#include "lib/support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// How a GPU kernel is launched.
struct GpuLaunch {
  DimExpr grid;            ///< work groups, an expression over the kernel's symbols
  unsigned threads = 0;    ///< of a work group
  int64_t sharedBytes = 0; ///< of a work group
  unsigned groups = 1;     ///< that a multiprocessor shall hold, for the assembler to share out registers by
  std::string schedule;    ///< what the cost model chose, for people
  GpuDecision decision;    ///< from what; no candidates where there is one form only
};

/// The attribute of a kernel that names the tile to take, of GpuDecision's candidates.
inline constexpr llvm::StringLiteral kGpuTile = "gpu_tile";
/// The attribute of a kernel whose products shall be nearly those of f32 (GpuLinearShape::isSplit).
inline constexpr llvm::StringLiteral kGpuSplit = "gpu_split";
/// The attribute of a kernel whose products round operands of f32 to bf16, not to f16. Split ones stay of f16.
inline constexpr llvm::StringLiteral kGpuBf16 = "gpu_bf16";

/// Replaces a kernel in model form by its form for GPUs: KernelBuilder's function, of which every thread of a work
/// group runs the code, `begin` is the work group and scratch is not used. Fails with a diagnostic on kinds and forms
/// that there is no GPU kernel for.
llvm::FailureOr<GpuLaunch> tileForGpu(mlir::func::FuncOp kernel, const GpuTarget &target);

// One function a kind; what each takes is what the CPU's tile function of the same name takes.
llvm::FailureOr<GpuLaunch> tileGpuMap(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuRows(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuLines(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuLinear(mlir::func::FuncOp kernel, const GpuTarget &target);
/// Of tileGpuLinear: a model.integer_linear and what follows it.
llvm::FailureOr<GpuLaunch> tileGpuIntegerLinear(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuAttention(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuLinearAttention(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuMerge(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuCompact(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuIndex(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuLookup(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuSelect(mlir::func::FuncOp kernel, const GpuTarget &target);
llvm::FailureOr<GpuLaunch> tileGpuSparseAttention(mlir::func::FuncOp kernel, const GpuTarget &target);

} // namespace tamis
