// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention, QAttention and MultiHeadAttention of com.microsoft. Source: docs/ContribOperators.md of the onnxruntime
// project.
#include "lib/import/OnnxAttention.h"
#include "lib/import/OnnxQuantize.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
using Heads = AttentionHeads;

/// [batch, heads, tokens, width] as [batch, tokens, heads * width], and back.
Value merged(OnnxNode &node, Value value) {
  value = node.transpose(value, {0, 2, 1, 3});
  model::Dims dims = dimsOf(value);
  return node.reshape(value, {dims[0], dims[1], dims[2] * dims[3]});
}
Value apart(OnnxNode &node, Value value, int64_t heads) {
  model::Dims dims = dimsOf(value);
  int64_t width = *dims[2].constant() / heads;
  value = node.reshape(value, {dims[0], dims[1], DimExpr(heads), DimExpr(width)});
  return node.transpose(value, {0, 2, 1, 3});
}

/// What is added to the scores for a mask of padding: by row of the batch the number of keys, or 0 and 1 for each key,
/// or for each query and key. Masked keys keep a weight where all are masked, as in ONNX Runtime.
FailureOr<Value> paddingBias(OnnxNode &node, size_t i, const Heads &heads) {
  const OnnxValue &mask = node.in(i);
  if (!isa<IntegerType>(mask.element))
    return node.fail("mask is not of integers");
  Type element = elementOf(heads.query);
  Value given = emitCast(node, node.emit(i), node.i64()), keeps;
  model::Dims dims;
  if (mask.rank() == 1 && mask.dims[0] == heads.batch()) {
    Value count = node.reshape(given, {heads.batch(), DimExpr(1), DimExpr(1), DimExpr(1)});
    keeps = emitElementwise(node, K::less, {emitIota(node, node.i64(), heads.keys(), 3, 4), count});
  } else if (mask.rank() == 2) {
    if (failed(node.meet(mask.dims[0], heads.batch())) || failed(node.meet(mask.dims[1], heads.keys())))
      return failure();
    dims = {heads.batch(), DimExpr(1), DimExpr(1), heads.keys()};
  } else if (mask.rank() == 3) {
    if (failed(node.meet(mask.dims[1], heads.queries())) || failed(node.meet(mask.dims[2], heads.keys())))
      return failure();
    dims = {mask.dims[0], DimExpr(1), heads.queries(), heads.keys()};
  } else {
    return node.fail("mask of " + model::str(mask.dims) +
                     "; supported are [batch], [batch, keys] and [batch, queries, "
                     "keys]");
  }
  if (!keeps)
    keeps = emitElementwise(node, K::not_equal, {node.reshape(given, dims), node.splat(node.i64(), 0)});
  Value low = node.splat(element, node.real("mask_filter_value", -10000.0f));
  return emitElementwise(node, K::select, {keeps, node.splat(element, 0), low});
}

/// Puts the cache `keys`, `values` ([batch, heads, past, width]) before the keys and values.
LogicalResult addPast(OnnxNode &node, Heads &heads, Value keys, Value values) {
  heads.past = dimsOf(keys)[2];
  auto joined = [&](Value past, Value now) -> FailureOr<Value> {
    past = merged(node, past);
    if (failed(node.meet(dimsOf(past)[0], heads.batch())) || dimsOf(past)[2] != dimsOf(now)[2])
      return node.fail("the cache " + model::str(dimsOf(past)) + " does not fit " + model::str(dimsOf(now)));
    return emitConcat(node, {past, now}, 1);
  };
  auto key = joined(keys, heads.key), value = failed(key) ? key : joined(values, heads.value);
  if (failed(value))
    return failure();
  heads.key = *key;
  heads.value = *value;
  return success();
}

