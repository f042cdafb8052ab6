// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks that say by a rule which keys are kept.
#include "passes/sparsify/ClosedForm.h"

#include "dialects/model/ModelAffine.h"
#include "dialects/model/ModelConstants.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::sparsify {

bool ClosedForm::operator()(int64_t position, int64_t key) const {
  if (causal && key > position)
    return false;
  if (key < sinks)
    return true;
  if (block)
    return llvm::divideFloorSigned(key, block) == llvm::divideFloorSigned(position, block);
  return key >= position - before.value_or(INT32_MAX) && key <= position + after.value_or(INT32_MAX);
}

namespace {
/// A condition `queryStep q + keyStep k + start >= 0`, q and k counted along the last two axes.
struct HalfPlane {
  int64_t queryStep, keyStep;
  DimExpr start;
};

/// The steps along the last two axes of what depends on nothing else.
std::optional<HalfPlane> planeOf(const AffineIndex &index) {
  HalfPlane plane{0, 0, index.start};
  size_t rank = index.steps.size();
  for (auto [axis, step] : llvm::enumerate(index.steps)) {
    auto number = step.constant();
    if (!number || (axis + 2 < rank && *number != 0))
      return std::nullopt;
    if (axis + 1 == rank)
      plane.keyStep = *number;
    else if (axis + 2 == rank)
      plane.queryStep = *number;
  }
  return plane;
}

/// `high - low`, each of its own rank.
std::optional<HalfPlane> difference(Value high, Value low) {
  auto upper = affineIndexOf(high), lower = affineIndexOf(low);
  auto x = upper ? planeOf(*upper) : std::nullopt, y = lower ? planeOf(*lower) : std::nullopt;
  if (!x || !y)
    return std::nullopt;
  return HalfPlane{x->queryStep - y->queryStep, x->keyStep - y->keyStep, x->start - y->start};
}

class Reader {
public:
  Reader(const DimExpr &queries, const DimExpr &keys) : offset(keys - queries) {}

  std::optional<ClosedForm> read(Value mask) const {
    // Positions line up at the last axes; what only adds or repeats axes before them changes nothing.
    while (Operation *op = mask.getDefiningOp()) {
      Dims to = dimsOf(mask.getType());
      if (!isa<ReshapeOp, BroadcastOp>(op) || !addsAxes(dimsOf(op->getOperand(0).getType()), to))
        break;
      mask = op->getOperand(0);
    }
    auto op = mask.getDefiningOp<ElementwiseOp>();
    if (!op)
      return std::nullopt;
    switch (op.getKind()) {
    case K::logical_and:
      return both(read(op.getOperands()[0]), read(op.getOperands()[1]));
    case K::logical_or:
      return either(read(op.getOperands()[0]), read(op.getOperands()[1]));
    case K::logical_not:
      return negated(read(op.getOperands()[0]));
    case K::less:
    case K::less_equal:
      return ofPlane(difference(op.getOperands()[1], op.getOperands()[0]), op.getKind() == K::less);
    case K::greater:
    case K::greater_equal:
      return ofPlane(difference(op.getOperands()[0], op.getOperands()[1]), op.getKind() == K::greater);
    case K::equal:
      return ofBlocks(op.getOperands()[0], op.getOperands()[1]);
    default:
      return std::nullopt;
    }
  }

private:
  static bool addsAxes(ArrayRef<DimExpr> from, ArrayRef<DimExpr> to) {
    if (from.size() > to.size())
      return false;
    for (size_t back = 1; back <= from.size(); ++back)
      if (from[from.size() - back] != to[to.size() - back] && !(from[from.size() - back].isConstant(1)))
        return false;
    // Before them, one element or the same again.
    return true;
  }

  std::optional<ClosedForm> ofPlane(std::optional<HalfPlane> plane, bool isStrict) const {
    if (!plane)
      return std::nullopt;
    DimExpr start = plane->start - DimExpr(isStrict);
    ClosedForm form;
    if (plane->queryStep == 1 && plane->keyStep == -1) { // k <= q + start
      auto after = (start - offset).constant();
      form.after = after;
      return after ? std::optional(form) : std::nullopt;
    }
    if (plane->queryStep == -1 && plane->keyStep == 1) { // k >= q - start
      auto before = (start + offset).constant();
      form.before = before;
      return before ? std::optional(form) : std::nullopt;
    }
    auto sinks = start.constant();
    if (plane->queryStep != 0 || plane->keyStep != -1 || !sinks || *sinks < 0 || *sinks >= INT32_MAX)
      return std::nullopt;
    return firstKeys(*sinks + 1);
  }

  /// A rule of first keys alone: its band is empty.
  static ClosedForm firstKeys(int64_t count) {
    ClosedForm form;
    form.before = -1;
    form.after = -1;
    form.sinks = count;
    return form;
  }
  static bool isBand(const ClosedForm &form) { return !form.sinks && !form.block && !form.causal; }
  static bool isCausal(const ClosedForm &form) { return isBand(form) && !form.before && form.after == 0; }
  static bool isFirstKeys(const ClosedForm &form) {
    return form.sinks && !form.block && !form.causal && form.before == -1 && form.after == -1;
  }

  static std::optional<ClosedForm> both(std::optional<ClosedForm> x, std::optional<ClosedForm> y) {
    if (!x || !y)
      return std::nullopt;
    if (isBand(*x) && isBand(*y)) {
      auto least = [](std::optional<int64_t> a, std::optional<int64_t> b) {
        return a && b ? std::min(a, b) : a ? a : b;
      };
      x->before = least(x->before, y->before);
      x->after = least(x->after, y->after);
      return x;
    }
    if (isCausal(*x))
      std::swap(x, y);
    if (!isCausal(*y))
      return std::nullopt;
    x->causal = true;
    return x;
  }

