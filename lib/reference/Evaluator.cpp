// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binds symbols, walks the ops of a function, frees values after their last use.
#include "lib/reference/Evaluator.h"

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "lib/reference/EvaluateCacheOps.h"
#include "lib/reference/EvaluateOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::reference;

namespace {
template <typename T> std::string text(const T &value) {
  std::string result;
  llvm::raw_string_ostream stream(result);
  stream << value;
  return result;
}

/// `[2, 384]`.
std::string shapeText(ArrayRef<int64_t> shape) {
  std::string result;
  llvm::raw_string_ostream stream(result);
  stream << '[';
  llvm::interleaveComma(shape, stream);
  stream << ']';
  return result;
}

/// `input 0 ("input_ids")`, the name by `model.name` where there is one.
std::string inputName(func::FuncOp function, unsigned index) {
  std::string name = "input " + std::to_string(index);
  if (auto attr = function.getArgAttrOfType<StringAttr>(index, "model.name"))
    name += " (\"" + attr.getValue().str() + "\")";
  return name;
}

llvm::Error wrong(const Twine &message) {
  return llvm::createStringError(message);
}

/// Nothing when a symbol is unknown or the value overflows.
std::optional<int64_t> sizeOf(const DimExpr &expr, const llvm::StringMap<int64_t> &symbols) {
  return expr.evaluate([&](StringRef name) -> std::optional<int64_t> {
    auto it = symbols.find(name);
    return it == symbols.end() ? std::nullopt : std::optional(it->second);
  });
}

/// A ranked tensor of known elements whose every dynamic size has a name.
bool isSupportedTensor(Type type) {
  auto tensor = dyn_cast_or_null<RankedTensorType>(type);
  return tensor && isSupported(tensor.getElementType()) &&
         (tensor.hasStaticShape() || isa_and_nonnull<model::DimsAttr>(tensor.getEncoding()));
}

llvm::Error checkInput(func::FuncOp function, unsigned index, const HostTensor &input) {
  std::string name = inputName(function, index);
  auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[index]);
  if (!isSupportedTensor(type))
    return wrong(name + " is declared as " + text(function.getArgumentTypes()[index]) + ", which is not supported");
  if (input.element != type.getElementType())
    return wrong(name + " has elements of type " + text(input.element) + " but " + text(type.getElementType()) +
                 " is wanted");
  if (int64_t(input.shape.size()) != type.getRank())
    return wrong(name + " has shape " + shapeText(input.shape) + " but " + std::to_string(type.getRank()) +
                 " axes are wanted");
  auto count = elementCount(input.shape);
  if (!count || *count > INT64_MAX / 8 || *count * elementBytes(input.element) != int64_t(input.bytes.size()))
    return wrong(name + " has shape " + shapeText(input.shape) + " but " + std::to_string(input.bytes.size()) +
                 " bytes");
  return llvm::Error::success();
}

/// Type, size and limit of a result; the tensor comes back zeroed.
llvm::Expected<HostTensor> allocate(Operation *op, Type type, const Scope &scope, int64_t maxBytes) {
  if (auto index = dyn_cast<sattn::KeyIndexType>(type))
    type = index.storage();
  if (auto partial = dyn_cast<sattn::PartialType>(type))
    type = partial.storage();
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!isSupportedTensor(tensor))
    return fail(op, "gives " + text(type) + ", which is not supported");
  SmallVector<int64_t> shape;
  for (const DimExpr &dim : model::dimsOf(type)) {
    auto size = scope.evaluate(dim);
    if (!size)
      return fail(op, "has the size " + dim.str() + ", which the inputs do not determine");
    if (*size < 0)
      return fail(op, "has the size " + dim.str() + ", which is " + std::to_string(*size));
    shape.push_back(*size);
  }
  auto count = elementCount(shape);
  if (!count || *count > maxBytes / elementBytes(tensor.getElementType()))
    return fail(op, "gives a tensor of shape " + shapeText(shape) + ", which is more than " + std::to_string(maxBytes) +
                        " bytes");
  return HostTensor::zeros(tensor.getElementType(), shape);
}

/// Bool bytes that a file or caller may have set to any value become 0 or 1, so that moving bytes is moving bools.
void normalizeBools(HostTensor &tensor) {
  if (tensor.element.isInteger(1))
    for (char &byte : tensor.bytes)
      byte = byte != 0;
}

