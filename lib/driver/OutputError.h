// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How far what a model computes is from what it should compute.
#pragma once

#include "lib/driver/Calibration.h"

namespace tamis {

/// How far a model's outputs are from the right ones; the worst of all outputs and passages.
struct OutputError {
  double cosine = 0;   ///< one less the cosine of the two as vectors
  double relative = 0; ///< norm of the difference over the norm of the right output

  void include(const OutputError &other);
};

/// Outputs that are no f32 do not count. What is no number is as wrong as can be.
OutputError compareOutputs(llvm::ArrayRef<npy::Array> found, llvm::ArrayRef<npy::Array> right);

/// Passages to measure on, and others to check a choice on: one of four, one at least.
struct SplitPassages {
  std::vector<Passage> seen, heldOut;

  /// Errors, as diagnostics: less than two passages.
  static mlir::FailureOr<SplitPassages> of(llvm::ArrayRef<Passage> passages, mlir::Location loc);
  static bool isHeldOut(size_t number, size_t passages);
};

/// The error of `module`, which is after the sparsify phase and is changed, on passages of which the right outputs are
/// known. Errors are diagnostics.
mlir::FailureOr<OutputError> measureError(mlir::ModuleOp module, const WeightStore &weights,
                                          llvm::ArrayRef<Passage> passages,
                                          llvm::ArrayRef<std::vector<npy::Array>> right);

} // namespace tamis
