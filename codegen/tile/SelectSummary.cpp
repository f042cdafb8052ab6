// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From the tokens of a block to the vector that stands for them.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace tamis;
using sattn::SummaryKind;

// Accumulators of a summary.
constexpr int64_t kVectors = 4;

void SelectTiler::storeColumns(Value value, Value to, int64_t column, int64_t columns) {
  to = b.add(to, column);
  int64_t valid = std::min<int64_t>(lanes, columns - column);
  if (valid == lanes)
    return store(value, to);
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
  vector::MaskedStoreOp::create(b, b.scratch(), to, exists, value);
}

/// Whether the operand's mask keeps a token; null when it has none.
Value SelectTiler::isSummarized(const ScoreOperand &operand, Value batch, Value token) {
  if (!operand.mask)
    return {};
  Value row = b.mul(batch, b.size(operand.tokenCount));
  Value byte = b.load(b.argument(operand.mask.getArgNumber()), b.add(row, token));
  return compare(arith::CmpIPredicate::ne, byte, arith::ConstantIntOp::create(b, 0, 8));
}

/// Summary `number` of a head to scratch at `to`, zeros where it is of no token.
void SelectTiler::summarize(const ScoreOperand &operand, Value batch, Value head, Value number, Value to) {
  auto zero = [&] { return b.splat(0, lanes); };
  auto same = [](Value x) { return x; };
  switch (sattn::SummarizeOp(operand.summary).getKind()) {
  case SummaryKind::mean:
    return reduceTokens(operand, SummaryKind::mean, batch, head, number, to, same);
  case SummaryKind::max:
    return reduceTokens(operand, SummaryKind::max, batch, head, number, to, same);
  case SummaryKind::min:
    return reduceTokens(operand, SummaryKind::min, batch, head, number, to, same);
  case SummaryKind::bounds:
    reduceTokens(operand, SummaryKind::max, batch, head, number, to, same);
    return reduceTokens(operand, SummaryKind::min, batch, head, number, b.add(to, operand.columns), same);
  case SummaryKind::signs:
    reduceTokens(operand, SummaryKind::mean, batch, head, number, to,
                 [&](Value x) { return arith::MaximumFOp::create(b, x, zero()); });
    return reduceTokens(operand, SummaryKind::mean, batch, head, number, b.add(to, operand.columns),
                        [&](Value x) { return arith::MinimumFOp::create(b, x, zero()); });
  case SummaryKind::stack:
  case SummaryKind::stack_reversed:
    return stackTokens(operand, batch, head, number, to);
  }
}

/// The mean, max or min of each column, and `last` of it.
void SelectTiler::reduceTokens(const ScoreOperand &operand, SummaryKind kind, Value batch, Value head, Value number,
                               Value to, llvm::function_ref<Value(Value)> last) {
  int64_t width = sattn::SummarizeOp(operand.summary).getWidth();
  Value first = b.mul(number, width), end = b.minimum(b.size(operand.tokenCount), b.add(first, width));
  Value count = b.sub(end, first);
  if (operand.mask)
    count = b.loop(first, end, 1, {b.index(0)}, [&](Value token, ValueRange carried) {
      Value isKept = isSummarized(operand, batch, token);
      return Values{b.add(carried[0], pick(isKept, b.index(1), b.index(0)))};
    })[0];
  Value divisor = b.broadcast(arith::SIToFPOp::create(b, b.getF32Type(), toInteger(count)), lanes);
  Value isEmpty = compare(arith::CmpIPredicate::eq, count, b.index(0));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  bool isMean = kind == SummaryKind::mean, isMax = kind == SummaryKind::max;
  Value start = b.splat(isMean ? 0 : isMax ? -infinity : infinity, lanes);
  for (int64_t column = 0; column < operand.columns; column += kVectors * lanes) {
    int64_t vectors = std::min<int64_t>(kVectors, llvm::divideCeil(operand.columns - column, lanes));
    Values totals = b.loop(first, end, 1, Values(vectors, start), [&](Value token, ValueRange carried) {
      Value offset = tokenOffset(operand, batch, head, token);
      Values next;
      for (auto [j, total] : llvm::enumerate(carried)) {
        Value x = loadColumns(b.argument(operand.tokens.source.getArgNumber()), offset, column + int64_t(j) * lanes,
                              operand.columns);
        next.push_back(isMean  ? arith::AddFOp::create(b, total, x).getResult()
                       : isMax ? arith::MaximumFOp::create(b, total, x).getResult()
                               : arith::MinimumFOp::create(b, total, x).getResult()); // a NaN stays
      }
      if (Value isKept = isSummarized(operand, batch, token))
        for (auto [kept, total] : llvm::zip(next, carried))
          kept = pick(isKept, kept, total);
      return next;
    });
    for (auto [j, total] : llvm::enumerate(totals)) {
      Value value = isMean ? arith::DivFOp::create(b, total, divisor).getResult() : total;
      value = pick(isEmpty, b.splat(0, lanes), last(value));
      storeColumns(value, to, column + int64_t(j) * lanes, operand.columns);
    }
  }
}

/// Side by side, zeros where there is no token.
void SelectTiler::stackTokens(const ScoreOperand &operand, Value batch, Value head, Value number, Value to) {
  sattn::SummarizeOp op = operand.summary;
  int64_t width = op.getWidth();
  Value last = b.sub(b.size(operand.tokenCount), b.index(1)), first = b.mul(number, width);
  b.loop(b.index(0), b.index(width), 1, [&](Value i) {
    Value place = op.getKind() == SummaryKind::stack ? i : b.sub(b.index(width - 1), i);
    Value token = b.minimum(b.add(first, i), last), target = b.add(to, b.mul(place, operand.columns));
    Value exists = compare(arith::CmpIPredicate::ule, b.add(first, i), last);
    if (Value isKept = isSummarized(operand, batch, token))
      exists = arith::AndIOp::create(b, exists, isKept);
    Value offset = tokenOffset(operand, batch, head, token);
    for (int64_t column = 0; column < operand.columns; column += lanes) {
      Value x = loadColumns(b.argument(operand.tokens.source.getArgNumber()), offset, column, operand.columns);
      storeColumns(pick(exists, x, b.splat(0, lanes)), target, column, operand.columns);
    }
  });
}
