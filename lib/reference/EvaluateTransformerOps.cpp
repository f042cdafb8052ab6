// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that bear the names of a transformer's parts.
#include "dialects/model/ModelShapes.h"
#include "lib/reference/EvaluateOps.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using namespace tamis::reference;

llvm::Error tamis::reference::evaluateOp(LinearOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput()), weight = scope.view(op.getWeight());
  int64_t inner = input.shape.back(), columns = result.shape.back();
  int64_t rows = elementCount(ArrayRef(result.shape).drop_back()).value_or(0);
  std::vector<double> x = readFloats(input), sums(rows * columns), bias(columns);
  if (op.getBias())
    bias = readFloats(scope.view(op.getBias()));
  // The weight is read once, a row at a time: it may be far larger than everything else here.
  if (op.getTransposed()) {
    for (int64_t n = 0; n < columns; ++n) {
      std::vector<double> w = readFloats(weight, n * inner, inner);
      for (int64_t m = 0; m < rows; ++m) {
        double sum = 0;
        for (int64_t k = 0; k < inner; ++k)
          sum += x[m * inner + k] * w[k];
        sums[m * columns + n] = sum;
      }
    }
  } else {
    for (int64_t k = 0; k < inner; ++k) {
      std::vector<double> w = readFloats(weight, k * columns, columns);
      for (int64_t m = 0; m < rows; ++m)
        for (int64_t n = 0; n < columns; ++n)
          sums[m * columns + n] += x[m * inner + k] * w[n];
    }
  }
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < columns; ++n)
      sums[m * columns + n] += bias[n];
  writeFloats(result, 0, sums);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(NormOp op, const Scope &scope, HostTensor &result) {
  std::vector<double> x = readFloats(scope.view(op.getInput()));
  int64_t length = elementCount(ArrayRef(result.shape).drop_front(op.getAxis())).value_or(0);
  int64_t slices = elementCount(ArrayRef(result.shape).take_front(op.getAxis())).value_or(0);
  std::vector<double> scale(length, 1), bias(length, 0);
  if (op.getScale())
    scale = readFloats(scope.view(op.getScale()));
  if (op.getBias())
    bias = readFloats(scope.view(op.getBias()));
  double epsilon = op.getEpsilon().convertToDouble();
  for (int64_t s = 0; s < slices; ++s) {
    MutableArrayRef<double> slice(x.data() + s * length, length);
    double mean = 0, square = 0;
    if (op.getKind() == NormKind::layer) {
      for (double value : slice)
        mean += value;
      mean /= length;
    }
    for (double value : slice)
      square += (value - mean) * (value - mean);
    double deviation = std::sqrt(square / length + epsilon);
    for (int64_t i = 0; i < length; ++i)
      slice[i] = (slice[i] - mean) / deviation * scale[i] + bias[i];
  }
  writeFloats(result, 0, x);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(EmbeddingOp op, const Scope &scope, HostTensor &result) {
  TensorView table = scope.view(op.getTable());
  int64_t vocabulary = table.shape[0], row = table.shape[1] * elementBytes(table.element); // bytes
  char *to = result.bytes.data();
  for (auto [position, id] : llvm::enumerate(readIntegers(scope.view(op.getIds())))) {
    if (id < -vocabulary || id >= vocabulary)
      return fail(op, "id " + std::to_string(id) + ", element " + std::to_string(position) +
                          " of the ids, is outside of [" + std::to_string(-vocabulary) + ", " +
                          std::to_string(vocabulary) + ")");
    std::copy_n(table.bytes.data() + (id < 0 ? id + vocabulary : id) * row, row, to);
    to += row;
  }
  return llvm::Error::success();
}
