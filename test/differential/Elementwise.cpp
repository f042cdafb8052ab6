// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random graphs: functions of elements.
#include "test/differential/GraphMaker.h"

using namespace tamis;
using namespace tamis::test;

/// A value of the same sizes as another.
static GraphValue like(const GraphValue &value, double most, double error) {
  return {.element = value.element, .dims = value.dims, .most = most, .error = error};
}

/// What keeps an exact number exact, or works on exact numbers alone since it jumps.
bool GraphMaker::unary() {
  auto operand = pickFloat();
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  std::vector<std::string> functions{"neg", "abs"};
  if (x.isExact())
    functions.insert(functions.end(), {"floor", "ceil", "round", "sign"});
  return elementwise(random.of(functions), {*operand}, like(x, std::max(x.most, 1.0), x.error));
}

/// Functions that stretch errors by a known factor.
bool GraphMaker::function() {
  auto operand = pick([](const GraphValue &value) { return value.element == "f32" || value.element == "f16"; });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  auto small = [&](double most, double slope) {
    return like(x, most, slope * x.error + rounding(x.element, std::max(most, x.most)));
  };
  switch (random.below(8)) {
  case 0:
    return elementwise(random.of<std::string>({"tanh", "erf", "sigmoid", "sin", "cos"}), {*operand}, small(1, 1.2));
  case 1:
    return x.most <= 4 && elementwise("exp", {*operand}, small(std::exp(x.most), std::exp(x.most)));
  case 2:
  case 3: {
    auto kind = random.of<std::string>({"relu", "relu2", "gelu", "gelu_tanh", "quick_gelu", "silu"});
    GraphValue result = kind == "relu2" ? small(x.most * x.most, 2 * x.most) : small(x.most, 1.3);
    if (kind == "relu" && x.isExact())
      result.error = 0;
    return isJudged(result) &&
           add("model.activation " + kind + " " + graph.use(*operand) + " : " + x.type(), std::move(result));
  }
  default: { // functions of what is above zero
    size_t half = constant(0.5, x.element);
    GraphValue magnitude = like(x, x.most, x.error),
               above = like(x, x.most + 0.5, x.error + rounding(x.element, x.most + 1));
    if (!elementwise("abs", {*operand}, magnitude) || !elementwise("add", {graph.values.size() - 1, half}, above))
      return false;
    size_t argument = graph.values.size() - 1;
    double error = above.error;
    auto result = [&](double most, double slope) {
      return like(x, most, slope * error + rounding(x.element, std::max(1.0, most)));
    };
    switch (random.below(5)) {
    case 0:
      return elementwise("log", {argument}, result(std::max(0.7, std::log(above.most)), 2));
    case 1:
      return elementwise("sqrt", {argument}, result(std::sqrt(above.most), 0.71));
    case 2:
      return elementwise("rsqrt", {argument}, result(1.5, 1.42));
    case 3:
      return elementwise("reciprocal", {argument}, result(2, 4));
    default: {
      size_t exponent = constant(random.of<double>({2, 0.5, -1, 3, 1.5}), x.element);
      double p = graph.values[exponent].most; // of -1 the error is that of a reciprocal
      double most = std::max(4.0, std::pow(above.most, p));
      return elementwise("pow", {argument, exponent}, result(most, std::max(4.0, p * std::pow(above.most, p - 1))));
    }
    }
  }
  }
}

/// Two operands that broadcast, of one element type; both may be the same value.
std::optional<std::pair<size_t, size_t>> GraphMaker::pickPair(llvm::function_ref<bool(const GraphValue &)> fits) {
  auto left = pick(fits);
  if (!left)
    return std::nullopt;
  const GraphValue &a = graph.values[*left];
  auto right = pick([&](const GraphValue &value) {
    return fits(value) && value.element == a.element && broadcastDims(a.dims, value.dims).has_value();
  });
  return std::pair(*left, *right);
}

bool GraphMaker::binary() {
  auto operands = pickPair([](const GraphValue &value) { return value.isFloat(); });
  if (!operands)
    return false;
  auto [left, right] = *operands;
  GraphValue a = graph.values[left], b = graph.values[right];
  auto kind = random.of<std::string>({"add", "add", "sub", "mul", "mul", "minimum", "maximum"});
  GraphValue result{.element = a.element, .dims = *broadcastDims(a.dims, b.dims)};
  if (kind == "minimum" || kind == "maximum") {
    result.most = std::max(a.most, b.most), result.error = std::max(a.error, b.error);
  } else if (kind == "mul") {
    result.most = a.most * b.most;
    result.error = a.most * b.error + b.most * a.error + rounding(a.element, result.most);
  } else {
    result.most = a.most + b.most, result.error = a.error + b.error + rounding(a.element, result.most);
  }
  bool swap = random.oneIn(2);
  return elementwise(kind, {swap ? right : left, swap ? left : right}, std::move(result));
}

