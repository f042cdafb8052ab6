// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A gated sum of attention to means of all keys, to the best blocks and to near keys.
#include "dialects/sattn/LeastSquares.h"
#include "dialects/sattn/patterns/BlockMeans.h"
#include "dialects/sattn/patterns/ModelWriter.h"

#include <array>
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

static constexpr int64_t kBranches = 3;

LogicalResult CompressedSelectedWindowAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t block,
                                                   int64_t k, int64_t sinks, int64_t local, int64_t compress,
                                                   int64_t window) {
  if (!isCount(block, 1) || !isCount(k, 1) || !isCount(compress, 1) || !isCount(window, 1) || block % compress) // C1
    return emitError() << "found " << k << " blocks of " << block << ", means of " << compress << " and a window of "
                       << window
                       << " but numbers from 1, below 2^31, are wanted, and blocks of a multiple of what a mean is of";
  if (sinks < 0 || local < 0 || sinks > k || local > k - sinks)
    return emitError() << "found " << sinks << " sinks and " << local << " local blocks of " << k
                       << " but numbers from 0 are wanted, together at most k";
  return success();
}

LogicalResult CompressedSelectedWindowAttr::fits(const AttentionSizes &sizes,
                                                 function_ref<InFlightDiagnostic()> emitError) const {
  if (sizes.queries != sizes.keys) // C2
    return emitError() << "found " << sizes.queries.str() << " queries and " << sizes.keys.str()
                       << " keys but compressed_selected_window wants as many of both";
  return success();
}

bool CompressedSelectedWindowAttr::readsNumbers() const {
  return true;
}

SmallVector<PatternWeight> CompressedSelectedWindowAttr::weights(const AttentionSizes &sizes) const {
  return {{"gate", {sizes.heads * sizes.width, kBranches * sizes.heads}}, {"bias", {kBranches * sizes.heads}}};
}

namespace {
/// The mean over the heads that read key head `group` of the means of blocks of queries.
std::vector<double> queryMeans(const HeadInputs &head, int64_t width) {
  int64_t size = head.item.heads / head.item.kvHeads, first = head.head / size * size;
  std::vector<double> sum;
  for (int64_t h = first; h < first + size; ++h) {
    BlockMeans means = BlockMeans::ofQueries(HeadInputs(head.item, h), width);
    sum.resize(means.values.size());
    for (size_t i = 0; i < sum.size(); ++i)
      sum[i] += means.values[i] / double(size);
  }
  return sum;
}

/// What blocks of queries weigh blocks of keys, blocks x blocks.
std::vector<double> blockWeights(const HeadInputs &head, int64_t block, int64_t compress) {
  std::vector<double> queries = queryMeans(head, compress);
  BlockMeans keys = BlockMeans::ofKeys(head, compress);
  int64_t count = keys.kept.size(), blocks = (head.keys + block - 1) / block, width = head.width;
  std::vector<double> sums(blocks * blocks);
  for (int64_t i = 0; i < count; ++i) {
    std::vector<double> weights(count, -INFINITY);
    double most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < count; ++j) {
      if (!keys.kept[j] || (head.causal && j > i))
        continue;
      weights[j] = 0;
      for (int64_t d = 0; d < width; ++d)
        weights[j] += head.item.scale * queries[i * width + d] * keys.values[j * width + d];
      most = std::fmax(most, weights[j]);
    }
    for (double &weight : weights)
      sum += weight = weight == -INFINITY ? 0 : std::exp(weight - most);
    for (int64_t j = 0; j < count && sum > 0; ++j)
      sums[i * compress / block * blocks + j * compress / block] += weights[j] / sum;
  }
  return sums;
}

/// Attention to the means of keys and values.
void attendCompressed(const HeadInputs &head, int64_t compress, MutableArrayRef<double> result) {
  BlockMeans keys = BlockMeans::ofKeys(head, compress);
  std::vector<double> values(keys.kept.size() * head.valueWidth);
  for (int64_t k = 0; k < head.keys; ++k)
    for (int64_t d = 0; head.isKept(k) && d < head.valueWidth; ++d)
      values[k / compress * head.valueWidth + d] +=
          head.value[k * head.valueWidth + d] / double(keys.kept[k / compress]);
  llvm::fill(result, 0);
  for (int64_t q = 0; q < head.queries; ++q) {
    std::vector<double> weights(keys.kept.size(), -INFINITY);
    double most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < int64_t(keys.kept.size()); ++j) {
      if (!keys.kept[j] || (head.causal && j >= q / compress))
        continue;
      weights[j] = 0;
      for (int64_t d = 0; d < head.width; ++d)
        weights[j] += head.item.scale * head.query[q * head.width + d] * keys.values[j * head.width + d];
      most = std::fmax(most, weights[j]);
    }
    for (double &weight : weights)
      sum += weight = weight == -INFINITY ? 0 : std::exp(weight - most);
    for (size_t j = 0; j < weights.size() && sum > 0; ++j)
      for (int64_t d = 0; d < head.valueWidth; ++d)
        result[q * head.valueWidth + d] += weights[j] / sum * values[j * head.valueWidth + d];
  }
}

