// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Aligned columns, and numbers people read.

#ifndef TAMIS_TOOLS_TAMIS_TABLE_H
#define TAMIS_TOOLS_TAMIS_TABLE_H

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::tool {

/// Rows of text whose columns are as wide as their widest cell. Widths count characters of UTF-8, not bytes.
class Table {
public:
  enum Alignment { left, right };
  struct Column {
    std::string title;
    Alignment alignment = left;
  };

  explicit Table(std::vector<Column> columns) : columns(std::move(columns)) {}

  /// As many cells as columns.
  void add(std::vector<std::string> cells) { rows.push_back(std::move(cells)); }
  bool empty() const { return rows.empty(); }

  /// Every row on a line of its own after `indent` spaces, with the titles first unless all are empty.
  std::string text(size_t indent = 2) const;

private:
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;
};

/// printf's.
std::string format(const char *text, ...) __attribute__((format(printf, 1, 2)));

/// "512 B", "87.1 MB": powers of 1000.
std::string bytesText(double bytes);
/// "1.23 M": a count, powers of 1000.
std::string countText(double count);
/// "950 ns", "12.3 us", "4.56 ms", "7.89 s".
std::string secondsText(double seconds);

/// Joins with `separator`.
std::string join(const std::vector<std::string> &parts, const std::string &separator = ", ");

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_TABLE_H
