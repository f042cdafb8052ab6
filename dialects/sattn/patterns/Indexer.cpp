// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The best keys of each query by a small learned indexer.
#include "dialects/sattn/patterns/PatternBuilder.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult IndexerAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t k, int64_t heads,
                                  int64_t width) {
  if (!isCount(k, 1) || !isCount(heads, 1) || !isCount(width, 1)) // C1
    return emitError() << "found a k of " << k << " by " << heads << " heads of " << width
                       << " but numbers from 1, below 2^31, are wanted";
  return success();
}

LogicalResult IndexerAttr::fits(const AttentionSizes &sizes, function_ref<InFlightDiagnostic()> emitError) const {
  auto keys = sizes.keys.constant();
  if (keys && getK() > *keys) // C2
    return emitError() << "found a k of " << getK() << " but there are " << *keys << " keys";
  return success();
}

bool IndexerAttr::readsNumbers() const {
  return true;
}

SmallVector<PatternWeight> IndexerAttr::weights(const AttentionSizes &sizes) const {
  int64_t queryColumns = sizes.heads * sizes.width, keyColumns = sizes.kvHeads * sizes.width;
  return {{"query", {queryColumns, getHeads() * getWidth()}},
          {"key", {keyColumns, getWidth()}},
          {"head", {queryColumns, getHeads()}}};
}

void IndexerAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  const AttentionInputs &item = head.item;
  int64_t queryColumns = item.heads * item.width, keyColumns = item.kvHeads * item.width;
  auto project = [](llvm::ArrayRef<double> tokens, int64_t count, int64_t columns, llvm::ArrayRef<double> weight) {
    int64_t to = weight.size() / std::max<int64_t>(1, columns);
    std::vector<double> result(count * to);
    for (int64_t t = 0; t < count; ++t)
      for (int64_t column = 0; column < columns; ++column)
        for (int64_t d = 0; d < to; ++d)
          result[t * to + d] += tokens[t * columns + column] * weight[column * to + d];
    return result;
  };
  std::vector<double> queries = project(item.query, item.queries, queryColumns, item.weights[0]);
  std::vector<double> keys = project(item.key, item.keys, keyColumns, item.weights[1]);
  std::vector<double> headWeights = project(item.query, item.queries, queryColumns, item.weights[2]);
  for (int64_t q = 0; q < head.queries; ++q) {
    std::vector<double> scores(head.keys);
    std::vector<int64_t> readable;
    for (int64_t k = 0; k < head.keys; ++k) {
      for (int64_t h = 0; h < getHeads(); ++h) {
        double product = 0;
        for (int64_t d = 0; d < getWidth(); ++d)
          product += queries[(q * getHeads() + h) * getWidth() + d] * keys[k * getWidth() + d];
        scores[k] += headWeights[q * getHeads() + h] * std::max(product, 0.0);
      }
      if (head.mayPick(q, k))
        readable.push_back(k);
    }
    for (int64_t k : largest(scores, readable, getK()))
      kept.keep(q, k);
  }
}

Value IndexerAttr::lower(PatternBuilder &b) const {
  Value queries = b.linear(b.query(), b.weight(0)), keys = b.linear(b.key(), b.weight(1));
  Value scores = b.weightedScore(queries, keys, b.linear(b.query(), b.weight(2)), getHeads());
  return b.attend({b.select(scores, 1, 1, {BudgetKind::count, double(getK()), getK()})});
}

int64_t IndexerAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * std::min(keys, getK());
}
