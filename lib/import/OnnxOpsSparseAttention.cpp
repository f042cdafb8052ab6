// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// SparseAttention of com.microsoft: causal attention over the blocks of keys that a constant layout names.
#include "dialects/sattn/SattnDialect.h"
#include "lib/import/OnnxEmit.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
/// Blocks that each block of queries reads: by layout, by row, ascending, none behind the row's own.
using Layouts = std::vector<std::vector<std::vector<int32_t>>>;

/// One node. What it means differs by phase. In the prompt's, queries and keys are the same tokens. Otherwise queries
/// follow what is in the cache, at each batch item from another place on: positions are numbers that are known at run
/// time, and rows of the layout are picked by them.
class SparseAttention {
public:
  explicit SparseAttention(OnnxNode &node) : node(node) {}
  LogicalResult import();

private:
  enum Operand { kQuery, kKey, kValue, kPastKey, kPastValue, kRows, kColumns, kTotal, kLengths, kCosine, kSine };

  LogicalResult readAttributes();
  LogicalResult readSizes();
  LogicalResult readLayouts();
  LogicalResult limitTokens(const DimExpr &most);
  FailureOr<std::vector<int64_t>> layoutNumbers(Operand operand, StringRef what, size_t &columns);
  void findPositions();
  LogicalResult takeTokens();
  LogicalResult rotate();
  Value slice(Value value, ArrayRef<DimExpr> starts, ArrayRef<DimExpr> dims);
  Value integer(int64_t number) { return node.splat(i64, double(number)); }
  Value iota(const DimExpr &count, ArrayRef<DimExpr> dims);

  LogicalResult attendPrompt();
  LogicalResult attendCache();
  Value storedLayouts(model::Dims &dims);
  Value attend(Value key, Value value, Value index, Value mask, bool causal);
  /// Tokens of the cache with the new ones in their places, `B x M x (kv_heads D)`.
  Value updated(Operand past, Value tokens);
  /// As tokens lie in a cache, `B x kv_heads x M x D`.
  Value cached(Value tokens);

  OnnxNode &node;
  Type i64;
  int64_t heads = 0, kvHeads = 0, block = 0, width = 0;
  double scale = 0;
  bool rotary = false, interleaved = false, prompt = false;
  DimExpr batch, tokens, cache;
  Layouts layouts;
  size_t capacity = 1;
  Value query, key, value;
  Value begins;    ///< i64 `B x 1`, where the first query of each batch item stands; null in the prompt phase
  Value positions; ///< i64 `B x S`
};
} // namespace

LogicalResult SparseAttention::readAttributes() {
  // The onnx library does not know this op, and has not checked its attributes.
  auto integer = [&](StringRef name, int64_t least, std::optional<int64_t> missing, int64_t &value) -> LogicalResult {
    const onnx::AttributeProto *given = node.find(name);
    if (given ? given->type() != onnx::AttributeProto::INT || given->i() < least : !missing)
      return node.fail("attribute '" + name + "' is no integer from " + Twine(least) + ", which is wanted");
    value = given ? given->i() : *missing;
    return success();
  };
  int64_t doRotary, isInterleaved;
  if (failed(integer("num_heads", 1, {}, heads)) || failed(integer("kv_num_heads", 1, {}, kvHeads)) ||
      failed(integer("sparse_block_size", 1, {}, block)) || failed(integer("do_rotary", 0, 0, doRotary)) ||
      failed(integer("rotary_interleaved", 0, 0, isInterleaved)))
    return failure();
  if (!llvm::is_contained({16, 32, 64, 128}, block))
    return node.fail("sparse_block_size is " + Twine(block) + "; it may be 16, 32, 64 and 128");
  if (heads % kvHeads)
    return node.fail(Twine(heads) + " heads are no multiple of " + Twine(kvHeads) + " key heads");
  const onnx::AttributeProto *given = node.find("scale");
  if (given && given->type() != onnx::AttributeProto::FLOAT)
    return node.fail("attribute 'scale' is no float, which is wanted");
  scale = given ? given->f() : 0;
  rotary = doRotary == 1;
  interleaved = isInterleaved == 1;
  return success();
}

