// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A Hugging Face folder, config.json and model.safetensors, of BERT's architecture.
#define JSON_NOEXCEPTION // a syntax error gives a discarded value
#include "lib/import/HuggingFace.h"

#include "dialects/model/ModelDialect.h"
#include "lib/import/SizeRules.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using Json = nlohmann::json;

namespace {
struct BertConfig {
  int64_t vocabulary, width, layers, heads, inner, positions, tokenTypes;
  double epsilon;
  model::ActivationKind activation;
};

/// Reads what a config.json says; every message names the file and the key.
class ConfigReader {
public:
  ConfigReader(const Json &json, Location loc) : json(json), loc(loc) {}

  LogicalResult read(BertConfig &config) {
    if (failed(checkArchitecture()))
      return failure();
    if (text("position_embedding_type", "absolute") != "absolute")
      return emitError(loc) << "has position embeddings of type '" << text("position_embedding_type", "")
                            << "' but only 'absolute' is supported";
    for (const char *key : {"is_decoder", "add_cross_attention"})
      if (auto it = json.find(key); it != json.end() && it->is_boolean() && it->get<bool>())
        return emitError(loc) << "sets '" << key << "' but only encoders are supported";
    std::string activation = text("hidden_act", "gelu");
    auto kind = llvm::StringSwitch<std::optional<model::ActivationKind>>(activation)
                    .Cases({"gelu", "gelu_python"}, model::ActivationKind::gelu)
                    .Cases({"gelu_new", "gelu_fast", "gelu_pytorch_tanh"}, model::ActivationKind::gelu_tanh)
                    .Case("quick_gelu", model::ActivationKind::quick_gelu)
                    .Case("relu", model::ActivationKind::relu)
                    .Case("relu2", model::ActivationKind::relu2)
                    .Cases({"silu", "swish"}, model::ActivationKind::silu)
                    .Default(std::nullopt);
    if (!kind)
      return emitError(loc) << "has hidden_act '" << activation
                            << "' but gelu, gelu_new, quick_gelu, relu, relu2 and silu are supported";
    config.activation = *kind;
    auto epsilon = json.find("layer_norm_eps");
    config.epsilon = epsilon == json.end() ? 1e-12 : epsilon->is_number() ? epsilon->get<double>() : -1;
    if (!(config.epsilon >= 0 && config.epsilon < 1))
      return emitError(loc) << "has a layer_norm_eps that is no number from 0 to 1";
    for (auto [key, field] :
         {std::pair("vocab_size", &config.vocabulary), std::pair("hidden_size", &config.width),
          std::pair("num_hidden_layers", &config.layers), std::pair("num_attention_heads", &config.heads),
          std::pair("intermediate_size", &config.inner), std::pair("max_position_embeddings", &config.positions),
          std::pair("type_vocab_size", &config.tokenTypes)})
      if (failed(readSize(key, *field)))
        return failure();
    if (config.width % config.heads)
      return emitError(loc) << "splits a hidden_size of " << config.width << " into " << config.heads
                            << " num_attention_heads, which leaves a rest";
    return success();
  }

private:
  std::string text(const char *key, const char *missing) {
    auto it = json.find(key);
    return it == json.end() || it->is_null() ? missing : it->is_string() ? it->get<std::string>() : "?";
  }

  LogicalResult checkArchitecture() {
    std::string type = text("model_type", ""), architecture;
    if (auto list = json.find("architectures");
        list != json.end() && list->is_array() && !list->empty() && list->front().is_string())
      architecture = list->front().get<std::string>();
    if (type != "bert")
      return emitError(loc) << "is a model of type '" << type << "' ("
                            << (architecture.empty() ? "no architecture" : architecture)
                            << ") but bert, llama, mistral, qwen2 and qwen3 are supported; export others as ONNX";
    if (!architecture.empty() && architecture != "BertModel")
      emitWarning(loc) << "is a " << architecture << "; its encoder is imported without the head";
    return success();
  }

  LogicalResult readSize(const char *key, int64_t &size) {
    auto it = json.find(key);
    constexpr int64_t maxSize = 1 << 30;
    if (it == json.end() || !it->is_number_unsigned() || it->get<uint64_t>() < 1 || it->get<uint64_t>() > maxSize)
      return emitError(loc) << "has no '" << key << "' from 1 to " << maxSize;
    size = static_cast<int64_t>(it->get<uint64_t>());
    return success();
  }

  const Json &json;
  Location loc;
};

/// Builds the function of a BERT encoder (Devlin et al., "BERT", 2018, arXiv:1810.04805).
class BertBuilder {
public:
  BertBuilder(const BertConfig &config, SizeRules &rules, WeightStore &weights, Location fileLoc)
      : config(config), rules(rules), weights(weights), fileLoc(fileLoc), builder(fileLoc.getContext()) {}

