// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Over which axes the loops of a map kernel run, and how they are cut into work groups.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// The iteration space of a map kernel: the result's sizes, with axes split, joined or moved so that inner loops are
/// long and free of divisions.
struct MapSpace {
  /// Sizes of the axes of the loops; row-major order of `dims` is that of the results, but for `innermost`.
  model::Dims dims;
  /// The axis of `dims` that the inner loop runs over; the others keep their order. The last but for a softmax along
  /// another axis, whose maxima and sums are computed once a row of the loops.
  unsigned innermost = 0;
  /// Every value is read at the element's own number, or is one number: one loop over all elements, no axes.
  bool isFlat = false;
  /// A sum along another axis than the last, or a product of matrices, at the root of the kernel: its row is summed in
  /// scratch, the summed axis outside, so that reads run along rows.
  mlir::Operation *buffered = nullptr;
  /// Elements of one work group.
  int64_t chunk = 0;
  /// Groups are whole rows of a static number of elements.
  bool hasWholeRows = false;

  DimExpr elements() const { return product(dims); }
  const DimExpr &rowElements() const { return dims[innermost]; }

  static llvm::FailureOr<MapSpace> of(mlir::func::FuncOp kernel);
};

} // namespace tamis
