// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How a tokenizer cuts a text into the pieces that become tokens one by one.

#ifndef TAMIS_TOOLS_TEXT_PRETOKENIZER_H
#define TAMIS_TOOLS_TEXT_PRETOKENIZER_H

#include "tools/text/Split.h"
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tamis::text {

/// The pre-tokenizers of the `tokenizers` package in the order of a tokenizer.json: ByteLevel, Digits, Split,
/// Metaspace, BertPreTokenizer, Whitespace, WhitespaceSplit, Punctuation and sequences of them. Usable by many threads.
class PreTokenizer {
public:
  /// `json` may be null: a text is one piece. Throws std::exception: what is not supported, JSON of another form.
  explicit PreTokenizer(const nlohmann::json &json) { add(json); }
  PreTokenizer() = default;

  /// The pieces of `text`, which is valid UTF-8 and stands at the start of the whole or not.
  std::vector<std::string> cut(std::string_view text, bool isFirst) const;

  /// Are pieces to be read as bytes, in GPT-2's spelling?
  bool isByteLevel() const { return hasBytes; }

private:
  struct Piece {
    std::string text;
    bool isFirst;
  };
  using Step = std::function<void(std::vector<Piece> &)>;
  void add(const nlohmann::json &json);
  void addSplit(const std::string &pattern, Matches matches = Matches::isolated, bool isInverted = false);
  void addMetaspace(const nlohmann::json &json);

  std::vector<Step> steps;
  bool hasBytes = false;
};

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_PRETOKENIZER_H
