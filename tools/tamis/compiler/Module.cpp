// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler's module: what `tamis` loads when a command needs more than the runtime.
#include "lib/driver/Compile.h"
#include "lib/driver/Cubin.h"
#include "lib/driver/QuantizedOnnx.h"
#include "lib/driver/Register.h"
#include "tools/tamis/Compiler.h"
#include "tools/tamis/compiler/Diagnostics.h"
#include "tools/tamis/compiler/EvaluatedModel.h"
#include "tools/tamis/compiler/OutputFile.h"
#include "tools/tamis/compiler/Reducer.h"
#include "tools/tamis/compiler/WeightFile.h"

#include "dialects/plan/PlanDialect.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/AsmState.h"
#include "mlir/Support/Timing.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::tool;

namespace {

bool printError(const Twine &message) {
  llvm::errs() << "error: " << message << '\n';
  return false;
}

/// MLIR's own flags, which are process-wide. Contexts read theirs when they are made.
bool parseMlirFlags(ArrayRef<std::string> flags) {
  SmallVector<const char *> arguments{"tamis compile"};
  for (const std::string &flag : flags)
    arguments.push_back(flag.c_str());
  std::string message;
  llvm::raw_string_ostream stream(message);
  llvm::cl::ResetAllOptionOccurrences();
  if (llvm::cl::ParseCommandLineOptions(arguments.size(), arguments.data(), "", &stream))
    return true;
  return printError(StringRef(message).trim());
}

/// Of the first program: those of other devices compute the same.
CompileSummary summaryOf(ModuleOp module) {
  CompileSummary summary;
  llvm::StringSet<> kernels;
  Operation *main = module.lookupSymbol("main");
  for (auto nested : module.getOps<ModuleOp>())
    main = main ? main : nested.lookupSymbol("main");
  if (!main)
    return summary;
  main->walk([&](plan::DispatchOp dispatch) {
    ++summary.dispatches;
    kernels.insert(dispatch.getKernel());
  });
  summary.kernels = kernels.size();
  return summary;
}

/// One report alone is the file; two are its members.
void describeChoices(const CompileResult &result, CompileSummary &summary) {
  if (result.precision) {
    summary.precisionPolicy = result.precision->policy;
    summary.report += result.precision->text();
    summary.reportJson = result.precision->json();
  }
  if (!result.choice)
    return;
  summary.report += result.choice->text();
  std::string attention = result.choice->json();
  summary.reportJson = summary.reportJson.empty()
                           ? attention
                           : "{\"precision\": " + summary.reportJson + ",\n\"attention\": " + attention + "}\n";
}

/// A context of `threads` threads; the pool outlives it.
struct Session {
  Session(const DialectRegistry &registry, int threads)
      : context(registry, threads == 0 ? MLIRContext::Threading::ENABLED : MLIRContext::Threading::DISABLED) {
    if (threads > 1) {
      pool = std::make_unique<llvm::DefaultThreadPool>(llvm::hardware_concurrency(threads));
      context.setThreadPool(*pool);
    }
  }
  std::unique_ptr<llvm::DefaultThreadPool> pool;
  MLIRContext context;
};

class LoadedCompiler : public Compiler {
public:
  LoadedCompiler() {
    registerAll(registry);
    registerAsmPrinterCLOptions();
    registerMLIRContextCLOptions();
    registerPassManagerCLOptions();
    registerDefaultTimingManagerCLOptions();
  }

  bool compile(const CompileRequest &request, CompileSummary &summary) override {
    if (!parseMlirFlags(request.mlirFlags))
      return false;
    CompileOptions options;
    options.model = request.model;
    options.targets = request.targets;
    options.dumpPhases = request.dumpFolder;
    if (!request.weights.empty()) {
      auto quantize = parseQuantizeOptions(request.weights);
      if (!quantize)
        return printError(llvm::toString(quantize.takeError()));
      options.quantize = *quantize;
    }
    options.precision = request.precision;
    options.choosePrecision = {request.maxError, request.precisionCandidates};
    options.attention = request.attention;
    options.attentionWeights = request.attentionWeights;
    options.calibration = request.calibration;
    options.denseBelow = request.denseBelow;
    options.choose = {request.maxError, request.candidates, {}};
    if (!request.gpuChoices.empty()) {
      auto file = llvm::MemoryBuffer::getFile(request.gpuChoices);
      if (!file)
        return printError(request.gpuChoices + ": " + file.getError().message()), false;
      auto choices = parseGpuChoices((*file)->getBuffer(), request.gpuChoices);
      if (!choices)
        return printError(llvm::toString(choices.takeError())), false;
      options.gpuChoices = std::move(*choices);
    }
    options.gpuPrecision = request.gpuBf16 ? GpuPrecision::bf16 : GpuPrecision::f16;
    options.tuneGpu = request.tune;
    if (!request.cache.empty()) {
      auto cache = parseCacheOptions(request.cache);
      if (!cache)
        return printError("--cache: " + llvm::toString(cache.takeError())), false;
      options.import.cache = *cache;
      options.import.cache.isRequired = request.isCacheAsked;
      if (!request.decodeAttention.empty())
        if (llvm::Error error = parseDecodeAttention(request.decodeAttention, options.import.cache))
          return printError("--decode-attention: " + llvm::toString(std::move(error))), false;
    }
    options.activity = request.activity;
    for (const DimRange &dim : request.dims)
      options.import.dims.push_back({dim.name, dim.min, dim.max});
    bool printsIr = !request.lastPhase.empty();
    if (printsIr) {
      std::optional<Phase> phase = parsePhase(request.lastPhase);
      if (!phase)
        return printError("no phase is called '" + request.lastPhase + "'");
      options.last = *phase;
    } else {
      options.output = request.output;
    }
    if (!checkOutputs(request))
      return false;

    DefaultTimingManager timing;
    applyDefaultTimingManagerCLOptions(timing);
    TimingScope scope = timing.getRootScope();
    Session session(registry, request.threads);
    DiagnosticPrinter printer(&session.context, request.model);
    options.configure = [&](PassManager &manager) {
      manager.enableTiming(scope);
      return applyPassManagerCLOptions(manager);
    };
    if (request.progress)
      options.progress = [&](Phase phase, double seconds) { request.progress(phaseName(phase).data(), seconds); };
    WeightStore weights;
    if (llvm::sys::path::extension(request.output) == ".onnx" && !printsIr) {
      auto count = quantizeOnnx(options, request.externalData, &session.context, weights);
      if (failed(count))
        return false;
      summary.quantized = *count;
      return true;
    }
    auto result = compileModel(options, &session.context, weights);
    if (failed(result)) {
      if (!printer.errors())
        printError(request.model + ": compilation failed without a reason, which is a bug in tamis");
      return false;
    }
    summary = summaryOf(*result->module);
    describeChoices(*result, summary);
    summary.gpuDecisions = printGpuDecisions(result->gpuDecisions);
    for (const WeightOrigin &origin : result->patternWeights)
      (origin.fitted ? summary.fittedWeights : summary.fileWeights).push_back(origin.key);
    return !printsIr || printIr(*result->module, weights, request);
  }

