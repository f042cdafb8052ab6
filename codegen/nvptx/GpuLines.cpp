// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of lines on GPUs: a thread walks along a line, or through the updates of an element. For the order of a top_k
// a thread counts what comes before one element: more steps than sorting takes, and no memory of its own.
#include "codegen/nvptx/ElementTarget.h"
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/tile/LinesKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

static constexpr unsigned kThreads = 128;

FailureOr<GpuLaunch> tamis::tileGpuLines(func::FuncOp function, const GpuTarget &) {
  auto kernel = LinesKernel::analyse(function);
  if (failed(kernel))
    return failure();
  bool ranks = isa<TopKOp>(kernel->op), scatters = isa<ScatterOp>(kernel->op);
  DimExpr tasks = kernel->outer * kernel->inner * (ranks ? kernel->length : DimExpr(1));
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(tasks + (kThreads - 1), kThreads);
  launch.threads = kThreads;
  launch.schedule = ranks ? "one element a thread" : scatters ? "one column a thread" : "one line a thread";

  KernelBuilder b(function);
  GpuBuilder gpu(b);
  LineWriter writer(b, *kernel, elementTarget());
  Value thread = gpu.thread().as(b.getIndexType());
  Value number = b.add(b.mul(b.begin(), kThreads), thread);
  Value end = b.minimum(b.add(number, 1), b.size(tasks));
  Value none = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
  auto status = b.loop(number, end, 1, {none}, [&](Value task, ValueRange state) {
    Value given = state[0];
    if (scatters) {
      Value column = b.rem(task, b.size(kernel->inner));
      given = writer.scatter(b.divFloor(task, b.size(kernel->inner)), column, b.add(column, 1));
    } else if (ranks) {
      writer.ranked(b.divFloor(task, b.size(kernel->length)), b.rem(task, b.size(kernel->length)));
    } else {
      writer.cumulative(task);
    }
    return SmallVector<Value>{given};
  });
  b.finish(status[0]);
  return launch;
}
