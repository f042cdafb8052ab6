// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Selection: work groups, tiles of rows, which items they may read.
#include "codegen/tile/Select.h"
#include "codegen/tile/SelectTiler.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tamis;

SelectTiler::SelectTiler(KernelBuilder &builder, SelectKernel &kernel, const CpuTarget &target)
    : b(builder), kernel(kernel), place(kernel), math(builder), lanes(target.lanes), registers(target.registers) {}

Value SelectTiler::signedMin(Value x, Value y) {
  return b.createOrFold<arith::MinSIOp>(x, y);
}
Value SelectTiler::signedMax(Value x, Value y) {
  return b.createOrFold<arith::MaxSIOp>(x, y);
}
Value SelectTiler::floorDiv(Value x, int64_t y) {
  return y == 1 ? x : b.createOrFold<arith::FloorDivSIOp>(x, b.index(y));
}
Value SelectTiler::fillUp(Value count) {
  constexpr int64_t block = SelectScratch::kBlock;
  return b.mul(b.divFloor(b.add(count, block - 1), b.index(block)), block);
}

SelectTiler::Values SelectTiler::ifElse(Value condition, llvm::function_ref<Values()> yes,
                                        llvm::function_ref<Values()> no) {
  auto fill = [&](llvm::function_ref<Values()> body) {
    return [this, body](OpBuilder &builder, Location) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(builder.getInsertionBlock());
      scf::YieldOp::create(b, body());
    };
  };
  return Values(scf::IfOp::create(b, condition, fill(yes), fill(no)).getResults());
}

SelectTiler::Values SelectTiler::whileLoop(ValueRange init, llvm::function_ref<Value(ValueRange)> condition,
                                           llvm::function_ref<Values(ValueRange)> body) {
  auto before = [&](OpBuilder &builder, Location, ValueRange carried) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(builder.getInsertionBlock());
    scf::ConditionOp::create(b, condition(carried), carried);
  };
  auto after = [&](OpBuilder &builder, Location, ValueRange carried) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(builder.getInsertionBlock());
    scf::YieldOp::create(b, body(carried));
  };
  return Values(scf::WhileOp::create(b, init.getTypes(), init, before, after).getResults());
}

Value SelectTiler::lastKeyOf(Value row) {
  Value queries = b.size(kernel.queries), end = queries;
  if (kernel.R)
    end = signedMin(queries, b.mul(b.add(row, 1), kernel.R));
  return b.sub(b.add(b.sub(end, queries), b.size(kernel.keys)), b.index(1));
}

/// The items that rows [firstRow, lastRow] may read, by order and candidates.
SelectTiler::Span SelectTiler::spanOf(Value firstRow, Value lastRow) {
  Value zero = b.index(0), limit = b.size(kernel.items), last = floorDiv(lastKeyOf(lastRow), kernel.C);
  if (kernel.op.getCausal())
    limit = signedMax(zero, signedMin(limit, b.add(last, 1)));
  if (!kernel.candidates)
    return {zero, zero, limit};
  // A row stands at the items of its queries.
  Value firstKey = b.add(b.mul(firstRow, kernel.R), b.sub(b.size(kernel.keys), b.size(kernel.queries)));
  Value first = b.sub(floorDiv(firstKey, kernel.C), b.index(kernel.candidates.getBefore()));
  Span span;
  span.first = signedMax(zero, signedMin(limit, first));
  span.end = signedMax(span.first, signedMin(limit, b.add(last, int64_t(kernel.candidates.getAfter()) + 1)));
  span.sinks = signedMin(limit, b.index(kernel.candidates.getSinks()));
  return span;
}

SelectTiler::Positions SelectTiler::positionsOf(const Span &span) {
  Positions positions{span, span.end, {}};
  if (kernel.candidates) {
    Value zero = b.index(0), meets = compare(arith::CmpIPredicate::sge, span.sinks, span.first);
    positions.span.first = pick(meets, zero, span.first);
    positions.span.end = pick(meets, signedMax(span.sinks, span.end), span.end);
    positions.span.sinks = pick(meets, zero, span.sinks);
    positions.count = b.add(positions.span.sinks, b.sub(positions.span.end, positions.span.first));
  }
  positions.padded = fillUp(positions.count);
  return positions;
}

SelectTiler::Row SelectTiler::rowOf(Value number, Value inTile, const Positions &tile) {
  Row row{number, inTile, tile, spanOf(number, number), {}, {}};
  row.last = signedMax(b.index(-1), floorDiv(lastKeyOf(number), kernel.C));
  Value end = signedMax(row.readable.end, row.readable.sinks);
  row.positions.count = b.add(tile.span.sinks, signedMax(b.index(0), b.sub(end, tile.span.first)));
  row.positions.padded = fillUp(row.positions.count);
  row.ranks = kernel.weighed.op ? b.size(place.sums) : at(place.scores, b.mul(inTile, b.size(place.stride)));
  return row;
}

