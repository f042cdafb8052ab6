// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A GGUF file: one file with a decoder's weights, its description and its tokenizer.
#define JSON_NOEXCEPTION // a syntax error gives a discarded value
#include "lib/import/Decoder.h"
#include "lib/import/GgufTokenizer.h"
#include "lib/support/Gguf.h"

#include "llvm/ADT/StringSwitch.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using Json = nlohmann::json;

namespace {
const DecoderNames ggufNames{"token_embd",  "output_norm", "output",   "blk.",        "attn_norm",
                             "attn_q",      "attn_k",      "attn_v",   "attn_q_norm", "attn_k_norm",
                             "attn_output", "ffn_norm",    "ffn_gate", "ffn_up",      "ffn_down"};

class GgufModel {
public:
  GgufModel(const GgufFile &file, WeightStore &weights, Location loc) : file(file), weights(weights), loc(loc) {}

  LogicalResult readConfig() {
    architecture = file.text("general.architecture").value_or("").str();
    // Llama's files have the rows of queries and keys reordered so that pairs are neighbours.
    auto isInterleaved = llvm::StringSwitch<std::optional<bool>>(architecture)
                             .Case("llama", true)
                             .Cases({"qwen2", "qwen3"}, false)
                             .Default(std::nullopt);
    if (!isInterleaved)
      return emitError(loc) << "is a model of architecture '" << architecture
                            << "' but llama, qwen2 and qwen3 are supported";
    config.isInterleaved = *isInterleaved;
    config.activation = model::ActivationKind::silu;
    config.kvHeads = config.headWidth = 0;
    for (auto [key, size] :
         {std::pair("embedding_length", &config.width), std::pair("block_count", &config.layers),
          std::pair("attention.head_count", &config.heads), std::pair("feed_forward_length", &config.inner),
          std::pair("context_length", &config.positions)})
      if (failed(readSize(key, *size, /*isOptional=*/false)))
        return failure();
    for (auto [key, size] :
         {std::pair("attention.head_count_kv", &config.kvHeads), std::pair("attention.key_length", &config.headWidth)})
      if (failed(readSize(key, *size, /*isOptional=*/true)))
        return failure();
    if (!config.kvHeads)
      config.kvHeads = config.heads;
    if (!config.headWidth && config.width % config.heads)
      return emitError(loc) << "splits a width of " << config.width << " into " << config.heads
                            << " heads, which leaves a rest";
    if (!config.headWidth)
      config.headWidth = config.width / config.heads;
    if (config.heads % config.kvHeads || config.headWidth % 2)
      return emitError(loc) << "has " << config.heads << " heads on " << config.kvHeads << " of keys, of width "
                            << config.headWidth << "; a multiple and an even width are wanted";
    config.epsilon = file.number(key("attention.layer_norm_rms_epsilon")).value_or(-1);
    if (!(config.epsilon >= 0 && config.epsilon < 1))
      return emitError(loc) << "has no '" << key("attention.layer_norm_rms_epsilon") << "' from 0 to 1";
    return success(succeeded(readRotary()) && succeeded(refuseOthers()));
  }

  /// Every tensor under its own name: matrices of integers as such, with their scales and minima, others as f32.
  LogicalResult addWeights() {
    for (const GgufFile::Tensor &tensor : file.tensors()) {
      if (tensor.name == "rope_freqs.weight")
        continue;
      auto groups = ggufGroups(tensor.type);
      bool isMatrix = tensor.dims.size() == 2 && tensor.dims[0] > 0 && tensor.dims[1] > 0;
      llvm::Error error = groups && isMatrix ? addGroups(tensor, *groups) : addFloats(tensor);
      if (error)
        return reportError(loc, std::move(error));
    }
    const WeightStore::Weight *table = weights.find("token_embd.weight");
    if (!table || table->type.getRank() != 2)
      return emitError(loc) << "has no matrix 'token_embd.weight'";
    config.vocabulary = table->type.getDimSize(0);
    return success();
  }

