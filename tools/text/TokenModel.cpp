// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes tokens of a piece of text: what the kinds have in common.

#include "tools/text/TokenModel.h"
#include <cstdio>
#include <stdexcept>

namespace tamis::text {

using Json = nlohmann::json;

void addToken(Vocabulary &vocabulary, const std::string &token, int64_t id) {
  constexpr int64_t most = 1 << 24;
  if (id < 0 || id > most)
    throw std::runtime_error("the token '" + token + "' has the id " + std::to_string(id));
  vocabulary[token] = int32_t(id);
}

void readVocabulary(const Json &json, Vocabulary &vocabulary) {
  for (const auto &[token, number] : json.at("vocab").items())
    addToken(vocabulary, token, number.get<int64_t>());
}

ByteTokens::ByteTokens(const Vocabulary &vocabulary) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    char name[8];
    snprintf(name, sizeof(name), "<0x%02X>", byte);
    auto it = vocabulary.find(name);
    if (it == vocabulary.end()) {
      ids.clear();
      return;
    }
    ids.push_back(it->second);
  }
}

std::string sentencePieceBytes(const std::string &token) {
  unsigned byte;
  char end;
  if (token.size() == 6 && sscanf(token.c_str(), "<0x%2X%c", &byte, &end) == 2 && end == '>')
    return std::string(1, char(byte));
  static const std::string sign = "▁";
  std::string bytes;
  for (size_t at = 0; at < token.size();)
    if (token.compare(at, sign.size(), sign) == 0)
      bytes += ' ', at += sign.size();
    else
      bytes += token[at++];
  return bytes;
}

std::unique_ptr<TokenModel> readTokenModel(const Json &json, bool isByteLevel) {
  // Older files do not say which: merges are of pairs, scores of unigrams.
  std::string missing = json.contains("merges") || !json.contains("vocab") ? "BPE"
                        : json.at("vocab").is_array()                      ? "Unigram"
                                                                           : "WordPiece";
  std::string type = json.value("type", missing);
  if (type == "BPE")
    return isByteLevel ? readBytePairs(json) : readCharacterPairs(json);
  if (type == "WordPiece")
    return readWordPieces(json);
  if (type == "Unigram")
    return readUnigrams(json);
  throw std::runtime_error("its model is of type '" + type + "', which is not supported");
}

} // namespace tamis::text
