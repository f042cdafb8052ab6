// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the ops around attention among some of the tokens.
#pragma once

#include "dialects/sattn/patterns/PatternBuilder.h"

namespace tamis::sattn {

/// The tokens of an index of one row for each batch item: `B x capacity x F`.
mlir::Value compact(PatternBuilder &b, mlir::Value tokens, mlir::Value index);
/// Compacted tokens back at their places, of as many as `index` has items.
mlir::Value expand(PatternBuilder &b, mlir::Value tokens, mlir::Value index);
/// A mask for compacted keys: which of them exist, bool `B x 1 x 1 x capacity`; and what the attention's mask, if it is
/// one of floats, adds to them.
mlir::Value maskOfCompacted(PatternBuilder &b, mlir::Value index);

} // namespace tamis::sattn
