// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes ops of the model dialect; result types follow from the operands.
#pragma once

#include "dialects/sattn/patterns/PatternBuilder.h"

namespace tamis::sattn {

class ModelWriter {
public:
  explicit ModelWriter(PatternBuilder &b) : b(b), ops(b.ops()), loc(b.loc()) {}

  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<DimExpr> dims);
  mlir::Value transpose(mlir::Value x, llvm::ArrayRef<int64_t> permutation);
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<DimExpr> dims);
  /// `size` elements of an axis from `start` on.
  mlir::Value slice(mlir::Value x, int64_t axis, const DimExpr &start, const DimExpr &size);
  mlir::Value concat(mlir::ValueRange inputs, int64_t axis);
  mlir::Value number(double value, mlir::Type element);
  mlir::Value numbers(llvm::ArrayRef<float> values, llvm::ArrayRef<int64_t> shape);
  /// A tensor of one number.
  mlir::Value filled(double value, mlir::Type element, llvm::ArrayRef<DimExpr> dims);
  /// Operands are broadcast; `equal`, `less` and `greater` give bool.
  mlir::Value elementwise(model::ElementwiseKind kind, mlir::ValueRange operands);
  mlir::Value reduce(model::ReduceKind kind, mlir::Value x, int64_t axis);
  mlir::Value cast(mlir::Value x, mlir::Type element);
  mlir::Value matmul(mlir::Value x, mlir::Value y);
  /// `start`, `start + step`, ...: `size` whole numbers, one axis.
  mlir::Value iota(const DimExpr &start, const DimExpr &step, const DimExpr &size, mlir::Type element);

  /// `B x S x F` tokens with zeros behind them, up to `size`.
  mlir::Value padTokens(mlir::Value tokens, const DimExpr &size);
  /// Means of blocks of `width` tokens as tokens, `B x ceil(S / width) x F`, over those that `mask`, bool
  /// `B x 1 x 1 x S`, keeps unless it is null; zeros where it keeps none.
  mlir::Value blockMeans(mlir::Value tokens, mlir::Value mask, int64_t width);
  /// Whether the mask keeps a token of each block: bool `B x 1 x 1 x ceil(S / width)`.
  mlir::Value anyKept(mlir::Value mask, int64_t width);

  static model::Dims dimsOf(mlir::Value x) { return model::dimsOf(x.getType()); }
  static mlir::Type elementOf(mlir::Value x) {
    return llvm::cast<mlir::RankedTensorType>(x.getType()).getElementType();
  }

private:
  /// Kept tokens of each block, `B x N x 1` of `element`.
  mlir::Value keptCounts(mlir::Value mask, int64_t width, mlir::Type element);

  PatternBuilder &b;
  mlir::OpBuilder &ops;
  mlir::Location loc;
};

} // namespace tamis::sattn
