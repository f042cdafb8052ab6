// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a kernel in model form to its launch and its tiled form, by kind.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "dialects/plan/PlanDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Grid and scratch of a kernel, the same for every target. Fails with a diagnostic when the kernel is not of the kind.
llvm::FailureOr<Launch> launchOf(mlir::func::FuncOp kernel, plan::KernelKind kind);

/// Replaces a kernel in model form, which carries `plan.kernel`, by its tiled form.
llvm::LogicalResult tileKernel(mlir::func::FuncOp kernel, const CpuTarget &target);

} // namespace tamis
