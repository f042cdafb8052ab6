// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A share of the keys, the best of each query.
#include "dialects/sattn/patterns/PatternBuilder.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult FractionAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat number) {
  double share = number.convertToDouble();
  if (!(share > 0 && share <= 1)) // C1
    return emitError() << "found a share of " << share << " but a number above 0 and at most 1 is wanted";
  return success();
}

LogicalResult FractionAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool FractionAttr::readsNumbers() const {
  return true;
}

void FractionAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  int64_t count = std::max<int64_t>(1, int64_t(getShare().convertToDouble() * head.keys));
  keepLargest(head, count, kept);
}

Value FractionAttr::lower(PatternBuilder &b) const {
  // Sizes are whole numbers: the share in thousandths, rounded up, and one for what the rounding of products leaves.
  int64_t thousandths = int64_t(getShare().convertToDouble() * 1000) + 1;
  DimExpr capacity = DimExpr::floorDiv(b.keys() * thousandths, 1000) + 1;
  return b.attend(
      {b.select(b.score(b.query(), b.key()), 1, 1, {BudgetKind::fraction, getShare().convertToDouble(), capacity})});
}

int64_t FractionAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * std::max<int64_t>(std::min<int64_t>(keys, 1), int64_t(getShare().convertToDouble() * keys));
}
