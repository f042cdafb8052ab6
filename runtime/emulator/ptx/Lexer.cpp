// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Characters to tokens.

#include "runtime/emulator/ptx/Lexer.h"

namespace tamis::emulator {
namespace {

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
bool isWordPart(char c) {
  return isLetter(c) || isDigit(c);
}

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  std::vector<Token> run() {
    while (skipSpace(), at < text.size())
      next();
    tokens.push_back({Token::End, {}, line});
    return std::move(tokens);
  }

private:
  char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }

  void skipLine() {
    while (at < text.size() && text[at] != '\n')
      ++at;
  }

  void skipSpace() {
    while (at < text.size()) {
      char c = text[at];
      if (c == '\n') {
        ++line;
        ++at;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
        ++at;
      } else if (c == '/' && peek(1) == '/') {
        skipLine();
      } else if (c == '/' && peek(1) == '*') {
        at += 2;
        while (at < text.size() && !(text[at] == '*' && peek(1) == '/'))
          line += text[at++] == '\n';
        at = at + 2 < text.size() ? at + 2 : text.size();
      } else {
        return;
      }
    }
  }

  void next() {
    size_t start = at;
    char c = text[at];
    Token::Kind kind = Token::Punctuation;
    if (isDigit(c)) {
      kind = Token::Number;
      while (isWordPart(peek()) || (peek() == '.' && isDigit(peek(1))) ||
             ((peek() == '+' || peek() == '-') && isExponent(start)))
        ++at;
    } else if (isLetter(c) || (c == '%' && isLetter(peek(1))) || (c == '.' && isLetter(peek(1)))) {
      kind = Token::Word;
      ++at;
      while (true) {
        if (isWordPart(peek()) || (peek() == '.' && isWordPart(peek(1))))
          ++at;
        else if (peek() == ':' && peek(1) == ':' && isWordPart(peek(2)))
          at += 3; // ".shared::cta"
        else
          break;
      }
    } else if (c == '"') {
      for (++at; at < text.size() && text[at] != '"'; ++at)
        line += text[at] == '\n';
      tokens.push_back({Token::String, text.substr(start + 1, at - start - 1), line});
      at += at < text.size();
      return;
    } else {
      ++at;
    }
    Token token = {kind, text.substr(start, at - start), line};
    if (token.is(".loc") || token.is(".file"))
      return skipLine();
    tokens.push_back(token);
  }

  /// Whether a sign at `at` belongs to a decimal number's exponent, as in 1.0e-5.
  bool isExponent(size_t start) const {
    char before = text[at - 1];
    bool isHex = text[start] == '0' && start + 1 < at && isLetter(text[start + 1]) && text[start + 1] != 'e';
    return (before == 'e' || before == 'E') && !isHex && isDigit(peek(1));
  }

  std::string_view text;
  size_t at = 0;
  uint32_t line = 1;
  std::vector<Token> tokens;
};

} // namespace

std::vector<Token> tokenize(std::string_view text) {
  return Lexer(text).run();
}

} // namespace tamis::emulator
