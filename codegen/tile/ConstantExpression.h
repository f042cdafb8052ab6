// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weight-only expressions of a model, as pieces that the plan's writer can lay out.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace tamis {

/// Weights and dense constants joined along an axis, each perhaps a matrix stored the other way round.
struct ConstantExpression {
  llvm::SmallVector<mlir::Attribute> pieces; ///< StringAttr: a weight's key; ElementsAttr: a dense constant
  llvm::SmallVector<bool> transposed;
  int64_t axis = 0;
  bool reshaped = false; ///< the pieces' own shapes are not those of the value; they only follow one another in memory

  /// The same matrix with its axes exchanged.
  ConstantExpression transpose() const;
};

/// Reads `value` as such an expression through model.weight, constant, transpose, concat and reshape; nothing when it
/// depends on an input or is of another form.
std::optional<ConstantExpression> constantExpression(mlir::Value value);

} // namespace tamis
