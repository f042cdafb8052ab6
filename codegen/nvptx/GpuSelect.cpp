// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Selection on GPUs: rows, the items that they may read, and what becomes of those that are kept.
#include "codegen/nvptx/GpuSelect.h"

#include "codegen/nvptx/LargestSize.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;
using sattn::DiagonalsOp;

namespace {
// Shared memory of a warp, in words: ranks of 4096 items; bits of 2^18 items where their number is not known.
constexpr int64_t kMostRanks = 4096, kMostBits = 8192;
constexpr int64_t kMostWeighed = 2048;     ///< rows of scores that are summed to one
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
  DimExpr positions = kernel.weighed.op ? DimExpr::max(kernel.items, kernel.weighed.columns) : kernel.items;
  int64_t ranks = std::min<int64_t>(chunksOf(positions) * kWarp, int64_t(1) << 40);
  rankWords = std::min(ranks, kMostRanks);
  fitsRanks = ranks <= kMostRanks;
  if (hasBits()) {
    int64_t words = chunksOf(DimExpr::max(kernel.items, kernel.flagCount));
    bitWords = fours(std::min(words, kMostBits));
    fitsBits = words <= kMostBits;
  }
  if (sattn::WeighOp weigh = kernel.weighed.op) {
    int64_t rows = weigh.getRows();
    if (!rows)
      rows = std::min<int64_t>(largestOf(kernel.weighed.rows, symbols).value_or(kMostWeighed), kMostWeighed);
    weighedWords = fours(2 * std::min(rows, kMostWeighed));
  }
  while (warps > 1 && warps * warpBytes() > kMostShared)
    warps /= 2;
}

GpuLaunch GpuSelectTiler::launch(const GpuTarget &target) {
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(tasks() + (warps - 1), warps);
  launch.threads = warps * kWarp;
  launch.sharedBytes = warps * warpBytes();
  // 64 registers: left to itself, the assembler takes 32 on sm_90a, and spills. More where sums of weights take them,
  // or shared memory holds fewer groups anyway.
  constexpr int64_t reserved = 1024; // by the system, of each
  launch.groups =
      std::clamp<int64_t>(target.sharedPerProcessor / (launch.sharedBytes + reserved), 1, kernel.weighed.op ? 4 : 8);
  launch.schedule = (kernel.diagonals ? "one head a warp, " : "one row a warp, ") + std::to_string(warps) + " warps, " +
                    std::to_string(rankWords) + (fitsRanks ? " ranks at most" : " ranks in shared memory");
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
  bits.emplace(gpu, shared + (queryWords + rankWords) * 4, lane);
  if (hasBits() && !fitsBits)
    gpu.trapIf(gpu.index(bitWords * kWarp) < bitCapacity());
  if (kernel.diagonals && !fitsRanks) // distances take the place of ranks
    gpu.trapIf(gpu.index(rankWords) < gpu.size(kernel.capacity));
  if (kernel.weighed.op && !kernel.weighed.op.getRows())
    gpu.trapIf(gpu.index(weighedWords / 2) < gpu.size(kernel.weighed.rows));
  Number number = gpu.group() * warps + warp.as(index);
  b.branch(number < gpu.size(tasks()), [&] { storedRow(number); });
  b.finish();
}

void GpuSelectTiler::storedRow(Number number) {
  Number rows = kernel.diagonals ? gpu.index(1) : gpu.size(kernel.storedRows), headNumber = number / rows,
         row = number % rows;
  Number head = headNumber % kernel.heads;
  Group group{headNumber / kernel.heads, head, head / kernel.groupSize};
  if (kernel.diagonals)
    return storedDiagonals(group, number);
  Number room = gpu.size(kernel.storedCapacity), base = number * (room + 1);
  auto toBits = [&](Number item, Value isKept, Number) { bits->join(item, isKept); };
  if (!kernel.coarsen) {
    Number count = select(group, row, [&](Number item, Value isKept, Number place) {
      b.branch(isKept, [&] { b.store(toInteger(item), b.result(0), base + place + 1); });
    });
    return closeStoredRow(gpu, lane, base, count, room);
  }
  int64_t joined = kernel.joinedRows();
  Number all = gpu.size(kernel.rows), first = joined ? (row * joined).minimum(all) : gpu.index(0);
  Number end = joined ? ((row + 1) * joined).minimum(all) : all;
  bits->clear(bitCapacity());
  b.loop(first, end, 1, [&](Value each) { select(group, Number(b, each), toBits); });
  bits->write(gpu.size(kernel.flagCount), base, room);
}

void GpuSelectTiler::storedDiagonals(const Group &group, Number head) {
  int64_t R = DiagonalsOp(kernel.diagonals).getType().getRows(),
          C = DiagonalsOp(kernel.diagonals).getType().getColumns();
  Number rows = gpu.size(kernel.storedRows), room = gpu.size(kernel.storedCapacity), items = gpu.size(kernel.flagCount);
  Number zero = gpu.index(0), queries = gpu.size(kernel.queries), offset = gpu.size(kernel.keys) - queries;
  auto placeOf = [&](Number place) { return shared + toInteger(place) * 4; };
  // A distance takes the place of a rank that all lanes have read: no more are kept than there were.
  Number count = select(group, zero, [&](Number item, Value isKept, Number place) {
    gpu.warpBarrier();
    b.branch(isKept, [&] { gpu.storeShared(placeOf(place), queryWords * 4, toInteger(item).value()); });
  });
  b.loop(zero, rows, 1, [&](Value number) {
    Number row(b, number), first = row * R + offset, last = ((row + 1) * R).minimum(queries) + offset - 1;
    bits->clear(items);
    b.loop(lane, count, kWarp, [&](Value i) {
      Value word = gpu.loadShared(placeOf(Number(b, i)), queryWords * 4, 1, b.getI32Type())[0];
      Number distance = Number(b, word).as(b.getIndexType());
      Number low = (first - distance).maximum(zero) / C, high = (last - distance + C).maximum(zero) / C;
      b.loop(low, high, 1, [&](Value item) { bits->raise(Number(b, item)); });
    });
    bits->write(items, (head * rows + row) * (room + 1), room);
  });
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
  if (kernel.weighed.op)
    weighRows(row);
  if (!kernel.refined.op)
    return list(row, choose(row, takeCensus(row)), kernel.capacity, take);
  bits->clear(bitCapacity());
  list(row, choose(row, takeCensus(row)), kernel.capacity,
       [&](Number item, Value isKept, Number) { bits->join(item, isKept); });
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

FailureOr<GpuLaunch> tamis::tileGpuSelect(func::FuncOp function, const GpuTarget &target) {
  auto kernel = SelectKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  GpuSelectTiler tiler(builder, *kernel);
  GpuLaunch launch = tiler.launch(target);
  tiler.emit();
  return launch;
}
