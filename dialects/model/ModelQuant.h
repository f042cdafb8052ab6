// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of scales and zero points.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include <optional>

namespace tamis::model {

/// The sizes that scales of sizes `scale` have once each is repeated over its block of `block` indices of `axis`, the
/// last block as far as the operand goes; `scale` itself without blocks. Nothing when they do not fit.
std::optional<Dims> spreadBlocks(llvm::ArrayRef<DimExpr> scale, llvm::ArrayRef<DimExpr> operand,
                                 std::optional<int64_t> block, int64_t axis);

} // namespace tamis::model
