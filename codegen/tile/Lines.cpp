// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of lines on CPUs.
#include "codegen/tile/Lines.h"

#include "codegen/tile/LinesKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

/// Lines of a work group, and elements of an update: few enough that batches of one item keep several threads busy.
static constexpr int64_t kGroupLines = 8, kGroupElements = 256;

static DimExpr ceilDiv(const DimExpr &a, int64_t b) {
  return DimExpr::floorDiv(a + (b - 1), b);
}

LogicalResult tamis::tileLines(func::FuncOp function, const CpuTarget &target) {
  auto kernel = LinesKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder b(function);
  LineWriter writer(b, *kernel, target);
  if (isa<ScatterOp>(kernel->op)) {
    Value inner = b.size(kernel->inner), parts = b.size(ceilDiv(kernel->inner, kGroupElements));
    Value none = arith::ConstantOp::create(b, b.getI32IntegerAttr(0));
    auto status = b.loop(b.begin(), b.end(), 1, {none}, [&](Value group, ValueRange state) {
      Value begin = b.mul(b.rem(group, parts), kGroupElements);
      Value end = b.minimum(inner, b.add(begin, kGroupElements));
      Value found = writer.scatter(b.divFloor(group, parts), begin, end);
      return SmallVector<Value>{arith::OrIOp::create(b, state[0], found)};
    });
    b.finish(status[0]);
    return success();
  }
  Value lines = b.size(kernel->outer * kernel->inner);
  Value end = b.minimum(lines, b.mul(b.end(), kGroupLines));
  b.loop(b.mul(b.begin(), kGroupLines), end, 1,
         [&](Value line) { isa<TopKOp>(kernel->op) ? writer.sorted(line) : writer.cumulative(line); });
  b.finish();
  return success();
}

FailureOr<Launch> tamis::linesLaunch(func::FuncOp function) {
  auto kernel = LinesKernel::analyse(function);
  if (failed(kernel))
    return failure();
  if (isa<ScatterOp>(kernel->op))
    return Launch{kernel->outer * ceilDiv(kernel->inner, kGroupElements), 0};
  DimExpr scratch = isa<TopKOp>(kernel->op) ? kernel->length * 8 : DimExpr(0);
  return Launch{ceilDiv(kernel->outer * kernel->inner, kGroupLines), scratch};
}
