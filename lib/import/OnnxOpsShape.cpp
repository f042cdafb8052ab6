// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that make tensors: constants, shapes, ranges.
#include "lib/import/OnnxEmit.h"

#include <cmath>

using namespace mlir;
using namespace tamis;

namespace {
LogicalResult importConstant(OnnxNode &node) {
  Builder builder(node.context());
  if (const onnx::AttributeProto *value = node.find("value")) {
    auto tensor = node.tensor(value->t());
    return failed(tensor) ? failure() : node.give(std::move(*tensor));
  }
  OnnxValue result;
  if (const onnx::AttributeProto *value = node.find("value_float")) {
    result.element = builder.getF32Type();
    result.number = value->f();
    return node.give(std::move(result));
  }
  model::Dims elements;
  if (const onnx::AttributeProto *value = node.find("value_int")) {
    elements.push_back(DimExpr(value->i()));
  } else if (auto values = node.integers("value_ints")) {
    for (int64_t value : *values)
      elements.push_back(DimExpr(value));
    result.dims.push_back(DimExpr(static_cast<int64_t>(values->size())));
  } else {
    return node.fail(
        "it is sparse, of text or of many floats; supported with value, value_int, value_ints or value_float");
  }
  auto contents = Contents::ofList(std::move(elements), result.dims);
  if (!contents)
    return node.fail("value_ints is longer than " + Twine(Contents::maxListed) + "; supported as a tensor in value");
  return node.give(builder.getI64Type(), result.dims, std::move(*contents));
}

LogicalResult importConstantOfShape(OnnxNode &node) {
  auto dims = node.sizes(0, "input");
  if (failed(dims) || failed(node.checkDims(*dims)))
    return failure();
  OnnxValue result;
  result.element = Builder(node.context()).getF32Type();
  result.number = 0.0;
  if (const onnx::AttributeProto *value = node.find("value")) {
    auto tensor = node.tensor(value->t());
    if (failed(tensor))
      return failure();
    auto splat = tensor->contents ? tensor->contents->splat() : std::nullopt;
    if (!product(tensor->dims).isConstant(1) || (!tensor->number && !splat))
      return node.fail("value has other than one element");
    result = std::move(*tensor);
    if (splat)
      result.contents = Contents::ofAffine({*splat, model::Dims(dims->size(), DimExpr(0))}, *dims);
  }
  result.dims = *dims;
  return node.give(std::move(result));
}

LogicalResult importShape(OnnxNode &node) {
  const model::Dims &dims = node.in(0).dims;
  int64_t rank = dims.size();
  auto clamp = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank); };
  int64_t start = clamp(node.integer("start", 0)), end = clamp(node.integer("end", rank));
  model::Dims part;
  if (start < end)
    part.assign(dims.begin() + start, dims.begin() + end);
  model::Dims shape{DimExpr(static_cast<int64_t>(part.size()))};
  auto contents = Contents::ofList(std::move(part), shape);
  return contents ? node.give(Builder(node.context()).getI64Type(), shape, std::move(*contents))
                  : node.fail("shape is too long to follow");
}

LogicalResult importSize(OnnxNode &node) {
  auto contents = Contents::ofList({product(node.in(0).dims)}, {});
  return contents ? node.give(Builder(node.context()).getI64Type(), {}, std::move(*contents))
                  : node.fail("sizes are too long to follow");
}

/// Bounds and step are numbers; elements are start + i * delta, as the definition has it.
LogicalResult importFloatRange(OnnxNode &node) {
  double bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    auto numbers = constantFloats(node.in(i));
    if (!numbers || numbers->size() != 1)
      return node.fail("it counts in floats between bounds that are computed at run time; supported for integers, or "
                       "constants");
    bounds[i] = (*numbers)[0];
  }
  double rounds = std::ceil((bounds[1] - bounds[0]) / bounds[2]);
  if (!(bounds[2] != 0) || !(rounds < 1 << 24))
    return node.fail("its step is zero, or it gives more than 2^24 floats");
  Value numbers = emitIota(node, node.in(0).element, DimExpr(std::max<int64_t>(0, int64_t(rounds))), 0, 1);
  Value scaled =
      emitElementwise(node, model::ElementwiseKind::mul, {numbers, node.splat(node.in(0).element, bounds[2])});
  return node.give(
      emitElementwise(node, model::ElementwiseKind::add, {scaled, node.splat(node.in(0).element, bounds[0])}));
}

LogicalResult importRange(OnnxNode &node) {
  if (!isa<IntegerType>(node.in(0).element))
    return importFloatRange(node);
  model::Dims bounds;
  constexpr const char *names[] = {"start", "limit", "delta"};
  for (auto [i, what] : llvm::enumerate(names)) {
    auto value = node.sizes(i, what);
    if (failed(value))
      return failure();
    if (value->size() != 1)
      return node.fail("operand '" + Twine(what) + "' is no scalar");
    bounds.push_back((*value)[0]);
  }
  auto step = bounds[2].constant();
  if (!step || *step == 0 || *step == INT64_MIN)
    return node.fail("its step is zero or computed at run time; supported where it is a number");
  DimExpr way = *step > 0 ? bounds[1] - bounds[0] : bounds[0] - bounds[1];
  int64_t stride = std::abs(*step);
  DimExpr count = node.rules().max(DimExpr::floorDiv(way + DimExpr(stride - 1), DimExpr(stride)), DimExpr(0));
  model::Dims dims{count};
  if (failed(node.checkDims(dims)))
    return failure();
  auto contents = Contents::ofAffine({bounds[0], {DimExpr(*step)}}, dims);
  return contents ? node.give(node.in(0).element, dims, std::move(*contents))
                  : node.fail("bounds are too long to follow");
}
} // namespace

void tamis::addOnnxShapeOps(OnnxOpTable &table) {
  table["Constant"] = importConstant;
  table["ConstantOfShape"] = importConstantOfShape;
  table["Shape"] = importShape;
  table["Size"] = importSize;
  table["Range"] = importRange;
}
