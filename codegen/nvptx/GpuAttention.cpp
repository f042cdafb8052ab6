// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention on GPUs: a block of queries stays in registers, blocks of keys and values pass by in shared memory, and the
// softmax is kept up to date (Dao et al., FlashAttention, 2022).
#include "codegen/nvptx/GpuAttention.h"

#include "codegen/nvptx/GpuKernels.h"
#include "codegen/nvptx/GpuSparseAttention.h"
#include "codegen/nvptx/LargestSize.h"
#include "codegen/tile/VectorMath.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Finite masks are taken as no smaller, so that log2(e) times them, plus a score, is finite.
constexpr double kLeastMask = -1e38;
} // namespace

GpuAttentionForm::GpuAttentionForm(func::FuncOp function, const AttentionKernel &kernel, const GpuTarget &target) {
  isHalf = !cast<RankedTensorType>(kernel.query.source.getType()).getElementType().isF32();
  isSplit = !isHalf && function->hasAttr(kGpuSplit);
  hasWarpGroups = target.hasWarpGroups() && !isSplit; // wgmma reads shared memory: there is no form of it that splits
}

GpuAttentionTiler::GpuAttentionTiler(KernelBuilder &builder, const AttentionKernel &kernel, GpuAttentionForm form,
                                     const StoredIndex *index, GpuAttentionSchedule schedule)
    : b(builder), gpu(builder), wgmma(gpu), kernel(kernel), isHalf(form.isHalf), hasWarpGroups(form.hasWarpGroups),
      isSplit(form.isSplit), index(index), shape(shapeOf(kernel, form)), cut(schedule),
      keyTile(kernel.D, hasWarpGroups), valueTile(kernel.E, hasWarpGroups), thread(gpu.thread()), lane(thread % kWarp),
      warp(thread / kWarp), queries(gpu.size(kernel.queries)), keys(gpu.size(kernel.keys)), batch(queries),
      head(queries), keyHead(queries), firstQuery(queries), indexRow(queries), base(gpu.sharedBase()) {}

/// Work groups of one head follow each other, so that they share its keys.
void GpuAttentionTiler::decodeGroup() {
  Number chunks = (queries + (cut.queries - 1)) / cut.queries, row = gpu.group() / chunks;
  firstQuery = gpu.group() % chunks * cut.queries;
  head = row % kernel.heads;
  batch = row / kernel.heads;
  keyHead = head / kernel.groupSize;
}

void GpuAttentionTiler::openPositions() {
  Value buffer = b.bufferOf(kernel.positions);
  Number start = batch * gpu.size(model::dimsOf(kernel.positions.getType()).back());
  auto numberAt = [&](Number at) { return Number(b, b.load(buffer, at)).as(b.getIndexType()); };
  Number count = numberAt(start), none = gpu.index(0);
  gpu.trapIf(arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, count, queries));
  for (int64_t r = 0; r < 2; ++r) {
    Number query = firstQuery + (warp * 16 + lane / 4 + 8 * r).as(b.getIndexType());
    Value end = gpu.ifElse(
        query < count,
        [&] {
          Number key = numberAt(start + query + 1);
          gpu.trapIf(arith::CmpIOp::create(b, arith::CmpIPredicate::uge, key, keys));
          return Values{kernel.causal ? key + 1 : keys};
        },
        [&] { return Values{none}; })[0];
    queryEnds.emplace_back(b, end);
  }
}

Number GpuAttentionTiler::openRow() {
  Number row = index->rows() ? firstQuery / index->rows() : gpu.index(0), own = head / (kernel.heads / index->heads());
  if (index->perBatch())
    own = batch * index->heads() + own;
  Number capacity = gpu.size(index->type.capacityExpr());
  Number start = (own * gpu.size(index->rowCount()) + row) * (capacity + 1);
  Number count = Number(b, b.load(b.bufferOf(index->source), start)).as(b.getIndexType());
  gpu.trapIf(arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, count, capacity));
  indexRow = start + 1;
  return count * (index->columns() / kKeys);
}

Number GpuAttentionTiler::firstKeyOf(Number number) {
  if (!index)
    return number * kKeys;
  int64_t width = index->columns() / kKeys;
  Number item = Number(b, b.load(b.bufferOf(index->source), indexRow + number / width)).as(b.getIndexType());
  gpu.trapIf(arith::CmpIOp::create(b, arith::CmpIPredicate::uge, item, gpu.size(index->type.itemCount())));
  return (item * width + number % width) * kKeys;
}

