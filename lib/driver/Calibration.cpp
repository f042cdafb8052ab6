// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model computes on passages that the user gives.
#include "lib/driver/Calibration.h"

#include "dialects/model/ModelDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/driver/HostPlan.h"
#include "lib/driver/Pipeline.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "runtime/npy/NpzFile.h"
#include <cstring>

using namespace mlir;
using namespace tamis;

namespace {
/// `count` rows of the first axis from row `first` on.
npy::Array rowsOf(const npy::Array &array, int64_t first, int64_t count) {
  npy::Array part{array.type, array.dims, {}};
  size_t row = array.dims[0] ? array.bytes.size() / array.dims[0] : 0;
  part.dims[0] = count;
  part.bytes.assign(array.bytes.begin() + first * row, array.bytes.begin() + (first + count) * row);
  return part;
}

npy::Array copyOf(const Tensor &tensor) {
  npy::Array array{tensor.elementType(), tensor.dims(), {}};
  auto *bytes = static_cast<const uint8_t *>(tensor.data());
  array.bytes.assign(bytes, bytes + tensor.bytes());
  return array;
}

LogicalResult readFile(const std::string &file, func::FuncOp main, std::vector<Passage> &passages) {
  std::vector<npy::Array> arrays;
  std::vector<int64_t> rows; // of one passage
  int64_t count = 0;
  for (unsigned i = 0; i < main.getNumArguments(); ++i) {
    auto named = main.getArgAttrOfType<StringAttr>(i, "model.name");
    std::string name = named ? named.str() : "";
    auto array = npy::readNpz(file, name);
    if (!array)
      return emitError(UnknownLoc::get(main.getContext())) << "calibration: " << array.error().message();
    model::Dims dims = model::dimsOf(main.getArgumentTypes()[i]);
    rows.push_back(dims.empty() ? 1 : dims[0].constant().value_or(1));
    if (dims.size() != array->dims.size() || dims.empty() || rows.back() == 0)
      return emitError(UnknownLoc::get(main.getContext()))
             << "calibration: " << file << ": found the array '" << name << "' of " << array->dims.size()
             << " axes but the model's input has " << dims.size() << ", of which the first counts passages";
    int64_t found = array->dims[0] / rows.back();
    if (found == 0 || array->dims[0] % rows.back() || (i && found != count))
      return emitError(UnknownLoc::get(main.getContext()))
             << "calibration: " << file << ": found " << array->dims[0] << " rows of the array '" << name << "' but "
             << (i ? std::to_string(count) : "one or more") << " passages of " << rows.back() << " each are wanted";
    count = found;
    arrays.push_back(std::move(*array));
  }
  for (int64_t p = 0; p < count; ++p) {
    Passage passage{file + ", passage " + std::to_string(p), {}};
    for (auto [array, each] : llvm::zip_equal(arrays, rows))
      passage.inputs.push_back(rowsOf(array, p * each, each));
    passages.push_back(std::move(passage));
  }
  return success();
}

/// Attention that has a pattern, without it.
void makeDense(func::FuncOp main) {
  for (auto op : llvm::make_early_inc_range(main.getOps<sattn::AttentionOp>())) {
    OpBuilder builder(op);
    op.replaceAllUsesWith(model::AttentionOp::create(builder, op.getLoc(), op.getType(), op.getQuery(), op.getKey(),
                                                     op.getValue(), op.getMask(), op.getHeadsAttr(),
                                                     op.getKvHeadsAttr(), op.getScaleAttr(), op.getCausalAttr())
                              .getResult());
    op.erase();
  }
}

/// Query, key, value and, where there is one, mask.
SmallVector<Value> operandsOf(Operation *op) {
  auto of = [](auto attention) {
    SmallVector<Value> values{attention.getQuery(), attention.getKey(), attention.getValue()};
    if (attention.getMask())
      values.push_back(attention.getMask());
    return values;
  };
  if (auto dense = dyn_cast<model::AttentionOp>(op))
    return of(dense);
  return of(cast<sattn::AttentionOp>(op));
}

/// Makes the values further results of `main`.
void expose(func::FuncOp main, ArrayRef<Value> values) {
  Operation *terminator = main.front().getTerminator();
  SmallVector<Value> results(terminator->getOperands());
  llvm::append_range(results, values);
  unsigned known = main.getNumResults();
  terminator->setOperands(results);
  SmallVector<Type> types(main.getResultTypes());
  SmallVector<DictionaryAttr> attributes;
  Builder builder(main.getContext());
  for (unsigned i = 0; i < results.size(); ++i) {
    DictionaryAttr own = i < known ? main.getResultAttrDict(i) : DictionaryAttr();
    if (i >= known) {
      types.push_back(results[i].getType());
      auto name = builder.getNamedAttr("model.name", builder.getStringAttr("value " + std::to_string(i)));
      own = builder.getDictionaryAttr(name);
    }
    attributes.push_back(own ? own : builder.getDictionaryAttr({}));
  }
  main.setType(builder.getFunctionType(main.getArgumentTypes(), types));
  main.setAllResultAttrs(attributes);
}

double numberAt(const npy::Array &array, int64_t index) {
  if (array.type == TAMIS_BOOL)
    return array.bytes[index] ? 0 : -INFINITY;
  float value;
  std::memcpy(&value, array.bytes.data() + index * sizeof value, sizeof value);
  return value;
}

std::vector<double> numbersOf(const npy::Array &array, int64_t item) {
  int64_t size = array.dims[0] ? int64_t(array.bytes.size() / sizeof(float)) / array.dims[0] : 0;
  std::vector<double> numbers(size);
  for (int64_t i = 0; i < size; ++i)
    numbers[i] = numberAt(array, item * size + i);
  return numbers;
}
} // namespace

