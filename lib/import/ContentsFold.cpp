// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Integers and booleans that an importer knows before the model runs: the ops that work on them.
#include "lib/import/Contents.h"

#include "llvm/Support/MathExtras.h"

using namespace tamis;
using model::Dims;
using Kind = model::ElementwiseKind;

namespace {
/// True, false, or nothing when it depends on the sizes.
std::optional<bool> compare(Kind kind, const DimExpr &a, const DimExpr &b, const SizeRules &rules) {
  auto [min, max] = rules.bounds(a - b);
  auto decide = [](bool yes, bool no) { return yes ? std::optional(true) : no ? std::optional(false) : std::nullopt; };
  switch (kind) {
  case Kind::equal:
    return decide(a == b, min > 0 || max < 0);
  case Kind::not_equal:
    return decide(min > 0 || max < 0, a == b);
  case Kind::less:
    return decide(max < 0, min >= 0);
  case Kind::less_equal:
    return decide(max <= 0, min > 0);
  case Kind::greater:
    return decide(min > 0, max <= 0);
  case Kind::greater_equal:
    return decide(min >= 0, max < 0);
  default:
    return std::nullopt;
  }
}

/// Integer division that drops the fraction; by zero it gives 0, as model.elementwise does.
std::optional<DimExpr> divide(const DimExpr &a, const DimExpr &b, const SizeRules &rules) {
  auto x = a.constant(), y = b.constant();
  if (y == 0)
    return DimExpr(0);
  if (x && y && !(*x == INT64_MIN && *y == -1))
    return DimExpr(*x / *y);
  if (rules.atLeast(a, 0) && rules.atLeast(b, 1)) // dropping the fraction is rounding down
    return DimExpr::floorDiv(a, b);
  return std::nullopt;
}

std::optional<DimExpr> modulo(const DimExpr &a, const DimExpr &b, const SizeRules &rules) {
  if (!rules.atLeast(a, 0) || !rules.atLeast(b, 1))
    return std::nullopt;
  return a - DimExpr::floorDiv(a, b) * b;
}

std::optional<DimExpr> apply(Kind kind, llvm::ArrayRef<DimExpr> x, const SizeRules &rules) {
  switch (kind) {
  case Kind::neg:
    return DimExpr(0) - x[0];
  case Kind::abs:
    return rules.atLeast(x[0], 0) ? std::optional(x[0]) : std::nullopt;
  case Kind::logical_not:
    return DimExpr(1) - x[0];
  case Kind::add:
    return x[0] + x[1];
  case Kind::sub:
    return x[0] - x[1];
  case Kind::mul:
  case Kind::logical_and:
    return x[0] * x[1];
  case Kind::logical_or:
    return x[0] + x[1] - x[0] * x[1];
  case Kind::logical_xor:
    return x[0] + x[1] - DimExpr(2) * x[0] * x[1];
  case Kind::div:
    return divide(x[0], x[1], rules);
  case Kind::mod:
  case Kind::fmod:
    return modulo(x[0], x[1], rules);
  case Kind::minimum:
    return rules.min(x[0], x[1]);
  case Kind::maximum:
    return rules.max(x[0], x[1]);
  case Kind::select:
    if (auto condition = x[0].constant())
      return *condition ? x[1] : x[2];
    return std::nullopt;
  default:
    if (auto holds = x.size() == 2 ? compare(kind, x[0], x[1], rules) : std::nullopt)
      return DimExpr(*holds);
    return std::nullopt;
  }
}

/// Row-major position in an operand of the element of the result at `index`, by NumPy's rule; all sizes are numbers.
int64_t broadcastPosition(int64_t index, llvm::ArrayRef<DimExpr> dims, llvm::ArrayRef<DimExpr> operand) {
  int64_t position = 0, stride = 1;
  for (size_t axis = dims.size(); axis-- > 0;) {
    int64_t size = *dims[axis].constant(), i = index % size;
    index /= size;
    if (dims.size() - axis > operand.size())
      break;
    int64_t own = *operand[operand.size() - (dims.size() - axis)].constant();
    position += own == 1 ? 0 : i * stride;
    stride *= own;
  }
  return position;
}

std::optional<int64_t> elementCount(llvm::ArrayRef<DimExpr> dims) {
  auto count = product(dims).constant();
  return count && *count <= Contents::maxListed && *count >= 0 ? count : std::nullopt;
}

Affine broadcastAffine(const Affine &affine, size_t rank) {
  Affine wide{affine.base, Dims(rank - affine.steps.size(), DimExpr(0))};
  wide.steps.append(affine.steps);
  return wide;
}

/// The range of a linear function over its index space.
std::optional<SizeRules::Bounds> affineBounds(const Affine &affine, llvm::ArrayRef<DimExpr> dims,
                                              const SizeRules &rules) {
  DimExpr low = affine.base, high = affine.base;
  for (auto [step, dim] : llvm::zip_equal(affine.steps, dims)) {
    DimExpr reach = step * (dim - DimExpr(1));
    if (rules.atLeast(step, 0))
      high = high + reach;
    else if (rules.atMost(step, 0))
      low = low + reach;
    else
      return std::nullopt;
  }
  return SizeRules::Bounds{rules.bounds(low).min, rules.bounds(high).max};
}

std::optional<Affine> applyAffine(Kind kind, llvm::ArrayRef<Affine> x, llvm::ArrayRef<DimExpr> dims,
                                  const SizeRules &rules) {
  auto combine = [&](auto &&each) {
    Affine result{each(x[0].base, x[1].base), {}};
    for (auto [a, b] : llvm::zip_equal(x[0].steps, x[1].steps))
      result.steps.push_back(each(a, b));
    return result;
  };
  Dims zeros(dims.size(), DimExpr(0));
  switch (kind) {
  case Kind::add:
    return combine([](const DimExpr &a, const DimExpr &b) { return a + b; });
  case Kind::sub:
    return combine([](const DimExpr &a, const DimExpr &b) { return a - b; });
  case Kind::mul: {
    if (!x[0].isSplat() && !x[1].isSplat())
      return std::nullopt;
    const Affine &varying = x[0].isSplat() ? x[1] : x[0];
    const DimExpr &by = x[0].isSplat() ? x[0].base : x[1].base;
    Affine result{varying.base * by, {}};
    for (const DimExpr &step : varying.steps)
      result.steps.push_back(step * by);
    return result;
  }
  case Kind::less:
  case Kind::less_equal:
  case Kind::greater:
  case Kind::greater_equal:
  case Kind::equal:
  case Kind::not_equal: {
    auto range = affineBounds(combine([](const DimExpr &a, const DimExpr &b) { return a - b; }), dims, rules);
    if (!range)
      return std::nullopt;
    // The comparison is decided when it comes out the same at both ends, and for equality when it is out of reach.
    auto low = compare(kind, DimExpr(range->min), DimExpr(0), rules);
    auto high = compare(kind, DimExpr(range->max), DimExpr(0), rules);
    bool isEquality = kind == Kind::equal || kind == Kind::not_equal;
    bool inReach = range->min <= 0 && range->max >= 0;
    if (low != high || (isEquality && inReach && range->min != range->max))
      return std::nullopt;
    return Affine{DimExpr(*low), zeros};
  }
  case Kind::select:
    if (!x[0].isSplat() || !x[0].base.constant())
      return std::nullopt;
    return *x[0].base.constant() ? x[1] : x[2];
  default: {
    if (!llvm::all_of(x, [](const Affine &a) { return a.isSplat(); }))
      return std::nullopt;
    Dims values;
    for (const Affine &a : x)
      values.push_back(a.base);
    if (auto value = apply(kind, values, rules))
      return Affine{*value, zeros};
    return std::nullopt;
  }
  }
}
} // namespace

