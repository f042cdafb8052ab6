// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Folds and canonical forms of the sattn dialect.
#include "dialects/sattn/SattnDialect.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

namespace {
/// Bands that hold every item, of whatever sizes.
bool holdsAll(Value index) {
  auto bands = index.getDefiningOp<BandsOp>();
  if (!bands)
    return false;
  auto items = bands.getType().itemCount().constant();
  uint64_t most = items ? uint64_t(*items) : uint64_t(INT32_MAX); // no index has more
  return bands.getSinks() >= most || (bands.getBefore() == INT32_MAX && bands.getAfter() == INT32_MAX);
}

/// The operands of nested ops of one kind, each once.
template <typename Op> llvm::SetVector<Value> flattened(Op op) {
  llvm::SetVector<Value> inputs;
  for (Value input : op.getInputs())
    if (auto inner = input.getDefiningOp<Op>())
      inputs.insert(inner.getInputs().begin(), inner.getInputs().end());
    else
      inputs.insert(input);
  return inputs;
}

template <typename Op> LogicalResult replaceInputs(Op op, ArrayRef<Value> inputs, PatternRewriter &rewriter) {
  if (llvm::equal(inputs, op.getInputs()))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.getInputsMutable().assign(inputs); });
  return success();
}

/// Of one input alone, if the type stays.
template <typename Op> OpFoldResult onlyInput(Op op) {
  bool isOne = op.getInputs().size() == 1 && op.getInputs().front().getType() == op.getType();
  return isOne ? OpFoldResult(op.getInputs().front()) : OpFoldResult();
}
} // namespace

OpFoldResult LoadIndexOp::fold(FoldAdaptor) {
  auto stored = getInput().getDefiningOp<StoreIndexOp>();
  return stored && stored.getInput().getType() == getType() ? OpFoldResult(stored.getInput()) : OpFoldResult();
}

OpFoldResult LoadPartialOp::fold(FoldAdaptor) {
  auto stored = getInput().getDefiningOp<StorePartialOp>();
  return stored && stored.getInput().getType() == getType() ? OpFoldResult(stored.getInput()) : OpFoldResult();
}

OpFoldResult UnionOp::fold(FoldAdaptor) {
  for (Value input : getInputs())
    if (input.getType() == getType() && holdsAll(input))
      return input;
  return onlyInput(*this);
}

LogicalResult UnionOp::canonicalize(UnionOp op, PatternRewriter &rewriter) {
  return replaceInputs(op, flattened(op).getArrayRef(), rewriter);
}

OpFoldResult IntersectOp::fold(FoldAdaptor) {
  return onlyInput(*this);
}

LogicalResult IntersectOp::canonicalize(IntersectOp op, PatternRewriter &rewriter) {
  llvm::SetVector<Value> inputs = flattened(op);
  Value first = inputs.front();
  inputs.remove_if(holdsAll);
  if (inputs.empty())
    inputs.insert(first);
  return replaceInputs(op, inputs.getArrayRef(), rewriter);
}

OpFoldResult RefineOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult RefineOp::canonicalize(RefineOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<RefineOp>();
  if (!inner || inner.getKeys() != op.getKeys())
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.getInputMutable().assign(inner.getInput()); });
  return success();
}

OpFoldResult CoarsenOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult CoarsenOp::canonicalize(CoarsenOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<CoarsenOp>();
  if (!inner || (inner.getKeys() && op.getKeys() && inner.getKeys() != op.getKeys()))
    return failure();
  rewriter.modifyOpInPlace(op, [&] {
    if (inner.getKeys())
      op.setKeysAttr(inner.getKeysAttr());
    op.getInputMutable().assign(inner.getInput());
  });
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  auto inner = getInput().getDefiningOp<TransposeOp>();
  return inner && inner.getInput().getType() == getType() ? OpFoldResult(inner.getInput()) : OpFoldResult();
}

OpFoldResult ShareOp::fold(FoldAdaptor) {
  bool same = getInput().getType() == getType();
  for (auto [head, from] : llvm::enumerate(getHeads()))
    same &= int64_t(head) == from;
  return same ? OpFoldResult(getInput()) : OpFoldResult();
}

LogicalResult ShareOp::canonicalize(ShareOp op, PatternRewriter &rewriter) {
  auto inner = op.getInput().getDefiningOp<ShareOp>();
  if (!inner)
    return failure();
  SmallVector<int64_t> heads;
  for (int64_t head : op.getHeads())
    heads.push_back(inner.getHeads()[head]);
  rewriter.modifyOpInPlace(op, [&] {
    op.setHeads(heads);
    op.getInputMutable().assign(inner.getInput());
  });
  return success();
}

/// `attend` reads a union by itself, heads and batch items of which several share one, and keys by items of any size.
LogicalResult AttendOp::canonicalize(AttendOp op, PatternRewriter &rewriter) {
  if (op.getFull()) // counts the indices as they are
    return failure();
  llvm::SetVector<Value> indices;
  for (Value index : op.getIndices()) {
    if (auto joined = index.getDefiningOp<UnionOp>()) {
      indices.insert(joined.getInputs().begin(), joined.getInputs().end());
      continue;
    }
    if (auto refined = index.getDefiningOp<RefineOp>())
      index = refined.getInput();
    if (auto shared = index.getDefiningOp<ShareOp>()) {
      int64_t heads = shared.getHeads().size(), from = *shared.getInput().getType().shapeDims()[1].constant();
      bool isEven = heads % from == 0;
      for (auto [head, source] : llvm::enumerate(shared.getHeads()))
        isEven &= int64_t(head) / std::max<int64_t>(1, heads / from) == source;
      if (isEven)
        index = shared.getInput();
    }
    indices.insert(index);
  }
  if (llvm::equal(indices, op.getIndices()))
    return failure();
  rewriter.modifyOpInPlace(op, [&] { op.getIndicesMutable().assign(indices.getArrayRef()); });
  return success();
}

OpFoldResult MergeOp::fold(FoldAdaptor) {
  return onlyInput(*this);
}

LogicalResult MergeOp::canonicalize(MergeOp op, PatternRewriter &rewriter) {
  SmallVector<Value> inputs; // a partial result that comes twice counts twice
  for (Value input : op.getInputs())
    if (auto inner = input.getDefiningOp<MergeOp>())
      inputs.append(inner.getInputs().begin(), inner.getInputs().end());
    else
      inputs.push_back(input);
  if (succeeded(replaceInputs(op, inputs, rewriter)))
    return success();
  // Of one attention alone: the attention, whose result is a tensor then.
  auto attend = inputs.size() == 1 ? inputs.front().getDefiningOp<AttendOp>() : AttendOp();
  if (!attend || !attend->hasOneUse() || isa<PartialType>(op.getType()))
    return failure();
  auto whole = cast<AttendOp>(rewriter.clone(*attend));
  whole.getResult().setType(op.getType());
  rewriter.replaceOp(op, whole.getResult());
  rewriter.eraseOp(attend);
  return success();
}
