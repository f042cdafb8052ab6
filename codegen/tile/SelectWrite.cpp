// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a limit to the items of a row; and small pieces over integers in vectors.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

Value SelectTiler::integer(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

Value SelectTiler::integers(int64_t value) {
  auto type = b.vectorType(lanes, b.getI32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, b.getI32IntegerAttr(int32_t(value)).getValue()));
}

Value SelectTiler::toInteger(Value index) {
  return b.createOrFold<arith::IndexCastOp>(b.getI32Type(), index);
}
Value SelectTiler::toIndex(Value integer) {
  return b.createOrFold<arith::IndexCastOp>(b.getIndexType(), integer);
}

Value SelectTiler::iota() {
  SmallVector<int32_t> numbers(lanes);
  std::iota(numbers.begin(), numbers.end(), 0);
  return arith::ConstantOp::create(b, DenseIntElementsAttr::get(b.vectorType(lanes, b.getI32Type()), numbers));
}

Value SelectTiler::compare(CmpIPredicate predicate, Value x, Value y) {
  return b.createOrFold<arith::CmpIOp>(predicate, x, y);
}

Value SelectTiler::pick(Value condition, Value yes, Value no) {
  return b.createOrFold<arith::SelectOp>(condition, yes, no);
}

Value SelectTiler::positionsAt(Value position) {
  return arith::AddIOp::create(b, splatOf(position), iota());
}

Value SelectTiler::itemsAt(const Positions &positions, Value position) {
  Value numbers = positionsAt(position);
  if (!kernel.candidates)
    return numbers;
  Value isSink = compare(CmpIPredicate::slt, numbers, splatOf(positions.span.sinks));
  Value gap = splatOf(b.sub(positions.span.first, positions.span.sinks));
  return pick(isSink, numbers, arith::AddIOp::create(b, numbers, gap));
}

Value SelectTiler::loadInts(Value offset) {
  return arith::BitcastOp::create(b, b.vectorType(lanes, b.getI32Type()), load(offset));
}

void SelectTiler::store(Value vector, Value offset) {
  if (cast<VectorType>(vector.getType()).getElementType().isInteger(32))
    vector = arith::BitcastOp::create(b, b.vectorType(lanes), vector);
  b.storeVector(vector, b.scratch(), offset);
}

Value SelectTiler::loadInt(Value offset) {
  return arith::BitcastOp::create(b, b.getI32Type(), b.load(b.scratch(), offset));
}

void SelectTiler::storeInt(Value scalar, Value offset) {
  b.store(arith::BitcastOp::create(b, b.getF32Type(), scalar), b.scratch(), offset);
}

Value SelectTiler::maskBits(Value mask) {
  Value bits = vector::BitCastOp::create(b, VectorType::get({1}, b.getIntegerType(lanes)), mask);
  return arith::ExtUIOp::create(b, b.getI32Type(), vector::ExtractOp::create(b, bits, int64_t(0)));
}

Value SelectTiler::maskCount(Value mask) {
  return toIndex(math::CtPopOp::create(b, maskBits(mask)));
}

Value SelectTiler::append(Value values, Value mask, Value to) {
  Value bits = maskBits(mask);
  if (lanes == 16) { // one instruction, while storing compressed is slow where it is done in steps
    Value nothing = integers(0);
    auto packed = LLVM::CallIntrinsicOp::create(
        b, values.getType(), b.getStringAttr("llvm.experimental.vector.compress"), ValueRange{values, mask, nothing});
    store(packed.getResult(0), to);
  } else {
    b.branch(compare(CmpIPredicate::ne, bits, integer(0)), [&] {
      Value next = to;
      for (unsigned lane = 0; lane < lanes; ++lane) { // what is not kept, the next one overwrites
        storeInt(vector::ExtractOp::create(b, values, int64_t(lane)), next);
        Value bit = arith::AndIOp::create(b, arith::ShRUIOp::create(b, bits, integer(lane)), integer(1));
        next = b.add(next, toIndex(bit));
      }
    });
  }
  return toIndex(math::CtPopOp::create(b, bits));
}

