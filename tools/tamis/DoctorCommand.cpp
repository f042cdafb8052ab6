// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis doctor: what this machine and this build can do.

#include "tools/tamis-run/Doctor.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Compiler.h"
#include "tools/tamis/OnnxRuntimeJudge.h"
#include "tools/tamis/TemporaryFolder.h"
#include "tools/tamis/Terminal.h"
#include <cstdio>
#include <memory>

namespace tamis::tool {

static Finding folderFinding() {
  Result<TemporaryFolder> folder = TemporaryFolder::make();
  if (!folder)
    return {Finding::bad, "folders", "temporary", folder.error().message()};
  std::string path = folder->path("");
  return {Finding::good, "folders", "temporary", path.substr(0, path.rfind('/', path.size() - 2))};
}

/// Fails where models cannot be compiled: all else is for some uses.
static int examine(bool asJson) {
  std::vector<Finding> findings = examineMachine();
  Result<Compiler *> compiler = loadCompiler();
  if (compiler) {
    for (const auto &[name, text] : (*compiler)->facts())
      findings.push_back({Finding::fact, "compiler", name, text});
    findings.push_back(
        {Finding::fact, "compiler", "--target=cpu", "x86-64-v4, x86-64-v3; this machine: " + cpuLevel()});
  } else {
    findings.push_back({Finding::bad, "compiler", "library", compiler.error().message()});
  }
  Result<std::string> judge = OnnxRuntimeJudge::version();
  findings.push_back({judge ? Finding::good : Finding::bad, "compiler", "judge of tamis verify",
                      judge ? *judge : judge.error().message() + "; the reference evaluator judges"});
  findings.push_back(folderFinding());
  findings.push_back({Finding::fact, "folders", "caches", "none: a plan is a file, and nothing else is kept"});
  fputs((asJson ? findingsJson(findings) : findingsText(findings)).c_str(), stdout);
  return compiler ? kSuccess : kFailure;
}

Command addDoctorCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("doctor", "Say what this machine and this build can do, and what is missing");
  auto json = std::make_shared<bool>(false);
  app->add_flag("--json", *json, "print JSON");
  return {app, [json] { return examine(*json); }};
}

} // namespace tamis::tool
