// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The best keys of each query by a small learned indexer.
#include "dialects/sattn/LeastSquares.h"
#include "dialects/sattn/patterns/PatternBuilder.h"
#include <cmath>

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

namespace {
constexpr int kRounds = 20; // what a further one changes is beyond what samples tell

/// Sums of products of the features of tokens, size x size.
class Moments {
public:
  explicit Moments(int64_t size) : size(size), sums(size * size), mean(size) {}

  void add(llvm::ArrayRef<double> token) {
    if (!llvm::all_of(token, [](double x) { return std::isfinite(x); }))
      return;
    ++count;
    for (int64_t i = 0; i < size; ++i) {
      mean[i] += token[i];
      for (int64_t j = 0; j < size; ++j)
        sums[i * size + j] += token[i] * token[j];
    }
  }
  /// About the mean: what all tokens have in common orders none of them.
  void center() {
    for (int64_t i = 0; count && i < size; ++i)
      for (int64_t j = 0; j < size; ++j)
        sums[i * size + j] -= mean[i] * mean[j] / count;
  }
  std::vector<double> times(llvm::ArrayRef<double> vector) const {
    std::vector<double> product(size);
    for (int64_t i = 0; i < size; ++i)
      for (int64_t j = 0; j < size; ++j)
        product[i] += sums[i * size + j] * vector[j];
    return product;
  }

private:
  int64_t size;
  double count = 0;
  std::vector<double> sums, mean;
};

double dot(llvm::ArrayRef<double> x, llvm::ArrayRef<double> y) {
  double sum = 0;
  for (auto [a, b] : llvm::zip_equal(x, y))
    sum += a * b;
  return sum;
}

/// Makes vectors orthonormal in the inner product of `moments`; those that depend on others become zeros.
void orthonormalize(std::vector<std::vector<double>> &vectors, const Moments &moments) {
  for (size_t n = 0; n < vectors.size(); ++n) {
    double before = dot(vectors[n], moments.times(vectors[n]));
    for (int pass = 0; pass < 2; ++pass) // once more against rounding
      for (size_t m = 0; m < n; ++m) {
        double part = dot(vectors[m], moments.times(vectors[n]));
        for (size_t i = 0; i < vectors[n].size(); ++i)
          vectors[n][i] -= part * vectors[m][i];
      }
    double square = dot(vectors[n], moments.times(vectors[n]));
    double factor = square > 1e-12 * before && std::isfinite(square) ? 1 / std::sqrt(square) : 0;
    for (double &x : vectors[n])
      x = factor == 0 ? 0 : x * factor;
  }
}
} // namespace

/// q' M k, where M adds the products of all heads, as a product of `width` columns of each: the best A B' in the mean
/// over queries and keys.
std::vector<std::vector<double>> IndexerAttr::fit(ArrayRef<AttentionInputs> samples) const {
  if (samples.empty())
    return {{}, {}, {}};
  const AttentionInputs &any = samples.front();
  int64_t heads = any.heads, group = heads / any.kvHeads, width = any.width;
  int64_t queryColumns = heads * width, keyColumns = any.kvHeads * width, rank = std::min(getWidth(), keyColumns);
  Moments ofQueries(queryColumns), ofKeys(keyColumns);
  LeastSquares one(queryColumns); // weights of index heads are linear in the query, and wanted the same for all
  for (const AttentionInputs &item : samples) {
    bool masked = !item.keyKept.empty();
    for (int64_t q = 0; q < item.queries; ++q) {
      llvm::ArrayRef<double> query = llvm::ArrayRef(item.query).slice(q * queryColumns, queryColumns);
      if (item.sameTokens && masked && !item.keyKept[q])
        continue;
      ofQueries.add(query);
      one.add(query, 1);
    }
    for (int64_t k = 0; k < item.keys; ++k)
      if (!masked || item.keyKept[k])
        ofKeys.add(llvm::ArrayRef(item.key).slice(k * keyColumns, keyColumns));
  }
  ofKeys.center();
  auto toQuery = [&](llvm::ArrayRef<double> key) { // M k
    std::vector<double> query(queryColumns);
    for (int64_t i = 0; i < queryColumns; ++i)
      query[i] = key[i / width / group * width + i % width];
    return query;
  };
  auto toKey = [&](llvm::ArrayRef<double> query) { // M' q
    std::vector<double> key(keyColumns);
    for (int64_t i = 0; i < queryColumns; ++i)
      key[i / width / group * width + i % width] += query[i];
    return key;
  };
  std::vector<std::vector<double>> ofQuery(rank), ofKey(rank, std::vector<double>(keyColumns));
  for (int64_t r = 0; r < rank; ++r)
    for (int64_t i = 0; i < keyColumns; ++i)
      ofKey[r][i] = std::cos(double(1 + r * keyColumns + i)); // anything that is not in the way of an answer
  for (int round = 0; round <= kRounds; ++round) {
    orthonormalize(ofKey, ofKeys);
    for (int64_t r = 0; r < rank; ++r)
      ofQuery[r] = toQuery(ofKeys.times(ofKey[r]));
    for (int64_t r = 0; round < kRounds && r < rank; ++r)
      ofKey[r] = toKey(ofQueries.times(ofQuery[r]));
  }
  std::vector<double> query(queryColumns * getHeads() * getWidth()), key(keyColumns * getWidth()),
      head(queryColumns * getHeads()), same = one.solve();
  for (int64_t r = 0; r < rank; ++r) {
    for (int64_t i = 0; i < keyColumns; ++i)
      key[i * getWidth() + r] = ofKey[r][i];
    for (int64_t i = 0; i < queryColumns; ++i)
      for (int64_t j = 0; j < std::min<int64_t>(2, getHeads()); ++j)
        query[(i * getHeads() + j) * getWidth() + r] = j ? -ofQuery[r][i] : ofQuery[r][i];
  }
  for (int64_t i = 0; i < queryColumns; ++i)
    for (int64_t j = 0; j < std::min<int64_t>(2, getHeads()); ++j)
      head[i * getHeads() + j] = j ? -same[i] : same[i];
  return {query, key, head};
}
