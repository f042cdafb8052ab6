// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Post-training quantization of a model's weights, and weights that came quantized.
#include "lib/driver/QuantizeWeights.h"

#include "codegen/tile/PackedWeight.h"
#include "dialects/model/ModelShapes.h"
#include "lib/driver/InputStatistics.h"
#include "lib/driver/KnownValues.h"
#include "lib/driver/RoundWeights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/precision/Passes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using K = ElementwiseKind;

namespace {
/// Tables of so few rows stay: kinds of tokens are added to all of them, so that what rounding does to one row is in
/// every answer, and there is next to nothing to save. MiniLM-L6 in int8: 0.0004 less of the cosine's 0.0006 is lost.
constexpr int64_t kFewRows = 16;

class Quantizer {
public:
  Quantizer(func::FuncOp main, WeightStore &weights, const QuantizeOptions &options, ArrayRef<Passage> passages,
            const Activity &activity)
      : main(main), weights(weights), options(options), passages(passages), activity(activity),
        algorithm(options.algorithm.value_or(passages.empty() ? QuantizeAlgorithm::nearest : QuantizeAlgorithm::gptq)),
        builder(main.getContext()) {}

  LogicalResult run() {
    findLayers();
    if (failed(calibrate()))
      return failure();
    return forAll([&](auto op) { return quantize(op); });
  }

  /// The same without a change to the module: weights by key.
  FailureOr<IntegerWeights> collect() {
    findLayers();
    llvm::StringMap<unsigned> readers;
    for (LinearOp op : linears)
      ++readers[keyOf(op.getWeight())];
    if (failed(calibrate()))
      return failure();
    IntegerWeights found;
    auto add = [&](auto op, Value weight) {
      constexpr bool isTable = std::is_same_v<decltype(op), EmbeddingOp>;
      auto stored = weight.getDefiningOp<WeightOp>();
      if (!stored || found.count({stored.getKey().str(), isTable}))
        return success();
      IntegerWeight result;
      if constexpr (!isTable) {
        if (readers.lookup(stored.getKey()) > 1) // what fits one input may not fit another
          inputOf.erase(op);
        auto rounded = round(op);
        if (failed(rounded))
          return failure();
        if (rounded->input)
          result.smoothing = rounded->input->smoothing;
        result.change = std::move(rounded->change);
        result.quantizesRows = multipliesIntegers(rounded->matrix.columns);
        fill(result, std::move(rounded->matrix));
      } else {
        auto rounded = round(op, tableOptions(op));
        if (failed(rounded))
          return failure();
        fill(result, std::move(*rounded));
      }
      found.emplace(std::pair(stored.getKey().str(), isTable), std::move(result));
      return success();
    };
    auto addLayer = [&](auto op) {
      if constexpr (std::is_same_v<decltype(op), LinearOp>)
        return add(op, op.getWeight());
      else
        return add(op, op.getTable());
    };
    if (failed(forAll(addLayer)))
      return failure();
    return found;
  }

private:
  void fill(IntegerWeight &weight, RoundedMatrix matrix) const {
    weight.rows = matrix.rows, weight.columns = matrix.columns, weight.group = matrix.group;
    weight.bits = options.bits;
    weight.isSigned = matrix.low < 0;
    weight.integers = std::move(matrix.integers);
    weight.scales = std::move(matrix.scales);
    weight.zeroPoints = std::move(matrix.zeroPoints);
  }

  /// What is quantized: layers of f32 whose weight is known.
  void findLayers() {
    auto isKnownFloat = [&](Value result, Value weight) {
      llvm::SetVector<Operation *> ops;
      if (options.mark && result.getDefiningOp()->getAttr(precision::kPrecision) != options.mark)
        return false;
      return cast<RankedTensorType>(result.getType()).getElementType().isF32() && isKnown(weight, ops);
    };
    for (auto op : main.getOps<LinearOp>())
      if (isKnownFloat(op, op.getWeight()))
        linears.push_back(op);
    for (auto op : main.getOps<EmbeddingOp>())
      if (isKnownFloat(op, op.getTable()) && op.getTable().getType().getShape()[0] > kFewRows)
        embeddings.push_back(op);
  }

  template <typename Function> LogicalResult forAll(Function function) {
    size_t done = 0, total = linears.size() + embeddings.size();
    auto progress = [&] { activity("quantizing weights, " + std::to_string(++done) + " of " + std::to_string(total)); };
    for (LinearOp op : linears) {
      progress();
      if (failed(function(op)))
        return failure();
    }
    for (EmbeddingOp op : embeddings) {
      progress();
      if (failed(function(op)))
        return failure();
    }
    return success();
  }

