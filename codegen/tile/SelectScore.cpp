// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From tokens to scores: summaries, keys transposed, products.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace tamis;

// Accumulators of a summary, or rows of a register tile.
static constexpr int64_t kRegisterRows = 4;

Value SelectTiler::loadColumns(Value buffer, Value offset, int64_t column) {
  offset = b.add(offset, column);
  int64_t valid = std::min<int64_t>(lanes, kernel.D - column);
  if (valid == lanes)
    return b.loadVector(buffer, offset, lanes);
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
  return vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, offset, exists, b.splat(0, lanes));
}

Value SelectTiler::tokenOffset(const ScoreOperand &operand, Value batch, Value head, Value token) {
  Value row = b.add(b.mul(batch, b.size(operand.tokenCount)), token);
  Value column = b.add(b.mul(head, kernel.D), operand.tokens.firstColumn);
  return b.add(b.mul(row, operand.tokens.rowStride), column);
}

/// Summary `number` of a head to scratch at `to`, zeros where it is of no token.
void SelectTiler::summarize(const ScoreOperand &operand, Value batch, Value head, Value number, Value to) {
  sattn::SummarizeOp op = operand.summary;
  Value tokens = b.size(operand.tokenCount), first = b.mul(number, int64_t(op.getWidth()));
  Value end = b.minimum(tokens, b.add(first, int64_t(op.getWidth())));
  Value mask = operand.mask ? b.argument(operand.mask.getArgNumber()) : Value();
  auto isKept = [&](Value token) {
    Value byte = b.load(mask, b.add(b.mul(batch, tokens), token));
    return compare(arith::CmpIPredicate::ne, byte, arith::ConstantIntOp::create(b, 0, 8));
  };
  Value count = b.sub(end, first);
  if (mask)
    count = b.loop(first, end, 1, {b.index(0)}, [&](Value token, ValueRange carried) {
      return Values{b.add(carried[0], pick(isKept(token), b.index(1), b.index(0)))};
    })[0];
  Value divisor = b.broadcast(arith::SIToFPOp::create(b, b.getF32Type(), toInteger(count)), lanes);
  Value isEmpty = compare(arith::CmpIPredicate::eq, count, b.index(0));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  bool isMean = op.getKind() == sattn::SummaryKind::mean, isMax = op.getKind() == sattn::SummaryKind::max;
  Value start = b.splat(isMean ? 0 : isMax ? -infinity : infinity, lanes);
  for (int64_t column = 0; column < kernel.D; column += kRegisterRows * lanes) {
    int64_t vectors = std::min<int64_t>(kRegisterRows, llvm::divideCeil(kernel.D - column, lanes));
    Values totals = b.loop(first, end, 1, Values(vectors, start), [&](Value token, ValueRange carried) {
      Value offset = tokenOffset(operand, batch, head, token);
      Values next;
      for (auto [j, total] : llvm::enumerate(carried)) {
        Value x = loadColumns(b.argument(operand.tokens.source.getArgNumber()), offset, column + int64_t(j) * lanes);
        next.push_back(isMean  ? arith::AddFOp::create(b, total, x).getResult()
                       : isMax ? arith::MaximumFOp::create(b, total, x).getResult()
                               : arith::MinimumFOp::create(b, total, x).getResult()); // a NaN stays
      }
      if (mask)
        for (auto [kept, total] : llvm::zip(next, carried))
          kept = pick(isKept(token), kept, total);
      return next;
    });
    for (auto [j, total] : llvm::enumerate(totals)) {
      Value value = isMean ? arith::DivFOp::create(b, total, divisor).getResult() : total;
      store(pick(isEmpty, b.splat(0, lanes), value), b.add(to, column + int64_t(j) * lanes));
    }
  }
}

void SelectTiler::pack(const Group &group, const Positions &positions) {
  if (kernel.mask)
    packMask(group, positions);
  if (!kernel.scores)
    packKeys(group, positions);
}

void SelectTiler::score(const Group &group, Value first, Value rows, const Positions &positions) {
  if (kernel.scores) // a tile is one row
    return copyScores(group, first, positions);
  loadQueries(group, first, rows);
  multiply(rows, positions.padded);
}

/// The given scores of a row to its place in scratch; up to a vector more is overwritten.
void SelectTiler::copyScores(const Group &group, Value row, const Positions &positions) {
  Value head = b.add(b.mul(group.batch, kernel.heads), group.head);
  Value base = b.mul(b.add(b.mul(head, b.size(kernel.rows)), row), b.size(kernel.items));
  Value buffer = b.argument(kernel.scores.getArgNumber());
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  auto copy = [&](Value item, Value position, Value count) {
    b.loop(b.index(0), count, lanes, [&](Value i) {
      Value exists = vector::CreateMaskOp::create(b, mask, b.sub(count, i));
      Value scores = vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, b.add(base, b.add(item, i)), exists,
                                                  b.splat(0, lanes));
      store(scores, at(place.scores, b.add(position, i)));
    });
  };
  Value sinks = positions.span.sinks;
  if (kernel.candidates)
    copy(b.index(0), b.index(0), sinks);
  copy(positions.span.first, sinks, b.sub(positions.count, sinks));
}

