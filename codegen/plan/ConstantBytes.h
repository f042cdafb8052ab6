// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The bytes of a plan's constants.
#pragma once

#include "dialects/plan/PlanDialect.h"
#include "lib/support/Weights.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace tamis {

/// Bytes that the constant takes in the weight section.
int64_t constantSize(plan::ConstantOp constant);

/// Lays the constant out and hands its bytes to `sink`, in order, in one or more parts. Never holds more than the constant
/// itself; a row-major constant of whole weights is passed on as it is mapped.
/// Errors: a weight that the store does not have, or whose type does not fit; named by key.
llvm::Error writeConstant(plan::ConstantOp constant, const WeightStore &weights,
                          llvm::function_ref<void(llvm::ArrayRef<char>)> sink);

} // namespace tamis