std::optional<Contents> tamis::foldElementwise(Kind kind, llvm::ArrayRef<KnownTensor> operands,
                                               llvm::ArrayRef<DimExpr> dims, const SizeRules &rules) {
  bool listed = llvm::all_of(operands, [](const KnownTensor &x) { return x.contents->list.has_value(); });
  if (auto count = elementCount(dims); count && listed) {
    Dims elements;
    for (int64_t i = 0; i < *count; ++i) {
      Dims values;
      for (const KnownTensor &x : operands)
        values.push_back((*x.contents->list)[broadcastPosition(i, dims, x.dims)]);
      auto value = apply(kind, values, rules);
      if (!value)
        return std::nullopt;
      elements.push_back(*value);
    }
    return Contents::ofList(std::move(elements), dims);
  }
  llvm::SmallVector<Affine> functions;
  for (const KnownTensor &x : operands) {
    if (!x.contents->affine)
      return std::nullopt;
    functions.push_back(broadcastAffine(*x.contents->affine, dims.size()));
  }
  auto result = applyAffine(kind, functions, dims, rules);
  return result ? Contents::ofAffine(std::move(*result), dims) : std::nullopt;
}

std::optional<Contents> tamis::foldReshape(KnownTensor operand, llvm::ArrayRef<DimExpr> dims) {
  if (operand.contents->list)
    return Contents::ofList(*operand.contents->list, dims);
  if (!operand.contents->affine)
    return std::nullopt;
  const Affine &from = *operand.contents->affine;
  Affine to{from.base, Dims(dims.size(), DimExpr(0))};
  if (from.isSplat())
    return Contents::ofAffine(std::move(to), dims);

  // Axes of one come and go freely.
  llvm::SmallVector<size_t> fromAxes, toAxes;
  for (size_t axis = 0; axis < operand.dims.size(); ++axis)
    if (!operand.dims[axis].isConstant(1))
      fromAxes.push_back(axis);
  for (size_t axis = 0; axis < dims.size(); ++axis)
    if (!dims[axis].isConstant(1))
      toAxes.push_back(axis);
  bool same = fromAxes.size() == toAxes.size();
  for (size_t i = 0; same && i < toAxes.size(); ++i)
    same = operand.dims[fromAxes[i]] == dims[toAxes[i]];
  if (same) {
    for (auto [f, t] : llvm::zip_equal(fromAxes, toAxes))
      to.steps[t] = from.steps[f];
    return Contents::ofAffine(std::move(to), dims);
  }

  // Through the row-major vector: the function must be linear in the position.
  DimExpr perPosition = from.steps[fromAxes.back()], stride = 1;
  for (size_t i = fromAxes.size(); i-- > 0;) {
    if (from.steps[fromAxes[i]] != perPosition * stride)
      return std::nullopt;
    stride = stride * operand.dims[fromAxes[i]];
  }
  stride = 1;
  for (size_t i = toAxes.size(); i-- > 0;) {
    to.steps[toAxes[i]] = perPosition * stride;
    stride = stride * dims[toAxes[i]];
  }
  return Contents::ofAffine(std::move(to), dims);
}

