// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks that are known at compile time, pair by pair.
#pragma once

#include "dialects/model/ModelDialect.h"
#include "lib/support/Weights.h"
#include "llvm/ADT/BitVector.h"
#include <optional>

namespace tamis::sparsify {

/// Which pairs of a query and a key a mask keeps, of all batch items alike. `heads` is one, or that of the attention.
struct MaskTable {
  int64_t heads = 1, queries = 0, keys = 0;
  llvm::BitVector kept; ///< [heads][queries][keys]
  /// The mask leaves pairs out by numbers as far below others as floats go, and not by -infinity or false: where a row
  /// keeps nothing, all its keys have equal weights.
  bool isFinite = false;

  bool operator()(int64_t head, int64_t query, int64_t key) const {
    return kept[((heads == 1 ? 0 : head) * queries + query) * keys + key];
  }
  void leaveOut(int64_t head, int64_t query, int64_t key) { kept.reset((head * queries + query) * keys + key); }
  /// Leaves out keys that causal order leaves out.
  void order();
  /// A row that keeps no key.
  bool hasEmptyRow() const;

  /// Masks of more pairs than this are not looked at.
  static constexpr int64_t kMostPairs = int64_t(1) << 24;
};

/// The table of `mask`, `B x heads x Q x K` or broadcast to it, for `queries` and `keys`: follows it through constants,
/// weights, positions, views, comparisons and arithmetic. Nothing when it depends on an input or a dynamic size,
/// differs by batch item, adds something else than 0 and numbers of -1e30 and less, or is too large. `weights` may be
/// null.
std::optional<MaskTable> maskTableOf(mlir::Value mask, int64_t queries, int64_t keys, const WeightStore *weights);

/// Every pair is kept.
MaskTable fullTable(int64_t queries, int64_t keys);

} // namespace tamis::sparsify
