// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Steps that importers of several ops are made of.
#include "lib/import/OnnxEmit.h"

#include <limits>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

Type tamis::elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

model::Dims tamis::dimsOf(Value value) {
  return model::dimsOf(value.getType());
}

Value tamis::emitIota(OnnxNode &node, Type element, const DimExpr &count, int64_t axis, int64_t rank,
                      const DimExpr &first) {
  model::Dims dims(rank, DimExpr(1));
  dims[axis] = count;
  Value numbers = node.create<model::IotaOp>(model::tensorType(element, {count}), first.str(), "1");
  return node.reshape(numbers, dims);
}

Value tamis::emitNumber(OnnxNode &node, Type element, const DimExpr &number, int64_t rank) {
  Value one = node.create<model::IotaOp>(model::tensorType(element, {DimExpr(1)}), number.str(), "0");
  return node.reshape(one, model::Dims(rank, DimExpr(1)));
}

Value tamis::emitCast(OnnxNode &node, Value value, Type element) {
  return elementOf(value) == element ? value
                                     : node.create<model::CastOp>(model::tensorType(element, dimsOf(value)), value);
}

Value tamis::emitSigned(OnnxNode &node, Value value) {
  Type element = elementOf(value);
  if (!element.isUnsignedInteger() && !element.isInteger(1))
    return value;
  unsigned width = element.getIntOrFloatBitWidth();
  Value wide = emitCast(node, value, width < 32 ? Type(node.builder().getI32Type()) : node.i64());
  if (width < 64)
    return wide;
  Value lowest = node.splat(node.i64(), double(std::numeric_limits<int64_t>::min()));
  return emitElementwise(node, K::sub, {wide, lowest}); // wraps
}

Value tamis::emitUnsigned(OnnxNode &node, Value value, Type element) {
  if (element.isUnsignedInteger(64)) {
    Value lowest = node.splat(node.i64(), double(std::numeric_limits<int64_t>::min()));
    value = emitElementwise(node, K::add, {value, lowest});
  }
  return emitCast(node, value, element);
}

Value tamis::emitElementwise(OnnxNode &node, model::ElementwiseKind kind, ValueRange operands) {
  model::Dims dims;
  for (Value operand : operands) {
    model::Dims own = dimsOf(operand);
    if (own.size() > dims.size())
      dims.insert(dims.begin(), own.size() - dims.size(), DimExpr(1));
    for (size_t i = 0; i < own.size(); ++i)
      if (DimExpr &dim = dims[dims.size() - own.size() + i]; dim.isConstant(1))
        dim = own[i];
  }
  return node.elementwise(kind, operands, dims);
}

Value tamis::emitReduce(OnnxNode &node, model::ReduceKind kind, Value value, ArrayRef<int64_t> axes) {
  if (axes.empty())
    return value;
  model::Dims dims = dimsOf(value);
  for (int64_t axis : axes)
    dims[axis] = DimExpr(1);
  return node.create<model::ReduceOp>(model::tensorType(elementOf(value), dims), kind, value, axes);
}

Value tamis::emitSlice(OnnxNode &node, Value value, int64_t axis, const DimExpr &start, const DimExpr &count,
                       int64_t step) {
  model::Dims dims = dimsOf(value);
  if (start.isConstant(0) && step == 1 && count == dims[axis])
    return value;
  SmallVector<std::string> texts(dims.size(), "0");
  SmallVector<int64_t> steps(dims.size(), 1);
  texts[axis] = start.str();
  steps[axis] = step;
  dims[axis] = count;
  SmallVector<StringRef> starts(texts.begin(), texts.end());
  return node.create<model::SliceOp>(model::tensorType(elementOf(value), dims), value,
                                     node.builder().getStrArrayAttr(starts), steps);
}

Value tamis::emitConcat(OnnxNode &node, ValueRange values, int64_t axis) {
  if (values.size() == 1)
    return values[0];
  model::Dims dims = dimsOf(values[0]);
  for (Value value : values.drop_front())
    dims[axis] = dims[axis] + dimsOf(value)[axis];
  return node.create<model::ConcatOp>(model::tensorType(elementOf(values[0]), dims), values,
                                      static_cast<uint64_t>(axis));
}

