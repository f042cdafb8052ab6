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

/// One batch item of a tensor of tokens.
std::vector<double> itemOf(const std::vector<double> &numbers, int64_t b, int64_t batch) {
  int64_t size = numbers.size() / std::max<int64_t>(1, batch);
  return {numbers.begin() + b * size, numbers.begin() + (b + 1) * size};
}
} // namespace

void tamis::reference::forEachHead(
    const AttentionOperands &operands, HostTensor &result,
    llvm::function_ref<void(int64_t, const sattn::HeadInputs &, MutableArrayRef<double>)> evaluate,
    llvm::function_ref<void(int64_t, sattn::AttentionInputs &)> prepare) {
  std::vector<double> q = readFloats(operands.query), k = readFloats(operands.key), v = readFloats(operands.value);
  int64_t batch = operands.query.shape[0], queries = operands.query.shape[1], keys = operands.key.shape[1];
  int64_t heads = operands.heads, width = operands.query.shape[2] / heads, valueWidth = result.shape[2] / heads;
  Mask mask(operands.mask, {batch, heads, queries, keys});
  std::vector<double> output(result.size()), ofHead(queries * valueWidth);
  for (int64_t b = 0; b < batch; ++b) {
    sattn::AttentionInputs item{queries,
                                keys,
                                heads,
                                operands.kvHeads,
                                width,
                                valueWidth,
                                itemOf(q, b, batch),
                                itemOf(k, b, batch),
                                itemOf(v, b, batch)};
    item.scale = operands.scale;
    item.causal = operands.causal;
    item.added = [&mask, b](int64_t h, int64_t i, int64_t j) { return mask(b, h, i, j); };
    if (prepare)
      prepare(b, item);
    for (int64_t h = 0; h < heads; ++h) {
      evaluate(b, sattn::HeadInputs(item, h), ofHead);
      for (int64_t i = 0; i < queries; ++i)
        std::copy_n(ofHead.begin() + i * valueWidth, valueWidth,
                    output.begin() + ((b * queries + i) * heads + h) * valueWidth);
    }
  }
  writeFloats(result, 0, output);
}

llvm::Error tamis::reference::evaluateOp(model::AttentionOp op, const Scope &scope, HostTensor &result) {
  forEachHead(AttentionOperands::of(op, scope), result,
              [](int64_t, const sattn::HeadInputs &head, MutableArrayRef<double> output) {
                attendKept(head, sattn::KeptPairs(head.queries, head.keys, true), output);
              });
  return llvm::Error::success();
}
