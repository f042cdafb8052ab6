// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model in the hands of the reference evaluator.
#include "tools/tamis/compiler/EvaluatedModel.h"

#include "codegen/tile/Passes.h"
#include "lib/driver/InlineDispatches.h"
#include "lib/driver/Pipeline.h"
#include "lib/reference/Evaluator.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Pass/PassInstrumentation.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::tool;
using reference::HostTensor;

static std::optional<tamis_element_type> elementTypeOf(Type type) {
  if (type.isF32())
    return TAMIS_F32;
  if (type.isF64())
    return TAMIS_F64;
  if (type.isF16())
    return TAMIS_F16;
  if (type.isBF16())
    return TAMIS_BF16;
  if (type.isInteger(1))
    return TAMIS_BOOL;
  if (type.isUnsignedInteger(8))
    return TAMIS_U8;
  if (type.isUnsignedInteger(16))
    return TAMIS_U16;
  if (type.isUnsignedInteger(32))
    return TAMIS_U32;
  if (type.isUnsignedInteger(64))
    return TAMIS_U64;
  if (type.isSignlessInteger(8))
    return TAMIS_I8;
  if (type.isSignlessInteger(16))
    return TAMIS_I16;
  if (type.isSignlessInteger(32))
    return TAMIS_I32;
  if (type.isSignlessInteger(64))
    return TAMIS_I64;
  return std::nullopt;
}

static Type typeOf(tamis_element_type type, MLIRContext *context) {
  Builder builder(context);
  switch (type) {
  case TAMIS_F32:
    return builder.getF32Type();
  case TAMIS_F64:
    return builder.getF64Type();
  case TAMIS_F16:
    return builder.getF16Type();
  case TAMIS_BF16:
    return builder.getBF16Type();
  case TAMIS_BOOL:
    return builder.getI1Type();
  case TAMIS_U8:
    return builder.getIntegerType(8, /*isSigned=*/false);
  case TAMIS_U16:
    return builder.getIntegerType(16, /*isSigned=*/false);
  case TAMIS_U32:
    return builder.getIntegerType(32, /*isSigned=*/false);
  case TAMIS_U64:
    return builder.getIntegerType(64, /*isSigned=*/false);
  case TAMIS_I8:
    return builder.getIntegerType(8);
  case TAMIS_I16:
    return builder.getIntegerType(16);
  case TAMIS_I32:
    return builder.getIntegerType(32);
  case TAMIS_I64:
    return builder.getIntegerType(64);
  }
  llvm_unreachable("unknown element type");
}

static Error refuse(const Twine &why) {
  return Error(TAMIS_INVALID_ARGUMENT, why.str());
}

/// The tensor's bytes as the caller's kind of array.
static npy::Array arrayOf(const HostTensor &tensor) {
  npy::Array array;
  array.type = *elementTypeOf(tensor.element);
  array.dims.assign(tensor.shape.begin(), tensor.shape.end());
  array.bytes.assign(tensor.bytes.begin(), tensor.bytes.end());
  return array;
}

/// Names of the nodes behind a location, in order and without repeats.
static void collectNodes(Location location, std::vector<std::string> &names) {
  if (auto name = dyn_cast<NameLoc>(location)) {
    if (!llvm::is_contained(names, name.getName().getValue()))
      names.push_back(name.getName().str());
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      collectNodes(part, names);
  }
}

std::unique_ptr<EvaluatedModel> EvaluatedModel::read(const DialectRegistry &registry, const std::string &path,
                                                     const ImportOptions &options, const std::string &attention) {
  std::unique_ptr<EvaluatedModel> model(new EvaluatedModel(registry, path));
  model->attention = attention == "dense" ? "" : attention;
  auto module = importModel(path, options, &model->context, model->weights);
  if (failed(module))
    return nullptr;
  model->module = std::move(*module);
  if (!model->main()) {
    model->module->emitError("expected a function @main");
    return nullptr;
  }
  model->describe();
  return model;
}

tamis_tensor_info EvaluatedModel::describe(StringAttr name, Type type) {
  tamis_tensor_info info{};
  auto &names = dimNames.emplace_back();
  auto &sizes = dims.emplace_back();
  for (const DimExpr &dim : model::dimsOf(type)) {
    names.push_back(keep(dim.str()));
    sizes.push_back(dim.constant().value_or(-1));
  }
  info.name = keep(name ? name.getValue() : "");
  info.dim_names = names.data();
  info.dims = sizes.data();
  info.rank = int32_t(names.size());
  info.element_type = elementTypeOf(cast<RankedTensorType>(type).getElementType()).value_or(tamis_element_type(0));
  return info;
}

void EvaluatedModel::describe() {
  func::FuncOp function = main();
  for (const model::Symbol &symbol : model::symbolsOf(function))
    symbolInfos.push_back({keep(symbol.name), symbol.min, symbol.max});
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    inputInfos.push_back(
        describe(function.getArgAttrOfType<StringAttr>(i, "model.name"), function.getArgumentTypes()[i]));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    outputInfos.push_back(
        describe(function.getResultAttrOfType<StringAttr>(i, "model.name"), function.getResultTypes()[i]));
}

