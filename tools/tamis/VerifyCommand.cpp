// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis verify: does a plan compute what its model says, by someone else's word?

#include "runtime/cache/PagedCache.h"
#include "tools/tamis-run/DeviceOption.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Comparison.h"
#include "tools/tamis/Compiler.h"
#include "tools/tamis/FirstDeparture.h"
#include "tools/tamis/OnnxRuntimeJudge.h"
#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Sizes.h"
#include "tools/tamis/Table.h"
#include "tools/tamis/Terminal.h"
#include <cstring>
#include <filesystem>
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string plan, model, attention, against = "auto", level, pathName, device = "cpu";
  std::vector<std::string> inputs, dims;
  double tolerance = 1e-4;
  uint64_t seed = 1;
  int threads = 0;
  bool quiet = false, layers = false, bisect = false;
};

/// Odd on purpose: tails of every tile are at work.
constexpr DefaultSizes kSizes{2, 19};

/// One verification, step by step.
class Verification {
public:
  Verification(const Options &options, const LoadOptions &load, const Plan &plan)
      : options(options), load(load), plan(plan) {}

  Result<bool> run();

private:
  Result<void> makeTensors();
  Result<void> askJudge();
  Result<void> askOnnxRuntime();
  Result<void> askReference();
  Result<void> readModel();
  Result<bool> compareOutputs();
  Result<void> findDeparture();
  Result<void> printLayers();
  Result<void> bisect();

  const Options &options;
  const LoadOptions &load;
  const Plan &plan;
  ProgressLine progress;
  std::optional<Context> context;
  std::vector<npy::Array> arrays;
  std::vector<Tensor> inputs, outputs;
  std::vector<npy::NamedTensor> namedInputs;
  std::string judge;
  std::vector<NamedArray> right;
  std::unique_ptr<ReferenceModel> model;
};
} // namespace

static bool isOnnx(const std::string &path) {
  std::error_code ignored;
  return !std::filesystem::is_directory(path, ignored) && std::filesystem::path(path).extension() != ".mlir";
}

Result<bool> Verification::run() {
  progress.show("checking the plan's sections ...");
  if (Result<void> intact = plan.verify(); !intact)
    return Error(intact.error().status(), options.plan + ": " + intact.error().message());
  std::error_code ignored;
  if (!std::filesystem::exists(options.model, ignored))
    return Error(TAMIS_CANNOT_READ, options.model + ": no such file or folder");
  if (Result<void> made = makeTensors(); !made)
    return made.error();
  progress.show("running the plan ...");
  Result<std::vector<Tensor>> results = context->run(inputs);
  if (!results)
    return results.error();
  outputs = std::move(*results);
  if (Result<void> asked = askJudge(); !asked)
    return asked.error();
  progress.clear();
  Result<bool> agrees = compareOutputs();
  if (!agrees)
    return agrees;
  if (options.layers)
    if (Result<void> printed = printLayers(); !printed)
      return printed.error();
  if (*agrees)
    return true;
  if (options.bisect)
    if (Result<void> found = bisect(); !found)
      return found.error();
  if (Result<void> found = findDeparture(); !found)
    return found.error();
  return false;
}

Result<void> Verification::makeTensors() {
  Result<Context> made = plan.context(options.threads);
  if (!made)
    return made.error();
  context.emplace(std::move(*made));
  Result<std::vector<npy::Array>> values =
      makeInputs(plan, *context, options.inputs, options.dims, {options.seed, kSizes});
  if (!values)
    return values.error();
  arrays = std::move(*values);
  std::vector<tamis_tensor_info> infos = plan.inputs();
  for (size_t i = 0; i < arrays.size(); ++i) {
    inputs.push_back(arrays[i].tensor());
    namedInputs.push_back({infos[i].name, inputs.back()});
  }
  return {};
}

Result<void> Verification::askJudge() {
  bool hasPattern = !options.attention.empty() && options.attention != "dense";
  if (hasPattern && options.against == "onnxruntime")
    return Error(TAMIS_INVALID_ARGUMENT, "ONNX Runtime knows no pattern of attention; --attention wants the reference "
                                         "evaluator as judge, or no --attention a comparison with dense attention");
  if (hasPattern || options.against == "reference" || (options.against == "auto" && !isOnnx(options.model)))
    return askReference();
  Result<void> asked = askOnnxRuntime();
  bool isMissing = !asked && asked.error().status() == TAMIS_CANNOT_READ;
  if (!isMissing || options.against == "onnxruntime")
    return asked;
  return askReference();
}

