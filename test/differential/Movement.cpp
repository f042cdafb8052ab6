// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random graphs: ops that move, pick and write elements.
#include "test/differential/GraphMaker.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace tamis;
using namespace tamis::test;

/// `["0", "n - 1"]`
static std::string texts(const std::vector<std::string> &list) {
  return "[" + llvm::join(llvm::map_range(list, [](const std::string &text) { return "\"" + text + "\""; }), ", ") +
         "]";
}

static std::string numbers(const std::vector<int64_t> &list) {
  return "[" + llvm::join(llvm::map_range(list, [](int64_t number) { return std::to_string(number); }), ", ") + "]";
}

static GraphValue reshaped(const GraphValue &value, std::vector<DimExpr> dims) {
  GraphValue result = value;
  result.dims = std::move(dims);
  return result;
}

/// Merges two axes, parts one, or adds or takes one of size 1.
bool GraphMaker::reshape() {
  auto operand = pick([](const GraphValue &) { return true; });
  GraphValue x = graph.values[*operand];
  Dims dims = x.dims;
  int64_t rank = int64_t(dims.size()), axis = rank ? random.below(rank) : 0;
  switch (random.below(4)) {
  case 0:
    if (rank < 2)
      return false;
    axis = random.below(rank - 1);
    dims[axis] = dims[axis] * dims[axis + 1];
    dims.erase(dims.begin() + axis + 1);
    break;
  case 1: {
    auto size = rank ? dims[axis].constant() : std::nullopt;
    std::vector<int64_t> factors;
    for (int64_t factor = 2; size && factor < *size; ++factor)
      if (*size % factor == 0)
        factors.push_back(factor);
    if (factors.empty())
      return false;
    int64_t factor = random.of(factors);
    dims[axis] = *size / factor;
    dims.insert(dims.begin() + axis, factor);
    break;
  }
  case 2:
    if (rank > 4)
      return false;
    dims.insert(dims.begin() + random.below(rank + 1), 1);
    break;
  default: {
    auto one = llvm::find_if(dims, [](const DimExpr &dim) { return dim.isConstant(1); });
    if (one == dims.end())
      return false;
    dims.erase(one);
  }
  }
  GraphValue result = reshaped(x, dims);
  return add("model.reshape " + graph.use(*operand) + " : " + x.type() + " -> " + result.type(), result);
}

bool GraphMaker::transpose() {
  auto operand = pick([](const GraphValue &value) { return value.rank() >= 2; });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  std::vector<int64_t> order(x.rank());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = int64_t(i);
    std::swap(order[i], order[random.below(int64_t(i) + 1)]);
  }
  Dims dims;
  for (int64_t axis : order)
    dims.push_back(x.dims[axis]);
  GraphValue result = reshaped(x, dims);
  return add("model.transpose " + graph.use(*operand) + " " + numbers(order) + " : " + x.type() + " -> " +
                 result.type(),
             result);
}

bool GraphMaker::broadcast() {
  auto operand = pick([](const GraphValue &value) { return value.rank() <= 3; });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  auto size = [&] {
    return graph.symbols.empty() || random.oneIn(2) ? DimExpr(random.between(1, 5))
                                                    : DimExpr::symbol(random.of(graph.symbols).name);
  };
  Dims dims = x.dims;
  for (DimExpr &dim : dims)
    if (dim.isConstant(1))
      dim = size();
  if (random.oneIn(2))
    dims.insert(dims.begin(), size());
  GraphValue result = reshaped(x, dims);
  return dims != x.dims && isJudged(result) &&
         add("model.broadcast " + graph.use(*operand) + " : " + x.type() + " -> " + result.type(), result);
}

bool GraphMaker::slice() {
  auto operand = pick([](const GraphValue &value) { return value.rank() >= 1; });
  if (!operand)
    return false;
  GraphValue x = graph.values[*operand];
  std::vector<std::string> starts;
  std::vector<int64_t> steps;
  Dims dims;
  for (const DimExpr &dim : x.dims) {
    int64_t start = 0, step = 1;
    DimExpr count = dim, from = 0;
    if (auto size = dim.constant(); size && *size > 1 && random.oneIn(2)) {
      step = random.oneIn(3) ? random.between(2, 3) : random.oneIn(3) ? -random.between(1, 2) : 1;
      int64_t picked = random.between(1, (*size + std::abs(step) - 1) / std::abs(step));
      int64_t room = *size - ((picked - 1) * std::abs(step) + 1);
      start = random.between(0, room) + (step < 0 ? (picked - 1) * -step : 0);
      count = picked, from = start;
    } else if (!size && random.oneIn(3)) {
      if (random.oneIn(2))
        from = dim - DimExpr(1), step = -1; // back to front
      else
        count = DimExpr::floorDiv(dim, 2), from = dim - count; // the last half
    }
    starts.push_back(from.str()), steps.push_back(step), dims.push_back(count);
  }
  GraphValue result = reshaped(x, dims);
  return add("model.slice " + graph.use(*operand) + " " + texts(starts) + " step " + numbers(steps) + " : " + x.type() +
                 " -> " + result.type(),
             result);
}

