// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention on GPUs over bands, lists of keys and several indices: blocks of keys, and bits of the pairs that count.
#include "codegen/nvptx/GpuSparseAttention.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

/// Keys whose bits a thread has.
static constexpr int64_t kBits = 32;

GpuSparseAttentionTiler::GpuSparseAttentionTiler(KernelBuilder &builder, const SparseAttentionKernel &kernel,
                                                 GpuAttentionForm form)
    : GpuAttentionTiler(builder, kernel, form), sparse(kernel), ownQuery(queries), ownKey(queries) {}

void GpuSparseAttentionTiler::openRows() {
  SmallVector<const StoredIndex *> stored;
  for (const StoredIndex &index : sparse.blocks)
    stored.push_back(&index);
  if (sparse.pool)
    stored.push_back(&*sparse.pool);
  for (const StoredIndex &index : sparse.lists)
    stored.push_back(&index);
  Value exists = ownQuery < queries;
  Number query = ownQuery.minimum(queries - 1);
  for (const StoredIndex *index : stored) {
    Number row = index->rows() ? query / index->rows() : gpu.index(0), own = head / (kernel.heads / index->heads());
    if (index->perBatch())
      own = batch * index->heads() + own;
    Number capacity = gpu.size(index->type.capacityExpr());
    Number start = (own * gpu.size(index->rowCount()) + row) * (capacity + 1);
    Number count = Number(b, b.load(b.bufferOf(index->source), start)).as(b.getIndexType());
    gpu.trapIf(arith::CmpIOp::create(b, CmpIPredicate::ugt, count, capacity));
    rows.push_back({index, start + 1, Number(b, gpu.select(exists, count, gpu.index(0)))});
  }
}

/// A row of a band holds the items where its queries stand, which follow each other, and some more on either side.
GpuSparseAttentionTiler::Range GpuSparseAttentionTiler::rangeOf(const BandIndex &band, Number query) {
  Number first = query / band.rows * band.rows, last = (first + band.rows).minimum(queries) - 1;
  auto limited = [&](Number position, int64_t more) { // the key that the item begins with
    Number item(b, b.createOrFold<arith::FloorDivSIOp>(position + (keys - queries), b.index(band.columns)));
    return ((item + more) * band.columns).maximum(gpu.index(0)).minimum(keys);
  };
  return {limited(first, -band.before), limited(last, band.after + 1),
          gpu.index(band.sinks * band.columns).minimum(keys)};
}

Number GpuSparseAttentionTiler::loadItem(const Row &row, Number place) {
  return Number(b, b.load(b.bufferOf(row.index->source), row.first + place)).as(b.getIndexType());
}

Number GpuSparseAttentionTiler::loadChecked(const Row &row, Number place) {
  Number item = loadItem(row, place), limit = gpu.size(row.index->type.itemCount());
  gpu.trapIf(arith::CmpIOp::create(b, CmpIPredicate::uge, item, limit));
  return item;
}

Value GpuSparseAttentionTiler::bitsBetween(Number low, Number high) {
  Type i64 = b.getI64Type();
  auto below = [&](Number count) -> Value {
    Number limited = count.maximum(gpu.index(0)).minimum(gpu.index(kBits)).as(i64);
    Value power = arith::ShLIOp::create(b, limited.like(1), limited);
    return arith::TruncIOp::create(b, b.getI32Type(), Number(b, power) - 1);
  };
  Value above = arith::XOrIOp::create(b, below(low), gpu.i32(-1));
  return arith::AndIOp::create(b, below(high), above);
}

