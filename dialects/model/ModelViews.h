// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chains of reshapes and transposes, which move no number, taken as a whole.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"

namespace tamis::model {

/// What a chain of `model.reshape` and `model.transpose` does to the axes of its source.
///
/// Axes are products of factors; a reshape groups factors anew, a transpose reorders groups. Splitting heads is
///     source [batch] [sequence] [12 32]  ->  result [batch] [12] [sequence] [32].
/// Axes of size one have no factor.
class ViewChain {
public:
  using Axis = llvm::SmallVector<unsigned, 2>; ///< indices into factors(), outermost first

  /// The longest chain of views that ends in `value` and can be told in factors; the source is `value` itself at worst.
  static ViewChain of(mlir::Value value);

  mlir::Value source() const { return root; }
  unsigned length() const { return ops.size(); }                  ///< views between source and value
  llvm::ArrayRef<mlir::Operation *> views() const { return ops; } ///< from source to value
  llvm::ArrayRef<DimExpr> factors() const { return sizes; }
  llvm::ArrayRef<Axis> sourceAxes() const { return from; }
  llvm::ArrayRef<Axis> resultAxes() const { return to; }

  /// Whether the elements keep their row-major order: the chain is one reshape.
  bool keepsOrder() const;

private:
  void restart(mlir::Value source);
  bool reshape(llvm::ArrayRef<DimExpr> dims);
  void split(unsigned factor, unsigned inner);

  mlir::Value root;
  llvm::SmallVector<mlir::Operation *> ops;
  Dims sizes;
  llvm::SmallVector<Axis> from, to;
};

/// Regroups the factors in `axes` (row-major) into axes of the sizes `dims`. Where an axis ends inside a factor,
/// `split` is asked to cut it into an outer part of the given size and the rest, and gives the new index of the rest.
/// Nothing when sizes do not nest.
std::optional<llvm::SmallVector<ViewChain::Axis>>
regroupFactors(llvm::ArrayRef<ViewChain::Axis> axes, llvm::ArrayRef<DimExpr> dims, Dims &factors,
               llvm::function_ref<void(unsigned outer, unsigned inner)> split);

/// The shortest chain that does what `chain` does, or null when it has no fewer ops. A transpose that keeps the order
/// counts as longer than a reshape. Ops are made at `location`.
mlir::Value shortenViews(mlir::OpBuilder &builder, mlir::Location location, const ViewChain &chain,
                         mlir::RankedTensorType type);

} // namespace tamis::model
