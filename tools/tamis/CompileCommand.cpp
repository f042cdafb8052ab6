// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tamis compile: a model becomes a plan.

#include "runtime/npy/NpyFile.h"
#include "tools/tamis/Command.h"
#include "tools/tamis/Compiler.h"
#include "tools/tamis/Table.h"
#include "tools/tamis/Terminal.h"
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace tamis::tool {

namespace {
struct Options {
  std::string model, output, targets = "cpu", weights, attention, cache, decodeAttention, lastPhase, dumpFolder;
  std::string precision, precisionCandidates, precisionPolicy;
  std::string attentionWeights, maxError, candidates, report, gpuDecisions, gpuChoices, gpuPrecision;
  std::vector<std::string> dims, calibration;
  int threads = 0;
  int64_t denseBelow = -1;
  bool bytecode = false, withWeights = false, tune = false, externalData = false, writesOnnx = false, quiet = false,
       verbose = false;
};

/// Phases as they go: the one at work on the terminal's line, those done with their time.
class PhaseReport {
public:
  explicit PhaseReport(const Options &options)
      : shown(!options.quiet && (options.verbose || hasTerminal())), line(shown && hasTerminal()) {}

  void operator()(const char *phase, double seconds) {
    if (!shown)
      return;
    if (seconds < 0)
      return line.show(format("%-8s ...", phase));
    line.clear();
    fprintf(stderr, "%-8s %10s\n", phase, secondsText(seconds).c_str());
  }
  void activity(const std::string &what) {
    if (shown)
      line.show(what);
  }
  void finish() { line.clear(); }

private:
  bool shown;
  ProgressLine line;
};
} // namespace

/// "x86-64-v4", "cuda:sm_80" and the like, from "cpu", "host", "cpu:znver4,x86-64-v3", "cuda:sm_80,sm_90a".
/// With `isNarrow`, "cpu" has code for processors that multiply bytes several at a time too, with `mayRound` for those
/// that do so with bf16.
static std::vector<std::string> parseTargets(const std::string &text, bool isNarrow, bool mayRound) {
  std::vector<std::string> targets;
  for (std::string &part : CLI::detail::split(text, ',')) {
    if (part == "cpu" && isNarrow) // x86-64-v4 and AMX, x86-64-v4 and avx512vnni
      targets.insert(targets.end(), {"sapphirerapids", "cascadelake"});
    if (part == "cpu" && mayRound) // cascadelake and avx512bf16
      targets.push_back("cooperlake");
    if (part == "cpu")
      targets.insert(targets.end(), {"x86-64-v4", "x86-64-v3"});
    else if (part.rfind("sm_", 0) == 0)
      targets.push_back("cuda:" + part);
    else
      targets.push_back(part.substr(0, 4) == "cpu:" ? part.substr(4) : part);
  }
  return targets;
}

/// What CLI11 did not know: flags of MLIR, or mistakes.
static Result<std::vector<std::string>> takeMlirFlags(const CLI::App &app) {
  std::vector<std::string> flags;
  for (const std::string &text : app.remaining()) {
    bool known = false;
    for (const char *prefix : {"--mlir-", "-mlir-", "--debug", "-debug"})
      known |= !text.rfind(prefix, 0);
    if (!known)
      return Error(TAMIS_INVALID_ARGUMENT, text[0] == '-'
                                               ? "unknown option '" + text + "'"
                                               : "one model is compiled at a time, '" + text + "' is another");
    flags.push_back(text);
  }
  return flags;
}

/// "1%" or "0.01".
static bool parseShare(const std::string &text, double &share) {
  char *end;
  errno = 0;
  share = strtod(text.c_str(), &end);
  bool percent = *end == '%';
  share /= percent ? 100 : 1;
  return !text.empty() && !end[percent] && !errno && share > 0 && share <= 1;
}

/// What --attention, and the options that go with it, ask for; an error when they do not fit each other.
static Result<void> readAttention(const Options &options, CompileRequest &request) {
  request.attention = options.attention;
  request.attentionWeights = options.attentionWeights;
  request.calibration = options.calibration;
  request.candidates = options.candidates;
  request.denseBelow = options.denseBelow;
  bool isAuto = options.attention == "auto", anyAuto = isAuto || options.precision == "auto";
  for (auto [name, text] : {std::pair("--max-error", &options.maxError), std::pair("--report", &options.report)})
    if (!anyAuto && !text->empty())
      return Error(TAMIS_INVALID_ARGUMENT, std::string(name) + " is for --attention=auto and --precision=auto");
  if (!isAuto && !options.candidates.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "--candidates is for --attention=auto");
  if (isAuto && options.calibration.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "--attention=auto chooses by what attention does to passages, and "
                                         "--calibrate=FILE.npz, which holds some, is missing");
  if (!options.maxError.empty() && !parseShare(options.maxError, request.maxError))
    return Error(TAMIS_INVALID_ARGUMENT,
                 "--max-error: '" + options.maxError + "' is no share above 0%, up to 100%, such as 1% or 0.01");
  return {};
}

/// The same of --precision.
static Result<void> readPrecision(const Options &options, CompileRequest &request) {
  request.precision = options.precision;
  request.precisionCandidates = options.precisionCandidates;
  bool isAuto = options.precision == "auto";
  if (!options.precision.empty() && !options.weights.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "--weights gives all layers one precision and --precision each its own; one "
                                         "of them is wanted");
  for (auto [name, text] : {std::pair("--precision-candidates", &options.precisionCandidates),
                            std::pair("--precision-policy", &options.precisionPolicy)})
    if (!isAuto && !text->empty())
      return Error(TAMIS_INVALID_ARGUMENT, std::string(name) + " is for --precision=auto");
  if (isAuto && options.calibration.empty())
    return Error(TAMIS_INVALID_ARGUMENT, "--precision=auto chooses by what precision does to passages, and "
                                         "--calibrate=FILE.npz, which holds some, is missing");
  return {};
}

static std::string joined(const std::vector<std::string> &words) {
  std::string text;
  for (const std::string &word : words)
    text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// What is said of choices at the end, before the line that sums up.
static Result<void> reportChoices(const Options &options, const CompileSummary &summary) {
  if (!options.report.empty())
    if (Result<void> written = npy::writeFile(options.report, summary.reportJson); !written)
      return written;
  if (!options.precisionPolicy.empty())
    if (Result<void> written = npy::writeFile(options.precisionPolicy, summary.precisionPolicy + "\n"); !written)
      return written;
  if (options.quiet || !options.lastPhase.empty())
    return {};
  fputs(summary.report.c_str(), stdout);
  if (!summary.fileWeights.empty())
    printf("read weights of patterns: %s\n", joined(summary.fileWeights).c_str());
  if (!summary.fittedWeights.empty())
    printf("fitted weights of patterns: %s\n", joined(summary.fittedWeights).c_str());
  return {};
}

/// The options that are for GPU targets alone.
static Result<void> readGpuOptions(const Options &options, CompileRequest &request) {
  bool hasGpu = std::any_of(request.targets.begin(), request.targets.end(),
                            [](const std::string &target) { return target.rfind("cuda:", 0) == 0; });
  for (auto [name, text] :
       {std::pair("--gpu-decisions", &options.gpuDecisions), std::pair("--gpu-choices", &options.gpuChoices),
        std::pair("--gpu-precision", &options.gpuPrecision)})
    if (!hasGpu && !text->empty())
      return Error(TAMIS_INVALID_ARGUMENT, std::string(name) + " is for targets as --target=cuda:sm_80");
  if (options.tune && !hasGpu)
    return Error(TAMIS_INVALID_ARGUMENT, "--tune is for targets as --target=cuda:sm_80");
  request.gpuBf16 = options.gpuPrecision == "bf16";
  request.tune = options.tune;
  request.gpuChoices = options.gpuChoices;
  return {};
}

/// Pages are the default where they can be: patterns and passages know the contiguous form, and GPUs have no other.
static Result<void> readCache(const Options &options, CompileRequest &request) {
  bool hasGpu = std::any_of(request.targets.begin(), request.targets.end(),
                            [](const std::string &target) { return target.rfind("cuda:", 0) == 0; });
  bool isSparse = !options.attention.empty() && options.attention != "dense";
  bool selects = !options.decodeAttention.empty() && options.decodeAttention != "dense";
  request.isCacheAsked = !options.cache.empty() || selects;
  request.decodeAttention = options.decodeAttention;
  request.cache = options.cache;
  if (request.cache.empty() && selects)
    request.cache = "f32(page=16)"; // bounds of many keys are those of none
  else if (request.cache.empty())
    request.cache = hasGpu || isSparse || !options.calibration.empty() ? "contiguous" : "f32";
  if (request.cache.rfind("contiguous", 0) == 0)
    return {};
  if (hasGpu)
    return Error(TAMIS_INVALID_ARGUMENT, "--cache=" + request.cache + " is for CPUs; plans for GPUs take contiguous");
  if (isSparse)
    return Error(TAMIS_INVALID_ARGUMENT, "--cache=" + request.cache + " does not go with --attention=" +
                                             options.attention + " but contiguous does");
  return {};
}

static bool isOnnx(const std::string &path) {
  return std::filesystem::path(path).extension() == ".onnx";
}

static std::string summaryLine(const Options &options, const CompileSummary &summary, double seconds) {
  std::error_code ignored;
  auto bytes = double(std::filesystem::file_size(options.output, ignored));
  if (options.writesOnnx)
    return format("%s: %zu weights quantized, %s, in %s\n", options.output.c_str(), summary.quantized,
                  bytesText(bytes).c_str(), secondsText(seconds).c_str());
  return format("%s: %zu dispatches of %zu kernels, %s, compiled in %s\n", options.output.c_str(), summary.dispatches,
                summary.kernels, bytesText(bytes).c_str(), secondsText(seconds).c_str());
}

/// Whether layers are, or may be, computed in int8 or bf16; in bf16.
static bool mayBeNarrow(const Options &options) {
  return options.weights.rfind("int8", 0) == 0 || (!options.precision.empty() && options.precision != "f32");
}
static bool mayRound(const Options &options) {
  return options.weights.empty() && mayBeNarrow(options) && options.precision.rfind("int", 0) != 0;
}

static int compile(const CLI::App &app, const Options &options) {
  auto start = std::chrono::steady_clock::now();
  CompileRequest request;
  request.model = options.model;
  request.output = options.output;
  request.weights = options.weights;
  request.targets = parseTargets(options.targets, mayBeNarrow(options), mayRound(options));
  request.lastPhase = options.lastPhase;
  request.bytecode = options.bytecode;
  request.externalData = options.externalData;
  request.withWeights = options.withWeights;
  request.dumpFolder = options.dumpFolder;
  request.threads = options.threads;
  if (Result<std::vector<std::string>> flags = takeMlirFlags(app); flags)
    request.mlirFlags = std::move(*flags);
  else
    return failUsage(flags.error().message() + "; tamis compile --help lists the options");
  if (Result<std::vector<DimRange>> dims = parseDimRanges(options.dims); dims)
    request.dims = std::move(*dims);
  else
    return failUsage(dims.error().message());
  if (Result<void> attention = readAttention(options, request); !attention)
    return failUsage(attention.error().message());
  if (Result<void> precision = readPrecision(options, request); !precision)
    return failUsage(precision.error().message());
  if (Result<void> gpu = readGpuOptions(options, request); !gpu)
    return failUsage(gpu.error().message());
  if (Result<void> cache = readCache(options, request); !cache)
    return failUsage(cache.error().message());
  if (options.output.empty() && options.lastPhase.empty())
    return failUsage("-o PLAN is missing, and no --compile-to");
  if (isOnnx(options.output) && options.lastPhase.empty() && !options.writesOnnx)
    return failUsage("-o: '" + options.output +
                     "' would be an ONNX file, but plans are written; tamis quantize writes both");
  if (options.bytecode && options.lastPhase.empty())
    return failUsage("--emit-bytecode is for --compile-to");
  if (options.withWeights &&
      ((options.lastPhase != "import" && options.lastPhase != "graph") || options.output.empty()))
    return failUsage("--with-weights is for --compile-to=import and --compile-to=graph with -o FILE.mlir");
  if (request.output.empty())
    request.output = "-";

  Result<Compiler *> compiler = loadCompiler();
  if (!compiler)
    return fail(compiler.error());
  PhaseReport report(options);
  request.progress = std::ref(report);
  request.activity = [&](const std::string &what) { report.activity(what); };
  CompileSummary summary;
  bool done = (*compiler)->compile(request, summary);
  report.finish();
  if (!done)
    return kFailure;
  if (Result<void> told = reportChoices(options, summary); !told)
    return fail(told.error());
  if (!options.gpuDecisions.empty())
    if (Result<void> written = npy::writeFile(options.gpuDecisions, summary.gpuDecisions); !written)
      return fail(written.error());
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!options.quiet && options.lastPhase.empty())
    fputs(summaryLine(options, summary, seconds).c_str(), stdout);
  return kSuccess;
}

Command addCompileCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("compile", "Compile a model into a plan");
  auto options = std::make_shared<Options>();
  app->allow_extras(); // MLIR's flags
  app->add_option("MODEL", options->model, "ONNX file, Hugging Face folder, or textual graph (.mlir)")->required();
  app->add_option("-o,--output", options->output, "the plan; with --compile-to the IR")->option_text("FILE");
  app->add_option("--target", options->targets,
                  "what to generate code for, separated by commas: cpu (x86-64-v4 and x86-64-v3 in one plan), host, "
                  "x86-64-v2, x86-64-v3, x86-64-v4, cpu:NAME such as cpu:znver4, aarch64, aarch64+dotprod; cuda:sm_80 "
                  "and other NVIDIA "
                  "GPUs, as PTX")
      ->option_text("LIST [cpu]");
  addList(*app, "--dim", options->dims, "range of a named size, or the size itself; may be repeated")
      ->option_text("NAME=LOW..HIGH | NAME=NUMBER");
  app->add_option("--weights", options->weights,
                  "how weights are stored: int8, int4, both also with (group=32), (asymmetric), (algorithm=rtn, "
                  "smoothquant or gptq) or several of these; by default as the model has them")
      ->option_text("TYPE");
  app->add_option("--precision", options->precision,
                  "what each layer is stored and computed in: f32, bf16, one of --weights, or mixed (attention's in "
                  "bf16, others in "
                  "int8); @FILE.json names them by layer; budget: f32, bf16 and int8 as paths of one plan; "
                  "auto chooses them")
      ->option_text("PRECISION | @FILE | auto");
  app->add_option(
         "--attention", options->attention,
         "which keys attention reads: dense, or a pattern with its parameters, such as 'window(size=128, sinks=4)', "
         "'local_global(block=64)', 'block_top_k(k=8)', 'top_k(k=32)', 'fraction(share=0.3)'; @FILE.json names "
         "patterns by "
         "layer and head; auto chooses them")
      ->option_text("PATTERN | @FILE | auto [dense]");
  app->add_option(
         "--cache", options->cache,
         "of language models, how keys and values of earlier tokens are kept: in pages of f32 or int8, written in "
         "place, also with (page=32); contiguous: the caller's, the default with --attention, --calibrate and "
         "GPUs")
      ->option_text("f32 | int8 | contiguous [f32]");
  app->add_option(
         "--decode-attention", options->decodeAttention,
         "which pages of a long text single tokens read: dense, or page_bounds(pages=64), those whose keys may "
         "fit best; pages have 16 tokens then, unless --cache says otherwise")
      ->option_text("PATTERN [dense]");
  addList(*app, "--calibrate", options->calibration,
          "passages, NumPy arrays named as the model's inputs whose first axis counts passages; may be repeated")
      ->option_text("FILE.npz");
  app->add_option("--attention-weights", options->attentionWeights,
                  "weights that patterns have of their own, named attention.LAYER.NAME; else --calibrate fits them")
      ->option_text("FILE.safetensors");
  app->add_option("--dense-below", options->denseBelow,
                  "attention of fewer keys stays dense, in the same plan; by default as a policy or auto says, else 0")
      ->check(CLI::Range(int64_t(0), int64_t(INT32_MAX)))
      ->option_text("N");
  app->add_option(
         "--max-error", options->maxError,
         "with --attention=auto and --precision=auto, together: what the cosine of any output with the dense f32 "
         "model's may lack of 1")
      ->option_text("SHARE [1%]");
  app->add_option("--candidates", options->candidates,
                  "with --attention=auto: the patterns to try, separated by commas")
      ->option_text("PATTERNS");
  app->add_option("--precision-candidates", options->precisionCandidates,
                  "with --precision=auto: the precisions to try, separated by commas")
      ->option_text("LIST [int8,int4(group=32)]");
  app->add_option("--precision-policy", options->precisionPolicy,
                  "with --precision=auto: write what was chosen, to edit and to give back as --precision=@FILE.json")
      ->option_text("FILE.json");
  app->add_option("--report", options->report,
                  "with --attention=auto and --precision=auto: write what was chosen and why, as JSON")
      ->option_text("FILE.json");
  app->add_option("--gpu-decisions", options->gpuDecisions,
                  "write how each GPU kernel was cut and what else was thought of, as JSON")
      ->option_text("FILE.json");
  app->add_option("--gpu-choices", options->gpuChoices,
                  "take the tiles that such a file has as \"chosen\", instead of the cost model's")
      ->option_text("FILE.json");
  app->add_option("--gpu-precision", options->gpuPrecision,
                  "what products on GPUs round their operands to; sums are of f32")
      ->option_text("f16|bf16 [f16]")
      ->check(CLI::IsMember({"f16", "bf16"}));
  app->add_flag("--tune", options->tune,
                "cut GPU kernels by what the PTX interpreter counts of every candidate, instead of by the cost model");
  app->add_option("--threads", options->threads, "threads of the compiler; 0 means one for each CPU")
      ->check(CLI::Range(0, 1024))
      ->option_text("N [0]");
  app->add_flag("-q,--quiet", options->quiet, "print errors alone");
  app->add_flag("-v,--verbose", options->verbose, "print phases and their times in a pipe, too");

  app->add_option("--compile-to", options->lastPhase,
                  "stop after a phase (import, graph, sparsify, tile, target, plan) and print the IR, on standard "
                  "output or to -o")
      ->option_text("PHASE")
      ->check(CLI::IsMember({"import", "graph", "sparsify", "tile", "target", "plan"}))
      ->group("Looking inside");
  app->add_flag("--emit-bytecode", options->bytecode, "with --compile-to: MLIR's binary form")->group("Looking inside");
  app->add_flag(
         "--with-weights", options->withWeights,
         "with --compile-to=import or graph and -o NAME.mlir: write NAME.safetensors, too, so that the graph can be "
         "compiled and run by itself")
      ->group("Looking inside");
  app->add_option("--dump-phases", options->dumpFolder, "write MODEL.N.PHASE.mlir after each phase into a folder")
      ->option_text("FOLDER")
      ->group("Looking inside");
  app->footer("MLIR's flags for printing, timing and statistics are understood, too, written with '=':\n"
              "  --mlir-print-ir-after-all  --mlir-print-ir-after=PASS  --mlir-print-debuginfo  --mlir-timing  ...\n"
              "`tamis-opt --help` describes them.");
  return {app, [app, options] { return compile(*app, *options); }};
}

