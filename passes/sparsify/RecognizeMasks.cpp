// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks that are known at compile time become what they say: order, windows, blocks of keys.
#include "dialects/model/ModelConstants.h"
#include "dialects/sattn/patterns/PatternBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/sparsify/ClosedForm.h"
#include "passes/sparsify/Passes.h"
#include "passes/sparsify/StoredIndex.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::sparsify {
#define GEN_PASS_DEF_RECOGNIZEMASKS
#include "passes/sparsify/Passes.h.inc"

namespace {
/// The share of the pairs above which reading less gains nothing: an estimate, not measured.
constexpr double kMostShare = 0.9;

struct RecognizeMasks : impl::RecognizeMasksBase<RecognizeMasks> {
  RecognizeMasks() = default;
  explicit RecognizeMasks(const WeightStore *weights) : weights(weights) {}

  void runOnOperation() override {
    SmallVector<AttentionOp> attentions;
    getOperation().walk([&](AttentionOp op) {
      if (op.getMask())
        attentions.push_back(op);
    });
    for (AttentionOp op : attentions)
      recognize(op);
    // What masks were computed from.
    for (Block &block : getOperation().getBody())
      for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
        if (isOpTriviallyDead(&op))
          op.erase();
  }

private:
  void recognize(AttentionOp op) {
    DimExpr queries = dimsOf(op.getQuery().getType())[1], keys = dimsOf(op.getKey().getType())[1];
    if (queries.constant() && keys.constant())
      if (auto table = maskTableOf(op.getMask(), *queries.constant(), *keys.constant(), weights))
        return recognizeTable(op, std::move(*table));
    // Sides of a conjunction are rules each for itself; what is none stays.
    ClosedForm all;
    SmallVector<Value> rest;
    Value mask = asBool(op, queries, keys);
    bool isBool = mask == op.getMask(), any = false;
    if (!mask)
      return;
    for (Value side : conjuncts(mask)) {
      auto form = closedFormOf(side, queries, keys);
      auto joined = form ? both(all, *form) : std::nullopt;
      any |= joined.has_value();
      if (joined)
        all = *joined;
      else
        rest.push_back(side);
    }
    // Where a row keeps nothing, numbers give its keys equal weights, and a rule gives zeros.
    DimExpr offset = keys - queries;
    bool everyRow = all.keepsOwn() && offset.constant().value_or(-1) >= 0;
    if (!any || (!isBool && (!rest.empty() || !everyRow)) || !write(op, all, joinAll(op, rest)))
      return;
    ++numClosed;
  }

  /// What views and repetitions along axes before the last two were made of.
  static Value withoutLeadingAxes(Value mask) {
    while (isa_and_nonnull<ReshapeOp, BroadcastOp>(mask.getDefiningOp())) {
      Value inner = mask.getDefiningOp()->getOperand(0);
      Dims to = dimsOf(mask.getType()), from = dimsOf(inner.getType());
      if (from.size() < 2 || from.size() > to.size())
        return mask;
      for (size_t back = 1; back <= from.size(); ++back) {
        const DimExpr &own = from[from.size() - back];
        if (own != to[to.size() - back] && (back <= 2 || !own.isConstant(1)))
          return mask;
      }
      mask = inner;
    }
    return mask;
  }

  /// The mask, or the condition of one that selects between 0 and a number that leaves nothing of a weight.
  Value asBool(AttentionOp op, const DimExpr &queries, const DimExpr &keys) {
    Value mask = op.getMask();
    if (cast<RankedTensorType>(mask.getType()).getElementType().isInteger(1))
      return mask;
    mask = withoutLeadingAxes(mask);
    auto select = mask.getDefiningOp<ElementwiseOp>();
    if (!select || select.getKind() != ElementwiseKind::select)
      return {};
    auto yes = uniformNumber(select.getOperands()[1]), no = uniformNumber(select.getOperands()[2]);
    return yes == 0 && no && *no <= sattn::kLeftOut ? select.getOperands()[0] : Value();
  }

  static SmallVector<Value> conjuncts(Value mask) {
    Value inner = withoutLeadingAxes(mask);
    auto op = inner.getDefiningOp<ElementwiseOp>();
    if (!op || op.getKind() != ElementwiseKind::logical_and)
      return {mask};
    SmallVector<Value> sides = conjuncts(op.getOperands()[0]);
    sides.append(conjuncts(op.getOperands()[1]));
    return sides;
  }

  static std::optional<ClosedForm> both(const ClosedForm &x, const ClosedForm &y) {
    auto isOrder = [](const ClosedForm &form) {
      return !form.block && !form.sinks && !form.before && (!form.after || form.after == 0);
    };
    auto withOrder = [](ClosedForm form, const ClosedForm &order) {
      form.causal |= order.causal || order.after == 0;
      return form;
    };
    if (isOrder(x))
      return withOrder(y, x);
    if (isOrder(y))
      return withOrder(x, y);
    if (x.sinks || y.sinks || x.block || y.block)
      return std::nullopt;
    auto least = [](std::optional<int64_t> a, std::optional<int64_t> b) { return a && b ? std::min(a, b) : a ? a : b; };
    return ClosedForm{least(x.before, y.before), least(x.after, y.after), 0, 0, x.causal || y.causal};
  }

