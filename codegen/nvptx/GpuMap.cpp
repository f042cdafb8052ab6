// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Map kernels on GPUs: one element a thread.
#include "codegen/nvptx/ElementTarget.h"
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/tile/MapPoints.h"
#include "codegen/tile/MapSpace.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

/// Enough warps to hide the latency of memory when eight groups share a multiprocessor.
static constexpr unsigned kThreads = 256;

FailureOr<GpuLaunch> tamis::tileGpuMap(func::FuncOp kernel, const GpuTarget &) {
  auto space = MapSpace::of(kernel);
  if (failed(space))
    return failure();
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(space->elements() + (kThreads - 1), kThreads);
  launch.threads = kThreads;
  launch.schedule = "one element a thread";

  KernelBuilder b(kernel);
  GpuBuilder gpu(b);
  Number thread = gpu.thread().as(b.getIndexType());
  MapPoints points(b, elementTarget());
  Value number = points.add(points.mul(b.begin(), points.index(kThreads)), thread);
  Value end = points.minimum(points.add(number, points.index(1)), points.size(space->elements()));
  // A loop of one iteration or none is a condition that MapPoints can write into.
  auto body = points.loop(number, end, [&](Value number) {
    SmallVector<Value> indices;
    if (!space->isFlat)
      indices = points.delinearize(space->dims, number);
    for (auto [i, result] : llvm::enumerate(b.source().front().getTerminator()->getOperands())) {
      Value value = space->isFlat
                        ? points.atNumber(result, number)
                        : points.at(result, points.reshapeIndices(space->dims, dimsOf(result.getType()), indices));
      points.store(value, cast<RankedTensorType>(result.getType()).getElementType(), b.result(i), number);
    }
  });
  if (points.isTooLarge())
    return b.source().emitError() << "computes values at more than " << MapPoints::kMaxPoints
                                  << " different points for one element";
  if (Value refusal = points.refusal()) {
    b.setInsertionPoint(body);
    body.setUpperBound(arith::SelectOp::create(b, refusal, body.getLowerBound(), body.getUpperBound()));
  }
  b.finish(points.status());
  return launch;
}
