// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What all ops of attention share: operands by head, masks, softmax over the keys that are kept.
#pragma once

#include "lib/reference/EvaluateOps.h"

namespace tamis::reference {

/// An op that has the operands and attributes of `model.attention`.
struct AttentionOperands {
  TensorView query, key, value;
  std::optional<TensorView> mask;
  int64_t heads, kvHeads;
  double scale;
  bool causal;

  template <typename Op> static AttentionOperands of(Op op, const Scope &scope) {
    AttentionOperands operands{
        scope.view(op.getQuery()), scope.view(op.getKey()),  scope.view(op.getValue()),       {},
        int64_t(op.getHeads()),    int64_t(op.getKvHeads()), op.getScale().convertToDouble(), op.getCausal()};
    if (op.getMask())
      operands.mask = scope.view(op.getMask());
    return operands;
  }
};

/// Writes the attention of all heads to `result`. `reads(b, h, q, k)`: whether a pair is read at all, beside masks and
/// causal order; null for every pair.
void attend(const AttentionOperands &operands, HostTensor &result,
            llvm::function_ref<bool(int64_t b, int64_t h, int64_t q, int64_t k)> reads = nullptr);

} // namespace tamis::reference