  /// Integers of a matrix of rows that are cut into groups, with their units.
  struct Integers {
    Value q, scale, zeroPoint; ///< rows x columns, and rows x groups
  };

  Value weight(std::string key, Type element, ArrayRef<int64_t> shape, ArrayRef<char> bytes) {
    auto type = RankedTensorType::get(shape, element);
    while (true) {
      const WeightStore::Weight *known = weights.find(key);
      if (known && known->type == type && known->bytes == bytes)
        break;
      if (!known) {
        if (llvm::Error error = weights.add(key, type, weights.keep(bytes)))
          emitError(main.getLoc()) << llvm::toString(std::move(error)); // sizes fit: never here
        break;
      }
      key += "'"; // two merged matrices that begin with the same weight
    }
    return WeightOp::create(builder, main.getLoc(), type, key);
  }

  /// What is known of the input of linears, all those that read it.
  struct Input {
    InputStatistics statistics;
    std::vector<float> smoothing; ///< what its columns are divided by; empty for nothing
    Value smoothed;               ///< the input so divided, once it is computed
  };

  /// Whether linears multiply integers.
  bool multipliesIntegers(int64_t columns) const {
    return options.bits == 8 && (options.group == 0 || options.group >= columns);
  }

  LogicalResult calibrate() {
    if (algorithm == QuantizeAlgorithm::nearest)
      return success();
    llvm::MapVector<Value, SmallVector<LinearOp>> readers;
    for (LinearOp op : linears)
      readers[op.getInput()].push_back(op);
    SmallVector<Value> values;
    for (auto &[value, ops] : readers)
      values.push_back(value);
    auto statistics = observeInputs(main->getParentOfType<ModuleOp>(), values, weights, passages,
                                    algorithm == QuantizeAlgorithm::gptq, activity);
    if (failed(statistics))
      return failure();
    inputs.resize(values.size());
    for (auto [value, found, input] : llvm::zip_equal(values, *statistics, inputs)) {
      input.statistics = std::move(found);
      for (LinearOp op : readers[value])
        inputOf[op] = &input;
      size_t width = input.statistics.low.size();
      if (width == 0 || !multipliesIntegers(width))
        continue;
      std::vector<float> maxima(width), squares(width);
      for (LinearOp op : readers[value]) {
        auto weight = outputRows(op, weights);
        if (failed(weight))
          return failure();
        for (auto [i, number] : llvm::enumerate(weight->numbers)) {
          maxima[i % width] = std::max(maxima[i % width], std::abs(number));
          squares[i % width] += number * number;
        }
      }
      input.smoothing = smoothingOf(input.statistics, maxima, squares);
    }
    return success();
  }

  /// `matrix`: rows of `columns` numbers; `moments` of what multiplies them, empty for rounding to nearest.
  FailureOr<RoundedMatrix> round(Location loc, const std::string &key, ArrayRef<float> matrix, int64_t columns,
                                 const RoundOptions &how, ArrayRef<float> moments = {}) {
    std::vector<float> importance;
    for (int64_t i = 0; !moments.empty() && i < columns; ++i)
      importance.push_back(moments[i * columns + i]);
    auto rounded = roundToNearest(matrix, columns, how, importance);
    if (!rounded)
      return emitError(loc) << "weight '" << key << "' " << llvm::toString(rounded.takeError());
    if (!moments.empty())
      roundByMoments(*rounded, matrix, moments);
    return std::move(*rounded);
  }

  /// Keeps them among the weights.
  Integers keep(const std::string &key, const RoundedMatrix &rounded, const RoundOptions &how) {
    Type element =
        how.symmetric ? builder.getIntegerType(how.bits) : builder.getIntegerType(how.bits, /*isSigned=*/false);
    std::string name = key + ".int" + std::to_string(how.bits);
    int64_t rows = rounded.rows, groups = rounded.groups();
    Integers result;
    result.q = weight(name, element, {rows, rounded.columns}, rounded.integers);
    if (how.halfScales && hasHalfScales(rounded)) {
      std::vector<uint16_t> halves(rounded.scales.size());
      llvm::transform(rounded.scales, halves.begin(), halfBits);
      result.scale = weight(name + ".scale", builder.getF16Type(), {rows, groups},
                            {reinterpret_cast<const char *>(halves.data()), halves.size() * sizeof(uint16_t)});
    } else {
      result.scale = floats(name + ".scale", {rows, groups}, rounded.scales);
    }
    if (!how.symmetric)
      result.zeroPoint = weight(name + ".zero_point", element, {rows, groups}, rounded.zeroPoints);
    return result;
  }

