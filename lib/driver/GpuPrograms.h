// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs for GPUs, beside the CPU's in the module of a compilation.
#pragma once

#include "codegen/plan/PlanWriter.h"
#include "codegen/schedule/GpuDecision.h"
#include "codegen/schedule/GpuTarget.h"
#include "lib/driver/Calibration.h"
#include "mlir/IR/BuiltinOps.h"
#include <vector>

namespace tamis {

/// Copies @main and @kernels, as tamis-form-dispatches leaves them, into a module of the target's name: its program.
mlir::ModuleOp addGpuProgram(mlir::ModuleOp module, const GpuTarget &target);

struct GpuProgramOptions {
  std::map<std::string, std::string> choices; ///< tiles of kernels, as compileForNvptx takes them
  bool isBf16 = false;                        ///< products round to bf16, not to f16
  const Activity *tuning = nullptr;           ///< not null: cut by tuneGpuKernels, to which it goes
  std::string ptxas;                          ///< for that
};

/// Compiles the kernels of such a program, and gives its dispatches the grids that they were compiled for. Errors:
/// kernels that there is no code for, each with a diagnostic at the nodes of its first dispatch, all of them; choices
/// that compileForNvptx refuses. `decisions` tells how the kernels were cut.
mlir::FailureOr<CodeSection> compileGpuProgram(mlir::ModuleOp program, const GpuTarget &target,
                                               GpuProgramOptions options, GpuDecisions &decisions);

} // namespace tamis