LogicalResult SparseAttention::readSizes() {
  for (auto [i, what] :
       {std::pair(kQuery, "query"), std::pair(kPastKey, "past_key"), std::pair(kPastValue, "past_value"),
        std::pair(kRows, "block_row_indices"), std::pair(kColumns, "block_col_indices"),
        std::pair(kTotal, "total_sequence_length"), std::pair(kLengths, "key_total_sequence_lengths")})
    if (!node.has(i))
      return node.fail(Twine("operand '") + what + "' is missing");
  const OnnxValue &given = node.in(kQuery);
  bool isPacked = !node.has(kKey);
  if (isPacked != !node.has(kValue))
    return node.fail(
        "one of 'key' and 'value' is missing; both are wanted, or neither with a query that holds all three");
  int64_t parts = isPacked ? heads + 2 * kvHeads : heads;
  auto columns = given.rank() == 3 ? given.dims[2].constant() : std::nullopt;
  if (!given.isFloat() || !columns || *columns % parts || *columns == 0)
    return node.fail("query is no float tensor [batch, tokens, a multiple of " + Twine(parts) + "], which is wanted");
  width = *columns / parts;
  batch = given.dims[0];
  tokens = given.dims[1];
  if (scale == 0)
    scale = 1 / std::sqrt(double(width));
  auto expect = [&](Operand i, StringRef what, ArrayRef<DimExpr> wanted, Type element) -> LogicalResult {
    const OnnxValue &operand = node.in(i);
    if (operand.rank() != int64_t(wanted.size()) || operand.element != element)
      return node.fail("operand '" + what + "' of " + model::str(operand.dims) +
                       " has another rank or element type than " + model::str(wanted) + ", which is wanted");
    for (auto [dim, other] : llvm::zip(operand.dims, wanted))
      if (failed(node.meet(dim, other)))
        return failure();
    return success();
  };
  Type i32 = node.builder().getI32Type();
  for (auto [i, what] : {std::pair(kKey, "key"), std::pair(kValue, "value")})
    if (!isPacked && failed(expect(i, what, {batch, tokens, kvHeads * width}, given.element)))
      return failure();
  const OnnxValue &past = node.in(kPastKey);
  cache = past.rank() == 4 ? past.dims[2] : DimExpr(0);
  for (auto [i, what] : {std::pair(kPastKey, "past_key"), std::pair(kPastValue, "past_value")})
    if (failed(expect(i, what, {batch, kvHeads, cache, width}, given.element)))
      return failure();
  if (failed(expect(kLengths, "key_total_sequence_lengths", {batch}, i32)))
    return failure();
  const OnnxValue &total = node.in(kTotal);
  if (total.element != i32 || (total.rank() != 0 && !(total.rank() == 1 && total.dims[0].isConstant(1))))
    return node.fail("operand 'total_sequence_length' is no single i32, which is wanted");
  prompt = total.contents && total.contents->splat() == tokens;
  return success();
}

/// There are no more tokens than that: holds already, or is learnt.
LogicalResult SparseAttention::limitTokens(const DimExpr &most) {
  return node.meet(tokens, node.rules().min(tokens, most));
}

FailureOr<std::vector<int64_t>> SparseAttention::layoutNumbers(Operand operand, StringRef what, size_t &columns) {
  const OnnxValue &given = node.in(operand);
  auto numbers = constantIntegers(given);
  if (!numbers || given.rank() != 2 || !given.element.isSignlessInteger(32))
    return node.fail("operand '" + what +
                     "' is computed at run time or no matrix of i32; supported where it is a constant");
  columns = *given.dims[1].constant();
  return *numbers;
}