  static std::optional<ClosedForm> either(std::optional<ClosedForm> x, std::optional<ClosedForm> y) {
    if (!x || !y)
      return std::nullopt;
    if (isFirstKeys(*x))
      std::swap(x, y);
    if (!isFirstKeys(*y) || x->causal)
      return std::nullopt;
    x->sinks = std::max(x->sinks, y->sinks);
    return x;
  }

  static std::optional<ClosedForm> negated(std::optional<ClosedForm> x) {
    if (!x || !isBand(*x) || x->before.has_value() == x->after.has_value())
      return std::nullopt;
    ClosedForm form;
    if (x->after)
      form.before = -(*x->after + 1);
    else
      form.after = -(*x->before + 1);
    return form;
  }

  /// Positions divided by one number, the same on both sides.
  std::optional<ClosedForm> ofBlocks(Value x, Value y) const {
    auto divided = [](Value value, int64_t &by) -> std::optional<HalfPlane> {
      Value positions = value;
      while (Operation *op = positions.getDefiningOp()) {
        if (!isa<ReshapeOp, BroadcastOp>(op))
          break;
        positions = op->getOperand(0);
      }
      auto op = positions.getDefiningOp<ElementwiseOp>();
      auto type = cast<RankedTensorType>(value.getType());
      if (!op || op.getKind() != K::div || !type.getElementType().isInteger())
        return std::nullopt;
      auto number = uniformNumber(op.getOperands()[1]);
      auto index = affineIndexOf(op.getOperands()[0]);
      if (!number || *number < 1 || !index || dimsOf(op.getOperands()[0].getType()) != dimsOf(positions.getType()))
        return std::nullopt;
      by = int64_t(*number);
      // Along which axis they lie is told by the axes of the value.
      Dims dims = dimsOf(value.getType());
      SmallVector<DimExpr> steps;
      for (const DimExpr &step : index->steps)
        if (!step.isConstant(0))
          steps.push_back(step);
      int64_t axes = llvm::count_if(dims, [](const DimExpr &dim) { return !dim.isConstant(1); });
      if (steps.size() != 1 || axes != 1)
        return std::nullopt;
      AffineIndex whole{index->start, SmallVector<DimExpr>(dims.size(), DimExpr(0))};
      for (auto [dim, step] : llvm::zip(dims, whole.steps))
        if (!dim.isConstant(1))
          step = steps.front();
      return planeOf(whole);
    };
    int64_t size, other;
    auto a = divided(x, size), b = divided(y, other);
    if (!a || !b || size != other || size > INT32_MAX)
      return std::nullopt;
    if (a->queryStep == 0)
      std::swap(a, b);
    if (a->queryStep != 1 || a->keyStep != 0 || b->queryStep != 0 || b->keyStep != 1 || a->start != offset ||
        b->start != DimExpr(0))
      return std::nullopt;
    ClosedForm form;
    form.block = size;
    return form;
  }

  DimExpr offset; ///< of the key at which a query stands from the query's number
};
} // namespace

std::optional<ClosedForm> closedFormOf(Value mask, const DimExpr &queries, const DimExpr &keys) {
  return Reader(queries, keys).read(mask);
}

std::optional<ClosedForm> closedFormOf(const MaskTable &table) {
  int64_t Q = table.queries, keys = table.keys, offset = keys - Q;
  if (table.heads != 1 || Q == 0)
    return std::nullopt;
  auto follows = [&](const ClosedForm &form) {
    for (int64_t q = 0; q < Q; ++q)
      for (int64_t k = 0; k < keys; ++k)
        if (table(0, q, k) != form(q + offset, k))
          return false;
    return true;
  };
  if (table.kept.all())
    return ClosedForm{};
  // Numbers are read off single rows, and then hold for all or not.
  auto runFrom = [&](int64_t q, int64_t k, int64_t step) { // the last key of a run of kept ones
    while (k + step >= 0 && k + step < keys && table(0, q, k + step))
      k += step;
    return k;
  };
  int64_t last = Q - 1, low = table(0, last, keys - 1) ? runFrom(last, keys - 1, -1) : keys;
  int64_t sinks = low > 0 && table(0, last, 0) ? runFrom(last, 0, 1) + 1 : 0;
  SmallVector<ClosedForm> candidates;
  if (low < keys) {
    std::optional<int64_t> before = low > 0 ? std::optional(keys - 1 - low) : std::nullopt, after;
    // Of a row whose own key is beyond the first ones, so that what follows it is the band's.
    int64_t row = std::clamp<int64_t>(sinks - offset, 0, last), position = row + offset;
    if (position >= 0 && position < keys && table(0, row, position))
      if (int64_t high = runFrom(row, position, 1); high < keys - 1)
        after = high - position;
    for (bool causal : {false, true})
      candidates.push_back({before, causal ? std::nullopt : after, sinks, 0, causal});
  }
  if (Q == keys && table(0, 0, 0)) {
    int64_t size = runFrom(0, 0, 1) + 1;
    candidates.push_back({std::nullopt, std::nullopt, 0, size, false});
    for (int64_t q = 1; q < Q; ++q) // with causal order: where the first key is no longer read
      if (!table(0, q, 0)) {
        candidates.push_back({std::nullopt, std::nullopt, 0, q, true});
        break;
      }
  }
  for (const ClosedForm &form : candidates)
    if (follows(form))
      return form;
  return std::nullopt;
}

} // namespace tamis::sparsify
