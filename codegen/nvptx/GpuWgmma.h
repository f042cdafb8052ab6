// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of a warp group's 128 threads, which read shared memory by themselves (sm_90a).
#pragma once

#include "codegen/nvptx/GpuBuilder.h"

namespace tamis {

/// A matrix of f16 or bf16 in shared memory, as descriptors tell it (PTX ISA, "Shared Memory Matrix Layout"). Rows of
/// 32, 64 or 128 bytes follow each other, their blocks of 16 bytes swizzled by the row; wider matrices lie in panels of
/// such rows. Rows are K's where the operand is turned, else they hold 16 of K a step.
struct GpuSharedMatrix {
  Number address;         ///< i32: of its beginning, a multiple of eight rows
  int64_t rowBytes;       ///< of a panel
  int64_t panelBytes = 0; ///< from one panel to the next; only turned operands reach over several
};

/// One step along K, 16 of it, of 64 rows of the result.
struct GpuProductStep {
  int64_t part = 0;                      ///< which 64 rows
  llvm::ArrayRef<mlir::Value> registers; ///< four i32 of the left operand, as GpuBuilder::multiply has them; or
  int64_t leftOffset = 0;                ///< bytes into the left matrix
  int64_t rightOffset = 0;               ///< bytes into the right matrix
};

/// Emits instructions of a warp group, which all of its warps run together.
class GpuWgmma {
public:
  explicit GpuWgmma(GpuBuilder &gpu) : gpu(gpu) {}

  /// sums + the steps' products, one after the other. Sums: f32, of each part columns / 2, for each 8 columns what
  /// GpuBuilder::multiply has of 16 rows a warp; all of them zero where `sums` is empty. `left` may be null where all
  /// steps have registers. Without `waits` the sums are not to be touched before wait().
  llvm::SmallVector<mlir::Value> multiply(const GpuSharedMatrix *left, const GpuSharedMatrix &right, bool isRightTurned,
                                          llvm::ArrayRef<GpuProductStep> steps, int64_t parts, int64_t columns,
                                          llvm::ArrayRef<mlir::Value> sums, bool waits);
  /// The sums, when the products have come.
  llvm::SmallVector<mlir::Value> wait(llvm::ArrayRef<mlir::Value> sums);
  /// What this thread wrote to shared memory, or copied there, can be read by products behind the next barrier.
  void fenceShared();

private:
  GpuBuilder &gpu;
};

} // namespace tamis
