// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys near the query, and the first ones.
#include "dialects/sattn/patterns/PatternBuilder.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult WindowAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t size, int64_t sinks) {
  if (!isCount(size, 1) || !isCount(sinks, 0)) // C1
    return emitError() << "found a window of size " << size << " with " << sinks
                       << " sinks but a size from 1 and sinks from 0, both below 2^31, are wanted";
  return success();
}

LogicalResult WindowAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool WindowAttr::readsNumbers() const {
  return false;
}

void WindowAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  for (int64_t q = 0; q < head.queries; ++q)
    for (int64_t k = 0; k < head.keys; ++k) {
      int64_t distance = std::abs(k - head.positionOf(q));
      if (head.isOrdered(q, k) && (distance < getSize() || k < getSinks()))
        kept.keep(q, k);
    }
}

Value WindowAttr::lower(PatternBuilder &b) const {
  return b.attend({b.bands(1, 1, getSize() - 1, b.isCausal() ? 0 : getSize() - 1, getSinks())});
}

int64_t WindowAttr::pairBound(int64_t queries, int64_t keys, bool causal) const {
  return queries * std::min(keys, (causal ? getSize() : 2 * getSize() - 1) + getSinks());
}
