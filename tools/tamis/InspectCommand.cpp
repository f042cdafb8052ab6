// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis inspect: what a plan holds and what it costs.

#include "tools/tamis/Command.h"
#include "tools/tamis/Inspection.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Terminal.h"
#include <cstring>
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string path, level, code;
  std::vector<std::string> dims;
  bool json = false;
};
} // namespace

/// Writes the bytes of a code section: a CPU's image, or PTX.
static int writeCode(const Plan &plan, const std::string &name) {
  std::string names;
  for (const tamis_section_info &section : plan.sections()) {
    if (section.kind != TAMIS_SECTION_CODE)
      continue;
    names += (names.empty() ? "" : ", ") + std::string(section.name);
    if (name != section.name)
      continue;
    // The NUL is the file format's, not the text's.
    bool isPtx =
        section.size && !strcmp(section.machine, "cuda") && !static_cast<const char *>(section.data)[section.size - 1];
    fwrite(section.data, 1, section.size - isPtx, stdout);
    return kSuccess;
  }
  return failUsage("--code: the plan holds no code '" + name + "', it holds: " + names);
}

static int inspect(const Options &options) {
  LoadOptions load;
  load.level = options.level;
  load.device = options.code.empty() ? TAMIS_DEVICE_CPU : TAMIS_DEVICE_NONE;
  Result<Plan> plan = openPlan(options.path, load);
  if (!plan && plan.error().status() == TAMIS_NO_CODE_FOR_MACHINE) {
    // For a GPU, or another CPU: what there is can be told nevertheless.
    load.device = TAMIS_DEVICE_NONE;
    plan = openPlan(options.path, load);
  }
  if (!plan)
    return fail(plan.error());
  if (!options.code.empty())
    return writeCode(*plan, options.code);
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
  app->add_option("--level", options->level, "show the plan's code of this name, such as x86-64-v3 or sm_80")
      ->option_text("NAME");
  app->add_option("--code", options->code, "write the code of this name to standard output: PTX, or a CPU's ELF image")
      ->option_text("NAME");
  app->add_flag("--json", options->json, "print JSON");
  return {app, [options] { return inspect(*options); }};
}

} // namespace tamis::tool
