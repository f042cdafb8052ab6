// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What importers of quantized ops share: scales, zero points, products of integers.
#pragma once

#include "lib/import/OnnxGraph.h"

namespace tamis {

/// Scales and zero points of one tensor, in the form of `model.quantize`.
struct Quantization {
  mlir::Value scale, zeroPoint; ///< no zero point where all are 0
  mlir::Type zeroElement;       ///< of the zero points, null where none are given
  int64_t block = 0, axis = 0;  ///< without blocks 0

  /// Reads the operands of node that hold them for the tensor `operand`: one number, one an index of `axis`, or with
  /// `blockSize` one a block along it.
  mlir::LogicalResult read(OnnxNode &node, size_t operand, size_t scale, size_t zeroPoint, int64_t axis,
                           int64_t blockSize);
  mlir::Value quantize(OnnxNode &node, mlir::Value x, mlir::Type element) const;
  mlir::Value dequantize(OnnxNode &node, mlir::Value q, mlir::Type element) const;

  mlir::IntegerAttr blockAttr(OnnxNode &node) const;
  mlir::IntegerAttr axisAttr(OnnxNode &node) const;
};

/// Fails unless the operand is a float tensor, and where its elements are known, each is finite and not 0.
mlir::LogicalResult checkScales(OnnxNode &node, size_t i, llvm::StringRef what);

/// Known to be 0 in every element.
bool isZero(const OnnxValue &value);

mlir::Value castTo(OnnxNode &node, mlir::Value value, mlir::Type element);

/// Scale and zero point (ui8) of a tensor of f32 as DynamicQuantizeLinear computes them, rank 0.
struct DynamicScale {
  mlir::Value scale, zeroPoint;
};
DynamicScale dynamicScale(OnnxNode &node, mlir::Value x);

/// A left operand of 8-bit integers, with its zero point, or null for 0.
struct IntegerOperand {
  mlir::Value value;
  model::Dims dims;
  mlir::Value zeroPoint;
};

/// The product of two tensors of 8-bit integers less their zero points, in i32, shaped as MatMul's.
mlir::FailureOr<mlir::Value> integerProduct(OnnxNode &node, size_t a, size_t b, size_t aZeroPoint, size_t bZeroPoint);
mlir::FailureOr<mlir::Value> integerProduct(OnnxNode &node, const IntegerOperand &a, size_t b, size_t bZeroPoint);
/// Such a product as f32, times the product of both scales.
mlir::FailureOr<mlir::Value> scaleProduct(OnnxNode &node, mlir::Value sums, mlir::Value aScale, size_t bScale);

/// Ops of com.microsoft; addOnnxQuantizeOps calls it.
void addOnnxRuntimeQuantizeOps(OnnxOpTable &table);

} // namespace tamis
