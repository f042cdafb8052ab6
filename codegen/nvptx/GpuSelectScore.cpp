// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scores of a selection on GPUs: the row's query lies in shared memory, each lane reads the keys of its items.
#include "codegen/nvptx/GpuSelect.h"

#include <limits>

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;
using sattn::SummaryKind;

/// Columns that are read at once where they are aligned.
static constexpr unsigned kWidth = 4;

Number GpuSelectTiler::tokenOffset(const ScoreOperand &operand, Number batch, Number head, Number token) {
  Number row = batch * gpu.size(operand.tokenCount) + token;
  return row * operand.tokens.rowStride + head * operand.columns + operand.tokens.firstColumn;
}

GpuSelectTiler::Values GpuSelectTiler::loadColumns(const ScoreOperand &operand, Number offset, Number column,
                                                   unsigned width) {
  Value buffer = b.bufferOf(operand.tokens.source);
  const ColumnRange &tokens = operand.tokens;
  bool isAligned = tokens.rowStride % width == 0 && tokens.firstColumn % width == 0 && operand.columns % width == 0;
  if (width > 1 && isAligned)
    return gpu.loadParts(VectorType::get({int64_t(width)}, b.getF32Type()),
                         gpu.pointer(buffer, b.getF32Type(), offset + column), width * 4);
  Values x;
  for (unsigned i = 0; i < width; ++i)
    x.push_back(b.load(buffer, offset + column + i));
  return x;
}

Value GpuSelectTiler::loopColumns(int64_t count, bool acrossLanes, Value init,
                                  llvm::function_ref<Value(Number, unsigned, Value)> body) {
  auto loop = [&](Number first, int64_t end, unsigned step, unsigned width, Value carried) {
    return b.loop(first, b.index(end), step, {carried}, [&](Value column, ValueRange carried) {
      return Values{body(Number(b, column), width, carried[0])};
    })[0];
  };
  if (acrossLanes)
    return loop(lane, count, kWarp, 1, init);
  int64_t whole = count / kWidth * kWidth;
  Value carried = loop(gpu.index(0), whole, kWidth, kWidth, init);
  for (int64_t column = whole; column < count; ++column)
    carried = body(gpu.index(column), 1, carried);
  return carried;
}

Value GpuSelectTiler::foldColumns(const ScoreOperand &operand, Number batch, Number head, Number number,
                                  bool acrossLanes, Value init, Step step) {
  if (!operand.summary) {
    Number offset = tokenOffset(operand, batch, head, number);
    return loopColumns(operand.columns, acrossLanes, init, [&](Number column, unsigned width, Value carried) {
      return step(column, loadColumns(operand, offset, column, width), carried);
    });
  }
  auto same = [](Value x) { return x; };
  auto part = [&](SummaryKind kind, int64_t firstColumn, llvm::function_ref<Value(Value)> last) {
    init = foldSummary(operand, kind, batch, head, number, firstColumn, acrossLanes, init, last, step);
  };
  Value zero = gpu.f32(0);
  switch (SummaryKind kind = sattn::SummarizeOp(operand.summary).getKind()) {
  case SummaryKind::mean:
  case SummaryKind::max:
  case SummaryKind::min:
    part(kind, 0, same);
    return init;
  case SummaryKind::bounds:
    part(SummaryKind::max, 0, same);
    part(SummaryKind::min, operand.columns, same);
    return init;
  case SummaryKind::signs:
    part(SummaryKind::mean, 0, [&](Value x) { return arith::MaximumFOp::create(b, x, zero).getResult(); });
    part(SummaryKind::mean, operand.columns,
         [&](Value x) { return arith::MinimumFOp::create(b, x, zero).getResult(); });
    return init;
  case SummaryKind::stack:
  case SummaryKind::stack_reversed:
    return foldStack(operand, batch, head, number, acrossLanes, init, step);
  }
  llvm_unreachable("unknown summary");
}

