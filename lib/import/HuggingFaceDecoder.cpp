// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A Hugging Face folder of a decoder: Llama, Mistral, Qwen2, Qwen3.
#define JSON_NOEXCEPTION
#include "lib/import/HuggingFace.h"

#include "lib/import/Decoder.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using Json = nlohmann::json;

namespace {
const DecoderNames huggingFaceNames{"model.embed_tokens", "model.norm",       "lm_head",
                                    "model.layers.",      "input_layernorm",  "self_attn.q_proj",
                                    "self_attn.k_proj",   "self_attn.v_proj", "self_attn.q_norm",
                                    "self_attn.k_norm",   "self_attn.o_proj", "post_attention_layernorm",
                                    "mlp.gate_proj",      "mlp.up_proj",      "mlp.down_proj"};

class DecoderFolder {
public:
  DecoderFolder(StringRef folder, const Json &json, Location loc, WeightStore &weights)
      : folder(folder), json(json), loc(loc), weights(weights) {}

  LogicalResult readConfig() {
    config.isInterleaved = false;
    for (auto [key, size] :
         {std::pair("vocab_size", &config.vocabulary), std::pair("hidden_size", &config.width),
          std::pair("num_hidden_layers", &config.layers), std::pair("num_attention_heads", &config.heads),
          std::pair("intermediate_size", &config.inner), std::pair("max_position_embeddings", &config.positions)})
      if (failed(readSize(key, size, 0)))
        return failure();
    if (failed(readSize("num_key_value_heads", &config.kvHeads, config.heads)) ||
        failed(readSize("head_dim", &config.headWidth, std::max<int64_t>(1, config.width / config.heads))))
      return failure();
    if (config.heads % config.kvHeads || config.headWidth % 2)
      return emitError(loc) << "has " << config.heads << " heads on " << config.kvHeads << " of keys, of width "
                            << config.headWidth << "; a multiple and an even width are wanted";
    std::string activation = text(json, "hidden_act", "silu");
    auto kind = llvm::StringSwitch<std::optional<model::ActivationKind>>(activation)
                    .Cases({"silu", "swish"}, model::ActivationKind::silu)
                    .Case("gelu", model::ActivationKind::gelu)
                    .Cases({"gelu_new", "gelu_pytorch_tanh"}, model::ActivationKind::gelu_tanh)
                    .Default(std::nullopt);
    if (!kind)
      return emitError(loc) << "has hidden_act '" << activation
                            << "' but silu, gelu and gelu_pytorch_tanh are supported";
    config.activation = *kind;
    config.epsilon = number(json, "rms_norm_eps", 1e-6);
    if (!(config.epsilon >= 0 && config.epsilon < 1))
      return emitError(loc) << "has a rms_norm_eps that is no number from 0 to 1";
    limitToWindow();
    return readRotary();
  }

  /// What generating text needs: see docs/generate.md.
  void addTexts() {
    Json generation{{"context", config.positions}, {"begin", nullptr}, {"end", ends()}};
    llvm::SmallString<256> chatPath = inFolder("chat_template.jinja");
    if (auto chat = weights.mapFile(chatPath))
      generation["chat_template"] = std::string(chat->begin(), chat->end());
    else
      llvm::consumeError(chat.takeError());
    Json settings = optionalJson("tokenizer_config.json");
    if (!generation.contains("chat_template"))
      generation["chat_template"] = text(settings, "chat_template", "");
    for (const char *name : {"bos_token", "eos_token"}) {
      auto mark = settings.find(name);
      if (mark != settings.end() && mark->is_object()) // an added token with its settings
        generation[name] = text(*mark, "content", "");
      else
        generation[name] = text(settings, name, "");
    }
    Json tokenizer = optionalJson("tokenizer.json");
    if (tokenizer.is_object()) {
      generation["begin"] = begin(tokenizer);
      weights.addText("tokenizer", dump(tokenizer));
    } else {
      emitWarning(loc) << "the plan will hold no tokenizer: the folder has no tokenizer.json that can be read";
    }
    weights.addText("generation", dump(generation));
  }