bool GraphMaker::concat() {
  auto first = pick([](const GraphValue &value) { return value.rank() >= 1; });
  if (!first)
    return false;
  GraphValue a = graph.values[*first];
  size_t axis = size_t(random.below(int64_t(a.rank())));
  std::vector<size_t> operands{*first};
  GraphValue result = a;
  for (int64_t i = random.between(1, 2); i > 0; --i) {
    auto next = pick([&](const GraphValue &value) {
      if (value.element != a.element || value.rank() != a.rank())
        return false;
      for (size_t k = 0; k < a.rank(); ++k)
        if (k != axis && value.dims[k] != a.dims[k])
          return false;
      return true;
    });
    const GraphValue &b = graph.values[*next];
    operands.push_back(*next);
    result.dims[axis] = result.dims[axis] + b.dims[axis];
    result.most = std::max(result.most, b.most), result.error = std::max(result.error, b.error);
    result.indexes = std::max(a.indexes, b.indexes) && a.indexes && b.indexes ? std::max(result.indexes, b.indexes) : 0;
  }
  return isJudged(result) && add("model.concat " + graph.operands(operands) + " axis " + std::to_string(axis) + " : (" +
                                     graph.types(operands) + ") -> " + result.type(),
                                 result);
}

static bool isIndex(const GraphValue &value) {
  return value.indexes && (value.element == "i64" || value.element == "i32");
}

bool GraphMaker::gather() {
  auto indices = pick(isIndex);
  if (!indices)
    return false;
  GraphValue at = graph.values[*indices];
  auto hasAxis = [&](const DimExpr &dim) { return dim.constant().value_or(0) >= at.indexes; };
  auto data = pick([&](const GraphValue &value) { return llvm::any_of(value.dims, hasAxis) && value.rank() <= 3; });
  if (!data)
    return false;
  GraphValue x = graph.values[*data];
  size_t axis = size_t(llvm::find_if(x.dims, hasAxis) - x.dims.begin());
  Dims dims(x.dims.begin(), x.dims.begin() + axis);
  dims.insert(dims.end(), at.dims.begin(), at.dims.end());
  dims.insert(dims.end(), x.dims.begin() + axis + 1, x.dims.end());
  GraphValue result = reshaped(x, dims);
  return dims.size() <= 5 && isJudged(result) &&
         add("model.gather " + graph.operands({*data, *indices}) + " axis " + std::to_string(axis) + " : " +
                 graph.types({*data, *indices}) + " -> " + result.type(),
             result);
}

/// Indices as tuples of one.
bool GraphMaker::gatherNd() {
  auto indices = pick(isIndex);
  if (!indices)
    return false;
  GraphValue at = graph.values[*indices];
  auto data = pick([&](const GraphValue &value) {
    return value.rank() >= 1 && value.dims.front().constant().value_or(0) >= at.indexes;
  });
  if (!data)
    return false;
  GraphValue x = graph.values[*data];
  Dims tuple = at.dims, dims = at.dims;
  tuple.push_back(1);
  dims.insert(dims.end(), x.dims.begin() + 1, x.dims.end());
  GraphValue tuples = reshaped(at, tuple), result = reshaped(x, dims);
  if (!isJudged(result) || dims.size() > 5)
    return false;
  add("model.reshape " + graph.use(*indices) + " : " + at.type() + " -> " + tuples.type(), tuples);
  size_t places = graph.values.size() - 1;
  return add("model.gather_nd " + graph.operands({*data, places}) + " batch_dims 0 : " + graph.types({*data, places}) +
                 " -> " + result.type(),
             result);
}

bool GraphMaker::scatter() {
  auto indices = pick([](const GraphValue &value) { return isIndex(value) && value.rank() <= 2; });
  if (!indices)
    return false;
  GraphValue at = graph.values[*indices];
  auto data = pick([&](const GraphValue &value) {
    return value.rank() >= 1 && value.dims.front().constant().value_or(0) >= at.indexes && value.element != "i1";
  });
  if (!data)
    return false;
  GraphValue x = graph.values[*data];
  Dims wanted = at.dims;
  wanted.insert(wanted.end(), x.dims.begin() + 1, x.dims.end());
  auto updates = pick([&](const GraphValue &value) { return value.element == x.element && value.dims == wanted; });
  auto single = pick([&](const GraphValue &value) {
    auto dims = broadcastDims(value.dims, wanted);
    return value.element == x.element && dims && *dims == wanted;
  });
  if (!updates && !single)
    return false;
  if (!updates) {
    GraphValue wide = reshaped(graph.values[*single], wanted);
    if (!isJudged(wide))
      return false;
    add("model.broadcast " + graph.use(*single) + " : " + graph.values[*single].type() + " -> " + wide.type(), wide);
    updates = graph.values.size() - 1;
  }
  GraphValue written = graph.values[*updates], result = x;
  auto kind = random.of<std::string>({"write", "sum", "max", "min"});
  double times = kind == "sum" ? double(graph.largestCount(at.dims)) : 1;
  result.most = kind == "sum" ? x.most + times * written.most : std::max(x.most, written.most);
  result.error = kind == "sum" ? x.error + times * (written.error + rounding(x.element, result.most))
                               : std::max(x.error, written.error);
  result.indexes = kind == "sum" ? 0 : std::min(x.indexes, written.indexes) ? std::max(x.indexes, written.indexes) : 0;
  if (!isJudged(result))
    return false;
  Dims tuple = at.dims;
  tuple.push_back(1);
  GraphValue tuples = reshaped(at, tuple);
  add("model.reshape " + graph.use(*indices) + " : " + at.type() + " -> " + tuples.type(), tuples);
  std::vector<size_t> operands{*data, graph.values.size() - 1, *updates};
  return add("model.scatter " + kind + " " + graph.operands(operands) + " batch_dims 0 : " + graph.types(operands),
             result);
}

bool GraphMaker::iota() {
  if (graph.symbols.empty())
    return false;
  const GraphSymbol &symbol = random.of(graph.symbols);
  GraphValue result{.element = "i64", .dims = {DimExpr::symbol(symbol.name)}, .indexes = symbol.most};
  return add("model.iota \"0\" step \"1\" : " + result.type(), result);
}