Value tamis::emitUnsqueeze(OnnxNode &node, Value value, int64_t axis) {
  model::Dims dims = dimsOf(value);
  dims.insert(dims.begin() + axis, DimExpr(1));
  return node.reshape(value, dims);
}

Value tamis::emitSqueeze(OnnxNode &node, Value value, int64_t axis) {
  model::Dims dims = dimsOf(value);
  dims.erase(dims.begin() + axis);
  return node.reshape(value, dims);
}

Value tamis::emitPad(OnnxNode &node, Value value, int64_t axis, const DimExpr &before, const DimExpr &after,
                     Value fill) {
  SmallVector<Value> parts;
  auto add = [&](const DimExpr &count) {
    if (count.isConstant(0))
      return;
    model::Dims dims = dimsOf(value);
    dims[axis] = count;
    parts.push_back(node.broadcast(fill, dims));
  };
  add(before);
  parts.push_back(value);
  add(after);
  return emitConcat(node, parts, axis);
}

Value tamis::emitRotary(OnnxNode &node, Value value, Value cosine, Value sine, bool interleaved) {
  model::Dims dims = dimsOf(value);
  int64_t half = *dimsOf(cosine).back().constant(), width = *dims[3].constant(), rotated = 2 * half;
  Value turning = emitSlice(node, value, 3, DimExpr(0), DimExpr(rotated));
  auto part = [&](int64_t which) {
    return interleaved ? emitSlice(node, turning, 3, DimExpr(which), DimExpr(half), 2)
                       : emitSlice(node, turning, 3, DimExpr(which * half), DimExpr(half));
  };
  Value first = part(0), second = part(1);
  auto mixed = [&](K how, Value a, Value b) {
    return emitElementwise(node, how,
                           {emitElementwise(node, K::mul, {first, a}), emitElementwise(node, K::mul, {second, b})});
  };
  Value one = mixed(K::sub, cosine, sine), other = mixed(K::add, sine, cosine);
  Value result;
  if (interleaved) {
    result = emitConcat(node, {emitUnsqueeze(node, one, 4), emitUnsqueeze(node, other, 4)}, 4);
    model::Dims joined = dims;
    joined[3] = DimExpr(rotated);
    result = node.reshape(result, joined);
  } else {
    result = emitConcat(node, {one, other}, 3);
  }
  if (width == rotated)
    return result;
  return emitConcat(node, {result, emitSlice(node, value, 3, DimExpr(rotated), DimExpr(width - rotated))}, 3);
}

Value tamis::emitElementTuples(OnnxNode &node, Value indices, int64_t axis, int64_t first) {
  model::Dims dims = dimsOf(indices);
  int64_t rank = dims.size();
  SmallVector<Value> parts;
  for (int64_t i = first; i < rank; ++i) {
    Value part = i == axis ? emitCast(node, indices, node.i64())
                           : node.broadcast(emitIota(node, node.i64(), dims[i], i, rank), dims);
    parts.push_back(emitUnsqueeze(node, part, rank));
  }
  return emitConcat(node, parts, rank);
}

Value tamis::emitGatherElements(OnnxNode &node, Value data, Value indices, int64_t axis) {
  return node.create<model::GatherNdOp>(model::tensorType(elementOf(data), dimsOf(indices)), data,
                                        emitElementTuples(node, indices, axis), uint64_t(0));
}

SmallVector<int64_t> tamis::moveAxis(int64_t rank, int64_t from, int64_t to) {
  SmallVector<int64_t> order;
  for (int64_t axis = 0; axis < rank; ++axis)
    if (axis != from)
      order.push_back(axis);
  order.insert(order.begin() + to, from);
  return order;
}

SmallVector<int64_t> tamis::inverse(ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> result(permutation.size());
  for (auto [i, axis] : llvm::enumerate(permutation))
    result[axis] = i;
  return result;
}
