// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Selection on GPUs: rows, the items that they may read, and what becomes of those that are kept.
#include "codegen/nvptx/GpuSelect.h"

#include "codegen/nvptx/LargestSize.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

namespace {
// Shared memory of a warp, in words: ranks of 4096 items; bits of 2^18 items where their number is not known.
constexpr int64_t kMostRanks = 4096, kMostBits = 8192;
constexpr int64_t kMostShared = 96 * 1024; ///< of a work group

int64_t fours(int64_t words) {
  return int64_t(llvm::alignTo(words, 4));
}
} // namespace

GpuSelectTiler::GpuSelectTiler(KernelBuilder &builder, SelectKernel &kernel)
    : b(builder), gpu(builder), kernel(kernel), math(builder), lane(gpu.index(0)), lanesBelow(lane), shared(lane) {
  auto symbols = model::symbolsOf(b.source());
  auto chunksOf = [&](const DimExpr &items) { // at most; none where there is no bound
    auto most = largestOf(items, symbols);
    return most ? llvm::divideCeil(uint64_t(*most), kWarp) + 2 : uint64_t(INT32_MAX);
  };
  queryPitch = fours(std::max<int64_t>(kernel.D, kernel.refined.D));
  queryWords = kernel.scores && !kernel.refined.op ? 0 : queryPitch * std::max<int64_t>(1, kernel.summedHeads);
  int64_t ranks = std::min<int64_t>(chunksOf(kernel.items) * kWarp, int64_t(1) << 40);
  rankWords = std::min(ranks, kMostRanks);
  fitsRanks = ranks <= kMostRanks;
  if (hasBits()) {
    int64_t words = chunksOf(DimExpr::max(kernel.items, kernel.flagCount));
    bitWords = fours(std::min(words, kMostBits));
    fitsBits = words <= kMostBits;
  }
  while (warps > 1 && warps * warpBytes() > kMostShared)
    warps /= 2;
}

LogicalResult GpuSelectTiler::check(func::FuncOp function, const SelectKernel &kernel, const GpuTarget &target) {
  const char *what = kernel.weighed.op ? "weighs scores" : kernel.diagonals ? "selects diagonals" : nullptr;
  if (what)
    return function.emitOpError() << what << ", for which there is no code for " << target.name;
  return success();
}

GpuLaunch GpuSelectTiler::launch() {
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(kernel.batch * kernel.heads * kernel.storedRows + (warps - 1), warps);
  launch.threads = warps * kWarp;
  launch.sharedBytes = warps * warpBytes();
  launch.groups = 8; // 64 registers: left to itself, the assembler takes 32 on sm_90a, and spills
  launch.schedule = "one row a warp, " + std::to_string(warps) + " warps, " + std::to_string(rankWords) +
                    (fitsRanks ? " ranks at most" : " ranks in shared memory");
  return launch;
}

Value GpuSelectTiler::negation(Value x) {
  return b.createOrFold<arith::XOrIOp>(x, arith::ConstantIntOp::create(b, 1, 1));
}

void GpuSelectTiler::emit() {
  Type index = b.getIndexType();
  Number thread = gpu.thread(), warp = thread / kWarp;
  lane = (thread % kWarp).as(index);
  Number power(b, arith::ShLIOp::create(b, gpu.i32(1), thread % kWarp));
  lanesBelow = power - 1;
  shared = gpu.sharedBase() + warp * warpBytes();
  if (hasBits() && !fitsBits)
    gpu.trapIf(gpu.index(bitWords * kWarp) < gpu.size(DimExpr::max(kernel.items, kernel.flagCount)));
  Number number = gpu.group() * warps + warp.as(index);
  b.branch(number < gpu.size(kernel.batch * kernel.heads * kernel.storedRows), [&] { storedRow(number); });
  b.finish();
}