llvm::Error evaluateWeight(model::WeightOp op, Scope &scope) {
  const WeightStore::Weight *weight = scope.weights.find(op.getKey());
  if (!weight)
    return fail(op, "the model's files hold no weight \"" + op.getKey() + "\"");
  auto type = cast<RankedTensorType>(op.getType());
  if (weight->type.getShape() != type.getShape() || weight->type.getElementType() != type.getElementType())
    return fail(op, "weight \"" + op.getKey() + "\" is " + text(weight->type) + " but " + text(type) + " is wanted");
  if (!isSupported(type.getElementType()))
    return fail(op, "gives " + text(type) + ", which is not supported");
  if (!type.getElementType().isInteger(1)) {
    scope.mapped[op.getResult()] = weight;
    return llvm::Error::success();
  }
  HostTensor copy{type.getElementType(), SmallVector<int64_t>(type.getShape()),
                  std::vector<char>(weight->bytes.begin(), weight->bytes.end())};
  normalizeBools(copy);
  scope.computed[op.getResult()] = std::move(copy);
  return llvm::Error::success();
}

llvm::Error evaluateAny(Operation *op, const Scope &scope, MutableArrayRef<HostTensor> results) {
  return llvm::TypeSwitch<Operation *, llvm::Error>(op)
      .Case([&](model::QuantizeRowsOp quantize) { return evaluateOp(quantize, scope, results); })
      .Case([&](cache::AppendOp append) { return evaluateOp(append, scope, results); })
      .Case<model::ConstantOp, model::SizesOp, model::IotaOp, model::ReshapeOp, model::TransposeOp, model::BroadcastOp,
            model::SliceOp, model::ConcatOp, model::GatherOp, model::GatherNdOp, model::CumulativeOp, model::TopKOp,
            model::ScatterOp, model::CastOp, model::ElementwiseOp, model::ActivationOp, model::ReduceOp,
            model::SoftmaxOp, model::MatmulOp, model::LinearOp, model::NormOp, model::EmbeddingOp, model::QuantizeOp,
            model::DequantizeOp, model::IntegerLinearOp, model::AttentionOp, sattn::AttentionOp, sattn::SummarizeOp,
            sattn::ScoreOp, sattn::WeighOp, sattn::SelectOp, sattn::BandsOp, sattn::CoarsenOp, sattn::DiagonalsOp,
            sattn::UnionOp, sattn::IntersectOp, sattn::RefineOp, sattn::TransposeOp, sattn::ShareOp, sattn::AttendOp,
            sattn::LinearAttendOp, sattn::MergeOp, sattn::CompactOp, sattn::ExpandOp, sattn::AttendAtOp,
            sattn::StoreIndexOp, sattn::LoadIndexOp, sattn::StorePartialOp, sattn::LoadPartialOp, cache::AttendOp,
            cache::SelectOp, cache::MergeOp>(
          [&](auto concrete) { return evaluateOp(concrete, scope, results.front()); })
      .Default([](Operation *other) { return fail(other, "the reference evaluator does not know this op"); });
}
} // namespace

llvm::Error tamis::reference::fail(Operation *op, const Twine &message) {
  std::string where;
  llvm::raw_string_ostream stream(where);
  stream << op->getName() << " (";
  if (auto file = op->getLoc()->findInstanceOf<FileLineColLoc>())
    stream << file.getFilename().getValue() << ':' << file.getLine() << ':' << file.getColumn();
  else
    op->getLoc()->print(stream);
  return llvm::createStringError(where + "): " + message);
}

TensorView Scope::view(Value value) const {
  if (auto it = mapped.find(value); it != mapped.end())
    return {it->second->type.getElementType(), it->second->type.getShape(), it->second->bytes};
  auto it = computed.find(value);
  assert(it != computed.end() && "a value is read after its last use");
  return it->second;
}

std::optional<int64_t> Scope::evaluate(const DimExpr &expr) const {
  return sizeOf(expr, symbols);
}

std::optional<int64_t> Scope::evaluate(StringRef expr) const {
  auto parsed = DimExpr::parse(expr);
  return parsed ? evaluate(*parsed) : std::nullopt;
}

