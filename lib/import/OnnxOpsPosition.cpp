// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that look at where elements stand: triangles, arguments of extremes, running sums, one-hot vectors, padding.
#include "lib/import/OnnxEmit.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
LogicalResult importTrilu(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  int64_t rank = input.rank();
  if (rank < 2)
    return node.fail("operand has " + Twine(rank) + " axes but 2 or more are wanted");
  Value rows = emitIota(node, node.i64(), input.dims[rank - 2], 0, 2);
  Value columns = emitIota(node, node.i64(), input.dims[rank - 1], 1, 2);
  if (node.has(1))
    rows = emitElementwise(node, K::add, {rows, node.reshape(node.emit(1), {})});
  bool upper = node.integer("upper", 1);
  Value keeps = emitElementwise(node, upper ? K::greater_equal : K::less_equal, {columns, rows});
  return node.give(node.elementwise(K::select, {keeps, node.emit(0), node.splat(input.element, 0)}, input.dims));
}

/// Where the largest or smallest element stands; NaN is both.
Value emitArgument(OnnxNode &node, Value value, int64_t axis, bool largest, bool last) {
  value = emitSigned(node, value);
  Value extreme = emitReduce(node, largest ? model::ReduceKind::max : model::ReduceKind::min, value, axis);
  Value isExtreme = emitElementwise(node, K::equal, {value, extreme});
  if (isa<FloatType>(elementOf(value)))
    isExtreme = emitElementwise(node, K::logical_or, {isExtreme, emitElementwise(node, K::isnan, value)});
  model::Dims dims = dimsOf(value);
  Value positions = emitIota(node, node.i64(), dims[axis], axis, dims.size());
  Value none = node.splat(node.i64(), last ? -1 : double(std::numeric_limits<int32_t>::max()));
  Value candidates = node.elementwise(K::select, {isExtreme, positions, none}, dims);
  return emitReduce(node, last ? model::ReduceKind::max : model::ReduceKind::min, candidates, axis);
}

template <bool largest> LogicalResult importArgument(OnnxNode &node) {
  auto axis = node.axis(node.integer("axis", 0), node.in(0).rank());
  if (failed(axis))
    return failure();
  if (node.in(0).isBool())
    return node.fail("operand is of bool");
  Value found = emitArgument(node, node.emit(0), *axis, largest, node.integer("select_last_index", 0));
  return node.give(node.integer("keepdims", 1) ? found : emitSqueeze(node, found, *axis));
}

LogicalResult importHardmax(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  auto axis = node.axis(node.integer("axis", -1), input.rank());
  if (failed(axis))
    return failure();
  Value found = emitArgument(node, node.emit(0), *axis, /*largest=*/true, /*last=*/false);
  Value positions = emitIota(node, node.i64(), input.dims[*axis], *axis, input.rank());
  return node.give(emitCast(node, emitElementwise(node, K::equal, {found, positions}), input.element));
}

LogicalResult importOneHot(OnnxNode &node) {
  FailureOr<model::Dims> depth = model::Dims();
  if (auto number = constantFloats(node.in(1)); number && number->size() == 1 && std::fabs((*number)[0]) < 1 << 30)
    depth->push_back(DimExpr(int64_t((*number)[0])));
  else
    depth = node.sizes(1, "depth");
  if (failed(depth))
    return failure();
  const OnnxValue &indices = node.in(0);
  auto axis = node.axis(node.integer("axis", -1), indices.rank() + 1);
  if (failed(axis))
    return failure();
  if (depth->size() != 1 || !node.rules().atLeast((*depth)[0], 0) || node.in(2).rank() != 1)
    return node.fail("depth is no count, or values are no list");
  Value index = emitUnsqueeze(node, emitCast(node, node.emit(0), node.i64()), *axis);
  Value count = emitNumber(node, node.i64(), (*depth)[0]);
  Value isNegative = emitElementwise(node, K::less, {index, node.splat(node.i64(), 0)});
  index = emitElementwise(node, K::select, {isNegative, emitElementwise(node, K::add, {index, count}), index});
  Value positions = emitIota(node, node.i64(), (*depth)[0], *axis, indices.rank() + 1);
  Value isHot = emitElementwise(node, K::equal, {index, positions});
  auto valueAt = [&](int64_t i) { return node.reshape(emitSlice(node, node.emit(2), 0, DimExpr(i), DimExpr(1)), {}); };
  Value off = valueAt(0), on = valueAt(1);
  return node.give(node.elementwise(K::select, {isHot, on, off}, dimsOf(isHot)));
}

LogicalResult importEyeLike(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  if (input.rank() != 2)
    return node.fail("operand has " + Twine(input.rank()) + " axes but 2 are wanted");
  Type element = input.element;
  if (int64_t wanted = node.integer("dtype", 0)) {
    element = onnxElementType(wanted, node.context());
    if (!element)
      return node.fail("its result " + unsupportedElement(wanted));
  }
  Value rows = emitIota(node, node.i64(), input.dims[0], 0, 2, DimExpr(node.integer("k", 0)));
  Value columns = emitIota(node, node.i64(), input.dims[1], 1, 2);
  return node.give(emitCast(node, emitElementwise(node, K::equal, {rows, columns}), element));
}

/// Sum or product of all elements up to each.
template <model::ReduceKind kind> LogicalResult importCumulative(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  auto number = node.numbers(1, "axis");
  if (failed(number))
    return failure();
  auto axis = node.axis(number->size() == 1 ? (*number)[0] : input.rank(), input.rank());
  if (failed(axis))
    return failure();
  if (input.isBool())
    return node.fail("operand is of bool; supported for numbers");
  Value x = node.emit(0);
  return node.give(node.create<model::CumulativeOp>(
      x.getType(), kind, x, uint64_t(*axis), node.integer("exclusive", 0) != 0, node.integer("reverse", 0) != 0));
}

