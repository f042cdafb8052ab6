// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis run: a plan, or a model on its way through one, or a model on the reference evaluator.

#include "tools/tamis-run/DeviceOption.h"
#include "tools/tamis-run/Outputs.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Compiler.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Terminal.h"
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string path, device = "cpu", level, pathName;
  std::vector<std::string> inputs, dims, outputs;
  int threads = 0;
};
} // namespace

static std::vector<std::string> namesOf(const std::vector<tamis_tensor_info> &infos) {
  std::vector<std::string> names;
  for (const tamis_tensor_info &info : infos)
    names.push_back(info.name);
  return names;
}

/// Writes the outputs where --output says, else a line of each.
static int finish(const std::vector<std::string> &names, const std::vector<Tensor> &tensors, const Options &options) {
  std::vector<npy::NamedTensor> outputs;
  for (size_t i = 0; i < tensors.size(); ++i)
    outputs.push_back({names[i], tensors[i]});
  if (Result<void> written = writeOutputs(outputs, options.outputs); !written)
    return fail(written.error());
  if (options.outputs.empty())
    for (const npy::NamedTensor &output : outputs)
      printf("%s: %s\n", output.name.c_str(), npy::summaryText(output.tensor).c_str());
  return kSuccess;
}

static std::vector<Tensor> tensorsOf(std::vector<npy::Array> &arrays) {
  std::vector<Tensor> tensors;
  for (npy::Array &array : arrays)
    tensors.push_back(array.tensor());
  return tensors;
}

static int runReference(const Options &options) {
  if (isPlan(options.path))
    return fail(options.path + ": the reference evaluator runs models, and this is a plan");
  Result<Compiler *> compiler = loadCompiler();
  if (!compiler)
    return fail(compiler.error());
  std::unique_ptr<ReferenceModel> model = (*compiler)->read(options.path, {});
  if (!model)
    return kFailure;
  std::vector<std::string> names = namesOf(model->outputs());
  if (Result<void> known = checkOutputs(names, options.outputs); !known)
    return failUsage(known.error().message());
  Result<std::vector<npy::Array>> inputs = makeInputs(*model, options.inputs, options.dims);
  if (!inputs)
    return fail(inputs.error());
  Result<std::vector<npy::Array>> outputs = model->run(tensorsOf(*inputs));
  if (!outputs)
    return fail(options.path + ": " + outputs.error().message());
  return finish(names, tensorsOf(*outputs), options);
}

static int runPlan(const Options &options) {
  LoadOptions load;
  load.level = options.level;
  load.path = options.pathName;
  parseDevice(options.device, load);
  std::error_code ignored;
  bool isModel = !isPlan(options.path) && std::filesystem::exists(options.path, ignored);
  Result<Plan> plan = isModel ? compileForDevice(options.path, load) : openPlan(options.path, load);
  if (!plan)
    return fail(plan.error());
  std::vector<std::string> names = namesOf(plan->outputs());
  if (Result<void> known = checkOutputs(names, options.outputs); !known)
    return failUsage(known.error().message());
  Result<Context> context = plan->context(options.threads);
  if (!context)
    return fail(context.error());
  Result<std::vector<npy::Array>> inputs = makeInputs(*plan, *context, options.inputs, options.dims);
  if (!inputs)
    return fail(inputs.error());
  Result<std::vector<Tensor>> outputs = context->run(tensorsOf(*inputs));
  if (!outputs)
    return fail(outputs.error());
  return finish(names, *outputs, options);
}

Command addRunCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("run", "Run a plan, or a model");
  auto options = std::make_shared<Options>();
  app->add_option("PLAN|MODEL", options->path, "a plan; or a model, which is compiled for the device first")
      ->required();
  addList(*app, "--input", options->inputs,
          "an input's values; may be repeated. One value fills the tensor; random values lie in [-1, 1), integers in "
          "[0, 2)")
      ->option_text("NAME=@FILE.npy | NAME=@FILE.npz | NAME=2x3xf32=1,2,... | NAME=random(SEED[,LOW,HIGH])");
  addList(*app, "--dim", options->dims, "a named size, which random inputs need; may be repeated")
      ->option_text("NAME=NUMBER");
  addList(*app, "--output", options->outputs, "where results go; without it a line of each is printed")
      ->option_text("FILE.npz | NAME=@FILE.npy");
  addDevice(*app, options->device, "|reference");
  app->add_option("--threads", options->threads, "0 means one for each CPU")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  app->add_option("--path", options->pathName, "of a plan with several: the one to run; by default the first")
      ->option_text("NAME");
  app->add_option("--level", options->level, "use the plan's code of this name alone, such as x86-64-v3")
      ->option_text("NAME");
  return {app, [options] { return options->device == "reference" ? runReference(*options) : runPlan(*options); }};
}

} // namespace tamis::tool
