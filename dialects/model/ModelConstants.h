// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values known at compile time: reading them from the IR, and computing with them as the ops' descriptions say.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "mlir/IR/BuiltinAttributes.h"
#include <optional>
#include <string>

namespace tamis::model {

/// A fold may write at most so many elements that are not all equal into the IR: enough for masks, position ids and
/// size data, far below any weight.
inline constexpr int64_t kFoldLimit = 64 * 1024;

/// `kind` of scalars (IntegerAttr or FloatAttr, one an operand) as an attribute of type `result`. Floats are computed
/// in double and rounded once. Null where a folder must not claim a value: an unusual type, a negative integer
/// exponent.
mlir::Attribute evaluateScalar(ElementwiseKind kind, llvm::ArrayRef<mlir::Attribute> operands, mlir::Type result);

/// A scalar in another element type, by the rules of `model.cast`.
mlir::Attribute castScalar(mlir::Attribute value, mlir::Type to);

/// `source` moved: element `i` of the result (row-major) is element `from(i)` of the source. Null past kFoldLimit,
/// except for splats.
mlir::DenseElementsAttr pickElements(mlir::DenseElementsAttr source, mlir::RankedTensorType type,
                                     llvm::function_ref<int64_t(int64_t)> from);

/// The one value of all elements of `value`, seen through views, broadcasts and casts; null when there is none.
mlir::TypedAttr uniformValue(mlir::Value value);

/// The same as a number (bool: 0 or 1).
std::optional<double> uniformNumber(mlir::Value value);

/// A tensor of `type`, static or not, that holds `number` everywhere; elements are rounded to the type.
mlir::Value makeUniform(mlir::OpBuilder &builder, mlir::Location loc, mlir::RankedTensorType type, double number);

/// The weight of a layer of f32: the matrix of a `model.linear`, the table of a `model.embedding`; null for other ops.
mlir::Value layerWeight(mlir::Operation *op);

/// The key of the first `model.weight` that `value` follows from, through views, arithmetic and look-ups by their first
/// operands; nothing where that is none.
std::optional<std::string> weightKey(mlir::Value value);

} // namespace tamis::model