  DecoderConfig config;

private:
  static std::string dump(const Json &json) {
    return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  }
  static std::string text(const Json &json, const char *key, const char *missing) {
    auto it = json.find(key);
    return it != json.end() && it->is_string() ? it->get<std::string>() : missing;
  }
  static double number(const Json &json, const char *key, double missing) {
    auto it = json.find(key);
    return it == json.end() || it->is_null() ? missing : it->is_number() ? it->get<double>() : NAN;
  }

  llvm::SmallString<256> inFolder(StringRef name) const {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, name);
    return path;
  }

  /// Null where the file is not there.
  Json optionalJson(StringRef name) {
    llvm::SmallString<256> path = inFolder(name);
    if (!llvm::sys::fs::exists(path))
      return nullptr;
    auto read = readJsonObject(path, weights, fileLocation(path, loc.getContext()));
    return succeeded(read) ? *read : Json(nullptr);
  }

  LogicalResult readSize(const char *key, int64_t *size, int64_t missing) {
    auto it = json.find(key);
    constexpr int64_t maxSize = 1 << 24;
    if (missing && (it == json.end() || it->is_null())) {
      *size = missing;
      return success();
    }
    if (it == json.end() || !it->is_number_unsigned() || it->get<uint64_t>() < 1 || it->get<uint64_t>() > maxSize)
      return emitError(loc) << "has no '" << key << "' from 1 to " << maxSize;
    *size = int64_t(it->get<uint64_t>());
    return success();
  }

  /// Within its window a model that reads a sliding one reads all tokens.
  void limitToWindow() {
    auto window = json.find("sliding_window"), used = json.find("use_sliding_window");
    if (window == json.end() || !window->is_number_unsigned() || (used != json.end() && *used == false) ||
        window->get<uint64_t>() >= uint64_t(config.positions))
      return;
    config.positions = std::max<int64_t>(1, int64_t(window->get<uint64_t>()));
    emitWarning(loc) << "attends to a sliding window; the context is limited to its " << config.positions << " tokens";
  }

  LogicalResult readRotary() {
    // Transformers 5 writes all in one object; before, the base stood beside it.
    static const Json none = Json::object();
    const Json *rules = &none;
    for (const char *key : {"rope_parameters", "rope_scaling"})
      if (auto it = json.find(key); it != json.end() && it->is_object())
        rules = &*it;
    config.rotaryBase = number(*rules, "rope_theta", number(json, "rope_theta", 10000));
    if (!(config.rotaryBase > 0) || !std::isfinite(config.rotaryBase))
      return emitError(loc) << "has a rope_theta that is not above 0";
    std::string type = text(*rules, "rope_type", text(*rules, "type", "default").c_str());
    double factor = number(*rules, "factor", 1);
    if (!(factor >= 1) || !std::isfinite(factor))
      return emitError(loc) << "scales its rotary embedding by a factor that is no number from 1 on";
    if (type == "linear") {
      config.turnDivisor.assign(size_t(config.headWidth / 2), factor);
    } else if (type == "llama3") {
      double low = number(*rules, "low_freq_factor", NAN), high = number(*rules, "high_freq_factor", NAN),
             original = number(*rules, "original_max_position_embeddings", NAN);
      if (!(low > 0 && high > low && original >= 1))
        return emitError(loc) << "has a rotary embedding of type llama3 without low_freq_factor, a larger "
                                 "high_freq_factor and original_max_position_embeddings";
      config.turnDivisor = llama3Divisors(config.headWidth, config.rotaryBase, factor, low, high, original);
    } else if (type == "yarn") {
      if (failed(readYarn(*rules, factor)))
        return failure();
    } else if (type == "dynamic") {
      // Within the original context it is the default; the base of longer ones follows from their length.
      emitWarning(loc) << "scales its rotary embedding by the length of a text; the context is limited to the "
                       << config.positions << " tokens within which it does not";
    } else if (type != "default") {
      return emitError(loc) << "has a rotary embedding of type '" << type
                            << "' but default, linear, dynamic, yarn and llama3 are supported";
    }
    if (number(json, "partial_rotary_factor", 1) != 1)
      return emitError(loc) << "turns a part of each head (partial_rotary_factor), which is not supported";
    return success();
  }