Result<std::vector<int64_t>> EvaluatedModel::inputDims(size_t index, const std::vector<int64_t> &values) {
  std::vector<int64_t> sizes;
  for (const DimExpr &dim : model::dimsOf(main().getArgumentTypes()[index])) {
    auto size = dim.evaluate([&](StringRef name) -> std::optional<int64_t> {
      for (size_t i = 0; i < symbolInfos.size(); ++i)
        if (name == symbolInfos[i].name)
          return values[i];
      return std::nullopt;
    });
    if (!size || *size < 0)
      return refuse(Twine("input '") + inputInfos[index].name + "': the size " + dim.str() + " has no value");
    sizes.push_back(*size);
  }
  return sizes;
}

Result<std::vector<npy::Array>> EvaluatedModel::evaluate(func::FuncOp function, const std::vector<Tensor> &inputs,
                                                         const Describe &describe, const Observer &observer) {
  std::vector<HostTensor> tensors;
  for (const Tensor &input : inputs) {
    auto *bytes = static_cast<const char *>(input.data());
    tensors.push_back({typeOf(input.elementType(), &context), SmallVector<int64_t>(ArrayRef(input.dims())),
                       std::vector<char>(bytes, bytes + input.bytes())});
  }
  reference::EvaluateOptions options;
  if (observer)
    options.observer = [&](Operation *op, const HostTensor &tensor) {
      std::optional<Value> value = describe(op);
      if (!value)
        return;
      npy::Array array = arrayOf(tensor);
      value->tensor = array.tensor();
      observer(*value);
    };
  auto results = reference::evaluate(function, tensors, weights, options);
  if (!results)
    return refuse(llvm::toString(results.takeError()));
  std::vector<npy::Array> arrays;
  for (const HostTensor &result : *results)
    arrays.push_back(arrayOf(result));
  return arrays;
}

Result<std::vector<npy::Array>> EvaluatedModel::run(const std::vector<Tensor> &inputs, const Observer &observer) {
  auto describe = [](Operation *op) -> std::optional<Value> {
    Value value;
    collectNodes(op->getLoc(), value.sources);
    return value;
  };
  if (attention.empty())
    return evaluate(main(), inputs, describe, observer);
  OwningOpRef<ModuleOp> program = module->clone();
  PassManager manager(&context);
  addGraphPhase(manager);
  addSparsifyPhase(manager, attention, &weights);
  if (failed(manager.run(*program)))
    return refuse("the model does not take the attention '" + attention + "'");
  return evaluate(program->lookupSymbol<func::FuncOp>("main"), inputs, describe, observer);
}

Result<std::vector<npy::Array>> EvaluatedModel::runDispatches(const std::vector<Tensor> &inputs,
                                                              const Observer &observer) {
  OwningOpRef<ModuleOp> program = module->clone();
  PassManager manager(&context);
  addGraphPhase(manager);
  addSparsifyPhase(manager, attention, &weights);
  manager.addPass(createFormDispatches());
  if (failed(manager.run(*program)))
    return refuse("the model does not pass the phases before code generation");
  auto dispatches = inlineDispatches(*program, weights);
  if (failed(dispatches))
    return refuse("the dispatches of the model cannot be evaluated");
  llvm::DenseMap<Operation *, const InlinedDispatch *> known;
  for (const InlinedDispatch &dispatch : *dispatches)
    known[dispatch.op] = &dispatch;
  auto describe = [&](Operation *op) -> std::optional<Value> {
    const InlinedDispatch *dispatch = known.lookup(op);
    if (!dispatch)
      return std::nullopt;
    return Value{dispatch->name, dispatch->sources, {}};
  };
  return evaluate(program->lookupSymbol<func::FuncOp>("main"), inputs, describe, observer);
}

namespace {
/// Runs the whole program after each pass that changed it.
class StepRunner : public PassInstrumentation {
public:
  StepRunner(std::string phase, std::function<bool(StringRef phase, StringRef pass)> run)
      : phase(std::move(phase)), run(std::move(run)) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    if (!stopped && !pass->getArgument().empty())
      before.emplace(op);
  }
  void runAfterPass(Pass *pass, Operation *op) override {
    if (stopped || pass->getArgument().empty() || !before)
      return;
    bool changed = *before != OperationFingerPrint(op);
    before.reset();
    if (changed)
      stopped = !run(phase, pass->getArgument());
  }

private:
  std::string phase;
  std::function<bool(StringRef, StringRef)> run;
  std::optional<OperationFingerPrint> before;
  bool stopped = false;
};
} // namespace

Result<void> EvaluatedModel::runSteps(const std::vector<Tensor> &inputs,
                                      const std::function<bool(const Step &)> &observer) {
  OwningOpRef<ModuleOp> program = module->clone();
  auto ignored = [](Operation *) -> std::optional<Value> { return std::nullopt; };
  bool goesOn = true;
  auto step = [&](StringRef phase, StringRef pass) {
    func::FuncOp function = program->lookupSymbol<func::FuncOp>("main");
    goesOn = observer({phase.str(), pass.str(), evaluate(function, inputs, ignored, {})});
    return goesOn;
  };
  if (!step("import", ""))
    return {};
  // One thread: the program is read while a pass manager has it in hand.
  context.disableMultithreading();
  for (bool isGraph : {true, false}) {
    PassManager manager(&context);
    manager.addInstrumentation(std::make_unique<StepRunner>(isGraph ? "graph" : "sparsify", step));
    if (isGraph)
      addGraphPhase(manager);
    else
      addSparsifyPhase(manager, attention, &weights);
    if (failed(manager.run(*program)))
      return refuse("the model does not pass the phases before code generation");
    if (!goesOn)
      break;
  }
  context.enableMultithreading();
  return {};
}