void GpuSelectTiler::storedRow(Number number) {
  Number rows = gpu.size(kernel.storedRows), headNumber = number / rows, row = number % rows;
  Number head = headNumber % kernel.heads;
  Group group{headNumber / kernel.heads, head, head / kernel.groupSize};
  Number base = number * (gpu.size(kernel.storedCapacity) + 1);
  auto toBits = [&](Number item, Value isKept, Number) { setBits(item, isKept); };
  if (!kernel.coarsen) {
    Number count = select(group, row, [&](Number item, Value isKept, Number place) {
      b.branch(isKept, [&] { b.store(toInteger(item), b.result(0), base + place + 1); });
    });
    return closeRow(base, count);
  }
  int64_t joined = kernel.joinedRows();
  Number all = gpu.size(kernel.rows), first = joined ? (row * joined).minimum(all) : gpu.index(0);
  Number end = joined ? ((row + 1) * joined).minimum(all) : all;
  clearBits();
  b.loop(first, end, 1, [&](Value each) { select(group, Number(b, each), toBits); });
  writeBits(base);
}

/// Where the row's queries stand, and what it may read by order and candidates.
GpuSelectTiler::Row GpuSelectTiler::rowOf(const Group &group, Number number) {
  Number zero = gpu.index(0), queries = gpu.size(kernel.queries), offset = gpu.size(kernel.keys) - queries;
  Number end = kernel.R ? ((number + 1) * kernel.R).minimum(queries) : queries;
  Number last = floorDiv(end + offset - 1, kernel.C), limit = gpu.size(kernel.items);
  if (kernel.op.getCausal())
    limit = (last + 1).minimum(limit).maximum(zero);
  Span span{zero, zero, limit};
  Number sinkChunks = zero, gap = zero, chunks = (limit + (kWarp - 1)) / kWarp;
  if (kernel.candidates) {
    // A row stands at the items of its queries.
    Number first = floorDiv(number * kernel.R + offset, kernel.C) - int64_t(kernel.candidates.getBefore());
    span.first = first.minimum(limit).maximum(zero);
    span.end = (last + (int64_t(kernel.candidates.getAfter()) + 1)).minimum(limit).maximum(span.first);
    Number sinks = gpu.index(kernel.candidates.getSinks()).minimum(limit);
    Value meets = span.first < sinks + 1; // they are one range
    span.end = pick(meets, span.end.maximum(sinks), span.end);
    span.first = pick(meets, zero, span.first);
    span.sinks = pick(meets, zero, sinks);
    sinkChunks = (span.sinks + (kWarp - 1)) / kWarp;
    Number begin = (span.first / kWarp).maximum(sinkChunks);
    gap = begin - sinkChunks;
    chunks = ((span.end + (kWarp - 1)) / kWarp).maximum(begin) - gap;
  }
  return {group, number, span, last.maximum(gpu.index(-1)), chunks, sinkChunks, gap};
}

Number GpuSelectTiler::firstItemOf(const Row &row, Number chunk) {
  if (!kernel.candidates)
    return chunk * kWarp;
  return (chunk + pick(chunk < row.sinkChunks, gpu.index(0), row.gap)) * kWarp;
}

Number GpuSelectTiler::select(const Group &group, Number number, Take take) {
  Row row = rowOf(group, number);
  stageQueries(row);
  if (!kernel.refined.op)
    return list(row, choose(row, takeCensus(row)), kernel.capacity, take);
  clearBits();
  list(row, choose(row, takeCensus(row)), kernel.capacity,
       [&](Number item, Value isKept, Number) { setBits(item, isKept); });
  // Order and masks are those of the first selection.
  isRefining = true;
  stageQueries(row);
  Number count = list(row, choose(row, takeCensus(row)), kernel.refined.capacity, take);
  isRefining = false;
  return count;
}

