// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// GroupQueryAttention of com.microsoft: causal attention of decoders with a cache that the node updates. Source:
// docs/ContribOperators.md of the onnxruntime project.
#include "lib/import/OnnxEmit.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// One node. Where total_sequence_length is the count of queries, it reads a prompt: the cache counts for nothing and
/// tokens stand from 0 on. Otherwise tokens follow what the cache holds, in each batch item from another place on,
/// which is known at run time. The cache grows to total_sequence_length, or is larger and updated in its place.
class GroupQuery {
public:
  explicit GroupQuery(OnnxNode &node) : node(node) {}
  LogicalResult import();

private:
  enum Operand {
    kQuery,
    kKey,
    kValue,
    kPastKey,
    kPastValue,
    kLengths,
    kTotal,
    kCosine,
    kSine,
    kPositions,
    kBias,
    kSink,
    kKeyScale,
    kValueScale
  };

  LogicalResult readAttributes();
  LogicalResult readSizes();
  LogicalResult expect(Operand i, StringRef what, ArrayRef<DimExpr> wanted, Type type);
  void takeTokens();
  void findPositions();
  LogicalResult rotate();
  Value size(const DimExpr &number) { return emitNumber(node, node.i64(), number); }
  /// Tokens of the cache with the new ones in their places, `B x M x (kv_heads D)`.
  Value updated(Operand past, Value fresh);
  /// As tokens lie in a cache, `B x kv_heads x M x D`.
  Value cached(Value tokens);
  FailureOr<Value> maskOf(const DimExpr &keys);
  FailureOr<Value> attend(Value keys, Value values);
  Value attendInSteps(Value keys, Value values, Value mask);

  OnnxNode &node;
  Type element;
  int64_t heads = 0, kvHeads = 0, width = 0, window = -1;
  double scale = 0, softcap = 0;
  bool isPrompt = false, smooth = false;
  DimExpr batch, tokens, past, total;
  DimExpr present; ///< tokens of the new cache
  Value query, key, value;
  Value begins;    ///< i64 `B x 1`, where the first query of each batch item stands; null for a prompt
  Value positions; ///< i64 `B x S`, or `1 x S` for a prompt
};
} // namespace

LogicalResult GroupQuery::readAttributes() {
  heads = node.integer("num_heads", 0);
  kvHeads = node.integer("kv_num_heads", 0);
  if (heads < 1 || kvHeads < 1 || heads % kvHeads)
    return node.fail("has " + Twine(heads) + " heads and " + Twine(kvHeads) +
                     " key heads; wanted are positive numbers, the first a multiple of the second");
  scale = node.real("scale", 0);
  softcap = node.real("softcap", 0);
  window = node.integer("local_window_size", -1);
  smooth = node.integer("smooth_softmax", 0) == 1;
  if (!std::isfinite(scale) || !std::isfinite(softcap) || softcap < 0)
    return node.fail("scale or softcap is no finite number");
  if (node.has(kKeyScale) || node.has(kValueScale) ||
      llvm::any_of(std::array{"k_quant_type", "v_quant_type"},
                   [&](StringRef name) { return node.text(name, "NONE") != "NONE"; }))
    return node.fail("its cache is quantized; supported is a cache of the queries' type");
  if (node.wants(3))
    return node.fail("its scores are used; supported are the result and the cache");
  return success();
}

LogicalResult GroupQuery::expect(Operand i, StringRef what, ArrayRef<DimExpr> wanted, Type type) {
  const OnnxValue &operand = node.in(i);
  if (operand.rank() != int64_t(wanted.size()) || operand.element != type)
    return node.fail("operand '" + what + "' of " + model::str(operand.dims) +
                     " has another rank or element type than " + model::str(wanted) + ", which is wanted");
  for (auto [dim, other] : llvm::zip(operand.dims, wanted))
    if (failed(node.meet(dim, other)))
      return failure();
  return success();
}

