// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which precision each layer is computed and stored in.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tamis::precision {

#define GEN_PASS_DECL
#include "passes/precision/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "passes/precision/Passes.h.inc"

/// The attribute that AssignPrecision leaves on layers, a string.
inline constexpr llvm::StringLiteral kPrecision = "model.precision";

} // namespace tamis::precision
