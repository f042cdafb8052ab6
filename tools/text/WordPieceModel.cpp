// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Words of the longest tokens from the left (Wu et al., 2016, arXiv:1609.08144), as BERT has them.

#include "tools/text/TokenModel.h"
#include "tools/text/Unicode.h"
#include <algorithm>
#include <stdexcept>

namespace tamis::text {

using Json = nlohmann::json;

namespace {
class WordPieceModel : public TokenModel {
public:
  explicit WordPieceModel(const Json &json) {
    readVocabulary(json, vocabulary);
    prefix = json.value("continuing_subword_prefix", "##");
    longest = json.value("max_input_chars_per_word", size_t(100));
    std::string name = json.value("unk_token", "[UNK]");
    auto it = vocabulary.find(name);
    if (it == vocabulary.end())
      throw std::runtime_error("its unk_token '" + name + "' is not in its vocabulary");
    unknown = it->second;
    for (const auto &[token, id] : vocabulary)
      mostBytes = std::max(mostBytes, token.size());
  }

  void encode(std::string_view word, std::vector<int32_t> &tokens) const override {
    size_t characters = 0, first = tokens.size();
    for (size_t at = 0; at < word.size(); at += characterBytes(word[at]))
      ++characters;
    for (size_t at = 0, end; characters <= longest && at < word.size(); at = end) {
      int32_t found = -1;
      std::string rest = (at ? prefix : "") + std::string(word.substr(at));
      size_t head = at ? prefix.size() : 0;
      // Longer ones are no tokens; ends lie between characters.
      for (end = at + std::min(word.size() - at, mostBytes); end > at && found < 0; --end) {
        if (end < word.size() && (uint8_t(word[end]) & 0xC0) == 0x80)
          continue;
        if (auto it = vocabulary.find(rest.substr(0, head + end - at)); it != vocabulary.end()) {
          found = it->second;
          break;
        }
      }
      if (found < 0) {
        characters = longest + 1;
        break;
      }
      tokens.push_back(found);
    }
    if (characters > longest) { // or one of its parts is no token
      tokens.resize(first);
      tokens.push_back(unknown);
    }
  }

  std::string bytesOf(const std::string &token) const override {
    return !prefix.empty() && token.starts_with(prefix) ? token.substr(prefix.size()) : " " + token;
  }
  bool hasWords() const override { return true; }

private:
  std::string prefix;
  size_t longest, mostBytes = 0;
  int32_t unknown;
};
} // namespace

std::unique_ptr<TokenModel> readWordPieces(const Json &json) {
  return std::make_unique<WordPieceModel>(json);
}

} // namespace tamis::text
