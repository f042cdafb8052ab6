// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What attention prepares in scratch: keys transposed, queries scaled, masks as numbers to add.
#include "codegen/tile/AttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;

Value AttentionTiler::maskOffset(const Group &group, Value query, Value key) {
  const AttentionMask &mask = kernel.mask;
  Value offset = mask.perBatch ? group.batch : b.index(0);
  auto next = [&](bool differs, Value size, Value index) {
    if (differs)
      offset = b.add(b.mul(offset, size), index);
  };
  next(mask.perHead, b.index(kernel.heads), group.head);
  next(mask.perQuery, queries, query);
  next(mask.perKey, keys, key);
  return offset;
}

/// What a vector of the mask adds to scores in base 2.
Value AttentionTiler::maskBias(Value maskVector) {
  Value excluded = b.splat(kExcluded, lanes);
  if (kernel.mask.isBool) {
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(maskVector.getType()));
    Value keeps = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, maskVector, zero);
    return arith::SelectOp::create(b, keeps, b.splat(0, lanes), excluded);
  }
  Value limited = math.atLeast(maskVector, kLowestMask);
  Value scaled = arith::MulFOp::create(b, limited, b.splat(M_LOG2E, lanes));
  Value infinity = b.splat(-std::numeric_limits<double>::infinity(), lanes);
  Value isExcluded = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maskVector, infinity);
  return arith::SelectOp::create(b, isExcluded, excluded, scaled);
}

/// maskBias of the vector of the mask that begins at `key`; keys that do not exist are excluded.
Value AttentionTiler::maskBiasOf(const Group &group, Value query, Value key) {
  auto maskType = VectorType::get({int64_t(lanes)}, b.getI1Type());
  Value valid = signedMin(b.sub(keys, key), b.index(lanes));
  Value exists = vector::CreateMaskOp::create(b, maskType, valid);
  Value bias = b.splat(0, lanes);
  if (kernel.mask) {
    Value mask = b.argument(kernel.mask.source.getArgNumber());
    Value offset = maskOffset(group, query, key);
    auto type = b.vectorType(lanes, cast<MemRefType>(mask.getType()).getElementType());
    if (kernel.mask.perKey) {
      Value nothing = arith::ConstantOp::create(b, b.getZeroAttr(type));
      bias = maskBias(vector::MaskedLoadOp::create(b, type, mask, offset, exists, nothing));
    } else {
      bias = maskBias(b.broadcast(b.load(mask, offset), lanes));
    }
  }
  return arith::SelectOp::create(b, exists, bias, b.splat(kExcluded, lanes));
}

Value AttentionTiler::keyBase(const Group &group) {
  Value base = b.mul(group.batch, b.mul(keys, kernel.key.rowStride));
  return b.add(b.add(base, b.mul(group.keyHead, kernel.D)), kernel.key.firstColumn);
}

Value AttentionTiler::valueBase(const Group &group) {
  Value base = b.mul(group.batch, b.mul(keys, kernel.value.rowStride));
  return b.add(b.add(base, b.mul(group.keyHead, kernel.E)), kernel.value.firstColumn);
}

Value AttentionTiler::queryOffset(const Group &group, Value query) {
  Value row = b.mul(b.add(b.mul(group.batch, queries), query), kernel.query.rowStride);
  return b.add(b.add(row, b.mul(group.head, kernel.D)), kernel.query.firstColumn);
}

Value AttentionTiler::resultOffset(const Group &group, Value query) {
  if (kernel.isPartial) {
    Value head = b.add(b.mul(group.batch, kernel.heads), group.head);
    return b.mul(b.add(b.mul(head, queries), query), kernel.E + 1);
  }
  Value row = b.mul(b.add(b.mul(group.batch, queries), query), kernel.heads * kernel.E);
  return b.add(row, b.mul(group.head, kernel.E));
}