GpuAttentionTiler::Source GpuAttentionTiler::querySource() {
  return {b.bufferOf(kernel.query.source), kernel.query, kernel.D,
          (batch * queries + firstQuery) * kernel.query.rowStride + head * kernel.D, queries - firstQuery};
}
GpuAttentionTiler::Source GpuAttentionTiler::keySource() {
  return {b.bufferOf(kernel.key.source), kernel.key, kernel.D, batch * keys * kernel.key.rowStride + keyHead * kernel.D,
          keys};
}
GpuAttentionTiler::Source GpuAttentionTiler::valueSource() {
  return {b.bufferOf(kernel.value.source),
          kernel.value,
          kernel.E,
          batch * keys * kernel.value.rowStride + keyHead * kernel.E,
          keys,
          /*isValue=*/true};
}

Number GpuAttentionTiler::endOfKeys() {
  if (!kernel.causal || kernel.positions)
    return keys;
  Number last = (firstQuery + (cut.queries - 1)).minimum(queries - 1);
  return (last + (keys - queries) + 1).minimum(keys).maximum(gpu.index(0));
}

GpuAttentionTiler::State GpuAttentionTiler::emptyState() {
  State state;
  state.maxima.assign(2, gpu.f32(-kInfinity));
  state.sums.assign(2, gpu.f32(0));
  state.output.assign(kernel.E / 8 * 4 + (kernel.E % 8 ? 4 : 0), gpu.f32(0));
  return state;
}

void GpuAttentionTiler::emit() {
  decodeGroup();
  Number zero = gpu.index(0), endKey = endOfKeys();
  // Blocks of which all keys exist and are kept by all queries need no test.
  Number full = keys / kKeys;
  if (kernel.causal)
    full = (firstQuery + (keys - queries) + 1).minimum(keys).maximum(zero) / kKeys;
  if (kernel.positions)
    openPositions();
  if (kernel.mask || kernel.positions)
    full = zero;
  Number blocks = (endKey + (kKeys - 1)) / kKeys;
  if (index) { // items ascend: only blocks of the last may end early
    blocks = openRow();
    full = index->isFull || !(kernel.mask || kernel.causal) ? blocks - index->columns() / kKeys : zero;
  }
  // The last of them asks for one that may end early.
  Number untested = (full - 1).maximum(zero);

  Source query = querySource(), key = keySource(), value = valueSource();
  addressOperands();
  b.branch(
      zero < blocks,
      [&] {
        // Queries lie where the second block of keys will.
        stage(query, keyTile, base + queriesAt(), zero, /*isTested=*/true, cut.queries);
        if (isHalf) {
          Number first = firstKeyOf(zero);
          stage(key, keyTile, base, first, /*isTested=*/true);
          stage(value, valueTile, base + keyTile.bytes(), first, /*isTested=*/true);
          gpu.commitCopies();
          gpu.waitCopies(0);
        }
        fenceStage();
        gpu.barrier();
        loadQueries();
        State state = emptyState();
        auto pass = [&](Number first, Number end, bool isTested) {
          Values carried = state.all();
          carried = b.loop(first, end, 1, carried, [&](Value number, ValueRange before) {
            State next = state;
            next.take(before);
            Number block(b, number), shared = base;
            // A block that was copied before and is not tested need not be known.
            Number firstKey = isHalf && !isTested ? zero : firstKeyOf(block);
            if (isHalf)
              gpu.waitCopies(0);
            fenceStage();
            gpu.barrier(); // the block has come, and nobody reads what is written next
            if (isHalf) {
              Number parity = (block % 2).as(b.getI32Type());
              shared = base + parity * stageBytes();
              Number other = base + (parity ^ 1) * stageBytes();
              auto ahead = [&] {
                Number row = firstKeyOf(block + 1);
                stage(key, keyTile, other, row, isTested);
                stage(value, valueTile, other + keyTile.bytes(), row, isTested);
              };
              isTested ? b.branch(block + 1 < blocks, ahead) : ahead();
              gpu.commitCopies();
            } else {
              stage(key, keyTile, base, firstKey, isTested);
              stage(value, valueTile, base + keyTile.bytes(), firstKey, isTested);
              fenceStage();
              gpu.barrier();
            }
            computeBlock(next, shared, firstKey, endKey, isTested);
            return next.all();
          });
          state.take(carried);
        };
        pass(zero, untested, /*isTested=*/false);
        pass(untested, blocks, /*isTested=*/true);
        writeResult(state);
      },
      [&] { writeZeros(); });
  b.finish();
}

