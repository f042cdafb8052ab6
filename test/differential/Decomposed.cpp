// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random graphs: parts of transformers as exporters write them, out of elementwise ops, sums and products, which the
// graph phase raises.
#include "test/differential/GraphMaker.h"

using namespace tamis;
using namespace tamis::test;

/// A step of a form that is raised whole: judged by the last one's error, which bounds all.
size_t GraphMaker::step(const std::string &function, const std::vector<size_t> &operands, double most, double error) {
  GraphValue result{.element = "f32", .most = most, .error = error};
  for (size_t operand : operands)
    result.dims = *broadcastDims(result.dims, graph.values[operand].dims);
  std::string text = "model.elementwise " + function + " " + graph.operands(operands) + " : (" + graph.types(operands) +
                     ") -> " + result.type();
  return graph.add(text, std::move(result));
}

/// Over the last axis, which stays with size one.
size_t GraphMaker::reduced(const std::string &kind, size_t operand, double most, double error) {
  GraphValue x = graph.values[operand], result = x;
  result.dims.back() = 1, result.most = most, result.error = error;
  std::string text = "model.reduce " + kind + " " + graph.use(operand) + " axes [" + std::to_string(x.rank() - 1) +
                     "] : " + x.type() + " -> " + result.type();
  return graph.add(text, std::move(result));
}

/// x (1 + erf(x / sqrt 2)) / 2, or with a sigmoid x sigmoid(x).
bool GraphMaker::writtenActivation() {
  auto operand = pick([](const GraphValue &value) { return value.element == "f32"; });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  double error = 1.3 * x.error + rounding("f32", std::max(1.0, x.most));
  if (error > 1e-2 * std::max(x.most, 0.1))
    return false;
  if (random.oneIn(3)) {
    size_t gate = step("sigmoid", {*operand}, 1, error);
    step("mul", {*operand, gate}, x.most, error);
    return true;
  }
  size_t scaled = random.oneIn(2) ? step("div", {*operand, constant(std::sqrt(2.0))}, x.most, error)
                                  : step("mul", {*operand, constant(std::sqrt(0.5))}, x.most, error);
  size_t above = step("add", {step("erf", {scaled}, 1, error), constant(1)}, 2, error);
  if (random.oneIn(2))
    step("mul", {step("mul", {*operand, above}, 2 * x.most, 2 * error), constant(0.5)}, x.most, error);
  else
    step("mul", {step("mul", {*operand, constant(0.5)}, x.most, error), above}, x.most, error);
  return true;
}

/// (x - mean) / sqrt(mean of squares + epsilon), or without the mean; perhaps scaled.
bool GraphMaker::writtenNorm() {
  auto operand = pick([](const GraphValue &value) {
    return value.element == "f32" && value.rank() >= 2 && value.dims.back().constant();
  });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  constexpr double epsilon = 0.0625, root = 0.25;
  double most = std::min(2 * x.most / root, std::sqrt(double(*x.dims.back().constant())) + 1);
  double error = 8 * x.error / root + rounding("f32", 16 * std::max(1.0, x.most / root));
  if (error > 1e-2 * most)
    return false;
  size_t centred = *operand;
  if (random.oneIn(2))
    centred = step("sub", {*operand, reduced("mean", *operand, x.most, error)}, 2 * x.most, error);
  double square = graph.values[centred].most * graph.values[centred].most, off = 4 * error * std::max(1.0, x.most);
  size_t squares =
      random.oneIn(2) ? step("pow", {centred, constant(2)}, square, off) : step("mul", {centred, centred}, square, off);
  size_t above = step("add", {reduced("mean", squares, square, off), constant(epsilon)}, square + epsilon, off);
  size_t normed = random.oneIn(2)
                      ? step("div", {centred, step("sqrt", {above}, std::sqrt(square + epsilon), off)}, most, error)
                      : step("mul", {centred, step("rsqrt", {above}, 1 / root, off / (root * root))}, most, error);
  if (random.oneIn(2)) {
    normed = step("mul", {normed, weight({x.dims.back()})}, most, error);
    if (random.oneIn(2))
      step("add", {normed, weight({x.dims.back()})}, most + 1, error);
  }
  return true;
}

