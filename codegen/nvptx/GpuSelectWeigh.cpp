// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums of softmax weights over blocks or diagonals of scores on GPUs: each row of scores is staged in turn, each lane
// reads the columns of its item.
#include "codegen/nvptx/GpuSelect.h"

#include <limits>

using namespace mlir;
using namespace tamis;
using arith::CmpFPredicate;

/// body(row of scores, which of those it is, carried) for those that are summed to a row; each is staged before.
void GpuSelectTiler::forWeighedRows(const Row &row, ValueRange init,
                                    llvm::function_ref<Values(Number, Number, ValueRange)> body, Values &last) {
  int64_t rows = kernel.weighed.op.getRows();
  Number all = gpu.size(kernel.weighed.rows), begin = rows ? (row.number * rows).minimum(all) : gpu.index(0);
  Number end = rows ? (begin + rows).minimum(all) : all;
  last = b.loop(begin, end, 1, init, [&](Value number, ValueRange carried) {
    Number scoreRow(b, number);
    gpu.warpBarrier(); // nobody reads the one before
    stageQuery(kernel.query, row.group.batch, row.group.head, scoreRow, shared);
    gpu.warpBarrier();
    return body(scoreRow, scoreRow - begin, carried);
  });
}

/// How many columns of scores a row of them may read.
Number GpuSelectTiler::weighedEnd(Number scoreRow) {
  Number columns = gpu.size(kernel.weighed.columns);
  if (!kernel.weighed.op.getCausal())
    return columns;
  int64_t width = kernel.weighed.op.getWidth();
  Number queries = gpu.size(kernel.weighed.queries), last = ((scoreRow + 1) * width).minimum(queries) - 1;
  Number key = last + gpu.size(kernel.keys) - queries;
  return (floorDiv(key, width) + 1).minimum(columns).maximum(gpu.index(0));
}

/// The product of the staged row and a column, scaled; NaN, which weighs nothing, where it may not be read.
Value GpuSelectTiler::scaledAt(const Row &row, Number column, Number end) {
  auto nothing = [&] { return Values{gpu.f32(std::numeric_limits<double>::quiet_NaN())}; };
  auto compute = [&] {
    Value x = product(kernel.key, row.group.batch, row.group.keyHead, column, shared);
    return Values{gpu.mul(x, gpu.f32(kernel.weighed.op.getScale().convertToDouble()))};
  };
  return gpu.ifElse(
      both(gpu.index(-1) < column, column < end),
      [&] {
        if (!kernel.weighed.mask)
          return compute();
        Value isKept = isAnyKept(kernel.weighed.mask, row.group.batch, column, kernel.weighed.op.getWidth());
        return gpu.ifElse(isKept, compute, nothing);
      },
      nothing)[0];
}

/// Before it is divided.
Value GpuSelectTiler::softmaxWeight(Value scaled, Value most) {
  Value isNumber = arith::CmpFOp::create(b, CmpFPredicate::ORD, scaled, scaled);
  Value isMost = arith::CmpFOp::create(b, CmpFPredicate::OEQ, scaled, most);
  // An infinity less itself is no number.
  Value weight = gpu.select(isMost, gpu.f32(1), math.exp(gpu.sub(scaled, most)));
  return gpu.select(isNumber, weight, gpu.f32(0));
}

void GpuSelectTiler::weighRows(const Row &row) {
  Values none;
  forWeighedRows(
      row, {},
      [&](Number scoreRow, Number inRow, ValueRange) {
        Number end = weighedEnd(scoreRow), chunks = (end + (kWarp - 1)) / kWarp, zero = gpu.index(0);
        auto addressOf = [&](Number column) { return shared + toInteger(column) * 4; };
        auto isStored = [&](Number chunk) { return chunk < rankWords / kWarp; }; // where ranks will be
        Value least = gpu.f32(-std::numeric_limits<double>::infinity());
        Value most = b.loop(zero, chunks, 1, {least}, [&](Value number, ValueRange carried) {
          Number chunk(b, number), column = chunk * kWarp + lane;
          Value x = scaledAt(row, column, end);
          b.branch(isStored(chunk), [&] { gpu.storeShared(addressOf(column), queryWords * 4, x); });
          return Values{gpu.larger(carried[0], x)};
        })[0];
        most = gpu.acrossLanes(most, kWarp, [&](Value x, Value y) { return gpu.larger(x, y); });
        Value sum = b.loop(zero, chunks, 1, {gpu.f32(0)}, [&](Value number, ValueRange carried) {
          Number chunk(b, number), column = chunk * kWarp + lane;
          Value x = gpu.ifElse(
              isStored(chunk), [&] { return gpu.loadShared(addressOf(column), queryWords * 4, 1, b.getF32Type()); },
              [&] { return Values{scaledAt(row, column, end)}; })[0];
          return Values{gpu.add(carried[0], softmaxWeight(x, most))};
        })[0];
        sum = gpu.acrossLanes(sum, kWarp, [&](Value x, Value y) { return gpu.add(x, y); });
        Value isEmpty = arith::CmpFOp::create(b, CmpFPredicate::OEQ, sum, gpu.f32(0));
        Value share = gpu.select(isEmpty, gpu.f32(0), gpu.div(gpu.f32(1), sum));
        b.branch(lane == 0, [&] {
          gpu.storeShared(shared + toInteger(inRow) * 8, (queryWords + rankWords + bitWords) * 4, {most, share});
        });
        return Values{};
      },
      none);
  gpu.warpBarrier();
}

Value GpuSelectTiler::weighedScore(const Row &row, Number item) {
  bool isDiagonal = kernel.weighed.op.getKind() == sattn::WeighKind::diagonals;
  int64_t columns = kernel.weighed.op.getColumns();
  Values total;
  forWeighedRows(
      row, {gpu.f32(0)},
      [&](Number scoreRow, Number inRow, ValueRange carried) {
        Number end = weighedEnd(scoreRow);
        Values divided =
            gpu.loadShared(shared + toInteger(inRow) * 8, (queryWords + rankWords + bitWords) * 4, 2, b.getF32Type());
        Number first = item * columns;
        if (isDiagonal)
          first = scoreRow + gpu.size(kernel.keys) - gpu.size(kernel.weighed.queries) - item;
        Value sum = b.loop(gpu.index(0), gpu.index(columns), 1, {gpu.f32(0)}, [&](Value i, ValueRange before) {
          return Values{gpu.add(before[0], softmaxWeight(scaledAt(row, first + Number(b, i), end), divided[0]))};
        })[0];
        return Values{gpu.fma(sum, divided[1], carried[0])};
      },
      total);
  return total[0];
}
