// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens that are made of pairs, of bytes (GPT-2, Llama 3, Qwen) or of characters (Llama 2, Gemma).

#include "tools/text/BytePairs.h"
#include "tools/text/TokenModel.h"
#include "tools/text/Unicode.h"
#include <array>
#include <optional>
#include <stdexcept>

namespace tamis::text {

using Json = nlohmann::json;

/// How vocabularies write each byte: itself where it shows, else one of the characters from U+0100 on.
static std::array<std::string, 256> byteSpellings() {
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

namespace {
class PairModel : public TokenModel {
protected:
  void read(const Json &json) {
    for (const char *option : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
      if (json.contains(option) && !json.at(option).is_null() && json.at(option) != "")
        throw std::runtime_error("its model sets '" + std::string(option) + "', which is not supported");
    takesWholeWords = json.value("ignore_merges", false);
    readVocabulary(json, vocabulary);
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

  BytePairs pairs;
  bool takesWholeWords = false; ///< a piece that is a token is not made of pairs
};

class BytePairModel : public PairModel {
public:
  explicit BytePairModel(const Json &json) {
    read(json);
    for (size_t byte = 0; byte < 256; ++byte) {
      auto it = vocabulary.find(spellings[byte]);
      bytes[byte] = it == vocabulary.end() ? -1 : it->second;
      byteOf[spellings[byte]] = char(byte);
    }
  }

  void encode(std::string_view piece, std::vector<int32_t> &tokens) const override {
    if (takesWholeWords) {
      std::string spelt;
      for (char byte : piece)
        spelt += spellings[uint8_t(byte)];
      if (auto it = vocabulary.find(spelt); it != vocabulary.end()) {
        tokens.push_back(it->second);
        return;
      }
    }
    std::vector<int32_t> word;
    for (char byte : piece)
      if (int32_t token = bytes[uint8_t(byte)]; token >= 0)
        word.push_back(token);
    pairs.merge(word);
    tokens.insert(tokens.end(), word.begin(), word.end());
  }

  /// Characters of the spelling are of one or two bytes; a token of others stands for itself.
  std::string bytesOf(const std::string &token) const override {
    std::string bytesOfToken;
    for (size_t i = 0; i < token.size();) {
      auto it = byteOf.find(token.substr(i, uint8_t(token[i]) < 128 ? 1 : 2));
      if (it == byteOf.end())
        return token;
      bytesOfToken += it->second;
      i += it->first.size();
    }
    return bytesOfToken;
  }

private:
  const std::array<std::string, 256> spellings = byteSpellings();
  std::array<int32_t, 256> bytes; ///< the token of each, -1 where there is none
  std::unordered_map<std::string, char> byteOf;
};

class CharacterPairModel : public PairModel {
public:
  explicit CharacterPairModel(const Json &json) {
    read(json);
    if (json.value("byte_fallback", false))
      bytes = ByteTokens(vocabulary).ids;
    fusesUnknown = json.value("fuse_unk", false);
    if (json.contains("unk_token") && !json.at("unk_token").is_null()) {
      auto it = vocabulary.find(json.at("unk_token").get<std::string>());
      if (it == vocabulary.end())
        throw std::runtime_error("its unk_token is not in its vocabulary");
      unknown = it->second;
    }
  }

  void encode(std::string_view piece, std::vector<int32_t> &tokens) const override {
    if (takesWholeWords)
      if (auto it = vocabulary.find(std::string(piece)); it != vocabulary.end()) {
        tokens.push_back(it->second);
        return;
      }
    std::vector<int32_t> word;
    bool wasUnknown = false;
    for (size_t at = 0; at < piece.size();) {
      std::string_view character = piece.substr(at, characterBytes(piece[at]));
      at += character.size();
      auto it = vocabulary.find(std::string(character));
      bool isUnknown = it == vocabulary.end() && bytes.empty();
      if (it != vocabulary.end())
        word.push_back(it->second);
      else if (!bytes.empty())
        for (char byte : character)
          word.push_back(bytes[uint8_t(byte)]);
      else if (unknown && !(wasUnknown && fusesUnknown))
        word.push_back(*unknown);
      wasUnknown = isUnknown;
    }
    pairs.merge(word);
    tokens.insert(tokens.end(), word.begin(), word.end());
  }

  std::string bytesOf(const std::string &token) const override { return sentencePieceBytes(token); }

private:
  std::vector<int32_t> bytes; ///< tokens of bytes, or none
  std::optional<int32_t> unknown;
  bool fusesUnknown = false;
};
} // namespace

std::unique_ptr<TokenModel> readBytePairs(const Json &json) {
  return std::make_unique<BytePairModel>(json);
}

std::unique_ptr<TokenModel> readCharacterPairs(const Json &json) {
  return std::make_unique<CharacterPairModel>(json);
}

} // namespace tamis::text
