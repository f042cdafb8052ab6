// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes ops of the model dialect; result types follow from the operands.
#include "dialects/sattn/patterns/ModelWriter.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;
using model::Dims;
using model::ElementwiseKind;
using model::tensorType;

Value ModelWriter::reshape(Value x, ArrayRef<DimExpr> dims) {
  return model::ReshapeOp::create(ops, loc, tensorType(elementOf(x), dims), x);
}

Value ModelWriter::transpose(Value x, ArrayRef<int64_t> permutation) {
  Dims from = dimsOf(x), to;
  for (int64_t axis : permutation)
    to.push_back(from[axis]);
  return model::TransposeOp::create(ops, loc, tensorType(elementOf(x), to), x, ops.getDenseI64ArrayAttr(permutation));
}

Value ModelWriter::broadcast(Value x, ArrayRef<DimExpr> dims) {
  return model::BroadcastOp::create(ops, loc, tensorType(elementOf(x), dims), x);
}

Value ModelWriter::slice(Value x, int64_t axis, const DimExpr &start, const DimExpr &size) {
  Dims dims = dimsOf(x);
  SmallVector<Attribute> starts(dims.size(), ops.getStringAttr("0"));
  starts[axis] = ops.getStringAttr(start.str());
  dims[axis] = size;
  return model::SliceOp::create(ops, loc, tensorType(elementOf(x), dims), x, ops.getArrayAttr(starts),
                                SmallVector<int64_t>(dims.size(), 1));
}

Value ModelWriter::concat(ValueRange inputs, int64_t axis) {
  Dims dims = dimsOf(inputs.front());
  for (Value input : inputs.drop_front())
    dims[axis] = dims[axis] + dimsOf(input)[axis];
  return model::ConcatOp::create(ops, loc, tensorType(elementOf(inputs.front()), dims), inputs,
                                 ops.getI64IntegerAttr(axis));
}

Value ModelWriter::number(double value, Type element) {
  auto type = RankedTensorType::get({}, element);
  return model::ConstantOp::create(ops, loc, type,
                                   DenseElementsAttr::get(type, ops.getFloatAttr(element, value).getValue()));
}

Value ModelWriter::numbers(ArrayRef<float> values, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, ops.getF32Type());
  return model::ConstantOp::create(ops, loc, type, DenseElementsAttr::get(type, values));
}

Value ModelWriter::filled(double value, Type element, ArrayRef<DimExpr> dims) {
  return broadcast(number(value, element), dims);
}

Value ModelWriter::elementwise(ElementwiseKind kind, ValueRange operands) {
  Dims dims;
  for (Value operand : operands)
    dims = *model::broadcastDims(dims, dimsOf(operand));
  bool compares = llvm::is_contained({ElementwiseKind::equal, ElementwiseKind::less, ElementwiseKind::greater}, kind);
  Type element = compares ? ops.getI1Type() : elementOf(operands.back());
  return model::ElementwiseOp::create(ops, loc, tensorType(element, dims), kind, operands);
}

Value ModelWriter::reduce(model::ReduceKind kind, Value x, int64_t axis) {
  Dims dims = dimsOf(x);
  dims[axis] = 1;
  return model::ReduceOp::create(ops, loc, tensorType(elementOf(x), dims), kind, x, ArrayRef<int64_t>{axis});
}

Value ModelWriter::cast(Value x, Type element) {
  return model::CastOp::create(ops, loc, tensorType(element, dimsOf(x)), x);
}

Value ModelWriter::matmul(Value x, Value y) {
  Dims left = dimsOf(x), right = dimsOf(y);
  DimExpr rows = left[left.size() - 2], columns = right.back();
  Dims dims = *model::broadcastDims(ArrayRef(left).drop_back(2), ArrayRef(right).drop_back(2));
  dims.append({rows, columns});
  return model::MatmulOp::create(ops, loc, tensorType(elementOf(x), dims), x, y);
}

Value ModelWriter::iota(const DimExpr &start, const DimExpr &step, const DimExpr &size, Type element) {
  return model::IotaOp::create(ops, loc, tensorType(element, {size}), ops.getStringAttr(start.str()),
                               ops.getStringAttr(step.str()));
}

Value ModelWriter::padTokens(Value tokens, const DimExpr &size) {
  Dims dims = dimsOf(tokens);
  if (dims[1] == size)
    return tokens;
  DimExpr missing = size - dims[1];
  Value padded = concat({tokens, filled(0, elementOf(tokens), {dims[0], missing, dims[2]})}, 1);
  return padded;
}

Value ModelWriter::keptCounts(Value mask, int64_t width, Type element) {
  Dims dims = dimsOf(mask);
  DimExpr blocks = ceilDiv(dims[3], width);
  Value kept = padTokens(reshape(cast(mask, element), {dims[0], dims[3], 1}), blocks * width);
  kept = reduce(model::ReduceKind::sum, reshape(kept, {dims[0], blocks, width, 1}), 2);
  return reshape(kept, {dims[0], blocks, 1});
}

Value ModelWriter::blockMeans(Value tokens, Value mask, int64_t width) {
  Dims dims = dimsOf(tokens);
  Type element = elementOf(tokens);
  DimExpr blocks = ceilDiv(dims[1], width);
  Value counts;
  if (mask) {
    counts = keptCounts(mask, width, element);
    Value kept = reshape(mask, {dimsOf(mask)[0], dims[1], 1});
    tokens = elementwise(ElementwiseKind::select, {kept, tokens, number(0, element)});
  } else {
    // The last block may be short.
    Value ones = padTokens(filled(1, element, {1, dims[1], 1}), blocks * width);
    counts = reduce(model::ReduceKind::sum, reshape(ones, {1, blocks, width, 1}), 2);
    counts = reshape(counts, {1, blocks, 1});
  }
  Value sums = reshape(padTokens(tokens, blocks * width), {dims[0], blocks, width, dims[2]});
  sums = reshape(reduce(model::ReduceKind::sum, sums, 2), {dims[0], blocks, dims[2]});
  return elementwise(ElementwiseKind::div, {sums, elementwise(ElementwiseKind::maximum, {counts, number(1, element)})});
}

Value ModelWriter::anyKept(Value mask, int64_t width) {
  Type f32 = ops.getF32Type();
  Value counts = keptCounts(mask, width, f32);
  Dims dims = dimsOf(counts);
  return reshape(elementwise(ElementwiseKind::greater, {counts, number(0, f32)}), {dims[0], 1, 1, dims[1]});
}