using Branches = std::array<std::vector<double>, kBranches>;
} // namespace

void CompressedSelectedWindowAttr::keepSelected(const HeadInputs &head, KeptPairs &kept) const {
  int64_t block = getBlock(), blocks = (head.keys + block - 1) / block;
  std::vector<double> weights = blockWeights(head, block, getCompress());
  BlockMeans keys = BlockMeans::ofKeys(head, block);
  for (int64_t row = 0; row < blocks; ++row) {
    std::vector<int64_t> chosen, others;
    for (int64_t j = 0; j < blocks; ++j) {
      if (!keys.kept[j] || (head.causal && j > row))
        continue;
      int64_t last = (std::min(head.queries, (row + 1) * block) - 1) / block;
      bool isLocal = j <= last && j > last - getLocal();
      (j < getSinks() || isLocal ? chosen : others).push_back(j);
    }
    llvm::ArrayRef<double> ofRow = llvm::ArrayRef(weights).slice(row * blocks, blocks);
    for (int64_t j : largest(ofRow, others, getK() - int64_t(chosen.size())))
      chosen.push_back(j);
    for (int64_t j : chosen)
      for (int64_t q = row * block; q < std::min(head.queries, (row + 1) * block); ++q)
        for (int64_t k = j * block; k < std::min(head.keys, (j + 1) * block); ++k)
          if (head.isOrdered(q, k))
            kept.keep(q, k);
  }
}

void CompressedSelectedWindowAttr::keepNear(const HeadInputs &head, KeptPairs &kept) const {
  for (int64_t q = 0; q < head.queries; ++q)
    for (int64_t k = 0; k < head.keys; ++k)
      if (head.isOrdered(q, k) && std::abs(q - k) < getWindow())
        kept.keep(q, k);
}

void CompressedSelectedWindowAttr::keep(const HeadInputs &head, KeptPairs &kept) const {
  keepSelected(head, kept);
  keepNear(head, kept);
}

static Branches branchesOf(const CompressedSelectedWindowAttr &pattern, const HeadInputs &head) {
  Branches branches;
  for (std::vector<double> &branch : branches)
    branch.resize(head.queries * head.valueWidth);
  attendCompressed(head, pattern.getCompress(), branches[0]);
  KeptPairs selected(head.queries, head.keys), near(head.queries, head.keys);
  pattern.keepSelected(head, selected);
  pattern.keepNear(head, near);
  attendKept(head, selected, branches[1]);
  attendKept(head, near, branches[2]);
  return branches;
}

void CompressedSelectedWindowAttr::attend(const HeadInputs &head, const KeptPairs &,
                                          MutableArrayRef<double> result) const {
  Branches branches = branchesOf(*this, head);
  const AttentionInputs &item = head.item;
  int64_t features = item.heads * head.width, gates = kBranches * item.heads;
  llvm::fill(result, 0);
  for (int64_t q = 0; q < head.queries; ++q)
    for (int64_t branch = 0; branch < kBranches; ++branch) {
      int64_t column = kBranches * head.head + branch;
      double logit = item.weights[1][column];
      for (int64_t f = 0; f < features; ++f)
        logit += item.query[q * features + f] * item.weights[0][f * gates + column];
      for (int64_t d = 0; d < head.valueWidth; ++d)
        result[q * head.valueWidth + d] += branches[branch][q * head.valueWidth + d] / (1 + std::exp(-logit));
    }
}

