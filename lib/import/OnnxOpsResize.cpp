// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX's Resize: each axis by itself, as a product with the matrix of its interpolation weights. Source: Resize-19 of
// the ONNX operator reference.
#include "lib/import/OnnxEmit.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// How one axis is resized.
struct Axis {
  int64_t axis, from, to;
  double scale;
  double begin = 0, end = 1; ///< region of interest, of the axis
};

struct Mode {
  StringRef kind, coordinates, nearest;
  double cubic, outside;
  bool excludesOutside, antialias;
};

/// Where element `i` of the result lies in the operand.
double coordinate(const Mode &mode, const Axis &axis, int64_t i) {
  // A scale may leave a fraction of an element over, which counts for the corners.
  double x = double(i), from = double(axis.from), to = axis.scale * from;
  if (mode.coordinates == "asymmetric")
    return x / axis.scale;
  if (mode.coordinates == "align_corners")
    return to == 1 ? 0 : x * (from - 1) / (to - 1);
  if (mode.coordinates == "pytorch_half_pixel")
    return to > 1 ? (x + 0.5) / axis.scale - 0.5 : 0;
  if (mode.coordinates == "tf_crop_and_resize")
    return to > 1 ? axis.begin * (from - 1) + x * (axis.end - axis.begin) * (from - 1) / (to - 1)
                  : 0.5 * (axis.begin + axis.end) * (from - 1);
  if (mode.coordinates == "half_pixel_symmetric") {
    double adjustment = double(axis.to) / to, center = from / 2;
    return center * (1 - adjustment) + (x + 0.5) / axis.scale - 0.5;
  }
  return (x + 0.5) / axis.scale - 0.5;
}

int64_t nearestOf(StringRef rounding, double x) {
  if (rounding == "floor")
    return int64_t(std::floor(x));
  if (rounding == "ceil")
    return int64_t(std::ceil(x));
  double below = std::floor(x);
  if (x - below == 0.5)
    return int64_t(rounding == "round_prefer_ceil" ? below + 1 : below);
  return int64_t(std::round(x));
}

