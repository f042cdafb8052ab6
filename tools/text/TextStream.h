// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text as it becomes known, token by token.

#ifndef TAMIS_TOOLS_TEXT_TEXTSTREAM_H
#define TAMIS_TOOLS_TEXT_TEXTSTREAM_H

#include <string>
#include <string_view>
#include <vector>

namespace tamis::text {

/// Holds back what is not yet whole: bytes that begin a character, and what may be the start of a stop string.
class TextStream {
public:
  /// None of `stops` is empty.
  explicit TextStream(std::vector<std::string> stops) : stops(std::move(stops)) {}

  /// Adds a token's bytes. False once a stop string is complete: the text ends before it.
  bool add(std::string_view bytes);

  /// The text ends here: nothing is held back any more.
  void finish() { known = text.size(); }

  /// What has become known since the last call.
  std::string_view take();

  const std::string &all() const { return text; }

private:
  std::vector<std::string> stops;
  std::string text;
  size_t known = 0, taken = 0;
};

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_TEXTSTREAM_H
