// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis: compiles models, runs and examines plans.

#include "tamis/tamis.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Help.h"
#include "tools/tamis/Terminal.h"

using namespace tamis::tool;

int main(int argc, char **argv) {
  CLI::App app("An ahead-of-time compiler for transformer models.", "tamis");
  app.set_version_flag("--version", std::string("tamis ") + tamis_version() + ", plan format " +
                                        std::to_string(tamis_plan_format_version()));
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(1);
  const Command commands[] = {addCompileCommand(app), addQuantizeCommand(app), addRunCommand(app),
                              addBenchCommand(app),   addGenerateCommand(app), addPerplexityCommand(app),
                              addServeCommand(app),   addInspectCommand(app),  addVerifyCommand(app),
                              addReduceCommand(app),  addDoctorCommand(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &asked) { // --help, --version
    return finishOutput(app.exit(asked));
  } catch (const CLI::ParseError &error) {
    const CLI::App *parsed = &app;
    for (const Command &command : commands)
      if (command.app->parsed())
        parsed = command.app;
    return failUsage(usageMessage(*parsed, error));
  }
  for (const Command &command : commands)
    if (command.app->parsed())
      return finishOutput(command.run());
  return kUsage;
}
