// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decoders of Llama's kind, as a function of the model dialect.
#include "lib/import/Decoder.h"

#include "dialects/cache/CacheDialect.h"
#include "lib/support/Gguf.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <numbers>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
class DecoderBuilder {
public:
  DecoderBuilder(const DecoderConfig &config, const DecoderNames &names, const ImportOptions &options,
                 WeightStore &weights, Location fileLoc)
      : config(config), names(names), cacheOptions(options.cache), rules(options), weights(weights), fileLoc(fileLoc),
        builder(fileLoc.getContext()), element(builder.getF32Type()) {}

  ImportedModule build() {
    if (failed(declareSizes()))
      return failure();
    OwningOpRef<ModuleOp> module = ModuleOp::create(fileLoc);
    builder.setInsertionPointToEnd(module->getBody());
    auto function = func::FuncOp::create(builder, fileLoc, "main", builder.getFunctionType({}, {}));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToEnd(body);
    auto argument = [&](const Twine &name, Type type) {
      inputs.push_back(name.str());
      return body->addArgument(type, fileLoc);
    };
    Type i64 = builder.getI64Type(), i32 = builder.getI32Type();
    bool isPaged = cacheOptions.isPaged();
    Value ids = argument("input_ids", model::tensorType(i64, lead));
    if (isPaged) {
      positions = argument("positions", model::tensorType(i32, lead));
      texts = argument("texts", model::tensorType(i32, lead));
      table = argument("page_table", model::tensorType(i32, {textCount, places}));
    }
    Value logitsAt = argument("logits_at", model::tensorType(i64, isPaged ? Dims{kept} : Dims{batch, kept}));
    Value x = embedding(ids);
    buildTurns();
    for (int64_t layer = 0; layer < config.layers && missing.size() < maxMissing; ++layer) {
      SmallVector<Value> cache;
      SmallVector<StringRef> pools{"keys.", "values."};
      if (isPaged) {
        cache::PoolSizes sizes{pages,
                               config.kvHeads,
                               config.headWidth,
                               config.headWidth,
                               cacheOptions.page,
                               cacheOptions.kind == CacheOptions::Kind::int8,
                               selects(layer)};
        if (sizes.isByte)
          pools.append({"key_scales.", "value_scales."});
        if (sizes.hasBounds)
          pools.push_back("key_bounds.");
        for (auto [name, type] : llvm::zip(pools, cache::poolTypes(builder.getContext(), sizes)))
          cache.push_back(argument(name + Twine(layer), type));
      } else {
        for (const char *name : {"past_keys.", "past_values."})
          cache.push_back(argument(name + Twine(layer), tokensOf(past, kvWidth())));
      }
      x = decoderLayer(x, cache, layer);
    }
    Value logits = head(x, logitsAt);
    if (!missing.empty())
      return emitError(fileLoc) << "the weights do not fit the model's description: " << llvm::join(missing, "; ");
    results.insert(results.begin(), logits);
    outputs.insert(outputs.begin(), "logits");
    func::ReturnOp::create(builder, fileLoc, results);
    function.setFunctionType(builder.getFunctionType(body->getArgumentTypes(), ValueRange(results).getTypes()));
    for (auto [i, name] : llvm::enumerate(inputs))
      function.setArgAttr(i, "model.name", builder.getStringAttr(name));
    for (auto [i, name] : llvm::enumerate(outputs)) {
      function.setResultAttr(i, "model.name", builder.getStringAttr(name));
      if (isPaged && i > 0)
        function.setResultAttr(i, cache::kStateAttr, builder.getStringAttr(name));
    }
    model::setSymbols(function, rules.symbols());
    if (failed(verify(*module)))
      return failure();
    return std::move(module);
  }

private:
  static constexpr size_t maxMissing = 8; ///< complaints before giving up

