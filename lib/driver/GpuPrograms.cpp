// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs for GPUs, beside the CPU's in the module of a compilation.
#include "lib/driver/GpuPrograms.h"

#include "codegen/nvptx/CompileForNvptx.h"
#include "codegen/tile/Launch.h"
#include "dialects/plan/PlanDialect.h"
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
  program.walk([&](plan::ConstantOp constant) { constant.setLayout(plan::Layout::rows); });
  return program;
}

/// What the grid of the dispatch is multiplied by: 0 at sizes at which its result is not used. The grids of work groups of
/// a CPU and of a GPU differ, this does not.
static FailureOr<DimExpr> guardOf(plan::DispatchOp dispatch, func::FuncOp kernel) {
  auto launch = launchOf(kernel, kernel->getAttrOfType<plan::KernelAttr>(plan::kKernelAttr).getKind());
  if (failed(launch))
    return failure();
  DimExpr grid = *DimExpr::parse(dispatch.getGrid());
  if (grid == launch->grid)
    return DimExpr(1);
  if (auto guard = grid.exactDiv(launch->grid))
    return *guard;
  return dispatch.emitOpError("has the grid ") << grid.str() << ", which is no multiple of its kernel's, "
                                               << launch->grid.str();
}

/// Names kernels after what they compute, so that their diagnostics tell it.
static void locateKernels(func::FuncOp main, ModuleOp kernels) {
  llvm::DenseSet<Operation *> known;
  for (auto dispatch : main.getOps<plan::DispatchOp>())
    if (auto kernel = kernels.lookupSymbol<func::FuncOp>(dispatch.getKernel()); known.insert(kernel).second)
      kernel->setLoc(dispatch.getLoc());
}

FailureOr<CodeSection> tamis::compileGpuProgram(ModuleOp program, const GpuTarget &target) {
  auto main = program.lookupSymbol<func::FuncOp>("main");
  auto kernels = program.lookupSymbol<ModuleOp>(plan::kKernelModule);
  locateKernels(main, kernels);
  auto ptx = compileForNvptx(kernels, target);
  if (!ptx)
    return program.emitError("cannot generate code for ") << target.name << ": " << llvm::toString(ptx.takeError());

  CodeSection section;
  section.name = target.name;
  section.machine = llvm::ELF::EM_CUDA;
  section.image = ptx->text;
  section.image.push_back('\0');
  llvm::StringMap<const PtxModule::Kernel *> compiled;
  for (const PtxModule::Kernel &kernel : ptx->kernels) {
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