/// The keys at these positions, transposed block by block. A block is filled up with anything.
void SelectTiler::packKeys(const Group &group, const Positions &positions) {
  constexpr int64_t block = SelectScratch::kBlock;
  Value last = b.sub(positions.count, b.index(1));
  b.loop(b.index(0), positions.padded, lanes, [&](Value position) {
    Value column = b.rem(position, b.index(block));
    Value target = at(place.packed, b.add(b.mul(b.sub(position, column), kernel.D), column));
    Value buffer = b.scratch();
    Values offsets;
    if (kernel.key.summary) {
      Value count = signedMin(b.index(lanes), b.sub(positions.count, position));
      b.loop(b.index(0), count, 1, [&](Value i) {
        Value item = itemAt(positions, b.add(position, i));
        summarize(kernel.key, group.batch, group.keyHead, item, at(place.staged, b.mul(i, place.paddedD)));
      });
      for (unsigned i = 0; i < lanes; ++i)
        offsets.push_back(at(place.staged, b.index(i * place.paddedD)));
    } else {
      buffer = b.argument(kernel.key.tokens.source.getArgNumber());
      for (unsigned i = 0; i < lanes; ++i) {
        Value item = itemAt(positions, b.minimum(b.add(position, i), last));
        offsets.push_back(tokenOffset(kernel.key, group.batch, group.keyHead, item));
      }
    }
    for (int64_t d = 0; d < kernel.D; d += lanes) {
      Values rows;
      for (Value offset : offsets)
        rows.push_back(loadColumns(buffer, offset, d));
      Values columns = b.transpose(rows);
      for (int64_t i = 0; i < std::min<int64_t>(lanes, kernel.D - d); ++i)
        store(columns[i], b.add(target, (d + i) * block));
    }
  });
}

void SelectTiler::packMask(const Group &group, const Positions &positions) {
  Value mask = b.argument(kernel.mask.getArgNumber()), keys = b.size(kernel.keys), row = b.mul(group.batch, keys);
  auto byteOf = [&](Value key) { return arith::ExtUIOp::create(b, b.getI32Type(), b.load(mask, b.add(row, key))); };
  b.loop(b.index(0), positions.count, 1, [&](Value position) {
    Value first = b.mul(itemAt(positions, position), kernel.C), any;
    if (kernel.C == 1)
      any = byteOf(first);
    else
      any = b.loop(first, b.minimum(keys, b.add(first, kernel.C)), 1, {integer(0)}, [&](Value key, ValueRange carried) {
        return Values{arith::OrIOp::create(b, carried[0], byteOf(key))};
      })[0];
    storeInt(any, at(place.kept, position));
  });
}

void SelectTiler::loadQueries(const Group &group, Value first, Value rows) {
  b.loop(b.index(0), rows, 1, [&](Value i) {
    Value number = b.add(first, i), to = at(place.queries, b.mul(i, place.paddedD));
    if (kernel.query.summary)
      return summarize(kernel.query, group.batch, group.head, number, to);
    Value buffer = b.argument(kernel.query.tokens.source.getArgNumber());
    Value offset = tokenOffset(kernel.query, group.batch, group.head, number);
    for (int64_t d = 0; d < kernel.D; d += lanes)
      store(loadColumns(buffer, offset, d), b.add(to, d));
  });
}

/// scores = queries x keys. Rows of a tile beyond `rows` may be computed too, of whatever is there.
void SelectTiler::multiply(Value rows, Value padded) {
  constexpr int64_t block = SelectScratch::kBlock;
  // 4 x 4 vectors, or 4 x 2 of 16 registers, beside a row of keys and a query.
  int64_t tileRows = std::min(kernel.tileRows(), kRegisterRows), vectors = registers == 32 ? 4 : 2;
  Value zero = b.index(0), stride = b.size(place.stride);
  b.loop(zero, padded, block, [&](Value position) {
    b.loop(zero, b.index(block), vectors * lanes, [&](Value column) {
      Value keys = at(place.packed, b.add(b.mul(position, kernel.D), column));
      b.loop(zero, rows, tileRows, [&](Value row) {
        Value queries = at(place.queries, b.mul(row, place.paddedD));
        Values sums(tileRows * vectors, b.splat(0, lanes));
        sums = b.loop(zero, b.index(kernel.D), 1, sums, [&](Value d, ValueRange carried) {
          Values next(carried), keyRow;
          for (int64_t j = 0; j < vectors; ++j)
            keyRow.push_back(load(b.add(b.add(keys, b.mul(d, block)), j * lanes)));
          for (int64_t i = 0; i < tileRows; ++i) {
            Value query = b.broadcast(b.load(b.scratch(), b.add(b.add(queries, d), i * place.paddedD)), lanes);
            for (int64_t j = 0; j < vectors; ++j)
              next[i * vectors + j] = vector::FMAOp::create(b, query, keyRow[j], next[i * vectors + j]);
          }
          return next;
        });
        for (int64_t i = 0; i < tileRows; ++i)
          for (int64_t j = 0; j < vectors; ++j) {
            Value offset = b.add(b.mul(b.add(row, i), stride), b.add(b.add(position, column), j * lanes));
            store(sums[i * vectors + j], at(place.scores, offset));
          }
      });
    });
  });
}
