// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear attention: features and values in scratch, and products of matrices there.
#include "codegen/tile/LinearAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

Value LinearAttentionTiler::select(Value condition, Value yes, Value no) {
  return b.createOrFold<arith::SelectOp>(condition, yes, no);
}

Value LinearAttentionTiler::load(Value buffer, Value offset, int64_t valid) {
  if (valid == lanes)
    return b.loadVector(buffer, offset, lanes);
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value exists = vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid});
  return vector::MaskedLoadOp::create(b, b.vectorType(lanes), buffer, offset, exists, b.splat(0, lanes));
}

/// Zero in the lanes that do not exist.
Value LinearAttentionTiler::featureOf(Value x, int64_t valid) {
  Value feature;
  if (kernel.feature == sattn::FeatureMap::relu) {
    feature = math.atLeast(x, 0);
  } else {
    Value isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, b.splat(0, lanes));
    feature = select(isPositive, arith::AddFOp::create(b, x, b.splat(1, lanes)), math.exp(x));
  }
  if (valid == lanes)
    return feature;
  auto mask = VectorType::get({int64_t(lanes)}, b.getI1Type());
  return select(vector::ConstantMaskOp::create(b, mask, ArrayRef<int64_t>{valid}), feature, b.splat(0, lanes));
}

/// f32: what the mask leaves of a key.
Value LinearAttentionTiler::weightOf(const Group &group, Value key) {
  Value offset = kernel.mask.perBatch ? b.add(b.mul(group.batch, keys), key) : key;
  Value mask = b.load(b.argument(kernel.mask.source.getArgNumber()), offset);
  if (!kernel.mask.isBool)
    return math.exp(mask);
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(mask.getType()));
  Value keeps = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, mask, zero);
  Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1)),
        none = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  return select(keeps, one, none);
}

void LinearAttentionTiler::packQueries(const Chunk &chunk) {
  Value buffer = b.argument(kernel.query.source.getArgNumber());
  Value base = b.mul(b.add(b.mul(chunk.group.batch, queries), chunk.firstQuery), kernel.query.rowStride);
  base = b.add(b.add(base, b.mul(chunk.group.head, kernel.D)), kernel.query.firstColumn);
  auto at = [&](Value row, int64_t d) { return b.add(b.add(b.mul(row, place.paddedD), d), place.queries); };
  auto clear = [&](Value row, int64_t d) { store(b.splat(0, lanes), at(row, d)); };
  b.loop(b.index(0), chunk.rows, 1, [&](Value row) {
    Value source = b.add(base, b.mul(row, kernel.query.rowStride));
    for (int64_t d = 0; d < place.paddedD; d += lanes) {
      int64_t valid = std::min<int64_t>(lanes, kernel.D - d);
      if (valid <= 0)
        clear(row, d);
      else
        store(featureOf(load(buffer, b.add(source, d), valid), valid), at(row, d));
    }
  });
  Value whole = b.mul(b.divFloor(b.add(chunk.rows, kRows - 1), b.index(kRows)), kRows);
  b.loop(chunk.rows, whole, 1, [&](Value row) {
    for (int64_t d = 0; d < place.paddedD; d += lanes)
      clear(row, d);
  });
}

