// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops that make an index of others.
#include "codegen/tile/Index.h"

#include "codegen/tile/IndexKernel.h"
#include "codegen/tile/KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;
using arith::CmpIPredicate;

namespace {
class IndexTiler {
public:
  IndexTiler(KernelBuilder &builder, const IndexKernel &kernel)
      : b(builder), kernel(kernel), rows(b.size(kernel.rows)), items(b.size(kernel.items)),
        capacity(b.size(kernel.capacity)) {}

  /// Gives the status.
  Value emit() {
    storeScratch(b.index(0), b.index(0));
    b.loop(b.begin(), b.end(), 1, [&](Value index) { group(index); });
    Value bits = arith::BitcastOp::create(b, b.getI32Type(), b.load(b.scratch(), b.index(0)));
    return bits;
  }

private:
  using Values = SmallVector<Value>;
  /// A row of an operand: its items are at(0), ..., at(count - 1), ascending.
  struct Row {
    Value count;
    std::function<Value(Value)> at;
  };
  /// A row of the result that is being written.
  struct Target {
    Value offset; ///< of its count in the buffer
  };

  // Index arithmetic.
  Value compare(CmpIPredicate predicate, Value x, Value y) { return b.createOrFold<arith::CmpIOp>(predicate, x, y); }
  Value select(Value condition, Value yes, Value no) { return b.createOrFold<arith::SelectOp>(condition, yes, no); }
  Value clamp(Value x) { // to a number of items of a row of bands
    return b.createOrFold<arith::MaxSIOp>(x, b.index(0));
  }
  Value least(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(x, y); }
  Value floorDiv(Value x, int64_t y) { return b.createOrFold<arith::FloorDivSIOp>(x, b.index(y)); }

  // Integers in scratch and in stored indices; negative ones are read as large.
  void storeScratch(Value value, Value offset) {
    Value bits = arith::IndexCastOp::create(b, b.getI32Type(), value);
    b.store(arith::BitcastOp::create(b, b.getF32Type(), bits), b.scratch(), offset);
  }
  Value loadScratch(Value offset) {
    Value bits = arith::BitcastOp::create(b, b.getI32Type(), b.load(b.scratch(), offset));
    return arith::IndexCastUIOp::create(b, b.getIndexType(), bits);
  }
  Value loadItem(Value buffer, Value offset) {
    return arith::IndexCastUIOp::create(b, b.getIndexType(), b.load(buffer, offset));
  }
  void storeItem(Value value, Value offset) {
    b.store(arith::IndexCastOp::create(b, b.getI32Type(), value), b.result(0), offset);
  }
  void fault() { storeScratch(b.index(1), b.index(0)); }

  Value whenTrue(Value condition, llvm::function_ref<Value()> yes, Value no) {
    auto fill = [&](llvm::function_ref<Value()> body) {
      return [this, body](OpBuilder &builder, Location) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(builder.getInsertionBlock());
        scf::YieldOp::create(b, body());
      };
    };
    return scf::IfOp::create(b, condition, fill(yes), fill([&] { return no; })).getResult(0);
  }

  /// Row `row` of an operand; without items, and a fault, when it cannot be read.
  Row open(const IndexOperand &operand, Value batch, Value head, Value row) {
    return operand.bands ? openBands(operand.bands, row) : openStored(operand, batch, head, row);
  }

  Row openStored(const IndexOperand &operand, Value batch, Value head, Value row) {
    model::Dims shape = operand.type.shapeDims();
    Value buffer = b.argument(operand.source.getArgNumber()), limit = b.size(operand.type.itemCount());
    Value number = shape[0].isConstant(1) ? head : b.add(b.mul(batch, b.size(shape[1])), head);
    number = b.add(b.mul(number, b.size(shape[2])), row);
    Value most = b.size(operand.type.capacityExpr()), begin = b.mul(number, b.add(most, 1));
    Value found = loadItem(buffer, begin), count = select(compare(CmpIPredicate::ule, found, most), found, b.index(0));
    Value isFine = compare(CmpIPredicate::ule, found, most);
    isFine = b.loop(b.index(0), count, 1, isFine, [&](Value i, ValueRange carried) {
      Value item = loadItem(buffer, b.add(b.add(begin, 1), i));
      return Values{b.createOrFold<arith::AndIOp>(carried[0], compare(CmpIPredicate::ult, item, limit))};
    })[0];
    b.branch(isFine, [] {}, [&] { fault(); });
    return {select(isFine, count, b.index(0)),
            [this, buffer, begin](Value i) { return loadItem(buffer, b.add(b.add(begin, 1), i)); }};
  }

