// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cache dialect: keys and values of earlier tokens, in pages. Ops are described in CacheOps.td and docs/dialects.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"

#include "dialects/cache/CacheDialect.h.inc"

#define GET_OP_CLASSES
#include "dialects/cache/CacheOps.h.inc"

namespace tamis::cache {

/// What the pools of one layer are like.
struct PoolSizes {
  DimExpr pages;
  int64_t heads = 0, keyWidth = 0, valueWidth = 0, page = 0; ///< `page`: tokens of one
  bool isByte = false;                                       ///< integers with scales
  bool hasBounds = false;

  /// Of two or four pools, and one of bounds. Fails with a diagnostic on `op` where they do not fit each other.
  static llvm::FailureOr<PoolSizes> of(mlir::Operation *op, mlir::ValueRange pools);
};

/// The types of the pools of one layer: keys, values, of i8 the scales of both, and bounds.
llvm::SmallVector<mlir::Type> poolTypes(mlir::MLIRContext *context, const PoolSizes &sizes);

/// Attribute of a result of a model function: the name of the input whose bytes it takes.
inline constexpr llvm::StringLiteral kStateAttr = "cache.state";

} // namespace tamis::cache
