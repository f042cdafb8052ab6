// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A whole compilation, from a model's path to a plan's.
#include "lib/driver/Compile.h"

#include "dialects/plan/PlanDialect.h"
#include "lib/driver/BudgetPaths.h"
#include "lib/driver/Cubin.h"
#include "lib/driver/GpuPrograms.h"
#include "mlir/IR/AsmState.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"
#include <chrono>
#include <deque>

using namespace mlir;
using namespace tamis;

std::string tamis::compilerVersion() {
  return "tamis " TAMIS_VERSION;
}

namespace {

/// Runs phases, tells of them and dumps after them.
class Compilation {
public:
  Compilation(const CompileOptions &options, MLIRContext *context, WeightStore &weights)
      : options(options), context(context), weights(weights) {}

  FailureOr<CompileResult> run() {
    if (failed(parseTargets()))
      return failure();
    if (options.precision == kBudget && !gpus.empty())
      return error("the paths of --precision=budget are programs for CPUs; '" + gpus.front().name + "' is a GPU");
    if (failed(runPhases()))
      return failure();
    if (!paths.empty()) // what is given back of several paths is the first one's
      result.module = std::move(paths.front().compilation->result.module);
    return std::move(result);
  }

private:
  LogicalResult error(const Twine &message) { return emitError(UnknownLoc::get(context), message); }

  LogicalResult parseTargets() {
    for (const std::string &name : options.targets) {
      if (StringRef(name).starts_with("cuda:")) {
        auto gpu = GpuTarget::parse(name);
        if (!gpu)
          return error(llvm::toString(gpu.takeError()));
        if (llvm::none_of(gpus, [&](const GpuTarget &known) { return known.name == gpu->name; }))
          gpus.push_back(std::move(*gpu));
        continue;
      }
      auto target = CpuTarget::parse(name);
      if (!target)
        return error(llvm::toString(target.takeError()));
      if (llvm::none_of(targets, [&](const CpuTarget &known) { return known.name == target->name; }))
        targets.push_back(std::move(*target));
    }
    // The runtime takes the first section that the machine can run.
    llvm::sort(targets, [](const CpuTarget &a, const CpuTarget &b) {
      return std::tuple(a.lanes, a.features.size(), a.name) > std::tuple(b.lanes, b.features.size(), b.name);
    });
    return success();
  }

  /// From the graph phase on, each path has a module and a compilation of its own.
  bool hasPaths() const { return options.precision == kBudget && options.last > Phase::graph; }

