// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops over windows of space: convolution and pooling, of any number of spatial axes. A window's elements are taken
// apart as strided slices, one for each place in it; convolution is then a matrix product.
#include "lib/import/OnnxEmit.h"

#include <limits>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// One spatial axis.
struct Axis {
  int64_t kernel, stride, dilation;
  DimExpr before, after; ///< padding
  DimExpr beyond;        ///< further padding that only the last window reaches
  DimExpr size, result;
  int64_t extent() const { return dilation * (kernel - 1) + 1; }
};

/// The spatial axes of [batch, channels, ..] from the node's attributes, with `kernel` unless they name one.
FailureOr<std::vector<Axis>> axesOf(OnnxNode &node, ArrayRef<DimExpr> dims, ArrayRef<int64_t> kernel) {
  if (dims.size() < 3)
    return node.fail("operand " + model::str(dims) + " has no spatial axis");
  size_t rank = dims.size() - 2;
  auto listed = [&](StringRef name, int64_t missing) {
    return node.integers(name).value_or(SmallVector<int64_t>(rank, missing));
  };
  SmallVector<int64_t> kernels = node.integers("kernel_shape").value_or(SmallVector<int64_t>(kernel));
  SmallVector<int64_t> strides = listed("strides", 1), dilations = listed("dilations", 1);
  SmallVector<int64_t> pads = node.integers("pads").value_or(SmallVector<int64_t>(2 * rank, 0));
  if (kernels.size() != rank || strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank)
    return node.fail("attributes are not of " + Twine(rank) + " spatial axes");
  StringRef autoPad = node.text("auto_pad", "NOTSET");
  bool ceil = node.integer("ceil_mode", 0);
  std::vector<Axis> axes;
  for (size_t i = 0; i < rank; ++i) {
    Axis axis{kernels[i], strides[i],  dilations[i], DimExpr(pads[i]), DimExpr(pads[rank + i]),
              DimExpr(0), dims[2 + i], DimExpr(0)};
    constexpr int64_t most = 1 << 20;
    for (int64_t number : {axis.kernel, axis.stride, axis.dilation})
      if (number < 1 || number > most)
        return node.fail("kernel, stride or dilation is " + Twine(number));
    if (pads[i] < 0 || pads[rank + i] < 0)
      return node.fail("padding is negative");
    if (autoPad == "VALID")
      axis.before = axis.after = DimExpr(0);
    if (autoPad.starts_with("SAME")) {
      auto size = axis.size.constant();
      if (!size && axis.stride != 1)
        return node.fail("auto_pad " + autoPad + " of '" + axis.size.str() +
                         "' elements; supported where the size is a number");
      int64_t all = axis.extent() - 1;
      if (size)
        all = std::max<int64_t>(0, ((*size + axis.stride - 1) / axis.stride - 1) * axis.stride + axis.extent() - *size);
      int64_t less = all / 2, more = all - less;
      axis.before = DimExpr(autoPad == "SAME_UPPER" ? less : more);
      axis.after = DimExpr(autoPad == "SAME_UPPER" ? more : less);
    }
    DimExpr room = axis.size + axis.before + axis.after - DimExpr(axis.extent());
    if (!node.rules().atLeast(room, 0) && !(ceil && node.rules().atLeast(room, 1 - axis.stride)))
      return node.fail("windows of " + Twine(axis.extent()) + " are larger than the padded '" + axis.size.str() + "'");
    axis.result = DimExpr::floorDiv(room, DimExpr(axis.stride)) + DimExpr(1);
    if (ceil && axis.stride > 1) {
      auto known = room.constant(), size = axis.size.constant(), before = axis.before.constant();
      if (!known || !size || !before)
        return node.fail("ceil_mode over '" + axis.size.str() + "' elements; supported where the size is a number");
      int64_t count = (*known + axis.stride - 1) / axis.stride + 1;
      if ((count - 1) * axis.stride >= *size + *before) // the last window would begin in the padding
        --count;
      axis.result = DimExpr(count);
      axis.beyond = DimExpr(std::max<int64_t>(0, (count - 1) * axis.stride - *known));
    }
    axes.push_back(axis);
  }
  return axes;
}

Value padded(OnnxNode &node, Value value, ArrayRef<Axis> axes, Value fill, bool beyond = true) {
  for (auto [i, axis] : llvm::enumerate(axes))
    value = emitPad(node, value, 2 + i, axis.before, beyond ? axis.after + axis.beyond : axis.after, fill);
  return value;
}