void AttentionTiler::packKeyVector(llvm::ArrayRef<Value> rowOffsets, Value target, Value bias) {
  Value isExcluded;
  if (bias)
    isExcluded = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, bias, b.splat(kExcluded / 2, lanes));
  Value buffer = b.argument(kernel.key.source.getArgNumber());
  for (int64_t d = 0; d < kernel.D; d += lanes) {
    int64_t valid = std::min<int64_t>(lanes, kernel.D - d);
    Vectors rows;
    for (Value offset : rowOffsets)
      rows.push_back(load(buffer, b.add(offset, d), valid));
    Vectors columns = b.transpose(rows);
    for (int64_t i = 0; i < valid; ++i) {
      Value column = columns[i];
      if (bias)
        column = arith::SelectOp::create(b, isExcluded, b.splat(0, lanes), column);
      store(column, scratch, b.add(target, (d + i) * blockKeys));
    }
  }
}

void AttentionTiler::packValueRow(Value source, Value target, Value key) {
  Value buffer = b.argument(kernel.value.source.getArgNumber());
  for (int64_t e = 0; e < kernel.E; e += lanes)
    store(load(buffer, b.add(source, e), std::min<int64_t>(lanes, kernel.E - e)), scratch,
          b.add(target, b.add(b.mul(key, paddedE), e)));
}

void AttentionTiler::setFlag(Value packed, bool isRaised) {
  Value bits = arith::ConstantIntOp::create(b, isRaised, 32);
  b.store(arith::BitcastOp::create(b, b.getF32Type(), bits), scratch, at(place.blockFlag, packed));
}

void AttentionTiler::packFiniteRow(Value source, Value packed, Value key) {
  Value buffer = b.argument(kernel.value.source.getArgNumber()), zero = b.splat(0, lanes), nothing = zero;
  Vectors row;
  auto target = [&](int64_t e) { return at(place.blockValues, b.add(packed, b.add(b.mul(key, paddedE), e))); };
  for (int64_t e = 0; e < kernel.E; e += lanes) {
    row.push_back(load(buffer, b.add(source, e), std::min<int64_t>(lanes, kernel.E - e)));
    store(row.back(), scratch, target(e));
    nothing = vector::FMAOp::create(b, row.back(), zero, nothing); // no number where one of them is not finite
  }
  auto isNumber = [&](Value x) -> Value { return arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, x, x); };
  Value isSpecial = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, nothing, nothing);
  b.branch(vector::ReductionOp::create(b, vector::CombiningKind::OR, isSpecial), [&] {
    setFlag(packed, true);
    for (int64_t e = 0; e < kernel.E; e += lanes) {
      Value isFinite = isNumber(arith::MulFOp::create(b, row[e / lanes], zero));
      store(arith::SelectOp::create(b, isFinite, row[e / lanes], zero), scratch, target(e));
    }
  });
}

void AttentionTiler::clearValueRow(Value target, Value key) {
  for (int64_t e = 0; e < kernel.E; e += lanes)
    store(b.splat(0, lanes), scratch, b.add(target, b.add(b.mul(key, paddedE), e)));
}

void AttentionTiler::clearExcludedValues(Value packed, Value count) {
  b.loop(b.index(0), count, 1, [&](Value key) {
    Value bias = b.load(scratch, at(place.blockBias, b.add(packed, key)));
    Value limit = arith::ConstantOp::create(b, b.getF32FloatAttr(float(kExcluded / 2)));
    b.branch(arith::CmpFOp::create(b, arith::CmpFPredicate::OLE, bias, limit),
             [&] { clearValueRow(at(place.blockValues, packed), key); });
  });
}

/// Keys [firstKey, endKey), transposed, and a bias a key: the mask where it is the same for all queries. The last block
/// is filled up with excluded keys as far as its tiles read.
void AttentionTiler::packKeys(const Group &group, Value firstKey) {
  Value vectors = ceilDiv(group.endKey, lanes), inBlock = b.rem(vectors, b.index(schedule.keyVectors));
  unsigned widest = schedule.widths[schedule.widths.size() - 2]; // of the blocks that are not full
  Value full = b.mul(ceilDiv(vectors, schedule.keyVectors), schedule.keyVectors);
  Value isWide = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, inBlock, b.index(widest));
  vectors = arith::SelectOp::create(b, isWide, full, vectors);
  Value base = keyBase(group);
  Value last = b.sub(keys, b.index(1));
  b.loop(b.divFloor(firstKey, b.index(lanes)), vectors, 1, [&](Value vector) {
    Value block = b.divFloor(vector, b.index(schedule.keyVectors));
    Value column = b.mul(b.rem(vector, b.index(schedule.keyVectors)), lanes);
    Value firstKey = b.mul(vector, lanes);
    Vectors rowOffsets;
    for (unsigned i = 0; i < lanes; ++i) // beyond the last key, the last key again: what is there has no weight
      rowOffsets.push_back(b.add(base, b.mul(b.minimum(b.add(firstKey, i), last), kernel.key.rowStride)));
    Value target = b.add(b.add(b.mul(block, place.blockSize), column), place.blocks);
    Value bias = kernel.mask.perQuery ? Value() : maskBiasOf(group, b.index(0), firstKey);
    packKeyVector(rowOffsets, target, hasKeyMask() ? bias : Value());
    if (bias)
      store(bias, scratch, b.add(target, place.blockBias));
  });
}