  /// Whether single tokens read some of the pages of this layer.
  bool selects(int64_t layer) const { return cacheOptions.decodePages && layer >= cacheOptions.denseLayers; }
  int64_t kvWidth() const { return config.kvHeads * config.headWidth; }
  Location at(const Twine &name) { return NameLoc::get(builder.getStringAttr(name), fileLoc); }
  using Dims = model::Dims;
  Type tokensOf(const DimExpr &count, int64_t width) {
    return model::tensorType(element, {batch, count, DimExpr(width)});
  }
  /// The tokens that are read, with `inner` sizes of each.
  Dims rowDims(ArrayRef<DimExpr> inner) {
    Dims dims = lead;
    dims.append(inner.begin(), inner.end());
    return dims;
  }
  Type rows(int64_t width) { return model::tensorType(element, rowDims({DimExpr(width)})); }

  LogicalResult declarePagedSizes() {
    tokens = rules.named("tokens");
    textCount = rules.named("texts");
    int64_t most = (config.positions + cacheOptions.page - 1) / cacheOptions.page;
    places = rules.named("places", 1, most);
    pages = rules.named("pages");
    kept = rules.named("kept", 0);
    lead = {tokens};
    if (std::string wrong = rules.checkOptions(); !wrong.empty())
      return emitError(fileLoc) << wrong;
    if (!rules.atMost(places, most))
      return emitError(fileLoc) << "has " << config.positions << " positions, " << most << " pages of "
                                << cacheOptions.page << ", but size 'places' is given up to "
                                << rules.bounds(places).max;
    return success();
  }

  LogicalResult declareSizes() {
    if (cacheOptions.isPaged())
      return declarePagedSizes();
    batch = rules.named("batch");
    sequence = rules.named("sequence", 1, config.positions);
    past = rules.named("past", 0, config.positions - 1);
    kept = rules.named("kept", 1, config.positions);
    lead = {batch, sequence};
    if (std::string wrong = rules.checkOptions(); !wrong.empty())
      return emitError(fileLoc) << wrong;
    for (auto [name, size, most] :
         {std::tuple("sequence", sequence, config.positions), std::tuple("past", past, config.positions - 1)})
      if (!rules.atMost(size, most))
        return emitError(fileLoc) << "has " << config.positions << " positions but size '" << name
                                  << "' is given up to " << rules.bounds(size).max;
    return success();
  }