LogicalResult GroupQuery::readSizes() {
  for (auto [i, what] :
       {std::pair(kQuery, "query"), std::pair(kLengths, "seqlens_k"), std::pair(kTotal, "total_sequence_length")})
    if (!node.has(i))
      return node.fail(Twine("operand '") + what + "' is missing");
  const OnnxValue &given = node.in(kQuery);
  bool isPacked = !node.has(kKey);
  if (isPacked != !node.has(kValue) || node.has(kPastKey) != node.has(kPastValue))
    return node.fail("has one of keys and values, or of past keys and past values; both are wanted, or neither");
  int64_t parts = isPacked ? heads + 2 * kvHeads : heads;
  auto columns = given.rank() == 3 ? given.dims[2].constant() : std::nullopt;
  if (!given.isFloat() || given.element.isF64() || !columns || *columns % parts || *columns == 0)
    return node.fail("query is no tensor [batch, tokens, a multiple of " + Twine(parts) +
                     "] of floats up to f32, which is wanted");
  element = given.element;
  width = *columns / parts;
  batch = given.dims[0];
  tokens = given.dims[1];
  if (scale == 0)
    scale = 1 / std::sqrt(double(width));
  for (auto [i, what] : {std::pair(kKey, "key"), std::pair(kValue, "value")})
    if (!isPacked && failed(expect(i, what, {batch, tokens, kvHeads * width}, element)))
      return failure();
  if (node.has(kPastKey)) {
    past = node.in(kPastKey).rank() == 4 ? node.in(kPastKey).dims[2] : DimExpr(0);
    for (auto [i, what] : {std::pair(kPastKey, "past_key"), std::pair(kPastValue, "past_value")})
      if (failed(expect(i, what, {batch, kvHeads, past, width}, element)))
        return failure();
  }
  Type i32 = node.builder().getI32Type();
  model::Dims lengths{batch};
  if (node.in(kLengths).rank() == 2)
    lengths.push_back(1);
  if (failed(expect(kLengths, "seqlens_k", lengths, i32)))
    return failure();
  const OnnxValue &count = node.in(kTotal);
  auto number = count.contents ? count.contents->splat() : std::nullopt;
  if (count.element != i32 || count.rank() > 1 || (count.rank() == 1 && !count.dims[0].isConstant(1)))
    return node.fail("operand 'total_sequence_length' is no single i32, which is wanted");
  if (!number)
    return node.fail("operand 'total_sequence_length' is computed at run time; supported where it follows from the "
                     "sizes of the inputs, as that of a mask of all tokens");
  total = *number;
  if (!node.has(kPastKey) && failed(node.meet(total, tokens)))
    return failure();
  isPrompt = total == tokens;
  present = node.rules().max(total, past);
  if (smooth && node.has(kSink))
    return node.fail("has both smooth_softmax and head_sink");
  return node.has(kSink) ? expect(kSink, "head_sink", {heads}, element) : success();
}

void GroupQuery::takeTokens() {
  query = node.emit(kQuery);
  if (node.has(kKey)) {
    key = node.emit(kKey);
    value = node.emit(kValue);
    return;
  }
  Value all = query;
  query = emitSlice(node, all, 2, 0, heads * width);
  key = emitSlice(node, all, 2, heads * width, kvHeads * width);
  value = emitSlice(node, all, 2, (heads + kvHeads) * width, kvHeads * width);
}

void GroupQuery::findPositions() {
  Value own = emitIota(node, node.i64(), tokens, 1, 2);
  if (isPrompt) {
    positions = own;
    return;
  }
  // seqlens_k is one less than the count of tokens.
  Value last = node.reshape(emitCast(node, node.emit(kLengths), node.i64()), {batch, 1});
  begins = emitElementwise(node, K::sub, {last, size(tokens - 1)});
  if (!tokens.isConstant(1) && !node.rules().atLeast(total - tokens, 1)) {
    Value reads = emitElementwise(node, K::equal, {size(total), size(tokens)});
    begins = emitElementwise(node, K::select, {reads, node.splat(node.i64(), 0), begins});
  }
  positions = emitElementwise(node, K::add, {begins, own});
}

