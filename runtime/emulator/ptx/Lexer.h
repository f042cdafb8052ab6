// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// PTX text as tokens. Opcodes with their modifiers, directives, registers and names are one word each.

#ifndef TAMIS_RUNTIME_EMULATOR_PTX_LEXER_H
#define TAMIS_RUNTIME_EMULATOR_PTX_LEXER_H

#include <cstdint>
#include <string_view>
#include <vector>

namespace tamis::emulator {

struct Token {
  enum Kind : uint8_t {
    Word,        ///< "add.rn.f32", ".reg", "%r1", "%tid.x", "$L__BB0_1"
    Number,      ///< "42", "0x1F", "0f3F800000", "8.0"; the sign is a token of its own
    String,      ///< without its quotes
    Punctuation, ///< one character
    End
  };
  Kind kind = End;
  std::string_view text;
  uint32_t line = 1; ///< from 1

  bool is(char character) const { return kind == Punctuation && text[0] == character; }
  bool is(std::string_view word) const { return kind == Word && text == word; }
};

/// The tokens of `text`, which must outlive them; the last is End. Comments, `.loc` and `.file` lines are left out.
/// Bytes that no token starts with become punctuation, for the parser to refuse.
std::vector<Token> tokenize(std::string_view text);

} // namespace tamis::emulator

#endif // TAMIS_RUNTIME_EMULATOR_PTX_LEXER_H
