// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The commands of `tamis`, one file each.

#ifndef TAMIS_TOOLS_TAMIS_COMMAND_H
#define TAMIS_TOOLS_TAMIS_COMMAND_H

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace tamis::tool {

/// What the process returns.
enum ExitCode { kSuccess = 0, kFailure = 1, kUsage = 2 };

/// A subcommand and what it does when it was chosen; `run` gives the exit code.
struct Command {
  CLI::App *app;
  std::function<int()> run;
};

Command addCompileCommand(CLI::App &parent);
Command addQuantizeCommand(CLI::App &parent);
Command addRunCommand(CLI::App &parent);
Command addBenchCommand(CLI::App &parent);
Command addGenerateCommand(CLI::App &parent);
Command addPerplexityCommand(CLI::App &parent);
Command addServeCommand(CLI::App &parent);
Command addInspectCommand(CLI::App &parent);
Command addVerifyCommand(CLI::App &parent);
Command addReduceCommand(CLI::App &parent);
Command addDoctorCommand(CLI::App &parent);

/// An option that may be repeated, one value each time: a list that CLI11 does not let swallow what follows.
inline CLI::Option *addList(CLI::App &app, const std::string &name, std::vector<std::string> &values,
                            const std::string &description) {
  return app.add_option(name, values, description)->allow_extra_args(false);
}

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_COMMAND_H