/// The attention, with a mask of padding at operand `mask` and a bias of the scores at operand `bias`.
LogicalResult giveAttention(OnnxNode &node, const Heads &heads, size_t maskIndex, size_t biasIndex) {
  Type element = elementOf(heads.query);
  if (element.isF64())
    return node.fail("operands are of f64; supported up to f32");
  auto width = dimsOf(heads.query)[2].constant(), valueWidth = dimsOf(heads.value)[2].constant();
  if (!width || !valueWidth || dimsOf(heads.key)[2] != dimsOf(heads.query)[2] || heads.heads < 1 ||
      *width % heads.heads || *valueWidth % heads.heads || !*width)
    return node.fail("widths do not fit " + Twine(heads.heads) + " heads");
  for (auto [a, b] : {std::pair(heads.key, heads.value)})
    if (failed(node.meet(dimsOf(a)[1], dimsOf(b)[1])) || failed(node.meet(dimsOf(a)[0], heads.batch())))
      return failure();
  Value mask;
  if (node.has(maskIndex)) {
    auto bias = paddingBias(node, maskIndex, heads);
    if (failed(bias))
      return failure();
    mask = *bias;
  }
  if (node.has(biasIndex)) {
    const OnnxValue &given = node.in(biasIndex);
    model::Dims scores{heads.batch(), DimExpr(heads.heads), heads.queries(), heads.keys()};
    auto both = node.broadcastDims(scores, given.dims);
    if (failed(both))
      return failure();
    if (given.rank() != 4 || *both != scores || given.element != element)
      return node.fail("bias of " + model::str(given.dims) + " does not fit scores of " + model::str(scores));
    mask = mask ? emitElementwise(node, K::add, {mask, node.emit(biasIndex)}) : node.emit(biasIndex);
  }
  double scale = node.real("scale", 0);
  if (scale == 0)
    scale = 1 / std::sqrt(double(*width / heads.heads));
  model::Dims dims{heads.batch(), heads.queries(), DimExpr(*valueWidth)};
  // The last query sees all keys, which is what the dialect's causal order says too.
  return node.give(node.create<model::AttentionOp>(model::tensorType(element, dims), heads.query, heads.key,
                                                   heads.value, mask, uint64_t(heads.heads), uint64_t(heads.heads),
                                                   llvm::APFloat(scale), node.integer("unidirectional", 0) != 0));
}

/// Widths of query, key and value, by the node's attribute and its weight, operand 1.
FailureOr<SmallVector<int64_t>> projectionWidths(OnnxNode &node) {
  const OnnxValue &x = node.in(0), &weight = node.in(1);
  if (failed(node.meet(x.dims.back(), weight.dims[0])))
    return failure();
  auto all = weight.dims[1].constant();
  SmallVector<int64_t> widths = node.integers("qkv_hidden_sizes").value_or(SmallVector<int64_t>());
  if (all && widths.empty())
    widths.assign(3, *all / 3);
  if (!all || widths.size() != 3 || widths[0] + widths[1] + widths[2] != *all || widths[0] < 1 || widths[2] < 1 ||
      widths[1] < 1)
    return node.fail("weight " + model::str(weight.dims) + " is not of query, key and value");
  return widths;
}

/// Queries, keys and values that lie side by side in `projected`.
FailureOr<Heads> headsOf(OnnxNode &node, Value projected, ArrayRef<int64_t> widths) {
  int64_t at = 0, axis = int64_t(dimsOf(projected).size()) - 1;
  auto part = [&](size_t i) {
    Value value = emitSlice(node, projected, axis, DimExpr(at), DimExpr(widths[i]));
    at += widths[i];
    return value;
  };
  Value query = part(0), key = part(1), value = part(2);
  Heads heads{query, key, value, node.integer("num_heads", 0)};
  if (heads.heads < 1 || llvm::any_of(widths, [&](int64_t width) { return width % heads.heads; }))
    return node.fail("widths do not fit " + Twine(heads.heads) + " heads");
  return heads;
}

constexpr const char *kFixedCache = "has rotary positions or a cache of fixed length; supported without";
bool hasFixedCache(OnnxNode &node) {
  return node.integer("do_rotary", 0) || node.integer("past_present_share_buffer", 0);
}

/// Operands whose meaning Attention and QAttention share.
struct AttentionOperands {
  size_t mask, past, bias;
};

