// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Integer tensors whose elements are affine in their coordinates: what exporters compute positions and masks from.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "llvm/ADT/StringMap.h"
#include <optional>

namespace tamis::model {

/// `value[i_0, ..] = start + sum_k steps[k] * i_k`, one step an axis; along axes of size one the step is 0.
struct AffineIndex {
  DimExpr start;
  llvm::SmallVector<DimExpr> steps;
};

/// Follows `value` through iota, constants, sizes, + - *, views, slices, broadcasts and widening casts.
/// Nothing when it is not affine or leaves the range of 64 bits before sizes are known.
std::optional<AffineIndex> affineIndexOf(mlir::Value value);

/// The components of tuples that lie along the last axis of `value` (a concat along it, or a constant), each affine in
/// the coordinates of the other axes.
std::optional<llvm::SmallVector<AffineIndex>> affineTuplesOf(mlir::Value value);

/// Ranges of a function's symbols, and what follows from them. Undeclared symbols are 0 or more.
class SymbolRanges {
public:
  explicit SymbolRanges(mlir::FunctionOpInterface function);

  /// Bounds of an expression for all values of the symbols; nothing when there is none, or it is not found.
  std::optional<int64_t> lowerBound(const DimExpr &e) const { return boundsOf(e).low; }
  std::optional<int64_t> upperBound(const DimExpr &e) const { return boundsOf(e).high; }
  bool isNonNegative(const DimExpr &e) const { return lowerBound(e).value_or(-1) >= 0; }

  /// Least and greatest element of a tensor of sizes `dims`, as sizes; nothing when the sign of a step is unknown.
  /// Holds when the tensor has an element.
  std::optional<std::pair<DimExpr, DimExpr>> extremes(const AffineIndex &index, llvm::ArrayRef<DimExpr> dims) const;

private:
  struct Bounds {
    std::optional<int64_t> low, high;
  };
  Bounds boundsOf(const DimExpr &e) const;
  Bounds boundsOfFactor(llvm::StringRef factor) const;

  llvm::StringMap<Bounds> ranges;
};

} // namespace tamis::model
