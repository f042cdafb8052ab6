// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A product of features in place of the exponential.
#include "dialects/sattn/patterns/PatternBuilder.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult LinearAttr::verify(function_ref<InFlightDiagnostic()>, FeatureMap) {
  return success();
}

LogicalResult LinearAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

/// A mask that differs by query would be a sum of its own for each of them.
bool LinearAttr::readsNumbers() const {
  return true;
}

void LinearAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  for (int64_t q = 0; q < head.queries; ++q)
    for (int64_t k = 0; k < head.keys; ++k)
      if (head.isOrdered(q, k))
        kept.keep(q, k);
}

void LinearAttr::attend(const HeadInputs &head, const KeptPairs &kept, MutableArrayRef<double> result) const {
  auto phi = [&](double x) {
    if (getFeature() == FeatureMap::relu)
      return x < 0 ? 0.0 : x;
    return x < 0 ? std::exp(x) : x + 1;
  };
  for (int64_t q = 0; q < head.queries; ++q) {
    MutableArrayRef<double> row = result.slice(q * head.valueWidth, head.valueWidth);
    llvm::fill(row, 0);
    double sum = 0;
    for (int64_t k = 0; k < head.keys; ++k) {
      double weight = kept(q, k) ? std::exp(head.added(q, k)) : 0, product = 0;
      if (weight == 0)
        continue;
      for (int64_t d = 0; d < head.width; ++d)
        product += phi(head.query[q * head.width + d]) * phi(head.key[k * head.width + d]);
      sum += weight * product;
      for (int64_t e = 0; e < head.valueWidth; ++e)
        row[e] += weight * product * head.value[k * head.valueWidth + e];
    }
    for (double &value : row)
      value = sum == 0 ? 0 : value / sum;
  }
}

Value LinearAttr::lower(PatternBuilder &b) const {
  AttentionOp op = b.attention();
  return LinearAttendOp::create(b.ops(), b.loc(), op.getType(), getFeature(), op.getQuery(), op.getKey(), op.getValue(),
                                op.getMask(), op.getHeads(), op.getKvHeads(), op.getCausal());
}

int64_t LinearAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * keys;
}