Value SelectTiler::itemAt(const Positions &positions, Value position) {
  if (!kernel.candidates)
    return position;
  Value isSink = compare(arith::CmpIPredicate::ult, position, positions.span.sinks);
  Value shifted = b.add(position, b.sub(positions.span.first, positions.span.sinks));
  return pick(isSink, position, shifted);
}

void SelectTiler::tiles(const Group &group, Value first, Value end, llvm::function_ref<void(Value, Value)> then) {
  if (kernel.weighed.op) // a tile is of the rows of scores that are summed to one
    return b.loop(first, end, 1, [&](Value number) {
      weigh(group, number);
      Row row = rowOf(number, b.index(0), positionsOf(spanOf(number, number)));
      Choice choice = choose(row, rank(row));
      then(number, list(row.positions, row.ranks, choice, b.size(kernel.capacity)));
    });
  b.loop(first, end, kernel.tileRows(), [&](Value firstRow) {
    Value rows = b.minimum(b.index(kernel.tileRows()), b.sub(end, firstRow));
    Positions positions = positionsOf(spanOf(firstRow, b.add(firstRow, b.sub(rows, b.index(1)))));
    if (kernel.candidates) // no two tiles have the same
      pack(group, positions, positions);
    if (kernel.scores) // a tile is one row
      copyScores(group, firstRow, positions);
    else
      score(group, firstRow, rows, positions.padded);
    b.loop(b.index(0), rows, 1, [&](Value i) {
      Row row = rowOf(b.add(firstRow, i), i, positions);
      Choice choice = choose(row, rank(row));
      Value count = list(row.positions, row.ranks, choice, b.size(kernel.capacity));
      then(row.number, kernel.refined.op ? refine(group, row.number, count) : count);
    });
  });
}

void SelectTiler::group(Value index) {
  Value stored = b.size(kernel.storedRows), perGroup = b.size(kernel.groupRows());
  Value chunks = b.size(kernel.groupCount()), head = b.divFloor(index, chunks);
  Group group;
  group.head = b.rem(head, b.index(kernel.heads));
  group.batch = b.divFloor(head, b.index(kernel.heads));
  group.keyHead = b.divFloor(group.head, b.index(kernel.groupSize));
  Value first = b.mul(b.rem(index, chunks), perGroup), end = b.minimum(stored, b.add(first, perGroup));
  int64_t joined = kernel.joinedRows();
  auto rowAt = [&](Value storedRow) { // the first one that is joined in it
    return joined ? b.minimum(b.size(kernel.rows), b.mul(storedRow, joined)) : b.mul(b.size(kernel.rows), storedRow);
  };
  if (kernel.diagonals) {
    Positions items = positionsOf(spanOf(b.index(0), b.index(0)));
    pack(group, items, weighedColumns(b.index(0)));
    return tiles(group, b.index(0), b.index(1), [&](Value, Value count) { writeDiagonals(group, count); });
  }
  if (!kernel.candidates) {
    Value last = b.sub(rowAt(end), b.index(1));
    Positions items = positionsOf(spanOf(rowAt(first), last));
    pack(group, items, kernel.weighed.op ? weighedColumns(last) : items);
  }
  if (!kernel.coarsen)
    return tiles(group, first, end, [&](Value row, Value count) { writeRow(group, row, count); });
  b.loop(first, end, 1, [&](Value row) {
    Value items = b.size(kernel.items), zero = b.index(0);
    clearFlags();
    tiles(group, rowAt(row), rowAt(b.add(row, 1)), [&](Value, Value count) { raiseFlags(count); });
    Positions all{{zero, zero, items}, items, fillUp(items)};
    writeRow(group, row, list(all, b.size(place.flags), {integer(0), zero}, b.size(kernel.storedCapacity)));
  });
}

void SelectTiler::emit() {
  b.loop(b.begin(), b.end(), 1, [&](Value index) { group(index); });
}

LogicalResult tamis::tileSelect(func::FuncOp function, const CpuTarget &target) {
  auto kernel = SelectKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  SelectTiler(builder, *kernel, target).emit();
  builder.finish();
  return success();
}

FailureOr<Launch> tamis::selectLaunch(func::FuncOp function) {
  auto kernel = SelectKernel::analyse(function);
  if (failed(kernel))
    return failure();
  DimExpr chunks = kernel->groupCount();
  DimExpr bytes = SelectScratch(*kernel).total * int64_t(sizeof(float));
  return Launch{kernel->batch * kernel->heads * chunks, bytes};
}
