// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A whole compilation, from a model's path to a plan's.
#pragma once

#include "codegen/schedule/GpuDecision.h"
#include "lib/driver/ChooseAttention.h"
#include "lib/driver/ChoosePrecision.h"
#include "lib/driver/PatternWeights.h"
#include "lib/driver/Pipeline.h"
#include "lib/driver/QuantizeWeights.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <functional>
#include <string>

namespace tamis {

/// What products on GPUs round operands of f32 to.
enum class GpuPrecision { f16, bf16 };

struct CompileOptions {
  std::string model;                ///< what importModel takes
  std::string output;               ///< the plan; empty to write none
  std::vector<std::string> targets; ///< names for CpuTarget::parse, or "cuda:" and one for GpuTarget::parse; the plan
                                    ///< lists the most demanding CPU first
  ImportOptions import;
  std::optional<QuantizeOptions> quantize; ///< how weights are stored; nothing: as the model has them
  std::string precision; ///< of layers, as tamis-assign-precision takes it; "auto": the compiler chooses; "budget": a
                         ///< path of each of budgetPaths; empty: as `quantize` says
  ChoosePrecisionOptions choosePrecision; ///< for "auto"; with attention "auto", too, precision gets half of the error
  std::string attention; ///< patterns, as tamis-choose-pattern takes them; empty: dense; "auto": the compiler chooses
  std::string attentionWeights;         ///< .safetensors of weights that patterns have of their own; empty for none
  std::vector<std::string> calibration; ///< .npz of passages, for what is chosen or fitted
  int64_t denseBelow = -1;              ///< attention of fewer keys stays dense; negative: as the policy says
  ChooseOptions choose;                 ///< for "auto"
  GpuChoices gpuChoices;                ///< tiles of GPU kernels, instead of what the cost model chooses
  GpuPrecision gpuPrecision = GpuPrecision::f16;
  bool tuneGpu = false;     ///< cuts of GPU kernels follow from what the PTX interpreter counts
  Activity activity;        ///< called with what is being done within a phase; may be null
  Phase last = Phase::plan; ///< stop after this phase
  std::string dumpPhases;   ///< folder for NAME.N.PHASE.mlir; empty for none
  /// Called before and after each phase, with the seconds it took (negative before).
  std::function<void(Phase, double)> progress;
  /// Called on each pass manager before it runs: printing and timing flags.
  std::function<mlir::LogicalResult(mlir::PassManager &)> configure;
};

/// What a compilation leaves behind, beside the file.
struct CompileResult {
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< after the last phase
  std::optional<AttentionChoice> choice;    ///< with `attention` "auto"
  std::optional<PrecisionChoice> precision; ///< with `precision` "auto"
  std::vector<WeightOrigin> patternWeights; ///< where those of the chosen patterns come from
  std::vector<GpuDecisions> gpuDecisions;   ///< of each GPU target
};

/// Runs the phases up to `options.last` and writes the plan when that is `plan`. Errors are diagnostics of `context`;
/// nothing is written then. `context` needs the dialects of registerAll. Not thread-safe in one context.
mlir::FailureOr<CompileResult> compileModel(const CompileOptions &options, mlir::MLIRContext *context,
                                            WeightStore &weights);

/// What plans say they were compiled by: "tamis 0.1.0".
std::string compilerVersion();

} // namespace tamis
