// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that pick elements: slices, splits, gathers.
#include "lib/import/OnnxGraph.h"

using namespace mlir;
using namespace tamis;

namespace {
/// A range of one axis.
struct Picked {
  DimExpr start;
  int64_t step;
  DimExpr count;
};

Value emitSlice(OnnxNode &node, Value input, ArrayRef<Picked> picked) {
  SmallVector<Attribute> starts;
  SmallVector<int64_t> steps;
  model::Dims dims;
  Builder builder(node.context());
  for (const Picked &range : picked) {
    starts.push_back(builder.getStringAttr(range.start.str()));
    steps.push_back(range.step);
    dims.push_back(range.count);
  }
  bool whole = dims == model::dimsOf(input.getType()) &&
               llvm::all_of(picked, [](const Picked &range) { return range.start.isConstant(0) && range.step == 1; });
  Type element = cast<RankedTensorType>(input.getType()).getElementType();
  return whole ? input
               : node.create<model::SliceOp>(model::tensorType(element, dims), input, builder.getArrayAttr(starts),
                                             steps);
}

LogicalResult giveSlice(OnnxNode &node, ArrayRef<Picked> picked, size_t result = 0) {
  const OnnxValue &input = node.in(0);
  model::Dims starts, dims;
  SmallVector<int64_t> steps;
  for (const Picked &range : picked) {
    starts.push_back(range.start);
    steps.push_back(range.step);
    dims.push_back(range.count);
  }
  if (failed(node.checkDims(dims)))
    return failure();
  if (input.contents)
    if (auto contents = foldSlice({&*input.contents, input.dims}, starts, steps, dims))
      return node.give(input.element, dims, std::move(*contents), result);
  return node.give(emitSlice(node, node.emit(0), picked), result);
}

SmallVector<Picked> allOf(ArrayRef<DimExpr> dims) {
  SmallVector<Picked> picked;
  for (const DimExpr &dim : dims)
    picked.push_back({DimExpr(0), 1, dim});
  return picked;
}

/// A bound of a slice: counted from the end when negative, then kept within [low, high].
FailureOr<DimExpr> clampBound(OnnxNode &node, DimExpr bound, const DimExpr &size, const DimExpr &low,
                              const DimExpr &high) {
  SizeRules &rules = node.rules();
  if (rules.atMost(bound, -1))
    bound = bound + size;
  else if (!rules.atLeast(bound, 0))
    return node.fail("bound '" + bound.str() + "' may have either sign");
  return rules.min(rules.max(bound, low), high);
}

LogicalResult importSlice(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  auto starts = node.sizes(1, "starts");
  if (failed(starts))
    return failure();
  auto ends = node.sizes(2, "ends");
  if (failed(ends))
    return failure();
  SmallVector<int64_t> axes, steps(starts->size(), 1);
  for (size_t i = 0; i < starts->size(); ++i)
    axes.push_back(i);
  for (auto [operand, name, list] : {std::tuple(3, "axes", &axes), std::tuple(4, "steps", &steps)}) {
    if (!node.has(operand))
      continue;
    auto numbers = node.numbers(operand, name);
    if (failed(numbers))
      return failure();
    *list = *numbers;
  }
  if (ends->size() != starts->size() || axes.size() != starts->size() || steps.size() != starts->size())
    return node.fail("starts, ends, axes and steps differ in length");
  if (failed(node.axes(axes, input.rank()))) // each once
    return failure();

  SmallVector<Picked> picked = allOf(input.dims);
  for (size_t i = 0; i < axes.size(); ++i) {
    int64_t at = axes[i] < 0 ? axes[i] + input.rank() : axes[i], step = steps[i];
    const DimExpr &size = input.dims[at];
    if (step == 0 || step == INT64_MIN)
      return node.fail("step " + Twine(step) + " is none");
    DimExpr low = step > 0 ? DimExpr(0) : DimExpr(-1), high = step > 0 ? size : size - DimExpr(1);
    auto start = clampBound(node, (*starts)[i], size, step > 0 ? low : DimExpr(0), high);
    if (failed(start))
      return failure();
    auto end = clampBound(node, (*ends)[i], size, low, high);
    if (failed(end))
      return failure();
    DimExpr way = step > 0 ? *end - *start : *start - *end;
    int64_t stride = std::abs(step);
    DimExpr count = DimExpr::floorDiv(way + DimExpr(stride - 1), DimExpr(stride));
    picked[at] = {*start, step, node.rules().max(count, DimExpr(0))};
  }
  return giveSlice(node, picked);
}

LogicalResult importSplit(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  auto axis = node.axis(node.integer("axis", 0), input.rank());
  if (failed(axis))
    return failure();
  const DimExpr &size = input.dims[*axis];
  model::Dims parts;
  if (node.has(1)) {
    auto given = node.sizes(1, "split");
    if (failed(given))
      return failure();
    parts = *given;
  } else {
    auto known = size.constant();
    int64_t count = node.integer("num_outputs", node.results());
    if (count < 1 || count > static_cast<int64_t>(node.results()))
      return node.fail("num_outputs is " + Twine(count) + " but it has " + Twine(node.results()) + " results");
    auto even = size.exactDiv(DimExpr(count));
    if (!even && !known)
      return node.fail("size '" + size.str() + "' is split into " + Twine(count) +
                       "; supported where it is a number or a multiple");
    int64_t chunk = known ? (*known + count - 1) / count : 0;
    for (int64_t i = 0; i < count; ++i)
      parts.push_back(even ? *even : DimExpr(std::max<int64_t>(0, std::min(chunk, *known - i * chunk))));
  }
  if (parts.size() != node.results())
    return node.fail("has " + Twine(parts.size()) + " parts but " + Twine(node.results()) + " results");
  DimExpr start = 0;
  for (const DimExpr &part : parts) {
    if (!node.rules().atLeast(part, 0))
      return node.fail("has a part of size '" + part.str() + "'");
    start = start + part;
  }
  if (failed(node.meet(start, size)))
    return failure();
  start = 0;
  for (auto [i, part] : llvm::enumerate(parts)) {
    SmallVector<Picked> picked = allOf(input.dims);
    picked[*axis] = {start, 1, part};
    if (failed(giveSlice(node, picked, i)))
      return failure();
    start = start + part;
  }
  return success();
}

/// Reads data along the axes from `first` on at positions that are linear in the result's index: no gather at all, but
/// a slice, a transpose and a reshape. `functions` has one function an axis over `indexDims`. Null when it is not so
/// plain.
Value emitLinearGather(OnnxNode &node, size_t first, ArrayRef<Affine> functions, ArrayRef<DimExpr> indexDims) {
  const OnnxValue &data = node.in(0);
  SizeRules &rules = node.rules();
  model::Dims lead(data.dims.begin(), data.dims.begin() + first);
  model::Dims trail(data.dims.begin() + first + functions.size(), data.dims.end());
  auto around = [&](ArrayRef<DimExpr> middle) {
    model::Dims dims = lead;
    dims.append(middle.begin(), middle.end());
    dims.append(trail);
    return dims;
  };

  // A whole axis, read in order by several indices.
  if (functions.size() == 1 && functions[0].base.isConstant(0)) {
    DimExpr stride = 1;
    bool inOrder = true;
    for (size_t axis = indexDims.size(); axis-- > 0;) {
      if (!indexDims[axis].isConstant(1))
        inOrder &= functions[0].steps[axis] == stride;
      stride = stride * indexDims[axis];
    }
    if (inOrder && stride == data.dims[first])
      return node.reshape(node.emit(0), around(indexDims));
  }

  SmallVector<Picked> picked = allOf(data.dims);
  SmallVector<std::pair<int64_t, int64_t>> order; // axis of the index, axis of the data; splats last
  for (auto [i, function] : llvm::enumerate(functions)) {
    const DimExpr &size = data.dims[first + i];
    int64_t driver = indexDims.size();
    for (auto [axis, step] : llvm::enumerate(function.steps)) {
      if (step.isConstant(0))
        continue;
      if (driver != static_cast<int64_t>(indexDims.size()))
        return {};
      driver = axis;
    }
    bool splat = driver == static_cast<int64_t>(indexDims.size());
    auto step = splat ? std::optional<int64_t>(1) : function.steps[driver].constant();
    if (!step || *step < 1 || (!splat && llvm::is_contained(llvm::make_first_range(order), driver)))
      return {};
    DimExpr count = splat ? DimExpr(1) : indexDims[driver], base = function.base;
    DimExpr last = base + (count - DimExpr(1)) * DimExpr(*step);
    if (rules.atMost(last, -1)) { // all from the end
      base = base + size;
      last = last + size;
    }
    if (!rules.atLeast(base, 0) || !rules.atLeast(size - DimExpr(1) - last, 0))
      return {};
    picked[first + i] = {base, *step, count};
    order.push_back({driver, static_cast<int64_t>(first + i)});
  }
  Value value = emitSlice(node, node.emit(0), picked);
  llvm::sort(order);
  SmallVector<int64_t> permutation;
  for (size_t axis = 0; axis < data.dims.size(); ++axis)
    permutation.push_back(axis >= first && axis < first + functions.size() ? order[axis - first].second
                                                                           : static_cast<int64_t>(axis));
  value = node.transpose(value, permutation);
  model::Dims middle(indexDims.size(), DimExpr(1));
  for (auto [driver, axis] : order)
    if (driver != static_cast<int64_t>(indexDims.size()))
      middle[driver] = indexDims[driver];
  return node.broadcast(node.reshape(value, around(middle)), around(indexDims));
}

LogicalResult importGather(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1);
  auto axis = node.axis(node.integer("axis", 0), data.rank());
  if (failed(axis))
    return failure();
  model::Dims dims(data.dims.begin(), data.dims.begin() + *axis);
  dims.append(indices.dims);
  dims.append(data.dims.begin() + *axis + 1, data.dims.end());
  if (failed(node.checkDims(dims)))
    return failure();
  if (indices.contents) {
    auto size = data.dims[*axis].constant();
    if (auto numbers = indices.contents->numbers(); numbers && size)
      for (int64_t index : *numbers)
        if (index < -*size || index >= *size)
          return node.fail("index " + Twine(index) + " is outside of the axis of " + Twine(*size));
    if (data.contents && *axis == 0)
      if (auto contents = foldGather({&*data.contents, data.dims}, {&*indices.contents, indices.dims}, dims))
        return node.give(data.element, dims, std::move(*contents));
    if (indices.contents->affine)
      if (Value view = emitLinearGather(node, *axis, *indices.contents->affine, indices.dims))
        return node.give(view);
  }
  RankedTensorType type = model::tensorType(data.element, dims);
  bool isTable = data.isWeight() && data.isFloat() && data.rank() == 2 && *axis == 0;
  if (isTable)
    return node.give(node.create<model::EmbeddingOp>(type, node.emit(0), node.emit(1)));
  return node.give(node.create<model::GatherOp>(type, node.emit(0), node.emit(1), static_cast<uint64_t>(*axis)));
}