std::optional<Contents> tamis::foldBroadcast(KnownTensor operand, llvm::ArrayRef<DimExpr> dims) {
  if (operand.contents->affine)
    return Contents::ofAffine(broadcastAffine(*operand.contents->affine, dims.size()), dims);
  auto count = elementCount(dims);
  if (!count || !operand.contents->list)
    return std::nullopt;
  Dims elements;
  for (int64_t i = 0; i < *count; ++i)
    elements.push_back((*operand.contents->list)[broadcastPosition(i, dims, operand.dims)]);
  return Contents::ofList(std::move(elements), dims);
}

std::optional<Contents> tamis::foldTranspose(KnownTensor operand, llvm::ArrayRef<int64_t> permutation) {
  Dims dims;
  for (int64_t axis : permutation)
    dims.push_back(operand.dims[axis]);
  if (!operand.contents->affine)
    return permutation.size() == 1 && operand.contents->list ? std::optional(*operand.contents) : std::nullopt;
  Affine result{operand.contents->affine->base, {}};
  for (int64_t axis : permutation)
    result.steps.push_back(operand.contents->affine->steps[axis]);
  return Contents::ofAffine(std::move(result), dims);
}

std::optional<Contents> tamis::foldSlice(KnownTensor operand, llvm::ArrayRef<DimExpr> starts,
                                         llvm::ArrayRef<int64_t> steps, llvm::ArrayRef<DimExpr> dims) {
  if (const auto &affine = operand.contents->affine) {
    Affine result{affine->base, {}};
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      result.base = result.base + affine->steps[axis] * starts[axis];
      result.steps.push_back(affine->steps[axis] * DimExpr(steps[axis]));
    }
    return Contents::ofAffine(std::move(result), dims);
  }
  auto count = elementCount(dims);
  if (!operand.contents->list || dims.size() != 1 || !count || !starts[0].constant())
    return std::nullopt;
  Dims elements;
  for (int64_t i = 0; i < *count; ++i) {
    int64_t position = *starts[0].constant() + i * steps[0];
    if (position < 0 || position >= static_cast<int64_t>(operand.contents->list->size()))
      return std::nullopt;
    elements.push_back((*operand.contents->list)[position]);
  }
  return Contents::ofList(std::move(elements), dims);
}

