// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Aligned columns, and numbers people read.

#include "tools/tamis/Table.h"
#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace tamis::tool {

/// Bytes of UTF-8 that start a character.
static size_t widthOf(const std::string &text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string Table::text(size_t indent) const {
  std::vector<size_t> widths;
  bool titled = false;
  for (size_t i = 0; i < columns.size(); ++i) {
    size_t width = widthOf(columns[i].title);
    titled |= width > 0;
    for (const std::vector<std::string> &row : rows)
      width = std::max(width, widthOf(row[i]));
    widths.push_back(width);
  }
  std::string result;
  auto add = [&](auto cell) {
    std::string line(indent, ' ');
    for (size_t i = 0; i < columns.size(); ++i) {
      std::string gap(widths[i] - widthOf(cell(i)), ' ');
      line += (i ? "  " : "") + (columns[i].alignment == right ? gap + cell(i) : cell(i) + gap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    result += line + "\n";
  };
  if (titled)
    add([&](size_t i) { return columns[i].title; });
  for (const std::vector<std::string> &row : rows)
    add([&](size_t i) { return row[i]; });
  return result;
}

std::string format(const char *text, ...) {
  va_list arguments, again;
  va_start(arguments, text);
  va_copy(again, arguments);
  int length = vsnprintf(nullptr, 0, text, arguments);
  va_end(arguments);
  std::string result(size_t(length > 0 ? length : 0) + 1, '\0');
  vsnprintf(result.data(), result.size(), text, again);
  va_end(again);
  result.pop_back();
  return result;
}

/// Three significant digits, more before the point.
static std::string rounded(double value) {
  double size = std::fabs(value);
  return format("%.*f", size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2, value);
}

/// Three significant digits and a prefix: "87.1 M". Values below 1000 that are whole are printed so.
static std::string scaled(double value, const char *unit) {
  static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  while (std::fabs(value) >= 999.5 && prefix + 1 < std::size(prefixes))
    value /= 1000, ++prefix;
  bool whole = prefix == 0 && value == std::floor(value);
  std::string suffix = std::string(prefixes[prefix]) + unit;
  return (whole ? format("%.0f", value) : rounded(value)) + (suffix.empty() ? "" : " " + suffix);
}

std::string bytesText(double bytes) {
  return scaled(bytes, "B");
}
std::string countText(double count) {
  return scaled(count, "");
}

std::string secondsText(double seconds) {
  static const struct {
    double unit;
    const char *name;
  } units[] = {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}};
  for (auto [unit, name] : units)
    if (seconds >= unit * 0.9995)
      return rounded(seconds / unit) + " " + name;
  return format("%.0f ns", seconds * 1e9);
}

std::string join(const std::vector<std::string> &parts, const std::string &separator) {
  std::string text;
  for (const std::string &part : parts)
    text += (text.empty() ? "" : separator) + part;
  return text;
}

} // namespace tamis::tool