  ImportedModule build() {
    prefix = weights.find("bert.embeddings.word_embeddings.weight") ? "bert." : "";
    const WeightStore::Weight *table = weights.find(prefix + "embeddings.word_embeddings.weight");
    element = table ? table->type.getElementType() : builder.getF32Type();
    if (!isa<FloatType>(element))
      return emitError(fileLoc) << "has a word embedding of " << element << " but floats are wanted";

    DimExpr batch = rules.named("batch"), sequence = rules.named("sequence");
    if (std::string wrong = rules.checkOptions(); !wrong.empty())
      return emitError(fileLoc) << wrong;
    if (rules.meet(rules.min(DimExpr(config.positions), sequence), sequence) == SizeRules::Meeting::different)
      return emitError(fileLoc) << "has " << config.positions << " positions but size 'sequence' is given up to "
                                << rules.bounds(sequence).max;
    tokens = {batch, sequence};
    hidden = {batch, sequence, DimExpr(config.width)};

    OwningOpRef<ModuleOp> module = ModuleOp::create(fileLoc);
    builder.setInsertionPointToEnd(module->getBody());
    Type ids = model::tensorType(builder.getI64Type(), tokens);
    auto function = func::FuncOp::create(builder, fileLoc, "main", builder.getFunctionType({ids, ids, ids}, {}));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToEnd(body);
    SmallVector<StringRef> inputs{"input_ids", "attention_mask", "token_type_ids"}, outputs{"last_hidden_state"};
    for (auto [i, name] : llvm::enumerate(inputs))
      function.setArgAttr(i, "model.name", builder.getStringAttr(name));

    Value mask = keepMask(body->getArgument(1));
    Value x = embeddings(body->getArgument(0), body->getArgument(2));
    for (int64_t layer = 0; layer < config.layers && missing.size() < maxMissing; ++layer)
      x = encoderLayer(x, mask, "encoder.layer." + std::to_string(layer));
    SmallVector<Value> results{x};
    if (weights.find(prefix + "pooler.dense.weight")) {
      results.push_back(pooler(x));
      outputs.push_back("pooler_output");
    }
    if (!missing.empty())
      return emitError(fileLoc) << "the weights do not fit config.json: " << llvm::join(missing, "; ");
    func::ReturnOp::create(builder, fileLoc, results);
    function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
    for (auto [i, name] : llvm::enumerate(outputs))
      function.setResultAttr(i, "model.name", builder.getStringAttr(name));
    model::setSymbols(function, rules.symbols());
    if (failed(verify(*module)))
      return failure();
    return std::move(module);
  }

private:
  static constexpr size_t maxMissing = 8; ///< complaints before giving up

  Location at(const Twine &name) { return NameLoc::get(builder.getStringAttr(name), fileLoc); }

  /// The parameter `key`; what is wrong with it is noted and reported with the others.
  Value weight(const std::string &key, ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, element);
    const WeightStore::Weight *found = weights.find(prefix + key);
    std::string name = prefix + key;
    if (!found && StringRef(key).contains("LayerNorm.")) { // names of the first releases
      StringRef stem = StringRef(key).rsplit('.').first;
      name = prefix + stem.str() + (StringRef(key).ends_with(".weight") ? ".gamma" : ".beta");
      found = weights.find(name);
    }
    if (std::string wrong = weightComplaint(prefix + key, found, type); !wrong.empty() && missing.size() < maxMissing)
      missing.push_back(std::move(wrong));
    return model::WeightOp::create(builder, at(key), type, name);
  }

  Value dense(Value x, const std::string &name, int64_t in, int64_t out) {
    Value matrix = weight(name + ".weight", {out, in}), bias = weight(name + ".bias", {out});
    model::Dims dims = model::dimsOf(x.getType());
    dims.back() = DimExpr(out);
    return model::LinearOp::create(builder, at(name), model::tensorType(element, dims), x, matrix, bias,
                                   /*transposed=*/true);
  }

  Value norm(Value x, const std::string &name) {
    Value scale = weight(name + ".weight", config.width), bias = weight(name + ".bias", config.width);
    return model::NormOp::create(builder, at(name), x.getType(), model::NormKind::layer, x, scale, bias,
                                 static_cast<uint64_t>(2), llvm::APFloat(config.epsilon));
  }

  Value add(Value a, Value b, const std::string &name) {
    return model::ElementwiseOp::create(builder, at(name), a.getType(), model::ElementwiseKind::add, ValueRange{a, b});
  }

  /// [batch, 1, 1, sequence], true where a key is read.
  Value keepMask(Value attentionMask) {
    Location loc = at("attention_mask");
    Value keep = model::CastOp::create(builder, loc, model::tensorType(builder.getI1Type(), tokens), attentionMask);
    model::Dims wide{tokens[0], DimExpr(1), DimExpr(1), tokens[1]};
    return model::ReshapeOp::create(builder, loc, model::tensorType(builder.getI1Type(), wide), keep);
  }

