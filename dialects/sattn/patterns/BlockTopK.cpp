// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The best blocks of keys of each block of queries.
#include "dialects/sattn/patterns/BlockMeans.h"
#include "dialects/sattn/patterns/ModelWriter.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

LogicalResult BlockTopKAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t block, int64_t k,
                                    int64_t sinks, int64_t local, APFloat mass, APFloat similarity) {
  double share = mass.convertToDouble(), cosine = similarity.convertToDouble();
  if (!(cosine >= 0 && cosine <= 1)) // C3
    return emitError() << "found a similarity of " << cosine << " but a number from 0 to 1 is wanted";
  if (share != 0 && (k != 0 || !(share > 0 && share <= 1))) // C2
    return emitError() << "found " << k << " blocks and a mass of " << share
                       << " but one of them is wanted, and a mass above 0 and at most 1";
  if (share != 0 && isCount(block, 1) && isCount(sinks, 0) && isCount(local, 0))
    return success();
  if (!isCount(block, 1) || !isCount(k, 1)) // C1
    return emitError() << "found " << k << " blocks of " << block << " but numbers from 1, below 2^31, are wanted";
  if (sinks < 0 || local < 0 || sinks > k || local > k - sinks)
    return emitError() << "found " << sinks << " sinks and " << local << " local blocks of " << k
                       << " but numbers from 0 are wanted, together at most k";
  return success();
}

LogicalResult BlockTopKAttr::fits(const AttentionSizes &, function_ref<InFlightDiagnostic()>) const {
  return success();
}

bool BlockTopKAttr::readsNumbers() const {
  return true;
}

/// What dissimilar blocks of keys score: their weight is zero beside any other.
static constexpr double kLast = -1e30;

/// Whether the mean cosine of the tokens of each block is below `limit`.
static std::vector<bool> areDissimilar(double limit, llvm::ArrayRef<double> tokens, int64_t width, int64_t block,
                                       llvm::function_ref<bool(int64_t)> isKept) {
  int64_t count = width ? tokens.size() / width : 0;
  std::vector<bool> dissimilar((count + block - 1) / block);
  for (int64_t n = 0; limit > 0 && n < int64_t(dissimilar.size()); ++n) {
    std::vector<double> sum(width);
    int64_t kept = 0;
    for (int64_t t = n * block; t < std::min(count, (n + 1) * block); ++t) {
      double square = 0;
      for (int64_t d = 0; d < width; ++d)
        square += tokens[t * width + d] * tokens[t * width + d];
      for (int64_t d = 0; isKept(t) && square > 0 && d < width; ++d)
        sum[d] += tokens[t * width + d] / std::sqrt(square);
      kept += isKept(t);
    }
    double square = 0;
    for (double x : sum)
      square += x * x;
    dissimilar[n] = kept > 0 && square < limit * kept * kept;
  }
  return dissimilar;
}

