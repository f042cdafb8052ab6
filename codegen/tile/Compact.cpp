// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies the tokens of an index: next to each other, or back to their places with zeros between them.
#include "codegen/tile/Compact.h"

#include "codegen/tile/CompactKernel.h"
#include "codegen/tile/KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

// Elements of a work group: a few times what it costs to begin one.
static constexpr int64_t kGroupElements = 16384;

template <typename Op> LogicalResult CompactKernel::read(Op op) {
  auto range = columnRange(op, op.getInput());
  if (failed(range))
    return failure();
  auto load = op.getIndex().template getDefiningOp<sattn::LoadIndexOp>();
  index = load ? dyn_cast<BlockArgument>(load.getInput()) : BlockArgument();
  if (!index)
    return op.emitOpError("has an index that is not loaded from an argument of its kernel");
  tokens = *range;
  model::Dims operand = model::dimsOf(op.getInput().getType()), result = model::dimsOf(op.getType());
  batch = result[0];
  from = operand[1];
  to = result[1];
  features = *result[2].constant(); // that of the operand, which columnRange wants
  groupTokens = std::max<int64_t>(1, kGroupElements / std::max<int64_t>(1, features));
  items = load.getType().itemCount();
  capacity = load.getType().capacityExpr();
  return success();
}

