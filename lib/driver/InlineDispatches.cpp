// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From dispatches back to the ops they compute.
#include "lib/driver/InlineDispatches.h"

#include "dialects/model/ModelDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tamis;

namespace {

class Inliner {
public:
  Inliner(ModuleOp program, func::FuncOp main, const WeightStore &weights)
      : kernels(program.lookupSymbol<ModuleOp>(plan::kKernelModule)), main(main), weights(weights),
        builder(program.getContext()) {}

  FailureOr<std::vector<InlinedDispatch>> run() {
    for (Operation &op : llvm::make_early_inc_range(main.front())) {
      builder.setInsertionPoint(&op);
      LogicalResult done = success();
      if (auto constant = dyn_cast<plan::ConstantOp>(op))
        done = replace(constant);
      else if (auto view = dyn_cast<plan::ViewOp>(op))
        replace(view, reshape(view.getLoc(), view.getInput(), view.getType()));
      else if (auto dispatch = dyn_cast<plan::DispatchOp>(op))
        done = replace(dispatch);
      if (failed(done))
        return failure();
    }
    return std::move(dispatches);
  }

private:
  void replace(Operation *op, Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
  }

  Value reshape(Location loc, Value value, Type type) {
    return value.getType() == type ? value : model::ReshapeOp::create(builder, loc, type, value).getResult();
  }

  FailureOr<Value> piece(plan::ConstantOp constant, Attribute attribute, bool transposed) {
    Location loc = constant.getLoc();
    Value value;
    if (auto key = dyn_cast<StringAttr>(attribute)) {
      const WeightStore::Weight *weight = weights.find(key.getValue());
      if (!weight)
        return constant.emitError("no weight is named '") << key.getValue() << "'";
      value = model::WeightOp::create(builder, loc, weight->type, key);
    } else {
      auto elements = cast<ElementsAttr>(attribute);
      value = model::ConstantOp::create(builder, loc, cast<RankedTensorType>(elements.getType()), elements);
    }
    auto type = cast<RankedTensorType>(value.getType());
    if (!transposed)
      return value;
    if (type.getRank() != 2)
      return constant.emitError("expected a matrix where a piece is transposed, found ") << type;
    auto turned = RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)}, type.getElementType());
    return model::TransposeOp::create(builder, loc, turned, value, builder.getDenseI64ArrayAttr({1, 0})).getResult();
  }

  /// Pieces of other shapes than the whole only follow one another in memory.
  Value join(plan::ConstantOp constant, SmallVector<Value> pieces, RankedTensorType type) {
    Location loc = constant.getLoc();
    int64_t axis = constant.getAxis(), sum = 0;
    bool fits = true;
    for (Value part : pieces) {
      auto shape = cast<RankedTensorType>(part.getType()).getShape();
      fits &= int64_t(shape.size()) == type.getRank();
      for (int64_t d = 0; fits && d < type.getRank(); ++d)
        fits &= d == axis || shape[d] == type.getDimSize(d);
      sum += fits ? shape[axis] : 0;
    }
    if (fits && sum == type.getDimSize(axis))
      return model::ConcatOp::create(builder, loc, type, pieces, builder.getI64IntegerAttr(axis));
    for (Value &part : pieces) {
      int64_t count = cast<RankedTensorType>(part.getType()).getNumElements();
      part = reshape(loc, part, RankedTensorType::get({count}, type.getElementType()));
    }
    auto flat = RankedTensorType::get({type.getNumElements()}, type.getElementType());
    return model::ConcatOp::create(builder, loc, flat, pieces, builder.getI64IntegerAttr(0));
  }

  LogicalResult replace(plan::ConstantOp constant) {
    SmallVector<Value> pieces;
    for (auto [attribute, transposed] : llvm::zip_equal(constant.getPieces(), constant.getTransposed())) {
      auto value = piece(constant, attribute, transposed);
      if (failed(value))
        return failure();
      pieces.push_back(*value);
    }
    auto type = cast<RankedTensorType>(constant.getType());
    Value value = pieces.size() == 1 ? pieces.front() : join(constant, pieces, type);
    replace(constant, reshape(constant.getLoc(), value, type));
    return success();
  }

  LogicalResult replace(plan::DispatchOp dispatch) {
    auto kernel = kernels ? kernels.lookupSymbol<func::FuncOp>(dispatch.getKernel()) : func::FuncOp();
    if (!kernel || !kernel.getBody().hasOneBlock() || kernel.getNumArguments() != dispatch.getInputs().size() ||
        kernel.getNumResults() != dispatch.getNumResults() || dispatch.getNumResults() == 0)
      return dispatch.emitError("the kernel '") << dispatch.getKernel() << "' has no form of model ops";
    IRMapping map;
    for (auto [argument, input] : llvm::zip_equal(kernel.getArguments(), dispatch.getInputs()))
      map.map(argument, reshape(dispatch.getLoc(), input, argument.getType()));
    Block &body = kernel.getBody().front();
    for (Operation &op : body.without_terminator())
      builder.clone(op, map);
    OperandRange returned = body.getTerminator()->getOperands();
    Value result = map.lookup(returned[0]);
    // An op of its own gives the result, also where a kernel only hands its operand on.
    if (!result.getDefiningOp() || result.getDefiningOp()->getBlock() != &main.front())
      return dispatch.emitError("the kernel '") << dispatch.getKernel() << "' computes nothing";
    InlinedDispatch inlined{dispatch.getKernel().str(), {}, result.getDefiningOp()};
    for (Attribute source : dispatch.getSources())
      inlined.sources.push_back(cast<StringAttr>(source).getValue().str());
    dispatches.push_back(std::move(inlined));
    for (auto [value, old] : llvm::zip_equal(returned.drop_front(), dispatch.getResults().drop_front()))
      old.replaceAllUsesWith(reshape(dispatch.getLoc(), map.lookup(value), old.getType()));
    replace(dispatch, reshape(dispatch.getLoc(), result, dispatch.getResult(0).getType()));
    return success();
  }

  ModuleOp kernels;
  func::FuncOp main;
  const WeightStore &weights;
  OpBuilder builder;
  std::vector<InlinedDispatch> dispatches;
};

} // namespace

FailureOr<std::vector<InlinedDispatch>> tamis::inlineDispatches(ModuleOp program, const WeightStore &weights) {
  auto main = program.lookupSymbol<func::FuncOp>("main");
  if (!main || !main.getBody().hasOneBlock())
    return program.emitError("expected a function @main of one block");
  return Inliner(program, main, weights).run();
}