  /// The parameter `name`; what is wrong with it is noted and reported with the others.
  Value weight(const std::string &given, ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, element);
    std::string name = given;
    const WeightStore::Weight *found = weights.find(name);
    if (found && found->type.getShape() == ArrayRef<int64_t>(shape) && isa<IntegerType>(found->type.getElementType()))
      if (const WeightStore::Weight *scale = weights.find(name + kScaleSuffix))
        return dequantized(name, *found, *scale);
    if (found && found->type.getShape() == ArrayRef<int64_t>(shape) && found->type != type)
      found = widened(*found, name);
    if (std::string wrong = weightComplaint(name, found, type); !wrong.empty() && missing.size() < maxMissing)
      missing.push_back(std::move(wrong));
    return model::WeightOp::create(builder, at(name), type, name);
  }

  /// The numbers of a matrix that is stored as integers.
  Value dequantized(const std::string &name, const WeightStore::Weight &integers, const WeightStore::Weight &scale) {
    auto stored = [&](const std::string &key, RankedTensorType type) -> Value {
      return model::WeightOp::create(builder, at(key), type, key);
    };
    Value minimum;
    if (weights.find(name + kMinimumSuffix))
      minimum = stored(name + kMinimumSuffix, scale.type);
    int64_t columns = integers.type.getDimSize(1), groups = scale.type.getDimSize(1);
    return model::DequantizeOp::create(builder, at(name), RankedTensorType::get(integers.type.getShape(), element),
                                       stored(name, integers.type), stored(name + kScaleSuffix, scale.type), Value(),
                                       minimum, builder.getI64IntegerAttr(columns / groups),
                                       builder.getI64IntegerAttr(1));
  }

  /// Weights of 16 bits are computed in f32; `name` becomes that of the copy.
  const WeightStore::Weight *widened(const WeightStore::Weight &narrow, std::string &name) {
    auto packing = narrow.type.getElementType().isF16()    ? GgufType::F16
                   : narrow.type.getElementType().isBF16() ? GgufType::BF16
                                                           : GgufType::F32;
    if (packing == GgufType::F32)
      return &narrow;
    name += ".f32";
    if (!weights.find(name)) {
      auto count = size_t(narrow.type.getNumElements());
      llvm::MutableArrayRef<char> memory = weights.allocate(count * sizeof(float));
      unpackGguf(packing, narrow.bytes, {reinterpret_cast<float *>(memory.data()), count});
      if (llvm::Error error = weights.add(name, RankedTensorType::get(narrow.type.getShape(), element), memory))
        missing.push_back(llvm::toString(std::move(error)));
    }
    return weights.find(name);
  }

  Value linear(Value x, const std::string &name, int64_t in, int64_t out) {
    Value matrix = weight(name + ".weight", {out, in}), bias;
    if (weights.find(name + ".bias"))
      bias = weight(name + ".bias", {out});
    model::Dims dims = model::dimsOf(x.getType());
    dims.back() = DimExpr(out);
    return model::LinearOp::create(builder, at(name), model::tensorType(element, dims), x, matrix, bias,
                                   /*transposed=*/true);
  }

  Value norm(Value x, const std::string &name, int64_t width) {
    Value scale = weight(name + ".weight", {width});
    auto axis = uint64_t(cast<RankedTensorType>(x.getType()).getRank() - 1);
    return model::NormOp::create(builder, at(name), x.getType(), model::NormKind::rms, x, scale, Value(), axis,
                                 llvm::APFloat(config.epsilon));
  }

  Value elementwise(K kind, ValueRange operands, Location loc) {
    auto dims = *model::broadcastDims(model::dimsOf(operands[0].getType()), model::dimsOf(operands[1].getType()));
    return model::ElementwiseOp::create(builder, loc, model::tensorType(element, dims), kind, operands);
  }

  Value reshape(Value x, ArrayRef<DimExpr> dims, Location loc) {
    return model::ReshapeOp::create(builder, loc, model::tensorType(element, dims), x);
  }

  Value concat(ValueRange values, int64_t axis, Location loc) {
    model::Dims dims = model::dimsOf(values[0].getType());
    dims[axis] = dims[axis] + model::dimsOf(values[1].getType())[axis];
    return model::ConcatOp::create(builder, loc, model::tensorType(element, dims), values, uint64_t(axis));
  }

  Value embedding(Value ids) {
    Value table = weight(names.embedding + ".weight", {config.vocabulary, config.width});
    return model::EmbeddingOp::create(builder, at(names.embedding), rows(config.width), table, ids);
  }

  /// Cosines and sines of the tokens' positions, [sequence, 1, headWidth / 2]; of positions that are given [tokens, 1,
  /// ...].
  void buildTurns() {
    int64_t half = config.headWidth / 2;
    DimExpr &count = lead.back();
    int64_t rows =
        std::min(config.positions, rules.bounds(positions ? places * cacheOptions.page : past + sequence).max);
    auto bytes = [&](auto turned) {
      llvm::MutableArrayRef<char> memory = weights.allocate(size_t(rows * half) * sizeof(float));
      auto *values = reinterpret_cast<float *>(memory.data());
      for (int64_t pair = 0; pair < half; ++pair) {
        double turn = std::pow(config.rotaryBase, -2.0 * double(pair) / double(config.headWidth));
        if (!config.turnDivisor.empty())
          turn /= config.turnDivisor[size_t(pair)];
        for (int64_t row = 0; row < rows; ++row)
          values[row * half + pair] = float(turned(double(row) * turn));
      }
      return memory;
    };
    auto type = RankedTensorType::get({rows, half}, element);
    Type picked = model::tensorType(element, {count, DimExpr(half)});
    Location loc = at("rotary_embedding");
    Value ids = positions;
    if (!ids)
      ids = model::IotaOp::create(builder, loc, model::tensorType(builder.getI64Type(), {count}), past.str(), "1");
    auto table = [&](const char *name, llvm::ArrayRef<char> values) {
      if (llvm::Error error = weights.add(name, type, values))
        missing.push_back(llvm::toString(std::move(error)));
      Value all = model::WeightOp::create(builder, loc, type, name);
      // Picked by index, which is checked: a context of more tokens than the model has positions is an error at run
      // time.
      Value rows = model::EmbeddingOp::create(builder, loc, picked, all, ids);
      return reshape(rows, {count, DimExpr(1), DimExpr(half)}, loc);
    };
    double scale = config.rotaryScale;
    cosine = table("rotary_embedding.cosine", bytes([scale](double angle) { return scale * std::cos(angle); }));
    sine = table("rotary_embedding.sine", bytes([scale](double angle) { return scale * std::sin(angle); }));
  }

  /// The last two axes of `x` are [heads, headWidth].
  Value rotate(Value x, Location loc) {
    model::Dims dims = model::dimsOf(x.getType()), part = dims;
    size_t axis = dims.size() - 1;
    part[axis] = DimExpr(config.headWidth / 2);
    auto take = [&](int64_t which) -> Value {
      std::string start = std::to_string(config.isInterleaved ? which : which * config.headWidth / 2);
      SmallVector<StringRef> starts(axis, "0");
      starts.push_back(start);
      SmallVector<int64_t> steps(axis, 1);
      steps.push_back(config.isInterleaved ? 2 : 1);
      return model::SliceOp::create(builder, loc, model::tensorType(element, part), x, builder.getStrArrayAttr(starts),
                                    steps);
    };
    Value a = take(0), b = take(1);
    auto mixed = [&](K how, Value first, Value second) {
      return elementwise(how, {elementwise(K::mul, {a, first}, loc), elementwise(K::mul, {b, second}, loc)}, loc);
    };
    Value one = mixed(K::sub, cosine, sine), other = mixed(K::add, sine, cosine);
    if (!config.isInterleaved)
      return concat({one, other}, axis, loc);
    part.push_back(DimExpr(1));
    return reshape(concat({reshape(one, part, loc), reshape(other, part, loc)}, axis + 1, loc), dims, loc);
  }

  /// Queries or keys: projected, normalised where the model does, and turned. [tokens.., heads * headWidth]
  Value turned(Value x, const std::string &name, const std::string &normName, int64_t heads) {
    int64_t width = heads * config.headWidth;
    Value projected = linear(x, name, config.width, width);
    projected = reshape(projected, rowDims({DimExpr(heads), DimExpr(config.headWidth)}), at(name));
    if (weights.find(normName + ".weight"))
      projected = norm(projected, normName, config.headWidth);
    return reshape(rotate(projected, at(name)), rowDims({DimExpr(width)}), at(name));
  }

  /// What the new tokens read; `results` and `outputs` get what the cache becomes.
  Value attend(Value query, Value key, Value value, ArrayRef<Value> cache, int64_t number, Location loc) {
    std::string layer = std::to_string(number);
    llvm::APFloat scale(1.0 / std::sqrt(double(config.headWidth)));
    Type type = rows(config.heads * config.headWidth);
    if (!cacheOptions.isPaged()) {
      results.append({key, value});
      outputs.insert(outputs.end(), {"keys." + layer, "values." + layer});
      return model::AttentionOp::create(builder, loc, type, query, concat({cache[0], key}, 1, loc),
                                        concat({cache[1], value}, 1, loc), Value(), uint64_t(config.heads),
                                        uint64_t(config.kvHeads), scale, /*causal=*/true);
    }
    auto appended = cache::AppendOp::create(builder, loc, cache, key, value, table, texts, positions);
    results.append(appended.getResults().begin(), appended.getResults().end());
    outputs.insert(outputs.end(), inputs.end() - ptrdiff_t(cache.size()), inputs.end());
    ValueRange pools = appended.getResults();
    Value index;
    if (selects(number)) {
      model::Dims dims{tokens, DimExpr(config.kvHeads), DimExpr(cacheOptions.decodePages + 1)};
      index = cache::SelectOp::create(builder, loc, model::tensorType(builder.getI32Type(), dims), query, pools.back(),
                                      table, texts, positions, uint64_t(config.heads),
                                      uint64_t(cacheOptions.decodePages), uint64_t(cacheOptions.page));
      pools = pools.drop_back();
    }
    return cache::AttendOp::create(builder, loc, type, query, pools, table, texts, positions, index,
                                   uint64_t(config.heads), scale);
  }

  Value decoderLayer(Value x, ArrayRef<Value> cache, int64_t number) {
    std::string layer = names.layer + std::to_string(number) + ".";
    int64_t width = config.heads * config.headWidth;
    Location loc = at(layer + "attention");
    Value normed = norm(x, layer + names.attentionNorm, config.width);
    Value query = turned(normed, layer + names.query, layer + names.queryNorm, config.heads);
    Value key = turned(normed, layer + names.key, layer + names.keyNorm, config.kvHeads);
    Value value = linear(normed, layer + names.value, config.width, kvWidth());
    Value read = attend(query, key, value, cache, number, loc);
    x = elementwise(K::add, {x, linear(read, layer + names.output, width, config.width)}, loc);
    normed = norm(x, layer + names.innerNorm, config.width);
    Value gate = linear(normed, layer + names.gate, config.width, config.inner);
    gate = model::ActivationOp::create(builder, at(layer + names.gate), gate.getType(), config.activation, gate);
    Value up = linear(normed, layer + names.up, config.width, config.inner);
    Value inner = elementwise(K::mul, {gate, up}, at(layer + names.up));
    return elementwise(K::add, {x, linear(inner, layer + names.down, config.inner, config.width)},
                       at(layer + names.down));
  }

  /// The vocabulary's logits of the tokens that are asked for.
  Value head(Value x, Value logitsAt) {
    Location loc = at("logits_at");
    Dims asking = model::dimsOf(logitsAt.getType()), taken = asking;
    uint64_t outer = asking.size() - 1; // axes of texts of their own
    asking.push_back(DimExpr(1));
    taken.push_back(DimExpr(config.width));
    Value which = model::ReshapeOp::create(builder, loc, model::tensorType(builder.getI64Type(), asking), logitsAt);
    Value asked = model::GatherNdOp::create(builder, loc, model::tensorType(element, taken), x, which, outer);
    asked = norm(asked, names.norm, config.width);
    bool isTied = !weights.find(names.head + ".weight");
    return linear(asked, isTied ? names.embedding : names.head, config.width, config.vocabulary);
  }

  const DecoderConfig &config;
  const DecoderNames &names;
  const CacheOptions cacheOptions;
  SizeRules rules;
  WeightStore &weights;
  Location fileLoc;
  OpBuilder builder;
  Type element;
  DimExpr batch, sequence, past, kept;
  DimExpr tokens, textCount, places, pages; ///< with pages
  Dims lead;                                ///< of the tokens that are read
  Value cosine, sine, texts, positions, table;
  SmallVector<Value> results; ///< and their names, after the logits
  std::vector<std::string> inputs, outputs, missing;
};
} // namespace

