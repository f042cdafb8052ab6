// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cuts of GPU kernels, chosen by what the PTX interpreter counts.
#pragma once

#include "codegen/schedule/GpuDecision.h"
#include "codegen/schedule/GpuTarget.h"
#include "lib/driver/Calibration.h"
#include "mlir/IR/BuiltinOps.h"
#include <map>
#include <string>

namespace tamis {

/// Compiles every candidate of the kernels that have several, of which none is chosen by hand (`choices`), runs some of
/// its work groups in the PTX interpreter at the sizes that the decision was made for, and adds the best one to
/// `choices`: its cycles follow from the instructions, multiply-accumulates, passes over shared memory and sectors of
/// global memory that were counted, and from how many groups a multiprocessor holds. `ptxas`: NVIDIA's assembler, which
/// tells the registers of each; empty: they are estimated. `decisions`: of a first compilation of `kernels`, in model
/// form; gets the counts. Nothing that is measured in time enters: the same kernels and assembler give the same choices
/// everywhere. Errors: candidates that cannot be compiled, assembled or run.
llvm::Error tuneGpuKernels(mlir::ModuleOp kernels, const GpuTarget &target, std::map<std::string, std::string> &choices,
                           GpuDecisions &decisions, llvm::StringRef ptxas, const Activity &activity);

} // namespace tamis
