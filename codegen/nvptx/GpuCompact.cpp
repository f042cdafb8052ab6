// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Copies the tokens of an index on GPUs, next to each other or back to their places: a warp a token of the result.
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/tile/CompactKernel.h"

using namespace mlir;
using namespace tamis;
using arith::CmpIPredicate;

static constexpr int64_t kWarps = 4;

FailureOr<GpuLaunch> tamis::tileGpuCompact(func::FuncOp function, const GpuTarget &) {
  auto kernel = CompactKernel::analyse(function);
  if (failed(kernel))
    return failure();
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(kernel->batch * kernel->to + (kWarps - 1), kWarps);
  launch.threads = kWarps * kWarp;
  launch.schedule = "one token a warp";

  KernelBuilder b(function);
  GpuBuilder gpu(b);
  Number thread = gpu.thread().as(b.getIndexType()), lane = thread % kWarp, zero = gpu.index(0);
  Number number = gpu.group() * kWarps + thread / kWarp, tokens = gpu.size(kernel->to);
  b.branch(number < gpu.size(kernel->batch) * tokens, [&] {
    Number batch = number / tokens, token = number % tokens, capacity = gpu.size(kernel->capacity);
    Number row = batch * (capacity + 1), items = gpu.size(kernel->items);
    auto numberAt = [&](Number at) {
      return Number(b, b.load(b.bufferOf(kernel->index), row + at)).as(b.getIndexType());
    };
    Number count = numberAt(zero);
    gpu.trapIf(arith::CmpIOp::create(b, CmpIPredicate::ugt, count, capacity));
    count = count.minimum(capacity);
    // A place that is no item's holds the number of items, which is not looked at.
    auto itemAt = [&](Number place) { return numberAt((place + 1).minimum(capacity)); };
    Number from = zero;
    Value isHeld;
    if (kernel->isExpand) {
      // The first item that is no less than the token.
      auto range = gpu.whileLoop(
          {zero, count}, [&](ValueRange range) { return Number(b, range[0]) < Number(b, range[1]); },
          [&](ValueRange range) {
            Number low(b, range[0]), high(b, range[1]), middle = (low + high) / 2;
            Value isBelow = itemAt(middle) < token;
            return GpuBuilder::Values{gpu.select(isBelow, middle + 1, low), gpu.select(isBelow, high, middle)};
          });
      from = Number(b, range[0]);
      Value exists = from < count;
      isHeld = arith::AndIOp::create(b, exists, itemAt(from) == token);
      // The warp of a token looks after the item of that number, too.
      b.branch(token < count, [&] { gpu.trapIf(arith::CmpIOp::create(b, CmpIPredicate::uge, itemAt(token), items)); });
    } else {
      isHeld = token < count;
      from = Number(b, gpu.select(isHeld, itemAt(token), zero));
      gpu.trapIf(arith::CmpIOp::create(b, CmpIPredicate::uge, from, items.maximum(gpu.index(1))));
    }
    Number source = (batch * gpu.size(kernel->from) + from) * kernel->tokens.rowStride + kernel->tokens.firstColumn;
    Number target = number * kernel->features;
    b.loop(lane, b.index(kernel->features), kWarp, [&](Value column) {
      Value x = gpu.ifElse(
          isHeld,
          [&] { return GpuBuilder::Values{b.load(b.bufferOf(kernel->tokens.source), source + Number(b, column))}; },
          [&] { return GpuBuilder::Values{gpu.f32(0)}; })[0];
      b.store(x, b.result(0), target + Number(b, column));
    });
  });
  b.finish();
  return launch;
}