/// For each element of the padded axis, which one of the operand it repeats.
SmallVector<int64_t> repeatedIndices(StringRef mode, int64_t size, int64_t before, int64_t after) {
  SmallVector<int64_t> indices;
  for (int64_t i = -before; i < size + after; ++i) {
    int64_t period = std::max<int64_t>(1, mode == "reflect" ? 2 * (size - 1) : size);
    int64_t within = ((i % period) + period) % period;
    if (mode == "edge")
      within = std::clamp<int64_t>(i, 0, size - 1);
    else if (mode == "reflect" && within >= size)
      within = period - within;
    indices.push_back(within);
  }
  return indices;
}

LogicalResult importPad(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  auto pads = node.sizes(1, "pads");
  if (failed(pads))
    return failure();
  SmallVector<int64_t> axes;
  if (node.has(3)) {
    auto given = node.numbers(3, "axes");
    if (failed(given))
      return failure();
    for (int64_t value : *given) { // in the order of the pads
      auto axis = node.axis(value, input.rank());
      if (failed(axis))
        return failure();
      axes.push_back(*axis);
    }
  } else {
    axes = llvm::to_vector(llvm::seq<int64_t>(0, input.rank()));
  }
  if (pads->size() != 2 * axes.size())
    return node.fail("has " + Twine(pads->size()) + " pads for " + Twine(axes.size()) + " axes");
  StringRef mode = node.text("mode", "constant");
  Value value = node.emit(0);
  Value fill = node.has(2) ? node.reshape(node.emit(2), {}) : node.splat(input.element, 0);
  for (auto [i, axis] : llvm::enumerate(axes)) {
    DimExpr before = (*pads)[i], after = (*pads)[i + axes.size()];
    // Negative ones take away; of both kinds at once the result is the same in this order.
    auto negative = [&](const DimExpr &pad) { return pad.constant() && *pad.constant() < 0; };
    DimExpr size = dimsOf(value)[axis];
    DimExpr cutBefore = negative(before) ? DimExpr(0) - before : DimExpr(0);
    DimExpr cutAfter = negative(after) ? DimExpr(0) - after : DimExpr(0);
    DimExpr left = size - cutBefore - cutAfter;
    if (!node.rules().atLeast(left, 0) || (!negative(before) && !node.rules().atLeast(before, 0)) ||
        (!negative(after) && !node.rules().atLeast(after, 0)))
      return node.fail("pads an axis of '" + size.str() + "' by '" + before.str() + "' and '" + after.str() + "'");
    value = emitSlice(node, value, axis, cutBefore, left);
    before = before + cutBefore;
    after = after + cutAfter;
    if (mode == "constant") {
      value = emitPad(node, value, axis, before, after, fill);
      continue;
    }
    auto known = left.constant(), knownBefore = before.constant(), knownAfter = after.constant();
    if (!known || !knownBefore || !knownAfter || *known < 1)
      return node.fail("pads '" + left.str() + "' elements by mode " + mode + "; supported where the size is a number");
    if (!*knownBefore && !*knownAfter)
      continue;
    SmallVector<int64_t> indices = repeatedIndices(mode, *known, *knownBefore, *knownAfter);
    auto type = model::tensorType(node.i64(), {DimExpr(int64_t(indices.size()))});
    Value at = node.create<model::ConstantOp>(type, DenseElementsAttr::get(type, ArrayRef<int64_t>(indices)));
    model::Dims dims = dimsOf(value);
    dims[axis] = DimExpr(int64_t(indices.size()));
    value =
        node.create<model::GatherOp>(model::tensorType(input.element, dims), value, at, static_cast<uint64_t>(axis));
  }
  return node.give(value);
}

/// The k largest or smallest along an axis, in order.
LogicalResult importTopK(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  auto wanted = node.sizes(1, "K");
  if (failed(wanted))
    return failure();
  auto axis = node.axis(node.integer("axis", -1), input.rank());
  if (failed(axis))
    return failure();
  const DimExpr &size = input.dims[*axis];
  if (wanted->size() != 1 || !node.rules().atLeast(size - (*wanted)[0], 0) || !node.rules().atLeast((*wanted)[0], 0))
    return node.fail("takes the best '" + (wanted->empty() ? "" : (*wanted)[0].str()) + "' of '" + size.str() +
                     "'; supported where there are always as many");
  if (input.isBool())
    return node.fail("operand is of bool; supported for numbers");
  model::Dims dims = input.dims;
  dims[*axis] = (*wanted)[0];
  Value x = node.emit(0);
  Value places = node.create<model::TopKOp>(model::tensorType(node.i64(), dims), x, uint64_t(*axis),
                                            node.integer("largest", 1) == 0);
  if (failed(node.give(places, 1)))
    return failure();
  return node.give(emitGatherElements(node, x, places, *axis));
}
} // namespace

void tamis::addOnnxPositionOps(OnnxOpTable &table) {
  table["Trilu"] = importTrilu;
  table["ArgMax"] = importArgument<true>;
  table["ArgMin"] = importArgument<false>;
  table["Hardmax"] = importHardmax;
  table["OneHot"] = importOneHot;
  table["EyeLike"] = importEyeLike;
  table["CumSum"] = importCumulative<model::ReduceKind::sum>;
  table["CumProd"] = importCumulative<model::ReduceKind::prod>;
  table["Pad"] = importPad;
  table["TopK"] = importTopK;
}
