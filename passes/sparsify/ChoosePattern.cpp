// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives every attention the patterns that the user names for its layer and heads.
#include "passes/sparsify/Passes.h"
#include "passes/sparsify/Policy.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

using namespace mlir;

namespace tamis::sparsify {
#define GEN_PASS_DEF_CHOOSEPATTERN
#include "passes/sparsify/Passes.h.inc"

sattn::PatternAttrInterface parsePattern(StringRef text, Location loc) {
  auto [name, parameters] = text.trim().split('(');
  name = name.trim();
  parameters = parameters.trim();
  if (SmallVector<StringRef> known = sattn::patternNames(); !llvm::is_contained(known, name)) {
    emitError(loc) << "found the attention '" << text << "' but dense or a pattern is wanted; there are "
                   << llvm::join(known, ", ");
    return {};
  }
  bool hasParentheses = text.contains('(');
  std::string reason;
  Attribute attribute;
  if (!hasParentheses || parameters.consume_back(")")) {
    ScopedDiagnosticHandler handler(loc.getContext(), [&](Diagnostic &diagnostic) {
      reason = reason.empty() ? diagnostic.str() : reason;
      return success();
    });
    attribute = parseAttribute(("#sattn." + name + "<" + parameters + ">").str(), loc.getContext());
  } else {
    reason = "expected ')' at its end";
  }
  auto pattern = dyn_cast_or_null<sattn::PatternAttrInterface>(attribute);
  if (!pattern) {
    InFlightDiagnostic error = emitError(loc)
                               << "found the attention '" << text
                               << "' but dense or a pattern is wanted, such as window(size=128, sinks=4)";
    if (!reason.empty())
      error << ": " << reason;
  }
  return pattern;
}

namespace {
/// Columns `[start, start + width)` of the last axis. A range of a range is read from the whole, as kernels want it.
Value columns(OpBuilder &builder, Value tokens, int64_t start, int64_t width) {
  Location loc = tokens.getLoc();
  auto dims = model::dimsOf(tokens.getType());
  auto type = cast<RankedTensorType>(tokens.getType());
  if (dims.back() == DimExpr(width))
    return tokens;
  SmallVector<Attribute> starts(dims.size(), builder.getStringAttr("0"));
  DimExpr first = start;
  auto slice = tokens.getDefiningOp<model::SliceOp>();
  if (slice && llvm::all_of(slice.getSteps(), [](int64_t step) { return step == 1; }))
    if (auto own = DimExpr::parse(cast<StringAttr>(slice.getStarts()[dims.size() - 1]).getValue())) {
      llvm::copy(slice.getStarts(), starts.begin());
      first = *own + start;
      tokens = slice.getInput();
    }
  starts.back() = builder.getStringAttr(first.str());
  dims.back() = width;
  return model::SliceOp::create(builder, loc, model::tensorType(type.getElementType(), dims), tokens,
                                builder.getArrayAttr(starts), SmallVector<int64_t>(dims.size(), 1));
}

/// Runs of heads of which each reads either whole groups of query heads, those that share a key head, or a part of one.
std::vector<HeadRun> cutAtGroups(ArrayRef<HeadRun> runs, int64_t group) {
  std::vector<HeadRun> parts;
  for (HeadRun run : runs)
    while (run.count > 0) {
      int64_t inGroup = run.first % group;
      int64_t count = inGroup == 0 && run.count >= group ? run.count / group * group : group - inGroup;
      count = std::min(count, run.count);
      parts.push_back({run.first, count, run.pattern});
      run.first += count;
      run.count -= count;
    }
  return parts;
}

struct ChoosePattern : impl::ChoosePatternBase<ChoosePattern> {
  using ChoosePatternBase::ChoosePatternBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    auto policy = Policy::parse(pattern, function.getLoc());
    if (failed(policy))
      return signalPassFailure();
    if (policy->isDense())
      return;
    SmallVector<Operation *> layers;
    SmallVector<bool> hasPattern;
    for (Operation &op : function.getOps())
      if (isa<model::AttentionOp, sattn::AttentionOp>(op)) {
        layers.push_back(&op);
        hasPattern.push_back(isa<sattn::AttentionOp>(op));
      }
    if (failed(policy->checkLayers(hasPattern, function.getLoc())))
      return signalPassFailure();
    std::set<int64_t> selectForOthers;
    for (size_t layer = 0; layer < layers.size(); ++layer)
      if (auto shared = policy->sharedBy(layer))
        selectForOthers.insert(*shared);
    for (int64_t layer : selectForOthers)
      isShared[layers[layer]] = layer;
    for (auto [layer, op] : llvm::enumerate(layers))
      if (auto attention = dyn_cast<model::AttentionOp>(op))
        if (failed(choose(attention, *policy, layer)))
          return signalPassFailure();
  }

