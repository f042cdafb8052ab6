// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs for GPUs, beside the CPU's in the module of a compilation.
#include "lib/driver/GpuPrograms.h"

#include "codegen/nvptx/CompileForNvptx.h"
#include "codegen/tile/Launch.h"
#include "dialects/plan/PlanDialect.h"
#include "lib/driver/GpuPrecision.h"
#include "lib/driver/GpuTuning.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/BinaryFormat/ELF.h"

using namespace mlir;
using namespace tamis;

ModuleOp tamis::addGpuProgram(ModuleOp module, const GpuTarget &target) {
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto program = ModuleOp::create(builder, module.getLoc(), target.name);
  builder.setInsertionPointToEnd(program.getBody());
  for (StringRef name : {StringRef("main"), StringRef(plan::kKernelModule)})
    if (Operation *op = module.lookupSymbol(name))
      builder.clone(*op);
  return program;
}

/// What the grid of the dispatch is multiplied by: 0 at sizes at which its result is not used. The grids of work groups
/// of a CPU and of a GPU differ, this does not.
static FailureOr<DimExpr> guardOf(plan::DispatchOp dispatch, func::FuncOp kernel) {
  auto launch = launchOf(kernel, kernel->getAttrOfType<plan::KernelAttr>(plan::kKernelAttr).getKind());
  if (failed(launch))
    return failure();
  DimExpr grid = *DimExpr::parse(dispatch.getGrid());
  if (grid == launch->grid)
    return DimExpr(1);
  if (auto guard = grid.exactDiv(launch->grid))
    return *guard;
  return dispatch.emitOpError("has the grid ")
         << grid.str() << ", which is no multiple of its kernel's, " << launch->grid.str();
}

namespace {
/// Tells of kernels that there is no code for by the dispatches that run them: one error each, once all were tried.
class Refusals {
public:
  Refusals(func::FuncOp main, ModuleOp kernels) {
    for (auto dispatch : main.getOps<plan::DispatchOp>()) {
      auto kernel = kernels.lookupSymbol<func::FuncOp>(dispatch.getKernel());
      Kernel &entry = known[dispatch.getKernel()];
      if (entry.dispatches++)
        continue;
      kernel->setLoc(NameLoc::get(StringAttr::get(kernel.getContext(), dispatch.getKernel())));
      entry.loc = dispatch.getLoc();
    }
  }

  /// For a diagnostic handler: takes errors at kernels.
  LogicalResult take(Diagnostic &diagnostic) {
    auto name = dyn_cast<NameLoc>(diagnostic.getLocation());
    auto entry = name ? known.find(name.getName()) : known.end();
    if (entry == known.end())
      return failure();
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && entry->second.reason.empty())
      refused.push_back(entry->first()), entry->second.reason = diagnostic.str();
    return success();
  }

  /// Whether there are any.
  bool report(const GpuTarget &target) {
    for (StringRef name : refused) {
      const Kernel &kernel = known[name];
      auto error = emitError(*kernel.loc) << "there is no code for " << target.name << " of dispatch '" << name << "'";
      if (kernel.dispatches > 1)
        error << ", one of " << kernel.dispatches;
      error << ": " << kernel.reason;
    }
    return !refused.empty();
  }

private:
  struct Kernel {
    unsigned dispatches = 0;
    std::optional<Location> loc;
    std::string reason;
  };
  llvm::StringMap<Kernel> known;
  SmallVector<StringRef> refused;
};
} // namespace

FailureOr<CodeSection> tamis::compileGpuProgram(ModuleOp program, const GpuTarget &target, GpuProgramOptions options,
                                                GpuDecisions &decisions) {
  auto main = program.lookupSymbol<func::FuncOp>("main");
  auto kernels = program.lookupSymbol<ModuleOp>(plan::kKernelModule);
  Refusals refusals(main, kernels);
  splitProductsOfSelections(main, kernels);
  if (options.isBf16)
    roundProductsToBf16(kernels);
  auto compile = [&] {
    ScopedDiagnosticHandler handler(program.getContext(), [&](Diagnostic &each) { return refusals.take(each); });
    return compileForNvptx(kernels, target, options.choices);
  };
  decisions.target = target.name;
  auto ptx = compile();
  if (ptx && options.tuning) {
    for (PtxModule::Kernel &kernel : ptx->kernels)
      decisions.kernels.push_back(std::move(kernel.decision));
    if (auto error = tuneGpuKernels(kernels, target, options.choices, decisions, options.ptxas, *options.tuning))
      ptx = std::move(error);
    else
      ptx = compile();
    decisions.kernels.clear();
  }
  if (!ptx) {
    std::string reason = llvm::toString(ptx.takeError());
    if (!refusals.report(target))
      emitError(program.getLoc()) << "cannot generate code for " << target.name << ": " << reason;
    return failure();
  }

  CodeSection section;
  section.name = target.name;
  section.machine = llvm::ELF::EM_CUDA;
  section.image = ptx->text;
  section.image.push_back('\0');
  llvm::StringMap<const PtxModule::Kernel *> compiled;
  for (const PtxModule::Kernel &kernel : ptx->kernels) {
    decisions.kernels.push_back(kernel.decision);
    if (decisions.counted.count(kernel.name))
      decisions.kernels.back().byHand = false;
    compiled[kernel.name] = &kernel;
    KernelEntry &entry = section.kernels.emplace_back();
    entry.name = kernel.name;
    entry.threads = kernel.threads;
    entry.shared = kernel.sharedBytes;
    for (const std::string &size : kernel.sizes)
      entry.arguments.push_back(DimExpr::symbol(size));
  }
  for (auto dispatch : main.getOps<plan::DispatchOp>()) {
    auto guard = guardOf(dispatch, kernels.lookupSymbol<func::FuncOp>(dispatch.getKernel()));
    if (failed(guard))
      return failure();
    dispatch.setGrid((compiled.lookup(dispatch.getKernel())->grid * *guard).str());
    dispatch.setScratch("0");
  }
  kernels.erase();
  return section;
}
