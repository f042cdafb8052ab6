// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PackedAttention and PackedMultiHeadAttention of com.microsoft: tokens of all batch items behind one another, without
// padding. Source: docs/ContribOperators.md of the onnxruntime project.
#include "lib/import/OnnxAttention.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// Attention of queries, keys and values of [tokens, heads * width]: unpacked to rows of equal length, attended with a
/// mask of padding, packed again. Operand `offsets` tells where tokens stand in the unpacked rows, `offsets + 1` where
/// the rows begin in the packed tokens, and `offsets + 2` is added to the scores.
LogicalResult giveUnpacked(OnnxNode &node, const AttentionHeads &heads, size_t offsets) {
  const OnnxValue &places = node.in(offsets), &begins = node.in(offsets + 1);
  Type element = elementOf(heads.query), i32 = node.builder().getI32Type();
  if (element.isF64())
    return node.fail("operands are of f64; supported up to f32");
  if (places.rank() != 2 || places.element != i32 || begins.rank() != 1 || begins.element != i32)
    return node.fail("token_offset " + model::str(places.dims) + " and cumulative_sequence_length " +
                     model::str(begins.dims) + " are not [batch, sequence] and [batch + 1] of i32, which is wanted");
  DimExpr batch = places.dims[0], length = places.dims[1], tokens = dimsOf(heads.query)[0];
  if (failed(node.meet(begins.dims[0], batch + 1)))
    return failure();
  Value bounds = emitCast(node, node.emit(offsets + 1), node.i64());
  Value first = node.reshape(emitSlice(node, bounds, 0, 0, batch), {batch, 1});
  Value end = node.reshape(emitSlice(node, bounds, 0, 1, batch), {batch, 1});
  Value at = emitElementwise(node, K::add, {first, emitIota(node, node.i64(), length, 1, 2)}); // B x S
  Value keeps = node.reshape(emitElementwise(node, K::less, {at, end}), {batch, 1, 1, length});
  Value last = emitNumber(node, node.i64(), tokens - 1); // padding reads some token, which the mask leaves out
  at = emitElementwise(node, K::minimum, {at, last});
  auto unpacked = [&](Value packed) {
    model::Dims dims{batch, length, dimsOf(packed)[1]};
    return node.create<model::GatherOp>(model::tensorType(element, dims), packed, at, uint64_t(0));
  };
  Value query = unpacked(heads.query), key = unpacked(heads.key), value = unpacked(heads.value), mask = keeps;
  if (node.has(offsets + 2)) {
    const OnnxValue &given = node.in(offsets + 2);
    model::Dims scores{batch, DimExpr(heads.heads), length, length};
    auto both = node.broadcastDims(scores, given.dims);
    if (failed(both))
      return failure();
    if (given.rank() != 4 || *both != scores || given.element != element)
      return node.fail("bias of " + model::str(given.dims) + " does not fit scores of " + model::str(scores));
    Value none = node.splat(element, -std::numeric_limits<double>::infinity());
    mask = emitElementwise(node, K::select, {keeps, node.emit(offsets + 2), none});
  }
  double scale = node.real("scale", 0);
  if (scale == 0)
    scale = 1 / std::sqrt(double(*dimsOf(heads.query)[1].constant() / heads.heads));
  DimExpr channels = dimsOf(heads.value)[1];
  Value result = node.create<model::AttentionOp>(model::tensorType(element, {batch, length, channels}), query, key,
                                                 value, mask, uint64_t(heads.heads), uint64_t(heads.heads),
                                                 llvm::APFloat(scale), /*causal=*/false);
  // The first offsets are those of tokens, the others of padding.
  Value order = node.reshape(node.emit(offsets), {batch * length});
  Value own = node.create<model::GatherOp>(model::tensorType(i32, {tokens}), order,
                                           emitIota(node, node.i64(), tokens, 0, 1), uint64_t(0));
  return node.give(node.create<model::GatherOp>(model::tensorType(element, {tokens, channels}),
                                                node.reshape(result, {batch * length, channels}), own, uint64_t(0)));
}

/// PackedAttention: the projections of query, key and value are its own.
LogicalResult importPackedAttention(OnnxNode &node) {
  if (node.in(0).rank() != 2 || !node.has(3) || !node.has(4))
    return node.fail("operand " + model::str(node.in(0).dims) +
                     " is not [tokens, channels], or token_offset or cumulative_sequence_length is missing");
  auto heads = projectedHeads(node);
  if (failed(heads))
    return failure();
  if (dimsOf(heads->query) != dimsOf(heads->key))
    return node.fail("queries and keys are of different widths");
  return giveUnpacked(node, *heads, 3);
}

/// PackedMultiHeadAttention: query, key and value apart, or side by side for each head.
LogicalResult importPackedMultiHead(OnnxNode &node) {
  const OnnxValue &query = node.in(0);
  int64_t count = node.integer("num_heads", 0);
  AttentionHeads heads{{}, {}, {}, count};
  if (!query.isFloat() || count < 1 || !node.has(4) || !node.has(5))
    return node.fail("operands are no floats, num_heads is " + Twine(count) +
                     ", or token_offset or cumulative_sequence_length is missing");
  if (query.rank() == 4 && query.dims[2].isConstant(3)) {
    heads.query = partOfHeads(node, node.emit(0), 0);
    heads.key = partOfHeads(node, node.emit(0), 1);
    heads.value = partOfHeads(node, node.emit(0), 2);
  } else if (node.has(1) && node.has(2)) {
    heads.query = node.emit(0), heads.key = node.emit(1), heads.value = node.emit(2);
  } else {
    return node.fail("query " + model::str(query.dims) + " comes without key and value, and is not all three");
  }
  for (Value each : {heads.query, heads.key, heads.value}) {
    model::Dims dims = dimsOf(each);
    auto width = dims.size() == 2 ? dims[1].constant() : std::nullopt;
    if (elementOf(each) != query.element || !width || *width < count || *width % count)
      return node.fail("operand " + model::str(dims) + " is not of " + Twine(count) + " heads");
    if (failed(node.meet(dims[0], query.dims[0])))
      return failure();
  }
  if (dimsOf(heads.query)[1] != dimsOf(heads.key)[1])
    return node.fail("queries and keys are of different widths");
  return failure(failed(addSharedBias(node, 3, heads)) || failed(giveUnpacked(node, heads, 4)));
}
} // namespace

void tamis::addOnnxPackedAttentionOps(OnnxOpTable &table) {
  table["com.microsoft.PackedAttention"] = importPackedAttention;
  table["com.microsoft.PackedMultiHeadAttention"] = importPackedMultiHead;
}
