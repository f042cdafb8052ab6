// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Merging pairs of tokens.

#ifndef TAMIS_TOOLS_TEXT_BYTEPAIRS_H
#define TAMIS_TOOLS_TEXT_BYTEPAIRS_H

#include <cstdint>
#include <stddef.h>
#include <unordered_map>
#include <vector>

namespace tamis::text {

/// Which neighbours become one token, and which of them first. Usable by many threads once it is filled.
class BytePairs {
public:
  /// Later pairs come after earlier ones; the first of two equal ones counts.
  void add(int32_t left, int32_t right, int32_t merged);

  /// Merges within `tokens` until no neighbours are a pair: always the pair that was added first, leftmost of equals.
  /// In n log n for n tokens.
  void merge(std::vector<int32_t> &tokens) const;

private:
  struct Pair {
    int32_t rank, merged;
  };
  const Pair *find(int32_t left, int32_t right) const;
  std::unordered_map<uint64_t, Pair> pairs;
};

} // namespace tamis::text

#endif // TAMIS_TOOLS_TEXT_BYTEPAIRS_H
