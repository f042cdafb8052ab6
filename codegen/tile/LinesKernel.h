// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of lines compute, and the code of one line; for CPUs and GPUs.
#pragma once

#include "codegen/tile/ElementMath.h"
#include "codegen/tile/KernelBuilder.h"

namespace tamis {

/// A kernel of one op on arguments, taken apart.
struct LinesKernel {
  /// Fails with a diagnostic for kernels of another form.
  static mlir::FailureOr<LinesKernel> analyse(mlir::func::FuncOp function);

  mlir::Operation *op;
  llvm::SmallVector<mlir::BlockArgument> operands;
  mlir::Type element;
  // Elements are outer x length x inner, and lines along the middle. Of a scatter the middle are the axes that tuples
  // index, outer the batch items.
  DimExpr outer, length, inner;
};

/// Writes the code of lines at a builder's insertion point.
class LineWriter {
public:
  LineWriter(KernelBuilder &builder, const LinesKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), math(builder, target) {}

  /// Line `number` of a cumulative op.
  void cumulative(mlir::Value number);
  /// Line `number` of a top_k, in scratch of two i32 an element.
  void sorted(mlir::Value number);
  /// Element `place` of line `number` of a top_k, without scratch: it counts those that come before it.
  void ranked(mlir::Value number, mlir::Value place);
  /// Elements [begin, end) of each update of batch item `batch`. Gives an i32, 1 when an index was out of range.
  mlir::Value scatter(mlir::Value batch, mlir::Value begin, mlir::Value end);

private:
  struct Line {
    mlir::Value first, firstResult, step; ///< element offsets
  };
  Line line(mlir::Value number, const DimExpr &results);
  mlir::Value input(mlir::Value offset) { return load(0, kernel.element, offset); }
  /// An element of an operand, in compute form.
  mlir::Value load(unsigned operand, mlir::Type element, mlir::Value offset);
  /// Whether the element `a`, from operand 0, comes before `b`, which stands in front of it.
  mlir::Value comesBefore(mlir::Value a, mlir::Value b);
  mlir::Value place(mlir::Value scratchOffset);
  void setPlace(mlir::Value number, mlir::Value scratchOffset);
  void merge(const Line &line, mlir::Value from, mlir::Value to, mlir::Value begin, mlir::Value middle,
             mlir::Value end);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a, mlir::Value c);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);

  KernelBuilder &b;
  const LinesKernel &kernel;
  ElementMath math;
};

} // namespace tamis
