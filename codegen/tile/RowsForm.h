// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a row kernel consists of.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// A kernel that can be computed row by row in vectors: one norm, or softmax along the last axis, of f32, f16 or bf16,
/// one model.quantize_rows of what follows from it, or both, whose other ops are functions without branches of values
/// that are rows, one number a row, or broadcast along leading axes.
struct RowsForm {
  mutable model::NormOp norm; ///< or
  mutable model::SoftmaxOp softmax;
  mutable model::QuantizeRowsOp quantize; ///< with one of them, or alone
  model::Dims lead;                       ///< axes that count rows
  model::Dims inner;                      ///< axes of one row

  /// What rows go through first.
  mlir::Operation *op() const {
    return norm ? norm.getOperation() : softmax ? softmax.getOperation() : quantize.getOperation();
  }
  mlir::Value input() const { return op()->getOperand(0); }
  mlir::Value result() const { return op()->getResult(0); }
  DimExpr rows() const { return product(lead); }
  DimExpr length() const { return product(inner); }
  /// Rows of one work group.
  int64_t groupRows() const;
  /// Whether the op's operand goes through scratch, because it takes computing or conversion.
  bool isStaged() const;
  /// Whether any value of a row does.
  bool needsScratch() const;

  /// How an argument is read along a row.
  enum class Access { row, number };
  /// Nothing when its sizes are neither.
  std::optional<Access> accessOf(mlir::Value value) const;
  /// Sizes of the argument's axes that count rows, as many as `lead`, each 1 or that of `lead`.
  model::Dims leadOf(mlir::Value value) const;

  /// Nothing when the kernel is not of this form.
  static std::optional<RowsForm> of(mlir::func::FuncOp kernel);
  /// The same of ops that are to be a kernel, in order, before it exists. No constant but one number may be among what
  /// they read.
  static std::optional<RowsForm> of(llvm::ArrayRef<mlir::Operation *> ops);

private:
  bool addRowOp(mlir::Operation *op);
  bool isComputable(mlir::Operation *op) const;
};

} // namespace tamis
