// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the plan phase; described in Passes.td.
#pragma once

#include "dialects/plan/PlanDialect.h"
#include "mlir/Pass/Pass.h"

namespace tamis {
#define GEN_PASS_DECL
#include "codegen/plan/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/plan/Passes.h.inc"
} // namespace tamis
