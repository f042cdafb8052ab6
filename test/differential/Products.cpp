// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random graphs: ops that sum over an axis, or order it.
#include "test/differential/GraphMaker.h"

#include "llvm/ADT/STLExtras.h"

using namespace tamis;
using namespace tamis::test;

bool GraphMaker::reduce() {
  auto operand = pick([](const GraphValue &value) {
    return value.rank() >= 1 && value.element != "i1" && value.element != "f16" && value.element != "bf16";
  });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand], result = x;
  std::string axes;
  double count = 1;
  bool mayBeEmpty = false;
  for (size_t axis = 0; axis < x.rank(); ++axis) {
    if (!axes.empty() ? random.oneIn(2) : axis + 1 < x.rank() && random.oneIn(2))
      continue;
    axes += (axes.empty() ? "" : ", ") + std::to_string(axis);
    count *= double(std::max<int64_t>(graph.largest(x.dims[axis]), 1));
    mayBeEmpty |= graph.mayBeEmpty(x.dims[axis]);
    result.dims[axis] = 1;
  }
  auto kind = random.of<std::string>({"sum", "mean", "max", "min"});
  bool isOrder = kind == "max" || kind == "min";
  if (kind == "sum")
    result.most *= count;
  if (!isOrder) {
    result.error = (kind == "sum" ? count : 1) * x.error + roundingOfSum(x.element, result.most, count);
    result.indexes = 0;
  }
  if (mayBeEmpty) {
    result.indexes = 0;
    result.isLast = kind != "sum" && x.isFloat(); // infinite, or no number
  }
  return isJudged(result) && add("model.reduce " + kind + " " + graph.use(*operand) + " axes [" + axes +
                                     "] : " + x.type() + " -> " + result.type(),
                                 result);
}

bool GraphMaker::softmax() {
  auto operand = pick([](const GraphValue &value) { return value.element == "f32" && value.rank() >= 1; });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand], result = x;
  size_t axis = random.oneIn(2) ? x.rank() - 1 : size_t(random.below(int64_t(x.rank())));
  result.most = 1, result.error = 2 * x.error + rounding(x.element, std::max(1.0, x.most));
  return isJudged(result) &&
         add("model.softmax " + graph.use(*operand) + " axis " + std::to_string(axis) + " : " + x.type(), result);
}

bool GraphMaker::cumulative() {
  auto operand = pick([](const GraphValue &value) {
    return value.rank() >= 1 && (value.element == "f32" || value.element == "i64" || value.element == "i32");
  });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand], result = x;
  size_t axis = size_t(random.below(int64_t(x.rank())));
  double count = double(std::max<int64_t>(graph.largest(x.dims[axis]), 1));
  result.most *= count;
  result.error = x.isFloat() ? count * x.error + roundingOfSum(x.element, result.most, count) : 0;
  result.indexes = 0;
  return isJudged(result) &&
         add("model.cumulative sum " + graph.use(*operand) + " axis " + std::to_string(axis) +
                 (random.oneIn(2) ? " exclusive" : "") + (random.oneIn(2) ? " reverse" : "") + " : " + x.type(),
             result);
}

bool GraphMaker::topK() {
  auto isLong = [](const DimExpr &dim) { return dim.constant().has_value(); };
  auto operand = pick([&](const GraphValue &value) {
    return value.isExact() && value.element != "i1" && llvm::any_of(value.dims, isLong);
  });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand], result = x;
  size_t axis = size_t(llvm::find_if(x.dims, isLong) - x.dims.begin());
  int64_t size = *x.dims[axis].constant();
  result.dims[axis] = random.between(1, size);
  result.element = "i64", result.indexes = size;
  return add("model.top_k " + graph.use(*operand) + " axis " + std::to_string(axis) +
                 (random.oneIn(2) ? " smallest" : "") + " : " + x.type() + " -> " + result.type(),
             result);
}

void GraphMaker::setProducts(GraphValue &result, const GraphValue &a, const GraphValue &b, double count) {
  result.most = count * a.most * b.most;
  result.error = count * (a.most * b.error + b.most * a.error) + roundingOfSum(result.element, result.most, count);
}

bool GraphMaker::matmul() {
  auto left = pick([](const GraphValue &value) { return value.element == "f32" && value.rank() >= 2; });
  if (!left)
    return false;
  GraphValue a = graph.values[*left];
  const DimExpr &inner = a.dims.back();
  auto right = pick([&](const GraphValue &value) {
    return value.element == "f32" && value.rank() >= 2 && value.dims[value.rank() - 2] == inner &&
           broadcastDims(Dims(a.dims.begin(), a.dims.end() - 2), Dims(value.dims.begin(), value.dims.end() - 2));
  });
  if (!right) { // the left one's transpose
    std::string order;
    Dims dims = a.dims;
    std::swap(dims.back(), dims[dims.size() - 2]);
    for (size_t i = 0; i < dims.size(); ++i)
      order += (i ? ", " : "") + std::to_string(i + 2 < dims.size() ? i : 2 * dims.size() - 3 - i);
    GraphValue turned = a;
    turned.dims = dims;
    add("model.transpose " + graph.use(*left) + " [" + order + "] : " + a.type() + " -> " + turned.type(), turned);
    right = graph.values.size() - 1;
  }
  GraphValue b = graph.values[*right], result = a;
  result.dims = *broadcastDims(Dims(a.dims.begin(), a.dims.end() - 2), Dims(b.dims.begin(), b.dims.end() - 2));
  result.dims.push_back(a.dims[a.rank() - 2]);
  result.dims.push_back(b.dims.back());
  setProducts(result, a, b, double(graph.largest(inner)));
  return isJudged(result) && add("model.matmul " + graph.operands({*left, *right}) + " : " +
                                     graph.types({*left, *right}) + " -> " + result.type(),
                                 result);
}

