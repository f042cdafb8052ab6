// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What patterns share that choose tokens by a gate, whoever reads them.
#pragma once

#include "dialects/sattn/patterns/PatternBuilder.h"

namespace tamis::sattn {

/// The weight `gate` of an attention.
PatternWeight gateWeight(const AttentionSizes &sizes, bool perHead);
/// The score of each token by the gate that a head reads.
std::vector<double> gateScores(const HeadInputs &head);
/// The tokens that the key mask keeps.
std::vector<int64_t> keptTokens(const AttentionInputs &item);
/// Keeps these tokens for all queries, and for each the key at which it stands.
void keepTokensAndOwn(const HeadInputs &head, llvm::ArrayRef<int64_t> tokens, KeptPairs &kept);

/// Scores of tokens by the first weight, as ops: `B x G x 1 x K`.
mlir::Value gateScores(PatternBuilder &b);
/// Those that fit a budget, in one row for all queries and without causal order. `scores`: `B x G x 1 x K`.
mlir::Value selectTokens(PatternBuilder &b, mlir::Value scores, BudgetKind kind, double value, const DimExpr &capacity);
/// Attention over tokens chosen for all queries, and over the own key.
mlir::Value attendTokensAndOwn(PatternBuilder &b, mlir::Value tokens);

/// Room for the whole part of `share` times a number of tokens, at least one.
DimExpr shareCapacity(const DimExpr &tokens, double share);
inline int64_t shareOf(int64_t tokens, double share) {
  return std::max<int64_t>(1, int64_t(share * tokens));
}

/// The gate whose scores come nearest to the logarithm of what each token receives of dense attention: its mean weight
/// over the queries that may read it and the heads of a gate. The logarithm, because the softmax of such scores is what
/// each receives, which is what a mass is measured in, and a quantile takes any rising function of it; then a constant
/// for each batch item makes no difference, and is left free. Samples are of one attention; none gives an empty vector.
std::vector<std::vector<double>> fitGate(llvm::ArrayRef<AttentionInputs> samples, bool perHead);

} // namespace tamis::sattn
