// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dense attention, and what all ops of attention share.
#include "lib/reference/EvaluateAttention.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;

namespace {
/// The mask of an attention: which keys a query may read, and what is added to their scores.
class Mask {
public:
  Mask(const std::optional<TensorView> &view, ArrayRef<int64_t> scores) {
    if (!view)
      return;
    isBool = !view->isFloat();
    values = readFloats(*view);
    strides = broadcastStrides(view->shape, scores);
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

void tamis::reference::attend(const AttentionOperands &operands, HostTensor &result,
                              llvm::function_ref<bool(int64_t, int64_t, int64_t, int64_t)> reads) {
  const TensorView &query = operands.query, &key = operands.key;
  std::vector<double> q = readFloats(query), k = readFloats(key), v = readFloats(operands.value);
  int64_t batch = query.shape[0], queries = query.shape[1], keys = key.shape[1];
  int64_t heads = operands.heads, group = heads / operands.kvHeads;
  // Row lengths of the operands, and the widths of a head in them.
  int64_t queryRow = query.shape[2], keyRow = key.shape[2], valueRow = operands.value.shape[2];
  int64_t resultRow = result.shape[2], width = queryRow / heads, valueWidth = resultRow / heads;
  Mask mask(operands.mask, {batch, heads, queries, keys});

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
          bool kept =
              added != -INFINITY && (!operands.causal || j <= i + keys - queries) && (!reads || reads(b, h, i, j));
          weights[j] = kept ? operands.scale * score + added : -INFINITY;
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
}

llvm::Error tamis::reference::evaluateOp(model::AttentionOp op, const Scope &scope, HostTensor &result) {
  attend(AttentionOperands::of(op, scope), result);
  return llvm::Error::success();
}