/// Products of scores over a softmax, of heads that lie in an axis of their own: softmax(x x' scale + mask) x.
bool GraphMaker::writtenAttention() {
  auto operand = pick([](const GraphValue &value) {
    return value.element == "f32" && value.rank() == 3 && value.dims.back().constant() && value.most <= 8;
  });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  int64_t width = *x.dims.back().constant(), heads = width % 4 == 0 ? 4 : width % 3 == 0 ? 3 : 1;
  const DimExpr batch = x.dims[0], tokens = x.dims[1], D = width / heads;
  double scale = 0.125, scores = scale * double(width / heads) * x.most * x.most;
  double off = scale * double(width / heads) * (2 * x.most * x.error + rounding("f32", x.most * x.most));
  double error = x.error + 2 * x.most * off + rounding("f32", 4 * x.most * std::max(1.0, scores));
  if (error > 1e-2 * std::max(x.most, 0.1) || graph.largestCount({batch, heads, tokens, tokens}) > (1 << 16))
    return false;
  auto move = [&](const std::string &text, size_t from, const Dims &dims) {
    GraphValue result = graph.values[from];
    result.dims = dims;
    std::string type = graph.values[from].type();
    size_t at = text.find(' ');
    return graph.add("model." + text.substr(0, at) + " " + graph.use(from) + text.substr(at) + " : " + type + " -> " +
                         result.type(),
                     result);
  };
  auto product = [&](size_t left, size_t right, double most, double error) {
    GraphValue result{.element = "f32", .dims = graph.values[left].dims, .most = most, .error = error};
    result.dims.back() = graph.values[right].dims.back();
    return graph.add("model.matmul " + graph.operands({left, right}) + " : " + graph.types({left, right}) + " -> " +
                         result.type(),
                     result);
  };
  size_t split = move("reshape ", *operand, {batch, tokens, heads, D});
  size_t query = move("transpose [0, 2, 1, 3]", split, {batch, heads, tokens, D});
  size_t key = move("transpose [0, 2, 3, 1]", split, {batch, heads, D, tokens});
  bool scalesFirst = random.oneIn(2);
  if (scalesFirst)
    query = step("mul", {query, constant(scale)}, x.most, x.error);
  size_t weights = product(query, key, scores, off);
  if (!scalesFirst)
    weights = step("mul", {weights, constant(scale)}, scores, off);
  auto mask = pick([&](const GraphValue &value) {
    return value.isInteger() && value.rank() == 2 && value.dims[0] == batch && value.dims[1] == tokens;
  });
  if (mask) { // keys of positive numbers are kept; the others are pushed far down
    size_t wide = move("reshape ", *mask, {batch, 1, 1, tokens});
    size_t zero = constant(0, graph.values[wide].element), low = constant(-1e4), none = constant(0);
    GraphValue kept{.element = "i1", .dims = graph.values[wide].dims};
    std::string text = "model.elementwise greater " + graph.operands({wide, zero}) + " : (" +
                       graph.types({wide, zero}) + ") -> " + kept.type();
    size_t isKept = graph.add(text, kept);
    weights = step("add", {weights, step("select", {isKept, none, low}, 1e4, 0)}, 1e4, off + 1e-3);
    // Among keys that are all pushed down, what is left of their scores has few digits.
    error += 4 * x.most * 1e-3;
  }
  GraphValue shares = graph.values[weights];
  shares.most = 1, shares.error = 2 * off + 1e-6;
  weights = graph.add("model.softmax " + graph.use(weights) + " axis 3 : " + shares.type(), shares);
  size_t value = move("transpose [0, 2, 1, 3]", split, {batch, heads, tokens, D});
  size_t merged = move("transpose [0, 2, 1, 3]", product(weights, value, x.most, error), {batch, tokens, heads, D});
  move("reshape ", merged, {batch, tokens, width});
  return true;
}