// Rows of columns, to shared memory.

/// Rows [row, row + count) of a source. Where tested, rows that do not exist are read as the last one.
void GpuAttentionTiler::stage(const Source &source, const Tile &tile, Number shared, Number row, bool isTested,
                              int64_t count) {
  Type index = b.getIndexType(), element = isHalf ? Type(gpu.narrow()) : Type(b.getF32Type());
  // A thread takes 16 bytes of memory at once: eight f16, or four f32 that become eight bytes.
  int64_t width = isHalf ? 8 : 4, across = tile.pitch / width, rowsAtOnce = cut.threads() / across;
  Number own = thread / across, part = thread % across;
  Number block = isHalf ? part : part / 2;
  Number start = shared + own * tile.rowBytes();
  if (!isHalf)
    start = start + part % 2 * 8;
  SmallVector<Number> places; // of rows that follow each other; each eighth is swizzled alike
  for (int64_t i = 0; i < std::max<int64_t>(rowsAtOnce, 8); i += rowsAtOnce)
    places.push_back(start + tile.place(block, own + i));
  Number column = part.as(index) * width;
  Number limit = source.rows - 1;
  bool isAligned = source.range.rowStride % width == 0 && source.range.firstColumn % width == 0 &&
                   source.width % width == 0 && kernel.D % width == 0 && kernel.E % width == 0;
  // Columns beyond the last are zero; their threads do not branch, for branches cost as much.
  for (int64_t i = 0; i < count; i += rowsAtOnce) {
    Number at = row + own.as(index) + i;
    if (isTested)
      at = at.minimum(limit);
    Value isLeftOut; // by the mask, for all queries: then its numbers may be anything
    if (isTested && source.isValue && kernel.mask.perKey && !kernel.mask.perQuery)
      isLeftOut = isExcluded(maskAt(gpu.index(0), at));
    Number first = source.offset + source.range.firstColumn + at * source.range.rowStride;
    int64_t below = i * tile.rowBytes();
    Number place = places[i / rowsAtOnce % places.size()];
    if (isHalf) {
      Value valid;
      Number from = column;
      if (source.width < tile.pitch) {
        Value exists = column < source.width;
        valid = gpu.select(exists, gpu.i32(16), gpu.i32(0));
        from = Number(b, gpu.select(exists, column, gpu.index(0)));
      }
      if (isLeftOut)
        valid = gpu.select(isLeftOut, gpu.i32(0), valid ? valid : gpu.i32(16));
      gpu.copyAsync(place, below, gpu.pointer(source.buffer, element, first + from), valid);
      continue;
    }
    Values x;
    if (isAligned) {
      Number from = source.width < tile.pitch ? column.minimum(gpu.index(source.width - width)) : column;
      x = gpu.loadParts(VectorType::get({width}, element), gpu.pointer(source.buffer, element, first + from), 16);
    }
    for (int64_t j = 0; j < width; ++j) {
      if (!isAligned) {
        Number from = (column + j).minimum(gpu.index(source.width - 1));
        x.push_back(gpu.load(element, gpu.pointer(source.buffer, element, first + from), 4));
      }
      if (source.width < tile.pitch)
        x[j] = gpu.select(column + j < source.width, x[j], gpu.f32(0));
      if (isLeftOut)
        x[j] = gpu.select(isLeftOut, gpu.f32(0), x[j]);
    }
    gpu.storeShared(place, below, {gpu.pack(x[0], x[1]), gpu.pack(x[2], x[3])});
    if (!isSplit)
      continue;
    for (Value &each : x)
      each = gpu.lostByRounding(each);
    gpu.storeShared(place, below + roundedBytes(), {gpu.pack(x[0], x[1]), gpu.pack(x[2], x[3])});
  }
}

// Operands of matrix instructions: see GpuBuilder::loadMatrices.

