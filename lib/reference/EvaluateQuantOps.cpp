// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops between numbers and the integers that stand for them, and the product of such integers.
#include "dialects/model/ModelShapes.h"
#include "lib/reference/EvaluateOps.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using namespace tamis::reference;

namespace {
/// For each element of the operand, the index of its scale and zero point.
template <typename Op> std::vector<int64_t> scaleIndices(Op op, const TensorView &scale, ArrayRef<int64_t> shape) {
  std::vector<int64_t> indices(elementCount(shape).value_or(0));
  SmallVector<int64_t> steps = broadcastStrides(scale.shape, shape), strides = rowMajorStrides(shape);
  int64_t block = op.getBlock().value_or(1), axis = op.getAxis().value_or(0);
  for (int64_t i = 0; i < int64_t(indices.size()); ++i)
    for (size_t k = 0; k < shape.size(); ++k) {
      int64_t at = i / strides[k] % shape[k];
      indices[i] +=
          (op.getBlock() && int64_t(k) == axis ? at / block * rowMajorStrides(scale.shape)[k] : at * steps[k]);
    }
  return indices;
}

/// The largest finite number of a narrow float.
double largest(FloatType type) {
  return llvm::APFloat::getLargest(type.getFloatSemantics()).convertToDouble();
}
} // namespace

llvm::Error tamis::reference::evaluateOp(QuantizeOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput()), scaleView = scope.view(op.getScale());
  std::vector<double> values = readFloats(input), scales = readFloats(scaleView);
  std::vector<int64_t> zeros(scales.size()), at = scaleIndices(op, scaleView, result.shape);
  if (op.getZeroPoint())
    zeros = readIntegers(scope.view(op.getZeroPoint()));
  bool wide = input.element.isF64();
  for (size_t i = 0; i < values.size(); ++i) {
    double quotient = wide ? values[i] / scales[at[i]] : double(float(values[i]) / float(scales[at[i]]));
    if (auto type = dyn_cast<FloatType>(result.element))
      values[i] = std::isnan(quotient) ? quotient : std::clamp(quotient, -largest(type), largest(type));
    else
      values[i] = std::nearbyint(quotient) + double(zeros[at[i]]); // ties to even; the sum saturates when it is written
  }
  writeFloats(result, 0, values);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(QuantizeRowsOp op, const Scope &scope, MutableArrayRef<HostTensor> results) {
  TensorView input = scope.view(op.getInput());
  std::vector<double> values = readFloats(input), scales(results[1].size()), zeros(scales.size());
  int64_t length = input.shape.back();
  for (size_t row = 0; row < scales.size(); ++row) {
    float low = 0, high = 0;
    for (int64_t i = 0; i < length; ++i) {
      auto x = float(values[row * length + i]);
      low = std::isnan(x) || x < low ? x : low; // once NaN, it stays
      high = std::isnan(x) || x > high ? x : high;
    }
    float scale = (high - low) / 255;
    scales[row] = scale;
    double zero = std::nearbyint(-low / scale);
    zeros[row] = std::isnan(zero) ? 0 : std::clamp(zero, 0.0, 255.0);
    for (int64_t i = 0; i < length; ++i) {
      double &x = values[row * length + i];
      x = std::nearbyint(float(x) / scale) + zeros[row]; // ties to even; saturates when it is written
    }
  }
  writeFloats(results[0], 0, values);
  writeFloats(results[1], 0, scales);
  writeFloats(results[2], 0, zeros);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(DequantizeOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput()), scaleView = scope.view(op.getScale());
  std::vector<double> scales = readFloats(scaleView), values = readFloats(input);
  std::vector<int64_t> zeros(scales.size()), at = scaleIndices(op, scaleView, result.shape);
  if (op.getZeroPoint())
    zeros = readIntegers(scope.view(op.getZeroPoint()));
  std::vector<double> minima(scales.size());
  if (op.getMinimum())
    minima = readFloats(scope.view(op.getMinimum()));
  bool wide = result.element.isF64();
  for (size_t i = 0; i < values.size(); ++i) {
    double difference = values[i] - double(zeros[at[i]]); // of 33 bits at most
    values[i] = wide ? difference * scales[at[i]] : double(float(difference) * float(scales[at[i]]));
    if (op.getMinimum())
      values[i] = wide ? values[i] + minima[at[i]] : double(float(values[i]) + float(minima[at[i]]));
  }
  writeFloats(result, 0, values);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(IntegerLinearOp op, const Scope &scope, HostTensor &result) {
  TensorView weightView = scope.view(op.getWeight());
  std::vector<int64_t> x = readIntegers(scope.view(op.getInput())), w = readIntegers(weightView);
  int64_t inner = weightView.shape[op.getTransposed() ? 1 : 0], columns = result.shape.back();
  int64_t rows = columns ? result.size() / columns : 0;
  std::vector<int64_t> inputZeros(1), weightZeros(1), sums(result.size());
  if (op.getInputZeroPoint())
    inputZeros = readIntegers(scope.view(op.getInputZeroPoint()));
  if (op.getWeightZeroPoint())
    weightZeros = readIntegers(scope.view(op.getWeightZeroPoint()));
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < columns; ++n)
      for (int64_t k = 0; k < inner; ++k)
        sums[m * columns + n] +=
            (x[m * inner + k] - inputZeros[inputZeros.size() > 1 ? m : 0]) *
            (w[op.getTransposed() ? n * inner + k : k * columns + n] - weightZeros[weightZeros.size() > 1 ? n : 0]);
  writeIntegers(result, sums); // keeps the low bits
  return llvm::Error::success();
}
