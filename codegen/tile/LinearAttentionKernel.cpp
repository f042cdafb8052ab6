// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Takes kernels of linear attention apart and lays out their scratch.
#include "codegen/tile/LinearAttentionKernel.h"

using namespace mlir;
using namespace tamis;
using sattn::LinearAttendOp;

FailureOr<LinearAttentionKernel> LinearAttentionKernel::analyse(func::FuncOp function) {
  auto ops = function.getOps<LinearAttendOp>();
  if (ops.empty() || !llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("has no sattn.linear_attend to tile");
  LinearAttendOp op = *ops.begin();
  for (Operation &other : function.front().without_terminator())
    if (&other != op && !isa<model::SliceOp>(other))
      return other.emitOpError("cannot be computed with a sattn.linear_attend");
  Operation *terminator = function.front().getTerminator();
  if (terminator->getNumOperands() != 1 || terminator->getOperand(0) != op.getResult())
    return function.emitOpError("returns something else than the result of its sattn.linear_attend");
  auto operands = AttentionKernel::of(op);
  if (failed(operands))
    return failure();
  return LinearAttentionKernel{*operands, op.getFeature()};
}

LinearAttentionScratch::LinearAttentionScratch(const LinearAttentionKernel &kernel)
    : paddedD(llvm::alignTo(kernel.D, kMostLanes)), paddedE(llvm::alignTo(kernel.E, kMostLanes)) {
  int64_t next = 0;
  auto take = [&](int64_t elements) {
    int64_t begin = next;
    next += elements;
    return begin;
  };
  state = take(paddedD * paddedE);
  sums = take(paddedD);
  queries = take(kChunk * paddedD);
  keys = take(kChunk * paddedD);
  values = take(kChunk * paddedE);
  turned = take(kernel.causal ? paddedD * kChunk : 0);
  products = take(kernel.causal ? kChunk * kChunk : 0);
  output = take(kChunk * paddedE);
  total = next;
}