/// Quantizes the weights of a model: a compilation with --weights, in the words of tools that do this alone.
Command addQuantizeCommand(CLI::App &parent) {
  CLI::App *app = parent.add_subcommand("quantize", "Quantize the weights of a model: a plan, or an ONNX file");
  struct Words {
    std::string method = "symmetric", algorithm;
    int bits = 8, group = 0;
  };
  auto options = std::make_shared<Options>();
  auto words = std::make_shared<Words>();
  app->add_option("--model", options->model, "ONNX file, Hugging Face folder, or textual graph (.mlir)")->required();
  app->add_option("-o,--output", options->output,
                  "the plan; a name that ends in .onnx: of an ONNX file, an ONNX file of integers")
      ->required()
      ->option_text("FILE");
  app->add_option("--method", words->method, "symmetric: around zero; asymmetric: between the extremes of each group")
      ->check(CLI::IsMember({"symmetric", "asymmetric"}))
      ->option_text("METHOD [symmetric]");
  app->add_option("--bits", words->bits, "bits of an integer: 8 or 4")
      ->check(CLI::IsMember({8, 4}))
      ->option_text("N [8]");
  app->add_option("--group", words->group, "inputs of a layer that share a scale; by default all of an output's")
      ->check(CLI::Range(1, INT32_MAX))
      ->option_text("N");
  app->add_option(
         "--algorithm", words->algorithm,
         "rtn: to nearest; smoothquant: columns of inputs and weights are made alike first; gptq: then rounding "
         "by what the inputs are like. By default gptq with --calibrate, else rtn")
      ->check(CLI::IsMember({"rtn", "smoothquant", "gptq"}))
      ->option_text("ALGORITHM");
  addList(*app, "--calibrate", options->calibration,
          "passages, NumPy arrays named as the model's inputs whose first axis counts passages; may be repeated")
      ->option_text("FILE.npz");
  app->add_option("--target", options->targets, "what to generate code for, as of tamis compile")
      ->option_text("LIST [cpu]");
  addList(*app, "--dim", options->dims, "range of a named size, or the size itself; may be repeated")
      ->option_text("NAME=LOW..HIGH | NAME=NUMBER");
  app->add_flag("--external-data", options->externalData,
                "with --output=FILE.onnx: tensors lie in FILE.onnx.data, as they do in any case beyond 2 GB");
  app->add_flag("-q,--quiet", options->quiet, "print errors alone");
  return {app, [app, options, words] {
            options->writesOnnx = isOnnx(options->output);
            if (!options->writesOnnx && options->externalData)
              return failUsage("--external-data is for --output=FILE.onnx");
            if (options->writesOnnx && app->count("--target"))
              return failUsage("--target is for plans, and '" + options->output + "' would be an ONNX file");
            options->weights = "int" + std::to_string(words->bits) + "(" + words->method +
                               (words->group ? ", group=" + std::to_string(words->group) : "") +
                               (words->algorithm.empty() ? "" : ", algorithm=" + words->algorithm) + ")";
            return compile(*app, *options);
          }};
}

} // namespace tamis::tool