Result<void> Verification::askOnnxRuntime() {
  progress.show("asking ONNX Runtime ...");
  Result<std::vector<NamedArray>> results = OnnxRuntimeJudge(options.model).outputs(namedInputs);
  if (!results)
    return results.error();
  right = std::move(*results);
  judge = "ONNX Runtime";
  return {};
}

/// The ranges with which the plan was compiled: sizes that it fixed are symbols of the model, and of its own no more.
static std::vector<DimRange> rangesOf(const Plan &plan, const ReferenceModel &model) {
  std::vector<DimRange> ranges;
  std::vector<tamis_tensor_info> fixed = plan.inputs(), named = model.inputs();
  std::vector<tamis_symbol_info> symbols = plan.symbols();
  for (const tamis_symbol_info &symbol : model.symbols()) {
    DimRange range{symbol.name, symbol.min, symbol.max};
    for (const tamis_symbol_info &own : symbols)
      if (!strcmp(own.name, symbol.name))
        range.min = own.min, range.max = own.max;
    for (size_t i = 0; i < fixed.size(); ++i)
      for (int32_t d = 0; d < fixed[i].rank; ++d)
        if (!strcmp(named[i].dim_names[d], symbol.name) && fixed[i].dims[d] >= 0)
          range.min = range.max = fixed[i].dims[d];
    if (range.min != symbol.min || range.max != symbol.max)
      ranges.push_back(range);
  }
  return ranges;
}

static bool sameInputs(const Plan &plan, const ReferenceModel &model) {
  std::vector<tamis_tensor_info> a = plan.inputs(), b = model.inputs();
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i)
    same = !strcmp(a[i].name, b[i].name) && a[i].rank == b[i].rank && a[i].element_type == b[i].element_type;
  return same;
}

Result<void> Verification::readModel() {
  if (model)
    return {};
  Result<Compiler *> compiler = loadCompiler();
  if (!compiler)
    return compiler.error();
  model = (*compiler)->read(options.model, {}, options.attention);
  if (model && !sameInputs(plan, *model))
    return Error(TAMIS_INVALID_ARGUMENT, options.model + ": the model has other inputs than the plan");
  if (std::vector<DimRange> ranges = model ? rangesOf(plan, *model) : std::vector<DimRange>(); !ranges.empty())
    model = (*compiler)->read(options.model, ranges, options.attention);
  if (!model)
    return reported();
  return {};
}

Result<void> Verification::askReference() {
  progress.show("reading the model ...");
  if (Result<void> read = readModel(); !read)
    return read;
  progress.show("evaluating the model ...");
  Result<std::vector<npy::Array>> results = model->run(inputs);
  if (!results)
    return results.error();
  std::vector<tamis_tensor_info> infos = model->outputs();
  for (size_t i = 0; i < results->size(); ++i)
    right.push_back({infos[i].name, std::move((*results)[i])});
  judge = "the reference evaluator";
  return {};
}

Result<bool> Verification::compareOutputs() {
  std::vector<tamis_tensor_info> infos = plan.outputs();
  if (right.size() != infos.size())
    return Error(TAMIS_INVALID_ARGUMENT,
                 format("the plan has %zu outputs, the model has %zu", infos.size(), right.size()));
  Table table({{"output"},
               {"shape"},
               {"largest error", Table::right},
               {"mean error", Table::right},
               {"99.9 % below", Table::right},
               {"cosine", Table::right},
               {""}});
  bool agrees = true;
  for (size_t i = 0; i < infos.size(); ++i) {
    Comparison c = compare(outputs[i], right[i].array.tensor());
    bool good = c.mismatch.empty() && c.absolute.size <= options.tolerance;
    agrees &= good;
    std::string verdict = !c.mismatch.empty() ? c.mismatch
                          : good              ? "agrees"
                                              : "departs at " + indexText(c.absolute.element, outputs[i].dims());
    table.add({infos[i].name, npy::shapeText(outputs[i].elementType(), outputs[i].dims()),
               format("%.3g", c.absolute.size), format("%.3g", c.mean), format("%.3g", c.quantile),
               format("%.8f", c.cosine), verdict});
  }
  if (!options.quiet || !agrees) {
    std::string sizes = sizesText(plan, sizesOf(plan, inputs));
    printf("%s against %s%s%s\n%s", options.plan.c_str(), judge.c_str(), sizes.empty() ? "" : ", ", sizes.c_str(),
           table.text().c_str());
  }
  return agrees;
}

