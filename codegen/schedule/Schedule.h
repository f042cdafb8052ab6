// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How kernels are cut into work groups and register tiles, apart from what they compute.
#pragma once

#include "codegen/schedule/Target.h"
#include "lib/support/DimExpr.h"
#include <cstdint>

namespace tamis {

/// Columns of one packed panel of a linear's weight. One layout serves all x86-64 levels, so that a plan with code for
/// several holds its weights once: 48 columns are 3 vectors of 16 lanes, or two halves of 3 vectors of 8.
/// Register tiles of 8 x 3 and 4 x 3 vectors use 28 of 32 and 16 of 16 registers.
inline constexpr int64_t kPanelColumns = 48;

/// Rows of one work group of a linear of depth K: as many as keep its input in half a megabyte, 96 to 512. They stay in
/// the second-level cache while all panels pass by, so that weights are read from further away once a block.
int64_t linearRows(int64_t K);

/// The same where a work group unpacks its panel of weights first: enough to make little of that.
int64_t packedLinearRows(int64_t K);

/// Rows up to which a linear unpacks its weights in registers, where they stay packed in the plan; for more, a work
/// group unpacks its panel first.
inline constexpr unsigned kUnpackedRows = 8;

/// Query rows of one work group of attention, whole blocks of them on every target. Groups that do not follow each
/// other pack the keys of their head each, so groups are large.
inline constexpr int64_t kAttentionQueries = 384;

/// Register tile of the inner loops.
struct RegisterTile {
  unsigned rows;    ///< accumulator rows
  unsigned vectors; ///< vectors of `lanes` columns
};
RegisterTile linearTile(const CpuTarget &target);

/// The grid of a dispatch and the bytes of scratch each thread needs, as expressions over the plan's symbols.
struct Launch {
  DimExpr grid;
  DimExpr scratchBytes;
};

} // namespace tamis