FailureOr<std::vector<Passage>> tamis::readPassages(ArrayRef<std::string> files, ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return emitError(UnknownLoc::get(module.getContext())) << "expected a function @main";
  std::vector<Passage> passages;
  for (const std::string &file : files)
    if (failed(readFile(file, main, passages)))
      return failure();
  return passages;
}

FailureOr<std::vector<npy::Array>> tamis::runPlan(Context &context, const Passage &passage, Location loc) {
  std::vector<Tensor> inputs;
  for (const npy::Array &array : passage.inputs) // only read
    inputs.push_back(Tensor(array.type, const_cast<uint8_t *>(array.bytes.data()), array.dims));
  auto outputs = context.run(inputs);
  if (!outputs)
    return emitError(loc) << "calibration: " << passage.name << ": " << outputs.error().message();
  std::vector<npy::Array> arrays;
  for (const Tensor &output : *outputs)
    arrays.push_back(copyOf(output));
  return arrays;
}

LogicalResult tamis::observeModel(
    ModuleOp module, ArrayRef<Value> values, const WeightStore &weights, ArrayRef<Passage> passages,
    const Activity &activity,
    llvm::function_ref<LogicalResult(std::vector<npy::Array> outputs, std::vector<npy::Array> values)> see) {
  IRMapping map;
  OwningOpRef<ModuleOp> copy(cast<ModuleOp>(module->clone(map)));
  auto main = copy->lookupSymbol<func::FuncOp>("main");
  size_t outputs = main.getNumResults();
  SmallVector<Value> copies;
  for (Value value : values)
    copies.push_back(map.lookup(value));
  expose(main, copies);
  makeDense(main);
  activity("compiling the dense model ...");
  PassManager manager(module.getContext());
  addSelectionPasses(manager);
  if (failed(manager.run(*copy)))
    return failure();
  auto plan = planForHost(*copy, weights);
  if (failed(plan))
    return failure();
  auto context = plan->context();
  if (!context)
    return emitError(UnknownLoc::get(module.getContext())) << context.error().message();
  for (const Passage &passage : passages) {
    activity("running the dense model on " + passage.name + " ...");
    auto found = runPlan(*context, passage, module.getLoc());
    if (failed(found))
      return failure();
    std::vector<npy::Array> rest(std::make_move_iterator(found->begin() + outputs),
                                 std::make_move_iterator(found->end()));
    found->resize(outputs);
    if (failed(see(std::move(*found), std::move(rest))))
      return failure();
  }
  return success();
}