void GpuAttentionTiler::addressOperands() {
  Number row = lane % 8, low = lane / 8 % 2, high = lane / 16;
  // Keys: the first matrices of two lie side by side, the others eight keys below.
  Number keyRow = (high * 8 + row) * (keyTile.pitch * 2), keyBlock = low ^ keyTile.swizzle(row);
  for (int64_t k = 0; k < keySteps(); ++k)
    keyAddresses.push_back(keyRow + (keyBlock ^ (2 * k)) * 16);
  // Values are turned: the first two lie one below the other.
  Number valueRow = (low * 8 + row) * (valueTile.pitch * 2), valueBlock = high ^ valueTile.swizzle(row);
  for (int64_t e = 0; e < valuePairs(); ++e)
    valueAddresses.push_back(valueRow + (valueBlock ^ (2 * e)) * 16 + keyTile.bytes());
}

void GpuAttentionTiler::loadQueries() {
  Number row = lane % 16, block = (lane / 16) ^ keyTile.swizzle(row);
  Number address = base + queriesAt() + (warp * 16 + row) * keyTile.rowBytes();
  for (int64_t k = 0; k < keySteps(); ++k) {
    int64_t panel = k * 32 / keyTile.rowBytes(), within = 2 * k - panel * (keyTile.rowBytes() / 16);
    Number from = address + (block ^ within) * 16;
    queryMatrices.push_back(gpu.loadMatrices(from, panel * keyTile.panelBytes(), /*transposed=*/false));
    if (isSplit)
      queryRests.push_back(gpu.loadMatrices(from, roundedBytes() + panel * keyTile.panelBytes(), /*transposed=*/false));
  }
}

SmallVector<std::array<Value, 4>> GpuAttentionTiler::multiplyKeys(Number shared) {
  SmallVector<std::array<Value, 4>> scores(kKeys / 8, {gpu.f32(0), gpu.f32(0), gpu.f32(0), gpu.f32(0)});
  SmallVector<Number> keyAt;
  for (Number &address : keyAddresses)
    keyAt.push_back(address + shared);
  for (int64_t k = 0; k < keySteps(); ++k)
    for (int64_t pair = 0; pair < kKeys / 16; ++pair) {
      int64_t offset = pair * 16 * keyTile.pitch * 2;
      auto multiply = [&](const std::array<Value, 4> &query, const std::array<Value, 4> &matrices) {
        for (int64_t i = 0; i < 2; ++i) {
          auto &c = scores[2 * pair + i];
          c = gpu.multiply(query, ArrayRef(matrices).slice(2 * i, 2), c);
        }
      };
      auto matrices = gpu.loadMatrices(keyAt[k], offset, /*transposed=*/false);
      multiply(queryMatrices[k], matrices);
      if (isSplit) {
        multiply(queryRests[k], matrices);
        multiply(queryMatrices[k], gpu.loadMatrices(keyAt[k], roundedBytes() + offset, /*transposed=*/false));
      }
    }
  return scores;
}

/// The weights of 16 keys, as the left operand of a product.
GpuAttentionTiler::Values GpuAttentionTiler::weightsOf(ArrayRef<std::array<Value, 4>> scores, int64_t step) {
  auto &x = scores[2 * step], &y = scores[2 * step + 1];
  return {gpu.pack(x[0], x[1]), gpu.pack(x[2], x[3]), gpu.pack(y[0], y[1]), gpu.pack(y[2], y[3])};
}

GpuAttentionTiler::Values GpuAttentionTiler::restsOf(ArrayRef<std::array<Value, 4>> scores, int64_t step) {
  SmallVector<std::array<Value, 4>> rests(scores.slice(2 * step, 2));
  for (auto &four : rests)
    for (Value &each : four)
      each = gpu.lostByRounding(each);
  return weightsOf(rests, 0);
}

void GpuAttentionTiler::addValues(State &state, ArrayRef<std::array<Value, 4>> scores, Number shared) {
  SmallVector<Number> valueAt;
  for (Number &address : valueAddresses)
    valueAt.push_back(address + shared);
  for (int64_t step = 0; step < kKeys / 16; ++step) {
    Values weights = weightsOf(scores, step), rests = isSplit ? restsOf(scores, step) : Values();
    int64_t offset = step * 16 * valueTile.pitch * 2;
    for (int64_t e = 0; e < valuePairs(); ++e) {
      auto multiply = [&](ArrayRef<Value> left, const std::array<Value, 4> &matrices) {
        for (int64_t i = 0; i < 2; ++i) {
          size_t at = (2 * e + i) * 4;
          if (at >= state.output.size())
            continue;
          auto next = gpu.multiply(left, ArrayRef(matrices).slice(2 * i, 2), ArrayRef(state.output).slice(at, 4));
          llvm::copy(next, state.output.begin() + at);
        }
      };
      auto matrices = gpu.loadMatrices(valueAt[e], offset, /*transposed=*/true);
      multiply(weights, matrices);
      if (isSplit) {
        multiply(rests, matrices);
        multiply(weights, gpu.loadMatrices(valueAt[e], roundedBytes() + offset, /*transposed=*/true));
      }
    }
  }
}