/// Whether the operand's mask keeps a token; null when it has none.
Value GpuSelectTiler::isSummarized(const ScoreOperand &operand, Number batch, Number token) {
  if (!operand.mask)
    return {};
  Value byte = b.load(b.bufferOf(operand.mask), batch * gpu.size(operand.tokenCount) + token);
  return compare(CmpIPredicate::ne, byte, arith::ConstantIntOp::create(b, 0, 8));
}

/// The mean, max or min of each column of a block's tokens, and `last` of it; zeros of no token.
Value GpuSelectTiler::foldSummary(const ScoreOperand &operand, SummaryKind kind, Number batch, Number head,
                                  Number number, int64_t firstColumn, bool acrossLanes, Value init,
                                  llvm::function_ref<Value(Value)> last, Step step) {
  int64_t width = sattn::SummarizeOp(operand.summary).getWidth();
  Number first = number * width, end = (first + width).minimum(gpu.size(operand.tokenCount)), count = end - first;
  if (operand.mask)
    count = {b, b.loop(first, end, 1, {b.index(0)}, [&](Value token, ValueRange carried) {
               Value isKept = isSummarized(operand, batch, Number(b, token));
               return Values{gpu.select(isKept, Number(b, carried[0]) + 1, carried[0])};
             })[0]};
  Value divisor = arith::SIToFPOp::create(b, b.getF32Type(), toInteger(count)), isEmpty = count == 0;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  bool isMean = kind == SummaryKind::mean, isMax = kind == SummaryKind::max;
  Value start = gpu.f32(isMean ? 0 : isMax ? -infinity : infinity);
  return loopColumns(operand.columns, acrossLanes, init, [&](Number column, unsigned columns, Value carried) {
    Values totals = b.loop(first, end, 1, Values(columns, start), [&](Value number, ValueRange before) {
      Number token(b, number);
      Values next = loadColumns(operand, tokenOffset(operand, batch, head, token), column, columns);
      Value isKept = isSummarized(operand, batch, token);
      for (auto [x, total] : llvm::zip(next, before)) {
        x = isMean  ? gpu.add(total, x)
            : isMax ? arith::MaximumFOp::create(b, total, x).getResult()
                    : arith::MinimumFOp::create(b, total, x).getResult(); // a NaN stays
        x = isKept ? gpu.select(isKept, x, total) : x;
      }
      return next;
    });
    for (Value &total : totals)
      total = gpu.select(isEmpty, gpu.f32(0), last(isMean ? gpu.div(total, divisor) : total));
    return step(column + firstColumn, totals, carried);
  });
}

/// A block's tokens side by side, zeros where there is none.
Value GpuSelectTiler::foldStack(const ScoreOperand &operand, Number batch, Number head, Number number, bool acrossLanes,
                                Value init, Step step) {
  sattn::SummarizeOp op = operand.summary;
  int64_t width = op.getWidth();
  Number last = gpu.size(operand.tokenCount) - 1, first = number * width;
  return b.loop(b.index(0), b.index(width), 1, {init}, [&](Value number, ValueRange carried) {
    Number place(b, number),
        token = first + (op.getKind() == SummaryKind::stack ? place : gpu.index(width - 1) - place);
    Value exists = token < last + 1;
    token = token.minimum(last);
    if (Value isKept = isSummarized(operand, batch, token))
      exists = both(exists, isKept);
    Number offset = tokenOffset(operand, batch, head, token);
    return Values{
        loopColumns(operand.columns, acrossLanes, carried[0], [&](Number column, unsigned count, Value total) {
          Values x = loadColumns(operand, offset, column, count);
          for (Value &each : x)
            each = gpu.select(exists, each, gpu.f32(0));
          return step(place * operand.columns + column, x, total);
        })};
  })[0];
}

/// The row's query to shared memory, of all heads that are summed.
void GpuSelectTiler::stageQueries(const Row &row) {
  if ((kernel.scores || kernel.weighed.op) && !isRefining) // rows of scores that are weighed are staged one by one
    return gpu.warpBarrier();
  const ScoreOperand &operand = isRefining ? kernel.refined.query : kernel.query;
  gpu.warpBarrier(); // nobody reads the one before
  auto stage = [&](Number head, Number place) {
    stageQuery(operand, row.group.batch, head, row.number, shared + toInteger(place) * (queryPitch * 4));
  };
  if (kernel.summedHeads && !isRefining)
    b.loop(b.index(0), b.index(kernel.summedHeads), 1, [&](Value head) { stage(Number(b, head), Number(b, head)); });
  else
    stage(row.group.head, gpu.index(0));
  gpu.warpBarrier();
}