FailureOr<CompactKernel> CompactKernel::analyse(func::FuncOp function) {
  CompactKernel kernel;
  Operation *terminator = function.front().getTerminator();
  Operation *root = terminator->getNumOperands() == 1 ? terminator->getOperand(0).getDefiningOp() : nullptr;
  auto compact = dyn_cast_or_null<sattn::CompactOp>(root);
  auto expand = dyn_cast_or_null<sattn::ExpandOp>(root);
  if ((!compact && !expand) || !llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("returns something else than the result of a sattn.compact or sattn.expand");
  for (Operation &other : function.front().without_terminator())
    if (&other != root && !isa<model::SliceOp, sattn::LoadIndexOp>(other))
      return other.emitOpError("cannot be computed with a sattn.compact or sattn.expand");
  kernel.isExpand = bool(expand);
  if (failed(expand ? kernel.read(expand) : kernel.read(compact)))
    return failure();
  return kernel;
}

namespace {
/// One kernel's loops: groups of (batch item, chunk of tokens of the result).
class CompactTiler {
public:
  CompactTiler(KernelBuilder &builder, const CompactKernel &kernel, unsigned lanes)
      : b(builder), kernel(kernel), lanes(lanes) {}

  /// Gives the status of the kernel.
  Value emit() {
    Value fine = arith::ConstantIntOp::create(b, 0, 1);
    Value fault = b.loop(b.begin(), b.end(), 1, {fine}, [&](Value index, ValueRange carried) {
      Value to = b.size(kernel.to), chunks = b.divFloor(b.add(to, kernel.groupTokens - 1), b.index(kernel.groupTokens));
      batch = b.divFloor(index, chunks);
      row = b.mul(batch, b.size(kernel.capacity + 1));
      Value first = b.mul(b.rem(index, chunks), kernel.groupTokens);
      Value end = b.minimum(to, b.add(first, kernel.groupTokens)), capacity = b.size(kernel.capacity);
      Value count = number(row), isTooLong = compare(CmpIPredicate::ugt, count, capacity);
      count = b.minimum(count, capacity);
      Value found = kernel.isExpand ? expand(first, end, count) : compact(first, end, count);
      return Values{either(carried[0], either(isTooLong, found))};
    })[0];
    return arith::ExtUIOp::create(b, b.getI32Type(), fault);
  }

private:
  using Values = SmallVector<Value>;

  /// Whether an item is not there.
  Value compact(Value first, Value end, Value count) {
    Value held = b.minimum(end, arith::MaxUIOp::create(b, first, count));
    Value fine = arith::ConstantIntOp::create(b, 0, 1);
    Value fault = b.loop(first, held, 1, {fine}, [&](Value place, ValueRange carried) {
      Value item = itemAt(place), isThere = compare(CmpIPredicate::ult, item, b.size(kernel.items));
      b.branch(isThere, [&] { copy(item, place); }, [&] { clear(place); });
      return Values{either(carried[0], compare(CmpIPredicate::uge, item, b.size(kernel.items)))};
    })[0];
    b.loop(held, end, 1, [&](Value place) { clear(place); });
    return fault;
  }

  /// Whether an item belongs to none of the tokens.
  Value expand(Value first, Value end, Value count) {
    Value zero = b.index(0);
    // The first item that is no less than `first`: 2^32 items take 32 halves.
    Value place = b.loop(zero, b.index(32), 1, {zero, count}, [&](Value, ValueRange range) {
      Value low = range[0], high = range[1], middle = b.divFloor(b.add(low, high), b.index(2));
      Value isOpen = compare(CmpIPredicate::ult, low, high);
      Value item = itemAt(pick(isOpen, middle, zero));
      Value isBelow = arith::AndIOp::create(b, isOpen, compare(CmpIPredicate::ult, item, first));
      Value isFrom = arith::AndIOp::create(b, isOpen, compare(CmpIPredicate::uge, item, first));
      return Values{pick(isBelow, b.add(middle, 1), low), pick(isFrom, middle, high)};
    })[0];
    place = b.loop(first, end, 1, {place}, [&](Value token, ValueRange carried) {
      Value exists = compare(CmpIPredicate::ult, carried[0], count);
      Value item = itemAt(pick(exists, carried[0], zero));
      Value isHeld = arith::AndIOp::create(b, exists, compare(CmpIPredicate::eq, item, token));
      b.branch(isHeld, [&] { copy(carried[0], token); }, [&] { clear(token); });
      return Values{pick(isHeld, b.add(carried[0], 1), carried[0])};
    })[0];
    // What is left belongs to later tokens.
    Value isLeft = compare(CmpIPredicate::ult, place, count), item = itemAt(pick(isLeft, place, zero));
    Value isLater = arith::AndIOp::create(b, compare(CmpIPredicate::uge, item, end),
                                          compare(CmpIPredicate::ult, item, b.size(kernel.items)));
    Value isLost = pick(isLater, arith::ConstantIntOp::create(b, 0, 1), arith::ConstantIntOp::create(b, 1, 1));
    return arith::AndIOp::create(b, isLeft, isLost);
  }

  /// Item `place` of the row. A row without room has the number of its items alone, and gives that.
  Value itemAt(Value place) { return number(b.add(row, b.minimum(b.add(place, 1), b.size(kernel.capacity)))); }
  /// Negative numbers are large ones here.
  Value number(Value offset) {
    Value loaded = b.load(b.argument(kernel.index.getArgNumber()), offset);
    return arith::IndexCastUIOp::create(b, b.getIndexType(), loaded);
  }

  void copy(Value from, Value to) {
    Value source = b.mul(b.add(b.mul(batch, b.size(kernel.from)), from), kernel.tokens.rowStride);
    source = b.add(source, kernel.tokens.firstColumn);
    Value buffer = b.argument(kernel.tokens.source.getArgNumber());
    write(to, [&](Value column, unsigned width) {
      return width == lanes ? b.loadVector(buffer, b.add(source, column), lanes)
                            : b.load(buffer, b.add(source, column));
    });
  }
  void clear(Value to) {
    write(to, [&](Value, unsigned width) {
      return width == lanes ? b.splat(0, lanes) : arith::ConstantOp::create(b, b.getF32FloatAttr(0)).getResult();
    });
  }
  /// Token `to` of the result, by vectors and then one by one.
  void write(Value to, llvm::function_ref<Value(Value column, unsigned width)> value) {
    Value target = b.mul(b.add(b.mul(batch, b.size(kernel.to)), to), kernel.features);
    int64_t whole = kernel.features / lanes * lanes;
    b.loop(b.index(0), b.index(whole), lanes,
           [&](Value column) { b.storeVector(value(column, lanes), b.result(0), b.add(target, column)); });
    b.loop(b.index(whole), b.index(kernel.features), 1,
           [&](Value column) { b.store(value(column, 1), b.result(0), b.add(target, column)); });
  }

  Value compare(CmpIPredicate predicate, Value x, Value y) { return b.createOrFold<arith::CmpIOp>(predicate, x, y); }
  Value pick(Value condition, Value yes, Value no) { return b.createOrFold<arith::SelectOp>(condition, yes, no); }
  Value either(Value x, Value y) { return b.createOrFold<arith::OrIOp>(x, y); }

  KernelBuilder &b;
  const CompactKernel &kernel;
  unsigned lanes;
  Value batch, row; ///< of the group: its batch item, the offset of its row of the index
};
} // namespace

LogicalResult tamis::tileCompact(func::FuncOp function, const CpuTarget &target) {
  auto kernel = CompactKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  builder.finish(CompactTiler(builder, *kernel, target.lanes).emit());
  return success();
}

FailureOr<Launch> tamis::compactLaunch(func::FuncOp function) {
  auto kernel = CompactKernel::analyse(function);
  if (failed(kernel))
    return failure();
  return Launch{kernel->batch * sattn::ceilDiv(kernel->to, kernel->groupTokens), 0};
}