  /// Masks that are left, as one of rank 4; null for none.
  static Value joinAll(AttentionOp op, ArrayRef<Value> sides) {
    OpBuilder builder(op);
    Value joined;
    for (Value side : sides) {
      Dims dims = dimsOf(side.getType()), wide(4 - dims.size(), DimExpr(1));
      wide.append(dims);
      if (dims.size() < 4)
        side = ReshapeOp::create(builder, op.getLoc(), tensorType(builder.getI1Type(), wide), side);
      if (joined) {
        auto both = broadcastDims(dimsOf(joined.getType()), wide);
        joined = ElementwiseOp::create(builder, op.getLoc(), tensorType(builder.getI1Type(), *both),
                                       ElementwiseKind::logical_and, ValueRange{joined, side});
      } else {
        joined = side;
      }
    }
    return joined;
  }

  /// The attention by its rule, with what is left of its mask. False when the rule cannot be said.
  bool write(AttentionOp op, ClosedForm form, Value mask) {
    form.causal |= op.getCausal();
    if (!form.sinks && !form.block && form.after == 0) {
      form.causal = true;
      form.after = std::nullopt;
    }
    if (form.causal && form.after.value_or(0) >= 0)
      form.after = std::nullopt;
    if (form.isOrder()) {
      mask ? op.getMaskMutable().assign(mask) : op.getMaskMutable().clear();
      op.setCausal(form.causal);
      return true;
    }
    if (form.block && form.sinks)
      return false;
    int64_t before = form.before.value_or(INT32_MAX), after = form.after.value_or(form.causal ? 0 : INT32_MAX);
    if (!form.block && (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX))
      return false;
    OpBuilder builder(op);
    bool isWindow = !form.block && before < INT32_MAX && (form.causal || before == after);
    auto pattern = sattn::WindowAttr::get(&getContext(), isWindow ? before + 1 : 1, isWindow ? form.sinks : 0);
    auto sparse = sattn::AttentionOp::create(builder, op.getLoc(), op.getType(), pattern, op.getQuery(), op.getKey(),
                                             op.getValue(), mask, ValueRange(), op.getHeadsAttr(), op.getKvHeadsAttr(),
                                             op.getScaleAttr(), form.causal ? builder.getUnitAttr() : UnitAttr());
    Value result = sparse;
    if (!isWindow) {
      sattn::PatternBuilder selection(builder, sparse);
      result = selection.attend({form.block ? selection.bands(form.block, form.block, 0, 0, 0)
                                            : selection.bands(1, 1, before, after, form.sinks)});
      sparse.erase();
    }
    op.replaceAllUsesWith(result);
    op.erase();
    return true;
  }

  void recognizeTable(AttentionOp op, MaskTable table) {
    if (table.isFinite && table.hasEmptyRow())
      return;
    MaskTable ordered = table;
    if (op.getCausal())
      ordered.order();
    // With numbers, order must not take from a row all that the mask leaves.
    if (table.isFinite && ordered.hasEmptyRow())
      return;
    std::optional<ClosedForm> form = closedFormOf(table);
    if (!form && op.getCausal())
      form = closedFormOf(ordered);
    int64_t pairs = ordered.kept.count(), all = table.heads * table.queries * table.keys;
    if (op.getCausal()) {
      MaskTable dense = fullTable(table.queries, table.keys);
      dense.order();
      all = table.heads * int64_t(dense.kept.count());
    }
    if (form && (form->isOrder() || pairs <= kMostShare * all) && write(op, *form, {})) {
      ++numClosed;
      return;
    }
    writeBlocks(op, ordered, all);
  }

  /// Blocks that hold a kept pair, of the size that costs least.
  void writeBlocks(AttentionOp op, const MaskTable &table, int64_t densePairs) {
    std::optional<BlockTable> best;
    double least = kMostShare * double(densePairs);
    for (int64_t columns : {64, 32, 16}) {
      BlockTable blocks = BlockTable::of(table, kRows, columns);
      // Fewer keys than a tile's are gathered one by one, and masks with them; twice the cost is an estimate.
      double cost = double(blocks.pairs(table.queries, table.keys)) * (columns == 64 ? 1 : 2);
      if (cost >= least)
        continue;
      least = cost;
      best = std::move(blocks);
    }
    if (!best)
      return;
    best->shareHeads(op.getHeads());
    OpBuilder builder(op);
    Value index = best->load(builder, op.getLoc(), table.queries, table.keys);
    Value result = sattn::AttendOp::create(builder, op.getLoc(), op.getType(), op.getQuery(), op.getKey(),
                                           op.getValue(), ValueRange{index}, op.getMask(), op.getHeadsAttr(),
                                           op.getKvHeadsAttr(), op.getScaleAttr(), op.getCausalAttr());
    op.replaceAllUsesWith(result);
    op.erase();
    ++numBlocks;
  }

  static constexpr int64_t kRows = 64;
  const WeightStore *weights = nullptr;
};
} // namespace

std::unique_ptr<Pass> createRecognizeMasks(const WeightStore *weights) {
  return std::make_unique<RecognizeMasks>(weights);
}
} // namespace tamis::sparsify