Number GpuSelectTiler::list(const Row &row, const Choice &choice, const DimExpr &capacity, Take take) {
  Number zero = gpu.index(0), room = gpu.size(capacity);
  // How many are kept, and how many equal to the limit there were.
  Values totals = b.loop(zero, row.chunks, 1, {zero, zero}, [&](Value chunk, ValueRange carried) {
    Number count(b, carried[0]), tieCount(b, carried[1]), number(b, chunk);
    auto before = [&](Value bits) { return gpu.bitCount(both(bits, lanesBelow)); };
    Value rank = rankAt(row, number), isTie = compare(CmpIPredicate::eq, rank, choice.limit);
    Value tieBits = gpu.ballot(isTie);
    Value isFirst = compare(CmpIPredicate::slt, tieCount + before(tieBits), choice.ties);
    Value isKept = either(compare(CmpIPredicate::sgt, rank, choice.limit), both(isTie, isFirst));
    Value bits = gpu.ballot(isKept);
    Number place = count + before(bits);
    take(firstItemOf(row, number) + lane, both(isKept, place < room), place);
    return Values{count + gpu.bitCount(bits), tieCount + gpu.bitCount(tieBits)};
  });
  return Number(b, totals[0]).minimum(room);
}

// Bits of items.

void GpuSelectTiler::clearBits() {
  gpu.warpBarrier();
  Number words = (gpu.size(DimExpr::max(kernel.items, kernel.flagCount)) + (kWarp - 1)) / kWarp;
  b.loop(lane, words, kWarp, [&](Value word) {
    Number address = shared + toInteger(Number(b, word)) * 4;
    gpu.storeShared(address, (queryWords + rankWords) * 4, integer(0));
  });
  gpu.warpBarrier();
}

/// All lanes take part; the items are 32 that begin at a multiple of that.
void GpuSelectTiler::setBits(Number item, Value isKept) {
  Value bits = gpu.ballot(isKept);
  Number address = shared + toInteger(item / kWarp) * 4;
  int64_t offset = (queryWords + rankWords) * 4;
  b.branch(both(lane == 0, compare(CmpIPredicate::ne, bits, integer(0))), [&] {
    Value known = gpu.loadShared(address, offset, 1, b.getI32Type())[0];
    gpu.storeShared(address, offset, either(known, bits));
  });
}

Value GpuSelectTiler::hasBit(Number item) {
  Number address = shared + toInteger(item / kWarp) * 4;
  Value word = gpu.loadShared(address, (queryWords + rankWords) * 4, 1, b.getI32Type())[0];
  Value bit = both(arith::ShRUIOp::create(b, word, toInteger(lane)), integer(1));
  return compare(CmpIPredicate::ne, bit, integer(0));
}

void GpuSelectTiler::writeBits(Number base) {
  gpu.warpBarrier();
  Number room = gpu.size(kernel.storedCapacity), words = (gpu.size(kernel.flagCount) + (kWarp - 1)) / kWarp;
  Number count(b, b.loop(gpu.index(0), words, 1, {gpu.index(0)}, [&](Value word, ValueRange carried) {
    Number item = Number(b, word) * kWarp + lane, before(b, carried[0]);
    Value isKept = hasBit(item), bits = gpu.ballot(isKept);
    Number place = before + gpu.bitCount(both(bits, lanesBelow));
    b.branch(both(isKept, place < room), [&] { b.store(toInteger(item), b.result(0), base + place + 1); });
    return Values{before + gpu.bitCount(bits)};
  })[0]);
  closeRow(base, count.minimum(room));
}

/// The number of items, and zeros behind them.
void GpuSelectTiler::closeRow(Number base, Number count) {
  b.branch(lane == 0, [&] { b.store(toInteger(count), b.result(0), base); });
  b.loop(count + lane, gpu.size(kernel.storedCapacity), kWarp,
         [&](Value i) { b.store(integer(0), b.result(0), base + Number(b, i) + 1); });
}

FailureOr<GpuLaunch> tamis::tileGpuSelect(func::FuncOp function, const GpuTarget &target) {
  auto kernel = SelectKernel::analyse(function);
  if (failed(kernel) || failed(GpuSelectTiler::check(function, *kernel, target)))
    return failure();
  KernelBuilder builder(function);
  GpuSelectTiler tiler(builder, *kernel);
  GpuLaunch launch = tiler.launch();
  tiler.emit();
  return launch;
}
