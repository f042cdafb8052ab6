// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Takes kernels of attention apart and lays out their scratch.
#include "codegen/tile/AttentionKernel.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

FailureOr<ColumnRange> tamis::columnRange(Operation *op, Value operand, bool allowsHalf) {
  ColumnRange range;
  Value source = operand;
  if (auto slice = operand.getDefiningOp<SliceOp>()) {
    source = slice.getInput();
    Dims from = dimsOf(source.getType()), to = dimsOf(operand.getType());
    auto start = [&](size_t axis) { return DimExpr::parse(cast<StringAttr>(slice.getStarts()[axis]).getValue()); };
    for (size_t axis = 0; axis < from.size(); ++axis) {
      bool last = axis + 1 == from.size();
      bool whole = start(axis) == DimExpr(0) && from[axis] == to[axis];
      if (slice.getSteps()[axis] != 1 || (!last && !whole) || !start(axis)->constant())
        return slice.emitOpError("picks more than columns, which its kernel cannot read in place");
    }
    range.firstColumn = *start(from.size() - 1)->constant();
  }
  range.source = dyn_cast<BlockArgument>(source);
  auto type = cast<RankedTensorType>(source.getType());
  if (!range.source || type.getRank() != 3 || type.isDynamicDim(2))
    return op->emitOpError("has an operand that is neither an argument of its kernel nor columns of one");
  if (!type.getElementType().isF32() &&
      !(allowsHalf && (type.getElementType().isF16() || type.getElementType().isBF16())))
    return op->emitOpError() << "has an operand of type " << type << " but f32 is wanted";
  range.rowStride = type.getDimSize(2);
  return range;
}

namespace {
FailureOr<AttentionMask> maskOf(Operation *op, Value operand) {
  AttentionMask mask;
  if (!operand)
    return mask;
  mask.source = dyn_cast<BlockArgument>(operand);
  auto type = cast<RankedTensorType>(operand.getType());
  mask.isBool = type.getElementType().isInteger(1);
  if (!mask.source || !(mask.isBool || type.getElementType().isF32()))
    return op->emitOpError() << "has a mask of type " << type << " but an argument of f32 or i1 is wanted";
  Dims dims = dimsOf(type);
  mask.perBatch = !dims[0].isConstant(1);
  mask.perHead = !dims[1].isConstant(1);
  mask.perQuery = !dims[2].isConstant(1);
  mask.perKey = !dims[3].isConstant(1);
  return mask;
}

/// Whether `op` rounds the result of an attention to bf16.
bool isRounding(Operation *op, Value result) {
  return isa<CastOp>(op) && op->getOperand(0) == result &&
         cast<RankedTensorType>(op->getResult(0).getType()).getElementType().isBF16();
}

template <typename Op> FailureOr<AttentionKernel> kernelOf(Op op, bool allowsHalf = false) {
  auto query = columnRange(op, op.getQuery(), allowsHalf), key = columnRange(op, op.getKey(), allowsHalf),
       value = columnRange(op, op.getValue(), allowsHalf);
  auto mask = maskOf(op, op.getMask());
  if (failed(query) || failed(key) || failed(value) || failed(mask))
    return failure();
  AttentionKernel kernel;
  kernel.query = *query;
  kernel.key = *key;
  kernel.value = *value;
  kernel.mask = *mask;
  Dims queryDims = dimsOf(op.getQuery().getType()), valueDims = dimsOf(op.getValue().getType());
  kernel.batch = queryDims[0];
  kernel.queries = queryDims[1];
  kernel.keys = valueDims[1];
  kernel.heads = op.getHeads();
  kernel.groupSize = op.getHeads() / op.getKvHeads();
  kernel.D = *queryDims[2].constant() / op.getHeads();
  kernel.E = *valueDims[2].constant() / op.getKvHeads();
  kernel.causal = op.getCausal();
  return kernel;
}

template <typename Op> FailureOr<AttentionKernel> scaledKernelOf(Op op, bool allowsHalf = false) {
  auto kernel = kernelOf(op, allowsHalf);
  if (succeeded(kernel))
    kernel->scale = op.getScale().convertToDouble();
  return kernel;
}
} // namespace

FailureOr<AttentionKernel> AttentionKernel::of(AttentionOp op, bool allowsHalf) {
  return scaledKernelOf(op, allowsHalf);
}
FailureOr<AttentionKernel> AttentionKernel::of(sattn::AttendOp op, bool allowsHalf) {
  return scaledKernelOf(op, allowsHalf);
}
FailureOr<AttentionKernel> AttentionKernel::of(sattn::LinearAttendOp op) {
  return kernelOf(op);
}

