// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis inspect: what a plan holds and what it costs.

#include "tools/tamis/Command.h"
#include "tools/tamis/Inspection.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Terminal.h"
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string path, level;
  std::vector<std::string> dims;
  bool json = false;
};
} // namespace

static int inspect(const Options &options) {
  LoadOptions load;
  load.level = options.level;
  Result<Plan> plan = openPlan(options.path, load);
  if (!plan)
    return fail(plan.error());
  Result<std::vector<int64_t>> sizes = chooseSizes(*plan, options.dims, DefaultSizes());
  if (!sizes)
    return failUsage(sizes.error().message());
  Result<Context> context = plan->context(1);
  if (!context)
    return fail(context.error());
  if (Result<void> prepared = context->prepareSizes(*sizes); !prepared)
    return fail(prepared.error());
  Result<Inspection> inspection = Inspection::of(*plan, *context, *sizes);
  if (!inspection)
    return fail(inspection.error());
  fputs((options.json ? inspection->json() : inspection->text()).c_str(), stdout);
  return kSuccess;
}

Command addInspectCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("inspect", "Show what a plan holds: tensors, code, dispatches, memory");
  auto options = std::make_shared<Options>();
  app->add_option("PLAN", options->path, "a plan")->required();
  addList(
      *app, "--dim", options->dims,
      "a named size, at which costs and memory are shown; may be repeated. Not given, batch is 1, everything else 128")
      ->option_text("NAME=NUMBER");
  app->add_option("--level", options->level, "show the plan's code of this name, such as x86-64-v3")
      ->option_text("NAME");
  app->add_flag("--json", options->json, "print JSON");
  return {app, [options] { return inspect(*options); }};
}

} // namespace tamis::tool
