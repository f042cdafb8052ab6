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

void buildMaskPipeline(OpPassManager &manager, const WeightStore *weights) {
  manager.addNestedPass<func::FuncOp>(createRecognizeMasks(weights));
}

void buildChoosePipeline(OpPassManager &manager, llvm::StringRef pattern, int64_t denseBelow) {
  manager.addNestedPass<func::FuncOp>(createChoosePattern(ChoosePatternOptions{pattern.str(), denseBelow}));
}

void buildSparsifyPipeline(OpPassManager &manager, llvm::StringRef pattern, const WeightStore *weights) {
  // First: what the model says of its masks comes before what the user says of its attention.
  buildMaskPipeline(manager, weights);
  buildChoosePipeline(manager, pattern);
  buildSelectionPipeline(manager, weights);
}

void buildSelectionPipeline(OpPassManager &manager, const WeightStore *weights) {
  OpPassManager &functions = manager.nest<func::FuncOp>();
  functions.addPass(createLowerSelection());
  functions.addPass(createShareIndex());
  // attend reads unions and shared indices by itself, and one partial result is a whole one.
  functions.addPass(createCanonicalizerPass());
  // Two attentions of the same operands select once.
  functions.addPass(createCSEPass());
  functions.addPass(createSplitFullPartial(weights));
  functions.addPass(createStoreIndices());
}

void registerSparsifyPasses() {
  registerSparsifyPhasePasses();
}

} // namespace tamis::sparsify