LogicalResult SparseAttention::readLayouts() {
  size_t rowColumns, columnColumns;
  auto rows = layoutNumbers(kRows, "block_row_indices", rowColumns);
  auto columns = layoutNumbers(kColumns, "block_col_indices", columnColumns);
  if (failed(rows) || failed(columns))
    return failure();
  int64_t count = *node.in(kRows).dims[0].constant(), blocks = int64_t(rowColumns) - 1;
  if (count < 1 || heads % count || blocks < 1 || !node.in(kColumns).dims[0].isConstant(count))
    return node.fail("layouts of " + model::str(node.in(kRows).dims) + " rows and " +
                     model::str(node.in(kColumns).dims) + " columns do not fit " + Twine(heads) +
                     " heads; wanted are as many of both, a divisor of the heads");
  for (int64_t layout = 0; layout < count; ++layout) {
    ArrayRef<int64_t> begin = ArrayRef(*rows).slice(layout * rowColumns, rowColumns);
    ArrayRef<int64_t> items = ArrayRef(*columns).slice(layout * columnColumns, columnColumns);
    auto &listed = layouts.emplace_back();
    for (int64_t row = 0; row < blocks; ++row) {
      if (begin[row] < 0 || begin[row] > begin[row + 1] || begin[row + 1] > int64_t(items.size()))
        return node.fail("row " + Twine(row) + " of layout " + Twine(layout) + " is [" + Twine(begin[row]) + ", " +
                         Twine(begin[row + 1]) + ") of " + Twine(items.size()) + " columns; ascending rows are wanted");
      std::vector<int32_t> kept;
      for (int64_t item : items.slice(begin[row], begin[row + 1] - begin[row])) {
        if (item < 0 || item >= blocks)
          return node.fail("row " + Twine(row) + " of layout " + Twine(layout) + " reads block " + Twine(item) +
                           " but there are " + Twine(blocks));
        if (item <= row) // causal order leaves later ones out
          kept.push_back(int32_t(item));
      }
      llvm::sort(kept);
      kept.erase(llvm::unique(kept), kept.end());
      capacity = std::max(capacity, kept.size());
      listed.push_back(std::move(kept));
    }
  }
  // Head h has layout h % count; heads of an index have neighbours in common.
  if (llvm::all_of(layouts, [&](const auto &layout) { return layout == layouts.front(); }))
    layouts.resize(1);
  else
    for (int64_t head = count; head < heads; ++head)
      layouts.push_back(layouts[head % count]);
  return limitTokens(DimExpr(blocks * block));
}

Value SparseAttention::slice(Value value, ArrayRef<DimExpr> starts, ArrayRef<DimExpr> dims) {
  SmallVector<Attribute> texts;
  for (const DimExpr &start : starts)
    texts.push_back(node.builder().getStringAttr(start.str()));
  auto type = model::tensorType(cast<RankedTensorType>(value.getType()).getElementType(), dims);
  if (type == value.getType())
    return value;
  return node.create<model::SliceOp>(type, value, node.builder().getArrayAttr(texts),
                                     SmallVector<int64_t>(dims.size(), 1));
}

/// 0, 1, ... as a tensor of `dims`, all but one of which are one.
Value SparseAttention::iota(const DimExpr &count, ArrayRef<DimExpr> dims) {
  return node.reshape(node.create<model::IotaOp>(model::tensorType(i64, {count}), "0", "1"), dims);
}

void SparseAttention::findPositions() {
  if (prompt)
    return;
  auto wide = [&](Operand i) {
    return node.create<model::CastOp>(model::tensorType(i64, node.in(i).dims), node.emit(i));
  };
  Value size =
      node.create<model::SizesOp>(RankedTensorType::get({}, i64), node.builder().getStrArrayAttr({tokens.str()}));
  begins = node.elementwise(K::sub, {node.reshape(wide(kLengths), {batch, 1}), size}, {batch, 1});
  if (!tokens.isConstant(1)) { // with one token it is the same in both phases
    Value isPrompt = node.elementwise(K::equal, {node.reshape(wide(kTotal), {1, 1}), size}, {1, 1});
    begins = node.elementwise(K::select, {isPrompt, integer(0), begins}, {batch, 1});
  }
  positions = node.elementwise(K::add, {begins, iota(tokens, {1, tokens})}, {batch, tokens});
}

LogicalResult SparseAttention::takeTokens() {
  query = node.emit(kQuery);
  if (node.has(kKey)) {
    key = node.emit(kKey);
    value = node.emit(kValue);
  } else {
    Value all = query;
    query = slice(all, {0, 0, 0}, {batch, tokens, heads * width});
    key = slice(all, {0, 0, heads * width}, {batch, tokens, kvHeads * width});
    value = slice(all, {0, 0, (heads + kvHeads) * width}, {batch, tokens, kvHeads * width});
  }
  return rotary ? rotate() : success();
}

