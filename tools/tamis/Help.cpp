// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How `--help` and wrong command lines read.

#include "tools/tamis/Help.h"
#include <cctype>
#include <sstream>

namespace tamis::tool {

std::string HelpFormatter::make_option_desc(const CLI::Option *option) const {
  constexpr size_t lineWidth = 100;
  size_t room = lineWidth - get_column_width();
  std::istringstream words(Formatter::make_option_desc(option));
  std::string text, line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > room) {
      text += line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return text + line;
}

std::string HelpFormatter::make_option_opts(const CLI::Option *option) const {
  return option->get_positional() ? "" : Formatter::make_option_opts(option); // "MODEL" says it all
}

std::string usageMessage(const CLI::App &app, const CLI::ParseError &error) {
  bool isCommand = app.get_parent() != nullptr;
  std::string name = isCommand ? "tamis " + app.get_name() : "tamis";
  std::string hint = "; " + name + " --help lists the " + (isCommand ? "options" : "commands");
  std::vector<std::string> rest = app.remaining();
  if (!rest.empty()) {
    const char *what = rest[0][0] == '-' ? "option" : isCommand ? "argument" : "command";
    return std::string("unknown ") + what + " '" + rest[0] + "'" + hint;
  }
  if (!isCommand)
    return "a command is missing" + hint;
  std::string message = error.what();
  if (message.size() > 1 && std::islower(static_cast<unsigned char>(message[1])))
    message[0] = char(std::tolower(static_cast<unsigned char>(message[0])));
  return message + hint;
}

} // namespace tamis::tool