  /// Takes what rounding does to the layer's mean answer out of its bias, which is known.
  LogicalResult correctBias(LinearOp op, ArrayRef<float> change) {
    auto bias = valueOf(op.getBias(), weights);
    if (failed(bias))
      return failure();
    std::vector<float> numbers = bias->values<float>().vec();
    for (auto [number, by] : llvm::zip_equal(numbers, change))
      number -= by;
    op.getBiasMutable().assign(floats(keyOf(op.getBias()) + ".corrected", {int64_t(numbers.size())}, numbers));
    return success();
  }

  /// How rows of so many columns are rounded that stay packed.
  RoundOptions packedOptions(int64_t columns) const {
    RoundOptions how{options.group == 0 ? columns : std::min(options.group, columns), options.bits, options.symmetric};
    how.group = std::max<int64_t>(how.group, 1);
    how.halfScales = true;
    how.searches = options.bits < 8; // of 256 integers hardly one is lost
    return how;
  }

  /// Their numbers.
  Value dense(Location loc, const Integers &integers, int64_t group) {
    auto shape = cast<RankedTensorType>(integers.q.getType()).getShape();
    return DequantizeOp::create(builder, loc, RankedTensorType::get(shape, builder.getF32Type()), integers.q,
                                integers.scale, integers.zeroPoint, builder.getI64IntegerAttr(group),
                                builder.getI64IntegerAttr(1));
  }

  Value floats(std::string key, ArrayRef<int64_t> shape, ArrayRef<float> numbers) {
    return weight(std::move(key), builder.getF32Type(), shape,
                  {reinterpret_cast<const char *>(numbers.data()), numbers.size() * sizeof(float)});
  }

  Value reshape(Value value, ArrayRef<DimExpr> dims) {
    auto type = tensorType(cast<RankedTensorType>(value.getType()).getElementType(), dims);
    return type == value.getType() ? value : ReshapeOp::create(builder, value.getLoc(), type, value).getResult();
  }
  Value elementwise(Location loc, K kind, ArrayRef<Value> operands, ArrayRef<DimExpr> dims) {
    return ElementwiseOp::create(builder, loc, tensorType(builder.getF32Type(), dims), kind, operands);
  }

  /// The weight of a linear as integers, an output a row.
  struct RoundedLinear {
    RoundedMatrix matrix;
    RoundOptions how;
    Input *input = nullptr;    ///< what is known of its input, if anything is
    std::vector<float> change; ///< of the mean answer, by rounding; empty where the bias cannot take it
  };

  FailureOr<RoundedLinear> round(LinearOp op) {
    auto matrix = outputRows(op, weights); // what shares a scale lies together
    if (failed(matrix))
      return failure();
    auto [rows, columns, numbers] = std::move(*matrix);
    RoundedLinear result{{}, packedOptions(columns), inputOf.lookup(op), {}};
    std::vector<float> moments, mean;
    if (result.input) {
      const InputStatistics &statistics = result.input->statistics;
      moments = statistics.moments;
      llvm::SetVector<Operation *> ops;
      if (!moments.empty() && op.getBias() && isKnown(op.getBias(), ops)) {
        mean = statistics.mean;
        for (size_t i = 0; i < moments.size(); ++i) // what is left for weights to answer for
          moments[i] -= mean[i / columns] * mean[i % columns];
      }
      if (ArrayRef<float> smoothing = result.input->smoothing; !smoothing.empty()) {
        for (int64_t r = 0; r < rows; ++r)
          for (int64_t c = 0; c < columns; ++c)
            numbers[r * columns + c] *= smoothing[c];
        for (size_t i = 0; i < moments.size(); ++i)
          moments[i] /= smoothing[i / columns] * smoothing[i % columns];
        for (size_t i = 0; i < mean.size(); ++i)
          mean[i] /= smoothing[i];
      }
    }
    if (multipliesIntegers(columns))
      result.how.halfScales = result.how.searches = false;
    auto rounded = round(op.getLoc(), keyOf(op.getWeight()), numbers, columns, result.how, moments);
    if (failed(rounded))
      return failure();
    result.matrix = std::move(*rounded);
    if (!mean.empty())
      result.change = changedProducts(result.matrix, numbers, mean);
    return result;
  }

