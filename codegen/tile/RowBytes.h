// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows of numbers as bytes, each row in units of its own: what model.quantize_rows computes once the extremes are
// known.
#pragma once

#include "codegen/tile/ElementMath.h"
#include "codegen/tile/KernelBuilder.h"

namespace tamis {

/// Emits the steps of a `model.quantize_rows`, whose results may be those of the kernel. The integers are exactly the
/// op's, on every target.
class RowBytes {
public:
  RowBytes(KernelBuilder &builder, const CpuTarget &target, model::QuantizeRowsOp op);

  /// The larger of two numbers or vectors; NaN where either is, of zeros any.
  mlir::Value larger(mlir::Value a, mlir::Value b);
  /// The largest number of a row and the largest of its negatives, both from 0 on: its unit, written where row `row` of
  /// the results has it.
  void setUnit(mlir::Value high, mlir::Value below, mlir::Value row);
  /// Calls `sweep` with a function from a vector of the row to its bytes, once or, for two kinds of units, twice; not
  /// when no bytes are wanted. `sweep` stores them.
  void write(llvm::function_ref<void(llvm::function_ref<mlir::Value(mlir::Value)>)> sweep);

private:
  bool isResult(mlir::Value value);
  mlir::Value rounded(mlir::Value x, mlir::Value scale);
  std::function<mlir::Value(mlir::Value)> byReciprocal();

  KernelBuilder &b;
  ElementMath math;
  model::QuantizeRowsOp op;
  unsigned lanes;
  bool hasMultiplyAdd; ///< with one rounding
  mlir::Type f32, byte;
  mlir::Value scale, zeroPoint; ///< of the row at hand, scalars
};

} // namespace tamis