/// Calls `f` with the elements at each place of the window, [batch, channels, results..], in row-major order.
void eachPlace(OnnxNode &node, Value value, ArrayRef<Axis> axes, llvm::function_ref<void(Value)> f, size_t i = 0) {
  if (i == axes.size())
    return f(value);
  for (int64_t place = 0; place < axes[i].kernel; ++place) {
    Value part = emitSlice(node, value, 2 + i, DimExpr(place * axes[i].dilation), axes[i].result, axes[i].stride);
    eachPlace(node, part, axes, f, i + 1);
  }
}

constexpr int64_t mostPlaces = 4096;
LogicalResult checkPlaces(OnnxNode &node, ArrayRef<Axis> axes) {
  int64_t places = 1;
  for (const Axis &axis : axes)
    if (places *= axis.kernel; places > mostPlaces)
      return node.fail("windows have more than " + Twine(mostPlaces) + " elements");
  return success();
}

Value joinPlaces(OnnxNode &node, Value value, ArrayRef<Axis> axes, K join) {
  Value result;
  eachPlace(node, value, axes,
            [&](Value part) { result = result ? emitElementwise(node, join, {result, part}) : part; });
  return result;
}

/// x [batch, channels, ..] with the weight [results, channels / groups, ..].
Value emitConvolution(OnnxNode &node, Value x, Value weight, int64_t groups, ArrayRef<Axis> axes) {
  Type element = elementOf(x);
  model::Dims xDims = dimsOf(x), weightDims = dimsOf(weight);
  DimExpr batch = xDims[0], outputs = weightDims[0];
  SmallVector<Value> parts;
  int64_t rank = xDims.size();
  eachPlace(node, padded(node, x, axes, node.splat(element, 0)), axes,
            [&](Value part) { parts.push_back(emitUnsqueeze(node, part, rank)); });
  int64_t places = parts.size(), channels = *weightDims[1].constant();
  // [batch, groups * channels, results.., places] to [groups, batch * results, channels * places].
  SmallVector<int64_t> order{0};
  for (int64_t i = 2; i < rank; ++i)
    order.push_back(i);
  order.append({1, rank});
  Value patches = node.transpose(emitConcat(node, parts, rank), order);
  DimExpr points = batch;
  model::Dims resultDims{batch};
  for (const Axis &axis : axes) {
    points = points * axis.result;
    resultDims.push_back(axis.result);
  }
  int64_t width = *outputs.constant() / groups, depth = channels * places;
  Value result;
  if (groups == 1) {
    Value matrix = node.reshape(weight, {outputs, DimExpr(depth)});
    patches = node.reshape(patches, {points, DimExpr(depth)});
    result = node.create<model::MatmulOp>(model::tensorType(element, {points, outputs}), patches,
                                          node.transpose(matrix, {1, 0}));
  } else {
    patches = node.reshape(patches, {points, DimExpr(groups), DimExpr(depth)});
    patches = node.transpose(patches, {1, 0, 2});
    Value matrix = node.transpose(node.reshape(weight, {DimExpr(groups), DimExpr(width), DimExpr(depth)}), {0, 2, 1});
    auto type = model::tensorType(element, {DimExpr(groups), points, DimExpr(width)});
    result = node.transpose(node.create<model::MatmulOp>(type, patches, matrix), {1, 0, 2});
  }
  resultDims.push_back(outputs);
  return node.transpose(node.reshape(result, resultDims), moveAxis(rank, rank - 1, 1));
}

LogicalResult giveConvolution(OnnxNode &node, Value result) {
  if (node.has(2)) {
    model::Dims dims(dimsOf(result).size() - 1, DimExpr(1));
    dims[0] = node.in(2).dims[0];
    result = emitElementwise(node, K::add, {result, node.reshape(node.emit(2), dims)});
  }
  return node.give(result);
}

/// The groups of a convolution, whose operands are checked.
FailureOr<int64_t> checkConvolution(OnnxNode &node, size_t channelAxis) {
  const OnnxValue &x = node.in(0), &weight = node.in(1);
  if (!x.isFloat() || x.element != weight.element || x.rank() != weight.rank() || x.rank() < 3)
    return node.fail("operands " + model::str(x.dims) + " and " + model::str(weight.dims) +
                     " are not floats of one type with as many axes");
  for (const DimExpr &dim : weight.dims)
    if (!dim.constant())
      return node.fail("weight " + model::str(weight.dims) + " is not of static sizes");
  int64_t groups = node.integer("group", 1);
  auto channels = x.dims[1].constant();
  int64_t held = *weight.dims[channelAxis].constant() * (channelAxis == 1 ? groups : 1);
  if (!channels || *channels != held || *weight.dims[0].constant() % groups)
    return node.fail("channels '" + x.dims[1].str() + "' in " + Twine(groups) + " groups do not fit the weight " +
                     model::str(weight.dims));
  if (node.has(2) && (node.in(2).rank() != 1 || node.in(2).element != x.element))
    return node.fail("bias is no list");
  return groups;
}