  LogicalResult quantize(LinearOp op) {
    builder.setInsertionPoint(op);
    auto rounded = round(op);
    if (failed(rounded) || (!rounded->change.empty() && failed(correctBias(op, rounded->change))))
      return failure();
    Integers integers = keep(keyOf(op.getWeight()), rounded->matrix, rounded->how);
    if (rounded->input && !rounded->input->smoothing.empty())
      op.getInputMutable().assign(smooth(op, *rounded->input));
    if (multipliesIntegers(rounded->matrix.columns))
      return multiplyIntegers(op, integers);
    op.getWeightMutable().assign(dense(op.getLoc(), integers, rounded->how.group));
    op.setTransposed(true);
    return success();
  }

  /// The linear's input with its columns divided.
  Value smooth(LinearOp op, Input &input) {
    if (input.smoothed)
      return input.smoothed;
    std::vector<float> factors;
    for (float divisor : input.smoothing)
      factors.push_back(1 / divisor);
    Value factor = floats(keyOf(op.getWeight()) + ".smoothing", {int64_t(factors.size())}, factors);
    return input.smoothed = elementwise(op.getLoc(), K::mul, {op.getInput(), factor}, dimsOf(op.getInput().getType()));
  }

  /// Each row of the input as unsigned bytes from its lowest to its highest number, 0 among them.
  LogicalResult multiplyIntegers(LinearOp op, const Integers &integers) {
    Location loc = op.getLoc();
    Value x = op.getInput();
    Dims dims = dimsOf(x.getType()), rows = dims, result = dimsOf(op.getType());
    rows.back() = 1;
    Type byte = builder.getIntegerType(8, /*isSigned=*/false);
    auto quantized = QuantizeRowsOp::create(builder, loc, tensorType(byte, dims),
                                            tensorType(builder.getF32Type(), rows), tensorType(byte, rows), x);
    Value q = quantized.getResult(), scale = quantized.getScale(), zero = quantized.getZeroPoint();
    int64_t count = *result.back().constant();
    Value zeros = integers.zeroPoint ? reshape(integers.zeroPoint, {DimExpr(count)}) : Value();
    Value sums = IntegerLinearOp::create(builder, loc, tensorType(builder.getI32Type(), result), q, integers.q, zero,
                                         zeros, /*transposed=*/true);
    Value y = CastOp::create(builder, loc, op.getType(), sums);
    y = elementwise(loc, K::mul, {y, scale}, result);
    y = elementwise(loc, K::mul, {y, reshape(integers.scale, {DimExpr(count)})}, result);
    if (op.getBias())
      y = elementwise(loc, K::add, {y, op.getBias()}, result);
    op.replaceAllUsesWith(y);
    op.erase();
    return success();
  }

  RoundOptions tableOptions(EmbeddingOp op) const {
    int64_t width = op.getTable().getType().getShape()[1];
    return multipliesIntegers(width) ? RoundOptions{std::max<int64_t>(width, 1), 8, /*symmetric=*/true}
                                     : packedOptions(width);
  }
  FailureOr<RoundedMatrix> round(EmbeddingOp op, const RoundOptions &how) {
    auto table = valueOf(op.getTable(), weights);
    if (failed(table))
      return failure();
    return round(op.getLoc(), keyOf(op.getTable()), table->values<float>(), table->shape[1], how);
  }

  /// As the weights of layers; with bytes that have one unit a row, these are looked up first, then dequantized.
  LogicalResult quantize(EmbeddingOp op) {
    RoundOptions how = tableOptions(op);
    auto rounded = round(op, how);
    if (failed(rounded))
      return failure();
    Location loc = op.getLoc();
    builder.setInsertionPoint(op);
    Integers integers = keep(keyOf(op.getTable()), *rounded, how);
    if (!multipliesIntegers(rounded->columns)) {
      op.getTableMutable().assign(dense(loc, integers, how.group));
      return success();
    }
    Dims dims = dimsOf(op.getType()), rows = dims;
    rows.back() = 1;
    Type element = cast<RankedTensorType>(integers.q.getType()).getElementType();
    Value q = GatherOp::create(builder, loc, tensorType(element, dims), integers.q, op.getIds(), uint64_t(0));
    Value scale = GatherOp::create(builder, loc, tensorType(builder.getF32Type(), rows), integers.scale, op.getIds(),
                                   uint64_t(0));
    Value y = DequantizeOp::create(builder, loc, op.getType(), q, scale, Value(), IntegerAttr(), IntegerAttr());
    op.replaceAllUsesWith(y);
    op.erase();
    return success();
  }

  func::FuncOp main;
  WeightStore &weights;
  const QuantizeOptions &options;
  ArrayRef<Passage> passages;
  const Activity &activity;
  QuantizeAlgorithm algorithm;
  SmallVector<LinearOp> linears;
  SmallVector<EmbeddingOp> embeddings;
  std::vector<Input> inputs;
  DenseMap<Operation *, Input *> inputOf; ///< of the linears that are left
  OpBuilder builder;
};
} // namespace

