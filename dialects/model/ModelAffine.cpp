// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Integer tensors whose elements are affine in their coordinates.
#include "dialects/model/ModelAffine.h"

#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelViews.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::model {

namespace {
RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}
Dims dimsOf(Value value) {
  return model::dimsOf(value.getType());
}

using Index = std::optional<AffineIndex>;

/// Results by value, so that shared operands are walked once.
using Known = llvm::DenseMap<Value, Index>;

Index affine(Value value, Known &known, unsigned depth);

AffineIndex uniform(DimExpr start, size_t rank) {
  return {start, SmallVector<DimExpr>(rank, DimExpr(0))};
}

/// Reads the steps off the corner and compares all elements.
Index ofConstant(DenseElementsAttr elements) {
  auto type = cast<RankedTensorType>(elements.getType());
  if (type.getNumElements() == 0 || (!elements.isSplat() && type.getNumElements() > kFoldLimit))
    return std::nullopt;
  if (elements.isSplat())
    return uniform(elements.getSplatValue<APInt>().getSExtValue(), type.getRank());
  SmallVector<int64_t> values, steps(type.getRank());
  for (const APInt &element : elements.getValues<APInt>())
    values.push_back(element.getSExtValue());
  for (int64_t axis = type.getRank() - 1, stride = 1; axis >= 0; stride *= type.getDimSize(axis--))
    if (type.getDimSize(axis) > 1 && llvm::SubOverflow(values[stride], values[0], steps[axis]))
      return std::nullopt;
  for (auto [i, value] : llvm::enumerate(values)) {
    int64_t wanted = values[0], rest = i;
    for (int64_t axis = type.getRank() - 1; axis >= 0; rest /= type.getDimSize(axis--)) {
      int64_t part;
      if (llvm::MulOverflow(rest % type.getDimSize(axis), steps[axis], part) || llvm::AddOverflow(wanted, part, wanted))
        return std::nullopt;
    }
    if (value != wanted)
      return std::nullopt;
  }
  AffineIndex index{values[0], {}};
  for (int64_t step : steps)
    index.steps.push_back(step);
  return index;
}

/// Axes that merge must continue each other (the outer step is the inner step times the inner size); axes that split
/// pass their step on.
Index throughReshape(const AffineIndex &input, ArrayRef<DimExpr> from, ArrayRef<DimExpr> to) {
  SmallVector<ViewChain::Axis> axes;
  Dims factors;
  SmallVector<DimExpr> steps;
  for (auto [dim, step] : llvm::zip_equal(from, input.steps)) {
    axes.emplace_back();
    if (dim.isConstant(1))
      continue;
    axes.back().push_back(factors.size());
    factors.push_back(dim);
    steps.push_back(step);
  }
  auto groups = regroupFactors(axes, to, factors, [&](unsigned outer, unsigned inner) {
    steps.push_back(steps[outer]);
    steps[outer] = steps[outer] * factors[inner];
  });
  if (!groups)
    return std::nullopt;
  AffineIndex result{input.start, {}};
  for (const ViewChain::Axis &group : *groups) {
    result.steps.push_back(group.empty() ? DimExpr(0) : steps[group.back()]);
    for (size_t i = 0; i + 1 < group.size(); ++i)
      if (steps[group[i]] != steps[group[i + 1]] * factors[group[i + 1]])
        return std::nullopt;
  }
  return result;
}

AffineIndex throughBroadcast(const AffineIndex &input, ArrayRef<DimExpr> from, size_t rank) {
  AffineIndex wide{input.start, SmallVector<DimExpr>(rank - from.size(), DimExpr(0))};
  for (auto [dim, step] : llvm::zip_equal(from, input.steps))
    wide.steps.push_back(dim.isConstant(1) ? DimExpr(0) : step);
  return wide;
}

bool isUniform(const AffineIndex &index) {
  return llvm::all_of(index.steps, [](const DimExpr &step) { return step.isConstant(0); });
}