LogicalResult importGatherNd(OnnxNode &node) {
  const OnnxValue &data = node.in(0), &indices = node.in(1);
  int64_t batch = node.integer("batch_dims", 0);
  auto width = indices.rank() ? indices.dims.back().constant() : std::nullopt;
  if (!width || *width < 1 || batch < 0 || batch >= indices.rank() || batch + *width > data.rank())
    return node.fail("indices " + model::str(indices.dims) + " do not fit data " + model::str(data.dims));
  for (int64_t axis = 0; axis < batch; ++axis)
    if (failed(node.meet(data.dims[axis], indices.dims[axis])))
      return failure();
  model::Dims dims(indices.dims.begin(), indices.dims.end() - 1);
  dims.append(data.dims.begin() + batch + *width, data.dims.end());
  if (failed(node.checkDims(dims)))
    return failure();
  if (batch == 0 && indices.contents && indices.contents->tuple &&
      static_cast<int64_t>(indices.contents->tuple->size()) == *width)
    if (Value view = emitLinearGather(node, 0, *indices.contents->tuple, ArrayRef(indices.dims).drop_back()))
      return node.give(view);
  return node.give(node.create<model::GatherNdOp>(model::tensorType(data.element, dims), node.emit(0), node.emit(1),
                                                  static_cast<uint64_t>(batch)));
}
} // namespace

void tamis::addOnnxIndexOps(OnnxOpTable &table) {
  table["Slice"] = importSlice;
  table["Split"] = importSplit;
  table["Gather"] = importGather;
  table["GatherND"] = importGatherNd;
}
