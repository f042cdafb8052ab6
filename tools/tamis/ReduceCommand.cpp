// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis reduce: a model that shows a fault becomes a small graph that still does.

#include "runtime/npy/NpyFile.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Compiler.h"
#include "tools/tamis/Install.h"
#include "tools/tamis/Process.h"
#include "tools/tamis/Table.h"
#include "tools/tamis/TemporaryFolder.h"
#include "tools/tamis/Terminal.h"
#include <filesystem>
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string model, output, fails = "compile", says, command, target = "host", attention;
  std::vector<std::string> dims;
};

/// Whether a graph shows the fault. Each question runs programs of their own, which may crash.
class Question {
public:
  Question(const Options &options, const TemporaryFolder &folder) : options(options), folder(folder) {}

  bool operator()(const std::string &graph) const {
    if (!options.command.empty())
      return run({"sh", "-c", commandOf(graph)}) == 0;
    std::string plan = folder.path("candidate.plan");
    std::vector<std::string> words = {tamis(), "compile", graph, "-o", plan, "-q", "--target=" + options.target};
    if (!options.attention.empty())
      words.push_back("--attention=" + options.attention);
    int code = run(words);
    if (options.fails == "compile")
      return options.says.empty() ? code >= 128 : code != 0 && said(options.says);
    if (code)
      return false;
    words = {tamis(), "verify", plan, graph, "--against=reference"};
    if (!options.attention.empty())
      words.push_back("--attention=" + options.attention);
    return run(words) != 0 && said(options.says.empty() ? "departs from" : options.says);
  }

private:
  static std::string tamis() { return installedFile("bin/tamis"); }
  int run(const std::vector<std::string> &words) const {
    return runProgram(words, folder.path("out"), folder.path("errors"));
  }
  bool said(const std::string &text) const {
    Result<std::string> errors = npy::readFile(folder.path("errors"));
    return errors && errors->find(text) != std::string::npos;
  }
  /// The command with every {} as the graph's path.
  std::string commandOf(const std::string &graph) const {
    std::string text = options.command;
    for (size_t at = 0; (at = text.find("{}", at)) != std::string::npos; at += graph.size())
      text.replace(at, 2, graph);
    return text;
  }

  const Options &options;
  const TemporaryFolder &folder;
};
} // namespace

static int reduce(const Options &options) {
  if (std::filesystem::path(options.output).extension() != ".mlir")
    return failUsage("-o: the graph is written as NAME.mlir, and its weights as NAME.safetensors beside it; found '" +
                     options.output + "'");
  if (!options.command.empty() && options.command.find("{}") == std::string::npos)
    return failUsage("--command: no {} stands for the graph");
  Result<std::vector<DimRange>> dims = parseDimRanges(options.dims);
  if (!dims)
    return failUsage(dims.error().message());
  Result<Compiler *> compiler = loadCompiler();
  if (!compiler)
    return fail(compiler.error());
  Result<TemporaryFolder> folder = TemporaryFolder::make();
  if (!folder)
    return fail(folder.error());
  ReduceRequest request;
  request.model = options.model;
  request.output = options.output;
  request.dims = *dims;
  request.candidate = folder->path("candidate.mlir");
  request.fails = Question(options, *folder);
  ProgressLine progress;
  request.progress = [&](size_t ops, size_t tried) {
    progress.show(format("%zu ops left, %zu graphs tried ...", ops, tried));
  };
  ReduceSummary summary;
  bool done = (*compiler)->reduce(request, summary);
  progress.clear();
  if (!done)
    return kFailure;
  printf("%s: %zu of %zu ops, after %zu graphs\n", options.output.c_str(), summary.after, summary.before,
         summary.tried);
  return kSuccess;
}

Command addReduceCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("reduce", "Make a model that shows a fault as small as it still shows it");
  auto options = std::make_shared<Options>();
  app->add_option("MODEL", options->model, "ONNX file, Hugging Face folder, or textual graph (.mlir)")->required();
  app->add_option("-o,--output", options->output, "the graph; its weights are written beside it")
      ->required()
      ->option_text("NAME.mlir");
  app->add_option("--fails", options->fails,
                  "the fault: compile crashes, or says what --says has; verify finds that the plan departs from the "
                  "reference evaluator")
      ->check(CLI::IsMember({"compile", "verify"}))
      ->option_text("compile|verify [compile]");
  app->add_option("--says", options->says, "a part of the error that the fault gives")->option_text("TEXT");
  app->add_option(
         "--command", options->command,
         "in place of --fails: a command for the shell that ends with 0 where the fault shows; {} is the graph")
      ->option_text("TEXT");
  app->add_option("--target", options->target, "as of tamis compile")->option_text("LIST [host]");
  app->add_option("--attention", options->attention, "as of tamis compile")->option_text("PATTERN");
  addList(*app, "--dim", options->dims, "range of a named size, or the size itself; may be repeated")
      ->option_text("NAME=LOW..HIGH | NAME=NUMBER");
  return {app, [options] { return reduce(*options); }};
}

} // namespace tamis::tool
