// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text to tokens and back, by byte pairs.

#include "tools/text/Tokenizer.h"
#include "tools/text/BytePairs.h"
#include "tools/text/Split.h"
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unordered_map>

namespace tamis::text {

using Json = nlohmann::json;

namespace {
/// Of GPT-2's tokenizer: contractions, words, numbers and the rest, each with the blank before it.
constexpr const char *kByteLevelWords = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// How vocabularies write each byte: itself where it shows, else one of the characters from U+0100 on.
std::array<std::string, 256> byteSpellings() {
  std::array<std::string, 256> spellings;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    bool shows = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
    int character = shows ? byte : next++;
    if (character < 128)
      spellings[size_t(byte)] = char(character);
    else
      spellings[size_t(byte)] = {char(0xC0 | character >> 6), char(0x80 | (character & 63))};
  }
  return spellings;
}

struct AddedToken {
  std::string content;
  int32_t id;
  bool isSpecial;
};
} // namespace

struct Tokenizer::Parts {
  std::vector<Split> splits;
  std::unordered_map<std::string, int32_t> vocabulary; ///< in the spelling of bytes
  std::array<int32_t, 256> bytes;                      ///< the token of each, -1 where there is none
  BytePairs pairs;
  bool takesWholeWords = false;                                  ///< a piece that is a token is not made of pairs
  std::vector<AddedToken> added;                                 ///< longest first
  std::array<std::vector<const AddedToken *>, 256> addedByStart; ///< by their first byte, longest first
  std::vector<std::string> contents;                             ///< of each id, as bytes
  std::vector<bool> isSpecial;

  void read(const Json &json);
  void readSplits(const Json &json);
  void readModel(const Json &json);
  void readAdded(const Json &json);
  void addSplit(const std::string &pattern);
  void encodePlain(std::string_view text, std::vector<int32_t> &tokens) const;
};

static std::runtime_error unsupported(const std::string &what) {
  return std::runtime_error(what + ", which is not supported");
}

void Tokenizer::Parts::addSplit(const std::string &pattern) {
  Result<Split> split = Split::compile(pattern);
  if (!split)
    throw std::runtime_error(split.error().message());
  splits.push_back(std::move(*split));
}

void Tokenizer::Parts::readSplits(const Json &json) {
  std::string type = json.at("type");
  if (type == "Sequence") {
    for (const Json &each : json.at("pretokenizers"))
      readSplits(each);
  } else if (type == "ByteLevel") {
    if (json.value("add_prefix_space", true))
      throw unsupported("its ByteLevel adds a blank to the first word");
    if (json.value("use_regex", true))
      addSplit(kByteLevelWords);
  } else if (type == "Digits") {
    addSplit(json.value("individual_digits", false) ? "\\p{N}" : "\\p{N}+");
  } else if (type == "Split") {
    if (json.at("behavior") != "Isolated" || json.value("invert", false))
      throw unsupported("its Split has the behaviour '" + json.at("behavior").get<std::string>() + "'");
    addSplit(json.at("pattern").at("Regex"));
  } else {
    throw unsupported("its pre_tokenizer is a '" + type + "'");
  }
}

