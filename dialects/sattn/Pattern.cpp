// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rule by which patterns pick.
#include "dialects/sattn/Pattern.h"

#include "llvm/ADT/STLExtras.h"
#include <cmath>

std::vector<int64_t> tamis::sattn::largest(llvm::ArrayRef<double> scores, std::vector<int64_t> among, int64_t count) {
  llvm::sort(among, [&](int64_t a, int64_t b) {
    if (std::isnan(scores[a]) != std::isnan(scores[b]))
      return std::isnan(scores[b]);
    return scores[a] > scores[b] || (!(scores[a] < scores[b]) && a < b);
  });
  among.resize(std::min<int64_t>(count, among.size()));
  llvm::sort(among);
  return among;
}

void tamis::sattn::keepLargest(const HeadInputs &head, int64_t count, KeptPairs &kept) {
  for (int64_t q = 0; q < head.queries; ++q) {
    std::vector<double> scores(head.keys);
    std::vector<int64_t> readable;
    for (int64_t k = 0; k < head.keys; ++k) {
      scores[k] = head.product(q, k);
      if (head.mayPick(q, k))
        readable.push_back(k);
    }
    for (int64_t k : largest(scores, readable, count))
      kept.keep(q, k);
  }
}
