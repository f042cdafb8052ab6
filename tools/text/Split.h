// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cutting a text into the pieces within which byte pairs are merged.

#ifndef TAMIS_TOOLS_TEXT_SPLIT_H
#define TAMIS_TOOLS_TEXT_SPLIT_H

#include "tamis/tamis.hpp"
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::text {

/// What becomes of the matches of a Split.
enum class Matches { isolated, removed, mergedWithPrevious, mergedWithNext, contiguous };

/// A regular expression that cuts: each match is a piece, and so is what lies between two. Usable by many threads.
class Split {
public:
  /// `isInverted`: what lies between matches counts as matches, and they as what lies between. Errors: the expression
  /// is none, with the place where reading it ended.
  static Result<Split> compile(const std::string &pattern, Matches matches = Matches::isolated,
                               bool isInverted = false);

  /// The pieces of `text`, valid UTF-8, in order, none of them empty; together they are the text, unless matches are
  /// removed.
  void cut(std::string_view text, std::vector<std::string_view> &pieces) const;

  /// Calls for every match and for all that lies between, in order.
  void each(std::string_view text, const std::function<void(std::string_view piece, bool isMatch)> &call) const;

private:
  Split(std::shared_ptr<void> code, Matches matches, bool isInverted)
      : code(std::move(code)), matches(matches), isInverted(isInverted) {}
  std::shared_ptr<void> code;
  Matches matches;
  bool isInverted;
};

/// The expression that matches this text and no other.
std::string literalPattern(const std::string &text);

/// `text` without the white space at its ends.
std::string_view stripped(std::string_view text, bool left, bool right);

/// `text` with every byte that is not part of a character of UTF-8 replaced, one U+FFFD for each longest wrong start of
/// a character, as the Unicode standard advises.
std::string validUtf8(std::string_view text);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_SPLIT_H
