// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Groups the model's ops into kernels and dispatches them in order.
#include "codegen/tile/CachedState.h"
#include "codegen/tile/ClusterOps.h"
#include "codegen/tile/ConstantExpression.h"
#include "codegen/tile/Launch.h"
#include "codegen/tile/PackedWeight.h"
#include "codegen/tile/Passes.h"
#include "codegen/tile/SizeGuards.h"
#include "dialects/cache/CacheDialect.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "dialects/plan/PlanDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

namespace tamis {
#define GEN_PASS_DEF_FORMDISPATCHES
#include "codegen/tile/Passes.h.inc"
} // namespace tamis

using namespace mlir;
using namespace tamis;
using model::Dims;

namespace {

/// Constants up to this size are written into the kernels that read them, so that LLVM sees their values.
constexpr int64_t kInlineElements = 16;

bool isInlineConstant(Value value) {
  auto constant = value.getDefiningOp<model::ConstantOp>();
  return constant && constant.getValue().getNumElements() <= kInlineElements;
}

/// Kernels of these ops read their operands from memory, however small.
bool readsInPlace(Operation *op) {
  if (auto embedding = dyn_cast<model::EmbeddingOp>(op))
    return embedding.getTable().getDefiningOp<model::DequantizeOp>() != nullptr;
  return isa<model::AttentionOp, model::IntegerLinearOp, model::DequantizeOp, model::QuantizeRowsOp,
             model::CumulativeOp, model::TopKOp, model::ScatterOp>(op) ||
         isa<sattn::SattnDialect, cache::CacheDialect>(op->getDialect());
}

/// Whether a kernel has this operand as a constant of its own.
bool isInlineOperand(OpOperand &use) {
  Operation *op = use.getOwner();
  if (auto dequantize = dyn_cast<model::DequantizeOp>(op); dequantize && use.get() == dequantize.getZeroPoint())
    if (auto weight = PackedWeight::of(dequantize.getResult()))
      return weight->uniformZero.has_value();
  return isInlineConstant(use.get()) && !readsInPlace(op);
}

/// Names of the source model's nodes behind a location, in order and without repeats.
void collectSources(Location loc, llvm::SetVector<StringRef> &names) {
  if (auto name = dyn_cast<NameLoc>(loc))
    names.insert(name.getName().getValue());
  else if (auto fused = dyn_cast<FusedLoc>(loc))
    for (Location part : fused.getLocations())
      collectSources(part, names);
}

class Former {
public:
  Former(ModuleOp module, func::FuncOp main, bool rowsApart)
      : module(module), main(main), rowsApart(rowsApart), builder(main.getContext()) {
    builder.setInsertionPointToStart(module.getBody());
    kernels = ModuleOp::create(builder, module.getLoc(), plan::kKernelModule);
  }

  LogicalResult run() {
    if (failed(dropStateResults(main)))
      return failure();
    splitCachedAttention(main);
    lowerRuntimeLinears();
    lowerRuntimeIntegerLinears();
    separateOutputs();
    guards = sizeGuardsOf(main);
    for (Cluster &cluster : formClusters(main, rowsApart))
      if (failed(outline(cluster)))
        return failure();
    return finish();
  }

  unsigned numDispatches = 0, numKernels = 0;

private:
  static bool isPackedWeight(Value weight) {
    auto op = weight.getDefiningOp<model::DequantizeOp>();
    return op && keepsPacked(op);
  }

  /// A linear whose weight is computed at run time has no panels: it is a product of matrices like any other.
  void lowerRuntimeLinears() {
    SmallVector<model::LinearOp> linears;
    for (auto linear : main.getOps<model::LinearOp>())
      if ((!constantExpression(linear.getWeight()) && !isPackedWeight(linear.getWeight())) ||
          !cast<RankedTensorType>(linear.getType()).getElementType().isF32())
        linears.push_back(linear);
    for (model::LinearOp linear : linears) {
      builder.setInsertionPoint(linear);
      Location loc = linear.getLoc();
      auto weightType = cast<RankedTensorType>(linear.getWeight().getType());
      Value weight = linear.getWeight(), input = linear.getInput();
      if (linear.getTransposed())
        weight = model::TransposeOp::create(
            builder, loc,
            RankedTensorType::get({weightType.getDimSize(1), weightType.getDimSize(0)}, weightType.getElementType()),
            weight, builder.getDenseI64ArrayAttr({1, 0}));
      // Vectors become matrices of one row.
      auto resultDims = model::dimsOf(linear.getType()), inputDims = model::dimsOf(input.getType());
      Type element = weightType.getElementType();
      if (inputDims.size() == 1) {
        inputDims.insert(inputDims.begin(), DimExpr(1));
        resultDims.insert(resultDims.begin(), DimExpr(1));
        input = model::ReshapeOp::create(builder, loc, model::tensorType(element, inputDims), input);
      }
      Type productType = model::tensorType(element, resultDims);
      Value result = model::MatmulOp::create(builder, loc, productType, input, weight);
      if (linear.getBias())
        result = model::ElementwiseOp::create(builder, loc, productType, model::ElementwiseKind::add,
                                              ValueRange{result, linear.getBias()});
      if (productType != linear.getType())
        result = model::ReshapeOp::create(builder, loc, linear.getType(), result);
      linear.replaceAllUsesWith(result);
      linear.erase();
    }
  }

