// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The own key, and the tokens whose gate is above a quantile.
#include "dialects/sattn/patterns/Gate.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult GateQuantileAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat number, bool) {
  double quantile = number.convertToDouble();
  if (!(quantile >= 0 && quantile < 1)) // C1
    return emitError() << "found a quantile of " << quantile << " but a number from 0 to below 1 is wanted";
  return success();
}

LogicalResult GateQuantileAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool GateQuantileAttr::readsNumbers() const {
  return true;
}

SmallVector<PatternWeight> GateQuantileAttr::weights(const AttentionSizes &sizes) const {
  return {gateWeight(sizes, getPerHead())};
}

void GateQuantileAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  std::vector<double> scores = gateScores(head);
  std::vector<int64_t> tokens = keptTokens(head.item), chosen;
  if (!tokens.empty()) {
    auto isBelow = [&](int64_t a, int64_t b) { // NaN is below every number
      return std::isnan(scores[a]) ? !std::isnan(scores[b]) : scores[a] < scores[b];
    };
    std::vector<int64_t> ascending = tokens;
    llvm::sort(ascending, isBelow);
    int64_t limit = ascending[int64_t(getQuantile().convertToDouble() * (ascending.size() - 1))];
    for (int64_t k : tokens)
      if (isBelow(limit, k))
        chosen.push_back(k);
  }
  keepTokensAndOwn(head, chosen, kept);
}

Value GateQuantileAttr::lower(PatternBuilder &b) const {
  double quantile = getQuantile().convertToDouble();
  // Sizes are whole numbers: the quantile in thousandths, rounded down, and one for what the rounding of products
  // takes.
  DimExpr capacity = b.keys() - DimExpr::floorDiv((b.keys() - 1) * int64_t(quantile * 1000), 1000);
  return attendTokensAndOwn(b, selectTokens(b, gateScores(b), BudgetKind::quantile, quantile, capacity));
}

int64_t GateQuantileAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  int64_t below = 1 + int64_t(getQuantile().convertToDouble() * std::max<int64_t>(0, keys - 1)); // the limit with them
  return queries * std::min(keys, std::max<int64_t>(0, keys - below) + 1);
}

std::vector<std::vector<double>> GateQuantileAttr::fit(ArrayRef<AttentionInputs> samples) const {
  return fitGate(samples, getPerHead());
}
