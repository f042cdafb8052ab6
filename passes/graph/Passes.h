// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The graph phase: passes that bring `model` from the spelling of exporters to that of papers.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace tamis::graph {

#define GEN_PASS_DECL
#include "passes/graph/Passes.h.inc"

/// Adds the phase to a pass manager of modules. In: imported `model` IR. Out: constants folded; dense layers,
/// normalisations, activations, look-ups and attention are their ops; no view is left between the parts of a layer but
/// slices of merged projections. Meaning is kept up to rounding. Without `merges` dense layers stay those of the file.
void buildGraphPipeline(mlir::OpPassManager &manager, bool merges = true);

/// Registers the passes and the pipeline `tamis-graph` for command lines.
void registerGraphPasses();

} // namespace tamis::graph
