// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Computes dense layers of one input in one go.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::graph {
#define GEN_PASS_DEF_MERGELINEARS
#include "passes/graph/Passes.h.inc"

namespace {
/// The op where the results of `linear` first meet another computed value; null when they go several ways before.
Operation *meetingPoint(LinearOp linear) {
  for (Value value = linear.getResult(); value.hasOneUse();) {
    Operation *user = *value.user_begin();
    bool alone = isa<ReshapeOp, TransposeOp, CastOp, ActivationOp, SliceOp, NormOp, ElementwiseOp>(user) &&
                 llvm::all_of(user->getOperands(),
                              [&](Value operand) { return operand == value || isWeightExpression(operand); });
    if (!alone)
      return user;
    value = user->getResult(0);
  }
  return nullptr;
}

/// Moves the ops of a weight expression in front of `before`, all in one block.
void hoist(Value value, Operation *before) {
  Operation *op = value.getDefiningOp();
  if (!op || op->isBeforeInBlock(before))
    return;
  for (Value operand : op->getOperands())
    hoist(operand, before);
  op->moveBefore(before);
}

/// How a weight is stored: null for floats. Weights that are stored alike stay packed when they are joined.
Attribute storageOf(Value weight) {
  while (auto transpose = weight.getDefiningOp<TransposeOp>())
    weight = transpose.getInput();
  auto op = weight.getDefiningOp<DequantizeOp>();
  if (!op)
    return {};
  OpBuilder builder(op);
  return builder.getArrayAttr(
      {TypeAttr::get(typeOf(op.getInput()).getElementType()), TypeAttr::get(typeOf(op.getScale()).getElementType()),
       builder.getI64IntegerAttr(op.getBlock().value_or(0)), builder.getBoolAttr(bool(op.getZeroPoint())),
       builder.getBoolAttr(bool(op.getMinimum()))});
}

class Merger {
public:
  explicit Merger(MutableArrayRef<LinearOp> linears)
      : linears(linears), first(linears.front()), builder(linears.front()),
        element(typeOf(first.getWeight()).getElementType()) {
    Trail trail;
    for (LinearOp linear : linears) {
      trail.add(linear);
      columns.push_back(*dimsOf(linear.getResult()).back().constant());
      total += columns.back();
    }
    loc = trail.fuse(builder);
  }

  void merge() {
    for (LinearOp linear : linears) {
      hoist(linear.getWeight(), first);
      if (linear.getBias())
        hoist(linear.getBias(), first);
    }
    Dims dims = dimsOf(first.getResult());
    dims.back() = total;
    bool transposed = llvm::all_of(linears, [](LinearOp linear) { return linear.getTransposed(); });
    Value weight = joinWeights(transposed), bias = joinBiases();
    Value all = LinearOp::create(builder, loc, tensorType(element, dims), first.getInput(), weight, bias, transposed);
    SmallVector<Attribute> starts(dims.size(), builder.getStringAttr("0"));
    SmallVector<int64_t> steps(dims.size(), 1);
    int64_t start = 0;
    for (auto [linear, width] : llvm::zip_equal(linears, columns)) {
      starts.back() = builder.getStringAttr(std::to_string(start));
      start += width;
      auto slice =
          SliceOp::create(builder, linear.getLoc(), linear.getType(), all, builder.getArrayAttr(starts), steps);
      linear.getResult().replaceAllUsesWith(slice);
    }
    for (LinearOp linear : linears)
      linear.erase();
  }

private:
  Value joinWeights(bool transposed) {
    SmallVector<Value> weights;
    for (LinearOp linear : linears) {
      Value weight = linear.getWeight();
      weights.push_back(linear.getTransposed() && !transposed ? transposeBy(builder, loc, weight, {1, 0}) : weight);
    }
    DimExpr inner = dimsOf(first.getInput()).back();
    Dims dims = transposed ? Dims{DimExpr(total), inner} : Dims{inner, DimExpr(total)};
    return ConcatOp::create(builder, loc, tensorType(element, dims), weights, transposed ? 0 : 1);
  }

  Value joinBiases() {
    if (llvm::none_of(linears, [](LinearOp linear) { return bool(linear.getBias()); }))
      return {};
    SmallVector<Value> biases;
    for (auto [linear, width] : llvm::zip_equal(linears, columns))
      biases.push_back(linear.getBias() ? linear.getBias()
                                        : makeUniform(builder, loc, RankedTensorType::get({width}, element), 0));
    return ConcatOp::create(builder, loc, RankedTensorType::get({total}, element), biases, 0);
  }

  MutableArrayRef<LinearOp> linears;
  LinearOp first;
  OpBuilder builder;
  Type element;
  Location loc = builder.getUnknownLoc();
  SmallVector<int64_t> columns;
  int64_t total = 0;
};

struct MergeLinearsPass : impl::MergeLinearsBase<MergeLinearsPass> {
  void runOnOperation() override {
    for (Block &block : getOperation().getBody()) {
      llvm::MapVector<std::tuple<Value, Operation *, Attribute>, SmallVector<LinearOp>> groups;
      for (auto linear : block.getOps<LinearOp>()) {
        bool known =
            isWeightExpression(linear.getWeight()) && (!linear.getBias() || isWeightExpression(linear.getBias()));
        if (Operation *meeting = known ? meetingPoint(linear) : nullptr)
          groups[{linear.getInput(), meeting, storageOf(linear.getWeight())}].push_back(linear);
      }
      for (auto &[key, linears] : groups) {
        if (linears.size() < 2)
          continue;
        Merger(linears).merge();
        numMerged += linears.size() - 1;
      }
    }
  }
};
} // namespace
} // namespace tamis::graph
