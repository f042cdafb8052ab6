// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of contents: the phases of a compilation, in order, one function each.
#pragma once

#include "codegen/plan/PlanWriter.h"
#include "codegen/schedule/Target.h"
#include "lib/import/Import.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"
#include <optional>
#include <vector>

namespace tamis {

/// Stations of a compilation. One word each, the same in code, flags, dumps and docs.
enum class Phase { import, graph, sparsify, tile, target, plan };
inline constexpr Phase kPhases[] = {Phase::import, Phase::graph,  Phase::sparsify,
                                    Phase::tile,   Phase::target, Phase::plan};
llvm::StringRef phaseName(Phase phase);
std::optional<Phase> parsePhase(llvm::StringRef name);

/// graph, `model` -> `model`. Guarantees: constants folded; norms, activations, attention, linears and embeddings
/// raised to their ops; no reshape or transpose left that an op could read through; dead code gone. Without `merges`
/// linears that read the same input stay apart, each with the weight that the file has.
void addGraphPhase(mlir::OpPassManager &manager, bool merges = true);

/// sparsify, `model` -> `sattn`. Guarantees: attention with a pattern, or with a mask that is known and leaves out
/// much, reads explicit selections; `pattern` as in tamis-choose-pattern, empty for dense attention; `weights` may hold
/// masks.
void addSparsifyPhase(mlir::OpPassManager &manager, llvm::StringRef pattern, const WeightStore *weights = nullptr);
/// Its three parts: masks that are known become rules; attention gets its patterns; patterns become selections. Between
/// the last two the patterns' own weights are named `model.weight`s, which may still be nowhere.
void addMaskPass(mlir::OpPassManager &manager, const WeightStore *weights);
void addChoosePass(mlir::OpPassManager &manager, llvm::StringRef pattern, int64_t denseBelow = -1);
void addSelectionPasses(mlir::OpPassManager &manager, const WeightStore *weights = nullptr);

/// tile, tensors -> tiles. Guarantees: `main` holds plan ops alone; one module a target holds each kernel as a function
/// over a range of work groups, on flat buffers.
void addTilePhase(mlir::OpPassManager &manager, llvm::ArrayRef<CpuTarget> targets);
/// Before it: weights that come packed, and stay so, in the form that kernels unpack.
void addPackPass(mlir::OpPassManager &manager);
/// Its two parts; programs for GPUs part from the CPU's between them (GpuPrograms.h). `forGpus`: dispatches are such
/// that GPUs have kernels for all of them.
void addDispatchPass(mlir::OpPassManager &manager, bool forGpus = false);
void addTilePasses(mlir::OpPassManager &manager, llvm::ArrayRef<CpuTarget> targets);

/// target, tiles -> LLVM. Guarantees: kernels are in the LLVM dialect behind the ABI of a plan; `code` holds, target by
/// target, an image that needs no relocation and calls nothing outside of itself.
mlir::LogicalResult runTargetPhase(mlir::ModuleOp module, llvm::ArrayRef<CpuTarget> targets,
                                   std::vector<CodeSection> &code);

/// plan, modules -> `plan` -> file. Guarantees: every result of a dispatch has its place in the arena.
void addPlanPhase(mlir::OpPassManager &manager);

} // namespace tamis
