// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text to tokens and back.

#ifndef TAMIS_TOOLS_TEXT_TOKENIZER_H
#define TAMIS_TOOLS_TEXT_TOKENIZER_H

#include "tamis/tamis.hpp"
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::text {

/// A tokenizer in the JSON form of the `tokenizers` package, whose results are the same token by token. Immutable, and
/// usable by many threads.
class Tokenizer {
public:
  /// Reads a tokenizer.json. Supported: models of type BPE (Sennrich et al., 2016, arXiv:1508.07909), of bytes or of
  /// characters, WordPiece and Unigram; what Normalizer.h and PreTokenizer.h name; added tokens but of single words;
  /// the post-processors that put tokens around a text.
  /// Errors: what was found and is not supported; JSON of another form; merges of tokens that are not there.
  static Result<Tokenizer> parse(std::string_view json);

  /// The tokens of `text`, UTF-8; bytes that are none count as U+FFFD. Added tokens, special ones too, are found in the
  /// text as such unless `plain`. Nothing is put before or after.
  std::vector<int32_t> encode(std::string_view text, bool plain = false) const;

  /// The same with the tokens that the tokenizer's own post-processor puts before and after one text.
  std::vector<int32_t> encodeWhole(std::string_view text) const;

  /// The bytes of tokens, which may end amid a character. Special tokens give nothing unless `special`; ids that do not
  /// exist give nothing.
  std::string decode(const std::vector<int32_t> &tokens, bool special = false) const;

  /// The first special token that stands in `text` as such; empty where there is none.
  std::string specialIn(std::string_view text) const;

  /// The id of an added token or a vocabulary's entry, -1 where there is none.
  int32_t find(std::string_view token) const;
  size_t size() const;

  Tokenizer(Tokenizer &&) noexcept;
  Tokenizer &operator=(Tokenizer &&) noexcept;
  ~Tokenizer();

private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts;
};

/// Bytes at the end of `text` that begin a character of UTF-8 and do not end it: 0 to 3.
size_t unfinishedBytes(std::string_view text);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_TOKENIZER_H
