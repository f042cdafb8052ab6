// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Partial results of attention as one on GPUs: a warp a row.
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/tile/MergeKernel.h"
#include "codegen/tile/VectorMath.h"
#include <limits>

using namespace mlir;
using namespace tamis;

static constexpr int64_t kWarps = 4;

FailureOr<GpuLaunch> tamis::tileGpuMerge(func::FuncOp function, const GpuTarget &) {
  auto kernel = MergeKernel::analyse(function);
  if (failed(kernel))
    return failure();
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(kernel->batch * kernel->heads * kernel->queries + (kWarps - 1), kWarps);
  launch.threads = kWarps * kWarp;
  launch.schedule = "one row a warp";

  KernelBuilder b(function);
  GpuBuilder gpu(b);
  VectorMath math(b);
  Number thread = gpu.thread().as(b.getIndexType()), lane = thread % kWarp;
  Number row = gpu.group() * kWarps + thread / kWarp, queries = gpu.size(kernel->queries);
  b.branch(row < gpu.size(kernel->batch * kernel->heads) * queries, [&] {
    Number from = row * (kernel->width + 1);
    Value most, sum = gpu.f32(0), zero = gpu.f32(0);
    SmallVector<Value> logarithms, weights;
    for (BlockArgument input : kernel->inputs) {
      logarithms.push_back(b.load(b.bufferOf(input), from + kernel->width));
      most = most ? gpu.larger(most, logarithms.back()) : logarithms.back();
    }
    // Of a row that no input has keys for the weights are zero, and not the difference of infinities.
    Value infinity = gpu.f32(-std::numeric_limits<double>::infinity());
    most = gpu.select(arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, most, infinity), zero, most);
    for (Value logarithm : logarithms) {
      weights.push_back(math.exp(gpu.sub(logarithm, most)));
      sum = gpu.add(sum, weights.back());
    }
    Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sum, zero);
    Value factor = gpu.select(isEmpty, zero, gpu.div(gpu.f32(1), sum));
    Number to = from, head = row / queries;
    if (!kernel->isPartial)
      to = ((head / kernel->heads * queries + row % queries) * kernel->heads + head % kernel->heads) * kernel->width;
    b.loop(lane, b.index(kernel->width), kWarp, [&](Value column) {
      Value total = zero;
      for (auto [input, weight] : llvm::zip(kernel->inputs, weights)) {
        Value part = b.load(b.bufferOf(input), from + Number(b, column));
        total = gpu.fma(gpu.mul(weight, factor), part, total);
      }
      b.store(total, b.result(0), to + Number(b, column));
    });
    if (kernel->isPartial)
      b.branch(lane == 0, [&] { b.store(gpu.add(most, math.log(sum)), b.result(0), to + kernel->width); });
  });
  b.finish();
  return launch;
}
