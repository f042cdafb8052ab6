// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rows of indices: where they lie, whether they can be read, what they hold.
#include "codegen/tile/SparseAttentionTiler.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

Value SparseAttentionTiler::compare(CmpIPredicate predicate, Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(predicate, x, y);
}
Value SparseAttentionTiler::select(Value condition, Value yes, Value no) {
  return b.createOrFold<arith::SelectOp>(condition, yes, no);
}
Value SparseAttentionTiler::both(Value x, Value y) {
  return b.createOrFold<arith::AndIOp>(x, y);
}
Value SparseAttentionTiler::either(Value x, Value y) {
  return b.createOrFold<arith::OrIOp>(x, y);
}

Value SparseAttentionTiler::loadInteger(Value offset) {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), b.load(scratch, offset));
  return arith::IndexCastUIOp::create(b, b.getIndexType(), bits);
}

void SparseAttentionTiler::storeInteger(Value value, Value offset) {
  Value bits = arith::IndexCastOp::create(b, b.getI32Type(), value);
  b.store(arith::BitcastOp::create(b, b.getF32Type(), bits), scratch, offset);
}

Value SparseAttentionTiler::loadIntegers(Value offset) {
  return arith::BitcastOp::create(b, b.vectorType(lanes, b.getI32Type()), load(scratch, offset));
}

void SparseAttentionTiler::clear(Value first, Value count) {
  b.loop(b.index(0), count, lanes, [&](Value i) { store(b.splat(0, lanes), scratch, b.add(first, i)); });
}

/// Scratch holds f32; this is how bytes in it are reached.
Value SparseAttentionTiler::bytePointer(const DimExpr &part, Value byte) {
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, scratch);
  Value address = b.add(base, b.add(b.mul(b.size(part), int64_t(sizeof(float))), byte));
  Value bits = arith::IndexCastOp::create(b, b.getI64Type(), address);
  return LLVM::IntToPtrOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), bits);
}

Value SparseAttentionTiler::integer(Value index) {
  return b.broadcast(arith::IndexCastOp::create(b, b.getI32Type(), index), lanes);
}

Value SparseAttentionTiler::rowOfQuery(const StoredIndex &index, Value query) {
  return index.rows() ? b.divFloor(query, b.index(index.rows())) : b.index(0);
}

Value SparseAttentionTiler::rowOf(const StoredIndex &index, const Group &group, Value row) {
  Value head = b.divFloor(group.head, b.index(kernel.heads / index.heads()));
  Value number = index.perBatch() ? b.add(b.mul(group.batch, index.heads()), head) : head;
  number = b.add(b.mul(number, b.size(index.rowCount())), row);
  return b.mul(number, b.size(index.type.capacityExpr() + 1));
}

Value SparseAttentionTiler::findFault(const StoredIndex &index, const Group &group, Value firstQuery, Value endQuery) {
  Value buffer = b.argument(index.source.getArgNumber());
  Value capacity = b.size(index.type.capacityExpr()), itemCount = b.size(index.type.itemCount());
  // Negative numbers are large ones here.
  auto number = [&](Value offset) {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), b.load(buffer, offset)).getResult();
  };
  Value firstRow = rowOfQuery(index, firstQuery), lastRow = rowOfQuery(index, b.sub(endQuery, b.index(1)));
  Value none = arith::ConstantIntOp::create(b, 0, 1);
  Value zeros = arith::ConstantOp::create(b, b.getZeroAttr(b.vectorType(lanes, b.getI32Type())));
  Value fault = b.loop(firstRow, b.add(lastRow, 1), 1, none, [&](Value row, ValueRange carried) {
    Value begin = rowOf(index, group, row), count = number(begin), first = b.add(begin, 1);
    Value found = either(carried[0], compare(CmpIPredicate::ugt, count, capacity));
    count = b.minimum(count, capacity);
    Value whole = b.mul(b.divFloor(count, b.index(lanes)), lanes);
    Value most = b.loop(b.index(0), whole, lanes, zeros, [&](Value i, ValueRange carried) {
      Value items = b.loadVector(buffer, b.add(first, i), lanes);
      return Vectors{arith::MaxUIOp::create(b, carried[0], items)};
    })[0];
    Value isBeyond = compare(CmpIPredicate::uge, most, integer(itemCount));
    Value hasWhole = compare(CmpIPredicate::ne, whole, b.index(0)); // of no items at all, none is too large
    isBeyond = both(hasWhole, vector::ReductionOp::create(b, vector::CombiningKind::OR, isBeyond));
    return b.loop(whole, count, 1, either(found, isBeyond), [&](Value i, ValueRange carried) {
      Value item = number(b.add(first, i));
      return Vectors{either(carried[0], compare(CmpIPredicate::uge, item, itemCount))};
    });
  })[0];
  return arith::ExtUIOp::create(b, b.getI32Type(), fault);
}

SparseAttentionTiler::Vectors SparseAttentionTiler::items(const StoredIndex &index, Value row, ValueRange init,
                                                          llvm::function_ref<Vectors(Value, ValueRange)> body) {
  Value buffer = b.argument(index.source.getArgNumber());
  auto number = [&](Value offset) {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), b.load(buffer, offset)).getResult();
  };
  Value first = b.add(row, 1);
  return b.loop(b.index(0), number(row), 1, init,
                [&](Value i, ValueRange carried) { return body(number(b.add(first, i)), carried); });
}

/// A row of a band holds the items where its queries stand, which follow each other, and some more on either side.
SparseAttentionTiler::Range SparseAttentionTiler::rangeOf(const BandIndex &band, Value query) {
  Value first = b.mul(b.divFloor(query, b.index(band.rows)), band.rows);
  Value last = b.sub(signedMin(b.add(first, band.rows), queries), b.index(1));
  auto itemAt = [&](Value position) { return b.createOrFold<arith::FloorDivSIOp>(position, b.index(band.columns)); };
  auto limited = [&](Value item) { // the key that it begins with
    return signedMin(signedMax(b.mul(item, band.columns), b.index(0)), keys);
  };
  Value low = limited(b.sub(itemAt(positionOf(first)), b.index(band.before)));
  Value high = limited(b.add(itemAt(positionOf(last)), band.after + 1));
  return {low, high, signedMin(b.index(band.sinks * band.columns), keys)};
}
