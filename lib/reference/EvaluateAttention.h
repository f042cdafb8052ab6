// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What all ops of attention share: operands by head, masks, softmax over the keys that are kept.
#pragma once

#include "dialects/sattn/Pattern.h"
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

/// Writes what `evaluate` computes of each head of each batch item, queries x width of a value, to `result`. `prepare`,
/// unless null, completes a batch item before its heads.
void forEachHead(
    const AttentionOperands &operands, HostTensor &result,
    llvm::function_ref<void(int64_t b, const sattn::HeadInputs &head, llvm::MutableArrayRef<double> output)> evaluate,
    llvm::function_ref<void(int64_t b, sattn::AttentionInputs &item)> prepare = nullptr);

} // namespace tamis::reference
