// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The plan dialect: the compiled program. Ops are described in PlanOps.td and docs/dialects.
#pragma once

#include "lib/support/DimExpr.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/plan/PlanDialect.h.inc"
#include "dialects/plan/PlanEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.h.inc"

#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.h.inc"

namespace tamis::plan {
/// Name of the module that holds kernels before they are tiled for a target.
inline constexpr llvm::StringLiteral kKernelModule = "kernels";
/// Attribute of a kernel function: #plan.kernel.
inline constexpr llvm::StringLiteral kKernelAttr = "plan.kernel";
/// Attribute of a program: sizes in bytes of the arena's slots, as size expressions, in order.
inline constexpr llvm::StringLiteral kSlotsAttr = "plan.slots";
/// Attribute of an argument of a program: a dispatch writes it in place.
inline constexpr llvm::StringLiteral kStateAttr = "plan.state";
} // namespace tamis::plan
