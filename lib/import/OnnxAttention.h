// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What importers of the attentions of com.microsoft have in common.
#pragma once

#include "lib/import/OnnxEmit.h"

namespace tamis {

/// Attention whose operands are [batch, tokens, heads * width], or [tokens, heads * width].
struct AttentionHeads {
  mlir::Value query, key, value;
  int64_t heads;
  DimExpr past = DimExpr(0); ///< tokens of the cache, which come first
  DimExpr batch() const { return dimsOf(query)[0]; }
  DimExpr queries() const { return dimsOf(query)[1]; }
  DimExpr keys() const { return dimsOf(key)[1]; }
};

/// Operand 0 times the weight, operand 1, plus the bias, operand 2, in three parts by `qkv_hidden_sizes`. Fails with
/// the reason of its node.
mlir::FailureOr<AttentionHeads> projectedHeads(OnnxNode &node);
/// Adds operand `i`, where it is given, one bias for all three. Fails with the reason of its node.
mlir::LogicalResult addSharedBias(OnnxNode &node, size_t i, AttentionHeads &heads);
/// Part `part` of `value`, [.., heads, parts, width], as [.., heads * width].
mlir::Value partOfHeads(OnnxNode &node, mlir::Value value, int64_t part);

} // namespace tamis