void Tokenizer::Parts::readModel(const Json &json) {
  if (json.value("type", "BPE") != "BPE")
    throw unsupported("its model is of type '" + json.at("type").get<std::string>() + "'");
  for (const char *option : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    if (json.contains(option) && !json.at(option).is_null() && json.at(option) != "")
      throw unsupported("its model sets '" + std::string(option) + "'");
  takesWholeWords = json.value("ignore_merges", false);
  std::array<std::string, 256> spellings = byteSpellings();
  std::unordered_map<std::string, char> byteOf;
  for (int byte = 0; byte < 256; ++byte)
    byteOf[spellings[size_t(byte)]] = char(byte);
  constexpr int64_t most = 1 << 24;
  for (const auto &[token, number] : json.at("vocab").items()) {
    int64_t id = number.get<int64_t>();
    if (id < 0 || id > most)
      throw std::runtime_error("the token '" + token + "' has the id " + std::to_string(id));
    vocabulary[token] = int32_t(id);
    if (contents.size() <= size_t(id))
      contents.resize(size_t(id) + 1);
    // Characters of the spelling are of one or two bytes; a token of others stands for itself.
    std::string bytesOfToken;
    for (size_t i = 0; i < token.size();) {
      auto it = byteOf.find(token.substr(i, uint8_t(token[i]) < 128 ? 1 : 2));
      if (it == byteOf.end()) {
        bytesOfToken = token;
        break;
      }
      bytesOfToken += it->second;
      i += it->first.size();
    }
    contents[size_t(id)] = bytesOfToken;
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    auto it = vocabulary.find(spellings[byte]);
    bytes[byte] = it == vocabulary.end() ? -1 : it->second;
  }
  auto idOf = [&](const std::string &token) {
    auto it = vocabulary.find(token);
    if (it == vocabulary.end())
      throw std::runtime_error("its merges name the token '" + token + "', which is not in its vocabulary");
    return it->second;
  };
  for (const Json &merge : json.at("merges")) {
    std::string left, right;
    if (merge.is_string()) {
      std::string text = merge;
      size_t blank = text.find(' ');
      if (blank == std::string::npos)
        throw std::runtime_error("its merge '" + text + "' is no two tokens");
      left = text.substr(0, blank), right = text.substr(blank + 1);
    } else {
      left = merge.at(0), right = merge.at(1);
    }
    pairs.add(idOf(left), idOf(right), idOf(left + right));
  }
}

void Tokenizer::Parts::readAdded(const Json &json) {
  for (const Json &token : json) {
    for (const char *option : {"lstrip", "rstrip", "single_word"})
      if (token.value(option, false))
        throw unsupported("its added token '" + token.at("content").get<std::string>() + "' sets '" + option + "'");
    added.push_back({token.at("content"), token.at("id"), token.value("special", false)});
    const AddedToken &last = added.back();
    if (last.id < 0 || last.id > (1 << 24) || last.content.empty())
      throw std::runtime_error("its added token '" + last.content + "' has no text, or the id " +
                               std::to_string(last.id));
    if (contents.size() <= size_t(last.id))
      contents.resize(size_t(last.id) + 1);
    contents[size_t(last.id)] = last.content;
  }
  isSpecial.resize(contents.size());
  std::sort(added.begin(), added.end(), [](const AddedToken &a, const AddedToken &b) {
    return a.content.size() != b.content.size() ? a.content.size() > b.content.size() : a.id < b.id;
  });
  for (const AddedToken &token : added) {
    addedByStart[uint8_t(token.content[0])].push_back(&token);
    if (token.isSpecial)
      isSpecial[size_t(token.id)] = true;
  }
}

void Tokenizer::Parts::read(const Json &json) {
  if (json.contains("normalizer") && !json.at("normalizer").is_null())
    throw unsupported("it has the normalizer '" + json.at("normalizer").value("type", "") + "'");
  if (json.contains("pre_tokenizer") && !json.at("pre_tokenizer").is_null())
    readSplits(json.at("pre_tokenizer"));
  readModel(json.at("model"));
  readAdded(json.value("added_tokens", Json::array()));
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

void Tokenizer::Parts::encodePlain(std::string_view text, std::vector<int32_t> &tokens) const {
  std::vector<std::string_view> pieces, finer;
  if (!text.empty())
    pieces.push_back(text);
  for (const Split &split : splits) {
    finer.clear();
    for (std::string_view piece : pieces)
      split.cut(piece, finer);
    pieces.swap(finer);
  }
  static const std::array<std::string, 256> spellings = byteSpellings();
  std::vector<int32_t> word;
  for (std::string_view piece : pieces) {
    if (takesWholeWords) {
      std::string spelt;
      for (char byte : piece)
        spelt += spellings[uint8_t(byte)];
      if (auto it = vocabulary.find(spelt); it != vocabulary.end()) {
        tokens.push_back(it->second);
        continue;
      }
    }
    word.clear();
    for (char byte : piece)
      if (int32_t token = bytes[uint8_t(byte)]; token >= 0)
        word.push_back(token);
    pairs.merge(word);
    tokens.insert(tokens.end(), word.begin(), word.end());
  }
}

std::vector<int32_t> Tokenizer::encode(std::string_view given, bool plain) const {
  std::string valid = validUtf8(given);
  std::string_view text = valid;
  std::vector<int32_t> tokens;
  size_t done = 0;
  for (size_t at = 0; !plain && at < text.size();) {
    const AddedToken *found = nullptr;
    for (const AddedToken *token : parts->addedByStart[uint8_t(text[at])])
      if (text.substr(at, token->content.size()) == token->content) {
        found = token;
        break;
      }
    if (!found) {
      ++at;
      continue;
    }
    parts->encodePlain(text.substr(done, at - done), tokens);
    tokens.push_back(found->id);
    at = done = at + found->content.size();
  }
  parts->encodePlain(text.substr(done), tokens);
  return tokens;
}

std::string Tokenizer::decode(const std::vector<int32_t> &tokens, bool special) const {
  std::string text;
  for (int32_t token : tokens)
    if (token >= 0 && size_t(token) < parts->contents.size() && (special || !parts->isSpecial[size_t(token)]))
      text += parts->contents[size_t(token)];
  return text;
}

int32_t Tokenizer::find(std::string_view token) const {
  for (const AddedToken &added : parts->added)
    if (added.content == token)
      return added.id;
  auto it = parts->vocabulary.find(std::string(token));
  return it == parts->vocabulary.end() ? -1 : it->second;
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