void GpuAttentionTiler::computeBlock(State &state, Number shared, Number firstKey, Number endKey, bool isTested) {
  // Scores: of 8 keys each, four of a thread: two keys of a row, and of the row 8 below.
  SmallVector<std::array<Value, 4>> scores = hasWarpGroups ? multiplyKeysOfGroup(shared) : multiplyKeys(shared);
  double factor = kernel.scale * M_LOG2E;
  bool isScaled = isTested && bool(kernel.mask); // scores are in base 2 already
  if (isTested)
    testScores(scores, firstKey, endKey);
  Value scale = gpu.f32(factor);
  SmallVector<Value, 2> rescale;
  for (int64_t r = 0; r < 2; ++r) {
    Value largest;
    for (auto &c : scores)
      for (int64_t i = 0; i < 2; ++i)
        largest = largest ? gpu.larger(largest, c[2 * r + i]) : c[2 * r + i];
    largest = gpu.acrossLanes(largest, 4, [&](Value x, Value y) { return gpu.larger(x, y); });
    if (!isScaled)
      largest = gpu.mul(largest, scale);
    Value maximum = gpu.larger(state.maxima[r], largest), origin = maximum;
    if (isTested) { // no key yet: any number does
      Value none = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum, gpu.f32(-kInfinity));
      origin = gpu.select(none, gpu.f32(0), maximum);
    }
    rescale.push_back(gpu.exp2(gpu.sub(state.maxima[r], origin)));
    state.maxima[r] = maximum;
    Value negated = arith::NegFOp::create(b, origin), sum = gpu.mul(state.sums[r], rescale[r]);
    for (auto &c : scores)
      for (int64_t i = 0; i < 2; ++i) {
        Value &score = c[2 * r + i];
        score = gpu.exp2(isScaled ? gpu.add(score, negated) : gpu.fma(score, scale, negated));
        sum = gpu.add(sum, score);
      }
    state.sums[r] = sum;
  }
  for (auto [i, value] : llvm::enumerate(state.output))
    value = gpu.mul(value, rescale[i % 4 / 2]);
  hasWarpGroups ? addValuesOfGroup(state, scores, shared) : addValues(state, scores, shared);
}

/// The mask's element for a pair.
Value GpuAttentionTiler::maskAt(Number query, Number key) {
  const AttentionMask &mask = kernel.mask;
  Number at = gpu.index(0);
  auto axis = [&](bool isOwn, Number position, Number size) { at = isOwn ? at * size + position : at; };
  axis(mask.perBatch, batch, gpu.size(kernel.batch));
  axis(mask.perHead, head, gpu.index(kernel.heads));
  axis(mask.perQuery, query.minimum(queries - 1), queries);
  axis(mask.perKey, key.minimum(keys - 1), keys);
  return b.load(b.bufferOf(mask.source), at);
}

/// Whether an element of the mask leaves its keys out.
Value GpuAttentionTiler::isExcluded(Value element) {
  if (!kernel.mask.isBool)
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, element, gpu.f32(-kInfinity));
  Value zero = arith::ConstantOp::create(b, b.getIntegerAttr(element.getType(), 0));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, element, zero);
}