FailureOr<AttentionKernel> AttentionKernel::of(sattn::AttendAtOp op) {
  auto kernel = scaledKernelOf(op);
  if (failed(kernel))
    return failure();
  auto load = op.getPositions().getDefiningOp<sattn::LoadIndexOp>();
  kernel->positions = load ? dyn_cast<BlockArgument>(load.getInput()) : BlockArgument();
  if (!kernel->positions)
    return op.emitOpError("has positions that are not loaded from an argument of its kernel");
  return kernel;
}

FailureOr<AttentionKernel> AttentionKernel::analyse(func::FuncOp function, bool allowsHalf) {
  Operation *op = nullptr;
  for (Operation &each : function.front())
    if (!op && isa<AttentionOp, sattn::AttendAtOp>(each))
      op = &each;
  if (!op || !llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("has no model.attention to tile");
  Value last = op->getResult(0);
  for (Operation &other : function.front().without_terminator()) {
    if (isRounding(&other, last))
      last = other.getResult(0);
    else if (&other != op && !isa<SliceOp, sattn::LoadIndexOp>(other))
      return other.emitOpError("cannot be computed with a model.attention");
  }
  Operation *terminator = function.front().getTerminator();
  if (terminator->getNumOperands() != 1 || terminator->getOperand(0) != last)
    return function.emitOpError("returns something else than the result of its model.attention");
  auto attention = dyn_cast<AttentionOp>(op);
  return attention ? of(attention, allowsHalf) : of(cast<sattn::AttendAtOp>(op));
}

AttentionSchedule AttentionSchedule::of(const AttentionKernel &kernel, const CpuTarget &target) {
  // 64 keys are 4 vectors of 16 lanes; 16 registers take 6 shorter vectors in two chunks of 3.
  static constexpr unsigned wide[] = {1, 2, 3, 4}, narrow[] = {1, 2, 3, 6};
  // Six rows leave no register for a mask, nor for the weights of short heads, of which each step takes more.
  if (target.registers == 32 && (kernel.mask || kernel.D < 64))
    return {target.lanes, target.registers, 4, wide, /*pipelinedRows=*/4, kBlockQueries};
  if (target.registers == 32)
    return {target.lanes, target.registers, 4, wide, /*pipelinedRows=*/6, /*blockQueries=*/96};
  return {target.lanes, target.registers, 6, narrow, /*pipelinedRows=*/0, /*blockQueries=*/64};
}

AttentionSchedule AttentionSchedule::ofWholeBlocks(const CpuTarget &target) {
  static constexpr unsigned of16[] = {4}, of8[] = {8}, of4[] = {16};
  unsigned vectors = kMostBlockKeys / target.lanes;
  llvm::ArrayRef<unsigned> widths = target.lanes == 16 ? of16 : target.lanes == 8 ? of8 : of4;
  return {target.lanes, target.registers, vectors, widths, /*pipelinedRows=*/target.registers == 32 ? 4u : 0u,
          kBlockQueries};
}

AttentionScratch::AttentionScratch(const AttentionSchedule &schedule, int64_t D, int64_t E) {
  using S = AttentionSchedule;
  int64_t next = 0;
  auto take = [&](int64_t elements) {
    int64_t begin = next;
    next += llvm::alignTo(elements, S::kMostLanes);
    return begin;
  };
  queries = take(S::kMostBlockQueries * llvm::alignTo(D, S::kMostLanes));
  output = take(S::kMostBlockQueries * llvm::alignTo(E, S::kMostLanes));
  maxima = take(S::kMostBlockQueries);
  limits = take(S::kMostBlockQueries);
  factors = take(S::kRows);
  sums = take(S::kMostBlockQueries * S::kMostLanes);
  scores = take(S::kRows * S::kMostBlockKeys);
  weights = take(S::kRows * S::kMostBlockKeys);
  tileBias = take(S::kRows * S::kMostBlockKeys);
  blocks = next;
  next = 0;
  take(D * schedule.blockKeys());
  blockValues = take(schedule.blockKeys() * llvm::alignTo(E, S::kMostLanes));
  blockBias = take(schedule.blockKeys());
  blockFlag = take(1);
  blockSize = next;
}

DimExpr AttentionScratch::bytes(int64_t D, int64_t E, const DimExpr &keyCount) {
  using S = AttentionSchedule;
  // The last block may be all padding but one key, each of the block's parts is rounded up to a vector, and a flag
  // takes one of its own.
  int64_t elementsOfKey = D + int64_t(llvm::alignTo(E, S::kMostLanes)) + 1, rounding = 4;
  DimExpr padded = keyCount + S::kMostBlockKeys;
  AttentionScratch widest({S::kMostLanes, 32, S::kMostBlockKeys / S::kMostLanes, {}, 0, 0}, D, E);
  return (padded * (elementsOfKey + rounding) + widest.blocks) * int64_t(sizeof(float));
}
