// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns of a conversation as the text a model was trained on.

#include "tools/text/Chat.h"
#include "tools/text/jinja/Template.h"

namespace tamis::text {

Result<std::string> chatText(const nlohmann::json &about, const Tokenizer &tokenizer,
                             const nlohmann::ordered_json &messages) {
  auto text = [&](const char *name) {
    auto it = about.find(name);
    return it != about.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  std::string source = text("chat_template");
  if (source.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "the model has no chat template");
  // What a user writes must not end the user's turn.
  for (const nlohmann::ordered_json &message : messages)
    for (const auto &[key, value] : message.items())
      if (value.is_string())
        if (std::string mark = tokenizer.specialIn(value.get_ref<const std::string &>()); !mark.empty())
          return Error(TAMIS_INVALID_ARGUMENT,
                       "the " + message.value("role", "") + "'s " + key + " holds '" + mark + "', which marks turns");
  Result<jinja::Template> form = jinja::Template::parse(source);
  if (!form)
    return form.error();
  return form->render({{"messages", messages},
                       {"add_generation_prompt", true},
                       {"bos_token", text("bos_token")},
                       {"eos_token", text("eos_token")},
                       {"tools", nullptr},
                       {"documents", nullptr}});
}

} // namespace tamis::text