/// The attention of projected queries, keys and values behind those of the cache.
LogicalResult giveProjected(OnnxNode &node, Heads heads, AttentionOperands operands) {
  if (size_t past = operands.past; node.has(past)) { // [2, batch, heads, past, width]
    if (node.in(past).rank() != 5 || node.in(past).element != elementOf(heads.query))
      return node.fail("past of " + model::str(node.in(past).dims) + " is no tensor of 5 axes of its element type");
    auto half = [&](int64_t i) {
      return emitSqueeze(node, emitSlice(node, node.emit(past), 0, DimExpr(i), DimExpr(1)), 0);
    };
    if (failed(addPast(node, heads, half(0), half(1))))
      return failure();
  }
  if (node.wants(1)) {
    Value key = emitUnsqueeze(node, apart(node, heads.key, heads.heads), 0);
    Value value = emitUnsqueeze(node, apart(node, heads.value, heads.heads), 0);
    if (key.getType() != value.getType() || failed(node.give(emitConcat(node, {key, value}, 0), 1)))
      return node.fail("gives a cache of keys and values of different widths");
  }
  return giveAttention(node, heads, operands.mask, operands.bias);
}

/// Attention: the projections of query, key and value are its own.
LogicalResult importAttention(OnnxNode &node) {
  if (node.in(0).rank() != 3)
    return node.fail("operand " + model::str(node.in(0).dims) + " is not [batch, tokens, channels]");
  if (node.has(6) || hasFixedCache(node))
    return node.fail(kFixedCache);
  auto heads = projectedHeads(node);
  if (failed(heads))
    return failure();
  return giveProjected(node, *heads, {.mask = 3, .past = 4, .bias = 5});
}

/// QAttention: the same with a projection in integers; attention itself is of f32.
LogicalResult importQuantizedAttention(OnnxNode &node) {
  enum { input, weight, bias, inputScale, weightScale, mask, inputZero, weightZero, past };
  for (size_t i : {size_t(input), size_t(weight), size_t(bias), size_t(inputScale), size_t(weightScale)})
    if (!node.has(i))
      return node.fail("operand " + Twine(i) + " is missing");
  const OnnxValue &x = node.in(input), &matrix = node.in(weight), &offset = node.in(bias);
  if (x.rank() != 3 || matrix.rank() != 2 || !x.element.isInteger(8) || !matrix.element.isInteger(8))
    return node.fail("operands " + model::str(x.dims) + " and " + model::str(matrix.dims) +
                     " are no 8-bit integers of [batch, tokens, channels] and a matrix");
  if (!product(node.in(inputScale).dims).isConstant(1) ||
      (node.has(inputZero) && !product(node.in(inputZero).dims).isConstant(1)))
    return node.fail("the scale and the zero point of its input are not one number");
  if (!node.in(inputScale).element.isF32() || !node.in(weightScale).element.isF32() || !offset.element.isF32() ||
      offset.dims != model::Dims{matrix.dims[1]})
    return node.fail("scales are no f32, or bias " + model::str(offset.dims) + " is no f32 of " + matrix.dims[1].str() +
                     " elements");
  if (failed(checkScales(node, inputScale, "input_scale")) || failed(checkScales(node, weightScale, "weight_scale")))
    return failure();
  if (hasFixedCache(node))
    return node.fail(kFixedCache);
  auto widths = projectionWidths(node);
  if (failed(widths))
    return failure();
  auto sums = integerProduct(node, input, weight, inputZero, weightZero);
  if (failed(sums))
    return failure();
  auto scaled = scaleProduct(node, *sums, node.emit(inputScale), weightScale);
  if (failed(scaled))
    return failure();
  Value projected = emitElementwise(node, K::add, {*scaled, node.emit(bias)});
  auto heads = headsOf(node, projected, *widths);
  if (failed(heads))
    return failure();
  constexpr size_t none = ~size_t(0); // there is no bias of the scores
  return giveProjected(node, *heads, {.mask = mask, .past = past, .bias = none});
}

