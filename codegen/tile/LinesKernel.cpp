// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of lines compute, and the code of one line.
#include "codegen/tile/LinesKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using arith::CmpIPredicate;
using K = ElementwiseKind;

FailureOr<LinesKernel> LinesKernel::analyse(func::FuncOp function) {
  LinesKernel kernel;
  kernel.op = nullptr;
  for (Operation &op : function.front().without_terminator()) {
    if (kernel.op || !isa<CumulativeOp, TopKOp, ScatterOp>(op))
      return op.emitOpError("cannot be computed in a kernel of lines");
    kernel.op = &op;
  }
  Operation *terminator = function.front().getTerminator();
  if (!kernel.op || terminator->getNumOperands() != 1 || terminator->getOperand(0) != kernel.op->getResult(0))
    return function.emitOpError("is no single op on lines whose result it returns");
  for (Value operand : kernel.op->getOperands()) {
    auto argument = dyn_cast<BlockArgument>(operand);
    if (!argument)
      return kernel.op->emitOpError("has an operand that is no argument of its kernel");
    kernel.operands.push_back(argument);
  }
  kernel.element = cast<RankedTensorType>(kernel.operands[0].getType()).getElementType();
  if (!ElementMath::isSupported(kernel.element))
    return kernel.op->emitOpError() << "has elements of type " << kernel.element << ", which kernels do not compute";
  Dims dims = dimsOf(kernel.operands[0].getType());
  size_t begin, count = 1;
  if (auto cumulative = dyn_cast<CumulativeOp>(kernel.op)) {
    begin = cumulative.getAxis();
  } else if (auto top = dyn_cast<TopKOp>(kernel.op)) {
    begin = top.getAxis();
  } else {
    begin = cast<ScatterOp>(kernel.op).getBatchDims();
    count = *dimsOf(kernel.operands[1].getType()).back().constant();
  }
  kernel.outer = product(ArrayRef(dims).take_front(begin));
  kernel.length = product(ArrayRef(dims).slice(begin, count));
  kernel.inner = product(ArrayRef(dims).drop_front(begin + count));
  return kernel;
}

Value LineWriter::compare(CmpIPredicate predicate, Value a, Value c) {
  return b.createOrFold<arith::CmpIOp>(predicate, a, c);
}
Value LineWriter::select(Value condition, Value yes, Value no) {
  return b.createOrFold<arith::SelectOp>(condition, yes, no);
}

LineWriter::Line LineWriter::line(Value number, const DimExpr &results) {
  Value inner = b.size(kernel.inner), outer = b.divFloor(number, inner), rest = b.rem(number, inner);
  return {b.add(b.mul(outer, b.mul(b.size(kernel.length), inner)), rest),
          b.add(b.mul(outer, b.mul(b.size(results), inner)), rest), inner};
}

Value LineWriter::load(unsigned operand, Type element, Value offset) {
  return math.fromStorage(b.load(b.argument(kernel.operands[operand].getArgNumber()), offset), element);
}

void LineWriter::cumulative(Value number) {
  auto op = cast<CumulativeOp>(kernel.op);
  Line at = line(number, kernel.length);
  Value count = b.size(kernel.length), last = b.sub(count, b.index(1));
  Value one = arith::ConstantOp::create(b, b.getI64IntegerAttr(1)); // a sum is not divided by it
  b.loop(b.index(0), count, 1, {math.reduceInit(op.getKind(), kernel.element)}, [&](Value i, ValueRange state) {
    Value offset = b.add(at.first, b.mul(op.getReverse() ? b.sub(last, i) : i, at.step));
    Value next = math.reduceStep(op.getKind(), state[0], input(offset), kernel.element);
    Value given = math.reduceFinish(op.getKind(), op.getExclusive() ? state[0] : next, one, kernel.element);
    b.store(math.toStorage(given, kernel.element), b.result(0), offset);
    return SmallVector<Value>{next};
  });
}

