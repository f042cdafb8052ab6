// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the graph passes ask of a value before they recognise it.
#pragma once

#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include <optional>

namespace tamis::graph {

/// Whether `a` is `b` up to one part in ten thousand: exporters print constants with float precision or less.
bool isNearly(double a, double b);
inline bool isNearly(std::optional<double> a, double b) {
  return a && isNearly(*a, b);
}

/// The elementwise op behind `value`, if it is of `kind`.
model::ElementwiseOp matchElementwise(mlir::Value value, model::ElementwiseKind kind);

/// x of x * c, c * x, x / c or -x; `factor` is multiplied by c, 1/c or -1. Null when `value` is none of them. c holds
/// one number everywhere and does not widen x.
mlir::Value matchScaled(mlir::Value value, double &factor);

/// Whether `value` is computed from weights and constants alone, so that it is known when weights are packed.
bool isWeightExpression(mlir::Value value);

/// `value` as a vector, scalar or tensor of `dims`: null unless dropping axes of size one is enough, or it is a single
/// number, which is repeated. Only for weight expressions; makes a reshape or broadcast when needed.
mlir::Value asParameter(mlir::OpBuilder &builder, mlir::Value value, llvm::ArrayRef<DimExpr> dims);

/// Whether asParameter would give a value.
bool fitsParameter(mlir::Value value, llvm::ArrayRef<DimExpr> dims);

/// The tensor type, which every value of the dialect has.
inline mlir::RankedTensorType typeOf(mlir::Value value) {
  return mlir::cast<mlir::RankedTensorType>(value.getType());
}
inline model::Dims dimsOf(mlir::Value value) {
  return model::dimsOf(value.getType());
}

/// Reshapes `value` to `dims`, or gives it back when it has them.
mlir::Value reshapeTo(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, llvm::ArrayRef<DimExpr> dims);
/// Transposes `value`.
mlir::Value transposeBy(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                        llvm::ArrayRef<int64_t> permutation);

/// Applies `patterns` until none matches. Each pass's patterns remove ops, or move them in one direction, so this ends.
mlir::LogicalResult applyPatterns(mlir::Operation *root, mlir::RewritePatternSet &&patterns);

/// The locations of ops that one op replaces, for its fused location.
class Trail {
public:
  void add(mlir::Operation *op) {
    if (op)
      locations.push_back(op->getLoc());
  }
  void add(mlir::OpState op) { add(op.getOperation()); }
  void add(mlir::Value value) { add(value.getDefiningOp()); }
  mlir::Location fuse(mlir::OpBuilder &builder) const { return builder.getFusedLoc(locations); }
  size_t size() const { return locations.size(); }
  void truncate(size_t count) { locations.truncate(count); }

private:
  llvm::SmallVector<mlir::Location> locations;
};

} // namespace tamis::graph
