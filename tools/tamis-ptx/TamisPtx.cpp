// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis-ptx: runs a kernel of any PTX text in the interpreter, checks it, counts what it does.

#include "tools/tamis-ptx/Arguments.h"
#include "tools/tamis-ptx/ProfileText.h"
#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>

using namespace tamis;

namespace {
struct Options {
  std::string file, entry;
  std::vector<uint32_t> grid = {1}, block = {1};
  std::vector<std::string> arguments;
  uint32_t shared = 0, threads = 0;
  uint64_t seed = 0, seeds = 1, limit = uint64_t(1) << 32;
  double tolerance = 0;
  bool time = false, conflicts = false;
};
} // namespace

/// Exit codes: something was reported; the command or the text is wrong.
enum : int { Reported = 1, Refused = 2 };

static int fail(const std::string &message) {
  fflush(stdout);
  fprintf(stderr, "tamis-ptx: error: %s\n", message.c_str());
  return Refused;
}

static void addOptions(CLI::App &app, Options &options) {
  app.add_option("file", options.file, "PTX text")->required();
  app.add_option("--entry", options.entry, "the kernel; may be left out where there is one");
  app.add_option("--grid", options.grid, "X[,Y,Z] blocks")->delimiter(',')->expected(1, 3);
  app.add_option("--block", options.block, "X[,Y,Z] threads")->delimiter(',')->expected(1, 3);
  app.add_option("--shared", options.shared, "bytes of dynamic shared memory");
  app.add_option(
      "--args", options.arguments,
      "for each parameter: i64=4096 | f32=0.5 | 64x32xf16=@in.npy | 64x32xf16=random(SEED[,LOW,HIGH]) | "
      "64x32xf16=0 | 64x32xf16 | @in.npy | null; afterwards a buffer with ==wanted.npy is compared with that file, "
      "and one with >out.npy written there");
  app.add_option("--tolerance", options.tolerance, "of ==wanted.npy, relative above 1 and absolute below")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seed", options.seed, "of the order of warps");
  app.add_option("--seeds", options.seeds, "run with this many seeds, from --seed on")->check(CLI::Range(1, 1000000));
  app.add_option("--threads", options.threads, "blocks at a time; 0 means one for each CPU")->check(CLI::Range(0, 256));
  app.add_option("--limit", options.limit, "warp instructions of a block, 0: none");
  app.add_flag("--time", options.time, "print how fast the interpreter was");
}

static int list(const emulator::Module &module) {
  printf("PTX %u.%u for %s\n", module.version() / 10, module.version() % 10, module.target().c_str());
  for (const emulator::EntryInfo &entry : module.entries()) {
    printf("%s: %u instructions, %u bytes of static shared memory%s, %u bytes of local memory\n", entry.name.c_str(),
           entry.instructions, entry.sharedBytes, entry.usesDynamicShared ? " and dynamic" : "", entry.localBytes);
    for (const emulator::Parameter &parameter : entry.parameters)
      printf("  %s: %u bytes%s\n", parameter.name.c_str(), parameter.bytes, parameter.isPointer ? ", a pointer" : "");
  }
  return 0;
}

