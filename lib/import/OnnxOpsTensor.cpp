// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops that rearrange elements or change their type.
#include "lib/import/OnnxGraph.h"

#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace tamis;

namespace {
/// Gives the first operand under other sizes: known contents stay known, else `emitted` makes the op.
template <typename Fold, typename Emit>
LogicalResult giveView(OnnxNode &node, ArrayRef<DimExpr> dims, Fold fold, Emit emitted) {
  if (failed(node.checkDims(dims)))
    return failure();
  const OnnxValue &input = node.in(0);
  if (input.contents)
    if (std::optional<Contents> contents = fold(KnownTensor{&*input.contents, input.dims}))
      return node.give(input.element, dims, std::move(*contents));
  if (input.number) {
    OnnxValue result = input;
    result.dims.assign(dims.begin(), dims.end());
    result.value = {};
    return node.give(std::move(result));
  }
  return node.give(emitted(node.emit(0)));
}

LogicalResult giveReshape(OnnxNode &node, ArrayRef<DimExpr> dims) {
  return giveView(
      node, dims, [&](KnownTensor x) { return foldReshape(x, dims); }, [&](Value x) { return node.reshape(x, dims); });
}

/// Two element counts must be the same: what is common to both is cancelled, what is left must be equal.
LogicalResult meetCounts(OnnxNode &node, const DimExpr &from, const DimExpr &to) {
  if (from == to)
    return success();
  if (from.terms().size() == 1 && to.terms().size() == 1) {
    const auto &[fromFactors, fromScale] = *from.terms().begin();
    const auto &[toFactors, toScale] = *to.terms().begin();
    DimExpr::Monomial common;
    std::set_intersection(fromFactors.begin(), fromFactors.end(), toFactors.begin(), toFactors.end(),
                          std::back_inserter(common));
    DimExpr shared(std::gcd(fromScale, toScale));
    for (const std::string &factor : common)
      if (auto parsed = DimExpr::parse(factor))
        shared = shared * *parsed;
    auto a = from.exactDiv(shared), b = to.exactDiv(shared);
    if (a && b)
      return node.meet(*a, *b);
  }
  return node.meet(from, to);
}

LogicalResult importReshape(OnnxNode &node) {
  auto target = node.sizes(1, "shape");
  if (failed(target))
    return failure();
  const OnnxValue &input = node.in(0);
  bool allowZero = node.integer("allowzero", 0);
  int inferred = -1;
  DimExpr rest = 1;
  for (size_t i = 0; i < target->size(); ++i) {
    DimExpr &dim = (*target)[i];
    if (dim.isConstant(0) && !allowZero) {
      if (i >= input.dims.size())
        return node.fail("shape keeps axis " + Twine(i) + " but the operand has " + Twine(input.rank()));
      dim = input.dims[i];
    }
    if (dim.isConstant(-1)) {
      if (inferred >= 0)
        return node.fail("shape leaves two sizes open");
      inferred = static_cast<int>(i);
    } else {
      rest = rest * dim;
    }
  }
  DimExpr total = product(input.dims);
  if (isTooLarge(total) || isTooLarge(rest))
    return node.fail("sizes are too long to follow");
  if (inferred >= 0) {
    auto size = rest.isConstant(0) ? std::nullopt : total.exactDiv(rest);
    if (!size)
      return node.fail("cannot split " + Twine(total.str()) + " elements into rows of " + rest.str() +
                       "; supported where the division leaves no rest for all sizes");
    (*target)[inferred] = *size;
  } else if (failed(meetCounts(node, total, rest))) {
    return failure();
  }
  return giveReshape(node, *target);
}

LogicalResult importFlatten(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  int64_t axis = node.integer("axis", 1), rank = input.rank();
  if (axis < -rank || axis > rank)
    return node.fail("axis " + Twine(axis) + " is not one of the operand's " + Twine(rank));
  axis += axis < 0 ? rank : 0;
  ArrayRef<DimExpr> dims(input.dims);
  return giveReshape(node, {product(dims.take_front(axis)), product(dims.drop_front(axis))});
}

LogicalResult importUnsqueeze(OnnxNode &node) {
  auto numbers = node.numbers(1, "axes");
  if (failed(numbers))
    return failure();
  const OnnxValue &input = node.in(0);
  int64_t rank = input.rank() + numbers->size();
  auto axes = node.axes(*numbers, rank);
  if (failed(axes))
    return failure();
  model::Dims dims;
  for (int64_t axis = 0, from = 0; axis < rank; ++axis)
    dims.push_back(llvm::is_contained(*axes, axis) ? DimExpr(1) : input.dims[from++]);
  return giveReshape(node, dims);
}

LogicalResult importSqueeze(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  SmallVector<int64_t> axes;
  if (node.has(1)) {
    auto numbers = node.numbers(1, "axes");
    auto checked = failed(numbers) ? FailureOr<SmallVector<int64_t>>() : node.axes(*numbers, input.rank());
    if (failed(checked))
      return failure();
    axes = *checked;
    for (int64_t axis : axes)
      if (failed(node.meet(input.dims[axis], DimExpr(1))))
        return failure();
  } else {
    for (int64_t axis = 0; axis < input.rank(); ++axis)
      if (input.dims[axis].isConstant(1))
        axes.push_back(axis);
  }
  model::Dims dims;
  for (int64_t axis = 0; axis < input.rank(); ++axis)
    if (!llvm::is_contained(axes, axis))
      dims.push_back(input.dims[axis]);
  return giveReshape(node, dims);
}

LogicalResult importTranspose(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  SmallVector<int64_t> permutation;
  if (auto given = node.integers("perm")) {
    permutation = *given;
  } else {
    for (int64_t axis = input.rank(); axis-- > 0;)
      permutation.push_back(axis);
  }
  auto sorted = node.axes(permutation, input.rank());
  if (failed(sorted))
    return failure();
  if (static_cast<int64_t>(permutation.size()) != input.rank())
    return node.fail("perm has " + Twine(permutation.size()) + " axes but the operand " + Twine(input.rank()));
  model::Dims dims;
  for (int64_t &axis : permutation) {
    axis += axis < 0 ? input.rank() : 0;
    dims.push_back(input.dims[axis]);
  }
  return giveView(
      node, dims, [&](KnownTensor x) { return foldTranspose(x, permutation); },
      [&](Value x) { return node.transpose(x, permutation); });
}

LogicalResult importExpand(OnnxNode &node) {
  auto target = node.sizes(1, "shape");
  if (failed(target))
    return failure();
  auto dims = node.broadcastDims(node.in(0).dims, *target);
  if (failed(dims))
    return failure();
  return giveView(
      node, *dims, [&](KnownTensor x) { return foldBroadcast(x, *dims); },
      [&](Value x) { return node.broadcast(x, *dims); });
}

/// Repeats by a broadcast along an axis of its own before each.
LogicalResult importTile(OnnxNode &node) {
  auto repeats = node.sizes(1, "repeats");
  if (failed(repeats))
    return failure();
  const OnnxValue &input = node.in(0);
  if (static_cast<int64_t>(repeats->size()) != input.rank())
    return node.fail("has " + Twine(repeats->size()) + " repeats but the operand " + Twine(input.rank()) + " axes");
  model::Dims apart, repeated, dims;
  for (auto [repeat, dim] : llvm::zip_equal(*repeats, input.dims)) {
    if (!node.rules().atLeast(repeat, 0))
      return node.fail("repeats '" + repeat.str() + "' times");
    apart.append({DimExpr(1), dim});
    repeated.append({repeat, dim});
    dims.push_back(repeat * dim);
  }
  if (dims == input.dims)
    return node.give(OnnxValue(input));
  if (failed(node.checkDims(dims)))
    return failure();
  return node.give(node.reshape(node.broadcast(node.reshape(node.emit(0), apart), repeated), dims));
}

LogicalResult importConcat(OnnxNode &node) {
  if (!node.hasAll())
    return node.fail("an operand is left out");
  // Exporters write Concat of one.
  if (node.size() == 1)
    return node.give(OnnxValue(node.in(0)));
  const OnnxValue &first = node.in(0);
  auto axis = node.axis(node.integer("axis", 0), first.rank());
  if (failed(axis))
    return failure();
  model::Dims dims = first.dims;
  for (size_t i = 1; i < node.size(); ++i) {
    const OnnxValue &next = node.in(i);
    if (next.rank() != first.rank() || next.element != first.element)
      return node.fail("operands differ in rank or element type");
    for (int64_t k = 0; k < first.rank(); ++k)
      if (k == *axis)
        dims[k] = dims[k] + next.dims[k];
      else if (failed(node.meet(dims[k], next.dims[k])))
        return failure();
  }
  if (failed(node.checkDims(dims)))
    return failure();
  SmallVector<KnownTensor> known;
  for (size_t i = 0; i < node.size(); ++i)
    if (node.in(i).contents)
      known.push_back({&*node.in(i).contents, node.in(i).dims});
  if (known.size() == node.size())
    if (auto contents = foldConcat(known, *axis, dims))
      return node.give(first.element, dims, std::move(*contents));
  SmallVector<Value> parts;
  for (size_t i = 0; i < node.size(); ++i)
    parts.push_back(node.emit(i));
  return node.give(
      node.create<model::ConcatOp>(model::tensorType(first.element, dims), parts, static_cast<uint64_t>(*axis)));
}

LogicalResult giveCast(OnnxNode &node, Type to) {
  const OnnxValue &input = node.in(0);
  if (to == input.element)
    return node.give(OnnxValue(input));
  bool toInteger = to.isSignlessInteger(32) || to.isSignlessInteger(64);
  if (input.contents && (toInteger || to.isInteger(1)) && !input.element.isUnsignedInteger()) {
    bool fits =
        to.isSignlessInteger(64) || liesWithin({&*input.contents, input.dims}, INT32_MIN, INT32_MAX, node.rules());
    if (toInteger && fits)
      return node.give(to, input.dims, *input.contents);
    model::Dims zeros(input.rank(), DimExpr(0));
    auto zero = Contents::ofAffine({DimExpr(0), zeros}, input.dims);
    KnownTensor operands[] = {{&*input.contents, input.dims}, {&*zero, input.dims}};
    if (to.isInteger(1))
      if (auto contents = foldElementwise(model::ElementwiseKind::not_equal, operands, input.dims, node.rules()))
        return node.give(to, input.dims, std::move(*contents));
  }
  if (isa<FloatType>(to)) {
    auto splat = input.contents ? input.contents->splat() : std::nullopt;
    std::optional<double> number = input.number;
    if (splat && splat->constant() && !input.element.isUnsignedInteger())
      number = static_cast<double>(*splat->constant());
    if (number) {
      OnnxValue result;
      result.element = to;
      result.dims = input.dims;
      result.number = number; // rounded when it is emitted; sizes are exact in f32
      if (llvm::APFloat value(*number); !value.isNaN()) {
        bool losesInfo;
        value.convert(cast<FloatType>(to).getFloatSemantics(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
        value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
        result.number = value.convertToDouble();
      }
      return node.give(std::move(result));
    }
  }
  if (toInteger && input.number && std::abs(*input.number) < double(1 << 30)) {
    auto whole = static_cast<int64_t>(*input.number);
    if (auto contents = Contents::ofAffine({DimExpr(whole), model::Dims(input.rank(), DimExpr(0))}, input.dims))
      return node.give(to, input.dims, std::move(*contents));
  }
  return node.give(node.create<model::CastOp>(model::tensorType(to, input.dims), node.emit(0)));
}

LogicalResult importCast(OnnxNode &node) {
  int64_t wanted = node.integer("to", 0);
  Type to = onnxElementType(wanted, node.context());
  if (to && isa<FloatType>(to) && to.getIntOrFloatBitWidth() == 8 && node.integer("saturate", 1)) {
    // As quantize saturates: beyond the largest finite number is that number.
    Value x = node.emit(0), one = node.splat(node.builder().getF32Type(), 1);
    if (!node.in(0).isFloat())
      return node.fail("operand is no float tensor but its result is of 8-bit floats");
    return node.give(node.create<model::QuantizeOp>(model::tensorType(to, node.in(0).dims), x, one, Value(),
                                                    IntegerAttr(), IntegerAttr()));
  }
  return to ? giveCast(node, to) : node.fail("its result " + unsupportedElement(wanted));
}

LogicalResult importCastLike(OnnxNode &node) {
  return giveCast(node, node.in(1).element);
}

LogicalResult importIdentity(OnnxNode &node) {
  return node.give(OnnxValue(node.in(0)));
}

LogicalResult importDropout(OnnxNode &node) {
  if (node.has(2)) {
    auto training = node.numbers(2, "training_mode");
    if (failed(training))
      return failure();
    if (training->size() != 1 || (*training)[0])
      return node.fail("it is in training mode; supported in inference mode");
  }
  auto all = Contents::ofAffine({DimExpr(1), model::Dims(node.in(0).rank(), DimExpr(0))}, node.in(0).dims);
  if (failed(node.give(node.builder().getI1Type(), node.in(0).dims, std::move(*all), 1)))
    return failure();
  return node.give(OnnxValue(node.in(0)));
}
} // namespace

void tamis::addOnnxTensorOps(OnnxOpTable &table) {
  table["Reshape"] = importReshape;
  table["Flatten"] = importFlatten;
  table["Unsqueeze"] = importUnsqueeze;
  table["Squeeze"] = importSqueeze;
  table["Transpose"] = importTranspose;
  table["Expand"] = importExpand;
  table["Tile"] = importTile;
  table["Concat"] = importConcat;
  table["Cast"] = importCast;
  table["CastLike"] = importCastLike;
  table["Identity"] = importIdentity;
  table["Dropout"] = importDropout;
}