ImportedModule tamis::buildDecoder(const DecoderConfig &config, const DecoderNames &names, const ImportOptions &options,
                                   WeightStore &weights, Location loc) {
  return DecoderBuilder(config, names, options, weights, loc).build();
}

std::vector<double> tamis::llama3Divisors(int64_t headWidth, double base, double factor, double lowFactor,
                                          double highFactor, double originalPositions) {
  std::vector<double> divisors;
  for (int64_t pair = 0; pair < headWidth / 2; ++pair) {
    double wavelength = 2 * std::numbers::pi * std::pow(base, 2.0 * double(pair) / double(headWidth));
    double turns = originalPositions / wavelength; // of a whole context
    double left = std::clamp((turns - lowFactor) / (highFactor - lowFactor), 0.0, 1.0);
    divisors.push_back(1 / ((1 - left) / factor + left));
  }
  return divisors;
}

std::vector<double> Yarn::divisors(int64_t headWidth, double base) const {
  // The pair that turns so many times in the original context.
  auto pairOf = [&](double turns) {
    return double(headWidth) * std::log(originalPositions / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  double low = pairOf(fast), high = pairOf(slow);
  if (truncates)
    low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0), high = std::min(high, double(headWidth - 1));
  if (low == high)
    high += 0.001;
  std::vector<double> divisors;
  for (int64_t pair = 0; pair < headWidth / 2; ++pair) {
    double slowed = std::clamp((double(pair) - low) / (high - low), 0.0, 1.0);
    divisors.push_back(1 / (slowed / factor + 1 - slowed));
  }
  return divisors;
}

double Yarn::scale() const {
  return factor <= 1 ? 1 : 0.1 * std::log(factor) + 1;
}
