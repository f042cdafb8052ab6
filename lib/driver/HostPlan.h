// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Plans that the compiler itself runs.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "tamis/tamis.hpp"

namespace tamis {

/// Compiles `module`, which is after the sparsify phase, for this machine alone and loads it; the file it is written to
/// is gone afterwards. The module is changed by it. Errors are diagnostics.
mlir::FailureOr<Plan> planForHost(mlir::ModuleOp module, const WeightStore &weights);

} // namespace tamis