/// Adds to `chosen` the best of `others` until they hold the mass.
static void keepMass(double mass, double scale, llvm::ArrayRef<double> scores, std::vector<int64_t> others,
                     std::vector<int64_t> &chosen) {
  double most = -INFINITY, all = 0, reached = 0;
  for (const std::vector<int64_t> &blocks : {chosen, others})
    for (int64_t j : blocks)
      most = std::fmax(most, scale * scores[j]);
  auto weightOf = [&](int64_t j) { return std::exp(scale * scores[j] - most); };
  for (int64_t j : chosen)
    reached += weightOf(j);
  all = reached;
  for (int64_t j : others)
    all += weightOf(j);
  llvm::sort(others, [&](int64_t a, int64_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  for (int64_t j : others) {
    if (reached >= mass * all)
      break;
    reached += weightOf(j);
    chosen.push_back(j);
  }
}

void BlockTopKAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  int64_t block = getBlock();
  BlockMeans queryMeans = BlockMeans::ofQueries(head, block), keyMeans = BlockMeans::ofKeys(head, block);
  double limit = getSimilarity().convertToDouble();
  std::vector<bool> mixedQueries = areDissimilar(limit, head.query, head.width, block,
                                                 [&](int64_t t) { return !head.sameTokens || head.isKept(t); });
  std::vector<bool> mixedKeys =
      areDissimilar(limit, head.key, head.width, block, [&](int64_t t) { return head.isKept(t); });
  for (int64_t row = 0; row < int64_t(queryMeans.kept.size()); ++row) {
    int64_t end = std::min(head.queries, (row + 1) * block), last = head.positionOf(end - 1);
    std::vector<double> scores;
    std::vector<int64_t> forced, others, always;
    for (int64_t j = 0; j < int64_t(keyMeans.kept.size()); ++j) {
      double &score = scores.emplace_back();
      for (int64_t d = 0; d < head.width; ++d)
        score += queryMeans.values[row * head.width + d] * keyMeans.values[j * head.width + d];
      if (mixedKeys[j])
        score = kLast;
      if (!keyMeans.kept[j] || (head.causal && j * block > last))
        continue;
      if (mixedKeys[j] || mixedQueries[row])
        always.push_back(j);
      bool isLocal = last >= 0 && j <= last / block && j > last / block - getLocal();
      (j < getSinks() || isLocal ? forced : others).push_back(j);
    }
    std::vector<int64_t> chosen = forced;
    if (getK()) {
      for (int64_t j : largest(scores, others, getK() - int64_t(forced.size())))
        chosen.push_back(j);
    } else {
      keepMass(getMass().convertToDouble(), head.item.scale, scores, others, chosen);
    }
    llvm::append_range(chosen, always);
    for (int64_t j : chosen)
      for (int64_t q = row * block; q < end; ++q)
        for (int64_t k = j * block; k < std::min(head.keys, (j + 1) * block); ++k)
          if (head.isOrdered(q, k))
            kept.keep(q, k);
  }
}

/// Means of blocks and, as 1 or 0, whether their tokens differ: `B x heads x N x D`, `B x heads x N x 1`.
static std::pair<Value, Value> summarize(ModelWriter &w, PatternBuilder &b, Value tokens, int64_t heads, int64_t block,
                                         Value mask, double limit) {
  model::Dims dims = w.dimsOf(tokens);
  Type element = w.elementOf(tokens);
  DimExpr blocks = ceilDiv(dims[1], block), width = *dims[2].constant() / heads;
  auto byHead = [&](Value means) {
    return w.transpose(w.reshape(means, {dims[0], blocks, heads, width}), {0, 2, 1, 3});
  };
  Value vectors = w.reshape(tokens, {dims[0], dims[1], heads, width});
  auto squareOf = [&](Value x) {
    return w.reduce(model::ReduceKind::sum, w.elementwise(model::ElementwiseKind::mul, {x, x}), 3);
  };
  Value square = squareOf(vectors);
  Value isZero = w.elementwise(model::ElementwiseKind::equal, {square, w.number(0, element)});
  Value length = w.elementwise(model::ElementwiseKind::select, {isZero, w.number(1, element), square});
  length = w.elementwise(model::ElementwiseKind::rsqrt, {length});
  Value units = w.reshape(w.elementwise(model::ElementwiseKind::mul, {vectors, length}), dims);
  Value cosine = squareOf(byHead(w.blockMeans(units, mask, block)));
  Value differs = w.cast(w.elementwise(model::ElementwiseKind::less, {cosine, w.number(limit, element)}), element);
  if (mask) { // nothing differs where there is nothing
    Value any = w.reshape(w.anyKept(mask, block), {w.dimsOf(mask)[0], 1, blocks, 1});
    differs = w.elementwise(model::ElementwiseKind::select, {any, differs, w.number(0, element)});
  }
  return {byHead(w.blockMeans(tokens, mask, block)), differs};
}

/// Products of means, with dissimilar blocks of keys last, are the scores; dissimilar blocks are an index of their own.
Value BlockTopKAttr::lowerBySimilarity(PatternBuilder &b, Value &always) const {
  ModelWriter w(b);
  double limit = getSimilarity().convertToDouble();
  bool sameTokens = b.queries() == b.keys();
  auto [queries, queriesDiffer] =
      summarize(w, b, b.query(), b.heads(), getBlock(), sameTokens ? b.keyMask() : Value(), limit);
  auto [keys, keysDiffer] = summarize(w, b, b.key(), b.kvHeads(), getBlock(), b.keyMask(), limit);
  // Where heads share keys: B x key heads x group x ...
  int64_t group = b.heads() / b.kvHeads();
  model::Dims ofQueries = w.dimsOf(queries), ofKeys = w.dimsOf(keys);
  DimExpr batch = ofQueries[0], rows = ofQueries[2], items = ofKeys[2];
  auto grouped = [&](Value x) {
    model::Dims dims = w.dimsOf(x);
    return w.reshape(x, {batch, b.kvHeads(), dims[1].isConstant(b.heads()) && group > 1 ? group : 1, dims[2], dims[3]});
  };
  keys = w.transpose(grouped(keys), {0, 1, 2, 4, 3});
  keysDiffer = w.transpose(grouped(keysDiffer), {0, 1, 2, 4, 3});
  Type element = w.elementOf(keys);
  auto ungrouped = [&](Value x) { return w.reshape(x, {batch, b.heads(), rows, items}); };
  Value isLast = w.elementwise(model::ElementwiseKind::greater, {keysDiffer, w.number(0, element)});
  Value scores = w.elementwise(model::ElementwiseKind::select,
                               {isLast, w.number(kLast, element), w.matmul(grouped(queries), keys)});
  Value differs = w.elementwise(model::ElementwiseKind::maximum, {grouped(queriesDiffer), keysDiffer});
  always = b.select(ungrouped(differs), getBlock(), getBlock(), {BudgetKind::threshold, 1, items});
  return ungrouped(scores);
}

/// Softmax of rows of `B x H x rows x items` times the scale, over blocks that the row may read.
static Value weighRows(PatternBuilder &b, Value scores, int64_t block) {
  ModelWriter w(b);
  Type element = w.elementOf(scores), i64 = b.ops().getI64Type();
  model::Dims dims = w.dimsOf(scores);
  Value left = w.number(-INFINITY, element);
  scores = w.elementwise(model::ElementwiseKind::mul, {scores, w.number(b.scale(), element)});
  if (b.isCausal()) { // where a block of queries ends, and one of keys begins
    Value ends = w.reshape(w.iota(b.keys() - b.queries() + (block - 1), block, dims[2], i64), {dims[2], 1});
    Value begins = w.iota(0, block, dims[3], i64);
    scores = w.elementwise(model::ElementwiseKind::select,
                           {w.elementwise(model::ElementwiseKind::greater, {begins, ends}), left, scores});
  }
  if (Value mask = b.keyMask())
    scores = w.elementwise(model::ElementwiseKind::select, {w.anyKept(mask, block), scores, left});
  return model::SoftmaxOp::create(b.ops(), b.loc(), scores, 3);
}

Value BlockTopKAttr::lower(PatternBuilder &b) const {
  PatternBuilder::Selection best{BudgetKind::count, double(getK()), getK()};
  best.sinks = getSinks();
  best.local = getLocal();
  if (!getK()) {
    best.kind = BudgetKind::share;
    best.value = getMass().convertToDouble();
    best.capacity = ceilDiv(b.keys(), getBlock());
  }
  SmallVector<Value> indices(1);
  bool bySimilarity = getSimilarity().convertToDouble() > 0;
  Value scores = bySimilarity ? lowerBySimilarity(b, indices.emplace_back())
                              : b.score(b.meansOfQueries(getBlock()), b.meansOfKeys(getBlock()));
  if (!getK())
    scores = bySimilarity ? weighRows(b, scores, getBlock())
                          : b.weigh(scores, {WeighKind::blocks, b.scale(), getBlock(), 1, 1, b.queries()});
  indices.front() = b.select(scores, getBlock(), getBlock(), best);
  return b.attend(indices);
}

int64_t BlockTopKAttr::pairBound(int64_t queries, int64_t keys, bool) const {
  return queries * (getK() && getSimilarity().isZero() ? std::min(keys, getK() * getBlock()) : keys);
}