  Row openBands(BandsOp bands, Value row) {
    int64_t R = bands.getType().getRows(), C = bands.getType().getColumns();
    Value queries = b.size(*DimExpr::parse(bands.getQueries())), keys = b.size(*DimExpr::parse(bands.getKeys()));
    Value limit = b.size(bands.getType().itemCount()), shift = b.sub(keys, queries), first = b.mul(row, R);
    Value last = b.sub(least(b.add(first, R), queries), b.index(1));
    auto inside = [&](Value item) { return least(clamp(item), limit); };
    Value low = inside(b.sub(floorDiv(b.add(first, shift), C), b.index(bands.getBefore())));
    Value high = inside(b.add(floorDiv(b.add(last, shift), C), int64_t(bands.getAfter()) + 1));
    high = b.createOrFold<arith::MaxSIOp>(low, high);
    Value sinks = least(b.index(bands.getSinks()), limit), meets = compare(CmpIPredicate::sge, sinks, low);
    high = select(meets, b.createOrFold<arith::MaxSIOp>(sinks, high), high);
    low = select(meets, b.index(0), low);
    sinks = select(meets, b.index(0), sinks);
    return {b.add(sinks, b.sub(high, low)), [this, low, sinks](Value i) {
              Value isSink = compare(CmpIPredicate::ult, i, sinks);
              return select(isSink, i, b.add(b.sub(i, sinks), low));
            }};
  }

  /// Adds an item behind `count` others, if there is room; gives the count with it.
  Value append(const Target &target, Value count, Value item) {
    b.branch(
        compare(CmpIPredicate::ult, count, capacity), [&] { storeItem(item, b.add(b.add(target.offset, 1), count)); },
        [&] { fault(); });
    return b.add(count, 1);
  }
  void close(const Target &target, Value count) {
    Value kept = least(count, capacity);
    storeItem(kept, target.offset);
    b.loop(kept, capacity, 1, [&](Value i) { storeItem(b.index(0), b.add(b.add(target.offset, 1), i)); });
  }

  void group(Value index) {
    int64_t groupRows = kernel.groupRows();
    Value perGroup = groupRows ? b.index(groupRows) : rows, number = index, first = b.index(0), end = rows;
    if (groupRows) {
      Value chunks = b.divFloor(b.add(rows, groupRows - 1), b.index(groupRows));
      number = b.divFloor(index, chunks);
      first = b.mul(b.rem(index, chunks), groupRows);
      end = b.minimum(rows, b.add(first, perGroup));
    }
    Value head = b.rem(number, b.index(kernel.heads)), batch = b.divFloor(number, b.index(kernel.heads));
    auto targetOf = [&](Value row) { return Target{b.mul(b.add(b.mul(number, rows), row), b.add(capacity, 1))}; };
    if (isa<TransposeOp>(kernel.op))
      return transpose(batch, head, targetOf);
    b.loop(first, end, 1, [&](Value row) {
      Target target = targetOf(row);
      if (isa<CoarsenOp>(kernel.op))
        return coarsen(batch, head, row, target);
      if (isa<RefineOp>(kernel.op))
        return refine(batch, head, row, target);
      if (auto share = dyn_cast<ShareOp>(kernel.op))
        return copy(batch, sharedHead(share, head), row, target);
      combine(batch, head, row, target);
    });
  }

