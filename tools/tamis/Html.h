// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces of HTML and SVG.

#ifndef TAMIS_TOOLS_TAMIS_HTML_H
#define TAMIS_TOOLS_TAMIS_HTML_H

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tool::html {

/// Text as it may stand in an element or a quoted attribute. Control characters, which no page may hold, become spaces.
std::string escape(std::string_view text);

/// A cell of a table: `content` is HTML.
struct Cell {
  std::string content;
  bool isNumber = false;
};
inline Cell text(std::string_view content) {
  return {escape(content)};
}
inline Cell number(std::string_view content) {
  return {escape(content), true};
}

/// <tr ATTRIBUTES>...</tr>; `attributes` starts with a space unless it is empty.
std::string row(const std::vector<Cell> &cells, const std::string &attributes = "");
/// A row of titles.
std::string titles(const std::vector<Cell> &cells);

/// The fill of kernel number `kernel`: one of twelve that are told apart, repeated after that.
const char *colour(size_t kernel);

/// The style and script of pages, which stand in them: nothing is fetched.
extern const char *const kStyle;
extern const char *const kScript;

} // namespace tamis::tool::html

#endif // TAMIS_TOOLS_TAMIS_HTML_H
