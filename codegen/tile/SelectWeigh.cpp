// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums of softmax weights over blocks or diagonals of scores, some rows of scores at a time; and what lies on
// diagonals.
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

/// How many columns of scores a row of them may read.
Value SelectTiler::weighedEnd(Value scoreRow) {
  Value columns = b.size(kernel.weighed.columns);
  if (!kernel.weighed.op.getCausal())
    return columns;
  int64_t width = kernel.weighed.op.getWidth();
  Value last = b.sub(signedMin(b.size(kernel.weighed.queries), b.mul(b.add(scoreRow, 1), width)), b.index(1));
  Value key = b.add(last, b.sub(b.size(kernel.keys), b.size(kernel.weighed.queries)));
  return signedMax(b.index(0), signedMin(columns, b.add(floorDiv(key, width), 1)));
}

/// The rows of scores behind the last that is summed to `row`.
Value SelectTiler::weighedRowsEnd(Value row) {
  int64_t rows = kernel.weighed.op.getRows();
  Value all = b.size(kernel.weighed.rows);
  return rows ? b.minimum(all, b.mul(b.add(row, 1), rows)) : all;
}

SelectTiler::Positions SelectTiler::weighedColumns(Value row) {
  Value zero = b.index(0), end = weighedEnd(b.sub(weighedRowsEnd(row), b.index(1)));
  return {{zero, zero, end}, end, fillUp(end)};
}

/// The scores of a selected row: sums of weights.
void SelectTiler::weigh(const Group &group, Value row) {
  int64_t rows = kernel.weighed.op.getRows();
  Value begin = rows ? b.mul(row, rows) : b.index(0), end = weighedRowsEnd(row);
  b.loop(b.index(0), fillUp(b.size(kernel.items)), lanes,
         [&](Value i) { store(b.splat(0, lanes), at(place.sums, i)); });
  b.loop(begin, end, kernel.tileRows(), [&](Value first) {
    Value count = b.minimum(b.index(kernel.tileRows()), b.sub(end, first));
    score(group, first, count, fillUp(weighedEnd(b.sub(b.add(first, count), b.index(1)))));
    b.loop(b.index(0), count, 1,
           [&](Value i) { addWeights(b.add(first, i), at(place.scores, b.mul(i, b.size(place.stride)))); });
  });
}

