// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text to tokens and back.

#include "tools/text/Tokenizer.h"
#include "tools/text/Normalizer.h"
#include "tools/text/PreTokenizer.h"
#include "tools/text/TokenModel.h"
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unordered_map>

namespace tamis::text {

using Json = nlohmann::json;

namespace {
struct AddedToken {
  std::string content;
  int32_t id;
  bool isSpecial, stripsLeft, stripsRight;
};

/// Added tokens that are looked for in a text, longest first.
struct AddedTokens {
  std::vector<AddedToken> all;
  std::array<std::vector<const AddedToken *>, 256> byStart; ///< by their first byte

  void index() {
    std::sort(all.begin(), all.end(), [](const AddedToken &a, const AddedToken &b) {
      return a.content.size() != b.content.size() ? a.content.size() > b.content.size() : a.id < b.id;
    });
    for (const AddedToken &token : all)
      if (!token.content.empty())
        byStart[uint8_t(token.content[0])].push_back(&token);
  }

  const AddedToken *at(std::string_view text, size_t at) const {
    for (const AddedToken *token : byStart[uint8_t(text[at])])
      if (text.substr(at, token->content.size()) == token->content)
        return token;
    return nullptr;
  }

  /// Calls `between` for what lies between these tokens, and appends their own ids.
  template <typename Between> void cut(std::string_view text, std::vector<int32_t> &tokens, Between between) const {
    size_t done = 0;
    for (size_t from = 0; from < text.size();) {
      const AddedToken *found = at(text, from);
      if (!found) {
        ++from;
        continue;
      }
      size_t start = from, end = from + found->content.size();
      if (found->stripsLeft)
        start = done + stripped(text.substr(done, from - done), false, true).size();
      if (found->stripsRight)
        end = text.size() - stripped(text.substr(end), true, false).size();
      between(text.substr(done, start - done), done == 0);
      tokens.push_back(found->id);
      from = done = end;
    }
    between(text.substr(done), done == 0);
  }
};
} // namespace

struct Tokenizer::Parts {
  Normalizer normalizer;
  PreTokenizer cutter;
  std::unique_ptr<TokenModel> model;
  AddedTokens raw, normalized; ///< looked for before and after the text is normalized
  std::unordered_map<std::string, int32_t> addedIds;
  std::vector<std::string> contents; ///< of each id, as bytes
  std::vector<bool> isSpecial, isAdded;
  std::vector<int32_t> before, after; ///< a whole text

