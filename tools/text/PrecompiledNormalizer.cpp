// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// SentencePiece's table of replacements (Kudo and Richardson, 2018, arXiv:1808.06226).

#include "tools/text/Normalizer.h"
#include "tools/text/Unicode.h"
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>

namespace tamis::text {

static std::string fromBase64(const std::string &text) {
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (char letter : text) {
    int value = letter >= 'A' && letter <= 'Z'   ? letter - 'A'
                : letter >= 'a' && letter <= 'z' ? letter - 'a' + 26
                : letter >= '0' && letter <= '9' ? letter - '0' + 52
                : letter == '+'                  ? 62
                : letter == '/'                  ? 63
                                                 : -1;
    if (value < 0)
      break; // the filling at the end
    bits = bits << 6 | uint32_t(value);
    if ((count += 6) >= 8)
      bytes += char(bits >> (count -= 8) & 255);
  }
  return bytes;
}

namespace {
class Table {
public:
  explicit Table(const std::string &bytes) {
    uint32_t size = 0;
    if (bytes.size() < sizeof(size))
      throw std::runtime_error("its precompiled_charsmap is too short");
    std::memcpy(&size, bytes.data(), sizeof(size));
    if (size % sizeof(uint32_t) || size > bytes.size() - sizeof(size))
      throw std::runtime_error("its precompiled_charsmap says that it is larger than it is");
    units.resize(size / sizeof(uint32_t));
    std::memcpy(units.data(), bytes.data() + sizeof(size), size);
    texts = bytes.substr(sizeof(size) + size);
  }

  /// What stands for `piece`, or rather for its shortest part from the start that is in the table: that is how the
  /// package reads it.
  std::optional<std::string_view> find(std::string_view piece) const {
    size_t node = 0;
    if (units.empty())
      return std::nullopt;
    node ^= offset(units[0]);
    for (char byte : piece) {
      node ^= uint8_t(byte);
      if (!byte || node >= units.size() || (units[node] & (1u << 31 | 0xFF)) != uint8_t(byte))
        return std::nullopt;
      uint32_t unit = units[node];
      node ^= offset(unit);
      if (unit >> 8 & 1) {
        size_t at = node < units.size() ? units[node] & ~(1u << 31) : texts.size();
        if (at >= texts.size())
          return std::nullopt;
        return std::string_view(texts).substr(at, std::min(texts.find('\0', at), texts.size()) - at);
      }
    }
    return std::nullopt;
  }

private:
  static uint32_t offset(uint32_t unit) { return unit >> 10 << ((unit & 1u << 9) >> 6); }
  std::vector<uint32_t> units;
  std::string texts; ///< each ends with a 0
};
} // namespace

std::function<std::string(std::string)> precompiledNormalizer(const std::string &base64) {
  auto table = std::make_shared<Table>(fromBase64(base64));
  return [table](std::string text) {
    constexpr size_t mostBytes = 5; // of a cluster that is looked up as a whole
    std::string result;
    for (size_t at = 0; at < text.size();) {
      size_t end = at + graphemeBytes(text, at);
      std::string_view cluster = std::string_view(text).substr(at, end - at);
      auto whole = cluster.size() <= mostBytes ? table->find(cluster) : std::nullopt;
      if (whole) {
        result += *whole;
        at = end;
        continue;
      }
      while (at < end) {
        std::string_view part = std::string_view(text).substr(at, characterBytes(text[at]));
        result += table->find(part).value_or(part);
        at += part.size();
      }
    }
    return result;
  };
}

} // namespace tamis::text