/// Weight of an element at `distance` from the point.
double weightAt(const Mode &mode, double distance) {
  double x = std::fabs(distance), a = mode.cubic;
  if (mode.kind == "linear")
    return std::max(0.0, 1 - x);
  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// Row `i` of the weights.
std::vector<double> weightsOf(const Mode &mode, const Axis &axis, double x) {
  std::vector<double> row(axis.from, 0);
  if (mode.kind == "nearest") {
    row[std::clamp<int64_t>(nearestOf(mode.nearest, x), 0, axis.from - 1)] = 1;
    return row;
  }
  // A smaller image takes more elements a point.
  double stretch = mode.antialias && axis.scale < 1 ? axis.scale : 1, reach = mode.kind == "linear" ? 1 : 2;
  int64_t first = int64_t(std::floor(x - reach / stretch)), last = int64_t(std::ceil(x + reach / stretch));
  double sum = 0;
  for (int64_t k = first; k <= last; ++k) {
    double weight = weightAt(mode, stretch * (double(k) - x));
    bool inside = k >= 0 && k < axis.from;
    if (!inside && mode.excludesOutside)
      continue;
    row[std::clamp<int64_t>(k, 0, axis.from - 1)] += weight;
    sum += weight;
  }
  if (mode.excludesOutside || stretch != 1)
    for (double &weight : row)
      weight /= sum;
  return row;
}

Value floatConstant(OnnxNode &node, Type element, ArrayRef<int64_t> dims, ArrayRef<double> numbers) {
  auto type = RankedTensorType::get(dims, element);
  SmallVector<llvm::APFloat> elements;
  for (double number : numbers) {
    llvm::APFloat value(number);
    bool losesInfo;
    value.convert(cast<FloatType>(element).getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    elements.push_back(value);
  }
  return node.create<model::ConstantOp>(type, DenseElementsAttr::get(type, elements));
}

Value resizeAxis(OnnxNode &node, Value value, const Mode &mode, const Axis &axis) {
  std::vector<double> points;
  for (int64_t i = 0; i < axis.to; ++i)
    points.push_back(coordinate(mode, axis, i));
  model::Dims dims = dimsOf(value);
  Type element = elementOf(value);
  if (mode.kind == "nearest") {
    SmallVector<int64_t> at;
    for (double x : points)
      at.push_back(std::clamp<int64_t>(nearestOf(mode.nearest, x), 0, axis.from - 1));
    auto type = RankedTensorType::get({axis.to}, node.i64());
    dims[axis.axis] = DimExpr(axis.to);
    Value indices = node.create<model::ConstantOp>(type, DenseElementsAttr::get(type, ArrayRef<int64_t>(at)));
    value = node.create<model::GatherOp>(model::tensorType(element, dims), value, indices,
                                         static_cast<uint64_t>(axis.axis));
  } else {
    std::vector<double> matrix(axis.from * axis.to); // [from, to]
    for (int64_t i = 0; i < axis.to; ++i) {
      std::vector<double> row = weightsOf(mode, axis, points[i]);
      for (int64_t k = 0; k < axis.from; ++k)
        matrix[k * axis.to + i] = row[k];
    }
    int64_t rank = dims.size();
    SmallVector<int64_t> order = moveAxis(rank, axis.axis, rank - 1);
    Value moved = node.transpose(value, order);
    model::Dims rows = dimsOf(moved);
    DimExpr count = product(ArrayRef(rows).drop_back());
    rows.back() = DimExpr(axis.to);
    Value product = node.create<model::MatmulOp>(model::tensorType(element, {count, DimExpr(axis.to)}),
                                                 node.reshape(moved, {count, DimExpr(axis.from)}),
                                                 floatConstant(node, element, {axis.from, axis.to}, matrix));
    value = node.transpose(node.reshape(product, rows), inverse(order));
    dims = dimsOf(value);
  }
  if (mode.coordinates != "tf_crop_and_resize")
    return value;
  std::vector<double> isOutside;
  for (double x : points)
    isOutside.push_back(x < 0 || x > double(axis.from - 1));
  model::Dims along(dims.size(), DimExpr(1));
  along[axis.axis] = DimExpr(axis.to);
  Value outside = emitCast(node, floatConstant(node, node.builder().getF32Type(), {axis.to}, isOutside),
                           node.builder().getI1Type());
  return node.elementwise(K::select, {node.reshape(outside, along), node.splat(element, mode.outside), value}, dims);
}

LogicalResult importResize(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  SmallVector<int64_t> which = llvm::to_vector(llvm::seq<int64_t>(0, input.rank()));
  if (auto given = node.integers("axes")) {
    which.clear();
    for (int64_t value : *given) {
      auto axis = node.axis(value, input.rank());
      if (failed(axis))
        return failure();
      which.push_back(*axis);
    }
  }
  std::optional<std::vector<double>> scales, region;
  SmallVector<int64_t> sizes;
  bool bySize = node.has(3) && !node.in(3).dims[0].isConstant(0);
  if (bySize) {
    auto given = node.numbers(3, "sizes");
    if (failed(given))
      return failure();
    sizes = *given;
  } else if (!node.has(2) || !(scales = constantFloats(node.in(2)))) {
    return node.fail("scales are computed at run time; supported where they are constants");
  }
  if ((bySize ? sizes.size() : scales->size()) != which.size())
    return node.fail("has scales or sizes of other than " + Twine(which.size()) + " axes");
  Mode mode{node.text("mode", "nearest"),
            node.text("coordinate_transformation_mode", "half_pixel"),
            node.text("nearest_mode", "round_prefer_floor"),
            node.real("cubic_coeff_a", -0.75),
            node.real("extrapolation_value", 0),
            node.integer("exclude_outside", 0) != 0,
            node.integer("antialias", 0) != 0};
  bool crops = mode.coordinates == "tf_crop_and_resize";
  if (crops && (!node.has(1) || !(region = constantFloats(node.in(1))) || region->size() != 2 * which.size()))
    return node.fail("roi is computed at run time or not of " + Twine(which.size()) + " axes");
  std::vector<Axis> axes;
  StringRef policy = node.text("keep_aspect_ratio_policy", "stretch");
  std::optional<double> common;
  for (auto [i, axis] : llvm::enumerate(which)) {
    auto size = input.dims[axis].constant();
    if (!size && !bySize && (*scales)[i] == 1)
      continue; // stays, whatever its size
    if (!size || *size < 1)
      return node.fail("resizes an axis of '" + input.dims[axis].str() +
                       "' elements; supported where that is a number");
    double scale = bySize ? double(sizes[i]) / double(*size) : (*scales)[i];
    if (crops && !bySize)
      scale = (*scales)[i];
    if (!(scale > 0) || scale > 1 << 20)
      return node.fail("scale is " + Twine(std::to_string(scale)));
    double width = crops ? (*region)[which.size() + i] - (*region)[i] : 1;
    int64_t to = bySize ? sizes[i] : int64_t(std::floor(double(*size) * width * scale));
    axes.push_back({axis, *size, to, scale});
    if (crops)
      axes.back().begin = (*region)[i], axes.back().end = (*region)[which.size() + i];
    common = !common ? scale : policy == "not_larger" ? std::min(*common, scale) : std::max(*common, scale);
  }
  if (bySize && policy != "stretch")
    for (Axis &axis : axes) {
      axis.scale = *common;
      axis.to = int64_t(std::floor(*common * double(axis.from) + 0.5));
    }
  bool interpolates = mode.kind != "nearest";
  if (mode.kind != "nearest" && mode.kind != "linear" && mode.kind != "cubic")
    return node.fail("mode '" + mode.kind + "' is not known");
  // Integers are interpolated in f32 and lose their fraction.
  Value value = node.emit(0);
  if (interpolates && !input.isFloat())
    value = emitCast(node, value, node.builder().getF32Type());
  for (const Axis &axis : axes)
    if (axis.from != axis.to || axis.scale != 1 || crops)
      value = resizeAxis(node, value, mode, axis);
  return node.give(emitCast(node, value, input.element));
}
} // namespace

void tamis::addOnnxResizeOps(OnnxOpTable &table) {
  table["Resize"] = importResize;
}
