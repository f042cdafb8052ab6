// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From dispatches back to the ops they compute, so that the reference evaluator can say what each of them should give.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace tamis {

/// What became of a dispatch.
struct InlinedDispatch {
  std::string name;                 ///< of its kernel
  std::vector<std::string> sources; ///< nodes of the model
  mlir::Operation *op;              ///< gives its result, the first of several
};

/// Undoes tamis-form-dispatches: `main` of `program` gets the ops of each kernel in the place of its dispatches, model
/// constants for plan constants and reshapes for views, and no `plan` op is left. Gives the dispatches in their order.
/// Errors, as diagnostics: a kernel that is missing or no longer made of `model` ops, a weight that the store lacks.
mlir::FailureOr<std::vector<InlinedDispatch>> inlineDispatches(mlir::ModuleOp program, const WeightStore &weights);

} // namespace tamis