  /// The same for integers: a product of matrices of i32, which have room for the zero points.
  void lowerRuntimeIntegerLinears() {
    SmallVector<model::IntegerLinearOp> linears;
    for (auto linear : main.getOps<model::IntegerLinearOp>())
      if (!constantExpression(linear.getWeight()))
        linears.push_back(linear);
    Type i32 = builder.getI32Type();
    for (model::IntegerLinearOp linear : linears) {
      builder.setInsertionPoint(linear);
      Location loc = linear.getLoc();
      auto centred = [&](Value value, Value zero) {
        Dims dims = model::dimsOf(value.getType());
        auto cast = [&](Value narrow) {
          return model::CastOp::create(builder, loc, model::tensorType(i32, model::dimsOf(narrow.getType())), narrow);
        };
        Value wide = cast(value);
        if (zero)
          wide = model::ElementwiseOp::create(builder, loc, wide.getType(), model::ElementwiseKind::sub,
                                              ValueRange{wide, cast(zero)});
        return wide;
      };
      auto reshape = [&](Value value, ArrayRef<DimExpr> dims) {
        auto type = model::tensorType(cast<RankedTensorType>(value.getType()).getElementType(), dims);
        return type == value.getType() ? value : Value(model::ReshapeOp::create(builder, loc, type, value));
      };
      Value weight = linear.getWeight(), weightZero = linear.getWeightZeroPoint();
      auto shape = cast<RankedTensorType>(weight.getType()).getShape();
      if (linear.getTransposed()) // zero points are those of the rows then
        weightZero = weightZero && cast<RankedTensorType>(weightZero.getType()).getNumElements() > 1
                         ? reshape(weightZero, {DimExpr(shape[0]), DimExpr(1)})
                         : weightZero;
      if (weightZero && cast<RankedTensorType>(weightZero.getType()).getNumElements() == 1)
        weightZero = reshape(weightZero, {});
      Value right = centred(weight, weightZero);
      if (linear.getTransposed())
        right = model::TransposeOp::create(builder, loc, RankedTensorType::get({shape[1], shape[0]}, i32), right,
                                           builder.getDenseI64ArrayAttr({1, 0}));
      Dims dims = model::dimsOf(linear.getInput().getType()), result = model::dimsOf(linear.getType());
      Value zero = linear.getInputZeroPoint();
      if (zero && product(model::dimsOf(zero.getType())).isConstant(1))
        zero = reshape(zero, {});
      Value left = centred(linear.getInput(), zero);
      if (dims.size() == 1) { // a vector is a matrix of one row
        dims.insert(dims.begin(), DimExpr(1));
        result.insert(result.begin(), DimExpr(1));
      }
      Value sums = model::MatmulOp::create(builder, loc, model::tensorType(i32, result), reshape(left, dims), right);
      linear.replaceAllUsesWith(reshape(sums, model::dimsOf(linear.getType())));
      linear.erase();
    }
  }

  /// Every result of the program must be written by a dispatch of its own: copies inputs, constants and repeats.
  void separateOutputs() {
    Operation *terminator = main.front().getTerminator();
    builder.setInsertionPoint(terminator);
    DenseSet<Value> taken;
    for (OpOperand &operand : terminator->getOpOperands()) {
      Value origin = operand.get();
      while (auto reshape = origin.getDefiningOp<model::ReshapeOp>())
        origin = reshape.getInput();
      if (!isa<BlockArgument>(origin) && !constantExpression(origin) && taken.insert(origin).second)
        continue;
      // A cast to the same type: the one op that computes nothing.
      operand.set(model::CastOp::create(builder, operand.get().getLoc(), operand.get().getType(), operand.get()));
    }
  }

