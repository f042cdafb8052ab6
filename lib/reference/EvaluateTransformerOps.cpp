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

namespace {
/// The mask of an attention: which keys a query may read, and what is added to their scores.
class Mask {
public:
  Mask(AttentionOp op, const Scope &scope, ArrayRef<int64_t> scores) {
    if (!op.getMask())
      return;
    TensorView view = scope.view(op.getMask());
    isBool = !view.isFloat();
    values = readFloats(view);
    strides = broadcastStrides(view.shape, scores);
  }

  /// -infinity for a key that is left out.
  double operator()(int64_t b, int64_t h, int64_t q, int64_t k) const {
    if (values.empty())
      return 0;
    double value = values[b * strides[0] + h * strides[1] + q * strides[2] + k * strides[3]];
    return isBool ? (value ? 0 : -INFINITY) : value;
  }

private:
  bool isBool = false;
  std::vector<double> values; // none: every key is kept
  SmallVector<int64_t> strides;
};

/// Softmax of a row in place. A key is kept when its score is not -infinity; a row that keeps none gives zeros.
void softmaxOfKept(MutableArrayRef<double> scores) {
  double largest = -INFINITY, sum = 0;
  bool anyKept = false;
  for (double score : scores) {
    anyKept |= score != -INFINITY; // NaN is kept, and spreads
    largest = std::fmax(largest, score);
  }
  if (!anyKept) {
    llvm::fill(scores, 0);
    return;
  }
  for (double &score : scores)
    sum += score = score == -INFINITY ? 0 : std::exp(score - largest);
  for (double &score : scores)
    score /= sum;
}
} // namespace

llvm::Error tamis::reference::evaluateOp(AttentionOp op, const Scope &scope, HostTensor &result) {
  TensorView query = scope.view(op.getQuery()), key = scope.view(op.getKey()), value = scope.view(op.getValue());
  std::vector<double> q = readFloats(query), k = readFloats(key), v = readFloats(value);
  int64_t batch = query.shape[0], queries = query.shape[1], keys = key.shape[1];
  int64_t heads = op.getHeads(), group = heads / op.getKvHeads();
  // Row lengths of the operands, and the widths of a head in them.
  int64_t queryRow = query.shape[2], keyRow = key.shape[2], valueRow = value.shape[2], resultRow = result.shape[2];
  int64_t width = queryRow / heads, valueWidth = resultRow / heads;
  double scale = op.getScale().convertToDouble();
  Mask mask(op, scope, {batch, heads, queries, keys});

  std::vector<double> output(result.size()), weights(keys);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < queries; ++i) {
        const double *qi = q.data() + (b * queries + i) * queryRow + h * width;
        for (int64_t j = 0; j < keys; ++j) {
          const double *kj = k.data() + (b * keys + j) * keyRow + h / group * width;
          double score = 0;
          for (int64_t d = 0; d < width; ++d)
            score += qi[d] * kj[d];
          double added = mask(b, h, i, j);
          bool kept = added != -INFINITY && (!op.getCausal() || j <= i + keys - queries);
          weights[j] = kept ? scale * score + added : -INFINITY;
        }
        softmaxOfKept(weights);
        double *to = output.data() + (b * queries + i) * resultRow + h * valueWidth;
        for (int64_t j = 0; j < keys; ++j) {
          if (weights[j] == 0) // a key left out may hold anything, infinity too
            continue;
          const double *vj = v.data() + (b * keys + j) * valueRow + h / group * valueWidth;
          for (int64_t d = 0; d < valueWidth; ++d)
            to[d] += weights[j] * vj[d];
        }
      }
  writeFloats(result, 0, output);
  return llvm::Error::success();
}
