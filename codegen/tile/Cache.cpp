// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of the cache: which loops, how many work groups; and the merge of partial results.
#include "codegen/tile/Cache.h"

#include "codegen/tile/CacheTilers.h"
#include "codegen/tile/VectorMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace tamis;
using model::Dims;
using model::dimsOf;

static constexpr int64_t kMergeTokens = 16; // of a work group

static DimExpr ceilDiv(const DimExpr &a, int64_t b) {
  return DimExpr::floorDiv(a + (b - 1), b);
}

static cache::MergeOp mergeOf(func::FuncOp function) {
  auto ops = function.getOps<cache::MergeOp>();
  return ops.empty() ? cache::MergeOp() : *ops.begin();
}

static LogicalResult checkMerge(func::FuncOp function, cache::MergeOp op) {
  Operation *terminator = function.front().getTerminator();
  if (!isa<BlockArgument>(op.getInput()) || op->getNextNode() != terminator || &function.front().front() != op ||
      terminator->getOperands() != op->getResults())
    return function.emitOpError("is no single op of the cache whose results it returns");
  return success();
}

/// The parts of a row, each weighted by its share of all exponentials.
static void tileMerge(KernelBuilder &b, cache::MergeOp op, const CpuTarget &target) {
  Dims input = dimsOf(op.getInput().getType());
  int64_t heads = *input[2].constant(), row = *input[3].constant(), width = row - 1;
  unsigned lanes = target.lanes;
  VectorMath math(b, lanes == 16);
  Value parts = b.size(input[1]), from = b.argument(cast<BlockArgument>(op.getInput()).getArgNumber());
  auto number = [&](double value) -> Value { return arith::ConstantOp::create(b, b.getF32FloatAttr(float(value))); };
  Value nothing = number(-std::numeric_limits<double>::infinity());
  Value end = b.minimum(b.size(input[0]), b.mul(b.end(), kMergeTokens));
  b.loop(b.mul(b.begin(), kMergeTokens), end, 1, [&](Value token) {
    b.loop(b.index(0), b.index(heads), 1, [&](Value head) {
      auto partAt = [&](Value part) { return b.mul(b.add(b.mul(b.add(b.mul(token, parts), part), heads), head), row); };
      auto logarithm = [&](Value part) { return b.load(from, b.add(partAt(part), width)); };
      Value most = b.loop(b.index(0), parts, 1, {nothing}, [&](Value part, ValueRange carried) {
        return SmallVector<Value>{arith::MaximumFOp::create(b, carried[0], logarithm(part))};
      })[0];
      // Of a row that no part has keys for the weights are zero, and not the difference of infinities.
      Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most, nothing);
      most = arith::SelectOp::create(b, isEmpty, number(0), most);
      SmallVector<Value> sums(1 + llvm::divideCeil(width, lanes), b.splat(0, lanes));
      auto mask = [&](int64_t e) {
        auto type = VectorType::get({int64_t(lanes)}, b.getI1Type());
        return vector::ConstantMaskOp::create(b, type, ArrayRef<int64_t>{std::min<int64_t>(lanes, width - e)});
      };
      sums = b.loop(b.index(0), parts, 1, sums, [&](Value part, ValueRange carried) {
        SmallVector<Value> next(carried);
        Value weight = math.exp(b.broadcast(arith::SubFOp::create(b, logarithm(part), most), lanes));
        next[0] = arith::AddFOp::create(b, next[0], weight);
        for (int64_t e = 0; e < width; e += lanes) {
          Value numbers = vector::MaskedLoadOp::create(b, b.vectorType(lanes), from, b.add(partAt(part), e), mask(e),
                                                       b.splat(0, lanes));
          next[1 + e / lanes] = vector::FMAOp::create(b, weight, numbers, next[1 + e / lanes]);
        }
        return next;
      });
      Value total = arith::SelectOp::create(b, b.broadcast(isEmpty, lanes), b.splat(1, lanes), sums[0]);
      Value to = b.mul(b.add(b.mul(token, heads), head), width);
      for (int64_t e = 0; e < width; e += lanes)
        vector::MaskedStoreOp::create(b, b.result(0), b.add(to, e), mask(e),
                                      arith::DivFOp::create(b, sums[1 + e / lanes], total));
    });
  });
}

LogicalResult tamis::tileCache(func::FuncOp function, const CpuTarget &target) {
  if (cache::MergeOp merge = mergeOf(function)) {
    if (failed(checkMerge(function, merge)))
      return failure();
    KernelBuilder builder(function);
    tileMerge(builder, merge, target);
    builder.finish();
    return success();
  }
  auto kernel = CacheKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  Value status = kernel->append   ? tileCacheAppend(builder, *kernel, target)
                 : kernel->select ? tileCacheSelect(builder, *kernel, target)
                                  : tileCacheAttend(builder, *kernel, target);
  builder.finish(status);
  return success();
}

FailureOr<Launch> tamis::cacheLaunch(func::FuncOp function) {
  if (cache::MergeOp merge = mergeOf(function)) {
    if (failed(checkMerge(function, merge)))
      return failure();
    return Launch{ceilDiv(dimsOf(merge.getType())[0], kMergeTokens), 0};
  }
  auto kernel = CacheKernel::analyse(function);
  if (failed(kernel))
    return failure();
  if (kernel->append)
    return Launch{kernel->sizes.heads, 0};
  if (kernel->select)
    return Launch{kernel->tokens * kernel->sizes.heads, cacheSelectScratchBytes(*kernel)};
  DimExpr chunks = ceilDiv(kernel->tokens, cacheGroupTokens(*kernel));
  return Launch{chunks * kernel->parts * kernel->sizes.heads, cacheScratchBytes(*kernel)};
}

DimExpr tamis::cacheParts(const DimExpr &tokens, const DimExpr &places, int64_t page) {
  constexpr int64_t most = 8, tokensOfPart = 256, tokensWithParts = 32;
  DimExpr byLength = DimExpr::floorDiv(places * page, tokensOfPart),
          byTokens = DimExpr::floorDiv(DimExpr(tokensWithParts), tokens);
  return DimExpr::max(DimExpr::min(DimExpr::min(byLength, byTokens), most), 1);
}