/// Values [firstKey, endKey), rows one after the other: apart, rows of a wide buffer fall on few sets of the
/// first-level cache.
void AttentionTiler::packValues(const Group &group, Value firstKey) {
  Value base = valueBase(group);
  b.loop(firstKey, group.endKey, blockKeys, [&](Value firstKey) {
    Value target = b.mul(b.divFloor(firstKey, b.index(blockKeys)), place.blockSize);
    Value packed = at(place.blocks, target);
    target = at(place.blockValues, packed);
    if (leavesOutPairs())
      setFlag(packed, false);
    Value count = b.minimum(b.index(blockKeys), b.sub(group.endKey, firstKey));
    // Rows up to a whole vector of keys are zero, so that they may be multiplied by their weights.
    b.loop(count, b.mul(ceilDiv(count, lanes), lanes), 1, [&](Value key) { clearValueRow(target, key); });
    b.loop(b.index(0), count, 1, [&](Value key) {
      Value row = b.add(base, b.mul(b.add(firstKey, key), kernel.value.rowStride));
      leavesOutPairs() ? packFiniteRow(row, packed, key) : packValueRow(row, target, key);
    });
    if (hasKeyMask())
      clearExcludedValues(packed, count);
  });
}

/// Rows of one tile of a mask that differs by query, as numbers to add.
void AttentionTiler::fillTileBias(const Tile &tile) {
  Value lastQuery = b.sub(queries, b.index(1));
  b.loop(b.index(0), b.index(tile.rows), 1, [&](Value i) {
    Value query = b.minimum(b.add(tile.firstQuery, b.add(tile.row, i)), lastQuery);
    for (unsigned j = 0; j < tile.keyVectors; ++j) {
      Value bias = maskBiasOf(tile.group, query, b.add(tile.firstKey, j * lanes));
      store(bias, scratch, at(place.tileBias, b.add(b.mul(i, blockKeys), j * lanes)));
    }
  });
}

/// Queries [firstQuery, firstQuery + rows), scaled; the last tile is filled up with the last query.
void AttentionTiler::packQueries(const Group &group, Value firstQuery, Value rows) {
  Value buffer = b.argument(kernel.query.source.getArgNumber());
  Value last = b.sub(group.endQuery, b.index(1));
  Value scale = b.splat(kernel.scale * M_LOG2E, lanes);
  Value filled = b.mul(ceilDiv(rows, schedule.kRows), schedule.kRows);
  if (schedule.pipelinedRows)
    filled = signedMax(filled, b.mul(ceilDiv(rows, schedule.pipelinedRows), schedule.pipelinedRows));
  b.loop(b.index(0), filled, 1, [&](Value row) {
    Value source = queryOffset(group, b.minimum(b.add(firstQuery, row), last));
    for (int64_t d = 0; d < kernel.D; d += lanes) {
      Value query = load(buffer, b.add(source, d), std::min<int64_t>(lanes, kernel.D - d));
      store(arith::MulFOp::create(b, query, scale), scratch, at(place.queries, b.add(b.mul(row, paddedD), d)));
    }
    for (int64_t e = 0; e < kernel.E; e += lanes)
      store(b.splat(0, lanes), scratch, at(place.output, b.add(b.mul(row, paddedE), e)));
    store(b.splat(0, lanes), scratch, at(place.sums, b.mul(row, lanes)));
    Value excluded = arith::ConstantOp::create(b, b.getF32FloatAttr(float(kExcluded)));
    b.store(excluded, scratch, at(place.maxima, row));
    b.store(excluded, scratch, at(place.limits, row)); // the slack is lost in a number of this size
  });
}
