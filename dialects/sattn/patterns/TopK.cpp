// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The best keys of each query.
#include "dialects/sattn/patterns/PatternBuilder.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult TopKAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t k) {
  if (!isCount(k, 1)) // C1
    return emitError() << "found a k of " << k << " but a number from 1, below 2^31, is wanted";
  return success();
}

LogicalResult TopKAttr::fits(const AttentionSizes &sizes, function_ref<InFlightDiagnostic()> emitError) const {
  auto keys = sizes.keys.constant();
  if (keys && getK() > *keys) // C2
    return emitError() << "found a k of " << getK() << " but there are " << *keys << " keys";
  return success();
}

bool TopKAttr::readsNumbers() const {
  return true;
}

void TopKAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  keepLargest(head, getK(), kept);
}

Value TopKAttr::lower(PatternBuilder &b) const {
  return b.attend({b.select(b.score(b.query(), b.key()), 1, 1, {BudgetKind::count, double(getK()), getK()})});
}

int64_t TopKAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * std::min(keys, getK());
}