/// Scores of keys that are not kept become -infinity; masks of numbers are added.
void GpuAttentionTiler::testScores(MutableArrayRef<std::array<Value, 4>> scores, Number firstKey, Number endKey) {
  Type index = b.getIndexType();
  Value none = gpu.f32(-kInfinity);
  Number column = firstKey + (lane % 4 * 2).as(index), row = firstQuery + (warp * 16 + lane / 4).as(index);
  Number offset = keys - queries;
  const AttentionMask &mask = kernel.mask;
  for (auto [tile, c] : llvm::enumerate(scores))
    for (int64_t i = 0; i < 2; ++i) {
      Number key = column + int64_t(tile * 8 + i);
      Value known; // of a mask that is the same for all queries
      for (int64_t r = 0; r < 2; ++r) {
        Value &score = c[2 * r + i];
        Number query = row + 8 * r;
        if (mask) {
          score = gpu.mul(score, gpu.f32(kernel.scale * M_LOG2E));
          if (!known || mask.perQuery)
            known = maskAt(query, key);
          Value excluded = isExcluded(known);
          if (!mask.isBool)
            score = gpu.add(score, gpu.mul(gpu.larger(known, gpu.f32(kLeastMask)), gpu.f32(M_LOG2E)));
          score = gpu.select(excluded, none, score);
        }
        Number end = kernel.causal ? (query + offset + 1).minimum(endKey) : endKey;
        Value isKept = key < (queryEnds.empty() ? end : queryEnds[r]);
        if (!pairs.empty()) {
          Number bits(b, pairs[2 * r + tile / 4]);
          Value bit = arith::AndIOp::create(b, bits, gpu.i32(int64_t(1) << (tile % 4 * 8 + i)));
          isKept = arith::AndIOp::create(b, isKept,
                                         arith::CmpIOp::create(b, arith::CmpIPredicate::ne, bit, gpu.i32(0).value()));
        }
        score = gpu.select(isKept, score, none);
      }
    }
}

// Results.

void GpuAttentionTiler::forEachResult(llvm::function_ref<std::array<Value, 2>(int64_t tile, int64_t r)> value) {
  Type index = b.getIndexType(), element = isHalf ? Type(gpu.narrow()) : Type(b.getF32Type());
  Number row = firstQuery + (warp * 16 + lane / 4).as(index), column = (lane % 4 * 2).as(index);
  unsigned bytes = isHalf ? 2 : 4;
  for (int64_t r = 0; r < 2; ++r) {
    Number own = row + 8 * r;
    b.branch(own < queries, [&] {
      Number start = kernel.isPartial ? ((batch * kernel.heads + head) * queries + own) * (kernel.E + 1)
                                      : ((batch * queries + own) * kernel.heads + head) * kernel.E;
      for (int64_t tile = 0; tile < int64_t(llvm::divideCeil(kernel.E, 8)); ++tile) {
        auto pair = value(tile, r);
        Number at = column + tile * 8;
        auto write = [&] {
          Value pointer = gpu.pointer(b.result(0), element, start + at);
          if (isHalf)
            return gpu.store(gpu.pack(pair[0], pair[1]), pointer, 4);
          if (kernel.E % 2 == 0 && !kernel.isPartial)
            return gpu.store(gpu.vector({pair[0], pair[1]}), pointer, 8);
          gpu.store(pair[0], pointer, bytes);
          b.branch(at + 1 < kernel.E,
                   [&] { gpu.store(pair[1], gpu.pointer(b.result(0), element, start + at + 1), bytes); });
        };
        if (tile * 8 + 8 <= kernel.E)
          write();
        else
          b.branch(at < kernel.E, write);
      }
    });
  }
}

void GpuAttentionTiler::writeResult(State &state) {
  Values factors, totals;
  for (Value sum : state.sums) {
    Value total = gpu.acrossLanes(sum, 4, [&](Value x, Value y) { return gpu.add(x, y); });
    Value keptNone = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, total, gpu.f32(0));
    factors.push_back(gpu.select(keptNone, gpu.f32(0), gpu.div(gpu.f32(1), total)));
    totals.push_back(total);
  }
  forEachResult([&](int64_t tile, int64_t r) -> std::array<Value, 2> {
    return {gpu.mul(state.output[tile * 4 + 2 * r], factors[r]),
            gpu.mul(state.output[tile * 4 + 2 * r + 1], factors[r])};
  });
  if (kernel.isPartial)
    writeLogarithms([&](int64_t r) { // that of no key at all is -infinity
      return gpu.add(gpu.mul(state.maxima[r], gpu.f32(M_LN2)), VectorMath(b).log(totals[r]));
    });
}

/// The logarithm of the sum behind each row of a partial result, by the first of the lanes that share it.
void GpuAttentionTiler::writeLogarithms(llvm::function_ref<Value(int64_t r)> logarithm) {
  for (int64_t r = 0; r < 2; ++r) {
    Number own = firstQuery + (warp * 16 + lane / 4 + 8 * r).as(b.getIndexType());
    Value writes = arith::AndIOp::create(b, own < queries, lane % 4 == 0);
    b.branch(writes, [&] {
      Number row = (batch * kernel.heads + head) * queries + own;
      b.store(logarithm(r), b.result(0), row * (kernel.E + 1) + kernel.E);
    });
  }
}