Index ofElementwise(ElementwiseOp op, Known &known, unsigned depth) {
  if (op.getKind() != K::add && op.getKind() != K::sub && op.getKind() != K::mul && op.getKind() != K::neg)
    return std::nullopt;
  size_t rank = typeOf(op.getResult()).getRank();
  SmallVector<AffineIndex> operands;
  for (Value operand : op.getOperands()) {
    Index index = affine(operand, known, depth);
    if (!index)
      return std::nullopt;
    operands.push_back(throughBroadcast(*index, dimsOf(operand), rank));
  }
  if (op.getKind() == K::neg) {
    operands.push_back(operands[0]);
    operands[0] = uniform(0, rank);
  }
  AffineIndex &a = operands[0], &b = operands[1];
  if (op.getKind() == K::mul) {
    if (!isUniform(b))
      std::swap(a, b);
    if (!isUniform(b))
      return std::nullopt;
    a.start = a.start * b.start;
    for (DimExpr &step : a.steps)
      step = step * b.start;
    return a;
  }
  bool add = op.getKind() == K::add;
  a.start = add ? a.start + b.start : a.start - b.start;
  for (auto [x, y] : llvm::zip_equal(a.steps, b.steps))
    x = add ? x + y : x - y;
  return a;
}

Index ofSlice(SliceOp op, Known &known, unsigned depth) {
  Index index = affine(op.getInput(), known, depth);
  if (!index)
    return std::nullopt;
  for (auto [text, by, step] : llvm::zip_equal(op.getStarts(), op.getSteps(), index->steps)) {
    auto start = DimExpr::parse(cast<StringAttr>(text).getValue());
    if (!start)
      return std::nullopt;
    index->start = index->start + *start * step;
    step = step * DimExpr(by);
  }
  return index;
}

Index ofValue(Value value, Known &known, unsigned depth) {
  Operation *op = value.getDefiningOp();
  RankedTensorType type = typeOf(value);
  if (!op || depth > 64 || // chains of index arithmetic are short
      !type.getElementType().isSignlessInteger() || type.getElementTypeBitWidth() < 32)
    return std::nullopt;
  ++depth;
  return TypeSwitch<Operation *, Index>(op)
      .Case([&](ConstantOp constant) -> Index {
        auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
        return elements ? ofConstant(elements) : std::nullopt;
      })
      .Case([&](SizesOp sizes) -> Index {
        auto size = DimExpr::parse(cast<StringAttr>(sizes.getExprs()[0]).getValue());
        return size && sizes.getExprs().size() == 1 ? Index(uniform(*size, type.getRank())) : std::nullopt;
      })
      .Case([&](IotaOp iota) -> Index {
        auto start = DimExpr::parse(iota.getStart()), step = DimExpr::parse(iota.getStep());
        return start && step ? Index({*start, {*step}}) : std::nullopt;
      })
      .Case([&](ReshapeOp reshape) -> Index {
        Index index = affine(reshape.getInput(), known, depth);
        return index ? throughReshape(*index, dimsOf(reshape.getInput()), dimsOf(value)) : std::nullopt;
      })
      .Case([&](TransposeOp transpose) -> Index {
        Index index = affine(transpose.getInput(), known, depth);
        if (!index)
          return std::nullopt;
        AffineIndex moved{index->start, {}};
        for (int64_t axis : transpose.getPermutation())
          moved.steps.push_back(index->steps[axis]);
        return moved;
      })
      .Case([&](BroadcastOp broadcast) -> Index {
        Index index = affine(broadcast.getInput(), known, depth);
        return index ? Index(throughBroadcast(*index, dimsOf(broadcast.getInput()), type.getRank())) : std::nullopt;
      })
      .Case([&](SliceOp slice) { return ofSlice(slice, known, depth); })
      .Case([&](ElementwiseOp elementwise) { return ofElementwise(elementwise, known, depth); })
      .Case([&](CastOp cast) -> Index {
        Type from = typeOf(cast.getInput()).getElementType(); // narrowing could wrap
        bool widens = from.isSignlessInteger() && from.getIntOrFloatBitWidth() <= type.getElementTypeBitWidth();
        return widens ? affine(cast.getInput(), known, depth) : std::nullopt;
      })
      .Default([](Operation *) -> Index { return std::nullopt; });
}

Index affine(Value value, Known &known, unsigned depth) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  Index index = ofValue(value, known, depth);
  known[value] = index;
  return index;
}
} // namespace

Index affineIndexOf(Value value) {
  Known known;
  Index index = affine(value, known, 0);
  if (index)
    for (auto [dim, step] : llvm::zip_equal(dimsOf(value), index->steps))
      if (dim.isConstant(1))
        step = 0;
  return index;
}