LogicalResult SparseAttention::rotate() {
  Value parts[2];
  for (auto [i, what] : {std::pair(kCosine, "cos_cache"), std::pair(kSine, "sin_cache")}) {
    auto half = node.has(i) && node.in(i).rank() == 2 ? node.in(i).dims[1].constant() : std::nullopt;
    if (!half || *half < 1 || 2 * *half > width || node.in(i).element != node.in(kQuery).element ||
        node.in(i).dims != node.in(kCosine).dims)
      return node.fail(Twine("operand '") + what + "' is no float matrix of at most half of a head's " + Twine(width) +
                       " columns, which do_rotary wants");
    if (failed(limitTokens(node.in(i).dims[0])))
      return failure();
    Value table = node.emit(i);
    model::Dims dims{prompt ? DimExpr(1) : batch, tokens, DimExpr(*half)};
    Value rows = prompt
                     ? slice(table, {0, 0}, {tokens, *half})
                     : node.create<model::GatherOp>(model::tensorType(node.in(i).element, dims), table, positions, 0);
    parts[i - kCosine] = node.reshape(rows, {dims[0], tokens, 1, *half});
  }
  for (auto [value, count] : {std::pair(&query, heads), std::pair(&key, kvHeads)}) {
    Value ofHeads = node.reshape(*value, {batch, tokens, count, width});
    *value = node.reshape(emitRotary(node, ofHeads, parts[0], parts[1], interleaved), {batch, tokens, count * width});
  }
  return success();
}

/// Storage of an index over the layouts, `1 x layouts x rows x (capacity + 1)`.
Value SparseAttention::storedLayouts(model::Dims &dims) {
  std::vector<int32_t> numbers;
  for (const auto &layout : layouts)
    for (const std::vector<int32_t> &row : layout) {
      numbers.push_back(int32_t(row.size()));
      numbers.insert(numbers.end(), row.begin(), row.end());
      numbers.resize(numbers.size() + capacity - row.size());
    }
  dims = {1, int64_t(layouts.size()), int64_t(layouts.front().size()), int64_t(capacity) + 1};
  auto type = model::tensorType(node.builder().getI32Type(), dims);
  return node.create<model::ConstantOp>(type, DenseElementsAttr::get(type, ArrayRef(numbers)));
}

Value SparseAttention::attend(Value keys, Value values, Value index, Value mask, bool causal) {
  OpBuilder &b = node.builder();
  return node.create<sattn::AttendOp>(query.getType(), query, keys, values, ValueRange{index}, mask,
                                      b.getI64IntegerAttr(heads), b.getI64IntegerAttr(kvHeads),
                                      b.getF64FloatAttr(scale), causal ? b.getUnitAttr() : UnitAttr());
}

Value SparseAttention::cached(Value keys) {
  DimExpr count = model::dimsOf(keys.getType())[1];
  return node.transpose(node.reshape(keys, {batch, count, kvHeads, width}), {0, 2, 1, 3});
}

LogicalResult SparseAttention::attendPrompt() {
  if (failed(limitTokens(cache)))
    return failure();
  // Keys beyond the length of a batch item are behind all of its queries, and causal order leaves them out. What
  // queries beyond it give is nowhere defined.
  model::Dims dims;
  Value stored = storedLayouts(dims);
  DimExpr blocks = sattn::ceilDiv(tokens, block);
  dims[2] = blocks;
  stored = slice(stored, {0, 0, 0, 0}, dims);
  auto type = sattn::KeyIndexType::get(node.context(), block, block, sattn::Unit::block, {dims[0], dims[1], blocks},
                                       blocks, int64_t(capacity));
  Value index = node.create<sattn::LoadIndexOp>(type, stored);
  if (failed(node.give(attend(key, value, index, {}, true))))
    return failure();
  for (auto [result, past, fresh] : {std::tuple(1, kPastKey, key), std::tuple(2, kPastValue, value)}) {
    if (!node.wants(result))
      continue;
    Value all = cached(fresh);
    if (cache != tokens) {
      model::Dims rest{batch, kvHeads, cache - tokens, width};
      Value tail = slice(node.emit(past), {0, 0, tokens, 0}, rest);
      rest[2] = cache;
      all = node.create<model::ConcatOp>(model::tensorType(node.in(past).element, rest), ValueRange{all, tail}, 2);
    }
    if (failed(node.give(all, result)))
      return failure();
  }
  return success();
}

