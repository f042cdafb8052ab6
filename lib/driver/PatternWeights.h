// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The weights that patterns have of their own: from a file, or fitted.
#pragma once

#include "lib/driver/Calibration.h"

namespace tamis {

/// Where a pattern's weight comes from.
struct WeightOrigin {
  std::string key; ///< "attention.0.gate"
  bool fitted;     ///< to calibration passages; else read from a file
};

/// Gives each weight that patterns in `main` of `module` have of their own its numbers: those in the store under its
/// key, else fitted ones, which are added to it. `module` is after tamis-choose-pattern. Errors are diagnostics: a
/// weight of another type, one that is not there when there are no passages to fit it to, or when the pattern fits
/// none.
mlir::FailureOr<std::vector<WeightOrigin>> supplyPatternWeights(mlir::ModuleOp module, WeightStore &weights,
                                                                llvm::ArrayRef<Passage> passages,
                                                                const Activity &activity);

} // namespace tamis