std::optional<SmallVector<AffineIndex>> affineTuplesOf(Value value) {
  RankedTensorType type = typeOf(value);
  if (type.getRank() == 0)
    return std::nullopt;
  SmallVector<AffineIndex> components;
  auto constant = value.getDefiningOp<ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : DenseElementsAttr();
  if (elements && type.getElementType().isSignlessInteger()) {
    int64_t width = type.getShape().back();
    auto column = RankedTensorType::get(type.getShape().drop_back(), type.getElementType());
    for (int64_t component = 0; component < width; ++component) {
      auto picked = pickElements(elements, column, [&](int64_t i) { return i * width + component; });
      Index index = picked ? ofConstant(picked) : std::nullopt;
      if (!index)
        return std::nullopt;
      components.push_back(*index);
    }
    return components;
  }
  SmallVector<Value> columns{value};
  if (auto concat = value.getDefiningOp<ConcatOp>(); concat && int64_t(concat.getAxis()) + 1 == type.getRank())
    columns.assign(concat.getInputs().begin(), concat.getInputs().end());
  for (Value column : columns) {
    Index index = affineIndexOf(column);
    if (!index || !dimsOf(column).back().isConstant(1))
      return std::nullopt;
    index->steps.pop_back();
    components.push_back(*index);
  }
  return components;
}

SymbolRanges::SymbolRanges(FunctionOpInterface function) {
  for (const Symbol &symbol : symbolsOf(function))
    ranges[symbol.name] = {symbol.min, symbol.max};
}

using OptionalInt = std::optional<int64_t>;

static OptionalInt times(OptionalInt a, OptionalInt b) {
  int64_t product;
  if (!a || !b || llvm::MulOverflow(*a, *b, product))
    return std::nullopt;
  return product;
}

SymbolRanges::Bounds SymbolRanges::boundsOfFactor(StringRef factor) const {
  if (auto call = DimExpr::parseCall(factor)) {
    Bounds a = boundsOf(call->operands[0]), b = boundsOf(call->operands[1]);
    if (call->name == "max" && a.low && b.low)
      return {std::max(*a.low, *b.low), a.high && b.high ? OptionalInt(std::max(*a.high, *b.high)) : std::nullopt};
    if (call->name == "min" && a.low && b.low)
      return {std::min(*a.low, *b.low), a.high && b.high ? OptionalInt(std::min(*a.high, *b.high))
                                        : a.high         ? a.high
                                                         : b.high};
    if (call->name == "floordiv" && a.low && *a.low >= 0 && b.low && *b.low > 0)
      return {b.high ? *a.low / *b.high : 0, a.high ? OptionalInt(*a.high / *b.low) : std::nullopt};
    return {};
  }
  auto it = ranges.find(factor);
  return it == ranges.end() ? Bounds{0, std::nullopt} : it->second;
}

SymbolRanges::Bounds SymbolRanges::boundsOf(const DimExpr &e) const {
  Bounds sum{0, 0};
  auto add = [](OptionalInt &total, OptionalInt part) {
    int64_t result;
    if (!total || !part || llvm::AddOverflow(*total, *part, result))
      total = std::nullopt;
    else
      total = result;
  };
  for (const auto &[monomial, coefficient] : e.terms()) {
    Bounds term{1, 1};
    for (const std::string &factor : monomial) {
      Bounds bounds = boundsOfFactor(factor);
      if (!bounds.low || *bounds.low < 0)
        return {}; // sizes are not negative; anything else is beyond what is needed
      term = {times(term.low, bounds.low), times(term.high, bounds.high)};
    }
    if (coefficient < 0)
      std::swap(term.low, term.high);
    add(sum.low, times(term.low, coefficient));
    add(sum.high, times(term.high, coefficient));
  }
  return sum;
}

std::optional<std::pair<DimExpr, DimExpr>> SymbolRanges::extremes(const AffineIndex &index,
                                                                  ArrayRef<DimExpr> dims) const {
  std::pair<DimExpr, DimExpr> result{index.start, index.start};
  for (auto [step, dim] : llvm::zip_equal(index.steps, dims)) {
    DimExpr reach = step * (dim - DimExpr(1));
    if (isNonNegative(step))
      result.second = result.second + reach;
    else if (isNonNegative(DimExpr(0) - step))
      result.first = result.first + reach;
    else
      return std::nullopt;
  }
  return result;
}

} // namespace tamis::model
