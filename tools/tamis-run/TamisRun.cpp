// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis-run: runs a plan with the runtime alone. Nothing of the compiler is in it.

#include "tamis/tamis.hpp"
#include "tools/tamis-run/DeviceOption.h"
#include "tools/tamis-run/Doctor.h"
#include "tools/tamis-run/Inputs.h"
#include "tools/tamis-run/Outputs.h"
#include "tools/tamis-run/Report.h"
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

using namespace tamis;

namespace {
struct Options {
  std::string plan, level, path, device = "cpu";
  std::vector<std::string> inputs, dims, outputs;
  int threads = 0, repeat = 1;
  bool doctor = false, json = false, list = false, check = false, profile = false, copyCode = false, perfMap = false;
};
} // namespace

static int fail(const Error &error) {
  fflush(stdout);
  fprintf(stderr, "tamis-run: error: %s\n", error.message().c_str());
  return 1;
}

static void addOptions(CLI::App &app, Options &options) {
  app.add_option("plan", options.plan, "plan file, as written by `tamis compile`");
  app.add_option("--input", options.inputs,
                 "NAME=@FILE.npy | NAME=@FILE.npz | NAME=2x3xf32=1,2,... | NAME=2x3xf32=random(SEED) | "
                 "NAME=random(SEED[,LOW,HIGH])")
      ->allow_extra_args(false);
  app.add_option("--dim", options.dims, "SYMBOL=NUMBER, a size that random inputs need")->allow_extra_args(false);
  app.add_option("--output", options.outputs, "FILE.npz for all outputs | NAME=@FILE.npy for one")
      ->allow_extra_args(false);
  app.add_option("--threads", options.threads, "threads; 0 means one for each CPU")->check(CLI::Range(0, 1024));
  app.add_option("--level", options.level, "use the code of this name only");
  app.add_option("--path", options.path, "of a plan with several paths: the one to run");
  tool::addDevice(app, options.device);
  app.add_option("--repeat", options.repeat, "run this many times and print times")->check(CLI::Range(1, 1000000000));
  app.add_flag("--doctor", options.doctor, "print what this machine and this runtime can do; needs no plan");
  app.add_flag("--json", options.json, "with --doctor: print JSON");
  app.add_flag("--list", options.list, "print inputs, outputs, sizes and sections, and do not run");
  app.add_flag("--check", options.check, "check the hash of every section, and do not run");
  app.add_flag("--profile", options.profile, "print the time of each dispatch");
  app.add_flag("--copy-code", options.copyCode, "copy the code to anonymous memory instead of mapping it");
  app.add_flag("--perf-map", options.perfMap, "name kernels for `perf` in /tmp/perf-PID.map; copies the code");
}

static int runPlan(const Plan &plan, const Options &options) {
  std::vector<std::string> names;
  for (const tamis_tensor_info &info : plan.outputs())
    names.push_back(info.name);
  if (Result<void> known = tool::checkOutputs(names, options.outputs); !known)
    return fail(known.error());
  Result<Context> context = plan.context(options.threads);
  if (!context)
    return fail(context.error());
  Result<std::vector<npy::Array>> arrays = tool::makeInputs(plan, *context, options.inputs, options.dims);
  if (!arrays)
    return fail(arrays.error());
  std::vector<Tensor> inputs;
  for (npy::Array &array : *arrays)
    inputs.push_back(array.tensor());
  context->setProfiling(options.profile);
  tool::Profile profile(plan);
  std::vector<double> times;
  std::vector<Tensor> outputs;
  for (int i = 0; i < options.repeat; ++i) {
    auto start = std::chrono::steady_clock::now();
    Result<std::vector<Tensor>> result = context->run(inputs);
    auto time = std::chrono::steady_clock::now() - start;
    if (!result)
      return fail(result.error());
    outputs = std::move(*result);
    times.push_back(std::chrono::duration<double, std::milli>(time).count());
    if (options.profile && (i > 0 || options.repeat == 1)) // the first run pays for memory
      profile.add(*context);
  }
  std::vector<npy::NamedTensor> named;
  for (size_t i = 0; i < outputs.size(); ++i)
    named.push_back({names[i], outputs[i]});
  if (options.outputs.empty())
    for (const npy::NamedTensor &output : named)
      printf("%s: %s\n", output.name.c_str(), npy::summaryText(output.tensor).c_str());
  if (Result<void> written = tool::writeOutputs(named, options.outputs); !written)
    return fail(written.error());
  if (options.repeat > 1)
    printf("%s, %s\n", tool::timesText(times).c_str(),
           plan.device() == TAMIS_DEVICE_CPU ? (std::to_string(context->threads()) + " threads").c_str()
                                             : plan.deviceText().c_str());
  fputs(profile.text(*context).c_str(), stdout);
  return 0;
}

int main(int argc, char **argv) {
  CLI::App app("Runs a compiled Tamis plan.", "tamis-run");
  app.set_version_flag("--version", tamis_version());
  Options options;
  addOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  if (options.doctor) {
    std::vector<tool::Finding> findings = tool::examineMachine();
    fputs((options.json ? tool::findingsJson(findings) : tool::findingsText(findings)).c_str(), stdout);
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
  }
  if (options.plan.empty())
    return app.exit(CLI::RequiredError("plan"));

  LoadOptions load;
  load.level = options.level;
  load.path = options.path;
  load.code = options.copyCode ? TAMIS_CODE_COPY : TAMIS_CODE_AUTO;
  load.perfMap = options.perfMap;
  tool::parseDevice(options.device, load);
  Result<Plan> plan = Plan::load(options.plan, load);
  if (!plan)
    return fail(Error(plan.error().status(), options.plan + ": " + plan.error().message()));
  if (options.check) {
    if (Result<void> verified = plan->verify(); !verified)
      return fail(Error(verified.error().status(), options.plan + ": " + verified.error().message()));
    printf("%s: every section is intact\n", options.plan.c_str());
  }
  if (options.list)
    fputs(tool::listText(*plan).c_str(), stdout);
  int result = options.check || options.list ? 0 : runPlan(*plan, options);
  if (fflush(stdout) || ferror(stdout))
    return fail(Error(TAMIS_SYSTEM_REFUSED, "cannot write to standard output"));
  return result;
}