  void read(const Json &json);
  void readAdded(const Json &json);
  void readFrame(const Json &json);
  void setContent(int32_t id, std::string content);
};

static std::runtime_error unsupported(const std::string &what) {
  return std::runtime_error(what + ", which is not supported");
}

void Tokenizer::Parts::setContent(int32_t id, std::string content) {
  if (contents.size() <= size_t(id))
    contents.resize(size_t(id) + 1);
  contents[size_t(id)] = std::move(content);
}

void Tokenizer::Parts::readAdded(const Json &json) {
  for (const Json &each : json) {
    std::string content = each.at("content");
    if (each.value("single_word", false))
      throw unsupported("its added token '" + content + "' sets 'single_word'");
    AddedToken token{content, each.at("id"), each.value("special", false), each.value("lstrip", false),
                     each.value("rstrip", false)};
    if (token.id < 0 || token.id > (1 << 24) || content.empty())
      throw std::runtime_error("its added token '" + content + "' has no text, or the id " + std::to_string(token.id));
    setContent(token.id, content);
    isSpecial.resize(contents.size()), isAdded.resize(contents.size());
    isSpecial[size_t(token.id)] = token.isSpecial, isAdded[size_t(token.id)] = true;
    addedIds[content] = token.id;
    if (each.value("normalized", false)) {
      token.content = normalizer.apply(content);
      normalized.all.push_back(std::move(token));
    } else {
      raw.all.push_back(std::move(token));
    }
  }
  isSpecial.resize(contents.size()), isAdded.resize(contents.size());
  raw.index(), normalized.index();
}

/// What is put around a text.
void Tokenizer::Parts::readFrame(const Json &json) {
  if (json.is_null())
    return;
  std::string type = json.at("type");
  if (type == "Sequence") {
    for (const Json &each : json.at("processors"))
      readFrame(each);
  } else if (type == "BertProcessing" || type == "RobertaProcessing") {
    before.push_back(json.at("cls").at(1));
    after.push_back(json.at("sep").at(1));
  } else if (type == "TemplateProcessing") {
    bool isBefore = true;
    for (const Json &each : json.at("single"))
      if (each.contains("Sequence"))
        isBefore = false;
      else
        for (const Json &id :
             json.at("special_tokens").at(each.at("SpecialToken").at("id").get<std::string>()).at("ids"))
          (isBefore ? before : after).push_back(id);
  } else if (type != "ByteLevel") {
    throw unsupported("its post_processor is a '" + type + "'");
  }
}

void Tokenizer::Parts::read(const Json &json) {
  auto part = [&](const char *name) { return json.value(name, Json()); };
  normalizer = Normalizer(part("normalizer"));
  cutter = PreTokenizer(part("pre_tokenizer"));
  model = readTokenModel(json.at("model"), cutter.isByteLevel());
  for (const auto &[token, id] : model->vocabulary)
    setContent(id, model->bytesOf(token));
  readAdded(json.value("added_tokens", Json::array()));
  readFrame(part("post_processor"));
}

Result<Tokenizer> Tokenizer::parse(std::string_view json) {
  auto parts = std::make_unique<Parts>();
  try {
    parts->read(Json::parse(json.begin(), json.end()));
  } catch (const std::exception &error) {
    return Error(TAMIS_INVALID_ARGUMENT, std::string("the tokenizer cannot be read: ") + error.what());
  }
  return Tokenizer(std::move(parts));
}

Tokenizer::Tokenizer(std::unique_ptr<Parts> parts) : parts(std::move(parts)) {}
Tokenizer::Tokenizer(Tokenizer &&) noexcept = default;
Tokenizer &Tokenizer::operator=(Tokenizer &&) noexcept = default;
Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view given, bool plain) const {
  std::string valid = validUtf8(given);
  std::vector<int32_t> tokens;
  auto encodePlain = [&](std::string_view text, bool isFirst) {
    for (const std::string &piece : parts->cutter.cut(text, isFirst))
      parts->model->encode(piece, tokens);
  };
  auto encodeRaw = [&](std::string_view text, bool isFirst) {
    if (text.empty())
      return;
    if (parts->normalizer.isEmpty() && (plain || parts->normalized.all.empty()))
      return encodePlain(text, isFirst);
    std::string normal = parts->normalizer.apply(std::string(text));
    if (plain)
      return encodePlain(normal, isFirst);
    parts->normalized.cut(normal, tokens,
                          [&](std::string_view inner, bool starts) { encodePlain(inner, isFirst && starts); });
  };
  if (plain)
    encodeRaw(valid, true);
  else
    parts->raw.cut(valid, tokens, encodeRaw);
  return tokens;
}

std::vector<int32_t> Tokenizer::encodeWhole(std::string_view text) const {
  std::vector<int32_t> tokens = parts->before, inner = encode(text);
  tokens.insert(tokens.end(), inner.begin(), inner.end());
  tokens.insert(tokens.end(), parts->after.begin(), parts->after.end());
  return tokens;
}

std::string Tokenizer::decode(const std::vector<int32_t> &tokens, bool special) const {
  std::string text;
  for (int32_t token : tokens)
    if (token >= 0 && size_t(token) < parts->contents.size() && (special || !parts->isSpecial[size_t(token)])) {
      if (parts->isAdded[size_t(token)] && parts->model->hasWords())
        text += ' ';
      text += parts->contents[size_t(token)];
    }
  if (parts->model->hasWords() && text.starts_with(' '))
    text.erase(0, 1);
  return text;
}

std::string Tokenizer::specialIn(std::string_view text) const {
  for (size_t at = 0; at < text.size(); ++at)
    if (const AddedToken *token = parts->raw.at(text, at); token && token->isSpecial)
      return token->content;
  return "";
}

int32_t Tokenizer::find(std::string_view token) const {
  for (const auto *ids : {&parts->addedIds, &parts->model->vocabulary})
    if (auto it = ids->find(std::string(token)); it != ids->end())
      return it->second;
  return -1;
}

size_t Tokenizer::size() const {
  return parts->contents.size();
}

size_t unfinishedBytes(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    uint8_t byte = uint8_t(text[text.size() - back]);
    size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    if ((byte & 0xC0) != 0x80)
      return size > back ? back : 0;
  }
  return 0;
}

} // namespace tamis::text
