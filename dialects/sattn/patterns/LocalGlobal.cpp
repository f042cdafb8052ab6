// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The own block, and the key tokens of every block.
#include "dialects/sattn/patterns/PatternBuilder.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult LocalGlobalAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t block, int64_t keyTokens) {
  if (!isCount(block, 1) || keyTokens < 1 || keyTokens > block) // C1
    return emitError()
           << "found blocks of " << block << " with " << keyTokens
           << " key tokens but blocks from 1, below 2^31, with key tokens from 1 to the size of a block are "
              "wanted";
  return success();
}

LogicalResult LocalGlobalAttr::fits(const AttentionSizes &sizes, function_ref<InFlightDiagnostic()> emitError) const {
  if (sizes.queries != sizes.keys) // C2
    return emitError() << "found " << sizes.queries.str() << " queries and " << sizes.keys.str()
                       << " keys but local_global wants as many of both";
  return success();
}

bool LocalGlobalAttr::readsNumbers() const {
  return true;
}

void LocalGlobalAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  std::vector<bool> isKeyToken(head.keys);
  for (int64_t first = 0; first < head.keys; first += getBlock()) {
    int64_t end = std::min(head.keys, first + getBlock());
    std::vector<int64_t> tokens;
    for (int64_t t = first; t < end; ++t)
      if (head.isKept(t))
        tokens.push_back(t);
    std::vector<double> mean(head.width), scores(head.keys);
    for (int64_t t : tokens)
      for (int64_t d = 0; d < head.width; ++d)
        mean[d] += head.query[t * head.width + d];
    for (double &value : mean)
      value /= std::max<size_t>(1, tokens.size());
    for (int64_t t : tokens)
      for (int64_t d = 0; d < head.width; ++d)
        scores[t] += mean[d] * head.key[t * head.width + d];
    for (int64_t t : largest(scores, tokens, getKeyTokens()))
      isKeyToken[t] = true;
  }
  for (int64_t q = 0; q < head.queries; ++q)
    for (int64_t k = 0; k < head.keys; ++k)
      if (head.isOrdered(q, k) && (q / getBlock() == k / getBlock() || isKeyToken[k]))
        kept.keep(q, k);
}

Value LocalGlobalAttr::lower(PatternBuilder &b) const {
  PatternBuilder::Selection best{BudgetKind::count, double(getKeyTokens()), getKeyTokens()};
  best.candidates = b.bands(getBlock(), 1, 0, 0, 0);
  best.ordered = false; // the key tokens of a block do not depend on who reads them
  Value scores = b.score(b.meansOfQueries(getBlock()), b.key());
  Value keyTokens = b.joinRows(b.select(scores, getBlock(), 1, best));
  return b.attend({b.bands(getBlock(), getBlock(), 0, 0, 0), keyTokens});
}

int64_t LocalGlobalAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  int64_t blocks = (keys + getBlock() - 1) / getBlock();
  return queries * std::min(keys, getBlock() + blocks * getKeyTokens());
}
