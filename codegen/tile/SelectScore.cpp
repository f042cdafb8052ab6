// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From tokens to scores: keys transposed, products.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

// Rows of a register tile.
static constexpr int64_t kRegisterRows = 4;

Value SelectTiler::loadColumns(Value buffer, Value offset, int64_t column, int64_t columns) {
  offset = b.add(offset, column);
  int64_t valid = std::min<int64_t>(lanes, columns - column);
  if (valid == lanes)
    return b.loadVector(buffer, offset, lanes);
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
  return vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, offset, exists, b.splat(0, lanes));
}

Value SelectTiler::tokenOffset(const ScoreOperand &operand, Value batch, Value head, Value token) {
  Value row = b.add(b.mul(batch, b.size(operand.tokenCount)), token);
  Value column = b.add(b.mul(head, operand.columns), operand.tokens.firstColumn);
  return b.add(b.mul(row, operand.tokens.rowStride), column);
}

/// Masks of the items at positions that are selected from, and keys of those whose scores are multiplied.
void SelectTiler::pack(const Group &group, const Positions &items, const Positions &scored) {
  if (kernel.mask)
    packMask(group, items, kernel.mask, kernel.C, place.kept);
  if (kernel.weighed.mask)
    packMask(group, scored, kernel.weighed.mask, kernel.weighed.op.getWidth(), place.keptColumns);
  if (!kernel.scores)
    packKeys(group, scored);
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

/// Scores of rows [first, first + rows) of a tile.
void SelectTiler::score(const Group &group, Value first, Value rows, Value padded) {
  if (!kernel.summedHeads) {
    loadQueries(group, group.head, first, rows);
    return multiply(rows, padded, {});
  }
  b.loop(b.index(0), rows, 1, [&](Value i) {
    Value row = at(place.scores, b.mul(i, b.size(place.stride)));
    b.loop(b.index(0), padded, lanes, [&](Value position) { store(b.splat(0, lanes), b.add(row, position)); });
  });
  b.loop(b.index(0), b.index(kernel.summedHeads), 1, [&](Value head) {
    loadQueries(group, head, first, rows);
    b.loop(b.index(0), rows, 1, [&](Value i) {
      Value offset = tokenOffset(kernel.headWeights, group.batch, head, b.add(first, i));
      Value weight = b.load(b.argument(kernel.headWeights.tokens.source.getArgNumber()), offset);
      b.store(weight, b.scratch(), at(place.headWeights, i));
    });
    multiply(rows, padded, b.size(place.headWeights));
  });
}

/// The keys at these positions, transposed block by block. A block is filled up with anything.
void SelectTiler::packKeys(const Group &group, const Positions &positions) {
  constexpr int64_t block = SelectScratch::kBlock;
  Value last = b.sub(positions.count, b.index(1));
  b.loop(b.index(0), positions.padded, lanes, [&](Value position) {
    Value column = b.rem(position, b.index(block));
    Value target = at(place.packed, b.add(b.mul(b.sub(position, column), kernel.D), column));
    Values offsets;
    auto transpose = [&](Value first, int64_t count, llvm::function_ref<Value(Value)> columnsAt) {
      Values rows;
      for (Value offset : offsets)
        rows.push_back(columnsAt(offset));
      Values columns = b.transpose(rows);
      for (int64_t i = 0; i < count; ++i)
        store(columns[i], b.add(b.add(target, b.mul(first, block)), i * block));
    };
    if (kernel.key.summary) {
      Value count = signedMin(b.index(lanes), b.sub(positions.count, position));
      b.loop(b.index(0), count, 1, [&](Value i) {
        Value item = itemAt(positions, b.add(position, i));
        summarize(kernel.key, group.batch, group.keyHead, item, at(place.staged, b.mul(i, place.paddedD)));
      });
      for (unsigned i = 0; i < lanes; ++i)
        offsets.push_back(at(place.staged, b.index(i * place.paddedD)));
      auto columnsFrom = [&](Value first, int64_t count) {
        transpose(first, count, [&](Value offset) { return load(b.add(offset, first)); });
      };
      int64_t rest = kernel.D % lanes; // summaries may be long
      b.loop(b.index(0), b.index(kernel.D - rest), lanes, [&](Value first) { columnsFrom(first, lanes); });
      if (rest)
        columnsFrom(b.index(kernel.D - rest), rest);
      return;
    }
    Value buffer = b.argument(kernel.key.tokens.source.getArgNumber());
    for (unsigned i = 0; i < lanes; ++i) {
      Value item = itemAt(positions, b.minimum(b.add(position, i), last));
      offsets.push_back(tokenOffset(kernel.key, group.batch, group.keyHead, item));
    }
    for (int64_t d = 0; d < kernel.D; d += lanes)
      transpose(b.index(d), std::min<int64_t>(lanes, kernel.D - d),
                [&](Value offset) { return loadColumns(buffer, offset, d, kernel.D); });
  });
}

/// Whether an argument keeps one of the `width` keys of the items at these positions.
void SelectTiler::packMask(const Group &group, const Positions &positions, BlockArgument argument, int64_t width,
                           const DimExpr &to) {
  Value mask = b.argument(argument.getArgNumber()), keys = b.size(kernel.keys), row = b.mul(group.batch, keys);
  auto byteOf = [&](Value key) { return arith::ExtUIOp::create(b, b.getI32Type(), b.load(mask, b.add(row, key))); };
  b.loop(b.index(0), positions.count, 1, [&](Value position) {
    Value first = b.mul(itemAt(positions, position), width), any;
    if (width == 1)
      any = byteOf(first);
    else
      any = b.loop(first, b.minimum(keys, b.add(first, width)), 1, {integer(0)}, [&](Value key, ValueRange carried) {
        return Values{arith::OrIOp::create(b, carried[0], byteOf(key))};
      })[0];
    storeInt(any, at(to, position));
  });
}

void SelectTiler::loadQueries(const Group &group, Value head, Value first, Value rows) {
  b.loop(b.index(0), rows, 1, [&](Value i) {
    Value number = b.add(first, i), to = at(place.queries, b.mul(i, place.paddedD));
    if (kernel.query.summary)
      return summarize(kernel.query, group.batch, head, number, to);
    Value buffer = b.argument(kernel.query.tokens.source.getArgNumber());
    Value offset = tokenOffset(kernel.query, group.batch, head, number);
    for (int64_t d = 0; d < kernel.D; d += lanes)
      store(loadColumns(buffer, offset, d, kernel.D), b.add(to, d));
  });
}

/// scores = queries x keys, or with `weights`, one a row, scores += weight max(0, queries x keys). Rows of a tile
/// beyond `rows` may be computed too, of whatever is there.
void SelectTiler::multiply(Value rows, Value padded, Value weights) {
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
            for (int64_t j = 0; j < vectors; ++j) {
              Value &sum = next[i * vectors + j];
              if (kernel.isAgreement) {
                Value isEqual = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, query, keyRow[j]);
                sum = pick(isEqual, arith::AddFOp::create(b, sum, b.splat(1, lanes)), sum);
              } else {
                sum = vector::FMAOp::create(b, query, keyRow[j], sum);
              }
            }
          }
          return next;
        });
        for (int64_t i = 0; i < tileRows; ++i) {
          Value weight = weights ? b.broadcast(b.load(b.scratch(), b.add(b.add(weights, row), i)), lanes) : Value();
          for (int64_t j = 0; j < vectors; ++j) {
            Value offset = b.add(b.mul(b.add(row, i), stride), b.add(b.add(position, column), j * lanes));
            Value sum = sums[i * vectors + j], to = at(place.scores, offset);
            if (weights) {
              Value positive = arith::MaximumFOp::create(b, sum, b.splat(0, lanes)); // a NaN stays
              sum = arith::AddFOp::create(b, load(to), arith::MulFOp::create(b, weight, positive));
            }
            store(sum, to);
          }
        }
      });
    });
  });
}
