// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The own key, and as many tokens as hold the mass of a gate.
#include "dialects/sattn/patterns/Gate.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

static constexpr double kMass = 0.9;

LogicalResult DynamicGateAttr::verify(function_ref<InFlightDiagnostic()> emitError, std::optional<APFloat> mass,
                                      std::optional<APFloat> threshold, bool) {
  if (mass && threshold) // C1
    return emitError() << "found a mass and a threshold but one of them is wanted";
  if (threshold && !threshold->isFinite())
    return emitError() << "found a threshold of " << threshold->convertToDouble() << " but a finite number is wanted";
  if (mass && !(mass->convertToDouble() > 0 && mass->convertToDouble() <= 1))
    return emitError() << "found a mass of " << mass->convertToDouble()
                       << " but a number above 0 and at most 1 is wanted";
  return success();
}

LogicalResult DynamicGateAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool DynamicGateAttr::readsNumbers() const {
  return true;
}

SmallVector<PatternWeight> DynamicGateAttr::weights(const AttentionSizes &sizes) const {
  return {gateWeight(sizes, getPerHead())};
}

void DynamicGateAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  std::vector<double> scores = gateScores(head);
  std::vector<int64_t> tokens, chosen;
  for (int64_t k : keptTokens(head.item))
    if (!std::isnan(scores[k])) // of no weight, and no less than any number
      tokens.push_back(k);
  if (auto threshold = getThreshold()) {
    for (int64_t k : tokens)
      if (scores[k] >= threshold->convertToDouble())
        chosen.push_back(k);
    return keepTokensAndOwn(head, chosen, kept);
  }
  double most = -INFINITY, mass = getMass() ? getMass()->convertToDouble() : kMass;
  for (int64_t k : tokens)
    most = std::max(most, scores[k]);
  auto weightOf = [&](int64_t k) { return scores[k] == most ? 1 : std::exp(scores[k] - most); };
  llvm::sort(tokens, [&](int64_t a, int64_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  double sum = 0, reached = 0;
  for (int64_t k : tokens)
    sum += weightOf(k);
  for (int64_t k : tokens) {
    if (reached >= mass * sum)
      break;
    chosen.push_back(k);
    reached += weightOf(k);
  }
  keepTokensAndOwn(head, chosen, kept);
}

Value DynamicGateAttr::lower(PatternBuilder &b) const {
  BudgetKind kind = getThreshold() ? BudgetKind::threshold : BudgetKind::mass;
  double value = getThreshold() ? getThreshold()->convertToDouble() : getMass() ? getMass()->convertToDouble() : kMass;
  return attendTokensAndOwn(b, selectTokens(b, gateScores(b), kind, value, b.keys()));
}

int64_t DynamicGateAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * keys;
}

std::vector<std::vector<double>> DynamicGateAttr::fit(ArrayRef<AttentionInputs> samples) const {
  return fitGate(samples, getPerHead());
}