LogicalResult GroupQuery::rotate() {
  if (!node.integer("do_rotary", 0))
    return success();
  Value ids = positions, tables[2];
  if (node.has(kPositions)) {
    if (!node.in(kPositions).element.isSignlessInteger(64) ||
        failed(expect(kPositions, "position_ids", {batch, tokens}, node.i64())))
      return failure();
    ids = node.emit(kPositions);
  }
  for (auto [i, what] : {std::pair(kCosine, "cos_cache"), std::pair(kSine, "sin_cache")}) {
    auto half = node.has(i) && node.in(i).rank() == 2 ? node.in(i).dims[1].constant() : std::nullopt;
    if (!half || *half < 1 || 2 * *half > width || node.in(i).element != element ||
        node.in(i).dims != node.in(kCosine).dims)
      return node.fail(Twine("operand '") + what + "' is no float matrix of at most half of a head's " + Twine(width) +
                       " columns, which do_rotary wants");
    model::Dims rows = dimsOf(ids);
    rows.push_back(DimExpr(*half));
    Value picked = node.create<model::GatherOp>(model::tensorType(element, rows), node.emit(i), ids, uint64_t(0));
    tables[i - kCosine] = emitUnsqueeze(node, picked, 2); // the same for all heads
  }
  bool interleaved = node.integer("rotary_interleaved", 0);
  for (auto [value, count] : {std::pair(&query, heads), std::pair(&key, kvHeads)}) {
    Value ofHeads = node.reshape(*value, {batch, tokens, count, width});
    *value = node.reshape(emitRotary(node, ofHeads, tables[0], tables[1], interleaved), {batch, tokens, count * width});
  }
  return success();
}

Value GroupQuery::cached(Value all) {
  return node.transpose(node.reshape(all, {batch, dimsOf(all)[1], kvHeads, width}), {0, 2, 1, 3});
}

Value GroupQuery::updated(Operand i, Value fresh) {
  int64_t channels = kvHeads * width;
  Value old;
  if (node.has(i))
    old = node.reshape(node.transpose(node.emit(i), {0, 2, 1, 3}), {batch, past, channels});
  if (isPrompt) { // behind the prompt a larger cache stays as it was
    if (present == tokens)
      return fresh;
    return emitConcat(node, {fresh, emitSlice(node, old, 1, tokens, present - tokens)}, 1);
  }
  old = emitPad(node, old, 1, 0, present - past, node.splat(element, 0));
  Value number = emitElementwise(node, K::sub, {emitIota(node, node.i64(), present, 1, 2), begins}); // of a new token
  Value isNew = emitElementwise(node, K::logical_and,
                                {emitElementwise(node, K::greater_equal, {number, node.splat(node.i64(), 0)}),
                                 emitElementwise(node, K::less, {number, size(tokens)})});
  if (!tokens.isConstant(1)) {
    Value least = emitElementwise(node, K::maximum, {number, node.splat(node.i64(), 0)});
    Value at = emitElementwise(node, K::minimum, {least, size(tokens - 1)});
    fresh = node.create<model::GatherNdOp>(model::tensorType(element, {batch, present, channels}), fresh,
                                           emitUnsqueeze(node, at, 2), uint64_t(1));
  }
  return emitElementwise(node, K::select, {emitUnsqueeze(node, isNew, 2), fresh, old});
}

/// Which of the keys each query reads, and what is added to its scores; null where causal order alone says it.
FailureOr<Value> GroupQuery::maskOf(const DimExpr &keys) {
  bool limits = window > 0 && !node.rules().atMost(keys, window);
  Value keeps;
  if (!isPrompt || limits) {
    Value own = emitUnsqueeze(node, emitUnsqueeze(node, positions, 2), 1); // B x 1 x S x 1
    Value others = emitIota(node, node.i64(), keys, 3, 4);
    keeps = emitElementwise(node, K::less_equal, {others, own});
    if (limits) {
      Value reach = emitElementwise(node, K::sub, {own, others});
      Value isNear = emitElementwise(node, K::less, {reach, node.splat(node.i64(), double(window))});
      keeps = emitElementwise(node, K::logical_and, {keeps, isNear});
    }
  }
  if (!node.has(kBias))
    return keeps;
  const OnnxValue &given = node.in(kBias);
  model::Dims scores{batch, DimExpr(heads), tokens, total};
  auto both = node.broadcastDims(scores, given.dims);
  if (failed(both))
    return failure();
  if (given.rank() != 4 || *both != scores || given.element != element || given.dims[3] != total)
    return node.fail("bias of " + model::str(given.dims) + " does not fit scores of " + model::str(scores));
  Value bias = node.emit(kBias);
  if (keys != total) // of a prompt they are as many
    bias = emitPad(node, bias, 3, 0, keys - total, node.splat(element, 0));
  if (!keeps)
    return bias;
  return emitElementwise(node, K::select, {keeps, bias, node.splat(element, -std::numeric_limits<double>::infinity())});
}

