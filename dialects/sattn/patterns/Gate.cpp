// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What patterns share that choose tokens by a gate, whoever reads them.
#include "dialects/sattn/patterns/Gate.h"

#include "dialects/sattn/LeastSquares.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

PatternWeight tamis::sattn::gateWeight(const AttentionSizes &sizes, bool perHead) {
  return {"gate", {perHead ? sizes.kvHeads : 1, sizes.kvHeads * sizes.width}};
}

std::vector<double> tamis::sattn::gateScores(const HeadInputs &head) {
  const std::vector<double> &gate = head.item.weights[0];
  int64_t features = head.item.kvHeads * head.width, gates = gate.size() / features;
  const double *row = gate.data() + head.head / (head.item.heads / gates) * features;
  std::vector<double> scores(head.keys);
  for (int64_t k = 0; k < head.keys; ++k)
    for (int64_t f = 0; f < features; ++f)
      scores[k] += row[f] * head.item.key[k * features + f];
  return scores;
}

std::vector<int64_t> tamis::sattn::keptTokens(const AttentionInputs &item) {
  std::vector<int64_t> tokens;
  for (int64_t k = 0; k < item.keys; ++k)
    if (item.keyKept.empty() || item.keyKept[k])
      tokens.push_back(k);
  return tokens;
}

void tamis::sattn::keepTokensAndOwn(const HeadInputs &head, ArrayRef<int64_t> tokens, KeptPairs &kept) {
  for (int64_t q = 0; q < head.queries; ++q) {
    for (int64_t k : tokens)
      if (head.isOrdered(q, k))
        kept.keep(q, k);
    if (head.positionOf(q) >= 0)
      kept.keep(q, head.positionOf(q));
  }
}

Value tamis::sattn::gateScores(PatternBuilder &b) {
  model::Dims key = model::dimsOf(b.key().getType()), gate = model::dimsOf(b.weight(0).getType());
  Type element = cast<RankedTensorType>(b.key().getType()).getElementType();
  Value scores = model::LinearOp::create(b.ops(), b.loc(), model::tensorType(element, {key[0], key[1], gate[0]}),
                                         b.key(), b.weight(0), /*bias=*/Value(), /*transposed=*/true);
  if (gate[0] != DimExpr(1))
    scores = model::TransposeOp::create(b.ops(), b.loc(), model::tensorType(element, {key[0], gate[0], key[1]}), scores,
                                        b.ops().getDenseI64ArrayAttr({0, 2, 1}));
  return model::ReshapeOp::create(b.ops(), b.loc(), model::tensorType(element, {key[0], gate[0], 1, key[1]}), scores);
}

Value tamis::sattn::selectTokens(PatternBuilder &b, Value scores, BudgetKind kind, double value,
                                 const DimExpr &capacity) {
  PatternBuilder::Selection selection{kind, value, capacity};
  selection.ordered = false; // what is chosen does not depend on who reads it
  return b.select(scores, /*rows=*/0, /*columns=*/1, selection);
}

Value tamis::sattn::attendTokensAndOwn(PatternBuilder &b, Value tokens) {
  return b.attend({b.bands(1, 1, 0, 0, 0), tokens});
}

DimExpr tamis::sattn::shareCapacity(const DimExpr &tokens, double share) {
  // Sizes are whole numbers: the share in thousandths, rounded up, and one for what the rounding of products leaves.
  return DimExpr::floorDiv(tokens * (int64_t(share * 1000) + 1), 1000) + 1;
}

namespace {
/// What each token receives of dense attention; NaN when no query may read it. `heads`: [first, end).
std::vector<double> received(const AttentionInputs &item, int64_t first, int64_t end) {
  std::vector<double> sums(item.keys), counts(item.keys), weights(item.keys);
  KeptPairs all(item.queries, item.keys, true);
  for (int64_t h = first; h < end; ++h) {
    HeadInputs head(item, h);
    for (int64_t q = 0; q < item.queries; ++q) {
      if (item.sameTokens && !head.isKept(q))
        continue; // nobody asks for what it reads
      weigh(head, all, q, weights);
      for (int64_t k = 0; k < item.keys; ++k)
        if (head.mayPick(q, k)) {
          sums[k] += weights[k];
          ++counts[k];
        }
    }
  }
  for (int64_t k = 0; k < item.keys; ++k)
    sums[k] /= counts[k];
  return sums;
}

void observe(const AttentionInputs &item, ArrayRef<double> received, LeastSquares &regression) {
  int64_t features = item.kvHeads * item.width, count = 0;
  std::vector<double> targets(item.keys, NAN), mean(features);
  double meanTarget = 0, least = 1e-6 / std::max<int64_t>(1, item.keys); // below it nothing can be told apart
  for (int64_t k = 0; k < item.keys; ++k) {
    ArrayRef<double> key = ArrayRef(item.key).slice(k * features, features);
    if (std::isnan(received[k]) || !llvm::all_of(key, [](double x) { return std::isfinite(x); }))
      continue;
    targets[k] = std::log(std::max(received[k], least));
    ++count;
    meanTarget += targets[k];
    for (int64_t f = 0; f < features; ++f)
      mean[f] += key[f];
  }
  // Less their means, a constant of the batch item has no part in it.
  std::vector<double> row(features);
  for (int64_t k = 0; k < item.keys; ++k) {
    for (int64_t f = 0; f < features; ++f)
      row[f] = item.key[k * features + f] - mean[f] / count;
    regression.add(row, targets[k] - meanTarget / count);
  }
}
} // namespace

std::vector<std::vector<double>> tamis::sattn::fitGate(ArrayRef<AttentionInputs> samples, bool perHead) {
  std::vector<double> weights;
  if (samples.empty())
    return {weights};
  const AttentionInputs &any = samples.front();
  int64_t gates = perHead ? any.kvHeads : 1, heads = any.heads / gates;
  for (int64_t gate = 0; gate < gates; ++gate) {
    LeastSquares regression(any.kvHeads * any.width);
    for (const AttentionInputs &item : samples)
      observe(item, received(item, gate * heads, (gate + 1) * heads), regression);
    llvm::append_range(weights, regression.solve());
  }
  return {weights};
}
