// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pages that may hold the best keys of each query.
#include "dialects/sattn/patterns/BlockMeans.h"
#include "dialects/sattn/patterns/PatternBuilder.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult PageBoundsAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t page, int64_t k,
                                     int64_t block, int64_t local) {
  if (!isCount(page, 1) || !isCount(k, 1) || !isCount(block, 1)) // C1
    return emitError() << "found " << k << " pages of " << page << " for blocks of " << block
                       << " queries but numbers from 1, below 2^31, are wanted";
  if (local < 0 || local > k)
    return emitError() << "found " << local << " local pages of " << k << " but a number from 0 to k is wanted";
  return success();
}

LogicalResult PageBoundsAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool PageBoundsAttr::readsNumbers() const {
  return true;
}

void PageBoundsAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  int64_t page = getPage(), pages = (head.keys + page - 1) / page, width = head.width;
  std::vector<double> most(pages * width, -INFINITY), least(pages * width, INFINITY);
  std::vector<bool> hasKeys(pages);
  for (int64_t k = 0; k < head.keys; ++k)
    for (int64_t d = 0; head.isKept(k) && d < width; ++d) {
      double number = head.key[k * width + d], &high = most[k / page * width + d], &low = least[k / page * width + d];
      high = std::max(high, number);
      low = std::min(low, number);
      hasKeys[k / page] = true;
    }
  BlockMeans queries = BlockMeans::ofQueries(head, getBlock());
  for (int64_t row = 0; row < int64_t(queries.kept.size()); ++row) {
    int64_t end = std::min(head.queries, (row + 1) * getBlock()), last = head.positionOf(end - 1);
    std::vector<double> bounds;
    std::vector<int64_t> chosen, others;
    for (int64_t j = 0; j < pages; ++j) {
      double &bound = bounds.emplace_back();
      if (!hasKeys[j] || (head.causal && j * page > last))
        continue;
      for (int64_t d = 0; d < width; ++d) {
        double q = queries.values[row * width + d];
        bound += std::max(q * most[j * width + d], q * least[j * width + d]);
      }
      bool isLocal = last >= 0 && j <= last / page && j > last / page - getLocal();
      (isLocal ? chosen : others).push_back(j);
    }
    for (int64_t j : largest(bounds, others, getK() - int64_t(chosen.size())))
      chosen.push_back(j);
    for (int64_t j : chosen)
      for (int64_t q = row * getBlock(); q < end; ++q)
        for (int64_t k = j * page; k < std::min(head.keys, (j + 1) * page); ++k)
          if (head.isOrdered(q, k))
            kept.keep(q, k);
  }
}

Value PageBoundsAttr::lower(PatternBuilder &b) const {
  PatternBuilder::Selection best{BudgetKind::count, double(getK()), getK()};
  best.local = getLocal();
  // max(q most, q least) = max(q, 0) most + min(q, 0) least: a product of vectors of twice the width.
  Value scores =
      b.score(b.summaryOfQueries(SummaryKind::signs, getBlock()), b.summaryOfKeys(SummaryKind::bounds, getPage()));
  return b.attend({b.select(scores, getBlock(), getPage(), best)});
}

int64_t PageBoundsAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * std::min(keys, getK() * getPage());
}