/// a / (|b| + 0.5)
bool GraphMaker::quotient() {
  auto operands = pickPair([](const GraphValue &value) { return value.isFloat(); });
  if (!operands)
    return false;
  auto [left, right] = *operands;
  GraphValue a = graph.values[left], b = graph.values[right];
  size_t half = constant(0.5, b.element);
  GraphValue above = like(b, b.most + 0.5, b.error + rounding(b.element, b.most + 1));
  if (!elementwise("abs", {right}, like(b, b.most, b.error)) ||
      !elementwise("add", {half, graph.values.size() - 1}, above))
    return false;
  GraphValue result{.element = a.element, .dims = *broadcastDims(a.dims, b.dims), .most = 2 * a.most};
  result.error = 2 * a.error + 4 * a.most * above.error + rounding(a.element, result.most);
  return elementwise("div", {left, graph.values.size() - 1}, std::move(result));
}

bool GraphMaker::integers() {
  auto operands = pickPair([](const GraphValue &value) { return value.isInteger(); });
  if (!operands)
    return false;
  const GraphValue &a = graph.values[operands->first], &b = graph.values[operands->second];
  GraphValue result{.element = a.element, .dims = *broadcastDims(a.dims, b.dims)};
  auto kind = random.of<std::string>(
      {"add", "sub", "mul", "div", "mod", "fmod", "minimum", "maximum", "logical_and", "logical_or", "logical_xor"});
  return elementwise(kind, {operands->first, operands->second}, std::move(result));
}

bool GraphMaker::comparison() {
  auto operands = pickPair([](const GraphValue &value) { return value.isExact() && value.element != "i1"; });
  if (!operands)
    return false;
  GraphValue result{.element = "i1"};
  result.dims = *broadcastDims(graph.values[operands->first].dims, graph.values[operands->second].dims);
  auto kind = random.of<std::string>({"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"});
  return elementwise(kind, {operands->first, operands->second}, std::move(result));
}

bool GraphMaker::select() {
  auto condition = pick([](const GraphValue &value) { return value.element == "i1"; });
  if (!condition)
    return false;
  if (random.oneIn(4))
    return elementwise("logical_not", {*condition}, GraphValue{.element = "i1", .dims = graph.values[*condition].dims});
  auto yes = pick(
      [&](const GraphValue &value) { return broadcastDims(graph.values[*condition].dims, value.dims).has_value(); });
  auto dims = broadcastDims(graph.values[*condition].dims, graph.values[*yes].dims);
  GraphValue a = graph.values[*yes];
  auto no = pick([&](const GraphValue &value) {
    return value.element == a.element && broadcastDims(*dims, value.dims).has_value();
  });
  if (!no)
    return false;
  GraphValue b = graph.values[*no];
  GraphValue result{.element = a.element, .dims = *broadcastDims(*dims, b.dims)};
  result.most = std::max(a.most, b.most), result.error = std::max(a.error, b.error);
  return elementwise("select", {*condition, *yes, *no}, std::move(result));
}

bool GraphMaker::cast() {
  auto operand = pick([](const GraphValue &) { return true; });
  GraphValue x = graph.values[*operand];
  std::vector<std::string> to{"f32", "f64", "f16", "bf16"};
  if (x.isExact()) // what is not would round to another integer now and then
    to.insert(to.end(), {"i64", "i32", "i16", "i8", "ui8", "ui32", "i1"});
  GraphValue result = like(x, x.most, x.error);
  result.element = random.of(to);
  if (result.element == x.element)
    return false;
  if (result.isFloat() && !x.isFloat()) {
    bool isSmall = x.element == "i1" || x.indexes;
    result.most = x.element == "i1" ? 1 : double(x.indexes);
    if (!isSmall)
      return false;
  }
  if (result.isFloat() && !x.isExact())
    result.error += rounding(result.element, result.most);
  return isJudged(result) &&
         add("model.cast " + graph.use(*operand) + " : " + x.type() + " -> " + result.type(), result);
}