  LogicalResult choose(model::AttentionOp op, const Policy &policy, int64_t layer) {
    int64_t heads = op.getHeads();
    auto runs = policy.runsOf(layer, heads, getOperation().getLoc());
    if (failed(runs))
      return failure();
    Range keys = keysOf(op);
    int64_t limit = denseBelow >= 0 ? int64_t(denseBelow) : policy.denseBelow();
    if ((runs->size() == 1 && !runs->front().pattern) || keys.max < limit)
      return success();
    OpBuilder builder(op);
    std::vector<HeadRun> parts = *runs;
    if (parts.size() > 1)
      parts = cutAtGroups(parts, heads / int64_t(op.getKvHeads()));
    SmallVector<Value> results;
    for (auto [number, part] : llvm::enumerate(parts)) {
      auto result = attend(builder, op, part, layer);
      if (failed(result))
        return failure();
      results.push_back(*result);
      auto sparse = result->getDefiningOp<sattn::AttentionOp>();
      auto mark = [&](StringRef name, int64_t ofLayer) {
        sparse->setAttr(name, builder.getDenseI64ArrayAttr({ofLayer, int64_t(number)}));
      };
      if (sparse && isShared.count(op))
        mark(kSelectsFor, layer);
      if (auto shared = policy.sharedBy(layer); sparse && shared)
        mark(kSharesIndexOf, *shared);
    }
    Value whole = results.front();
    if (results.size() > 1)
      whole = model::ConcatOp::create(builder, op.getLoc(), op.getType(), results,
                                      cast<RankedTensorType>(op.getType()).getRank() - 1);
    if (keys.min < limit)
      whole = guarded(builder, op, whole, limit);
    op->replaceUsesWithIf(ValueRange(whole), [&](OpOperand &use) { return use.getOwner() != whole.getDefiningOp(); });
    if (op->use_empty())
      op.erase();
    ++numChosen;
    return success();
  }

  /// Layers whose selection others read.
  llvm::DenseMap<Operation *, int64_t> isShared;

  /// The smallest and largest number of keys, as far as the ranges of the model's sizes tell.
  struct Range {
    int64_t min = 0, max = INT64_MAX;
  };
  Range keysOf(model::AttentionOp op) {
    DimExpr keys = model::dimsOf(op.getKey().getType())[1];
    if (auto constant = keys.constant())
      return {*constant, *constant};
    for (const model::Symbol &symbol : model::symbolsOf(getOperation()))
      if (keys.soleSymbol() == StringRef(symbol.name))
        return {symbol.min, symbol.max};
    return {};
  }

  /// `op`, which is dense, where there are less than `limit` keys, else `sparse`.
  static Value guarded(OpBuilder &builder, model::AttentionOp op, Value sparse, int64_t limit) {
    Location loc = op.getLoc();
    auto scalar = RankedTensorType::get({}, builder.getI64Type());
    std::string keys = model::dimsOf(op.getKey().getType())[1].str();
    Value found = model::SizesOp::create(builder, loc, scalar, builder.getStrArrayAttr({keys}));
    Value wanted = model::ConstantOp::create(builder, loc, scalar, DenseElementsAttr::get(scalar, limit));
    Value isShort = model::ElementwiseOp::create(builder, loc, RankedTensorType::get({}, builder.getI1Type()),
                                                 model::ElementwiseKind::less, ValueRange{found, wanted});
    builder.setInsertionPointAfter(op);
    return model::ElementwiseOp::create(builder, loc, op.getType(), model::ElementwiseKind::select,
                                        ValueRange{isShort, op.getResult(), sparse});
  }

