// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Partial results of attention as one: row by row, weighted by their sums.
#include "codegen/tile/Merge.h"

#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/MergeKernel.h"
#include "codegen/tile/VectorMath.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace tamis;
using sattn::LoadPartialOp;
using sattn::MergeOp;
using sattn::StorePartialOp;

FailureOr<MergeKernel> MergeKernel::analyse(func::FuncOp function) {
  auto ops = function.getOps<MergeOp>();
  if (ops.empty() || !llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("has no sattn.merge to tile");
  MergeOp op = *ops.begin();
  for (Operation &other : function.front().without_terminator())
    if (&other != op && !isa<LoadPartialOp, StorePartialOp>(other))
      return other.emitOpError("cannot be computed with a sattn.merge");
  Operation *terminator = function.front().getTerminator();
  Value result = terminator->getNumOperands() == 1 ? terminator->getOperand(0) : Value();
  auto store = result ? result.getDefiningOp<StorePartialOp>() : StorePartialOp();
  if (!result || (store ? store.getInput() : result) != op.getResult())
    return function.emitOpError("returns something else than the result of its sattn.merge");
  MergeKernel kernel;
  for (Value input : op.getInputs()) {
    auto load = input.getDefiningOp<LoadPartialOp>();
    auto source = load ? dyn_cast<BlockArgument>(load.getInput()) : BlockArgument();
    if (!source)
      return op.emitOpError("has an operand that is not loaded from an argument of its kernel");
    kernel.inputs.push_back(source);
  }
  model::Dims shape = cast<sattn::PartialType>(op.getInputs().front().getType()).shapeDims();
  kernel.batch = shape[0];
  kernel.heads = *shape[1].constant();
  kernel.queries = shape[2];
  kernel.width = *shape[3].constant();
  kernel.isPartial = bool(store);
  return kernel;
}

namespace {
/// Queries of a work group.
constexpr int64_t kGroupQueries = 128;

class MergeTiler {
public:
  MergeTiler(KernelBuilder &builder, const MergeKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), math(builder), lanes(target.lanes), queries(b.size(kernel.queries)) {}

  void emit() {
    Value chunks = b.divFloor(b.add(queries, kGroupQueries - 1), b.index(kGroupQueries));
    b.loop(b.begin(), b.end(), 1, [&](Value index) {
      Value number = b.divFloor(index, chunks), first = b.mul(b.rem(index, chunks), kGroupQueries);
      Value head = b.rem(number, b.index(kernel.heads)), batch = b.divFloor(number, b.index(kernel.heads));
      b.loop(first, b.minimum(queries, b.add(first, kGroupQueries)), 1,
             [&](Value query) { row(batch, head, number, query); });
    });
  }

private:
  Value constant(double value) { return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value))); }
  Value bufferOf(BlockArgument input) { return b.argument(input.getArgNumber()); }
  Value is(arith::CmpFPredicate predicate, Value x, Value y) { return arith::CmpFOp::create(b, predicate, x, y); }
  Value select(Value condition, Value yes, Value no) { return arith::SelectOp::create(b, condition, yes, no); }

  /// `number`: of the head of the batch item.
  void row(Value batch, Value head, Value number, Value query) {
    using P = arith::CmpFPredicate;
    Value from = b.mul(b.add(b.mul(number, queries), query), kernel.width + 1), most, sum = constant(0);
    SmallVector<Value> logarithms, weights;
    for (BlockArgument input : kernel.inputs) {
      Value logarithm = b.load(bufferOf(input), b.add(from, kernel.width));
      most = most ? select(is(P::OGT, logarithm, most), logarithm, most) : logarithm;
      logarithms.push_back(logarithm);
    }
    // Of a row that no input has keys for the weights are zero, and not the difference of infinities.
    Value isEmpty = is(P::OEQ, most, constant(-std::numeric_limits<double>::infinity()));
    most = select(isEmpty, constant(0), most);
    for (Value logarithm : logarithms) {
      weights.push_back(math.exp(arith::SubFOp::create(b, logarithm, most)));
      sum = arith::AddFOp::create(b, sum, weights.back());
    }
    Value factor = select(is(P::OEQ, sum, constant(0)), constant(0), arith::DivFOp::create(b, constant(1), sum));
    for (Value &weight : weights)
      weight = b.broadcast(arith::MulFOp::create(b, weight, factor), lanes);
    Value to = from;
    if (!kernel.isPartial) {
      to = b.mul(b.add(b.mul(batch, queries), query), kernel.heads * kernel.width);
      to = b.add(to, b.mul(head, kernel.width));
    }
    for (int64_t e = 0; e < kernel.width; e += lanes) {
      int64_t valid = std::min<int64_t>(lanes, kernel.width - e);
      auto maskType = VectorType::get({int64_t(lanes)}, b.getI1Type());
      Value exists = vector::ConstantMaskOp::create(b, maskType, ArrayRef<int64_t>{valid}), total = b.splat(0, lanes);
      for (auto [input, weight] : llvm::zip(kernel.inputs, weights)) {
        Value part = vector::MaskedLoadOp::create(b, b.vectorType(lanes), bufferOf(input), b.add(from, e), exists,
                                                  b.splat(0, lanes));
        total = vector::FMAOp::create(b, weight, part, total);
      }
      vector::MaskedStoreOp::create(b, b.result(0), b.add(to, e), exists, total);
    }
    if (kernel.isPartial)
      b.store(arith::AddFOp::create(b, most, math.log(sum)), b.result(0), b.add(to, kernel.width));
  }

  KernelBuilder &b;
  const MergeKernel &kernel;
  VectorMath math;
  unsigned lanes;
  Value queries;
};
} // namespace

LogicalResult tamis::tileMerge(func::FuncOp function, const CpuTarget &target) {
  auto kernel = MergeKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  MergeTiler(builder, *kernel, target).emit();
  builder.finish();
  return success();
}

FailureOr<Launch> tamis::mergeLaunch(func::FuncOp function) {
  auto kernel = MergeKernel::analyse(function);
  if (failed(kernel))
    return failure();
  return Launch{kernel->batch * kernel->heads * sattn::ceilDiv(kernel->queries, kGroupQueries), 0};
}
