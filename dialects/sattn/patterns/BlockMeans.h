// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Means of blocks of tokens, in loops.
#pragma once

#include "dialects/sattn/Pattern.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace tamis::sattn {

/// Of the tokens of each block of one head that the key mask keeps, as far as it tells of them.
struct BlockMeans {
  static BlockMeans ofQueries(const HeadInputs &head, int64_t block) {
    return {head.query, head.queries, head.width, block, [&](int64_t t) { return !head.sameTokens || head.isKept(t); }};
  }
  static BlockMeans ofKeys(const HeadInputs &head, int64_t block) {
    return {head.key, head.keys, head.width, block, [&](int64_t t) { return head.isKept(t); }};
  }

  std::vector<double> values; ///< blocks x width; zeros where no token is kept
  std::vector<int64_t> kept;  ///< tokens of each block

private:
  BlockMeans(llvm::ArrayRef<double> tokens, int64_t count, int64_t width, int64_t block,
             llvm::function_ref<bool(int64_t)> isKept)
      : values((count + block - 1) / block * width), kept((count + block - 1) / block) {
    for (int64_t t = 0; t < count; ++t) {
      if (!isKept(t))
        continue;
      ++kept[t / block];
      for (int64_t d = 0; d < width; ++d)
        values[t / block * width + d] += tokens[t * width + d];
    }
    for (size_t i = 0; i < values.size(); ++i)
      values[i] /= std::max<int64_t>(1, kept[i / width]);
  }
};

} // namespace tamis::sattn
