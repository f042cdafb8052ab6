// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The best blocks of keys of each block of queries.
#include "dialects/sattn/patterns/BlockMeans.h"
#include "dialects/sattn/patterns/PatternBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult BlockTopKAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t block, int64_t k,
                                    int64_t sinks, int64_t local, APFloat mass) {
  double share = mass.convertToDouble();
  if (share != 0 && (k != 0 || !(share > 0 && share <= 1))) // C2
    return emitError() << "found " << k << " blocks and a mass of " << share
                       << " but one of them is wanted, and a mass above 0 and at most 1";
  if (share != 0 && isCount(block, 1) && isCount(sinks, 0) && isCount(local, 0))
    return success();
  if (!isCount(block, 1) || !isCount(k, 1)) // C1
    return emitError() << "found " << k << " blocks of " << block << " but numbers from 1, below 2^31, are wanted";
  if (sinks < 0 || local < 0 || sinks > k || local > k - sinks)
    return emitError() << "found " << sinks << " sinks and " << local << " local blocks of " << k
                       << " but numbers from 0 are wanted, together at most k";
  return success();
}

LogicalResult BlockTopKAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool BlockTopKAttr::readsNumbers() const {
  return true;
}

/// Adds to `chosen` the best of `others` until they hold the mass.
static void keepMass(double mass, double scale, llvm::ArrayRef<double> scores, std::vector<int64_t> others,
                     std::vector<int64_t> &chosen) {
  double most = -INFINITY, all = 0, reached = 0;
  for (const std::vector<int64_t> &blocks : {chosen, others})
    for (int64_t j : blocks)
      most = std::fmax(most, scale * scores[j]);
  auto weightOf = [&](int64_t j) { return std::exp(scale * scores[j] - most); };
  for (int64_t j : chosen)
    reached += weightOf(j);
  all = reached;
  for (int64_t j : others)
    all += weightOf(j);
  llvm::sort(others, [&](int64_t a, int64_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  for (int64_t j : others) {
    if (reached >= mass * all)
      break;
    reached += weightOf(j);
    chosen.push_back(j);
  }
}

void BlockTopKAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  int64_t block = getBlock();
  BlockMeans queryMeans = BlockMeans::ofQueries(head, block), keyMeans = BlockMeans::ofKeys(head, block);
  for (int64_t row = 0; row < int64_t(queryMeans.kept.size()); ++row) {
    int64_t end = std::min(head.queries, (row + 1) * block), last = head.positionOf(end - 1);
    std::vector<double> scores;
    std::vector<int64_t> forced, others;
    for (int64_t j = 0; j < int64_t(keyMeans.kept.size()); ++j) {
      double &score = scores.emplace_back();
      for (int64_t d = 0; d < head.width; ++d)
        score += queryMeans.values[row * head.width + d] * keyMeans.values[j * head.width + d];
      if (!keyMeans.kept[j] || (head.causal && j * block > last))
        continue;
      bool isLocal = last >= 0 && j <= last / block && j > last / block - getLocal();
      (j < getSinks() || isLocal ? forced : others).push_back(j);
    }
    std::vector<int64_t> chosen = forced;
    if (getK()) {
      for (int64_t j : largest(scores, others, getK() - int64_t(forced.size())))
        chosen.push_back(j);
    } else {
      keepMass(getMass().convertToDouble(), head.item.scale, scores, others, chosen);
    }
    for (int64_t j : chosen)
      for (int64_t q = row * block; q < end; ++q)
        for (int64_t k = j * block; k < std::min(head.keys, (j + 1) * block); ++k)
          if (head.isOrdered(q, k))
            kept.keep(q, k);
  }
}

Value BlockTopKAttr::lower(PatternBuilder &b) const {
  PatternBuilder::Selection best{BudgetKind::count, double(getK()), getK()};
  best.sinks = getSinks();
  best.local = getLocal();
  Value scores = b.score(b.meansOfQueries(getBlock()), b.meansOfKeys(getBlock()));
  if (!getK()) {
    best.kind = BudgetKind::share;
    best.value = getMass().convertToDouble();
    best.capacity = ceilDiv(b.keys(), getBlock());
    scores = b.weigh(scores, {WeighKind::blocks, b.scale(), getBlock(), 1, 1, b.queries()});
  }
  return b.attend({b.select(scores, getBlock(), getBlock(), best)});
}

int64_t BlockTopKAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * (getK() ? std::min(keys, getK() * getBlock()) : keys);
}
