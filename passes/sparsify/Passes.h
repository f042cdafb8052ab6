// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sparsify phase: passes that decide what each attention reads, and write it out.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "lib/support/Weights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tamis::sparsify {

#define GEN_PASS_DECL
#include "passes/sparsify/Passes.h.inc"

/// Passes that also read masks which are weights. `weights`: null for none; else outlives the pass.
std::unique_ptr<mlir::Pass> createRecognizeMasks(const WeightStore *weights);
std::unique_ptr<mlir::Pass> createSplitFullPartial(const WeightStore *weights);

/// Adds the phase to a pass manager of modules. In: `model` IR after the graph phase. Out: `model` and `sattn` IR in
/// which selection is explicit. `pattern`: as the option of tamis-choose-pattern. `weights`: as above.
void buildSparsifyPipeline(mlir::OpPassManager &manager, llvm::StringRef pattern, const WeightStore *weights = nullptr);

/// Registers the passes for command lines.
void registerSparsifyPasses();

} // namespace tamis::sparsify
