// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What patterns are told of an attention, and what they answer.
#pragma once

#include "lib/support/DimExpr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

namespace tamis::sattn {

/// A float mask that adds this or less to a score leaves the key out: nothing is left of its weight.
inline constexpr double kLeftOut = -1e30;

/// Whether a parameter is at least `least` and fits the i32 of an index; sums of a few such stay far from the end of
/// i64.
inline bool isCount(int64_t value, int64_t least) {
  return value >= least && value <= INT32_MAX;
}

/// An attention as its types give it.
struct AttentionSizes {
  DimExpr queries, keys;
  int64_t heads, kvHeads;
  int64_t width, valueWidth; ///< of one head
  bool causal;
};

/// A tensor of numbers that a pattern learnt, or was fitted to.
struct PatternWeight {
  llvm::StringRef name;
  llvm::SmallVector<int64_t> shape;
};

/// One batch item of an attention, in numbers: all heads.
struct AttentionInputs {
  int64_t queries, keys, heads, kvHeads;
  int64_t width, valueWidth;      ///< of one head
  std::vector<double> query;      ///< queries x (heads width)
  std::vector<double> key;        ///< keys x (kvHeads width)
  std::vector<double> value;      ///< keys x (kvHeads valueWidth)
  double scale = 1;               ///< of products
  bool causal = false;            ///< a query reads keys up to the one at which it stands
  bool sameTokens = false;        ///< queries and keys have the same size by their types: the key mask tells of both
  std::vector<bool> keyKept = {}; ///< by the key mask; empty: all
  std::function<double(int64_t head, int64_t q, int64_t k)> added = {}; ///< mask: -infinity leaves out; null: zeros
  std::vector<std::vector<double>> weights = {}; ///< in the order of PatternAttrInterface::weights
};

/// One head of it, and its vectors next to each other.
struct HeadInputs {
  HeadInputs(const AttentionInputs &item, int64_t head);

  const AttentionInputs &item;
  int64_t head, queries, keys, width, valueWidth;
  std::vector<double> query; ///< queries x width
  std::vector<double> key;   ///< keys x width
  std::vector<double> value; ///< keys x valueWidth
  bool causal, sameTokens;

  /// The key at which a query stands.
  int64_t positionOf(int64_t q) const { return q + keys - queries; }
  bool isKept(int64_t k) const { return item.keyKept.empty() || item.keyKept[k]; }
  bool isOrdered(int64_t q, int64_t k) const { return !causal || k <= positionOf(q); }
  /// Causal order and masks come before what is picked by numbers. What is kept by its place need not ask for the mask:
  /// attention applies it to every pair, and a float mask adds.
  bool mayPick(int64_t q, int64_t k) const { return isKept(k) && isOrdered(q, k); }
  double product(int64_t q, int64_t k) const {
    double sum = 0;
    for (int64_t d = 0; d < width; ++d)
      sum += query[q * width + d] * key[k * width + d];
    return sum;
  }
  /// What the mask adds to the scaled product of a pair; -infinity where it leaves the key out.
  double added(int64_t q, int64_t k) const { return item.added ? item.added(head, q, k) : 0; }
};

/// The pairs of a query and a key that a head keeps.
class KeptPairs {
public:
  KeptPairs(int64_t queries, int64_t keys, bool all = false) : keys(keys), kept(queries * keys, all) {}
  void keep(int64_t q, int64_t k) { kept[q * keys + k] = true; }
  bool operator()(int64_t q, int64_t k) const { return kept[q * keys + k]; }
  int64_t count() const { return std::count(kept.begin(), kept.end(), true); }

private:
  int64_t keys;
  std::vector<bool> kept;
};

/// The weights of the keys for one query: softmax over those that are kept and that causal order and mask allow, zero
/// for others, and for all where there is none. `weights`: one a key. Gives the logarithm of the sum of exponentials,
/// -infinity where there is none.
double weigh(const HeadInputs &head, const KeptPairs &kept, int64_t q, llvm::MutableArrayRef<double> weights);

/// Softmax over the kept pairs that causal order and mask allow, times the values: queries x valueWidth. A query that
/// keeps no key gives zeros. `logarithms`, unless empty, one a query: of the sum of the exponentials.
void attendKept(const HeadInputs &head, const KeptPairs &kept, llvm::MutableArrayRef<double> result,
                llvm::MutableArrayRef<double> logarithms = {});

/// The numbers of the `count` largest scores among those listed, the lower number first where scores are equal; NaN is
/// below every number. All of them when there are fewer. Ascending.
std::vector<int64_t> largest(llvm::ArrayRef<double> scores, std::vector<int64_t> among, int64_t count);

/// Keeps for each query the `count` keys with the largest products among those that may be picked.
void keepLargest(const HeadInputs &head, int64_t count, KeptPairs &kept);

} // namespace tamis::sattn
