// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How large a size expression may become, and what is typical of it.
#pragma once

#include "dialects/model/ModelShapes.h"
#include "lib/support/DimExpr.h"
#include <optional>

namespace tamis {

/// The largest value over the symbols' ranges, sizes of 0 or more, or a bound of it; nothing when there is none.
std::optional<int64_t> largestOf(const DimExpr &expr, llvm::ArrayRef<model::Symbol> symbols);

/// The value of an expression where each symbol is in the middle of its range, by ratio; 128 where one is not known.
/// At least 1.
int64_t typicalOf(const DimExpr &expr, llvm::ArrayRef<model::Symbol> symbols);

} // namespace tamis