std::optional<Contents> tamis::foldConcat(llvm::ArrayRef<KnownTensor> operands, int64_t axis,
                                          llvm::ArrayRef<DimExpr> dims) {
  bool listed = llvm::all_of(operands, [](const KnownTensor &x) { return x.contents->list.has_value(); });
  if (listed && dims.size() == 1) {
    Dims elements;
    for (const KnownTensor &x : operands)
      elements.append(*x.contents->list);
    return Contents::ofList(std::move(elements), dims);
  }
  if (axis + 1 != static_cast<int64_t>(dims.size()) || operands.size() > 8)
    return std::nullopt;
  std::vector<Affine> components;
  for (const KnownTensor &x : operands) {
    if (x.contents->affine && x.dims.back().isConstant(1)) {
      Affine component = *x.contents->affine;
      component.steps.pop_back();
      components.push_back(std::move(component));
    } else if (x.contents->tuple) {
      llvm::append_range(components, *x.contents->tuple);
    } else {
      return std::nullopt;
    }
  }
  return components.size() > 8 ? std::nullopt : Contents::ofTuple(std::move(components));
}

std::optional<Contents> tamis::foldGather(KnownTensor data, KnownTensor indices, llvm::ArrayRef<DimExpr> dims) {
  auto numbers = indices.contents->numbers();
  if (!data.contents->list || data.dims.size() != 1 || !numbers)
    return std::nullopt;
  int64_t size = data.contents->list->size();
  Dims elements;
  for (int64_t index : *numbers) {
    index += index < 0 ? size : 0;
    if (index < 0 || index >= size)
      return std::nullopt;
    elements.push_back((*data.contents->list)[index]);
  }
  return Contents::ofList(std::move(elements), dims);
}

bool tamis::liesWithin(KnownTensor tensor, int64_t min, int64_t max, const SizeRules &rules) {
  auto fits = [&](SizeRules::Bounds bounds) { return bounds.min >= min && bounds.max <= max; };
  if (tensor.contents->list)
    return llvm::all_of(*tensor.contents->list, [&](const DimExpr &e) { return fits(rules.bounds(e)); });
  auto bounds = tensor.contents->affine ? affineBounds(*tensor.contents->affine, tensor.dims, rules) : std::nullopt;
  return bounds && fits(*bounds);
}