llvm::Expected<QuantizeOptions> tamis::parseQuantizeOptions(llvm::StringRef text) {
  QuantizeOptions options;
  llvm::StringRef rest = text;
  auto refuse = [&](const llvm::Twine &what) -> llvm::Error {
    return llvm::createStringError("weights '" + text + "': " + what +
                                   "; wanted is int8 or int4, with (group=32), (asymmetric), (algorithm=rtn), "
                                   "smoothquant or gptq, or several of these, separated by commas");
  };
  if (rest.consume_front("int8"))
    options.bits = 8;
  else if (rest.consume_front("int4"))
    options.bits = 4;
  else
    return refuse("no such type");
  if (rest.empty())
    return options;
  if (!rest.consume_front("(") || !rest.consume_back(")"))
    return refuse("no list in parentheses behind the type");
  for (llvm::StringRef part : llvm::split(rest, ',')) {
    part = part.trim();
    if (part == "asymmetric")
      options.symmetric = false;
    else if (part == "symmetric")
      options.symmetric = true;
    else if (part == "algorithm=rtn")
      options.algorithm = QuantizeAlgorithm::nearest;
    else if (part == "algorithm=smoothquant")
      options.algorithm = QuantizeAlgorithm::smoothQuant;
    else if (part == "algorithm=gptq")
      options.algorithm = QuantizeAlgorithm::gptq;
    else if (!part.consume_front("group=") || part.getAsInteger(10, options.group) || options.group < 1)
      return refuse("'" + part + "' is no option");
  }
  return options;
}

LogicalResult tamis::quantizeWeights(ModuleOp module, WeightStore &weights, const QuantizeOptions &options,
                                     ArrayRef<Passage> passages, const Activity &activity) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module.emitError("expected a function @main");
  return Quantizer(main, weights, options, passages, activity).run();
}

FailureOr<IntegerWeights> tamis::quantizedWeights(ModuleOp module, WeightStore &weights, const QuantizeOptions &options,
                                                  ArrayRef<Passage> passages, const Activity &activity) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module.emitError("expected a function @main");
  return Quantizer(main, weights, options, passages, activity).collect();
}

/// Dequantizes, or widens 16-bit floats.
static bool isStoredNarrow(Operation *op) {
  auto elementOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); };
  auto widening = dyn_cast<CastOp>(op);
  return isa<DequantizeOp>(op) || (widening && elementOf(widening.getResult()).isF32() &&
                                   (elementOf(widening.getInput()).isF16() || elementOf(widening.getInput()).isBF16()));
}

LogicalResult tamis::dequantizeWeights(ModuleOp module, WeightStore &weights) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module.emitError("expected a function @main");
  // The last known values behind a dequantization or widening; views of them cost nothing and stay.
  SmallVector<Operation *> found;
  for (Operation &op : main.front()) {
    llvm::SetVector<Operation *> ops;
    auto dequantize = dyn_cast<DequantizeOp>(op);
    if (dequantize && keepsPacked(dequantize))
      continue;
    if (op.getNumResults() != 1 || op.use_empty() || isa<ReshapeOp, TransposeOp>(op) ||
        !isKnown(op.getResult(0), ops) || llvm::none_of(ops, isStoredNarrow))
      continue;
    bool isRead = llvm::any_of(op.getUsers(), [&](Operation *user) {
      llvm::SetVector<Operation *> behind;
      return user->getNumResults() != 1 || isa<ReshapeOp, TransposeOp>(user) || !isKnown(user->getResult(0), behind);
    });
    if (isRead)
      found.push_back(&op);
  }
  for (Operation *op : found) {
    auto tensor = valueOf(op->getResult(0), weights);
    if (failed(tensor))
      return failure();
    std::string key = keyOf(op->getResult(0)) + ".dequantized";
    auto type = RankedTensorType::get(tensor->shape, tensor->element);
    while (weights.find(key))
      key += "'";
    if (llvm::Error error = weights.add(key, type, weights.keep(tensor->bytes)))
      return op->emitError(llvm::toString(std::move(error)));
    OpBuilder builder(op);
    op->getResult(0).replaceAllUsesWith(WeightOp::create(builder, op->getLoc(), type, key));
  }
  for (Operation *op : llvm::reverse(found))
    op->erase();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(main.front())))
    if (isa<DequantizeOp, WeightOp, model::ConstantOp, GatherOp, ElementwiseOp, CastOp, ReshapeOp>(op) &&
        op.use_empty())
      op.erase();
  return success();
}
