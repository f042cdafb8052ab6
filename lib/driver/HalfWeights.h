// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layers in bf16.
#pragma once

#include "lib/driver/Calibration.h"
#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"

namespace tamis {

/// How policies name the precision.
inline constexpr llvm::StringLiteral kBFloat16 = "bf16";

/// Rounds to bf16, in the function `main` of a module after the graph phase, what is marked kBFloat16
/// (tamis-assign-precision) and is known: the weights of `model.linear` of f32, whose inputs are rounded at run time
/// and whose sums and biases stay f32; the tables of `model.embedding`. To nearest, ties to even; NaN, infinities and
/// what is below the normal range stay what they are. New weights are kept in the store under the old keys with ".bf16"
/// behind. Errors are diagnostics.
mlir::LogicalResult roundLayers(mlir::ModuleOp module, WeightStore &weights, const Activity &activity);

} // namespace tamis
