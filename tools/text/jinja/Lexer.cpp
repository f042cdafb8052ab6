// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tokens of a template.

#include "tools/text/jinja/Lexer.h"
#include "tools/text/Unicode.h"
#include <algorithm>

namespace tamis::text::jinja {

namespace {
class Lexer {
public:
  explicit Lexer(std::string given) : source(std::move(given)) {
    // Jinja's default: one newline at the end is not part of the template.
    if (source.ends_with('\n'))
      source.pop_back();
  }

  std::vector<Token> run() {
    while (at < source.size())
      readText();
    add(Token::Kind::end, "");
    return std::move(tokens);
  }

private:
  using Kind = Token::Kind;

  [[noreturn]] void fail(const std::string &what) const {
    throw TemplateError("line " + std::to_string(line()) + ": " + what);
  }
  size_t line() const { return 1 + size_t(std::count(source.begin(), source.begin() + int64_t(at), '\n')); }
  void add(Kind kind, std::string text, Json number = nullptr) {
    tokens.push_back({kind, std::move(text), std::move(number), line()});
  }
  bool has(const char *text) const { return source.compare(at, std::char_traits<char>::length(text), text) == 0; }
  static bool isBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  /// Up to the next tag, and the tag.
  void readText() {
    size_t tag = at;
    while (true) {
      tag = source.find('{', tag);
      if (tag == std::string::npos || tag + 1 >= source.size()) {
        add(Kind::text, source.substr(at));
        at = source.size();
        return;
      }
      if (source[tag + 1] == '{' || source[tag + 1] == '%' || source[tag + 1] == '#')
        break;
      ++tag;
    }
    std::string text = source.substr(at, tag - at);
    char kind = source[tag + 1], mark = tag + 2 < source.size() ? source[tag + 2] : ' ';
    if (mark == '-') {
      while (!text.empty() && isBlank(text.back()))
        text.pop_back();
    } else if (kind != '{' && mark != '+') {
      // What a line begins with before a block is not written.
      size_t begin = text.find_last_not_of(" \t\v\f");
      bool startsLine = begin == std::string::npos ? (at == 0 || source[at - 1] == '\n') : text[begin] == '\n';
      if (startsLine)
        text.resize(begin == std::string::npos ? 0 : begin + 1);
    }
    if (!text.empty())
      add(Kind::text, text);
    at = tag + 2;
    if (kind == '#') {
      size_t end = source.find("#}", at);
      if (end == std::string::npos)
        fail("a comment does not end");
      bool strips = end > at && source[end - 1] == '-';
      at = end + 2;
      return skipAfter(strips, /*isBlock=*/true);
    }
    if (mark == '-' || mark == '+')
      ++at;
    add(kind == '{' ? Kind::writeBegin : Kind::blockBegin, "");
    readTag(kind == '{' ? "}}" : "%}", kind == '%');
  }

  void skipAfter(bool strips, bool isBlock) {
    if (strips)
      while (at < source.size() && isBlank(source[at]))
        ++at;
    else if (isBlock && at < source.size() && source[at] == '\n')
      ++at;
  }

  void readTag(const char *end, bool isBlock) {
    size_t depth = 0; // of braces: }} may end two dicts
    while (at < source.size()) {
      char c = source[at];
      if (isBlank(c)) {
        ++at;
      } else if (depth == 0 && (has(end) || ((c == '-' || c == '+') && source.compare(at + 1, 2, end) == 0))) {
        bool strips = c == '-';
        at += has(end) ? 2 : 3;
        add(isBlock ? Kind::blockEnd : Kind::writeEnd, "");
        return skipAfter(strips, isBlock && c != '+');
      } else if (c == '\'' || c == '"') {
        readString(c);
      } else if (c >= '0' && c <= '9') {
        readNumber();
      } else if (c == '_' || isalpha(uint8_t(c))) {
        size_t first = at;
        while (at < source.size() && (source[at] == '_' || isalnum(uint8_t(source[at]))))
          ++at;
        add(Kind::name, source.substr(first, at - first));
      } else {
        readSign(depth);
      }
    }
    fail("a tag does not end");
  }

  void readSign(size_t &depth) {
    for (const char *sign : {"**", "//", "==", "!=", "<=", ">="})
      if (has(sign)) {
        add(Kind::sign, sign);
        at += 2;
        return;
      }
    char c = source[at];
    if (std::string_view("+-*/%~<>=()[]{}.,:|").find(c) == std::string_view::npos)
      fail("'" + source.substr(at, characterBytes(c)) + "' begins nothing that a template has");
    if (c == '(' || c == '[' || c == '{')
      ++depth;
    else if ((c == ')' || c == ']' || c == '}') && depth)
      --depth;
    add(Kind::sign, std::string(1, c));
    ++at;
  }

  void readNumber() {
    size_t first = at;
    auto digits = [&] {
      while (at < source.size() && source[at] >= '0' && source[at] <= '9')
        ++at;
    };
    digits();
    bool isFloat = at + 1 < source.size() && source[at] == '.' && isdigit(uint8_t(source[at + 1]));
    if (isFloat) {
      ++at;
      digits();
    }
    if (at < source.size() && (source[at] == 'e' || source[at] == 'E')) {
      size_t sign = at + 1 < source.size() && (source[at + 1] == '-' || source[at + 1] == '+');
      if (at + 1 + sign < source.size() && isdigit(uint8_t(source[at + 1 + sign]))) {
        isFloat = true;
        at += 1 + sign;
        digits();
      }
    }
    std::string text = source.substr(first, at - first);
    if (!isFloat && text.size() > 18)
      fail("the number " + text.substr(0, 40) + " is too large");
    add(Kind::number, text, isFloat ? Json(std::strtod(text.c_str(), nullptr)) : Json(int64_t(std::stoll(text))));
  }

  void readString(char quote) {
    std::string text;
    for (++at; at < source.size() && source[at] != quote; ++at) {
      if (source[at] != '\\' || at + 1 >= source.size()) {
        text += source[at];
        continue;
      }
      char escaped = source[++at];
      static constexpr std::string_view letters = "ntrfvba0", values = "\n\t\r\f\v\b\a";
      if (size_t which = letters.find(escaped); which < values.size())
        text += values[which];
      else if (escaped == '\\' || escaped == '\'' || escaped == '"')
        text += escaped;
      else if (escaped == 'u' || escaped == 'x' || escaped == 'U') {
        size_t count = escaped == 'x' ? 2 : escaped == 'u' ? 4 : 8;
        std::string digits = source.substr(at + 1, count);
        if (digits.size() < count || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
          fail("a string has a wrong escape");
        appendCharacter(text, uint32_t(std::stoul(digits, nullptr, 16)));
        at += count;
      } else if (escaped != '\n') {
        text += '\\', text += escaped;
      }
    }
    if (at >= source.size())
      fail("a string does not end");
    ++at;
    add(Kind::string, text);
  }

  std::string source;
  size_t at = 0;
  std::vector<Token> tokens;
};
} // namespace

std::vector<Token> tokensOf(std::string source) {
  return Lexer(std::move(source)).run();
}

} // namespace tamis::text::jinja