  Value embeddings(Value ids, Value types) {
    auto lookUp = [&](const std::string &name, int64_t rows, Value indices) -> Value {
      Value table = weight(name + ".weight", {rows, config.width});
      return model::EmbeddingOp::create(builder, at(name), model::tensorType(element, hidden), table, indices);
    };
    Value words = lookUp("embeddings.word_embeddings", config.vocabulary, ids);
    Value kinds = lookUp("embeddings.token_type_embeddings", config.tokenTypes, types);
    std::string name = "embeddings.position_embeddings";
    Value table = weight(name + ".weight", {config.positions, config.width});
    // Positions count from zero: the first rows of the table.
    Type rows = model::tensorType(element, {tokens[1], DimExpr(config.width)});
    Value positions = model::SliceOp::create(builder, at(name), rows, table, builder.getStrArrayAttr({"0", "0"}),
                                             ArrayRef<int64_t>{1, 1});
    Value sum = add(add(words, kinds, "embeddings"), positions, "embeddings");
    return norm(sum, "embeddings.LayerNorm");
  }

  Value encoderLayer(Value x, Value mask, const std::string &name) {
    std::string self = name + ".attention.self";
    int64_t width = config.width;
    Value query = dense(x, self + ".query", width, width), key = dense(x, self + ".key", width, width),
          value = dense(x, self + ".value", width, width);
    auto heads = static_cast<uint64_t>(config.heads);
    double scale = 1.0 / std::sqrt(static_cast<double>(width / config.heads));
    Value read = model::AttentionOp::create(builder, at(self), x.getType(), query, key, value, mask, heads, heads,
                                            llvm::APFloat(scale), /*causal=*/false);
    std::string output = name + ".attention.output";
    Value attended = norm(add(dense(read, output + ".dense", width, width), x, output), output + ".LayerNorm");
    Value inner = dense(attended, name + ".intermediate.dense", width, config.inner);
    inner = model::ActivationOp::create(builder, at(name + ".intermediate"), inner.getType(), config.activation, inner);
    Value outer = dense(inner, name + ".output.dense", config.inner, width);
    return norm(add(outer, attended, name + ".output"), name + ".output.LayerNorm");
  }

  /// tanh of a dense layer on the first token.
  Value pooler(Value x) {
    Location loc = at("pooler");
    model::Dims first{tokens[0], DimExpr(1), DimExpr(config.width)}, flat{tokens[0], DimExpr(config.width)};
    Value token = model::SliceOp::create(builder, loc, model::tensorType(element, first), x,
                                         builder.getStrArrayAttr({"0", "0", "0"}), ArrayRef<int64_t>{1, 1, 1});
    token = model::ReshapeOp::create(builder, loc, model::tensorType(element, flat), token);
    Value pooled = dense(token, "pooler.dense", config.width, config.width);
    return model::ElementwiseOp::create(builder, loc, pooled.getType(), model::ElementwiseKind::tanh, pooled);
  }

  const BertConfig &config;
  SizeRules &rules;
  WeightStore &weights;
  Location fileLoc;
  OpBuilder builder;
  std::string prefix;
  Type element;
  model::Dims tokens, hidden;
  std::vector<std::string> missing;
};
} // namespace

ImportedModule tamis::importHuggingFace(StringRef folder, const ImportOptions &options, MLIRContext *context,
                                        WeightStore &weights) {
  auto inFolder = [&](StringRef name) {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, name);
    return path;
  };
  llvm::SmallString<256> configPath = inFolder("config.json");
  for (StringRef name : {"config.json", "model.safetensors"})
    if (!llvm::sys::fs::exists(inFolder(name)) &&
        (name == "config.json" || !llvm::sys::fs::exists(inFolder("model.safetensors.index.json"))))
      return emitError(fileLocation(folder, context))
             << "the folder has no " << name << "; config.json and model.safetensors are wanted";
  Location loc = fileLocation(configPath, context);
  auto json = readJsonObject(configPath, weights, loc);
  if (failed(json))
    return failure();
  if (auto type = json->find("model_type");
      type != json->end() && type->is_string() && isDecoderType(type->get_ref<const std::string &>()))
    return importHuggingFaceDecoder(folder, *json, loc, options, weights);
  BertConfig config;
  if (failed(ConfigReader(*json, loc).read(config)) || failed(addFolderWeights(folder, weights, context)))
    return failure();
  addEncoderTokenizer(folder, weights, context);
  SizeRules rules(options);
  return BertBuilder(config, rules, weights, fileLocation(inFolder("model.safetensors"), context)).build();
}