  LogicalResult runPhases() {
    for (Phase phase : kPhases) {
      auto start = std::chrono::steady_clock::now();
      if (options.progress)
        options.progress(phase, -1);
      if (failed(runPhase(phase)) || failed(dump(phase)))
        return failure();
      if (options.progress)
        options.progress(phase, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      if (phase == options.last)
        break;
    }
    return success();
  }

  LogicalResult runPasses(llvm::function_ref<void(OpPassManager &)> add) {
    PassManager manager(context);
    if (options.configure && failed(options.configure(manager)))
      return failure();
    add(manager);
    return manager.run(*result.module);
  }

  LogicalResult runPhase(Phase phase) {
    if (hasPaths() && phase > Phase::graph && phase < Phase::plan)
      return runPathsPhase(phase);
    switch (phase) {
    case Phase::import: {
      auto module = importModel(options.model, options.import, context, weights);
      if (failed(module))
        return failure();
      result.module = std::move(*module);
      return success();
    }
    case Phase::graph:
      return runGraphPhase();
    case Phase::sparsify:
      return runSparsifyPhase();
    case Phase::tile:
      return runTilePhase();
    case Phase::target:
      return runTargetPhase();
    case Phase::plan:
      return runPlanPhase();
    }
    llvm_unreachable("unknown phase");
  }

  Activity activity() const {
    return options.activity ? options.activity : [](const std::string &) {};
  }

  LogicalResult runGraphPhase() {
    if (failed(runPasses([](OpPassManager &manager) { addGraphPhase(manager); })))
      return failure();
    if (options.precision == kBudget)
      return hasPaths() ? startPaths() : success();
    if (!options.precision.empty())
      return assignPrecision();
    if (!options.quantize)
      return success();
    std::vector<Passage> passages;
    if (failed(readCalibration(passages)) ||
        failed(quantizeWeights(*result.module, weights, *options.quantize, passages, activity())))
      return failure();
    // Layers that read one value quantize it once.
    return runPasses([](OpPassManager &manager) {
      manager.addPass(createCanonicalizerPass());
      manager.addPass(createCSEPass());
    });
  }

  /// One compilation a path, of a copy of the module, the weights of all in one store.
  LogicalResult startPaths() {
    for (const BudgetPath &path : budgetPaths(*result.module)) {
      CompileOptions &own = pathOptions.emplace_back(options);
      own.precision = path.precision;
      if (!paths.empty())
        own.attentionWeights.clear(); // they are in the store
      auto compilation = std::make_unique<Compilation>(own, context, weights);
      compilation->targets = targets;
      compilation->result.module = result.module->clone();
      activity()("the path '" + path.name + "'");
      if (failed(compilation->assignPrecision()))
        return failure();
      paths.push_back({path.name, std::move(compilation)});
    }
    return success();
  }

  /// Runs a phase behind the graph phase for every path.
  LogicalResult runPathsPhase(Phase phase) {
    for (Path &path : paths) {
      activity()("the path '" + path.name + "'");
      if (failed(path.compilation->runPhase(phase)))
        return failure();
    }
    return success();
  }

  LogicalResult assignPrecision() {
    Activity activity = this->activity();
    std::vector<Passage> passages;
    if (failed(readCalibration(passages)))
      return failure();
    std::string policy = options.precision;
    if (policy == "auto") {
      ChoosePrecisionOptions choose = options.choosePrecision;
      if (options.attention == "auto")
        choose.maxError /= 2;
      auto choice = choosePrecision(*result.module, weights, passages, choose, activity);
      if (failed(choice))
        return failure();
      policy = choice->policy;
      result.precision = std::move(*choice);
    }
    return quantizeLayers(*result.module, weights, policy, passages, activity);
  }

  /// None without --calibrate.
  LogicalResult readCalibration(std::vector<Passage> &passages) {
    if (options.calibration.empty())
      return success();
    auto read = readPassages(options.calibration, *result.module);
    if (succeeded(read))
      passages = std::move(*read);
    return read;
  }

  LogicalResult runSparsifyPhase() {
    Activity activity = this->activity();
    std::vector<Passage> passages;
    if (failed(readCalibration(passages)))
      return failure();
    if (!options.attentionWeights.empty())
      if (auto error = addSafetensors(weights, options.attentionWeights, context))
        return this->error(llvm::toString(std::move(error)));
    if (failed(runPasses([&](OpPassManager &manager) { addMaskPass(manager, &weights); })))
      return failure();
    std::string attention = options.attention;
    if (attention == "auto") {
      if (passages.empty())
        return error(
            "the attention is chosen by what it does to passages, and --calibrate=FILE.npz, which holds some, is "
            "missing");
      ChooseOptions choose = options.choose;
      if (result.precision) // one budget: what precision has spent is counted
        choose.right = result.precision->right;
      auto choice = chooseAttention(*result.module, weights, passages, choose, activity);
      if (failed(choice))
        return failure();
      attention = choice->policy;
      result.choice = std::move(*choice);
    }
    if (failed(runPasses([&](OpPassManager &manager) { addChoosePass(manager, attention, options.denseBelow); })))
      return failure();
    auto origins = supplyPatternWeights(*result.module, weights, passages, activity);
    if (failed(origins))
      return failure();
    result.patternWeights = std::move(*origins);
    return runPasses([&](OpPassManager &manager) { addSelectionPasses(manager, &weights); });
  }

  LogicalResult runTilePhase() {
    auto form = [&](OpPassManager &manager) { addDispatchPass(manager, /*forGpus=*/!gpus.empty()); };
    if (failed(runPasses(addPackPass)) || failed(dequantizeWeights(*result.module, weights)) || failed(runPasses(form)))
      return failure();
    bool computes = result.module->lookupSymbol<ModuleOp>(plan::kKernelModule) != nullptr;
    for (const GpuTarget &gpu : gpus)
      if (computes)
        gpuPrograms.push_back(addGpuProgram(*result.module, gpu));
    if (targets.empty() && !gpuPrograms.empty()) { // the CPU has no program
      result.module->lookupSymbol<ModuleOp>(plan::kKernelModule).erase();
      result.module->lookupSymbol("main")->erase();
      return success();
    }
    return runPasses([&](OpPassManager &manager) { addTilePasses(manager, targets); });
  }

  LogicalResult runTargetPhase() {
    for (const auto &[name, choices] : options.gpuChoices)
      if (llvm::none_of(gpus, [name = name](const GpuTarget &gpu) { return gpu.name == name; }))
        return error("tiles are chosen for '" + name + "', which the plan is not compiled for");
    if (failed(tamis::runTargetPhase(*result.module, targets, code)))
      return failure();
    bool complete = true; // every target says what it lacks
    Activity tuning = activity();
    for (auto [gpu, program] : llvm::zip(gpus, gpuPrograms)) {
      GpuProgramOptions own;
      if (auto choices = options.gpuChoices.find(gpu.name); choices != options.gpuChoices.end())
        own.choices = choices->second;
      own.isBf16 = options.gpuPrecision == GpuPrecision::bf16;
      own.tuning = options.tuneGpu ? &tuning : nullptr;
      own.ptxas = ptxas;
      auto section = compileGpuProgram(program, gpu, std::move(own), result.gpuDecisions.emplace_back());
      complete &= succeeded(section);
      if (complete)
        gpuCode.push_back(std::move(*section));
      if (complete && failed(addCubin()))
        complete = false;
    }
    return success(complete);
  }

  /// Beside the PTX that was compiled last, where there is an assembler.
  LogicalResult addCubin() {
    cubins.emplace_back();
    if (ptxas.empty())
      return success();
    activity()("assembling the code for " + gpuCode.back().name);
    auto cubin = assembleCubin(gpuCode.back(), ptxas);
    if (!cubin)
      return error(llvm::toString(cubin.takeError()));
    cubins.back() = std::move(*cubin);
    return success();
  }

  LogicalResult placeBuffers(ModuleOp program) {
    PassManager manager(context);
    if (options.configure && failed(options.configure(manager)))
      return failure();
    addPlanPhase(manager);
    return manager.run(program);
  }

  LogicalResult runPlanPhase() {
    std::vector<DeviceProgram> programs;
    for (Path &path : paths)
      programs.push_back({*path.compilation->result.module, std::move(path.compilation->code), path.name});
    if (paths.empty() && result.module->lookupSymbol("main"))
      programs.push_back({*result.module, std::move(code)});
    for (auto [program, section, cubin] : llvm::zip(gpuPrograms, gpuCode, cubins)) {
      programs.push_back({program, {}});
      programs.back().code.push_back(std::move(section));
      if (cubin)
        programs.back().code.push_back(std::move(*cubin));
    }
    for (const DeviceProgram &program : programs)
      if (failed(placeBuffers(program.module)))
        return failure();
    if (options.output.empty())
      return success();
    PlanOrigin origin{compilerVersion(), llvm::sys::path::filename(options.model).str()};
    if (result.choice)
      origin.reports.push_back({"attention", result.choice->json()});
    if (result.precision)
      origin.reports.push_back({"precision", result.precision->json()});
    if (!result.gpuDecisions.empty())
      origin.reports.push_back({"gpu", printGpuDecisions(result.gpuDecisions)});
    for (const auto &[name, text] : weights.texts())
      origin.reports.push_back({name, text});
    if (auto error = writePlan(programs, weights, origin, options.output))
      return this->error(llvm::toString(std::move(error)));
    return success();
  }

  /// NAME.N.PHASE.mlir, with large constants elided.
  LogicalResult dump(Phase phase) {
    if (options.dumpPhases.empty())
      return success();
    if (std::error_code code = llvm::sys::fs::create_directories(options.dumpPhases))
      return error("cannot make the folder '" + options.dumpPhases + "': " + code.message());
    std::string name =
        (llvm::sys::path::stem(options.model) + "." + Twine(int(phase) + 1) + "." + phaseName(phase) + ".mlir").str();
    SmallString<128> path(options.dumpPhases);
    llvm::sys::path::append(path, name);
    std::error_code code;
    llvm::ToolOutputFile file(path, code, llvm::sys::fs::OF_Text);
    if (code)
      return error("cannot write '" + path + "': " + code.message());
    ModuleOp module =
        paths.empty() || phase == Phase::graph ? *result.module : *paths.front().compilation->result.module;
    module->print(file.os(), OpPrintingFlags().elideLargeElementsAttrs(64));
    file.keep();
    return success();
  }

  struct Path {
    std::string name;
    std::unique_ptr<Compilation> compilation;
  };

  const CompileOptions &options;
  MLIRContext *context;
  WeightStore &weights;
  std::deque<CompileOptions> pathOptions; ///< which `paths` refer to
  std::vector<Path> paths;                ///< with the precision "budget"
  std::vector<CpuTarget> targets;
  std::vector<CodeSection> code;
  std::vector<GpuTarget> gpus;
  std::vector<ModuleOp> gpuPrograms; ///< of each, within the result's module
  std::vector<CodeSection> gpuCode;
  std::vector<std::optional<CodeSection>> cubins; ///< of each, where it was assembled
  std::string ptxas = findPtxas();
  CompileResult result;
};

} // namespace

FailureOr<CompileResult> tamis::compileModel(const CompileOptions &options, MLIRContext *context,
                                             WeightStore &weights) {
  return Compilation(options, context, weights).run();
}
