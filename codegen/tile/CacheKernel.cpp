// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of the cache dialect are made of, taken apart.
#include "codegen/tile/CacheKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;
using model::Dims;
using model::dimsOf;

static FailureOr<RowRange> rowRange(Operation *op, Value operand) {
  RowRange range;
  if (auto slice = operand.getDefiningOp<model::SliceOp>()) {
    auto start = DimExpr::parse(cast<StringAttr>(slice.getStarts()[slice.getStarts().size() - 1]).getValue());
    if (!start || !start->constant() || llvm::any_of(slice.getSteps(), [](int64_t step) { return step != 1; }))
      return op->emitOpError("reads something else than columns of an argument");
    range.firstColumn = *start->constant();
    operand = slice.getInput();
  }
  range.source = dyn_cast<BlockArgument>(operand);
  if (!range.source)
    return op->emitOpError("has an operand that is no argument of its kernel, nor columns of one");
  range.rowStride = *dimsOf(operand.getType()).back().constant();
  return range;
}

FailureOr<CacheKernel> CacheKernel::analyse(func::FuncOp function) {
  CacheKernel kernel;
  Operation *op = nullptr;
  for (Operation &each : function.front().without_terminator()) {
    if (isa<model::SliceOp>(each))
      continue;
    if (op || !isa<cache::AppendOp, cache::AttendOp, cache::SelectOp>(each))
      return each.emitOpError("cannot be computed in a kernel of the cache");
    op = &each;
  }
  Operation *terminator = function.front().getTerminator();
  if (!op || terminator->getOperands() != op->getResults())
    return function.emitOpError("is no single op of the cache whose results it returns");
  auto argument = [&](Value value, BlockArgument &to) -> LogicalResult {
    to = dyn_cast<BlockArgument>(value);
    return to ? success() : op->emitOpError("has an operand that is no argument of its kernel");
  };
  auto range = [&](Value value, RowRange &to) -> LogicalResult {
    auto found = rowRange(op, value);
    if (succeeded(found))
      to = *found;
    return found;
  };
  auto read = [&](auto concrete, ValueRange pools) -> LogicalResult {
    kernel.pools.resize(pools.size());
    for (auto [pool, to] : llvm::zip_equal(pools, kernel.pools))
      if (failed(argument(pool, to)))
        return failure();
    Dims table = dimsOf(concrete.getTable().getType());
    kernel.textCount = table[0];
    kernel.places = table[1];
    kernel.tokens = dimsOf(concrete.getTexts().getType())[0];
    return success(succeeded(argument(concrete.getTable(), kernel.table)) &&
                   succeeded(argument(concrete.getTexts(), kernel.texts)) &&
                   succeeded(argument(concrete.getPositions(), kernel.positions)));
  };
  if ((kernel.append = dyn_cast<cache::AppendOp>(op))) {
    kernel.sizes = *cache::PoolSizes::of(op, kernel.append.getPools());
    if (failed(read(kernel.append, kernel.append.getPools())) || failed(range(kernel.append.getKey(), kernel.key)) ||
        failed(range(kernel.append.getValue(), kernel.value)))
      return failure();
    return kernel;
  }
  if ((kernel.select = dyn_cast<cache::SelectOp>(op))) {
    Dims bounds = dimsOf(kernel.select.getBounds().getType());
    kernel.sizes.pages = bounds[0];
    kernel.sizes.heads = *bounds[1].constant();
    kernel.sizes.keyWidth = *bounds[3].constant();
    kernel.sizes.page = kernel.select.getPage();
    kernel.heads = kernel.select.getHeads();
    kernel.groupSize = kernel.heads / kernel.sizes.heads;
    kernel.room = int64_t(kernel.select.getCount()) + 1;
    if (failed(read(kernel.select, kernel.select.getBounds())) || failed(range(kernel.select.getQuery(), kernel.query)))
      return failure();
    return kernel;
  }
  kernel.attend = cast<cache::AttendOp>(op);
  kernel.sizes = *cache::PoolSizes::of(op, kernel.attend.getPools());
  if (kernel.attend.getIndex()) {
    kernel.room = *dimsOf(kernel.attend.getIndex().getType())[2].constant();
    if (failed(argument(kernel.attend.getIndex(), kernel.index)))
      return failure();
  }
  if (failed(read(kernel.attend, kernel.attend.getPools())) || failed(range(kernel.attend.getQuery(), kernel.query)))
    return failure();
  kernel.heads = kernel.attend.getHeads();
  kernel.groupSize = kernel.heads / kernel.sizes.heads;
  kernel.scale = kernel.attend.getScale().convertToDouble();
  Dims result = dimsOf(kernel.attend.getType());
  kernel.isPartial = result.size() == 4;
  if (kernel.isPartial)
    kernel.parts = result[1];
  return kernel;
}

Value CachePlaces::number(BlockArgument vector, Value offset) {
  return arith::IndexCastUIOp::create(b, b.getIndexType(), b.load(b.argument(vector.getArgNumber()), offset));
}

Value CachePlaces::isOutside(Value text, Value position) {
  Value most = b.mul(b.size(kernel.places), kernel.sizes.page);
  Value noText = arith::CmpIOp::create(b, CmpIPredicate::uge, text, b.size(kernel.textCount));
  return arith::OrIOp::create(b, noText, arith::CmpIOp::create(b, CmpIPredicate::uge, position, most));
}

Value CachePlaces::isNoPage(Value page) {
  return arith::CmpIOp::create(b, CmpIPredicate::uge, page, b.size(kernel.sizes.pages));
}

Value CachePlaces::choose(Value condition, Type type, llvm::function_ref<Value()> yes, llvm::function_ref<Value()> no) {
  auto choice = scf::IfOp::create(b, TypeRange{type}, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  for (auto [block, value] : {std::pair(choice.thenBlock(), yes), std::pair(choice.elseBlock(), no)}) {
    b.setInsertionPointToStart(block);
    scf::YieldOp::create(b, value());
  }
  return choice.getResult(0);
}
