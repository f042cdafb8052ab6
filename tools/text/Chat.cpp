// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns of a conversation as the text a model was trained on.

#include "tools/text/Chat.h"

namespace tamis::text {

namespace {
struct Form {
  const char *start, *afterRole, *end;
};
constexpr Form kForms[] = {
    {"<|im_start|>", "\n", "<|im_end|>\n"},                         // ChatML
    {"<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>"}, // Llama 3
};
} // namespace

Result<std::string> chatText(const std::string &chatTemplate, const std::vector<Turn> &turns) {
  if (chatTemplate.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "the model has no chat template");
  for (const Form &form : kForms) {
    if (chatTemplate.find(form.start) == std::string::npos)
      continue;
    std::string text;
    for (const Turn &turn : turns) {
      // What a user writes must not end the user's turn.
      if (turn.content.find("<|") != std::string::npos)
        return Error(TAMIS_INVALID_ARGUMENT, "the " + turn.role + "'s text holds '<|', which marks turns");
      text += form.start + turn.role + form.afterRole + turn.content + form.end;
    }
    return text + form.start + "assistant" + form.afterRole;
  }
  return Error(TAMIS_INVALID_ARGUMENT, "the model's chat template is of a form that is not known; those of ChatML and "
                                       "Llama 3 are");
}

} // namespace tamis::text