FailureOr<std::vector<ModelRun>> tamis::runModel(ModuleOp module, ArrayRef<Operation *> attentions,
                                                 const WeightStore &weights, ArrayRef<Passage> passages,
                                                 const Activity &activity) {
  SmallVector<Value> seen;
  SmallVector<bool> hasMask;
  for (Operation *op : attentions) {
    SmallVector<Value> operands = operandsOf(op);
    hasMask.push_back(operands.size() == 4);
    for (auto [i, operand] : llvm::enumerate(operands)) {
      Type element = cast<RankedTensorType>(operand.getType()).getElementType();
      if (!element.isF32() && !(i == 3 && element.isInteger(1)))
        return op->emitError("calibration reads attention of f32, found ") << element;
    }
    llvm::append_range(seen, operands);
  }
  std::vector<ModelRun> runs;
  auto see = [&](std::vector<npy::Array> outputs, std::vector<npy::Array> values) {
    ModelRun run;
    run.outputs = std::move(outputs);
    auto next = std::make_move_iterator(values.begin());
    for (bool masked : hasMask) {
      AttentionOperands operands;
      operands.query = *next++;
      operands.key = *next++;
      operands.value = *next++;
      if (masked)
        operands.mask = *next++;
      run.attentions.push_back(std::move(operands));
    }
    runs.push_back(std::move(run));
    return success();
  };
  if (failed(observeModel(module, seen, weights, passages, activity, see)))
    return failure();
  return runs;
}

std::vector<sattn::AttentionInputs> tamis::itemsOf(Operation *attention, const AttentionOperands &operands) {
  auto describe = [](auto op, sattn::AttentionInputs &item) {
    item.heads = op.getHeads();
    item.kvHeads = op.getKvHeads();
    item.scale = op.getScale().convertToDouble();
    item.causal = op.getCausal();
    item.sameTokens = model::dimsOf(op.getQuery().getType())[1] == model::dimsOf(op.getKey().getType())[1];
  };
  int64_t batch = operands.query.dims[0];
  std::vector<sattn::AttentionInputs> items;
  for (int64_t b = 0; b < batch; ++b) {
    sattn::AttentionInputs item{};
    if (auto dense = dyn_cast<model::AttentionOp>(attention))
      describe(dense, item);
    else
      describe(cast<sattn::AttentionOp>(attention), item);
    item.queries = operands.query.dims[1];
    item.keys = operands.key.dims[1];
    item.width = operands.query.dims[2] / item.heads;
    item.valueWidth = operands.value.dims[2] / item.kvHeads;
    item.query = numbersOf(operands.query, b);
    item.key = numbersOf(operands.key, b);
    item.value = numbersOf(operands.value, b);
    if (operands.mask) {
      const npy::Array &mask = *operands.mask;
      const std::vector<int64_t> &dims = mask.dims;
      // Sizes of one stand for all.
      auto indexOf = [dims, b](int64_t h, int64_t q, int64_t k) {
        return (((dims[0] == 1 ? 0 : b) * dims[1] + (dims[1] == 1 ? 0 : h)) * dims[2] + (dims[2] == 1 ? 0 : q)) *
                   dims[3] +
               (dims[3] == 1 ? 0 : k);
      };
      item.added = [&mask, indexOf](int64_t h, int64_t q, int64_t k) { return numberAt(mask, indexOf(h, q, k)); };
      if (dims[1] == 1 && dims[2] == 1)
        for (int64_t k = 0; k < item.keys; ++k)
          item.keyKept.push_back(item.added(0, 0, k) > sattn::kLeftOut);
    }
    items.push_back(std::move(item));
  }
  return items;
}