/// Softmax of a row of scores, in place but for the sum that divides it; then into the sums.
void SelectTiler::addWeights(Value scoreRow, Value scores) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Value end = weighedEnd(scoreRow), padded = fillUp(end), zero = b.index(0), least = b.splat(-infinity, lanes);
  Value scale = b.splat(kernel.weighed.op.getScale().convertToDouble(), lanes), nothing = b.splat(0, lanes);
  auto scaledAt = [&](Value position) {
    return arith::MulFOp::create(b, load(b.add(scores, position)), scale).getResult();
  };
  auto isWeighed = [&](Value position, Value x) {
    Value isNumber = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, x, x);
    Value valid = arith::AndIOp::create(b, compare(CmpIPredicate::slt, positionsAt(position), splatOf(end)), isNumber);
    if (!kernel.weighed.mask)
      return valid;
    Value isKept = compare(CmpIPredicate::ne, loadInts(at(place.keptColumns, position)), integers(0));
    return arith::AndIOp::create(b, valid, isKept).getResult();
  };
  Value most = b.loop(zero, padded, lanes, {least}, [&](Value position, ValueRange carried) {
    Value x = scaledAt(position);
    return Values{arith::MaximumFOp::create(b, carried[0], pick(isWeighed(position, x), x, least))};
  })[0];
  most = b.broadcast(vector::ReductionOp::create(b, vector::CombiningKind::MAXIMUMF, most), lanes);
  Value sum = b.loop(zero, padded, lanes, {nothing}, [&](Value position, ValueRange carried) {
    Value x = scaledAt(position), isMost = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, most);
    // An infinity less itself is no number.
    Value weight = pick(isMost, b.splat(1, lanes), math.exp(arith::SubFOp::create(b, x, most)));
    weight = pick(isWeighed(position, x), weight, nothing);
    store(weight, b.add(scores, position));
    return Values{arith::AddFOp::create(b, carried[0], weight)};
  })[0];
  sum = vector::ReductionOp::create(b, vector::CombiningKind::ADD, sum, arith::FastMathFlags::reassoc);
  Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1)),
        none = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, none);
  Value share = pick(isEmpty, none, arith::DivFOp::create(b, one, sum));
  Value shares = b.broadcast(share, lanes);
  auto addTo = [&](Value weights, Value offset) {
    store(arith::AddFOp::create(b, load(offset), arith::MulFOp::create(b, weights, shares)), offset);
  };
  int64_t columns = kernel.weighed.op.getColumns();
  if (kernel.weighed.op.getKind() == sattn::WeighKind::diagonals) {
    // Distances ascend where keys descend.
    SmallVector<int64_t> reversed;
    for (unsigned lane = lanes; lane > 0; --lane)
      reversed.push_back(lane - 1);
    Value stands = b.add(scoreRow, b.sub(b.size(kernel.keys), b.size(kernel.weighed.queries)));
    return b.loop(zero, padded, lanes, [&](Value position) {
      Value weights = load(b.add(scores, position));
      Value distance = b.sub(b.sub(stands, position), b.index(lanes - 1)); // of the last; below zero none is left
      addTo(vector::ShuffleOp::create(b, weights, weights, reversed), at(place.sums, distance));
    });
  }
  if (columns == 1)
    return b.loop(zero, padded, lanes,
                  [&](Value position) { addTo(load(b.add(scores, position)), at(place.sums, position)); });
  b.loop(zero, b.divFloor(b.add(end, columns - 1), b.index(columns)), 1, [&](Value item) {
    Value first = b.mul(item, columns), last = b.minimum(end, b.add(first, columns));
    Value total = b.loop(first, last, 1, {none}, [&](Value position, ValueRange carried) {
      return Values{arith::AddFOp::create(b, carried[0], b.load(b.scratch(), b.add(scores, position)))};
    })[0];
    Value offset = at(place.sums, item);
    total = arith::MulFOp::create(b, total, share);
    b.store(arith::AddFOp::create(b, b.load(b.scratch(), offset), total), b.scratch(), offset);
  });
}

/// Every stored row of a head, from the `count` distances in the list.
void SelectTiler::writeDiagonals(const Group &group, Value count) {
  sattn::DiagonalsOp op = kernel.diagonals;
  int64_t rows = op.getType().getRows(), columns = op.getType().getColumns();
  Value zero = b.index(0), items = b.size(kernel.flagCount), queries = b.size(kernel.queries);
  Value offset = b.sub(b.size(kernel.keys), queries);
  b.loop(zero, count, 1, [&](Value i) { storeInt(loadInt(at(place.list, i)), at(place.distances, i)); });
  b.loop(zero, b.size(kernel.storedRows), 1, [&](Value row) {
    clearFlags();
    Value first = b.add(b.mul(row, rows), offset);
    Value last = b.sub(b.add(signedMin(queries, b.mul(b.add(row, 1), rows)), offset), b.index(1));
    b.loop(zero, count, 1, [&](Value i) {
      Value distance = toIndex(loadInt(at(place.distances, i)));
      Value low = floorDiv(signedMax(zero, b.sub(first, distance)), columns);
      Value high = b.add(floorDiv(signedMax(b.index(-1), b.sub(last, distance)), columns), 1);
      b.loop(low, signedMax(low, high), 1, [&](Value item) { storeInt(integer(1), at(place.flags, item)); });
    });
    Positions all{{zero, zero, items}, items, fillUp(items)};
    writeRow(group, row, list(all, b.size(place.flags), {integer(0), zero}, b.size(kernel.storedCapacity)));
  });
}
