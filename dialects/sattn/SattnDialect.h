// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The sattn dialect: what attention reads, before how. Ops are described in the .td files and docs/dialects.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "dialects/sattn/Pattern.h"
#include "mlir/IR/PatternMatch.h"

#include "dialects/sattn/SattnDialect.h.inc"
#include "dialects/sattn/SattnEnums.h.inc"

namespace tamis::sattn {
class PatternBuilder;
}

#include "dialects/sattn/SattnInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/sattn/SattnAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/sattn/SattnTypes.h.inc"

#define GET_OP_CLASSES
#include "dialects/sattn/SattnOps.h.inc"

namespace tamis::sattn {

/// The patterns that there are, as they are written: "window" of `#sattn.window<...>`. In alphabetical order.
llvm::SmallVector<llvm::StringRef> patternNames();

/// ceil(a / b).
DimExpr ceilDiv(const DimExpr &a, int64_t b);

/// Rows of `rows` queries each: one of all with 0.
DimExpr rowCount(const DimExpr &queries, int64_t rows);

/// Columns of a summary of blocks of `width` tokens of `columns` columns.
int64_t summaryColumns(SummaryKind kind, int64_t columns, int64_t width);

} // namespace tamis::sattn
