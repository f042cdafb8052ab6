// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Requests in the form of OpenAI's API, read and checked.

#include "tools/tamis/serve/Api.h"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace tamis::serve {

Json ApiError::json() const {
  auto orNull = [](const std::string &text) { return text.empty() ? Json(nullptr) : Json(text); };
  const char *type = status == 429                   ? "rate_limit_error"
                     : status >= 500                 ? "server_error"
                     : code == "model_not_found"     ? "not_found_error"
                     : status == 404 && code.empty() ? "not_found_error"
                                                     : "invalid_request_error";
  return {{"error", {{"message", message}, {"type", type}, {"param", orNull(param)}, {"code", orNull(code)}}}};
}

static ApiError wrong(const std::string &field, const std::string &what) {
  return {400, "'" + field + "' " + what, field, "invalid_value"};
}

namespace {
/// The fields of an object, each read with what it may be.
class Fields {
public:
  explicit Fields(const Json &json) : json(json) {}

  /// None where it is missing or null.
  const Json *find(const char *name) const {
    auto it = json.find(name);
    return it == json.end() || it->is_null() ? nullptr : &*it;
  }

  std::string text(const char *name, const std::string &missing) const {
    const Json *value = find(name);
    if (value && !value->is_string())
      throw wrong(name, std::string("is of type ") + value->type_name() + " but a string is wanted");
    return value ? value->get<std::string>() : missing;
  }

  bool boolean(const char *name) const {
    const Json *value = find(name);
    if (value && !value->is_boolean())
      throw wrong(name, std::string("is of type ") + value->type_name() + " but true or false is wanted");
    return value && value->get<bool>();
  }

  double number(const char *name, double missing, double least, double most) const {
    const Json *value = find(name);
    if (!value)
      return missing;
    if (!value->is_number() || !(value->get<double>() >= least && value->get<double>() <= most))
      throw wrong(name, "is " + value->dump() + " but a number from " + Json(least).dump() + " to " +
                            Json(most).dump() + " is wanted");
    return value->get<double>();
  }

  std::optional<int64_t> integer(const char *name, int64_t least, int64_t most) const {
    const Json *value = find(name);
    if (!value)
      return std::nullopt;
    bool fits = value->is_number_unsigned() ? value->get<uint64_t>() <= uint64_t(most)
                                            : value->is_number_integer() && value->get<int64_t>() <= most;
    if (!fits || value->get<int64_t>() < least)
      throw wrong(name, "is " + value->dump() + " but an integer from " + std::to_string(least) + " to " +
                            std::to_string(most) + " is wanted");
    return value->get<int64_t>();
  }

  /// A field whose only supported value is that which it has when it is missing.
  void refuse(const char *name, const std::vector<Json> &harmless) const {
    const Json *value = find(name);
    if (value && std::find(harmless.begin(), harmless.end(), *value) == harmless.end())
      throw ApiError{400, "'" + std::string(name) + "' is not supported", name, "unsupported_value"};
  }

private:
  const Json &json;
};
} // namespace

static Json parseObject(const std::string &body) {
  // Deeper values than any request has are refused before they are built.
  auto flat = [](int depth, Json::parse_event_t, Json &) {
    if (depth > 64)
      throw ApiError{400, "the body nests values more than 64 deep", "", "invalid_json"};
    return true;
  };
  Json json;
  try {
    json = Json::parse(body, flat);
  } catch (const Json::exception &error) {
    throw ApiError{400, std::string("the body is no JSON: ") + error.what(), "", "invalid_json"};
  }
  if (!json.is_object())
    throw ApiError{400, std::string("the body is of type ") + json.type_name() + " but an object is wanted", "",
                   "invalid_json"};
  return json;
}

static std::vector<int32_t> tokensOf(const Json &list, const char *name) {
  std::vector<int32_t> tokens;
  for (const Json &each : list) {
    if (!each.is_number_unsigned() || each.get<uint64_t>() > INT32_MAX)
      throw wrong(name, "holds " + each.dump(-1, ' ', false, Json::error_handler_t::replace) +
                            " among its tokens but integers are wanted");
    tokens.push_back(each.get<int32_t>());
  }
  return tokens;
}

/// What chats and completions have in common.
static TextRequest parseText(const Fields &fields) {
  constexpr int64_t most = 1 << 24;
  TextRequest request;
  request.model = fields.text("model", "");
  request.most = fields.integer("max_completion_tokens", 1, most);
  if (!request.most)
    request.most = fields.integer("max_tokens", 1, most);
  request.sampler.temperature = fields.number("temperature", 1, 0, 2);
  request.sampler.topP = fields.number("top_p", 1, 0, 1);
  request.sampler.topK = fields.integer("top_k", 0, most).value_or(0);
  request.sampler.minP = fields.number("min_p", 0, 0, 1);
  request.sampler.repetitionPenalty = fields.number("repetition_penalty", 1, 0.01, 100);
  if (auto seed = fields.integer("seed", INT64_MIN, INT64_MAX))
    request.sampler.seed = uint64_t(*seed), request.hasSeed = true;
  request.isStreamed = fields.boolean("stream");
  if (const Json *options = fields.find("stream_options")) {
    if (!options->is_object())
      throw wrong("stream_options", "is no object");
    request.wantsUsage = Fields(*options).boolean("include_usage");
  }
  if (const Json *stop = fields.find("stop")) {
    constexpr size_t mostStops = 16, longest = 256;
    for (const Json &each : stop->is_array() ? *stop : Json::array({*stop})) {
      if (!each.is_string() || each.get_ref<const std::string &>().empty() ||
          each.get_ref<const std::string &>().size() > longest)
        throw wrong("stop", "holds something else than strings of 1 to " + std::to_string(longest) + " bytes");
      request.stops.push_back(each);
    }
    if (request.stops.size() > mostStops)
      throw wrong("stop", "holds more than " + std::to_string(mostStops) + " strings");
  }
  fields.refuse("n", {1});
  for (const char *name : {"frequency_penalty", "presence_penalty"})
    fields.refuse(name, {0});
  for (const char *name : {"logit_bias"})
    fields.refuse(name, {Json::object()});
  return request;
}

