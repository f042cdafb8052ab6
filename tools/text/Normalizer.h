// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a tokenizer does to a text before anything else.

#ifndef TAMIS_TOOLS_TEXT_NORMALIZER_H
#define TAMIS_TOOLS_TEXT_NORMALIZER_H

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tamis::text {

/// The normalizers of the `tokenizers` package in the order of a tokenizer.json: the normal forms of Unicode,
/// Lowercase, StripAccents, BertNormalizer, Prepend, Replace, Strip, Precompiled (SentencePiece's own table) and
/// sequences of them. Usable by many threads.
class Normalizer {
public:
  /// `json` may be null: nothing is changed. Throws std::exception: what is not supported, JSON of another form.
  explicit Normalizer(const nlohmann::json &json) { add(json); }
  Normalizer() = default;

  bool isEmpty() const { return steps.empty(); }

  /// `text` is valid UTF-8.
  std::string apply(std::string text) const;

private:
  void add(const nlohmann::json &json);
  void addBert(const nlohmann::json &json);
  void addReplace(const nlohmann::json &json);
  std::vector<std::function<std::string(std::string)>> steps;
};

/// SentencePiece's table of replacements: a trie of prefixes as darts-clone writes it, and the texts that it names. In
/// base64.
std::function<std::string(std::string)> precompiledNormalizer(const std::string &base64);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_NORMALIZER_H
