// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cutting a text into the pieces within which byte pairs are merged.

#ifndef TAMIS_TOOLS_TEXT_SPLIT_H
#define TAMIS_TOOLS_TEXT_SPLIT_H

#include "tamis/tamis.hpp"
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::text {

/// A regular expression that cuts: each match is a piece, and so is what lies between two. Usable by many threads.
class Split {
public:
  /// Errors: the expression is none, with the place where reading it ended.
  static Result<Split> compile(const std::string &pattern);

  /// The pieces of `text`, valid UTF-8, in order; together they are the text.
  void cut(std::string_view text, std::vector<std::string_view> &pieces) const;

private:
  explicit Split(std::shared_ptr<void> code) : code(std::move(code)) {}
  std::shared_ptr<void> code;
};

/// `text` with every byte that is not part of a character of UTF-8 replaced, one U+FFFD for each longest wrong start of
/// a character, as the Unicode standard advises.
std::string validUtf8(std::string_view text);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_SPLIT_H
