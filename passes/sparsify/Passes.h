// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sparsify phase: passes that decide what each attention reads, and write it out.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tamis::sparsify {

#define GEN_PASS_DECL
#include "passes/sparsify/Passes.h.inc"

/// Adds the phase to a pass manager of modules. In: `model` IR after the graph phase. Out: `model` and `sattn` IR in
/// which selection is explicit. `pattern`: as the option of tamis-choose-pattern.
void buildSparsifyPipeline(mlir::OpPassManager &manager, llvm::StringRef pattern);

/// Registers the passes for command lines.
void registerSparsifyPasses();

} // namespace tamis::sparsify
