// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Characters and their properties.

#ifndef TAMIS_TOOLS_TEXT_UNICODE_H
#define TAMIS_TOOLS_TEXT_UNICODE_H

#include <cstdint>
#include <string>
#include <string_view>

namespace tamis::text {

/// The character of valid UTF-8 at `at`, which moves behind it.
uint32_t nextCharacter(std::string_view text, size_t &at);
void appendCharacter(std::string &text, uint32_t character);

/// Bytes of the character that starts with this byte, in valid UTF-8.
inline size_t characterBytes(char first) {
  auto byte = uint8_t(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Of Unicode's property White_Space.
bool isWhiteSpace(uint32_t character);
/// Of the categories P*, or one of ASCII's other signs, as BERT counts them.
bool isPunctuation(uint32_t character);
/// Of the categories Cc, Cf, Cs and Co: all of C* but what is not assigned.
bool isOther(uint32_t character);
/// Of the category Mn.
bool isNonspacingMark(uint32_t character);

std::string toLower(std::string_view text);
std::string toUpper(std::string_view text);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
/// Valid UTF-8 in one of Unicode's normal forms.
std::string normalForm(std::string_view text, NormalForm form);

/// Bytes of the grapheme cluster at `at` (Unicode Standard Annex 29).
size_t graphemeBytes(std::string_view text, size_t at);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_UNICODE_H
