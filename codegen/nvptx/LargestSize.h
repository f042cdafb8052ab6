// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How large a size expression may become.
#pragma once

#include "dialects/model/ModelShapes.h"
#include "lib/support/DimExpr.h"
#include <optional>

namespace tamis {

/// The largest value over the symbols' ranges, sizes of 0 or more, or a bound of it; nothing when there is none.
std::optional<int64_t> largestOf(const DimExpr &expr, llvm::ArrayRef<model::Symbol> symbols);

} // namespace tamis
