// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys whose parts are replaced by the nearest codewords.
#pragma once

#include "dialects/sattn/patterns/PatternBuilder.h"

namespace tamis::sattn {

/// How many codewords, for each of how many parts of a key. A codebook is kv heads x parts x centroids x (width /
/// parts).
struct Codebook {
  int64_t parts, centroids;

  /// The keys of a head as codewords, keys x width. Nearest by the product less half the codeword's square, which
  /// orders as distance does; the first of several.
  std::vector<double> decode(const HeadInputs &head, llvm::ArrayRef<double> codewords) const;
  /// The same of all heads, `B x K x (kv_heads D)`. Holds a number for each key, head, part and codeword.
  mlir::Value decode(PatternBuilder &b, mlir::Value codewords) const;
  /// By k-means (Lloyd), from codewords at even distances among the keys, over those that masks keep.
  std::vector<double> fit(llvm::ArrayRef<AttentionInputs> samples) const;
};

} // namespace tamis::sattn
