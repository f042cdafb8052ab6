// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The one list of dialects and passes.
#include "lib/driver/Register.h"

#include "codegen/plan/Passes.h"
#include "codegen/tile/Passes.h"
#include "dialects/cache/CacheDialect.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/plan/PlanDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "passes/graph/Passes.h"
#include "passes/precision/Passes.h"
#include "passes/sparsify/Passes.h"

void tamis::registerAll(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<model::ModelDialect, sattn::SattnDialect, cache::CacheDialect, plan::PlanDialect>();

  mlir::registerAllPasses();
  graph::registerGraphPasses();
  precision::registerPrecisionPhasePasses();
  sparsify::registerSparsifyPasses();
  registerTamisTilePasses();
  registerTamisPlanPasses();
}