/// Runs with one seed; arguments are made anew.
static int runOnce(const emulator::Module &module, emulator::Memory &memory, const emulator::EntryInfo &entry,
                   const Options &options, const emulator::Options &how, bool printsCounts) {
  std::vector<tool::KernelArgument> arguments;
  for (const std::string &text : options.arguments) {
    Result<tool::KernelArgument> argument = tool::parseArgument(text);
    if (!argument)
      return fail(argument.error().message());
    arguments.push_back(std::move(*argument));
  }
  Result<std::vector<uint8_t>> params = tool::passArguments(arguments, entry, memory);
  if (!params)
    return fail(params.error().message());
  auto at = [](const std::vector<uint32_t> &sizes, size_t i) { return i < sizes.size() ? sizes[i] : 1; };
  emulator::LaunchShape shape = {at(options.grid, 0),  at(options.grid, 1),  at(options.grid, 2), at(options.block, 0),
                                 at(options.block, 1), at(options.block, 2), options.shared};
  clock_t start = clock();
  emulator::Report report = emulator::launch(module, entry.name, shape, params->data(), params->size(), how);
  double seconds = std::max(1e-6, double(clock() - start) / CLOCKS_PER_SEC);
  std::string findings;
  for (const emulator::Diagnostic &each : report.diagnostics)
    findings += each.text() + "\n";
  if (options.conflicts)
    findings += tool::conflictText(report.counts);
  for (size_t i = 0; i < arguments.size(); ++i) {
    tool::KernelArgument &argument = arguments[i];
    if (!argument.isBuffer)
      continue;
    memory.copyOut(argument.array.bytes.data(), argument.address, argument.array.bytes.size());
    memory.free(argument.address);
    if (!argument.wanted.empty()) {
      Result<std::string> difference = tool::compareWithWanted(argument, options.tolerance);
      if (!difference)
        return fail(difference.error().message());
      if (!difference->empty())
        findings += "wrong values: parameter " + entry.parameters[i].name + ": " + *difference + "\n";
    }
    if (argument.output.empty())
      continue;
    if (Result<void> written = npy::writeNpy(argument.output, argument.array.tensor()); !written)
      return fail(written.error().message());
    printf("%s: %s\n", argument.output.c_str(), npy::summaryText(argument.array.tensor()).c_str());
  }
  if (printsCounts)
    fputs(tool::profileText(report.counts).c_str(), stdout);
  if (options.time)
    printf("%llu warp instructions in %.3f processor seconds, %.1f million a second\n",
           static_cast<unsigned long long>(report.counts.warpInstructions), seconds,
           double(report.counts.warpInstructions) / seconds / 1e6);
  fputs(findings.c_str(), stdout);
  return findings.empty() ? 0 : Reported;
}

int main(int argc, char **argv) {
  CLI::App app("Runs PTX kernels without a GPU.", "tamis-ptx");
  app.require_subcommand(1);
  Options options;
  CLI::App *run = app.add_subcommand("run", "run a kernel, without checks");
  CLI::App *check = app.add_subcommand("check", "run a kernel and report what is wrong with it");
  CLI::App *profile = app.add_subcommand("profile", "run a kernel and count what it does");
  CLI::App *show = app.add_subcommand("list", "print the kernels of a text");
  show->add_option("file", options.file, "PTX text")->required();
  for (CLI::App *each : {run, check, profile})
    addOptions(*each, options);
  check->add_flag("--conflicts", options.conflicts, "report conflicts over banks of shared memory, too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : Refused;
  }

  Result<std::string> text = npy::readFile(options.file);
  if (!text)
    return fail(text.error().message());
  emulator::Memory memory;
  emulator::ParseResult parsed = emulator::parseModule(*text, memory);
  for (const emulator::ParseError &error : parsed.errors)
    fprintf(stderr, "%s:%u: error: %s\n", options.file.c_str(), error.line, error.message.c_str());
  if (!parsed.module)
    return Refused;
  if (*show)
    return list(*parsed.module);
  const std::vector<emulator::EntryInfo> &entries = parsed.module->entries();
  if (entries.empty())
    return fail(options.file + " has no entry");
  if (options.entry.empty() && entries.size() > 1)
    return fail(options.file + " has " + std::to_string(entries.size()) + " entries: name one by --entry");
  const emulator::EntryInfo *entry = options.entry.empty() ? &entries[0] : parsed.module->entry(options.entry);
  if (!entry)
    return fail(options.file + " has no entry '" + options.entry + "'");

  emulator::Options how;
  how.checks = bool(*check);
  how.traffic = bool(*profile) || options.conflicts;
  how.threads = options.threads;
  how.instructionLimit = options.limit;
  int result = 0;
  for (uint64_t i = 0; i < options.seeds && result == 0; ++i) {
    how.seed = options.seed + i;
    result = runOnce(*parsed.module, memory, *entry, options, how, bool(*profile));
  }
  if (fflush(stdout) || ferror(stdout))
    return fail("cannot write to standard output");
  return result;
}