/// The position behind the last tie that is kept.
Value SelectTiler::tiesEnd(const Positions &positions, Value ranks, const Choice &choice) {
  Value zero = b.index(0), none = compare(CmpIPredicate::eq, choice.ties, zero);
  auto tiesAt = [&](Value position) {
    return compare(CmpIPredicate::eq, loadInts(b.add(ranks, position)), splat(choice.limit));
  };
  return ifElse(
      none, [&] { return Values{zero}; },
      [&] {
        // `left` ties are in none of the vectors before the position.
        Values place = whileLoop(
            {zero, choice.ties, zero},
            [&](ValueRange state) {
              Value exists = compare(CmpIPredicate::ult, state[0], positions.padded);
              return arith::AndIOp::create(b, exists, compare(CmpIPredicate::ult, state[2], state[1]));
            },
            [&](ValueRange state) {
              Value count = maskCount(tiesAt(state[0]));
              Value isLast = compare(CmpIPredicate::uge, count, state[1]);
              Value next = b.add(state[0], int64_t(lanes));
              return Values{pick(isLast, state[0], next), pick(isLast, state[1], b.sub(state[1], count)),
                            pick(isLast, count, zero)};
            });
        Value isFound = compare(CmpIPredicate::ult, place[0], positions.padded);
        return ifElse(
            isFound,
            [&] {
              Value bits =
                  b.loop(b.index(1), place[1], 1, {maskBits(tiesAt(place[0]))}, [&](Value, ValueRange carried) {
                    Value below = arith::SubIOp::create(b, carried[0], integer(1));
                    return Values{arith::AndIOp::create(b, carried[0], below)}; // without the lowest
                  })[0];
              Value lane = toIndex(math::CountTrailingZerosOp::create(b, bits));
              return Values{b.add(b.add(place[0], lane), 1)};
            },
            [&] { return Values{positions.padded}; });
      })[0];
}

Value SelectTiler::list(const Positions &positions, Value ranks, const Choice &choice, Value capacity) {
  Value end = splatOf(tiesEnd(positions, ranks, choice)), limit = splat(choice.limit);
  Value next = arith::AddIOp::create(b, limit, integers(1));
  return b.loop(b.index(0), positions.padded, lanes, {b.index(0)}, [&](Value position, ValueRange carried) {
    Value isTie = compare(CmpIPredicate::slt, positionsAt(position), end);
    Value isKept = compare(CmpIPredicate::sge, loadInts(b.add(ranks, position)), pick(isTie, limit, next));
    Value count = append(itemsAt(positions, position), isKept, at(place.list, carried[0]));
    return Values{signedMin(b.add(carried[0], count), capacity)};
  })[0];
}

/// The row as it is stored, zeros behind its items.
void SelectTiler::writeRow(const Group &group, Value row, Value count) {
  Value capacity = b.size(kernel.storedCapacity), head = b.add(b.mul(group.batch, kernel.heads), group.head);
  Value base = b.mul(b.add(b.mul(head, b.size(kernel.storedRows)), row), b.add(capacity, 1));
  b.store(toInteger(count), b.result(0), base);
  base = b.add(base, 1);
  auto items = [&](Value i) {
    Value isItem = compare(CmpIPredicate::slt, positionsAt(i), splatOf(count));
    return pick(isItem, loadInts(at(place.list, i)), integers(0));
  };
  Value rest = b.rem(capacity, b.index(lanes)), whole = b.sub(capacity, rest);
  b.loop(b.index(0), whole, lanes, [&](Value i) { b.storeVector(items(i), b.result(0), b.add(base, i)); });
  b.branch(compare(CmpIPredicate::ne, rest, b.index(0)), [&] {
    Value exists = vector::CreateMaskOp::create(b, VectorType::get({int64_t(lanes)}, b.getI1Type()), rest);
    vector::MaskedStoreOp::create(b, b.result(0), b.add(base, whole), exists, items(whole));
  });
}

void SelectTiler::clearFlags() {
  b.loop(b.index(0), fillUp(b.size(kernel.items)), lanes, [&](Value i) { store(integers(0), at(place.flags, i)); });
}

void SelectTiler::raiseFlags(Value count) {
  b.loop(b.index(0), count, 1,
         [&](Value i) { storeInt(integer(1), at(place.flags, toIndex(loadInt(at(place.list, i))))); });
}
