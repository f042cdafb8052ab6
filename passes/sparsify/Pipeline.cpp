// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The order of the sparsify phase.
#include "passes/sparsify/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tamis::sparsify {

#define GEN_PASS_REGISTRATION
#include "passes/sparsify/Passes.h.inc"

void buildSparsifyPipeline(OpPassManager &manager, llvm::StringRef pattern) {
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createChoosePattern(ChoosePatternOptions{pattern.str()}));
  functions.addPass(createLowerSelection());
  // Two attentions of the same operands select once.
  functions.addPass(createCSEPass());
  functions.addPass(createStoreIndices());
}

void registerSparsifyPasses() {
  registerSparsifyPhasePasses();
}

} // namespace tamis::sparsify
