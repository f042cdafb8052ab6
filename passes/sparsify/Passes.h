// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sparsify phase: passes that decide what each attention reads, and write it out.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "lib/support/Weights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tamis::sparsify {

/// Marks of tamis-share-index, with the numbers of a layer and of a run of its heads: attention whose indices others
/// read, and attention that reads those of another.
inline constexpr llvm::StringLiteral kSelectsFor = "sattn.selects_for", kSharesIndexOf = "sattn.shares_index_of";

#define GEN_PASS_DECL
#include "passes/sparsify/Passes.h.inc"

/// Passes that also read masks which are weights. `weights`: null for none; else outlives the pass.
std::unique_ptr<mlir::Pass> createRecognizeMasks(const WeightStore *weights);
std::unique_ptr<mlir::Pass> createSplitFullPartial(const WeightStore *weights);

/// The phase has three parts, which add to a pass manager of modules. In: `model` IR after the graph phase. Out: masks
/// that are known at compile time are rules or indices. `weights`: as above.
void buildMaskPipeline(mlir::OpPassManager &manager, const WeightStore *weights);

/// Out: attention with patterns. The others are options of tamis-choose-pattern.
void buildChoosePipeline(mlir::OpPassManager &manager, llvm::StringRef pattern, int64_t denseBelow = -1);

/// In: attention with patterns. Out: `model` and `sattn` IR in which selection is explicit.
void buildSelectionPipeline(mlir::OpPassManager &manager, const WeightStore *weights = nullptr);

/// All of it.
void buildSparsifyPipeline(mlir::OpPassManager &manager, llvm::StringRef pattern, const WeightStore *weights = nullptr);

/// Registers the passes for command lines.
void registerSparsifyPasses();

} // namespace tamis::sparsify
