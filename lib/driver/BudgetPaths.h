// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The paths of a plan that computes one model in several precisions.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace tamis {

/// How `--precision` names them all.
inline constexpr llvm::StringLiteral kBudget = "budget";

struct BudgetPath {
  std::string name;      ///< "precise", "balanced", "fast"
  std::string precision; ///< as tamis-assign-precision takes it
};

/// From the most accurate to the fastest: f32, bf16, int8. The tables of embeddings, which are looked up and not
/// multiplied, stay f32 in all of them, so that the plan holds them once. `module` is after the graph phase.
std::vector<BudgetPath> budgetPaths(mlir::ModuleOp module);

} // namespace tamis
