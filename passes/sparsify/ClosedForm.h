// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks that say by a rule which keys are kept: causal order, windows, first keys, own blocks.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "lib/support/DimExpr.h"
#include "passes/sparsify/MaskTable.h"
#include <optional>

namespace tamis::sparsify {

/// Key k is kept for the query that stands at key p, which is query p + Q - K, when
/// `(k <= p or not causal) and (p - before <= k <= p + after or k < sinks)`; with a `block` the middle part is
/// `k / block = p / block`.
struct ClosedForm {
  std::optional<int64_t> before, after; ///< nothing: without end
  int64_t sinks = 0;
  int64_t block = 0;
  bool causal = false;

  bool operator()(int64_t position, int64_t key) const;
  /// Everything, causal order apart.
  bool isOrder() const { return !before && !after && !block; }
  /// Neither rule nor order leaves the query's own key out.
  bool keepsOwn() const { return block || (before.value_or(0) >= 0 && after.value_or(0) >= 0); }
};

/// The rule of a bool mask that compares positions, for sizes known or not; nothing when it is none.
std::optional<ClosedForm> closedFormOf(mlir::Value mask, const DimExpr &queries, const DimExpr &keys);

/// The rule that a table of one head follows; nothing when there is none.
std::optional<ClosedForm> closedFormOf(const MaskTable &table);

} // namespace tamis::sparsify
