// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis inspect: what a plan holds and what it costs.

#include "runtime/npy/NpyFile.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Inspection.h"
#include "tools/tamis/InspectionPage.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Terminal.h"
#include <cstring>
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string path, level, pathName, code, page, model, attention, profile;
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

/// The ranges that a model is compiled with to give the plan's phases.
static std::vector<DimRange> rangesOf(const Plan &plan) {
  std::vector<DimRange> ranges;
  for (const tamis_symbol_info &symbol : plan.symbols())
    ranges.push_back({symbol.name, symbol.min, symbol.max});
  return ranges;
}

/// Writes the page.
static Result<void> writePage(const Inspection &inspection, const Options &options) {
  std::optional<MeasuredTimes> times;
  if (!options.profile.empty()) {
    Result<MeasuredTimes> read = readMeasuredTimes(options.profile, inspection);
    if (!read)
      return read.error();
    times = std::move(*read);
  }
  Phases phases;
  if (!options.model.empty()) {
    Result<Phases> read = readPhases(options.model, rangesOf(inspection.plan), options.attention);
    if (!read)
      return read.error();
    phases = std::move(*read);
  }
  return npy::writeFile(options.page, inspectionPage(inspection, times, options.model.empty() ? nullptr : &phases));
}

static int inspect(const Options &options) {
  for (auto [name, text] : {std::pair("--model", &options.model), std::pair("--profile", &options.profile),
                            std::pair("--attention", &options.attention)})
    if (options.page.empty() && !text->empty())
      return failUsage(std::string(name) + " is for --html");
  LoadOptions load;
  load.level = options.level;
  load.path = options.pathName;
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
  std::vector<std::string> dims = options.dims;
  if (dims.empty() && !options.profile.empty()) { // as measured
    Result<std::vector<std::string>> measured = readMeasuredSizes(options.profile);
    if (!measured)
      return fail(measured.error());
    dims = std::move(*measured);
  }
  Result<std::vector<int64_t>> sizes = chooseSizes(*plan, dims, DefaultSizes());
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
  if (!options.page.empty()) {
    if (Result<void> written = writePage(*inspection, options); !written)
      return fail(written.error());
    return kSuccess;
  }
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
  app->add_option("--path", options->pathName, "of a plan with several: the one to run; by default the first")
      ->option_text("NAME");
  app->add_option("--level", options->level, "show the plan's code of this name, such as x86-64-v3 or sm_80")
      ->option_text("NAME");
  app->add_option("--code", options->code, "write the code of this name to standard output: PTX, or a CPU's ELF image")
      ->option_text("NAME");
  CLI::Option *json = app->add_flag("--json", options->json, "print JSON");
  app->add_option("--html", options->page, "write a page for a browser: dispatches, memory over time, times, IR")
      ->option_text("FILE")
      ->excludes(json)
      ->group("A page");
  app->add_option("--profile", options->profile, "times for it, which tamis bench --profile --json wrote")
      ->option_text("FILE.json")
      ->group("A page");
  app->add_option("--model", options->model, "IR by phase for it: the model that the plan was compiled from")
      ->option_text("MODEL")
      ->group("A page");
  app->add_option("--attention", options->attention, "the pattern that the plan was compiled with, for its IR")
      ->option_text("PATTERN")
      ->group("A page");
  return {app, [options] { return inspect(*options); }};
}

} // namespace tamis::tool
