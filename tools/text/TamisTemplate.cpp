// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis-template: of each line of standard input, {"template": text, "variables": {...}}, what it writes, or why it
// does not; a program for tests.

#include "tools/text/jinja/Template.h"
#include <iostream>

int main() {
  using Json = nlohmann::ordered_json;
  for (std::string line; std::getline(std::cin, line);) {
    Json request = Json::parse(line), answer;
    auto parsed = tamis::text::jinja::Template::parse(request["template"]);
    if (!parsed) {
      answer["error"] = parsed.error().message();
    } else {
      auto text = parsed->render(request["variables"]);
      answer[text ? "text" : "error"] = text ? *text : text.error().message();
    }
    std::cout << answer.dump(-1, ' ', true, Json::error_handler_t::replace) << "\n";
  }
  return 0;
}