/// MultiHeadAttention: query, key and value apart, or side by side for each head.
LogicalResult importMultiHead(OnnxNode &node) {
  const OnnxValue &query = node.in(0);
  int64_t count = node.integer("num_heads", 0);
  if (!query.isFloat() || count < 1)
    return node.fail("operands are no floats, or num_heads is " + Twine(count));
  if (node.wants(3) || node.has(8) || node.has(9))
    return node.fail("its scores are used, or its cache has a fixed length; supported without");
  Heads heads{{}, {}, {}, count};
  auto packed = [&](size_t i, int64_t part) { return partOfHeads(node, node.emit(i), part); };
  auto joined = [&](size_t i) { return node.in(i).rank() == 4 ? merged(node, node.emit(i)) : node.emit(i); };
  if (query.rank() == 5 && query.dims[3].isConstant(3)) {
    heads.query = packed(0, 0), heads.key = packed(0, 1), heads.value = packed(0, 2);
  } else if (node.has(1) && node.in(1).rank() == 5 && node.in(1).dims[3].isConstant(2)) {
    heads.query = node.emit(0), heads.key = packed(1, 0), heads.value = packed(1, 1);
  } else if (node.has(1) && node.has(2)) {
    heads.query = node.emit(0), heads.key = joined(1), heads.value = joined(2);
  } else {
    return node.fail("query " + model::str(query.dims) + " comes without key and value, and is not all three");
  }
  for (Value each : {heads.query, heads.key, heads.value})
    if (dimsOf(each).size() != 3 || elementOf(each) != query.element || !dimsOf(each)[2].constant() ||
        *dimsOf(each)[2].constant() % count)
      return node.fail("operand " + model::str(dimsOf(each)) + " is not of " + Twine(count) + " heads");
  if (failed(addSharedBias(node, 3, heads)))
    return failure();
  if (node.has(6) && node.has(7) && failed(addPast(node, heads, node.emit(6), node.emit(7))))
    return failure();
  for (auto [i, value] : {std::pair(size_t(1), heads.key), std::pair(size_t(2), heads.value)})
    if (node.wants(i) && failed(node.give(apart(node, value, count), i)))
      return failure();
  return giveAttention(node, heads, 4, 5);
}
} // namespace

FailureOr<AttentionHeads> tamis::projectedHeads(OnnxNode &node) {
  const OnnxValue &x = node.in(0), &weight = node.in(1);
  if (x.rank() < 1 || weight.rank() != 2 || !x.isFloat() || x.element != weight.element)
    return node.fail("operands " + model::str(x.dims) + " and " + model::str(weight.dims) +
                     " are no floats of channels and a matrix");
  auto widths = projectionWidths(node);
  if (failed(widths))
    return failure();
  model::Dims dims = x.dims;
  dims.back() = weight.dims[1];
  Value projected = node.create<model::MatmulOp>(model::tensorType(x.element, dims), node.emit(0), node.emit(1));
  if (node.has(2)) {
    auto both = node.broadcastDims(dims, node.in(2).dims);
    if (failed(both))
      return failure();
    if (*both != dims || node.in(2).element != x.element)
      return node.fail("bias " + model::str(node.in(2).dims) + " does not fit " + model::str(dims));
    projected = emitElementwise(node, K::add, {projected, node.emit(2)});
  }
  return headsOf(node, projected, *widths);
}

LogicalResult tamis::addSharedBias(OnnxNode &node, size_t i, AttentionHeads &heads) {
  if (!node.has(i))
    return success();
  int64_t at = 0;
  for (Value *each : {&heads.query, &heads.key, &heads.value}) {
    int64_t width = *dimsOf(*each).back().constant();
    if (node.in(i).rank() != 1 || node.in(i).dims[0].constant().value_or(0) < at + width ||
        node.in(i).element != elementOf(*each))
      return node.fail("bias " + model::str(node.in(i).dims) + " is not of query, key and value");
    *each = emitElementwise(node, K::add, {*each, emitSlice(node, node.emit(i), 0, DimExpr(at), DimExpr(width))});
    at += width;
  }
  return success();
}

Value tamis::partOfHeads(OnnxNode &node, Value value, int64_t part) {
  int64_t axis = int64_t(dimsOf(value).size()) - 2;
  value = emitSqueeze(node, emitSlice(node, value, axis, DimExpr(part), DimExpr(1)), axis);
  model::Dims dims = dimsOf(value);
  DimExpr width = dims.pop_back_val();
  dims.back() = dims.back() * width;
  return node.reshape(value, dims);
}

void tamis::addOnnxContribAttentionOps(OnnxOpTable &table) {
  table["com.microsoft.Attention"] = importAttention;
  table["com.microsoft.QAttention"] = importQuantizedAttention;
  table["com.microsoft.MultiHeadAttention"] = importMultiHead;
}
