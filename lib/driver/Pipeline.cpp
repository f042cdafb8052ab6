// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of contents: the phases of a compilation, in order, one function each.
#include "lib/driver/Pipeline.h"

#include "codegen/cpu/CompileKernels.h"
#include "codegen/plan/Passes.h"
#include "codegen/tile/Passes.h"
#include "mlir/Transforms/Passes.h"
#include "passes/graph/Passes.h"
#include "passes/sparsify/Passes.h"
#include "llvm/BinaryFormat/ELF.h"

using namespace mlir;
using namespace tamis;

llvm::StringRef tamis::phaseName(Phase phase) {
  switch (phase) {
  case Phase::import:
    return "import";
  case Phase::graph:
    return "graph";
  case Phase::sparsify:
    return "sparsify";
  case Phase::tile:
    return "tile";
  case Phase::target:
    return "target";
  case Phase::plan:
    return "plan";
  }
  llvm_unreachable("unknown phase");
}

std::optional<Phase> tamis::parsePhase(llvm::StringRef name) {
  for (Phase phase : kPhases)
    if (phaseName(phase) == name)
      return phase;
  return std::nullopt;
}

void tamis::addGraphPhase(OpPassManager &manager, bool merges) {
  graph::buildGraphPipeline(manager, merges);
}

void tamis::addSparsifyPhase(OpPassManager &manager, llvm::StringRef pattern, const WeightStore *weights) {
  sparsify::buildSparsifyPipeline(manager, pattern, weights);
}

void tamis::addMaskPass(OpPassManager &manager, const WeightStore *weights) {
  sparsify::buildMaskPipeline(manager, weights);
}

void tamis::addChoosePass(OpPassManager &manager, llvm::StringRef pattern, int64_t denseBelow) {
  sparsify::buildChoosePipeline(manager, pattern, denseBelow);
}

void tamis::addSelectionPasses(OpPassManager &manager, const WeightStore *weights) {
  sparsify::buildSelectionPipeline(manager, weights);
}

void tamis::addTilePhase(OpPassManager &manager, llvm::ArrayRef<CpuTarget> targets) {
  addDispatchPass(manager);
  addTilePasses(manager, targets);
}

void tamis::addDispatchPass(OpPassManager &manager, bool forGpus) {
  manager.addPass(createLowerQuantization());
  manager.addPass(createFormDispatches(FormDispatchesOptions{forGpus}));
}

void tamis::addPackPass(OpPassManager &manager) {
  manager.addPass(createPackWeights());
}

void tamis::addTilePasses(OpPassManager &manager, llvm::ArrayRef<CpuTarget> targets) {
  for (const CpuTarget &target : targets)
    manager.addPass(createTileKernels(TileKernelsOptions{target.name}));
  manager.addPass(createDropKernels());
}

LogicalResult tamis::runTargetPhase(ModuleOp module, llvm::ArrayRef<CpuTarget> targets,
                                    std::vector<CodeSection> &code) {
  for (const CpuTarget &target : targets) {
    auto kernels = module.lookupSymbol<ModuleOp>(target.name);
    if (!kernels)
      continue; // nothing to compute
    auto image = compileKernels(kernels, target);
    if (!image)
      return module.emitError("cannot generate code for ") << target.name << ": " << llvm::toString(image.takeError());
    CodeSection &section = code.emplace_back();
    section.name = target.name;
    section.machine = target.isArm() ? llvm::ELF::EM_AARCH64 : llvm::ELF::EM_X86_64;
    section.features = target.features;
    section.image.assign(image->bytes.begin(), image->bytes.end());
    for (const KernelImage::Kernel &kernel : image->kernels)
      section.kernels.push_back({kernel.name, kernel.entry, kernel.size});
  }
  return success();
}

void tamis::addPlanPhase(OpPassManager &manager) {
  manager.addPass(createPlaceBuffers());
}
