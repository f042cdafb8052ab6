// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The order of the graph phase.
#include "passes/graph/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tamis::graph {

#define GEN_PASS_REGISTRATION
#include "passes/graph/Passes.h.inc"

void buildGraphPipeline(OpPassManager &manager, bool merges) {
  OpPassManager &functions = manager.nest<func::FuncOp>();
  auto clean = [&] {
    functions.addPass(createCanonicalizerPass());
    functions.addPass(createCSEPass());
  };
  // Before anything is recognised: every pass behind it, and every kernel, sees f32.
  functions.addPass(createWidenHalf());
  // Exporters repeat subgraphs (the size of an axis, x - mean); matchers want one value to be one value, and constants
  // to be seen as such.
  clean();
  // First, because it removes most ops and needs nothing: what is left of masks and positions decides what attention
  // and embeddings look like.
  functions.addPass(createSimplifyIndexing());
  clean();
  functions.addPass(createRaiseEmbedding());
  // Dense layers before the reshapes around them move, norms before their scale could be taken for anything else.
  functions.addPass(createRaiseLinear());
  functions.addPass(createRaiseNorms());
  functions.addPass(createRaiseActivations());
  // Now every op that lets a reshape pass is raised; [batch*sequence, ..] layers become [batch, sequence, ..] ones.
  functions.addPass(createSinkReshapes());
  clean();
  // Wants scores, mask and softmax free of reshapes between them.
  functions.addPass(createRaiseAttention());
  // Splitting and merging heads cancels here.
  clean();
  functions.addPass(createSimplifyMasks());
  // Before layers of integers could be merged as those of floats, and after reshapes have left them.
  functions.addPass(createRaiseIntegerLinear());
  // Last: it hides projections behind slices, and only attention tells which of them belong together.
  if (merges)
    functions.addPass(createMergeLinears());
  clean();
}

void registerGraphPasses() {
  registerGraphPhasePasses();
  PassPipelineRegistration<>("tamis-graph", "the graph phase: fold, raise, merge",
                             [](OpPassManager &manager) { buildGraphPipeline(manager); });
}

} // namespace tamis::graph
