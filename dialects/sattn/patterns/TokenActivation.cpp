// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention among the active tokens alone.
#include "dialects/sattn/patterns/Compaction.h"
#include "dialects/sattn/patterns/Gate.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult TokenActivationAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat number) {
  double share = number.convertToDouble();
  if (!(share > 0 && share <= 1)) // C1
    return emitError() << "found a share of " << share << " but a number above 0 and at most 1 is wanted";
  return success();
}

LogicalResult TokenActivationAttr::fits(const AttentionSizes &sizes,
                                        function_ref<InFlightDiagnostic()> emitError) const {
  if (sizes.queries != sizes.keys) // C2
    return emitError() << "found " << sizes.queries.str() << " queries and " << sizes.keys.str()
                       << " keys but token_activation wants as many of both";
  return success();
}

bool TokenActivationAttr::readsNumbers() const {
  return true;
}

SmallVector<PatternWeight> TokenActivationAttr::weights(const AttentionSizes &sizes) const {
  return {gateWeight(sizes, /*perHead=*/false)};
}

void TokenActivationAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  int64_t count = shareOf(head.keys, getShare().convertToDouble());
  std::vector<int64_t> active = largest(gateScores(head), keptTokens(head.item), count);
  for (int64_t q : active)
    for (int64_t k : active)
      if (head.isOrdered(q, k))
        kept.keep(q, k);
}

Value TokenActivationAttr::lower(PatternBuilder &b) const {
  double share = getShare().convertToDouble();
  Value active = selectTokens(b, gateScores(b), BudgetKind::fraction, share, shareCapacity(b.keys(), share));
  Value query = compact(b, b.query(), active), key = compact(b, b.key(), active), value = compact(b, b.value(), active);
  AttentionOp op = b.attention();
  model::Dims dims = model::dimsOf(op.getType());
  dims[1] = model::dimsOf(query.getType())[1];
  Type type = model::tensorType(cast<RankedTensorType>(op.getType()).getElementType(), dims);
  Value result =
      model::AttentionOp::create(b.ops(), b.loc(), type, query, key, value, maskOfCompacted(b, active),
                                 op.getHeadsAttr(), op.getKvHeadsAttr(), op.getScaleAttr(), op.getCausalAttr());
  return expand(b, result, active);
}

int64_t TokenActivationAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  int64_t active = std::min(keys, shareOf(keys, getShare().convertToDouble()));
  return std::min(queries, active) * active;
}

std::vector<std::vector<double>> TokenActivationAttr::fit(ArrayRef<AttentionInputs> samples) const {
  return fitGate(samples, /*perHead=*/false);
}