SmallVector<int64_t> kernelOf(const OnnxValue &weight) {
  SmallVector<int64_t> kernel;
  for (const DimExpr &dim : ArrayRef(weight.dims).drop_front(2))
    kernel.push_back(*dim.constant());
  return kernel;
}

LogicalResult importConv(OnnxNode &node) {
  auto groups = checkConvolution(node, 1);
  if (failed(groups))
    return failure();
  SmallVector<int64_t> kernel = kernelOf(node.in(1));
  auto axes = axesOf(node, node.in(0).dims, kernel);
  if (failed(axes) || failed(checkPlaces(node, *axes)))
    return failure();
  for (auto [axis, size] : llvm::zip_equal(*axes, kernel))
    if (axis.kernel != size)
      return node.fail("kernel_shape differs from the weight's");
  return giveConvolution(node, emitConvolution(node, node.emit(0), node.emit(1), *groups, *axes));
}

/// A convolution of the operand with zeros between its elements, by the weight back to front.
LogicalResult importConvTranspose(OnnxNode &node) {
  auto groups = checkConvolution(node, 0);
  if (failed(groups))
    return failure();
  const OnnxValue &x = node.in(0), &weight = node.in(1);
  SmallVector<int64_t> kernel = kernelOf(weight);
  size_t rank = kernel.size();
  auto listed = [&](StringRef name, int64_t missing) {
    return node.integers(name).value_or(SmallVector<int64_t>(rank, missing));
  };
  SmallVector<int64_t> strides = listed("strides", 1), dilations = listed("dilations", 1),
                       extra = listed("output_padding", 0);
  SmallVector<int64_t> pads = node.integers("pads").value_or(SmallVector<int64_t>(2 * rank, 0));
  auto shape = node.integers("output_shape");
  StringRef autoPad = node.text("auto_pad", "NOTSET");
  if (strides.size() != rank || dilations.size() != rank || extra.size() != rank || pads.size() != 2 * rank ||
      (shape && shape->size() != rank))
    return node.fail("attributes are not of " + Twine(rank) + " spatial axes");
  Value value = node.emit(0), matrix = node.emit(1);
  std::vector<Axis> axes;
  for (size_t i = 0; i < rank; ++i) {
    constexpr int64_t most = 1 << 20;
    if (strides[i] < 1 || dilations[i] < 1 || strides[i] > most || dilations[i] > most || extra[i] < 0)
      return node.fail("stride, dilation or output_padding is out of range");
    int64_t extent = dilations[i] * (kernel[i] - 1) + 1;
    DimExpr size = x.dims[2 + i], stretched = (size - DimExpr(1)) * DimExpr(strides[i]) + DimExpr(1);
    if (!node.rules().atLeast(size, 1))
      return node.fail("operand may be empty");
    // All that the windows reach, before padding is taken away.
    DimExpr full = stretched + DimExpr(extent - 1);
    int64_t before = pads[i];
    DimExpr result = full - DimExpr(pads[i] + pads[rank + i]) + DimExpr(extra[i]);
    if (shape || autoPad.starts_with("SAME")) {
      result = shape ? DimExpr((*shape)[i]) : size * DimExpr(strides[i]);
      auto all = (full + DimExpr(extra[i]) - result).constant();
      if (!all)
        return node.fail("padding follows from the size '" + size.str() + "'; supported where it is a number");
      before = autoPad == "SAME_UPPER" ? *all / 2 : *all - *all / 2;
      if (*all < 0)
        before = 0;
    }
    // Zeros between: an axis of its own, padded.
    int64_t axis = 2 + i;
    model::Dims dims = dimsOf(value);
    value = emitPad(node, emitUnsqueeze(node, value, axis + 1), axis + 1, DimExpr(0), DimExpr(strides[i] - 1),
                    node.splat(x.element, 0));
    dims[axis] = size * DimExpr(strides[i]);
    value = emitSlice(node, node.reshape(value, dims), axis, DimExpr(0), stretched);
    matrix = emitSlice(node, matrix, axis, DimExpr(kernel[i] - 1), DimExpr(kernel[i]), -1);
    DimExpr left = DimExpr(extent - 1 - before), right = result - (stretched + left - DimExpr(extent - 1));
    if (extent - 1 < before) { // padding takes away more than windows add: whole elements go
      value = emitSlice(node, value, axis, DimExpr(before - extent + 1), stretched - DimExpr(before - extent + 1));
      right = result - (stretched - DimExpr(before - extent + 1) - DimExpr(extent - 1));
      left = DimExpr(0);
    }
    if (!node.rules().atLeast(right, 0)) {
      DimExpr cut = DimExpr(0) - right, held = dimsOf(value)[axis];
      if (!node.rules().atLeast(held - cut, 0) || !node.rules().atLeast(cut, 0))
        return node.fail("result of '" + result.str() + "' elements of '" + size.str() + "'");
      value = emitSlice(node, value, axis, DimExpr(0), held - cut);
      right = DimExpr(0);
    }
    axes.push_back({kernel[i], 1, dilations[i], left, right, DimExpr(0), dimsOf(value)[axis], result});
  }
  if (failed(checkPlaces(node, axes)))
    return failure();
  // [groups * channels, results, ..] to [groups * results, channels, ..].
  model::Dims dims = dimsOf(matrix), apart = dims, turned = dims;
  int64_t channels = *dims[0].constant() / *groups;
  apart[0] = DimExpr(channels);
  apart.insert(apart.begin(), DimExpr(*groups));
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, apart.size()));
  std::swap(order[1], order[2]);
  turned[0] = DimExpr(*groups) * dims[1];
  turned[1] = DimExpr(channels);
  matrix = node.reshape(node.transpose(node.reshape(matrix, apart), order), turned);
  return giveConvolution(node, emitConvolution(node, value, matrix, *groups, axes));
}

