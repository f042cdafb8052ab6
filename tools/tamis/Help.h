// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How `--help` and wrong command lines read.

#ifndef TAMIS_TOOLS_TAMIS_HELP_H
#define TAMIS_TOOLS_TAMIS_HELP_H

#include <CLI/CLI.hpp>
#include <string>

namespace tamis::tool {

/// CLI11's help with descriptions broken into lines that fit a terminal.
class HelpFormatter : public CLI::Formatter {
public:
  std::string make_option_desc(const CLI::Option *option) const override;
  std::string make_option_opts(const CLI::Option *option) const override;
};

/// CLI11's error in the words of this program: what is wrong with the command line of `app`, which may be a subcommand.
std::string usageMessage(const CLI::App &app, const CLI::ParseError &error);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_HELP_H
