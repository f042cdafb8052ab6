// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the inputs of dense layers are like when a model reads passages.
#pragma once

#include "lib/driver/Calibration.h"

namespace tamis {

/// Of one value, over all its rows in all passages; tokens of padding count, too.
struct InputStatistics {
  std::vector<float> low, high; ///< of each column
  std::vector<float> mean;      ///< of each column
  std::vector<float> moments;   ///< mean of row[i] * row[j], columns x columns; empty where it was not asked for
  int64_t rows = 0;
};

/// Runs the model on all passages and gives the statistics of each of `values`, which are of f32. `module` is after the
/// graph phase. Errors, as diagnostics: no passages, a value that is not finite.
mlir::FailureOr<std::vector<InputStatistics>> observeInputs(mlir::ModuleOp module, llvm::ArrayRef<mlir::Value> values,
                                                            const WeightStore &weights,
                                                            llvm::ArrayRef<Passage> passages, bool withMoments,
                                                            const Activity &activity);

/// What the columns of an input are divided by, and the weights that multiply it are multiplied by, so that neither has
/// columns far larger than the others: the square root of the largest input over the largest weight, `weightMaxima`, of
/// the column. Empty where rounding the input gains less than 30 % of its squared error, with `weightSquares` the sum
/// of each column's squared weights. Source: Xiao et al., SmoothQuant, arXiv 2211.10438, equation 4 with alpha 0.5.
std::vector<float> smoothingOf(const InputStatistics &input, llvm::ArrayRef<float> weightMaxima,
                               llvm::ArrayRef<float> weightSquares);

} // namespace tamis