  /// The attention of some heads alone.
  FailureOr<Value> attend(OpBuilder &builder, model::AttentionOp op, const HeadRun &run, int64_t layer) {
    int64_t heads = op.getHeads(), group = heads / int64_t(op.getKvHeads());
    int64_t firstKey = run.first / group, keyHeads = (run.first + run.count - 1) / group + 1 - firstKey;
    auto widthOf = [](Value tokens) { return *model::dimsOf(tokens.getType()).back().constant(); };
    int64_t width = widthOf(op.getQuery()) / heads, valueWidth = widthOf(op.getResult()) / heads;
    Value query = columns(builder, op.getQuery(), run.first * width, run.count * width);
    Value key = columns(builder, op.getKey(), firstKey * width, keyHeads * width);
    Value value = columns(builder, op.getValue(), firstKey * valueWidth, keyHeads * valueWidth);
    auto type = cast<RankedTensorType>(op.getType());
    auto dims = model::dimsOf(type);
    dims.back() = run.count * valueWidth;
    Type resultType = model::tensorType(type.getElementType(), dims);
    auto mask = maskOf(builder, op, run);
    IntegerAttr queryHeads = builder.getI64IntegerAttr(run.count), kvHeads = builder.getI64IntegerAttr(keyHeads);
    if (!run.pattern)
      return model::AttentionOp::create(builder, op.getLoc(), resultType, query, key, value, mask, queryHeads, kvHeads,
                                        op.getScaleAttr(), op.getCausalAttr())
          .getResult();
    auto sparse = sattn::AttentionOp::create(builder, op.getLoc(), resultType, run.pattern, query, key, value, mask,
                                             ValueRange(), queryHeads, kvHeads, op.getScaleAttr(), op.getCausalAttr());
    if (auto wanted = run.pattern.weights(sparse.sizes()); !wanted.empty())
      sparse.getWeightsMutable().assign(weightsOf(sparse, wanted, layer, run, heads));
    // Said here, by the pass that chose it, and not by the verifier as if the IR were broken.
    if (failed(mlir::verify(sparse)))
      return failure();
    return sparse.getResult();
  }

  /// The mask's part for these heads, where it has one for each head.
  Value maskOf(OpBuilder &builder, model::AttentionOp op, const HeadRun &run) {
    Value mask = op.getMask();
    auto dims = mask ? model::dimsOf(mask.getType()) : model::Dims();
    if (dims.size() != 4 || dims[1].isConstant(1) || run.count == int64_t(op.getHeads()))
      return mask;
    SmallVector<Attribute> starts(4, builder.getStringAttr("0"));
    starts[1] = builder.getStringAttr(std::to_string(run.first));
    dims[1] = run.count;
    Type type = model::tensorType(cast<RankedTensorType>(mask.getType()).getElementType(), dims);
    return model::SliceOp::create(builder, mask.getLoc(), type, mask, builder.getArrayAttr(starts),
                                  SmallVector<int64_t>(4, 1));
  }

  /// A pattern's own weights, by the keys that files give them.
  static SmallVector<Value> weightsOf(sattn::AttentionOp op, ArrayRef<sattn::PatternWeight> wanted, int64_t layer,
                                      const HeadRun &run, int64_t heads) {
    OpBuilder builder(op);
    Type element = cast<RankedTensorType>(op.getQuery().getType()).getElementType();
    std::string prefix = "attention." + std::to_string(layer) + ".";
    if (run.count != heads)
      prefix += "heads." + std::to_string(run.first) + "-" + std::to_string(run.first + run.count - 1) + ".";
    SmallVector<Value> weights;
    for (const sattn::PatternWeight &weight : wanted)
      weights.push_back(model::WeightOp::create(builder, op.getLoc(), RankedTensorType::get(weight.shape, element),
                                                builder.getStringAttr(prefix + weight.name)));
    return weights;
  }
};
} // namespace
} // namespace tamis::sparsify