  std::unique_ptr<ReferenceModel> read(const std::string &model, const std::vector<DimRange> &dims,
                                       const std::string &attention) override {
    if (!parseMlirFlags({}))
      return nullptr;
    ImportOptions options;
    for (const DimRange &dim : dims)
      options.dims.push_back({dim.name, dim.min, dim.max});
    return EvaluatedModel::read(registry, model, options, attention);
  }

  bool reduce(const ReduceRequest &request, ReduceSummary &summary) override {
    if (!parseMlirFlags({}))
      return false;
    for (const std::string &file : {request.output, weightFile(request.output)})
      if (llvm::Error error = checkWritable(file))
        return printError(llvm::toString(std::move(error)));
    MLIRContext context(registry);
    DiagnosticPrinter printer(&context, request.model);
    ImportOptions options;
    for (const DimRange &dim : request.dims)
      options.dims.push_back({dim.name, dim.min, dim.max});
    WeightStore weights;
    auto module = importModel(request.model, options, &context, weights);
    if (failed(module))
      return false;
    auto write = [&](ModuleOp graph, const std::string &path) {
      if (llvm::Error error = writeWeights(graph, weights, weightFile(path)))
        return printError(llvm::toString(std::move(error)));
      llvm::Error error = writeOutput(path, [&](raw_ostream &out) {
        graph.print(out, OpPrintingFlags().enableDebugInfo());
        return true;
      });
      return !error || printError(llvm::toString(std::move(error)));
    };
    size_t tried = 0;
    auto fails = [&](ModuleOp graph) {
      if (request.progress)
        request.progress(Reducer::count(graph), tried);
      ++tried;
      return write(graph, request.candidate) && request.fails(request.candidate);
    };
    summary.before = Reducer::count(**module);
    if (!fails(**module))
      return printError(request.model + ": the fault does not show, so there is nothing to reduce");
    Reducer reducer(**module, fails);
    reducer.run();
    summary.after = Reducer::count(reducer.module());
    summary.tried = tried;
    return write(reducer.module(), request.output);
  }

  std::vector<std::pair<std::string, std::string>> facts() const override {
    std::string ptxas = findPtxas();
    if (ptxas.empty())
      ptxas = "none in PATH, and TAMIS_PTXAS names none: plans for GPUs hold PTX, which the driver compiles";
    return {{"version", compilerVersion()}, {"LLVM", LLVM_VERSION_STRING}, {"ptxas", ptxas}};
  }

  std::vector<std::string> phases() const override {
    std::vector<std::string> names;
    for (Phase phase : kPhases)
      names.push_back(phaseName(phase).str());
    return names;
  }

private:
  /// Before the work, so that it is not done in vain.
  bool checkOutputs(const CompileRequest &request) {
    SmallVector<std::string> files;
    if (request.output != "-")
      files.push_back(request.output);
    if (request.withWeights)
      files.push_back(weightFile(request.output));
    for (const std::string &file : files) {
      if (llvm::sys::fs::equivalent(file, request.model))
        return printError("cannot write '" + file + "': it is the model");
      if (llvm::Error error = checkWritable(file))
        return printError(llvm::toString(std::move(error)));
    }
    return true;
  }

  static std::string weightFile(StringRef output) {
    SmallString<128> path(output);
    llvm::sys::path::replace_extension(path, "safetensors");
    return path.str().str();
  }

  static bool printIr(ModuleOp module, const WeightStore &weights, const CompileRequest &request) {
    if (request.withWeights)
      if (llvm::Error error = writeWeights(module, weights, weightFile(request.output)))
        return printError(llvm::toString(std::move(error)));
    auto print = [&](raw_ostream &out) {
      if (request.bytecode)
        return succeeded(writeBytecodeToFile(module, out));
      module.print(out);
      return true;
    };
    if (llvm::Error error = writeOutput(request.output, print))
      return printError(llvm::toString(std::move(error)));
    return true;
  }

  DialectRegistry registry;
};

} // namespace

extern "C" Compiler *tamis_compiler_5() {
  static LoadedCompiler compiler;
  return &compiler;
}
