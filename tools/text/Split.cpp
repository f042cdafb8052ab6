// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cutting a text by a regular expression of PCRE2.

#include "tools/text/Split.h"
#include "tools/text/Unicode.h"
#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace tamis::text {

Result<Split> Split::compile(const std::string &pattern, Matches matches, bool isInverted) {
  int code;
  PCRE2_SIZE at;
  pcre2_code *compiled = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                       PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &at, nullptr);
  if (!compiled) {
    PCRE2_UCHAR message[256];
    pcre2_get_error_message(code, message, sizeof(message));
    return Error(TAMIS_INVALID_ARGUMENT, "the regular expression '" + pattern + "' is wrong at byte " +
                                             std::to_string(at) + ": " + reinterpret_cast<const char *>(message));
  }
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); // without it matching is slower and the same
  auto free = [](void *code) { pcre2_code_free(static_cast<pcre2_code *>(code)); };
  return Split(std::shared_ptr<void>(compiled, free), matches, isInverted);
}

std::string literalPattern(const std::string &text) {
  std::string pattern;
  for (char byte : text) {
    if (ispunct(uint8_t(byte)) && uint8_t(byte) < 128)
      pattern += '\\';
    pattern += byte;
  }
  return pattern;
}

std::string_view stripped(std::string_view text, bool left, bool right) {
  size_t begin = text.size(), end = 0; // of what is no white space
  for (size_t at = 0; at < text.size();) {
    size_t start = at;
    if (!isWhiteSpace(nextCharacter(text, at)))
      begin = std::min(begin, start), end = at;
  }
  begin = left ? begin : 0;
  end = right ? std::max(end, begin) : text.size();
  return text.substr(begin, end - begin);
}

void Split::each(std::string_view text, const std::function<void(std::string_view, bool)> &call) const {
  auto *compiled = static_cast<pcre2_code *>(code.get());
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> found(
      pcre2_match_data_create_from_pattern(compiled, nullptr), pcre2_match_data_free);
  size_t done = 0;
  while (done < text.size()) {
    int count = pcre2_match(compiled, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), done,
                            PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, found.get(), nullptr);
    if (count < 0) // none, or beyond PCRE2's limits, which these expressions do not reach
      break;
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(found.get());
    if (range[0] > done)
      call(text.substr(done, range[0] - done), isInverted);
    call(text.substr(range[0], range[1] - range[0]), !isInverted);
    done = range[1];
  }
  if (done < text.size())
    call(text.substr(done), isInverted);
}

void Split::cut(std::string_view text, std::vector<std::string_view> &pieces) const {
  size_t first = pieces.size();
  bool wasMatch = false;
  // Pieces follow each other: one grows by what comes next.
  auto grow = [&](std::string_view more) {
    std::string_view &last = pieces.back();
    last = {last.data(), last.size() + more.size()};
  };
  each(text, [&](std::string_view piece, bool isMatch) {
    bool isFirst = pieces.size() == first, grows = false;
    switch (matches) {
    case Matches::isolated:
      break;
    case Matches::removed:
      if (isMatch)
        return;
      break;
    case Matches::mergedWithPrevious:
      grows = isMatch && !wasMatch;
      break;
    // Of several matches in a row the last goes with what follows.
    case Matches::mergedWithNext:
      grows = !isMatch && wasMatch;
      break;
    case Matches::contiguous:
      grows = isMatch == wasMatch;
      break;
    }
    wasMatch = isMatch;
    if (grows && !isFirst)
      grow(piece);
    else
      pieces.push_back(piece);
  });
}

/// Bytes of the character that starts at `at`; 0, and in `wrong` how many belong together, where none does.
static size_t characterAt(std::string_view text, size_t at, size_t &wrong) {
  auto byte = [&](size_t i) { return at + i < text.size() ? uint8_t(text[at + i]) : 0; };
  uint8_t first = byte(0);
  wrong = 1;
  if (first < 0x80)
    return 1;
  size_t size = first >= 0xF0 && first <= 0xF4  ? 4
                : first >= 0xE0 && first < 0xF0 ? 3
                : first >= 0xC2 && first < 0xE0 ? 2
                                                : 0;
  // The second byte excludes longer spellings than needed, surrogates, and what lies past U+10FFFF.
  uint8_t least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  uint8_t most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  for (size_t i = 1; i < size; ++i, least = 0x80, most = 0xBF) {
    if (byte(i) < least || byte(i) > most)
      return 0;
    wrong = i + 1;
  }
  return size;
}

std::string validUtf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t wrong, size = characterAt(text, at, wrong);
    valid += size ? text.substr(at, size) : std::string_view("\xEF\xBF\xBD");
    at += size ? size : wrong;
  }
  return valid;
}

} // namespace tamis::text
