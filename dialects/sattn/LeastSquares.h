// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear regression in f64.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <vector>

namespace tamis::sattn {

/// The weights w with the least sum of (w . features - target)^2 over observations, and a small ridge beside it, so
/// that features that say the same share a weight and those that say nothing have none. Takes size^2 numbers of memory
/// and as many multiply-adds an observation.
class LeastSquares {
public:
  explicit LeastSquares(int64_t size) : size(size), products(size * size), targets(size) {}

  /// `features`: as many as `size`. An observation with a number that is not finite is left out.
  void add(llvm::ArrayRef<double> features, double target);
  /// Finite, whatever was observed; zeros where nothing was.
  std::vector<double> solve();

private:
  void flush();

  int64_t size;
  std::vector<double> products; ///< sums of features times features, the lower triangle of it, row by row
  std::vector<double> targets;  ///< sums of features times target
  std::vector<double> pending;  ///< features of some observations that are in no sum of products yet
};

} // namespace tamis::sattn