/// With scores that are capped, or one more weight in each row's sum: key head by key head, its query heads together.
Value GroupQuery::attendInSteps(Value keys, Value values, Value mask) {
  int64_t group = heads / kvHeads;
  DimExpr count = dimsOf(keys)[1];
  auto apart = [&](Value of, ArrayRef<int64_t> order) {
    Value split = node.reshape(of, {batch, count, kvHeads, DimExpr(1), width});
    return node.transpose(split, order);
  };
  Value own = node.transpose(node.reshape(query, {batch, tokens, kvHeads, group, width}), {0, 2, 3, 1, 4});
  model::Dims dims{batch, kvHeads, group, tokens, count};
  Value scores = node.create<model::MatmulOp>(model::tensorType(element, dims), own, apart(keys, {0, 2, 3, 4, 1}));
  scores = emitElementwise(node, K::mul, {scores, node.splat(element, scale)});
  if (softcap > 0) {
    Value part = emitElementwise(node, K::div, {scores, node.splat(element, softcap)});
    scores = emitElementwise(node, K::mul, {emitElementwise(node, K::tanh, {part}), node.splat(element, softcap)});
  }
  if (isPrompt) {
    Value own = emitIota(node, node.i64(), tokens, 0, 2), others = emitIota(node, node.i64(), count, 1, 2);
    Value keeps = emitElementwise(node, K::less_equal, {others, own});
    scores = emitElementwise(node, K::select,
                             {keeps, scores, node.splat(element, -std::numeric_limits<double>::infinity())});
  }
  if (mask) {
    model::Dims own = dimsOf(mask);
    bool ofHeads = own[1].isConstant(heads) && heads > 1;
    mask = node.reshape(
        mask, {own[0], ofHeads ? DimExpr(kvHeads) : DimExpr(1), ofHeads ? DimExpr(group) : DimExpr(1), own[2], own[3]});
    if (elementOf(mask).isInteger(1))
      scores = emitElementwise(node, K::select,
                               {mask, scores, node.splat(element, -std::numeric_limits<double>::infinity())});
    else
      scores = emitElementwise(node, K::add, {scores, mask});
  }
  bool sinks = smooth || node.has(kSink);
  if (sinks) {
    Value sink = smooth ? node.splat(element, 0) : node.reshape(node.emit(kSink), {1, kvHeads, group, 1, 1});
    scores = emitConcat(node, {scores, node.broadcast(sink, {batch, kvHeads, group, tokens, 1})}, 4);
  }
  Value weights = node.create<model::SoftmaxOp>(scores.getType(), scores, uint64_t(4));
  if (sinks)
    weights = emitSlice(node, weights, 4, 0, count);
  dims.back() = DimExpr(width);
  Value result =
      node.create<model::MatmulOp>(model::tensorType(element, dims), weights, apart(values, {0, 2, 3, 1, 4}));
  return node.reshape(node.transpose(result, {0, 3, 1, 2, 4}), {batch, tokens, heads * width});
}

FailureOr<Value> GroupQuery::attend(Value keys, Value values) {
  auto mask = maskOf(dimsOf(keys)[1]);
  if (failed(mask))
    return failure();
  if (softcap > 0 || smooth || node.has(kSink))
    return attendInSteps(keys, values, *mask);
  return node.create<model::AttentionOp>(query.getType(), query, keys, values, *mask, uint64_t(heads),
                                         uint64_t(kvHeads), llvm::APFloat(scale), isPrompt);
}

LogicalResult GroupQuery::import() {
  if (failed(readAttributes()) || failed(readSizes()))
    return failure();
  takeTokens();
  findPositions();
  if (failed(rotate()))
    return failure();
  Value keys = updated(kPastKey, key), values = updated(kPastValue, value);
  auto result = isPrompt ? attend(key, value) : attend(keys, values);
  if (failed(result) || failed(node.give(*result)))
    return failure();
  for (auto [i, all] : {std::pair(1, keys), std::pair(2, values)})
    if (node.wants(i) && failed(node.give(cached(all), i)))
      return failure();
  return success();
}

void tamis::addOnnxGroupQueryOps(OnnxOpTable &table) {
  table["com.microsoft.GroupQueryAttention"] = [](OnnxNode &node) { return GroupQuery(node).import(); };
}