/// An f32 whose last axis is fixed.
static bool hasRows(const GraphValue &value) {
  return value.element == "f32" && value.rank() >= 1 && value.dims.back().constant();
}

bool GraphMaker::linear() {
  auto operand = pick(hasRows);
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand], result = x;
  int64_t N = random.of<int64_t>({1, 3, 8, 16, 17, 32, 48, 64, 65});
  bool transposed = random.oneIn(2), hasBias = random.oneIn(2);
  result.dims.back() = N;
  setProducts(result, x, {.most = 1}, double(*x.dims.back().constant()));
  result.most += hasBias;
  if (!isJudged(result))
    return false;
  DimExpr K = x.dims.back();
  std::vector<size_t> operands{*operand, weight(transposed ? Dims{N, K} : Dims{K, N})};
  if (hasBias)
    operands.push_back(weight({N}));
  std::string text = "model.linear " + graph.operands({operands[0], operands[1]});
  if (hasBias)
    text += " bias " + graph.use(operands[2]);
  return add(text + (transposed ? " transposed" : "") + " : " + graph.types(operands) + " -> " + result.type(), result);
}

bool GraphMaker::norm() {
  auto operand = pick(hasRows);
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand], result = x;
  int64_t columns = *x.dims.back().constant();
  bool hasScale = random.oneIn(2), hasBias = hasScale && random.oneIn(2);
  // A row's deviation may be 0: then errors grow by one over the root of epsilon, which is large here.
  constexpr double epsilon = 0.0625, root = 0.25;
  result.most = std::min(2 * x.most / root, std::sqrt(double(columns)) + 1) + hasBias;
  result.error = 4 * x.error / root + rounding("f32", 4 * std::max(1.0, x.most / root));
  if (!isJudged(result))
    return false;
  std::vector<size_t> operands{*operand};
  std::string text = std::string("model.norm ") + (random.oneIn(2) ? "layer " : "rms ") + graph.use(*operand);
  for (auto [is, word] : {std::pair(hasScale, " scale "), std::pair(hasBias, " bias ")})
    if (is) {
      operands.push_back(weight({columns}));
      text += word + graph.use(operands.back());
    }
  return add(text + " axis " + std::to_string(x.rank() - 1) + " epsilon " + std::to_string(epsilon) + " : " +
                 graph.types(operands) + " -> " + result.type(),
             result);
}

bool GraphMaker::embedding() {
  auto ids = pick([](const GraphValue &value) { return value.indexes && value.element == "i64"; });
  if (!ids)
    return false;
  GraphValue at = graph.values[*ids];
  int64_t width = random.of<int64_t>({1, 8, 17, 32});
  GraphValue result{.element = "f32", .dims = at.dims, .most = 1};
  result.dims.push_back(width);
  if (!isJudged(result) || result.rank() > 5)
    return false;
  std::vector<size_t> operands{weight({at.indexes + random.between(0, 3), width}), *ids};
  return add("model.embedding " + graph.operands(operands) + " : " + graph.types(operands) + " -> " + result.type(),
             result);
}

/// Queries are one value; keys and values another of the same batch and width.
bool GraphMaker::attention() {
  auto fits = [](const GraphValue &value) { return hasRows(value) && value.rank() == 3 && value.most <= 8; };
  auto query = pick(fits);
  if (!query)
    return false;
  GraphValue q = graph.values[*query];
  auto key = pick(
      [&](const GraphValue &value) { return fits(value) && value.dims[0] == q.dims[0] && value.dims[2] == q.dims[2]; });
  GraphValue k = graph.values[*key], result = q;
  int64_t width = *q.dims[2].constant(), heads = 1;
  for (int64_t candidate : {2, 3, 4})
    if (width % candidate == 0 && random.oneIn(2))
      heads = candidate;
  double D = double(width / heads), scale = 0.125;
  double scores = scale * D * (q.most * k.error + k.most * q.error + rounding("f32", q.most * k.most));
  result.most = k.most;
  result.error =
      k.error + 2 * k.most * scores + rounding("f32", 4 * k.most * std::max(1.0, scale * D * q.most * k.most));
  if (!isJudged(result))
    return false;
  std::vector<size_t> operands{*query, *key, *key};
  std::string text = "model.attention " + graph.operands(operands), count = std::to_string(heads);
  auto mask = pick([&](const GraphValue &value) {
    auto dims = broadcastDims(value.dims, {q.dims[0], DimExpr(heads), q.dims[1], k.dims[1]});
    return value.element == "i1" && value.rank() == 4 && dims && *dims == Dims{q.dims[0], heads, q.dims[1], k.dims[1]};
  });
  if (mask) {
    operands.push_back(*mask);
    text += " mask " + graph.use(*mask);
  }
  return add(text + " heads " + count + " kv_heads " + count + " scale " + std::to_string(scale) +
                 (random.oneIn(3) ? " causal" : "") + " : " + graph.types(operands) + " -> " + result.type(),
             result);
}