  /// Walks the rows of all operands at once, from the lowest item up.
  void combine(Value batch, Value head, Value row, const Target &target) {
    bool isUnion = isa<UnionOp>(kernel.op);
    Value zero = b.index(0), none = b.index(INT32_MAX);
    SmallVector<Row> inputs;
    for (const IndexOperand &operand : kernel.inputs)
      inputs.push_back(open(operand, batch, head, row));
    unsigned n = inputs.size();
    auto before = [&](OpBuilder &builder, Location, ValueRange carried) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(builder.getInsertionBlock());
      Value goes;
      for (unsigned i = 0; i < n; ++i) {
        Value has = compare(CmpIPredicate::ult, carried[i], inputs[i].count);
        goes = !goes     ? has
               : isUnion ? b.createOrFold<arith::OrIOp>(goes, has)
                         : b.createOrFold<arith::AndIOp>(goes, has);
      }
      scf::ConditionOp::create(b, goes, carried);
    };
    auto after = [&](OpBuilder &builder, Location, ValueRange carried) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(builder.getInsertionBlock());
      Values next, heads;
      Value lowest, hits = zero, count = carried[n];
      for (unsigned i = 0; i < n; ++i) {
        Value place = carried[i], has = compare(CmpIPredicate::ult, place, inputs[i].count);
        heads.push_back(whenTrue(has, [&] { return inputs[i].at(place); }, none));
        lowest = lowest ? b.minimum(lowest, heads.back()) : heads.back();
      }
      for (unsigned i = 0; i < n; ++i) {
        Value isLowest = compare(CmpIPredicate::eq, heads[i], lowest);
        Value step = select(isLowest, b.index(1), zero);
        next.push_back(b.add(carried[i], step));
        hits = b.add(hits, step);
      }
      Value keeps = compare(CmpIPredicate::uge, hits, b.index(isUnion ? 1 : n));
      next.push_back(whenTrue(keeps, [&] { return append(target, count, lowest); }, count));
      scf::YieldOp::create(b, next);
    };
    Values init(n + 1, zero);
    auto loop = scf::WhileOp::create(b, SmallVector<Type>(n + 1, b.getIndexType()), init, before, after);
    close(target, loop.getResult(n));
  }

  void refine(Value batch, Value head, Value row, const Target &target) {
    int64_t pieces = kernel.inputs[0].type.getColumns() / kernel.type.getColumns();
    Row input = open(kernel.inputs[0], batch, head, row);
    Value count = b.loop(b.index(0), input.count, 1, b.index(0), [&](Value i, ValueRange carried) {
      Value first = b.mul(input.at(i), pieces), end = b.minimum(items, b.add(first, pieces));
      return b.loop(first, end, 1, carried,
                    [&](Value piece, ValueRange carried) { return Values{append(target, carried[0], piece)}; });
    })[0];
    close(target, count);
  }

  void copy(Value batch, Value head, Value row, const Target &target) {
    Row input = open(kernel.inputs[0], batch, head, row);
    Value count = b.loop(b.index(0), input.count, 1, b.index(0), [&](Value i, ValueRange carried) {
      return Values{append(target, carried[0], input.at(i))};
    })[0];
    close(target, count);
  }

  Value sharedHead(ShareOp share, Value head) {
    Value from = b.index(0);
    for (auto [number, source] : llvm::enumerate(share.getHeads()))
      if (source)
        from = select(compare(CmpIPredicate::eq, head, b.index(number)), b.index(source), from);
    return from;
  }

  /// Raises the flag of each item, then lists those that are raised.
  void coarsen(Value batch, Value head, Value row, const Target &target) {
    const IndexOperand &operand = kernel.inputs[0];
    int64_t from = operand.type.getRows(), to = kernel.type.getRows();
    int64_t pieces = kernel.type.getColumns() / operand.type.getColumns(), joined = from ? to / from : 1;
    auto flagOf = [&](Value item) { return b.add(item, 1); };
    b.loop(b.index(0), items, 1, [&](Value item) { storeScratch(b.index(0), flagOf(item)); });
    Value inputRows = b.size(operand.type.shapeDims()[2]);
    Value begin = to ? b.mul(row, joined) : b.index(0);
    Value end = to ? b.minimum(inputRows, b.add(begin, joined)) : inputRows;
    b.loop(begin, end, 1, [&](Value each) {
      Row input = open(operand, batch, head, each);
      b.loop(b.index(0), input.count, 1,
             [&](Value i) { storeScratch(b.index(1), flagOf(b.divFloor(input.at(i), b.index(pieces)))); });
    });
    Value count = b.loop(b.index(0), items, 1, b.index(0), [&](Value item, ValueRange carried) {
      Value isRaised = compare(CmpIPredicate::ne, loadScratch(flagOf(item)), b.index(0)), count = carried[0];
      return Values{whenTrue(isRaised, [&] { return append(target, count, item); }, count)};
    })[0];
    close(target, count);
  }

  /// Rows of the operand in order, so that the items of each row of the result ascend.
  void transpose(Value batch, Value head, llvm::function_ref<Target(Value)> targetOf) {
    b.loop(b.index(0), rows, 1, [&](Value row) { close(targetOf(row), b.index(0)); });
    b.loop(b.index(0), items, 1, [&](Value row) {
      Row input = open(kernel.inputs[0], batch, head, row);
      b.loop(b.index(0), input.count, 1, [&](Value i) {
        Target target = targetOf(input.at(i));
        Value count = append(target, loadItem(b.result(0), target.offset), row);
        storeItem(least(count, capacity), target.offset);
      });
    });
  }

  KernelBuilder &b;
  const IndexKernel &kernel;
  Value rows, items, capacity;
};
} // namespace

LogicalResult tamis::tileIndex(func::FuncOp function) {
  auto kernel = IndexKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  Value status = IndexTiler(builder, *kernel).emit();
  builder.finish(status);
  return success();
}

FailureOr<Launch> tamis::indexLaunch(func::FuncOp function) {
  auto kernel = IndexKernel::analyse(function);
  if (failed(kernel))
    return failure();
  int64_t perGroup = kernel->groupRows();
  DimExpr chunks = perGroup ? ceilDiv(kernel->rows, perGroup) : DimExpr(1);
  return Launch{kernel->batch * kernel->heads * chunks, kernel->scratchElements() * int64_t(sizeof(float))};
}
