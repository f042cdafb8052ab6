// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights that stay packed in a plan.
#pragma once

#include "dialects/model/ModelDialect.h"
#include <optional>

namespace tamis {

/// A matrix of integers of 4 or 8 bits, an output a row, whose rows are cut into groups that share a scale, perhaps a
/// zero point and a minimum: what kernels unpack in registers. Read off its model.dequantize:
/// ```mlir
/// %w = model.dequantize %q scale %s minimum %m block 32 along 1
///     : tensor<1536x576xui4>, tensor<1536x18xf16> minimum tensor<1536x18xf16> -> tensor<1536x576xf32>
/// ```
struct PackedWeight {
  model::DequantizeOp op;
  int64_t outputs, depth; ///< rows and columns of the matrix; both 1 or more
  int64_t group, groups;  ///< columns that share a scale, the last group of a row may have fewer; groups of a row
  unsigned bits;
  bool isSigned;
  std::optional<int64_t> uniformZero; ///< the zero point, where one is known for all groups; 0 without zero points

  /// What is added to stored integers (packWords).
  int64_t lift() const { return isSigned ? int64_t(1) << (bits - 1) : 0; }
  /// Zero points that are read from memory; null where uniformZero is known.
  mlir::Value zeroPoints() const { return uniformZero ? mlir::Value() : model::DequantizeOp(op).getZeroPoint(); }
  unsigned groupsOf(int64_t columns) const { return (columns + group - 1) / group; }

  /// Nothing for values of another form: blocks along axis 1, scales of f16 or f32, one of each group, groups of whole
  /// words (PackWords.h) where a row has several.
  static std::optional<PackedWeight> of(mlir::Value weight);
};

/// Whether this use of a weight has a kernel that unpacks it: a linear that reads it transposed, or the table of an
/// embedding.
bool readsPacked(mlir::OpOperand &use);

/// Whether a dequantization is of weights that are known, and all that read it read it packed. Such ops become part of
/// the kernels that read them.
bool keepsPacked(model::DequantizeOp op);

} // namespace tamis