Value GpuSparseAttentionTiler::bitsOf(Number first, Values &places) {
  Value bits = gpu.i32(0);
  auto join = [&](Value more) { bits = arith::OrIOp::create(b, bits, more); };
  for (const BandIndex &band : sparse.bands) {
    Range range = rangeOf(band, ownQuery);
    join(bitsBetween(range.low - first, range.high - first));
    if (band.sinks)
      join(bitsBetween(gpu.index(0) - first, range.sinks - first));
  }
  if (!sparse.bands.empty())
    bits = gpu.select(ownQuery < queries, bits, gpu.i32(0));
  Value yes = arith::ConstantIntOp::create(b, 1, 1), no = arith::ConstantIntOp::create(b, 0, 1);
  for (auto [row, place] : llvm::zip(rows, places)) {
    int64_t columns = row.index->columns();
    Number end = first + kBits;
    auto begins = [&](Number at) { return loadItem(row, at) * columns; };
    Values found = gpu.whileLoop(
        {place, bits, yes},
        [&](ValueRange state) {
          Number at(b, state[0]);
          Value isLeft = arith::AndIOp::create(b, state[2], at < row.count);
          return gpu.ifElse(isLeft, [&] { return Values{begins(at) < end}; }, [&] { return Values{no}; })[0];
        },
        [&](ValueRange state) {
          Number at(b, state[0]), key = loadChecked(row, at) * columns;
          Value more = arith::OrIOp::create(b, state[1], bitsBetween(key - first, key + columns - first));
          Value goesOn = end < key + columns; // into the keys behind
          return Values{gpu.select(goesOn, at, at + 1), more, arith::XOrIOp::create(b, goesOn, yes)};
        });
    place = found[0];
    bits = found[1];
  }
  return bits;
}

void GpuSparseAttentionTiler::shareBits(Value bits) {
  pairs.clear();
  for (int64_t r = 0; r < 2; ++r)
    for (int64_t half = 0; half < 2; ++half) {
      Value word = gpu.shuffle(bits, (lane / 4 + 8 * r) * 2 + half);
      pairs.push_back(arith::ShRUIOp::create(b, word, lane % 4 * 2));
    }
}

void GpuSparseAttentionTiler::emit() {
  decodeGroup();
  Number zero = gpu.index(0), endKey = endOfKeys(), beginKey = zero;
  ownQuery = firstQuery + (thread / 2).as(b.getIndexType());
  ownKey = (thread % 2 * kBits).as(b.getIndexType());
  openRows();
  addressOperands();
  bool hasSinks = llvm::any_of(sparse.bands, [](const BandIndex &band) { return band.sinks > 0; });
  if (rows.empty() && !sparse.bands.empty()) { // known beforehand: between the first query's and the last one's
    Number last = (firstQuery + (cut.queries - 1)).minimum(queries - 1), low = keys, high = zero;
    for (const BandIndex &band : sparse.bands) {
      low = low.minimum(rangeOf(band, firstQuery).low);
      Range range = rangeOf(band, last);
      high = high.maximum(range.high).maximum(range.sinks);
    }
    beginKey = hasSinks ? zero : low;
    endKey = endKey.minimum(high);
  }
  Source query = querySource(), key = keySource(), value = valueSource();
  auto arrive = [&] {
    if (isHalf) {
      gpu.commitCopies();
      gpu.waitCopies(0);
    }
    fenceStage();
    gpu.barrier();
  };
  stage(query, keyTile, base + queriesAt(), zero, /*isTested=*/true);
  arrive();
  loadQueries();
  State state = emptyState();
  Values carried = state.all();
  carried.append(rows.size(), zero);
  carried = b.loop(beginKey / kKeys, (endKey + (kKeys - 1)) / kKeys, 1, carried, [&](Value number, ValueRange before) {
    Number firstKey = Number(b, number) * kKeys;
    Values places(before.drop_front(before.size() - rows.size())), same(before.drop_back(rows.size()));
    Value bits = bitsOf(firstKey + ownKey, places);
    // The barrier also says that nobody reads the block before.
    Value isRead = gpu.anyThread(arith::CmpIOp::create(b, CmpIPredicate::ne, bits, gpu.i32(0).value()));
    Values next = gpu.ifElse(
        isRead,
        [&] {
          State computed = state;
          computed.take(same);
          shareBits(bits);
          stage(key, keyTile, base, firstKey, /*isTested=*/true);
          stage(value, valueTile, base + keyTile.bytes(), firstKey, /*isTested=*/true);
          arrive();
          computeBlock(computed, base, firstKey, endKey, /*isTested=*/true);
          return computed.all();
        },
        [&] { return same; });
    llvm::append_range(next, places);
    return next;
  });
  state.take(ValueRange(carried).drop_back(rows.size()));
  // An item that no block has come to is one behind the last that is read, or none at all.
  for (auto [row, place] : llvm::zip(rows, ValueRange(carried).take_back(rows.size())))
    b.branch(Number(b, place) < row.count, [&] { loadChecked(row, Number(b, place)); });
  writeResult(state);
  b.finish();
}