/// Each row of queries of one block of tokens becomes heads of one token, so that causal order is that of blocks.
static Value lowerCompressed(PatternBuilder &b, int64_t compress) {
  ModelWriter w(b);
  AttentionOp op = b.attention();
  model::Dims query = w.dimsOf(b.query()), result = model::dimsOf(op.getType());
  Value keys = w.blockMeans(b.key(), b.keyMask(), compress), values = w.blockMeans(b.value(), b.keyMask(), compress);
  Value mask = b.keyMask() ? w.anyKept(b.keyMask(), compress) : Value();
  auto attend = [&](Type type, Value queries, int64_t heads) -> Value {
    return model::AttentionOp::create(b.ops(), b.loc(), type, queries, keys, values, mask,
                                      b.ops().getI64IntegerAttr(heads), op.getKvHeadsAttr(), op.getScaleAttr(),
                                      op.getCausalAttr());
  };
  if (!b.isCausal())
    return attend(op.getType(), b.query(), b.heads());
  // One row more than there are blocks: a row stands at the block before its own.
  DimExpr batch = query[0], rows = w.dimsOf(keys)[1] + 1;
  int64_t heads = b.heads(), width = *query[2].constant() / heads, valueWidth = *result[2].constant() / heads;
  Value queries = w.reshape(w.padTokens(b.query(), rows * compress), {batch, rows, compress, heads, width});
  queries = w.reshape(w.transpose(queries, {0, 1, 3, 2, 4}), {batch, rows, heads * compress * width});
  Type type = model::tensorType(w.elementOf(queries), {batch, rows, heads * compress * valueWidth});
  Value attended = w.reshape(attend(type, queries, heads * compress), {batch, rows, heads, compress, valueWidth});
  attended = w.reshape(w.transpose(attended, {0, 1, 3, 2, 4}), {batch, rows * compress, heads * valueWidth});
  return w.slice(attended, 1, 0, query[1]);
}

Value CompressedSelectedWindowAttr::lower(PatternBuilder &b) const {
  ModelWriter w(b);
  int64_t cells = getBlock() / getCompress(), group = b.heads() / b.kvHeads();
  model::Dims query = w.dimsOf(b.query()), result = model::dimsOf(AttentionOp(b.attention()).getType());
  int64_t width = *query[2].constant() / b.heads(), valueWidth = *result[2].constant() / b.heads();
  // Heads that share a key head choose by their mean.
  Value shared = w.reshape(b.query(), {query[0], query[1], b.kvHeads(), group, width});
  shared = w.reshape(w.reduce(model::ReduceKind::mean, shared, 3), {query[0], query[1], b.kvHeads() * width});
  Value scores = b.scoreOfKeyHeads(shared, getCompress());
  PatternBuilder::Selection best{BudgetKind::count, double(getK()), getK()};
  best.sinks = getSinks();
  best.local = getLocal();
  Value selected = b.select(b.weigh(scores, {WeighKind::blocks, b.scale(), getCompress(), cells, cells, b.queries()}),
                            getBlock(), getBlock(), best);
  Value branches[kBranches] = {lowerCompressed(b, getCompress()), b.attend({selected}),
                               b.attend({b.bands(1, 1, getWindow() - 1, b.isCausal() ? 0 : getWindow() - 1, 0)})};
  Type gateType = model::tensorType(w.elementOf(b.query()), {query[0], query[1], kBranches * b.heads()});
  Value gates = model::LinearOp::create(b.ops(), b.loc(), gateType, b.query(), b.weight(0), b.weight(1), false);
  gates =
      w.reshape(w.elementwise(model::ElementwiseKind::sigmoid, {gates}), {query[0], query[1], b.heads(), kBranches});
  Value sum;
  for (int64_t branch = 0; branch < kBranches; ++branch) {
    Value part = w.reshape(branches[branch], {query[0], query[1], b.heads(), valueWidth});
    part = w.elementwise(model::ElementwiseKind::mul, {part, w.slice(gates, 3, branch, 1)});
    sum = sum ? w.elementwise(model::ElementwiseKind::add, {sum, part}) : part;
  }
  return w.reshape(sum, result);
}

int64_t CompressedSelectedWindowAttr::pairBound(int64_t queries, int64_t keys, bool causal) const {
  int64_t near = causal ? getWindow() : 2 * getWindow() - 1;
  return queries *
         (std::min(keys, getK() * getBlock()) + std::min(keys, near) + (keys + getCompress() - 1) / getCompress());
}

/// For each head the constants with which the branches are nearest to dense attention, between gates almost shut and
/// almost open.
std::vector<std::vector<double>> CompressedSelectedWindowAttr::fit(ArrayRef<AttentionInputs> samples) const {
  if (samples.empty())
    return {{}, {}};
  const AttentionInputs &any = samples.front();
  std::vector<double> gate(any.heads * any.width * kBranches * any.heads), bias;
  for (int64_t h = 0; h < any.heads; ++h) {
    LeastSquares regression(kBranches);
    for (const AttentionInputs &item : samples) {
      HeadInputs head(item, h);
      Branches branches = branchesOf(*this, head);
      std::vector<double> dense(head.queries * head.valueWidth);
      attendKept(head, KeptPairs(head.queries, head.keys, true), dense);
      for (size_t i = 0; i < dense.size(); ++i)
        if (int64_t q = i / head.valueWidth; !head.sameTokens || head.isKept(q))
          regression.add({branches[0][i], branches[1][i], branches[2][i]}, dense[i]);
    }
    for (double share : regression.solve()) {
      double open = std::clamp(share, 0.01, 0.99);
      bias.push_back(std::log(open / (1 - open)));
    }
  }
  return {gate, bias};
}