  /// What generating text needs: see docs/generate.md.
  void addTexts() {
    Json generation{{"context", config.positions}, {"begin", nullptr}, {"end", Json::array()}};
    // SentencePiece's files begin every text with a mark unless they say otherwise.
    bool isSentencePiece = file.text("tokenizer.ggml.model").value_or("") == "llama";
    if (file.boolean("tokenizer.ggml.add_bos_token").value_or(isSentencePiece))
      if (auto begin = file.integer("tokenizer.ggml.bos_token_id"))
        generation["begin"] = *begin;
    for (const char *key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"})
      if (auto end = file.integer(key))
        generation["end"].push_back(*end);
    if (auto tokens = file.texts("tokenizer.ggml.tokens"))
      for (auto [key, name] : {std::pair("tokenizer.ggml.bos_token_id", "bos_token"),
                               std::pair("tokenizer.ggml.eos_token_id", "eos_token")})
        if (auto id = file.integer(key); id && *id >= 0 && size_t(*id) < tokens->size())
          generation[name] = (*tokens)[size_t(*id)].str();
    if (auto chat = file.text("tokenizer.chat_template"))
      generation["chat_template"] = chat->str();
    weights.addText("generation", dump(generation));
    if (std::string json = tokenizer(); !json.empty())
      weights.addText("tokenizer", std::move(json));
  }

  DecoderConfig config;

private:
  std::string key(const char *name) const { return architecture + "." + name; }

  static std::string dump(const Json &json) {
    return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  }

  llvm::Error addFloats(const GgufFile::Tensor &tensor) {
    auto type = RankedTensorType::get(tensor.dims, Float32Type::get(loc.getContext()));
    llvm::ArrayRef<char> bytes = tensor.bytes;
    if (tensor.type != GgufType::F32) {
      llvm::MutableArrayRef<char> memory = weights.allocate(size_t(type.getNumElements()) * sizeof(float));
      unpackGguf(tensor.type, tensor.bytes, {reinterpret_cast<float *>(memory.data()), size_t(type.getNumElements())});
      bytes = memory;
    }
    return weights.add(tensor.name, type, bytes);
  }

  /// Blocks do not reach from one row to the next: the format has whole ones in each.
  llvm::Error addGroups(const GgufFile::Tensor &tensor, const GgufGroups &groups) {
    MLIRContext *context = loc.getContext();
    Type integer =
        IntegerType::get(context, groups.bits, groups.isSigned ? IntegerType::Signless : IntegerType::Unsigned);
    Type unit = groups.hasHalfScales ? Type(Float16Type::get(context)) : Type(Float32Type::get(context));
    auto type = RankedTensorType::get(tensor.dims, integer);
    auto units = RankedTensorType::get({tensor.dims[0], tensor.dims[1] / groups.group}, unit);
    auto unitBytes = size_t(units.getNumElements() * elementBytes(unit));
    llvm::MutableArrayRef<char> integers = weights.allocate(size_t(type.getNumElements()));
    llvm::MutableArrayRef<char> scales = weights.allocate(unitBytes), minima;
    if (groups.hasMinimum)
      minima = weights.allocate(unitBytes);
    splitGguf(tensor.type, tensor.bytes, integers, scales, minima);
    std::string name = tensor.name.str();
    llvm::Error error = weights.add(name, type, integers);
    if (!error)
      error = weights.add(name + kScaleSuffix, units, scales);
    if (!error && groups.hasMinimum)
      error = weights.add(name + kMinimumSuffix, units, minima);
    return error;
  }

  LogicalResult readSize(const char *name, int64_t &size, bool isOptional) {
    constexpr int64_t maxSize = 1 << 24;
    if (isOptional && !file.has(key(name)))
      return success();
    size = file.integer(key(name)).value_or(0);
    if (size < 1 || size > maxSize)
      return emitError(loc) << "has no '" << key(name) << "' from 1 to " << maxSize;
    return success();
  }

  LogicalResult readRotary() {
    config.rotaryBase = file.number(key("rope.freq_base")).value_or(10000);
    if (!(config.rotaryBase > 0) || !std::isfinite(config.rotaryBase))
      return emitError(loc) << "has a '" << key("rope.freq_base") << "' that is not above 0";
    int64_t turned = file.integer(key("rope.dimension_count")).value_or(config.headWidth);
    if (turned != config.headWidth)
      return emitError(loc) << "turns " << turned << " of the " << config.headWidth
                            << " elements of a head; supported where all are";
    auto pairs = size_t(config.headWidth / 2);
    StringRef scaling = file.text(key("rope.scaling.type")).value_or("none");
    if (scaling == "linear")
      config.turnDivisor.assign(pairs, file.number(key("rope.scaling.factor")).value_or(1));
    else if (scaling == "yarn") {
      Yarn yarn{file.number(key("rope.scaling.factor")).value_or(1),
                file.number(key("rope.scaling.original_context_length")).value_or(double(config.positions)),
                file.number(key("rope.scaling.yarn_beta_fast")).value_or(32),
                file.number(key("rope.scaling.yarn_beta_slow")).value_or(1)};
      if (!(yarn.factor >= 1 && yarn.originalPositions >= 1 && yarn.fast > yarn.slow && yarn.slow > 0) ||
          !std::isfinite(yarn.factor) || !(config.rotaryBase > 1))
        return emitError(loc)
               << "scales its rotary embedding by yarn with a factor below 1, no original context, or turns "
                  "out of order";
      config.turnDivisor = yarn.divisors(config.headWidth, config.rotaryBase);
      config.rotaryScale = file.number(key("rope.scaling.attn_factor")).value_or(1) * yarn.scale();
      if (!(config.rotaryScale > 0) || !std::isfinite(config.rotaryScale))
        return emitError(loc) << "has a '" << key("rope.scaling.attn_factor") << "' that is not above 0";
    } else if (scaling != "none")
      return emitError(loc) << "scales its rotary embedding by '" << scaling
                            << "' but none, linear and yarn are supported";
    for (const GgufFile::Tensor &tensor : file.tensors())
      if (tensor.name == "rope_freqs.weight") {
        if (tensor.type != GgufType::F32 || tensor.dims != ArrayRef<int64_t>{int64_t(pairs)})
          return emitError(loc) << "has a 'rope_freqs.weight' that is no list of " << pairs << " F32 numbers";
        std::vector<float> divisors(pairs);
        unpackGguf(tensor.type, tensor.bytes, divisors);
        config.turnDivisor.assign(divisors.begin(), divisors.end());
      }
    for (double divisor : config.turnDivisor)
      if (!(divisor > 0) || !std::isfinite(divisor))
        return emitError(loc) << "divides turns of its rotary embedding by a number that is not above 0";
    return success();
  }

  LogicalResult refuseOthers() {
    for (const char *name : {"expert_count", "attention.sliding_window", "final_logit_softcapping"})
      if (file.number(key(name)).value_or(0) != 0)
        return emitError(loc) << "sets '" << key(name) << "', which is not supported";
    return success();
  }

  /// Of the steps before byte pairs are merged, in the form of the `tokenizers` package; nothing for others.
  Json splitter() const {
    Json bytes{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
    StringRef name = file.text("tokenizer.ggml.pre").value_or("default");
    auto sequence = [](Json first, Json second) {
      return Json{{"type", "Sequence"}, {"pretokenizers", Json::array({std::move(first), std::move(second)})}};
    };
    if (name == "gpt-2" || name == "default")
      return bytes;
    if (name == "smollm")
      return sequence({{"type", "Digits"}, {"individual_digits", true}}, bytes);
    if (name != "llama-bpe" && name != "qwen2")
      return nullptr;
    std::string digits = name == "qwen2" ? "\\p{N}" : "\\p{N}{1,3}";
    std::string words = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" + digits +
                        "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    bytes["use_regex"] = false;
    return sequence({{"type", "Split"}, {"pattern", {{"Regex", words}}}, {"behavior", "Isolated"}, {"invert", false}},
                    bytes);
  }

  /// As the `tokenizers` package writes one; empty, with a warning, where there is none that can be read.
  std::string tokenizer() {
    auto warn = [&](const Twine &why) {
      emitWarning(loc) << "the plan will hold no tokenizer: " << why;
      return "";
    };
    StringRef kind = file.text("tokenizer.ggml.model").value_or("none");
    if (kind == "llama") {
      Json json = sentencePieceTokenizer(file);
      return json.is_null() ? warn("the file's has no tokens, or scores or kinds of other tokens") : dump(json);
    }
    if (kind != "gpt2")
      return warn("the file's is of kind '" + kind +
                  "' and 'gpt2' (pairs of bytes) and 'llama' (SentencePiece's pairs) "
                  "are supported");
    Json before = splitter();
    if (before.is_null())
      return warn("the file's splits words by the rule '" + file.text("tokenizer.ggml.pre").value_or("") +
                  "', and gpt-2, smollm, llama-bpe and qwen2 are supported");
    auto tokens = file.texts("tokenizer.ggml.tokens"), merges = file.texts("tokenizer.ggml.merges");
    auto kinds = file.integers("tokenizer.ggml.token_type");
    if (!tokens || !merges || (kinds && kinds->size() != tokens->size()))
      return warn("the file's has no tokens, or no merges, or kinds of other tokens");
    Json vocabulary = Json::object(), added = Json::array(), pairs = Json::array();
    constexpr int64_t control = 3, userDefined = 4;
    for (auto [id, token] : llvm::enumerate(*tokens)) {
      int64_t kind = kinds ? (*kinds)[id] : 1;
      if (kind == control || kind == userDefined)
        added.push_back({{"id", id}, {"content", token.str()}, {"special", kind == control}, {"normalized", false}});
      vocabulary.push_back({token.str(), id});
    }
    for (StringRef merge : *merges)
      pairs.push_back(merge.str());
    bool ignoresMerges = file.text("tokenizer.ggml.pre").value_or("") == "llama-bpe";
    Json json{{"version", "1.0"},
              {"added_tokens", std::move(added)},
              {"normalizer", nullptr},
              {"pre_tokenizer", std::move(before)},
              {"decoder", {{"type", "ByteLevel"}}},
              {"model",
               {{"type", "BPE"},
                {"ignore_merges", ignoresMerges},
                {"vocab", std::move(vocabulary)},
                {"merges", std::move(pairs)}}}};
    return dump(json);
  }

  const GgufFile &file;
  WeightStore &weights;
  Location loc;
  std::string architecture;
};
} // namespace

ImportedModule tamis::importGguf(StringRef path, const ImportOptions &options, MLIRContext *context,
                                 WeightStore &weights) {
  Location loc = fileLocation(path, context);
  auto bytes = weights.mapFile(path);
  if (!bytes)
    return reportError(loc, bytes.takeError());
  auto file = GgufFile::read(*bytes);
  if (!file)
    return reportError(loc, file.takeError());
  GgufModel model(*file, weights, loc);
  if (failed(model.readConfig()) || failed(model.addWeights()))
    return failure();
  model.addTexts();
  return buildDecoder(model.config, ggufNames, options, weights, loc);
}
