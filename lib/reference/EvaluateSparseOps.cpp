// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops of the sattn dialect.
#include "dialects/model/ModelShapes.h"
#include "lib/reference/EvaluateAttention.h"
#include "lib/reference/EvaluateIndex.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;
using namespace tamis::sattn;

namespace {
/// Which keys a mask of keys alone keeps, by batch item.
class KeyMask {
public:
  KeyMask(Value mask, const Scope &scope) {
    if (!mask)
      return;
    TensorView view = scope.view(mask);
    keys = view.shape[3];
    for (double added : readFloats(view)) // of bools 0 and 1
      kept.push_back(view.isFloat() ? added > kLeftOut : added != 0);
  }
  bool operator()(int64_t b, int64_t k) const { return kept.empty() || kept[b * keys + k]; }

private:
  int64_t keys = 0;
  std::vector<bool> kept;
};

/// Vectors by batch item, head and place, of tokens or of a summary.
class Vectors {
public:
  Vectors(TensorView view, int64_t heads) : numbers(readFloats(view)) {
    bool isSummary = view.shape.size() == 4;
    count = view.shape[isSummary ? 2 : 1];
    width = isSummary ? view.shape[3] : view.shape[2] / heads;
    strides = isSummary ? std::array{heads * count * width, count * width, width}
                        : std::array{count * heads * width, width, heads * width};
  }
  const double *operator()(int64_t b, int64_t h, int64_t i) const {
    return numbers.data() + b * strides[0] + h * strides[1] + i * strides[2];
  }
  int64_t count, width;

private:
  std::vector<double> numbers;
  std::array<int64_t, 3> strides;
};

/// e^(score - most), where NaN, which is below every number, weighs nothing.
double weightOf(double score, double most) {
  return std::isnan(score) ? 0 : score == most ? 1 : std::exp(score - most); // infinity less itself is no number
}

/// What a score is of a sum.
double shareOf(double score) {
  return score > 0 ? score : 0; // NaN too
}

/// As many numbers as a budget keeps of `n` scores, largest first; the softmax is that of the scores. `forced`: the sum
/// of the shares of those that are kept before.
int64_t countOf(BudgetAttr budget, ArrayRef<double> descending, double forced, int64_t items) {
  double value = budget.number();
  int64_t n = descending.size(), count = 0;
  switch (budget.getKind()) {
  case BudgetKind::count:
    return int64_t(value);
  case BudgetKind::fraction:
    return std::max<int64_t>(1, int64_t(value * items));
  case BudgetKind::mass: {
    double sum = 0, reached = 0;
    for (double score : descending)
      sum += weightOf(score, descending[0]);
    while (count < n && reached < value * sum)
      reached += weightOf(descending[count++], descending[0]);
    return count;
  }
  case BudgetKind::share: {
    double sum = forced, reached = forced;
    for (double score : descending)
      sum += shareOf(score);
    while (count < n && reached < value * sum)
      reached += shareOf(descending[count++]);
    return count;
  }
  case BudgetKind::threshold:
    while (count < n && descending[count] >= value)
      ++count;
    return count;
  case BudgetKind::quantile: {
    if (!n)
      return 0;
    double limit = descending[n - 1 - int64_t(value * (n - 1))];
    while (count < n && (descending[count] > limit || (std::isnan(limit) && !std::isnan(descending[count]))))
      ++count;
    return count;
  }
  }
  llvm_unreachable("unknown budget");
}

/// One column of the summary of block n.
double summaryOf(SummarizeOp op, const Vectors &tokens, int64_t b, int64_t h, int64_t n, int64_t column,
                 llvm::function_ref<bool(int64_t)> isKept) {
  int64_t width = op.getWidth(), first = n * width, end = std::min(first + width, tokens.count);
  SummaryKind kind = op.getKind();
  if (kind == SummaryKind::stack || kind == SummaryKind::stack_reversed) {
    int64_t place = column / tokens.width, t = first + (kind == SummaryKind::stack ? place : width - 1 - place);
    return t < end && isKept(t) ? tokens(b, h, t)[column % tokens.width] : 0;
  }
  double sum = 0, most = -INFINITY, least = INFINITY, count = 0;
  for (int64_t t = first; t < end; ++t) {
    if (!isKept(t))
      continue;
    double x = tokens(b, h, t)[column % tokens.width];
    sum += x;
    most = std::isnan(x) ? x : std::max(most, x); // a NaN stays: it is no less than any number
    least = std::isnan(x) ? x : std::min(least, x);
    ++count;
  }
  bool isFirstHalf = column < tokens.width;
  double mean = sum / count;
  if (count == 0)
    return 0;
  switch (kind) {
  case SummaryKind::mean:
    return mean;
  case SummaryKind::max:
    return most;
  case SummaryKind::min:
    return least;
  case SummaryKind::bounds:
    return isFirstHalf ? most : least;
  case SummaryKind::signs:
    return std::isnan(mean) ? mean : isFirstHalf ? std::max(mean, 0.0) : std::min(mean, 0.0);
  default:
    llvm_unreachable("unknown summary");
  }
}
} // namespace

