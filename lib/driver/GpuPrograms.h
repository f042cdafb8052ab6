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

/// Compiles the kernels of such a program, and gives its dispatches the grids that they were compiled for. Errors:
/// kernels that there is no code for, each with a diagnostic at the nodes of its first dispatch, all of them; choices
/// that compileForNvptx refuses. `decisions` tells how the kernels were cut; with `tuning`, by tuneGpuKernels, to which
/// that goes.
mlir::FailureOr<CodeSection> compileGpuProgram(mlir::ModuleOp program, const GpuTarget &target,
                                               std::map<std::string, std::string> choices, GpuDecisions &decisions,
                                               const Activity *tuning = nullptr);

} // namespace tamis
