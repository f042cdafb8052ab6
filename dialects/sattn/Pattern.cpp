// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rule by which patterns pick, and what attention makes of the pairs they keep.
#include "dialects/sattn/Pattern.h"

#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace tamis::sattn;

HeadInputs::HeadInputs(const AttentionInputs &item, int64_t head)
    : item(item), head(head), queries(item.queries), keys(item.keys), width(item.width), valueWidth(item.valueWidth),
      causal(item.causal), sameTokens(item.sameTokens) {
  auto columns = [](const std::vector<double> &from, int64_t rows, int64_t heads, int64_t number, int64_t width) {
    std::vector<double> part;
    part.reserve(rows * width);
    for (int64_t row = 0; row < rows; ++row) {
      auto first = from.begin() + (row * heads + number) * width;
      part.insert(part.end(), first, first + width);
    }
    return part;
  };
  int64_t keyHead = head / (item.heads / item.kvHeads);
  query = columns(item.query, queries, item.heads, head, width);
  key = columns(item.key, keys, item.kvHeads, keyHead, width);
  value = columns(item.value, keys, item.kvHeads, keyHead, valueWidth);
}

namespace {
/// Softmax of a row in place; gives the logarithm of the sum of the exponentials. A key is kept when its score is not
/// -infinity; a row that keeps none gives zeros.
double softmaxOfKept(llvm::MutableArrayRef<double> scores) {
  double largest = -INFINITY, sum = 0;
  bool anyKept = false;
  for (double score : scores) {
    anyKept |= score != -INFINITY; // NaN is kept, and spreads
    largest = std::fmax(largest, score);
  }
  if (!anyKept) {
    llvm::fill(scores, 0);
    return -INFINITY;
  }
  for (double &score : scores)
    sum += score = score == -INFINITY ? 0 : std::exp(score - largest);
  for (double &score : scores)
    score /= sum;
  return largest + std::log(sum);
}
} // namespace

double tamis::sattn::weigh(const HeadInputs &head, const KeptPairs &kept, int64_t q,
                           llvm::MutableArrayRef<double> weights) {
  for (int64_t k = 0; k < head.keys; ++k) {
    weights[k] = -INFINITY;
    if (!kept(q, k) || !head.isOrdered(q, k))
      continue;
    double added = head.added(q, k);
    if (added != -INFINITY)
      weights[k] = head.item.scale * head.product(q, k) + added;
  }
  return softmaxOfKept(weights);
}

void tamis::sattn::attendKept(const HeadInputs &head, const KeptPairs &kept, llvm::MutableArrayRef<double> result,
                              llvm::MutableArrayRef<double> logarithms) {
  std::vector<double> weights(head.keys);
  for (int64_t q = 0; q < head.queries; ++q) {
    double logarithm = weigh(head, kept, q, weights);
    if (!logarithms.empty())
      logarithms[q] = logarithm;
    llvm::MutableArrayRef<double> row = result.slice(q * head.valueWidth, head.valueWidth);
    llvm::fill(row, 0);
    for (int64_t k = 0; k < head.keys; ++k)
      if (weights[k] != 0) // a key left out may hold anything, infinity too
        for (int64_t d = 0; d < head.valueWidth; ++d)
          row[d] += weights[k] * head.value[k * head.valueWidth + d];
  }
}

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