/// The least number of a type, which the maximum leaves.
Value lowest(OnnxNode &node, Type element) {
  if (isa<FloatType>(element))
    return node.splat(element, -std::numeric_limits<double>::infinity());
  if (element.isUnsignedInteger())
    return node.splat(element, 0);
  unsigned width = element.getIntOrFloatBitWidth();
  return node.splat(element, -std::ldexp(1.0, width - 1));
}

LogicalResult importMaxPool(OnnxNode &node) {
  if (node.wants(1))
    return node.fail("its indices are used; supported with the maxima alone");
  auto axes = axesOf(node, node.in(0).dims, {});
  if (failed(axes) || failed(checkPlaces(node, *axes)))
    return failure();
  Value x = padded(node, node.emit(0), *axes, lowest(node, node.in(0).element));
  return node.give(joinPlaces(node, x, *axes, K::maximum));
}

LogicalResult importAveragePool(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  auto axes = axesOf(node, input.dims, {});
  if (failed(axes) || failed(checkPlaces(node, *axes)))
    return failure();
  Value zero = node.splat(input.element, 0), one = node.splat(input.element, 1);
  Value sum = joinPlaces(node, padded(node, node.emit(0), *axes, zero), *axes, K::add);
  // How many elements a window holds; of padding if that counts, and never of what ceil_mode added.
  bool includes = node.integer("count_include_pad", 0);
  model::Dims dims(2, DimExpr(1));
  for (const Axis &axis : *axes)
    dims.push_back(axis.size);
  Value ones = node.broadcast(one, dims);
  if (includes) {
    ones = padded(node, ones, *axes, one, /*beyond=*/false);
    for (auto [i, axis] : llvm::enumerate(*axes))
      ones = emitPad(node, ones, 2 + i, DimExpr(0), axis.beyond, zero);
  } else {
    ones = padded(node, ones, *axes, zero);
  }
  Value counts = joinPlaces(node, ones, *axes, K::add);
  return node.give(emitElementwise(node, K::div, {sum, counts}));
}

/// (sum |x|^p)^(1/p), by `sum`.
Value powerMean(OnnxNode &node, Value x, int64_t p, llvm::function_ref<Value(Value)> sum) {
  Type element = elementOf(x);
  Value size = emitElementwise(node, K::abs, x);
  auto power = [&](Value value, double exponent) {
    return emitElementwise(node, K::pow, {value, node.splat(element, exponent)});
  };
  Value powers = p == 1 ? size : p == 2 ? emitElementwise(node, K::mul, {x, x}) : power(size, double(p));
  Value summed = sum(powers);
  return p == 1 ? summed : p == 2 ? emitElementwise(node, K::sqrt, summed) : power(summed, 1.0 / double(p));
}