TextRequest parseChat(const std::string &body) {
  Json json = parseObject(body);
  Fields fields(json);
  TextRequest request = parseText(fields);
  const Json *messages = fields.find("messages");
  if (!messages || !messages->is_array() || messages->empty())
    throw wrong("messages", "is missing, or no list of messages");
  size_t number = 0;
  for (Json message : *messages) {
    std::string name = "messages[" + std::to_string(number++) + "]";
    if (!message.is_object() || !message.contains("role") || !message["role"].is_string())
      throw wrong(name, "is no object with a 'role'");
    auto content = message.find("content");
    if (content == message.end() || content->is_null())
      throw wrong(name, "has no 'content'");
    // Parts of text are one text.
    if (content->is_array()) {
      std::string whole;
      for (const Json &part : *content) {
        if (!part.is_object() || part.value("type", Json()) != "text" || !part.contains("text") ||
            !part["text"].is_string())
          throw wrong(name, "holds a part that is no text");
        whole += part["text"].get_ref<const std::string &>();
      }
      *content = whole;
    }
    if (!content->is_string())
      throw wrong(name, "has a 'content' that is neither a string nor a list of parts");
    request.messages.push_back(std::move(message));
  }
  fields.refuse("logprobs", {false});
  fields.refuse("tools", {Json::array()});
  fields.refuse("functions", {Json::array()});
  fields.refuse("response_format", {{{"type", "text"}}});
  return request;
}

TextRequest parseCompletion(const std::string &body) {
  Json json = parseObject(body);
  Fields fields(json);
  TextRequest request = parseText(fields);
  const Json *prompt = fields.find("prompt");
  if (prompt && prompt->is_array() && prompt->size() == 1 && !prompt->front().is_number())
    prompt = &prompt->front();
  if (prompt && prompt->is_string())
    request.prompt = prompt->get<std::string>();
  else if (prompt && prompt->is_array() && !prompt->empty() && prompt->front().is_number())
    request.prompt = tokensOf(*prompt, "prompt");
  else
    throw wrong("prompt", "is missing, or neither one string nor one list of tokens");
  fields.refuse("best_of", {1});
  fields.refuse("echo", {false});
  fields.refuse("suffix", {""});
  fields.refuse("logprobs", {});
  return request;
}

EmbeddingRequest parseEmbedding(const std::string &body) {
  Json json = parseObject(body);
  Fields fields(json);
  EmbeddingRequest request;
  request.model = fields.text("model", "");
  std::string format = fields.text("encoding_format", "float");
  if (format != "float" && format != "base64")
    throw wrong("encoding_format", "is '" + format + "' but float and base64 are known");
  request.isBase64 = format == "base64";
  fields.refuse("dimensions", {});
  const Json *input = fields.find("input");
  constexpr size_t most = 2048;
  if (!input || !(input->is_string() || (input->is_array() && !input->empty() && input->size() <= most * 16)))
    throw wrong("input", "is missing, or neither a string nor a list");
  auto add = [&](const Json &each) {
    if (each.is_string())
      request.inputs.emplace_back(each.get<std::string>());
    else if (each.is_array() && !each.empty())
      request.inputs.emplace_back(tokensOf(each, "input"));
    else
      throw wrong("input", "holds something else than strings or lists of tokens");
  };
  if (input->is_string() || input->front().is_number())
    add(*input);
  else
    for (const Json &each : *input)
      add(each);
  if (request.inputs.size() > most)
    throw wrong("input", "holds " + std::to_string(request.inputs.size()) + " texts but at most " +
                             std::to_string(most) + " are taken at once");
  return request;
}

std::string base64(const std::vector<float> &values) {
  static constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes(values.size() * sizeof(float), '\0'), text;
  std::memcpy(bytes.data(), values.data(), bytes.size()); // little-endian, as all machines that plans run on
  for (size_t i = 0; i < bytes.size(); i += 3) {
    auto byte = [&](size_t at) { return at < bytes.size() ? uint32_t(uint8_t(bytes[at])) : 0; };
    uint32_t three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (size_t k = 0; k < 4; ++k)
      text += i + k > bytes.size() ? '=' : letters[three >> (18 - 6 * k) & 63];
  }
  return text;
}

} // namespace tamis::serve