Value LineWriter::comesBefore(Value a, Value c) {
  bool smallest = cast<TopKOp>(kernel.op).getSmallest();
  Value before = math.elementwise(smallest ? K::less : K::greater, {a, c}, kernel.element);
  if (!isa<FloatType>(kernel.element))
    return before;
  // NaN is larger than any number.
  Value high = smallest ? c : a, low = smallest ? a : c;
  Value isHigh = math.elementwise(K::isnan, {high}, kernel.element);
  Value isLow = math.elementwise(K::equal, {low, low}, kernel.element);
  return arith::OrIOp::create(b, before, arith::AndIOp::create(b, isHigh, isLow));
}

// Scratch is of f32; places are kept as bits of its elements.
Value LineWriter::place(Value offset) {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), b.load(b.scratch(), offset));
  return arith::IndexCastUIOp::create(b, b.getIndexType(), bits);
}
void LineWriter::setPlace(Value number, Value offset) {
  Value bits = arith::IndexCastUIOp::create(b, b.getI32Type(), number);
  b.store(arith::BitcastOp::create(b, b.getF32Type(), bits), b.scratch(), offset);
}

/// Sorted places [begin, middle) and [middle, end) from `from` on become sorted ones from `to` on.
void LineWriter::merge(const Line &at, Value from, Value to, Value begin, Value middle, Value end) {
  // A run that is used up is read at its last place, and what is read there decides nothing.
  auto within = [&](Value i, Value high) { return b.minimum(i, b.sub(high, b.index(1))); };
  b.loop(begin, end, 1, {begin, middle}, [&](Value i, ValueRange next) {
    Value left = place(b.add(from, within(next[0], middle))), right = place(b.add(from, within(next[1], end)));
    Value first = input(b.add(at.first, b.mul(left, at.step))), second = input(b.add(at.first, b.mul(right, at.step)));
    Value hasLeft = compare(CmpIPredicate::ult, next[0], middle), hasRight = compare(CmpIPredicate::ult, next[1], end);
    Value takesRight = arith::AndIOp::create(b, hasRight, comesBefore(second, first));
    Value isOver = arith::XOrIOp::create(b, hasLeft, arith::ConstantOp::create(b, b.getBoolAttr(true)));
    takesRight = arith::OrIOp::create(b, takesRight, isOver);
    setPlace(select(takesRight, right, left), b.add(to, i));
    return SmallVector<Value>{select(takesRight, next[0], b.add(next[0], 1)),
                              select(takesRight, b.add(next[1], 1), next[1])};
  });
}

void LineWriter::sorted(Value number) {
  DimExpr wanted = dimsOf(kernel.op->getResult(0).getType())[cast<TopKOp>(kernel.op).getAxis()];
  Line at = line(number, wanted);
  Value count = b.size(kernel.length), zero = b.index(0);
  b.loop(zero, count, 1, [&](Value i) { setPlace(i, i); });
  // Runs of twice the length each time, from one half of scratch to the other.
  Type index = b.getIndexType();
  auto runs = scf::WhileOp::create(
      b, TypeRange{index, index, index}, ValueRange{b.index(1), zero, count},
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        Value isShort = arith::CmpIOp::create(nested, loc, CmpIPredicate::ult, state[0], count);
        scf::ConditionOp::create(nested, loc, isShort, state);
      },
      [&](OpBuilder &nested, Location loc, ValueRange state) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(nested.getInsertionBlock());
        Value width = state[0], both = b.mul(width, 2);
        Value pairs = b.divFloor(b.add(count, b.sub(both, b.index(1))), both);
        b.loop(b.index(0), pairs, 1, [&](Value pair) {
          Value begin = b.mul(pair, both), middle = b.minimum(b.add(begin, width), count);
          merge(at, state[1], state[2], begin, middle, b.minimum(b.add(begin, both), count));
        });
        scf::YieldOp::create(b, ValueRange{both, state[2], state[1]});
      });
  Value from = runs.getResult(1);
  b.loop(zero, b.size(wanted), 1, [&](Value i) {
    Value found = arith::IndexCastOp::create(b, b.getI64Type(), place(b.add(from, i)));
    b.store(found, b.result(0), b.add(at.firstResult, b.mul(i, at.step)));
  });
}