Result<void> Verification::printLayers() {
  progress.show("comparing every dispatch ...");
  if (Result<void> read = readModel(); !read)
    return read;
  Result<std::string> text = layerTable({plan, *model, inputs, options.threads, options.tolerance, load});
  progress.clear();
  if (!text)
    return text.error();
  printf("\ndispatches against what the reference evaluator computes for them from the model\n%s", text->c_str());
  return {};
}

Result<void> Verification::bisect() {
  progress.show("running the model after each pass ...");
  if (Result<void> read = readModel(); !read)
    return read;
  Case given{plan, *model, inputs, options.threads, options.tolerance, load};
  Result<Departure> found = departingPass(given, right);
  progress.clear();
  if (!found)
    return found.error();
  printf("%s\n", found->text.c_str());
  return {};
}

Result<void> Verification::findDeparture() {
  progress.show("looking for the first dispatch that departs ...");
  if (Result<void> read = readModel(); !read)
    return read;
  Case given{plan, *model, inputs, options.threads, options.tolerance, load};
  Result<Departure> departure = firstDeparture(given);
  if (!departure)
    return departure.error();
  progress.clear();
  printf("%s\n", departure->text.c_str());
  if (departure->found || judge != "ONNX Runtime")
    return {};
  progress.show("comparing the imported nodes with ONNX Runtime's ...");
  Result<Departure> imported = firstImportDeparture(given, OnnxRuntimeJudge(options.model), namedInputs);
  progress.clear();
  if (!imported)
    return imported.error();
  printf("%s\n", imported->text.c_str());
  return {};
}

static int verify(const Options &options) {
  if (options.bisect && !options.attention.empty())
    return failUsage("--bisect starts from the model as it is, which --attention is not");
  LoadOptions load;
  load.level = options.level;
  load.path = options.pathName;
  parseDevice(options.device, load);
  Result<Plan> plan = openPlan(options.plan, load);
  if (!plan)
    return fail(plan.error());
  if (cache::PagedCache::isPaged(*plan))
    return fail(options.plan + ": the cache lies in pages, which no random inputs describe; a plan compiled with "
                               "--cache=contiguous has the same layers");
  Result<bool> agrees = Verification(options, load, *plan).run();
  if (!agrees)
    return fail(agrees.error());
  if (!*agrees)
    return fail(
        format("%s departs from %s by more than %g", options.plan.c_str(), options.model.c_str(), options.tolerance));
  return kSuccess;
}

Command addVerifyCommand(CLI::App &parent) {
  CLI::App *app =
      parent.add_subcommand("verify", "Compare a plan with its model, and name the first layer that departs");
  auto options = std::make_shared<Options>();
  app->add_option("PLAN", options->plan, "a plan; every section's checksum is checked, too")->required();
  app->add_option("MODEL", options->model, "what it was compiled from")->required();
  addList(*app, "--input", options->inputs, "an input's values, as in `tamis run`; not given, they are random")
      ->option_text("NAME=...");
  addList(*app, "--dim", options->dims, "a named size; may be repeated. Not given, batch is 2, everything else 19")
      ->option_text("NAME=NUMBER");
  app->add_option("--attention", options->attention,
                  "the pattern that the plan was compiled with, as in `tamis compile`; the reference evaluator judges")
      ->option_text("PATTERN");
  app->add_option("--tolerance", options->tolerance, "largest absolute difference of an output that is none")
      ->check(CLI::NonNegativeNumber)
      ->option_text("NUMBER [1e-4]");
  app->add_option(
         "--against", options->against,
         "the judge: ONNX Runtime's Python package (of $PYTHON, else python3), or the reference evaluator; auto: "
         "ONNX Runtime for ONNX files where it is installed")
      ->check(CLI::IsMember({"auto", "onnxruntime", "reference"}))
      ->option_text("auto|onnxruntime|reference [auto]");
  app->add_option("--seed", options->seed, "of random inputs")->option_text("N [1]");
  app->add_option("--threads", options->threads, "0 means one for each CPU")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  app->add_option("--path", options->pathName, "of a plan with several: the one to run; by default the first")
      ->option_text("NAME");
  app->add_option("--level", options->level, "use the plan's code of this name alone, such as x86-64-v3")
      ->option_text("NAME");
  addDevice(*app, options->device);
  app->add_flag("--layers", options->layers, "compare every dispatch, mapped to the nodes it computes, with the model");
  app->add_flag("--bisect", options->bisect,
                "on a departure, run the model after each pass on the reference evaluator, and name the pass that "
                "brings it");
  app->add_flag("-q,--quiet", options->quiet, "print nothing when all agrees");
  return {app, [options] { return verify(*options); }};
}

} // namespace tamis::tool
