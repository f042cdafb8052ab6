// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights of a model, beside the textual graph that names them.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace tamis::tool {

/// Writes the weights that `module` names to a safetensors file, in the order of their keys: the same module gives the
/// same bytes. Errors: a weight that the store lacks or the format has no element type for; those of the system.
llvm::Error writeWeights(mlir::ModuleOp module, const WeightStore &weights, llvm::StringRef path);

} // namespace tamis::tool
