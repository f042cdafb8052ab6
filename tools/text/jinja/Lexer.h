// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tokens of a template.

#ifndef TAMIS_TOOLS_TEXT_JINJA_LEXER_H
#define TAMIS_TOOLS_TEXT_JINJA_LEXER_H

#include "tools/text/jinja/Value.h"
#include <string>
#include <vector>

namespace tamis::text::jinja {

struct Token {
  enum class Kind { text, writeBegin, writeEnd, blockBegin, blockEnd, name, string, number, sign, end } kind;
  std::string text; ///< of texts and strings what they stand for
  Json number;
  size_t line;
};

/// With what trim_blocks and lstrip_blocks take from texts already gone. Throws TemplateError.
std::vector<Token> tokensOf(std::string source);

} // namespace tamis::text::jinja

#endif // TAMIS_TOOLS_TEXT_JINJA_LEXER_H