void LinearAttentionTiler::packKeys(const Group &group, Value first, Value count) {
  auto pack = [&](const ColumnRange &range, int64_t width, int64_t padded, int64_t target,
                  llvm::function_ref<Value(Value, int64_t)> map) {
    Value buffer = b.argument(range.source.getArgNumber());
    Value base = b.mul(b.add(b.mul(group.batch, keys), first), range.rowStride);
    base = b.add(b.add(base, b.mul(group.keyHead, width)), range.firstColumn);
    b.loop(b.index(0), count, 1, [&](Value key) {
      Value weight, keeps, zero = b.splat(0, lanes);
      if (kernel.mask) {
        weight = b.broadcast(weightOf(group, b.add(first, key)), lanes);
        keeps = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, weight, zero);
      }
      Value source = b.add(base, b.mul(key, range.rowStride));
      for (int64_t i = 0; i < padded; i += lanes) {
        int64_t valid = std::min<int64_t>(lanes, width - i);
        Value x = zero;
        if (valid > 0) {
          x = map(load(buffer, b.add(source, i), valid), valid);
          if (kernel.mask && target == place.keys)
            x = arith::MulFOp::create(b, x, weight);
          if (kernel.mask)
            x = select(keeps, x, zero); // rather than a product: a key left out may hold anything
        }
        store(x, b.add(b.add(b.mul(key, padded), i), target));
      }
    });
  };
  pack(kernel.key, kernel.D, place.paddedD, place.keys, [&](Value x, int64_t valid) { return featureOf(x, valid); });
  pack(kernel.value, kernel.E, place.paddedE, place.values, [&](Value x, int64_t) { return x; });
}

/// Rows of packed keys as columns; beyond the last key, whatever lies there.
void LinearAttentionTiler::turnKeys(Value count) {
  b.loop(b.index(0), count, lanes, [&](Value key) {
    b.loop(b.index(0), b.index(place.paddedD), lanes, [&](Value d) {
      Vectors rows;
      for (unsigned i = 0; i < lanes; ++i)
        rows.push_back(load(b.add(b.add(b.mul(b.add(key, i), place.paddedD), d), place.keys)));
      Vectors columns = b.transpose(rows);
      for (unsigned i = 0; i < lanes; ++i)
        store(columns[i], b.add(b.add(b.mul(b.add(d, i), Scratch::kChunk), key), place.turned));
    });
  });
}

void LinearAttentionTiler::multiply(ArrayRef<Product> products, Value rows, int64_t columns, Value target,
                                    int64_t targetRow, bool adds) {
  // Accumulators, a row of vectors and an element share the registers: 4 x 4 + 5 of 32, 4 x 2 + 3 of 16.
  unsigned most = registers == 32 ? 4 : 2, vectors = columns / lanes, rest = vectors % most;
  int64_t whole = int64_t(vectors - rest) * lanes;
  b.loop(b.index(0), rows, kRows, [&](Value row) {
    if (whole)
      b.loop(b.index(0), b.index(whole), int64_t(most) * lanes,
             [&](Value column) { tile(products, row, column, most, target, targetRow, adds); });
    if (rest)
      tile(products, row, b.index(whole), rest, target, targetRow, adds);
  });
}

void LinearAttentionTiler::tile(ArrayRef<Product> products, Value row, Value column, unsigned vectors, Value target,
                                int64_t targetRow, bool adds) {
  Vectors sums(kRows * vectors, b.splat(0, lanes));
  for (const Product &product : products) {
    Value left = b.add(product.left, b.mul(row, product.leftRow)), right = b.add(product.right, column);
    sums = b.loop(b.index(0), product.depth(row), 1, sums, [&](Value k, ValueRange carried) {
      Vectors next(carried), rightRow;
      for (unsigned j = 0; j < vectors; ++j)
        rightRow.push_back(load(b.add(b.add(right, b.mul(k, product.rightRow)), int64_t(j) * lanes)));
      for (unsigned i = 0; i < kRows; ++i) {
        Value element = splatOf(b.add(b.add(left, b.mul(k, product.leftDepth)), i * product.leftRow));
        for (unsigned j = 0; j < vectors; ++j)
          next[i * vectors + j] = vector::FMAOp::create(b, element, rightRow[j], next[i * vectors + j]);
      }
      return next;
    });
  }
  for (unsigned i = 0; i < kRows; ++i)
    for (unsigned j = 0; j < vectors; ++j) {
      Value offset = b.add(b.add(target, column), b.add(b.mul(row, targetRow), i * targetRow + int64_t(j) * lanes));
      Value sum = sums[i * vectors + j];
      store(adds ? arith::AddFOp::create(b, load(offset), sum).getResult() : sum, offset);
    }
}