void GpuSelectTiler::stageQuery(const ScoreOperand &operand, Number batch, Number head, Number number, Number to) {
  foldColumns(operand, batch, head, number, /*acrossLanes=*/true, gpu.f32(0),
              [&](Number column, ArrayRef<Value> x, Value carried) {
                gpu.storeShared(to + toInteger(column) * 4, 0, x[0]);
                return carried;
              });
}

/// Of the query at an address of shared memory and a key, in the order of columns.
Value GpuSelectTiler::product(const ScoreOperand &key, Number batch, Number head, Number item, Number query) {
  bool isAgreement = kernel.isAgreement && !isRefining;
  bool isAligned = !key.summary || key.columns % kWidth == 0; // parts of summaries lie one behind the other
  return foldColumns(key, batch, head, item, /*acrossLanes=*/false, gpu.f32(0),
                     [&](Number column, ArrayRef<Value> x, Value sum) {
                       Number from = query + toInteger(column) * 4;
                       Values q;
                       for (unsigned i = 0, step = isAligned ? x.size() : 1; i < x.size(); i += step)
                         llvm::append_range(q, gpu.loadShared(from, i * 4, step, b.getF32Type()));
                       for (auto [left, right] : llvm::zip(q, x)) {
                         if (!isAgreement) {
                           sum = gpu.fma(left, right, sum);
                           continue;
                         }
                         Value isEqual = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, left, right);
                         sum = gpu.select(isEqual, gpu.add(sum, gpu.f32(1)), sum);
                       }
                       return sum;
                     });
}

/// The score of an item that exists.
Value GpuSelectTiler::score(const Row &row, Number item) {
  const Group &group = row.group;
  if (isRefining)
    return product(kernel.refined.key, group.batch, group.head / kernel.refined.groupSize, item, shared);
  if (kernel.scores) {
    Number number = (group.batch * kernel.heads + group.head) * gpu.size(kernel.rows) + row.number;
    return b.load(b.bufferOf(kernel.scores), number * gpu.size(kernel.items) + item);
  }
  if (!kernel.summedHeads)
    return product(kernel.key, group.batch, group.keyHead, item, shared);
  const ScoreOperand &weights = kernel.headWeights;
  return b.loop(b.index(0), b.index(kernel.summedHeads), 1, {gpu.f32(0)}, [&](Value number, ValueRange carried) {
    Number head(b, number);
    Value sum = product(kernel.key, group.batch, group.keyHead, item, shared + toInteger(head) * (queryPitch * 4));
    Value weight = b.load(b.bufferOf(weights.tokens.source), tokenOffset(weights, group.batch, head, row.number));
    Value positive = arith::MaximumFOp::create(b, sum, gpu.f32(0)); // a NaN stays
    return Values{gpu.add(carried[0], gpu.mul(weight, positive))};
  })[0];
}

/// Whether a mask keeps one of an item's keys.
Value GpuSelectTiler::isAnyKept(BlockArgument mask, Number batch, Number item, int64_t width) {
  Number keys = gpu.size(kernel.keys), first = item * width, start = batch * keys;
  auto byteOf = [&](Value key) {
    Value byte = b.load(b.bufferOf(mask), start + Number(b, key));
    return Value(arith::ExtUIOp::create(b, b.getI32Type(), byte));
  };
  Value any;
  if (width == 1)
    any = byteOf(first);
  else
    any = b.loop(first, (first + width).minimum(keys), 1, {integer(0)},
                 [&](Value key, ValueRange carried) { return Values{either(carried[0], byteOf(key))}; })[0];
  return compare(CmpIPredicate::ne, any, integer(0));
}