  /// The plan's form of a weight-only value.
  Value constant(Value value, const ConstantExpression &expression, plan::Layout layout, RankedTensorType type) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&main.front());
    auto pieces = builder.getArrayAttr(expression.pieces);
    auto transposed = builder.getDenseBoolArrayAttr(expression.transposed);
    auto key = std::make_tuple(Attribute(pieces), Attribute(transposed), expression.axis, int(layout), Type(type));
    Value &known = constants[key];
    if (!known)
      known =
          plan::ConstantOp::create(builder, value.getLoc(), type, plan::LayoutAttr::get(builder.getContext(), layout),
                                   pieces, transposed, builder.getI64IntegerAttr(expression.axis));
    return known;
  }

  LogicalResult outline(Cluster &cluster) {
    Operation *root = cluster.ops.back();
    SmallVector<Value> results = cluster.results();
    llvm::SetVector<Operation *> inside(cluster.ops.begin(), cluster.ops.end());

    // Operands from outside, and what stands for them inside.
    SmallVector<Value> operands;
    SmallVector<Type> types;
    SmallVector<std::pair<Value, unsigned>> arguments; // value of the program, argument of the kernel
    DenseMap<Value, unsigned> known;
    Operation *linear = nullptr; // or integer_linear
    constexpr unsigned kWeight = 1;
    unsigned panels = 0; // the operand of the kernel that is its weight
    for (Operation *op : cluster.ops) {
      if (isa<model::LinearOp, model::IntegerLinearOp>(op))
        linear = op;
      for (OpOperand &use : op->getOpOperands()) {
        Value value = use.get();
        bool panel = op == linear && use.getOperandNumber() == kWeight;
        if ((value.getDefiningOp() && inside.contains(value.getDefiningOp())) || (!panel && known.contains(value)) ||
            (!panel && isInlineOperand(use)))
          continue;
        auto type = cast<RankedTensorType>(value.getType());
        auto expression = constantExpression(value);
        if (panel) {
          if (linear->hasAttr("transposed")) {
            expression = expression->transpose();
            type = RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
          }
          panels = operands.size();
          operands.push_back(constant(value, *expression, plan::Layout::panels, type));
        } else {
          bool isPacked = isa<model::DequantizeOp>(op);
          auto layout =
              isPacked ? (use.getOperandNumber() == 0 ? plan::Layout::words : plan::Layout::units) : plan::Layout::rows;
          known[value] = operands.size();
          arguments.push_back({value, operands.size()});
          operands.push_back(expression ? constant(value, *expression, layout, type) : value);
        }
        types.push_back(type);
      }
    }

    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(kernels.getBody());
    auto kernel = func::FuncOp::create(builder, builder.getUnknownLoc(), "kernel",
                                       builder.getFunctionType(types, TypeRange(ValueRange(results))));
    if (auto symbols = main->getAttr("model.symbols"))
      kernel->setAttr("model.symbols", symbols);
    builder.setInsertionPointToEnd(kernel.addEntryBlock());
    IRMapping map;
    for (auto [value, index] : arguments)
      map.map(value, kernel.getArgument(index));
    llvm::SetVector<StringRef> sources;
    for (Operation *op : cluster.ops) {
      for (OpOperand &use : op->getOpOperands())
        if ((isInlineConstant(use.get()) || isInlineOperand(use)) && !map.contains(use.get()))
          map.map(use.get(), builder.clone(*use.get().getDefiningOp())->getResult(0));
      if (op == linear && !inside.contains(op->getOperand(kWeight).getDefiningOp())) {
        Operation *direct = builder.clone(*op, map);
        direct->setOperand(kWeight, kernel.getArgument(panels));
        direct->removeAttr("transposed");
      } else {
        builder.clone(*op, map);
      }
      // A range of columns bears the names of the projections it is cut from; they are computed elsewhere.
      if (!isa<model::SliceOp>(op) || op == root)
        collectSources(op->getLoc(), sources);
    }
    SmallVector<Value> returned;
    for (Value result : results)
      returned.push_back(map.lookup(result));
    func::ReturnOp::create(builder, builder.getUnknownLoc(), returned);

    Cost cost = costOf(cluster);
    auto launch = launchOf(kernel, cluster.kind);
    if (failed(launch))
      return failure();
    // No work group runs for sizes at which the result is not used.
    if (auto guard = guards.find(root); guard != guards.end()) {
      launch->grid = launch->grid * guard->second;
      cost = {cost.flops * guard->second, cost.bytes * guard->second};
    }
    kernel->setAttr(plan::kKernelAttr, plan::KernelAttr::get(builder.getContext(), cluster.kind));
    StringRef name = share(kernel, nameOf(cluster));

    builder.setInsertionPoint(root);
    SmallVector<Attribute> sourceNames;
    for (StringRef source : sources)
      sourceNames.push_back(builder.getStringAttr(source));
    SmallVector<Location> locations;
    for (Operation *op : cluster.ops)
      locations.push_back(op->getLoc());
    auto dispatch = plan::DispatchOp::create(
        builder, builder.getFusedLoc(locations), TypeRange(ValueRange(results)),
        FlatSymbolRefAttr::get(builder.getContext(), name), operands, builder.getStringAttr(launch->grid.str()),
        builder.getStringAttr(launch->scratchBytes.str()), builder.getArrayAttr(sourceNames),
        builder.getStringAttr(cost.flops.str()), builder.getStringAttr(cost.bytes.str()), DenseI64ArrayAttr(),
        DenseI64ArrayAttr());
    if (auto append = dyn_cast<cache::AppendOp>(root)) {
      SmallVector<int64_t> places;
      for (Value pool : append.getPools())
        places.push_back(known.lookup(pool));
      dispatch.setInPlace(places);
    }
    for (auto [result, computed] : llvm::zip_equal(results, dispatch.getResults()))
      result.replaceAllUsesWith(computed);
    for (Operation *op : llvm::reverse(cluster.ops))
      if (op->use_empty())
        op->erase();
    ++numDispatches;
    return success();
  }

  /// Gives the kernel its name, or drops it when an equal one exists; gives the name to call.
  StringRef share(func::FuncOp kernel, StringRef base) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel.print(stream, OpPrintingFlags().elideLargeElementsAttrs(1 << 20).useLocalScope());
    auto [it, inserted] = shared.try_emplace(text, "");
    if (!inserted) {
      kernel.erase();
      return it->second;
    }
    unsigned &count = names[base];
    it->second = count++ ? (base + "_" + Twine(count)).str() : base.str();
    kernel.setName(it->second);
    ++numKernels;
    return it->second;
  }

  /// Views and constants for what is left, and no `model` op after it.
  LogicalResult finish() {
    SmallVector<Operation *> rest;
    for (Operation &op : main.front())
      if (isa<model::ModelDialect, sattn::SattnDialect, cache::CacheDialect>(op.getDialect()))
        rest.push_back(&op);
    for (Operation *op : rest) {
      auto reshape = dyn_cast<model::ReshapeOp>(op);
      if (!reshape || op->use_empty())
        continue;
      builder.setInsertionPoint(op);
      Value input = reshape.getInput();
      if (auto expression = constantExpression(input))
        input = constant(input, *expression, plan::Layout::rows, cast<RankedTensorType>(input.getType()));
      op->getResult(0).replaceAllUsesWith(plan::ViewOp::create(builder, op->getLoc(), reshape.getType(), input));
    }
    for (Operation *op : llvm::reverse(rest)) {
      if (!op->use_empty())
        return op->emitOpError("is in no dispatch");
      op->erase();
    }
    return success();
  }

  ModuleOp module, kernels;
  func::FuncOp main;
  bool rowsApart; ///< formClusters
  OpBuilder builder;
  DenseMap<std::tuple<Attribute, Attribute, int64_t, int, Type>, Value> constants;
  DenseMap<Operation *, DimExpr> guards;
  llvm::StringMap<std::string> shared;
  llvm::StringMap<unsigned> names;
};

struct FormDispatches : tamis::impl::FormDispatchesBase<FormDispatches> {
  using FormDispatchesBase::FormDispatchesBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto main = module.lookupSymbol<func::FuncOp>("main");
    if (!main) {
      module.emitError("expected a function @main");
      return signalPassFailure();
    }
    if (!main.getBody().hasOneBlock()) {
      main.emitError("expected one block in @main");
      return signalPassFailure();
    }
    Former former(module, main, rowsApart);
    if (failed(former.run()))
      return signalPassFailure();
    numDispatches += former.numDispatches;
    numKernels += former.numKernels;
  }
};

} // namespace