void tamis::reference::forEachElement(ArrayRef<int64_t> shape, ArrayRef<int64_t> strides, int64_t start,
                                      llvm::function_ref<void(int64_t, int64_t)> visit) {
  int64_t count = elementCount(shape).value_or(0), source = start;
  SmallVector<int64_t> index(shape.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    visit(i, source);
    for (size_t axis = shape.size(); axis-- > 0;) { // count up, the last axis fastest
      source += strides[axis];
      if (++index[axis] < shape[axis])
        break;
      source -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
}

SmallVector<int64_t> tamis::reference::rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * std::max<int64_t>(shape[axis], 1); // empty tensors are never read
  return strides;
}

SmallVector<int64_t> tamis::reference::broadcastStrides(ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  SmallVector<int64_t> strides(to.size(), 0), own = rowMajorStrides(from);
  size_t lead = to.size() - from.size();
  for (size_t axis = 0; axis < from.size(); ++axis)
    strides[lead + axis] = from[axis] == 1 ? 0 : own[axis];
  return strides;
}

llvm::Expected<llvm::StringMap<int64_t>> tamis::reference::bindSymbols(func::FuncOp function,
                                                                       ArrayRef<HostTensor> inputs) {
  if (function.getNumArguments() != inputs.size())
    return wrong("the model takes " + std::to_string(function.getNumArguments()) + " inputs but " +
                 std::to_string(inputs.size()) + " are given");
  llvm::StringMap<int64_t> symbols;
  llvm::StringMap<unsigned> givenBy;
  for (auto [index, input] : llvm::enumerate(inputs)) {
    if (llvm::Error error = checkInput(function, index, input))
      return std::move(error);
    for (auto [axis, dim] : llvm::enumerate(model::dimsOf(function.getArgumentTypes()[index]))) {
      auto name = dim.soleSymbol();
      if (!name)
        continue;
      auto [it, inserted] = symbols.try_emplace(*name, input.shape[axis]);
      if (inserted)
        givenBy[*name] = index;
      else if (it->second != input.shape[axis])
        return wrong(inputName(function, index) + " has " + std::to_string(input.shape[axis]) + " along axis " +
                     std::to_string(axis) + ", named \"" + *name + "\", which is " + std::to_string(it->second) +
                     " by " + inputName(function, givenBy[*name]));
    }
  }
  for (const model::Symbol &symbol : model::symbolsOf(function)) {
    auto it = symbols.find(symbol.name);
    if (it != symbols.end() && (it->second < symbol.min || it->second > symbol.max))
      return wrong(inputName(function, givenBy[symbol.name]) + " gives \"" + symbol.name + "\" the value " +
                   std::to_string(it->second) + " but " + std::to_string(symbol.min) + " to " +
                   std::to_string(symbol.max) + " is wanted");
  }
  // Fixed sizes, and sizes that follow from symbols.
  for (auto [index, input] : llvm::enumerate(inputs))
    for (auto [axis, dim] : llvm::enumerate(model::dimsOf(function.getArgumentTypes()[index]))) {
      auto wanted = sizeOf(dim, symbols);
      if (!wanted)
        return wrong(inputName(function, index) + " has the size \"" + dim.str() + "\" along axis " +
                     std::to_string(axis) + ", which no input determines");
      if (*wanted != input.shape[axis])
        return wrong(inputName(function, index) + " has " + std::to_string(input.shape[axis]) + " along axis " +
                     std::to_string(axis) + " but " + dim.str() +
                     (dim.constant() ? "" : ", which is " + std::to_string(*wanted) + ",") + " is wanted");
    }
  return symbols;
}

llvm::Expected<std::vector<HostTensor>> tamis::reference::evaluate(func::FuncOp function, ArrayRef<HostTensor> inputs,
                                                                   const WeightStore &weights,
                                                                   const EvaluateOptions &options) {
  if (!function.getBody().hasOneBlock())
    return wrong("function \"" + function.getName() + "\" has " +
                 std::to_string(function.getBody().getBlocks().size()) + " blocks but one is wanted");
  auto symbols = bindSymbols(function, inputs);
  if (!symbols)
    return symbols.takeError();
  Scope scope{weights, std::move(*symbols)};
  llvm::DenseMap<Value, int64_t> usesLeft;
  for (auto [argument, input] : llvm::zip_equal(function.getArguments(), inputs)) {
    if (argument.use_empty())
      continue;
    HostTensor &copy = scope.computed[argument] = input;
    normalizeBools(copy);
    usesLeft[argument] = std::distance(argument.use_begin(), argument.use_end());
  }

  for (Operation &op : function.getBody().front()) {
    if (isa<func::ReturnOp>(op))
      break;
    if (auto weight = dyn_cast<model::WeightOp>(op)) {
      if (llvm::Error error = evaluateWeight(weight, scope))
        return std::move(error);
    } else {
      std::vector<HostTensor> results;
      for (Type type : op.getResultTypes()) {
        auto result = allocate(&op, type, scope, options.maxTensorBytes);
        if (!result)
          return result.takeError();
        results.push_back(std::move(*result));
      }
      if (llvm::Error error = evaluateAny(&op, scope, results))
        return std::move(error);
      if (options.observer)
        options.observer(&op, results.front());
      for (auto [value, result] : llvm::zip_equal(op.getResults(), results))
        scope.computed[value] = std::move(result);
    }
    for (Value value : op.getResults()) {
      usesLeft[value] = std::distance(value.use_begin(), value.use_end());
      if (value.use_empty())
        scope.computed.erase(value);
    }
    for (Value operand : op.getOperands())
      if (--usesLeft[operand] == 0)
        scope.computed.erase(operand);
  }

  std::vector<HostTensor> results;
  for (Value value : function.getBody().front().getTerminator()->getOperands()) {
    TensorView view = scope.view(value);
    results.push_back(
        {view.element, SmallVector<int64_t>(view.shape), std::vector<char>(view.bytes.begin(), view.bytes.end())});
  }
  return results;
}