void GpuAttentionTiler::writeZeros() {
  Value zero = gpu.f32(0);
  forEachResult([&](int64_t, int64_t) -> std::array<Value, 2> { return {zero, zero}; });
  if (kernel.isPartial)
    writeLogarithms([&](int64_t) { return gpu.f32(-kInfinity); });
}

LogicalResult GpuAttentionTiler::check(func::FuncOp function, const AttentionKernel &kernel, const GpuTarget &target) {
  auto elementOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); };
  Type element = elementOf(kernel.query.source);
  auto result = dyn_cast<RankedTensorType>(function.getResultTypes()[0]);
  if (!result || elementOf(kernel.key.source) != element || elementOf(kernel.value.source) != element ||
      result.getElementType() != element)
    return function.emitOpError() << "is an attention of several types, for which there is no code for " << target.name;
  if (kernel.D > kMostWidth || kernel.E > kMostWidth)
    return function.emitOpError() << "has heads of " << std::max(kernel.D, kernel.E) << " columns but up to "
                                  << kMostWidth << " are wanted";
  if (!(kernel.scale > 0))
    return function.emitOpError() << "has a scale of " << kernel.scale << " but a positive one is wanted";
  if (!element.isF32())
    for (const ColumnRange *range : {&kernel.query, &kernel.key, &kernel.value})
      if (range->rowStride % 8 || range->firstColumn % 8 || kernel.D % 8 || kernel.E % 8)
        return function.emitOpError() << "has operands of " << element
                                      << " whose heads do not begin at multiples of 8 columns";
  return success();
}

GpuLaunch GpuAttentionTiler::launch() const {
  GpuLaunch launch;
  launch.grid = kernel.batch * kernel.heads * DimExpr::floorDiv(kernel.queries + (cut.queries - 1), cut.queries);
  launch.threads = cut.threads();
  launch.sharedBytes = sharedBytes();
  launch.groups = groups();
  launch.schedule = schedule();
  return launch;
}

FailureOr<GpuLaunch> tamis::tileGpuAttention(func::FuncOp function, const GpuTarget &target) {
  auto kernel = AttentionKernel::analyse(function, /*allowsHalf=*/true);
  if (failed(kernel) || failed(GpuAttentionTiler::check(function, *kernel, target)))
    return failure();
  KernelBuilder builder(function);
  GpuAttentionForm form(function, *kernel, target);
  GpuDecision decision;
  GpuAttentionSchedule schedule{64};
  if (!form.hasWarpGroups) { // else a warp group has 64 rows
    GpuAttentionShape shape = GpuAttentionTiler::shapeOf(*kernel, form);
    shape.heads = typicalOf(kernel->batch, symbolsOf(function)) * kernel->heads;
    shape.queries = typicalOf(kernel->queries, symbolsOf(function));
    shape.keys = typicalOf(kernel->keys, symbolsOf(function));
    auto wanted = function->getAttrOfType<StringAttr>(kGpuTile);
    schedule =
        GpuAttentionSchedule::decide(target, shape, wanted ? std::optional(wanted.getValue()) : std::nullopt, decision);
  }
  GpuAttentionTiler tiler(builder, *kernel, form, /*index=*/nullptr, schedule);
  GpuLaunch launch = tiler.launch();
  launch.decision = std::move(decision);
  tiler.emit();
  return launch;
}

FailureOr<GpuLaunch> tamis::tileGpuSparseAttention(func::FuncOp function, const GpuTarget &target) {
  auto kernel = SparseAttentionKernel::analyse(function, /*allowsHalf=*/true);
  if (failed(kernel) || failed(GpuAttentionTiler::check(function, *kernel, target)))
    return failure();
  KernelBuilder builder(function);
  GpuAttentionForm form(function, *kernel, target);
  if (kernel->blocks.size() == 1 && kernel->bands.empty() && !kernel->pool && kernel->lists.empty()) {
    GpuAttentionTiler tiler(builder, *kernel, form, &kernel->blocks[0]);
    GpuLaunch launch = tiler.launch();
    tiler.emit();
    return launch;
  }
  GpuSparseAttentionTiler tiler(builder, *kernel, form);
  GpuLaunch launch = tiler.launch();
  tiler.emit();
  return launch;
}