LogicalResult importLpPool(OnnxNode &node) {
  auto axes = axesOf(node, node.in(0).dims, {});
  if (failed(axes) || failed(checkPlaces(node, *axes)))
    return failure();
  Value x = padded(node, node.emit(0), *axes, node.splat(node.in(0).element, 0));
  return node.give(
      powerMean(node, x, node.integer("p", 2), [&](Value powers) { return joinPlaces(node, powers, *axes, K::add); }));
}

SmallVector<int64_t> spatialAxes(const OnnxValue &value) {
  return llvm::to_vector(llvm::seq<int64_t>(2, std::max<int64_t>(2, value.rank())));
}

template <model::ReduceKind kind> LogicalResult importGlobalPool(OnnxNode &node) {
  return node.give(emitReduce(node, kind, node.emit(0), spatialAxes(node.in(0))));
}

LogicalResult importGlobalLpPool(OnnxNode &node) {
  SmallVector<int64_t> axes = spatialAxes(node.in(0));
  return node.give(powerMean(node, node.emit(0), node.integer("p", 2),
                             [&](Value powers) { return emitReduce(node, model::ReduceKind::sum, powers, axes); }));
}

LogicalResult importLpNormalization(OnnxNode &node) {
  auto axis = node.axis(node.integer("axis", -1), node.in(0).rank());
  if (failed(axis))
    return failure();
  Value x = node.emit(0);
  Value norm = powerMean(node, x, node.integer("p", 2),
                         [&](Value powers) { return emitReduce(node, model::ReduceKind::sum, powers, *axis); });
  // Where all is zero, zero stays.
  Value zero = node.splat(elementOf(x), 0), one = node.splat(elementOf(x), 1);
  Value isZero = emitElementwise(node, K::equal, {norm, zero});
  return node.give(emitElementwise(node, K::div, {x, emitElementwise(node, K::select, {isZero, one, norm})}));
}

/// Space to channels and back: blocks of two spatial axes.
LogicalResult importSpaceToDepth(OnnxNode &node) {
  const model::Dims &dims = node.in(0).dims;
  int64_t block = node.integer("blocksize", 1);
  if (dims.size() != 4)
    return node.fail("operand has " + Twine(dims.size()) + " axes but 4 are wanted");
  auto height = dims[2].exactDiv(DimExpr(block)), width = dims[3].exactDiv(DimExpr(block));
  if (!height || !width)
    return node.fail("sizes " + model::str(dims) + " are no multiples of " + Twine(block));
  Value x = node.reshape(node.emit(0), {dims[0], dims[1], *height, DimExpr(block), *width, DimExpr(block)});
  return node.give(node.reshape(node.transpose(x, {0, 3, 5, 1, 2, 4}),
                                {dims[0], DimExpr(block * block) * dims[1], *height, *width}));
}

LogicalResult importDepthToSpace(OnnxNode &node) {
  const model::Dims &dims = node.in(0).dims;
  int64_t block = node.integer("blocksize", 1);
  if (dims.size() != 4)
    return node.fail("operand has " + Twine(dims.size()) + " axes but 4 are wanted");
  auto channels = dims[1].exactDiv(DimExpr(block * block));
  if (!channels)
    return node.fail("'" + dims[1].str() + "' channels are no multiple of " + Twine(block * block));
  bool columnsFirst = node.text("mode", "DCR") == "CRD";
  DimExpr b(block);
  Value x = columnsFirst ? node.reshape(node.emit(0), {dims[0], *channels, b, b, dims[2], dims[3]})
                         : node.reshape(node.emit(0), {dims[0], b, b, *channels, dims[2], dims[3]});
  x = columnsFirst ? node.transpose(x, {0, 1, 4, 2, 5, 3}) : node.transpose(x, {0, 3, 4, 1, 5, 2});
  return node.give(node.reshape(x, {dims[0], *channels, dims[2] * b, dims[3] * b}));
}
} // namespace

void tamis::addOnnxWindowOps(OnnxOpTable &table) {
  table["Conv"] = importConv;
  table["ConvTranspose"] = importConvTranspose;
  table["MaxPool"] = importMaxPool;
  table["AveragePool"] = importAveragePool;
  table["LpPool"] = importLpPool;
  table["GlobalAveragePool"] = importGlobalPool<model::ReduceKind::mean>;
  table["GlobalMaxPool"] = importGlobalPool<model::ReduceKind::max>;
  table["GlobalLpPool"] = importGlobalLpPool;
  table["LpNormalization"] = importLpNormalization;
  table["SpaceToDepth"] = importSpaceToDepth;
  table["DepthToSpace"] = importDepthToSpace;
}
