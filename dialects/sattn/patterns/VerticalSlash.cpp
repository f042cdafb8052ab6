// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The columns and diagonals of the attention matrix that the last queries weigh most.
#include "dialects/sattn/patterns/PatternBuilder.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult VerticalSlashAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t vertical, int64_t slash,
                                        int64_t sinks, int64_t local, int64_t last, int64_t block) {
  if (!isCount(vertical, 1) || !isCount(slash, 1) || !isCount(last, 1) || !isCount(block, 1)) // C1
    return emitError() << "found " << vertical << " columns and " << slash << " diagonals by the last " << last
                       << " queries for blocks of " << block << " but numbers from 1, below 2^31, are wanted";
  if (sinks < 0 || sinks > vertical || local < 0 || local > slash) // C2
    return emitError() << "found " << sinks << " sinks of " << vertical << " columns and " << local
                       << " local diagonals of " << slash << " but numbers from 0 to as many are wanted";
  return success();
}

LogicalResult VerticalSlashAttr::fits(const AttentionSizes &sizes, function_ref<InFlightDiagnostic()> emitError) const {
  if (!sizes.causal) // C3
    return emitError()
           << "found attention without causal order but vertical_slash wants it: the last queries see every "
              "distance";
  return success();
}

bool VerticalSlashAttr::readsNumbers() const {
  return true;
}

void VerticalSlashAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  std::vector<double> columns(head.keys), diagonals(head.keys);
  for (int64_t q = std::max<int64_t>(0, head.queries - getLast()); q < head.queries; ++q) {
    std::vector<double> weights(head.keys, -INFINITY);
    double most = -INFINITY, total = 0;
    for (int64_t k = 0; k < head.keys; ++k)
      if (head.mayPick(q, k))
        most = std::fmax(most, weights[k] = head.item.scale * head.product(q, k));
    for (double &weight : weights)
      total += weight = weight == -INFINITY ? 0 : std::exp(weight - most);
    for (int64_t k = 0; k <= head.positionOf(q) && total > 0; ++k) {
      columns[k] += weights[k] / total;
      diagonals[head.positionOf(q) - k] += weights[k] / total;
    }
  }
  // The first ones, and of the others the best, `count` of both.
  auto best = [&](llvm::ArrayRef<double> sums, int64_t first, int64_t count, llvm::function_ref<bool(int64_t)> isRead) {
    std::vector<int64_t> chosen, others;
    for (int64_t i = 0; i < head.keys; ++i)
      if (isRead(i))
        (i < first ? chosen : others).push_back(i);
    for (int64_t i : largest(sums, others, count - int64_t(chosen.size())))
      chosen.push_back(i);
    return chosen;
  };
  for (int64_t k : best(columns, getSinks(), getVertical(), [&](int64_t k) { return head.isKept(k); }))
    for (int64_t q = 0; q < head.queries; ++q)
      if (head.isOrdered(q, k))
        kept.keep(q, k);
  std::vector<int64_t> distances = best(diagonals, getLocal(), getSlash(), [](int64_t) { return true; });
  for (int64_t q = 0; q < head.queries; ++q)
    for (int64_t distance : distances) {
      int64_t key = head.positionOf(q) - distance;
      if (key < 0)
        continue;
      int64_t firstRow = q / getBlock() * getBlock(), first = key / getBlock() * getBlock();
      for (int64_t row = firstRow; row < std::min(head.queries, firstRow + getBlock()); ++row)
        for (int64_t k = first; k < std::min(head.keys, first + getBlock()); ++k)
          if (head.isOrdered(row, k))
            kept.keep(row, k);
    }
}

Value VerticalSlashAttr::lower(PatternBuilder &b) const {
  DimExpr observed = DimExpr::min(b.queries(), getLast());
  Value scores = b.score(b.lastQueries(observed), b.key());
  PatternBuilder::Weighing weighing{WeighKind::blocks, b.scale(), 1, 0, 1, observed};
  PatternBuilder::Selection best{BudgetKind::count, double(getVertical()), getVertical()};
  best.sinks = getSinks();
  Value vertical = b.select(b.weigh(scores, weighing), 0, 1, best);
  weighing.kind = WeighKind::diagonals;
  best = {BudgetKind::count, double(getSlash()), getSlash()};
  best.sinks = getLocal();
  best.ordered = best.masked = false; // distances are no keys
  Value distances = b.select(b.weigh(scores, weighing), 0, 1, best);
  return b.attend({b.diagonals(distances, getBlock(), getBlock()), vertical});
}

int64_t VerticalSlashAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  // The queries of a block stand in two blocks, or at their border in one.
  return queries * std::min(keys, getVertical() + 2 * getSlash() * getBlock());
}
