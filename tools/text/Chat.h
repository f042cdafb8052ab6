// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns of a conversation as the text a model was trained on.

#ifndef TAMIS_TOOLS_TEXT_CHAT_H
#define TAMIS_TOOLS_TEXT_CHAT_H

#include "tamis/tamis.hpp"
#include "tools/text/Tokenizer.h"
#include <nlohmann/json.hpp>
#include <string>

namespace tamis::text {

/// The conversation as the model's own template writes it (`about` is the plan's section "generation": "chat_template",
/// "bos_token", "eos_token"), up to where the assistant answers. `messages` is a list of objects with "role" and
/// "content", as chat templates take them. Errors: no template, or one that cannot be executed; a content that holds
/// one of the tokenizer's special tokens, which would end its turn.
Result<std::string> chatText(const nlohmann::json &about, const Tokenizer &tokenizer,
                             const nlohmann::ordered_json &messages);

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_CHAT_H
