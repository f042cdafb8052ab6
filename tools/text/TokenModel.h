// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What makes tokens of a piece of text.

#ifndef TAMIS_TOOLS_TEXT_TOKENMODEL_H
#define TAMIS_TOOLS_TEXT_TOKENMODEL_H

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tamis::text {

/// Tokens by their text, as the vocabulary writes it.
using Vocabulary = std::unordered_map<std::string, int32_t>;

/// Usable by many threads.
class TokenModel {
public:
  virtual ~TokenModel() = default;
  /// Appends the tokens of a piece, which is valid UTF-8 and not empty.
  virtual void encode(std::string_view piece, std::vector<int32_t> &tokens) const = 0;
  /// The bytes that a token of this text stands for.
  virtual std::string bytesOf(const std::string &token) const = 0;
  /// Do blanks stand between tokens unless these say that they go on?
  virtual bool hasWords() const { return false; }

  Vocabulary vocabulary;
};

/// The "model" of a tokenizer.json, of type BPE, WordPiece or Unigram. `isByteLevel`: vocabularies write bytes in
/// GPT-2's spelling. Throws std::exception: what is not supported, JSON of another form.
std::unique_ptr<TokenModel> readTokenModel(const nlohmann::json &json, bool isByteLevel);

/// One each for the kinds.
std::unique_ptr<TokenModel> readBytePairs(const nlohmann::json &json);
std::unique_ptr<TokenModel> readCharacterPairs(const nlohmann::json &json);
std::unique_ptr<TokenModel> readWordPieces(const nlohmann::json &json);
std::unique_ptr<TokenModel> readUnigrams(const nlohmann::json &json);

/// What the kinds have in common. `add` refuses ids that are out of bounds.
void addToken(Vocabulary &vocabulary, const std::string &token, int64_t id);
void readVocabulary(const nlohmann::json &json, Vocabulary &vocabulary);

/// SentencePiece's vocabularies have a token "<0x0A>" for each byte that no other stands for.
struct ByteTokens {
  std::vector<int32_t> ids; ///< 256, or none where a byte has no token
  explicit ByteTokens(const Vocabulary &vocabulary);
};

/// The bytes of one of SentencePiece's tokens: a blank for its sign, the byte of a byte's token.
std::string sentencePieceBytes(const std::string &token);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_TOKENMODEL_H