llvm::Error tamis::reference::evaluateOp(SummarizeOp op, const Scope &scope, HostTensor &result) {
  TensorView input = scope.view(op.getInput());
  KeyMask mask(op.getMask(), scope);
  Vectors tokens(input, op.getHeads());
  std::vector<double> output;
  for (int64_t b = 0; b < result.shape[0]; ++b)
    for (int64_t h = 0; h < result.shape[1]; ++h)
      for (int64_t n = 0; n < result.shape[2]; ++n)
        for (int64_t column = 0; column < result.shape[3]; ++column)
          output.push_back(summaryOf(op, tokens, b, h, n, column, [&](int64_t t) { return mask(b, t); }));
  writeFloats(result, 0, output);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(ScoreOp op, const Scope &scope, HostTensor &result) {
  Vectors queries(scope.view(op.getQueries()), op.getHeads()), keys(scope.view(op.getKeys()), op.getKvHeads());
  int64_t heads = op.getHeads(), group = heads / op.getKvHeads();
  std::vector<double> weights = op.getWeights() ? readFloats(scope.view(op.getWeights())) : std::vector<double>();
  std::vector<double> output(op.getWeights() ? result.size() : 0);
  for (int64_t b = 0; b < result.shape[0]; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < queries.count; ++i)
        for (int64_t j = 0; j < keys.count; ++j) {
          double sum = 0;
          for (int64_t d = 0; d < keys.width; ++d)
            sum += op.getAgreement() ? double(queries(b, h, i)[d] == keys(b, h / group, j)[d])
                                     : queries(b, h, i)[d] * keys(b, h / group, j)[d];
          if (!op.getWeights())
            output.push_back(sum);
          else
            output[(b * queries.count + i) * keys.count + j] +=
                weights[(b * queries.count + i) * heads + h] * (std::isnan(sum) ? sum : std::max(sum, 0.0));
        }
  writeFloats(result, 0, output);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(WeighOp op, const Scope &scope, HostTensor &result) {
  auto queries = scope.evaluate(op.getQueries()), keys = scope.evaluate(op.getKeys());
  if (!queries || !keys)
    return fail(op, "has sizes that the inputs do not determine");
  TensorView view = scope.view(op.getScores());
  std::vector<double> scores = readFloats(view), output(result.size());
  KeyMask mask(op.getMask(), scope);
  double scale = op.getScale().convertToDouble();
  int64_t rows = view.shape[2], columns = view.shape[3], width = op.getWidth();
  for (int64_t head = 0; head < view.shape[0] * view.shape[1]; ++head)
    for (int64_t i = 0; i < rows; ++i) {
      int64_t stands = std::min(*queries, (i + 1) * width) - 1 + *keys - *queries; // the row's last query
      std::vector<double> weights(columns);
      std::vector<bool> isWeighed(columns);
      double most = -INFINITY, sum = 0;
      for (int64_t j = 0; j < columns; ++j) {
        weights[j] = scale * scores[(head * rows + i) * columns + j];
        bool any = false;
        for (int64_t k = j * width; k < std::min(*keys, (j + 1) * width); ++k)
          any |= mask(head / view.shape[1], k);
        isWeighed[j] = any && (!op.getCausal() || j * width <= stands) && !std::isnan(weights[j]);
        if (isWeighed[j])
          most = std::max(most, weights[j]);
      }
      for (int64_t j = 0; j < columns; ++j)
        sum += weights[j] = isWeighed[j] ? weightOf(weights[j], most) : 0;
      double *to = output.data() + (head * result.shape[2] + (op.getRows() ? i / op.getRows() : 0)) * result.shape[3];
      for (int64_t j = 0; j < columns; ++j)
        if (isWeighed[j])
          to[op.getKind() == WeighKind::diagonals ? stands - j : j / op.getColumns()] += weights[j] / sum;
    }
  writeFloats(result, 0, output);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(SelectOp op, const Scope &scope, HostTensor &result) {
  auto type = op.getType();
  auto queries = scope.evaluate(op.getQueries()), keys = scope.evaluate(op.getKeys());
  if (!queries || !keys)
    return fail(op, "has sizes that the inputs do not determine");
  TensorView view = scope.view(op.getScores());
  std::vector<double> scores = readFloats(view);
  KeyMask mask(op.getMask(), scope);
  std::optional<IndexReader> candidates;
  if (op.getCandidates())
    candidates.emplace(op.getCandidates(), scope);
  int64_t heads = view.shape[1], rows = view.shape[2], items = view.shape[3], columns = type.getColumns();
  IndexWriter writer(result);
  for (int64_t b = 0; b < view.shape[0]; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t row = 0; row < rows; ++row) {
        int64_t end = type.getRows() ? std::min(*queries, (row + 1) * type.getRows()) : *queries;
        int64_t last = end - 1 + *keys - *queries; // where the row's last query stands
        std::set<int64_t> among, kept;
        if (candidates)
          among = candidates->itemsFor(b, h, heads, row);
        std::vector<int64_t> others;
        for (int64_t j = 0; j < items; ++j) {
          bool readable = (!candidates || among.count(j)) && (!op.getCausal() || j * columns <= last), any = false;
          for (int64_t k = j * columns; k < std::min(*keys, (j + 1) * columns); ++k)
            any |= mask(b, k);
          if (!readable || !any)
            continue;
          bool isLocal = last >= 0 && j <= last / columns && j > last / columns - int64_t(op.getLocal());
          if (j < int64_t(op.getSinks()) || isLocal)
            kept.insert(j);
          else
            others.push_back(j);
        }
        ArrayRef<double> ofRow(scores.data() + ((b * heads + h) * rows + row) * items, items);
        std::vector<double> descending;
        for (int64_t j : others)
          descending.push_back(ofRow[j]);
        llvm::sort(descending, [](double x, double y) { return std::isnan(y) ? !std::isnan(x) : x > y; });
        double forced = 0;
        for (int64_t j : kept)
          forced += shareOf(ofRow[j]);
        int64_t count = countOf(op.getBudget(), descending, forced, items);
        if (op.getBudget().getKind() == BudgetKind::count || op.getBudget().getKind() == BudgetKind::fraction)
          count -= kept.size();
        for (int64_t j : largest(ofRow, others, std::max<int64_t>(count, 0)))
          kept.insert(j);
        if (auto error = writer.row(op, b, h, row, kept))
          return error;
      }
  return writer.finish();
}

llvm::Error tamis::reference::evaluateOp(BandsOp op, const Scope &scope, HostTensor &result) {
  auto type = op.getType();
  auto queries = scope.evaluate(op.getQueries()), keys = scope.evaluate(op.getKeys());
  if (!queries || !keys)
    return fail(op, "has sizes that the inputs do not determine");
  int64_t items = (*keys + type.getColumns() - 1) / type.getColumns();
  IndexWriter writer(result);
  for (int64_t b = 0; b < result.shape[0]; ++b)
    for (int64_t h = 0; h < result.shape[1]; ++h)
      for (int64_t row = 0; row < result.shape[2]; ++row) {
        std::set<int64_t> kept;
        for (int64_t q = row * type.getRows(); q < std::min(*queries, (row + 1) * type.getRows()); ++q) {
          int64_t own = llvm::divideFloorSigned(q + *keys - *queries, type.getColumns());
          for (int64_t j = 0; j < items; ++j)
            if ((j >= own - int64_t(op.getBefore()) && j <= own + int64_t(op.getAfter())) || j < int64_t(op.getSinks()))
              kept.insert(j);
        }
        if (auto error = writer.row(op, b, h, row, kept))
          return error;
      }
  return writer.finish();
}

llvm::Error tamis::reference::evaluateOp(DiagonalsOp op, const Scope &scope, HostTensor &result) {
  auto queries = scope.evaluate(op.getQueries()), keys = scope.evaluate(op.getKeys());
  if (!queries || !keys)
    return fail(op, "has sizes that the inputs do not determine");
  IndexReader distances(op.getDistances(), scope);
  int64_t rows = op.getType().getRows(), columns = op.getType().getColumns();
  IndexWriter writer(result);
  for (int64_t b = 0; b < result.shape[0]; ++b)
    for (int64_t h = 0; h < result.shape[1]; ++h)
      for (int64_t row = 0; row < result.shape[2]; ++row) {
        std::set<int64_t> kept;
        for (int64_t distance : distances.items(b, h, 0))
          for (int64_t q = row * rows; q < std::min(*queries, (row + 1) * rows); ++q)
            if (int64_t key = q + *keys - *queries - distance; key >= 0)
              kept.insert(key / columns);
        if (auto error = writer.row(op, b, h, row, kept))
          return error;
      }
  return writer.finish();
}

llvm::Error tamis::reference::evaluateOp(AttendOp op, const Scope &scope, HostTensor &result) {
  std::vector<IndexReader> indices;
  for (Value index : op.getIndices())
    indices.emplace_back(index, scope);
  int64_t heads = op.getHeads();
  std::string wrong;
  bool isPartial = isa<PartialType>(op.getType());
  std::vector<double> partial(isPartial ? result.size() : 0);
  HostTensor whole;
  if (isPartial)
    whole = HostTensor::zeros(result.element, {result.shape[0], result.shape[2], heads * (result.shape[3] - 1)});
  forEachHead(AttentionOperands::of(op, scope), isPartial ? whole : result,
              [&](int64_t b, const HeadInputs &head, MutableArrayRef<double> output) {
                KeptPairs kept(head.queries, head.keys);
                for (auto [number, index] : llvm::enumerate(indices))
                  for (int64_t q = 0; q < head.queries; ++q) {
                    std::set<int64_t> items = index.itemsFor(b, head.head, heads, index.rowOf(q));
                    for (int64_t k = 0; k < head.keys; ++k) {
                      if (!items.count(index.itemOf(k)))
                        continue;
                      kept.keep(q, k);
                      if (op.isFull(number) && (!head.isOrdered(q, k) || head.added(q, k) != 0))
                        wrong = "found the pair of query " + std::to_string(q) + " and key " + std::to_string(k) +
                                " in a full item, but the mask or the order leaves it out or adds to it";
                    }
                  }
                std::vector<double> logarithms(isPartial ? head.queries : 0);
                attendKept(head, kept, output, logarithms);
                for (int64_t q = 0; isPartial && q < head.queries; ++q) {
                  double *row = &partial[((b * heads + head.head) * head.queries + q) * (head.valueWidth + 1)];
                  std::copy_n(output.begin() + q * head.valueWidth, head.valueWidth, row);
                  row[head.valueWidth] = logarithms[q];
                }
              });
  if (isPartial)
    writeFloats(result, 0, partial);
  return wrong.empty() ? llvm::Error::success() : fail(op, wrong);
}

llvm::Error tamis::reference::evaluateOp(MergeOp op, const Scope &scope, HostTensor &result) {
  std::vector<std::vector<double>> inputs;
  for (Value input : op.getInputs())
    inputs.push_back(readFloats(scope.view(input)));
  TensorView like = scope.view(op.getInputs().front());
  int64_t heads = like.shape[1], queries = like.shape[2], width = like.shape[3] - 1;
  bool isPartial = isa<PartialType>(op.getType());
  std::vector<double> output(result.size());
  for (int64_t row = 0; row < like.shape[0] * heads * queries; ++row) {
    double most = -INFINITY, sum = 0;
    std::vector<double> weights;
    for (const auto &input : inputs)
      most = std::fmax(most, input[row * (width + 1) + width]);
    for (const auto &input : inputs) {
      double logarithm = input[row * (width + 1) + width];
      weights.push_back(logarithm == -INFINITY ? 0 : std::exp(logarithm - most));
      sum += weights.back();
    }
    int64_t query = row % queries, head = row / queries % heads, b = row / queries / heads;
    double *to = &output[isPartial ? row * (width + 1) : ((b * queries + query) * heads + head) * width];
    for (size_t i = 0; i < inputs.size(); ++i)
      for (int64_t e = 0; sum != 0 && e < width; ++e)
        to[e] += weights[i] / sum * inputs[i][row * (width + 1) + e];
    if (isPartial)
      to[width] = most + std::log(sum);
  }
  writeFloats(result, 0, output);
  return llvm::Error::success();
}

llvm::Error tamis::reference::evaluateOp(sattn::AttentionOp op, const Scope &scope, HostTensor &result) {
  PatternAttrInterface pattern = op.getPattern();
  bool hasKeyMask = op.getMask() && pattern.readsNumbers();
  KeyMask mask(hasKeyMask ? op.getMask() : Value(), scope);
  auto prepare = [&](int64_t b, AttentionInputs &item) {
    item.sameTokens = op.sizes().queries == op.sizes().keys;
    for (int64_t k = 0; hasKeyMask && k < item.keys; ++k)
      item.keyKept.push_back(mask(b, k));
    for (Value weight : op.getWeights())
      item.weights.push_back(readFloats(scope.view(weight)));
  };
  auto evaluate = [&](int64_t, const HeadInputs &head, MutableArrayRef<double> output) {
    KeptPairs kept(head.queries, head.keys);
    pattern.keep(head, kept);
    pattern.attend(head, kept, output);
  };
  forEachHead(AttentionOperands::of(op, scope), result, evaluate, prepare);
  return llvm::Error::success();
}