Value SparseAttention::updated(Operand past, Value fresh) {
  model::Dims dims{batch, cache, kvHeads * width};
  Value old = node.reshape(node.transpose(node.emit(past), {0, 2, 1, 3}), dims);
  Value number = node.elementwise(K::sub, {iota(cache, {1, cache}), begins}, {batch, cache}); // of the new token there
  Value size =
      node.create<model::SizesOp>(RankedTensorType::get({}, i64), node.builder().getStrArrayAttr({tokens.str()}));
  Value isNew = node.elementwise(K::logical_and,
                                 {node.elementwise(K::greater_equal, {number, integer(0)}, {batch, cache}),
                                  node.elementwise(K::less, {number, size}, {batch, cache})},
                                 {batch, cache});
  if (!tokens.isConstant(1)) {
    Value last = node.elementwise(K::sub, {size, integer(1)}, {});
    Value at = node.elementwise(K::minimum, {node.elementwise(K::maximum, {number, integer(0)}, {batch, cache}), last},
                                {batch, cache});
    fresh = node.create<model::GatherNdOp>(model::tensorType(node.in(past).element, dims), fresh,
                                           node.reshape(at, {batch, cache, 1}), 1);
  }
  return node.elementwise(K::select, {node.reshape(isNew, {batch, cache, 1}), fresh, old}, dims);
}

LogicalResult SparseAttention::attendCache() {
  Value keys = updated(kPastKey, key), values = updated(kPastValue, value);
  model::Dims dims;
  Value stored = storedLayouts(dims);
  int64_t count = layouts.size(), rowWidth = count * int64_t(capacity + 1);
  Type i32 = node.builder().getI32Type();
  // Row by row, since a query's row holds those of all layouts.
  Value byRow = node.reshape(node.transpose(stored, {0, 2, 1, 3}), {dims[2], rowWidth});
  Value row = node.elementwise(K::div, {positions, integer(block)}, {batch, tokens});
  Value picked = node.create<model::GatherOp>(model::tensorType(i32, {batch, tokens, rowWidth}), byRow, row, 0);
  picked = node.transpose(node.reshape(picked, {batch, tokens, count, dims[3]}), {0, 2, 1, 3});
  auto type = sattn::KeyIndexType::get(node.context(), tokens.isConstant(1) ? 0 : 1, block, sattn::Unit::block,
                                       {batch, count, tokens}, sattn::ceilDiv(cache, block), int64_t(capacity));
  Value index = node.create<sattn::LoadIndexOp>(type, picked);
  // Queries of two batch items with one number stand at different keys, which the flag cannot say.
  Value mask =
      node.elementwise(K::less_equal, {iota(cache, {1, 1, 1, cache}), node.reshape(positions, {batch, 1, tokens, 1})},
                       {batch, 1, tokens, cache});
  if (failed(node.give(attend(keys, values, index, mask, false))))
    return failure();
  for (auto [result, all] : {std::pair(1, keys), std::pair(2, values)})
    if (node.wants(result) && failed(node.give(cached(all), result)))
      return failure();
  return success();
}

LogicalResult SparseAttention::import() {
  i64 = node.builder().getI64Type();
  if (failed(readAttributes()) || failed(readSizes()) || failed(readLayouts()))
    return failure();
  findPositions();
  if (failed(takeTokens()))
    return failure();
  return prompt ? attendPrompt() : attendCache();
}

void tamis::addOnnxSparseOps(OnnxOpTable &table) {
  table["com.microsoft.SparseAttention"] = [](OnnxNode &node) { return SparseAttention(node).import(); };
}
