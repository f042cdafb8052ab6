// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear attention, by sums that run over the keys: the form in which kernels compute it, as the pattern's is not.
#include "lib/reference/EvaluateAttention.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;

namespace {
double featureOf(sattn::FeatureMap map, double x) {
  if (map == sattn::FeatureMap::relu)
    return x < 0 ? 0 : x;
  return x < 0 ? std::exp(x) : x + 1;
}
} // namespace

llvm::Error tamis::reference::evaluateOp(sattn::LinearAttendOp op, const Scope &scope, HostTensor &result) {
  AttentionOperands operands{scope.view(op.getQuery()),
                             scope.view(op.getKey()),
                             scope.view(op.getValue()),
                             {},
                             int64_t(op.getHeads()),
                             int64_t(op.getKvHeads()),
                             /*scale=*/1,
                             op.getCausal()};
  if (op.getMask())
    operands.mask = scope.view(op.getMask());
  auto evaluate = [&](int64_t, const sattn::HeadInputs &head, MutableArrayRef<double> output) {
    int64_t D = head.width, E = head.valueWidth, next = 0;
    std::vector<double> state(D * E), sums(D); // of the keys before `next`
    llvm::fill(output, 0);
    for (int64_t q = 0; q < head.queries; ++q) {
      for (; next < head.keys && head.isOrdered(q, next); ++next) {
        double weight = std::exp(head.added(q, next)); // the mask is of keys alone
        for (int64_t d = 0; weight != 0 && d < D; ++d) {
          double feature = weight * featureOf(op.getFeature(), head.key[next * D + d]);
          sums[d] += feature;
          for (int64_t e = 0; e < E; ++e)
            state[d * E + e] += feature * head.value[next * E + e];
        }
      }
      double sum = 0;
      std::vector<double> row(E);
      for (int64_t d = 0; d < D; ++d) {
        double feature = featureOf(op.getFeature(), head.query[q * D + d]);
        sum += feature * sums[d];
        for (int64_t e = 0; e < E; ++e)
          row[e] += feature * state[d * E + e];
      }
      for (int64_t e = 0; sum != 0 && e < E; ++e)
        output[q * E + e] = row[e] / sum;
    }
  };
  forEachHead(operands, result, evaluate);
  return llvm::Error::success();
}