void LineWriter::ranked(Value number, Value own) {
  DimExpr wanted = dimsOf(kernel.op->getResult(0).getType())[cast<TopKOp>(kernel.op).getAxis()];
  Line at = line(number, wanted);
  Value mine = input(b.add(at.first, b.mul(own, at.step)));
  auto rank = b.loop(b.index(0), b.size(kernel.length), 1, {b.index(0)}, [&](Value i, ValueRange state) {
    Value other = input(b.add(at.first, b.mul(i, at.step)));
    // An earlier one comes before unless this one is better; a later one only when it is better.
    Value keeps = arith::XOrIOp::create(b, comesBefore(mine, other), arith::ConstantOp::create(b, b.getBoolAttr(true)));
    Value isBefore = select(compare(CmpIPredicate::ult, i, own), keeps, comesBefore(other, mine));
    return SmallVector<Value>{select(isBefore, b.add(state[0], 1), state[0])};
  });
  b.branch(compare(CmpIPredicate::ult, rank[0], b.size(wanted)), [&] {
    Value found = arith::IndexCastOp::create(b, b.getI64Type(), own);
    b.store(found, b.result(0), b.add(at.firstResult, b.mul(rank[0], at.step)));
  });
}

Value LineWriter::scatter(Value batch, Value begin, Value end) {
  auto op = cast<ScatterOp>(kernel.op);
  Dims data = dimsOf(op.getData().getType()), indices = dimsOf(op.getIndices().getType());
  size_t first = op.getBatchDims(), width = *indices.back().constant();
  Value inner = b.size(kernel.inner), length = b.size(kernel.length), item = b.mul(batch, length);
  b.loop(b.index(0), length, 1, [&](Value row) {
    Value offset = b.mul(b.add(item, row), inner);
    b.loop(begin, end, 1, [&](Value e) {
      Value at = b.add(offset, e);
      b.store(b.load(b.argument(kernel.operands[0].getArgNumber()), at), b.result(0), at);
    });
  });
  Value count = b.size(product(ArrayRef(indices).drop_front(first).drop_back()));
  Value fine = arith::ConstantOp::create(b, b.getI32IntegerAttr(0)),
        bad = arith::ConstantOp::create(b, b.getI32IntegerAttr(1));
  auto status = b.loop(b.index(0), count, 1, {fine}, [&](Value i, ValueRange state) {
    Value update = b.add(b.mul(batch, count), i), row = item,
          isInside = arith::ConstantOp::create(b, b.getBoolAttr(true));
    // The row of all indices: that of the batch item, then axis by axis.
    Value place = b.index(0);
    for (size_t k = 0; k < width; ++k) {
      Value size = b.size(data[first + k]),
            at = b.load(b.argument(kernel.operands[1].getArgNumber()), b.add(b.mul(update, width), k));
      Value index = arith::IndexCastOp::create(b, b.getIndexType(), at);
      Value moved = b.add(index, size);
      index = select(compare(CmpIPredicate::slt, index, b.index(0)), moved, index);
      isInside = arith::AndIOp::create(b, isInside, compare(CmpIPredicate::ult, index, size));
      place = b.add(b.mul(place, size), index);
    }
    row = b.add(row, place);
    b.branch(isInside, [&] {
      b.loop(begin, end, 1, [&](Value e) {
        Value to = b.add(b.mul(row, inner), e), from = b.add(b.mul(update, inner), e);
        if (op.getKind() == ScatterKind::write) {
          b.store(b.load(b.argument(kernel.operands[2].getArgNumber()), from), b.result(0), to);
          return;
        }
        K join = op.getKind() == ScatterKind::sum    ? K::add
                 : op.getKind() == ScatterKind::prod ? K::mul
                 : op.getKind() == ScatterKind::max  ? K::maximum
                                                     : K::minimum;
        Value old = math.fromStorage(b.load(b.result(0), to), kernel.element);
        Value joined = math.elementwise(join, {old, load(2, kernel.element, from)}, kernel.element);
        b.store(math.toStorage(joined, kernel.element), b.result(0), to);
      });
    });
    return SmallVector<Value>{select(isInside, state[0], bad)};
  });
  return status[0];
}
