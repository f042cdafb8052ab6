// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Characters and their properties, by utf8proc.

#include "tools/text/Unicode.h"
#include <cstdlib>
#include <utf8proc.h>

namespace tamis::text {

uint32_t nextCharacter(std::string_view text, size_t &at) {
  size_t size = characterBytes(text[at]);
  auto byte = [&](size_t i) { return at + i < text.size() ? uint32_t(uint8_t(text[at + i])) & 63 : 0; };
  uint32_t first = uint8_t(text[at]), character = first;
  if (size == 2)
    character = (first & 31) << 6 | byte(1);
  else if (size == 3)
    character = (first & 15) << 12 | byte(1) << 6 | byte(2);
  else if (size == 4)
    character = (first & 7) << 18 | byte(1) << 12 | byte(2) << 6 | byte(3);
  at += size;
  return character;
}

void appendCharacter(std::string &text, uint32_t character) {
  utf8proc_uint8_t bytes[4];
  text.append(reinterpret_cast<char *>(bytes), size_t(utf8proc_encode_char(int32_t(character), bytes)));
}

bool isWhiteSpace(uint32_t c) {
  return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool isPunctuation(uint32_t c) {
  if (c < 128)
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
  utf8proc_category_t category = utf8proc_category(int32_t(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool isOther(uint32_t c) {
  utf8proc_category_t category = utf8proc_category(int32_t(c));
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CS ||
         category == UTF8PROC_CATEGORY_CO;
}

bool isNonspacingMark(uint32_t c) {
  return utf8proc_category(int32_t(c)) == UTF8PROC_CATEGORY_MN;
}

std::string toLower(std::string_view text) {
  std::string lower;
  for (size_t at = 0; at < text.size();) {
    uint32_t character = nextCharacter(text, at);
    // The one character whose lower case is two (SpecialCasing.txt).
    if (character == 0x130)
      lower += "i\xCC\x87";
    else
      appendCharacter(lower, uint32_t(utf8proc_tolower(int32_t(character))));
  }
  return lower;
}

std::string toUpper(std::string_view text) {
  std::string upper;
  for (size_t at = 0; at < text.size();) {
    uint32_t character = nextCharacter(text, at);
    if (character == 0xDF) // the one of many with two in its place that texts have
      upper += "SS";
    else
      appendCharacter(upper, uint32_t(utf8proc_toupper(int32_t(character))));
  }
  return upper;
}

std::string normalForm(std::string_view text, NormalForm form) {
  int options = UTF8PROC_STABLE;
  options |= form == NormalForm::nfc || form == NormalForm::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == NormalForm::nfkc || form == NormalForm::nfkd)
    options |= UTF8PROC_COMPAT;
  utf8proc_uint8_t *mapped = nullptr;
  utf8proc_ssize_t size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t *>(text.data()),
                                       utf8proc_ssize_t(text.size()), &mapped, utf8proc_option_t(options));
  std::string result = size < 0 ? std::string(text) : std::string(reinterpret_cast<char *>(mapped), size_t(size));
  free(mapped);
  return result;
}

size_t graphemeBytes(std::string_view text, size_t at) {
  size_t end = at;
  auto previous = int32_t(nextCharacter(text, end));
  utf8proc_int32_t state = 0;
  for (size_t next = end; next < text.size(); end = next) {
    auto character = int32_t(nextCharacter(text, next));
    if (utf8proc_grapheme_break_stateful(previous, character, &state))
      break;
    previous = character;
  }
  return end - at;
}

} // namespace tamis::text