  LogicalResult readYarn(const Json &rules, double factor) {
    Yarn yarn{factor, number(rules, "original_max_position_embeddings", double(config.positions)),
              number(rules, "beta_fast", 32), number(rules, "beta_slow", 1)};
    if (auto truncate = rules.find("truncate"); truncate != rules.end() && truncate->is_boolean())
      yarn.truncates = truncate->get<bool>();
    double one = number(rules, "mscale", 0), all = number(rules, "mscale_all_dim", 0);
    double scale = number(rules, "attention_factor", 0);
    if (!(yarn.fast > yarn.slow && yarn.slow > 0 && yarn.originalPositions >= 1 && config.rotaryBase > 1) ||
        !std::isfinite(scale) || scale < 0 || !std::isfinite(one) || !std::isfinite(all))
      return emitError(loc)
             << "has a rotary embedding of type yarn without a beta_fast above its beta_slow, an "
                "original_max_position_embeddings of 1 at least, or with an attention_factor or mscale that "
                "is no number";
    config.turnDivisor = yarn.divisors(config.headWidth, config.rotaryBase);
    auto grown = [&](double by) { return 1 + by * (yarn.scale() - 1); };
    config.rotaryScale = scale > 0 ? scale : one != 0 && all != 0 ? grown(one) / grown(all) : yarn.scale();
    return success();
  }

  /// Tokens that end a text.
  Json ends() {
    Json list = Json::array();
    auto add = [&](const Json &source) {
      auto it = source.find("eos_token_id");
      if (it == source.end())
        return;
      for (const Json &id : it->is_array() ? *it : Json::array({*it}))
        if (id.is_number_unsigned() && std::find(list.begin(), list.end(), id) == list.end())
          list.push_back(id);
    };
    add(json);
    if (Json generation = optionalJson("generation_config.json"); generation.is_object())
      add(generation);
    return list;
  }

  /// The token that the tokenizer puts before a text, or null.
  static Json begin(const Json &tokenizer) {
    auto after = tokenizer.find("post_processor");
    if (after == tokenizer.end() || !after->is_object())
      return nullptr;
    const Json list = text(*after, "type", "") == "Sequence" && after->contains("processors") ? (*after)["processors"]
                                                                                              : Json::array({*after});
    for (const Json &step : list) {
      if (!step.is_object() || text(step, "type", "") != "TemplateProcessing" || !step.contains("single") ||
          !step.contains("special_tokens") || !step["single"].is_array() || step["single"].empty())
        continue;
      const Json &first = step["single"][0];
      if (!first.is_object() || !first.contains("SpecialToken"))
        continue;
      auto found = step["special_tokens"].find(text(first["SpecialToken"], "id", ""));
      if (found != step["special_tokens"].end() && found->contains("ids") && (*found)["ids"].is_array() &&
          (*found)["ids"].size() == 1 && (*found)["ids"][0].is_number_unsigned())
        return (*found)["ids"][0];
    }
    return nullptr;
  }

  StringRef folder;
  const Json &json;
  Location loc;
  WeightStore &weights;
};
} // namespace

bool tamis::isDecoderType(StringRef modelType) {
  return llvm::is_contained({"llama", "mistral", "qwen2", "qwen3"}, modelType);
}

ImportedModule tamis::importHuggingFaceDecoder(StringRef folder, const Json &config, Location loc,
                                               const ImportOptions &options, WeightStore &weights) {
  DecoderFolder model(folder, config, loc, weights);
  if (failed(model.readConfig()) || failed(addFolderWeights(folder, weights, loc.getContext())))
    return failure();
  model.addTexts();
  return buildDecoder(model.config, huggingFaceNames, options, weights, fileLocation(folder, loc.getContext()));
}
