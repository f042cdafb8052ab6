// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns of a conversation as the text a model was trained on.

#ifndef TAMIS_TOOLS_TEXT_CHAT_H
#define TAMIS_TOOLS_TEXT_CHAT_H

#include "tamis/tamis.hpp"
#include <string>
#include <vector>

namespace tamis::text {

struct Turn {
  std::string role; ///< "system", "user", "assistant"
  std::string content;
};

/// The conversation in the form that a model's own template (Jinja, as Hugging Face's chat templates) has, up to where
/// the assistant answers. Templates are recognised by their marks, not executed: ChatML and Llama 3's. Errors: a
/// template of another form, or none; a content that holds one of the form's marks.
Result<std::string> chatText(const std::string &chatTemplate, const std::vector<Turn> &turns);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_CHAT_H
