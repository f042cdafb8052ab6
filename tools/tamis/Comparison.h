// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far two tensors are apart.

#ifndef TAMIS_TOOLS_TAMIS_COMPARISON_H
#define TAMIS_TOOLS_TAMIS_COMPARISON_H

#include "tamis/tamis.hpp"
#include <string>
#include <vector>

namespace tamis::tool {

/// Differences of a tensor to the one that is right. Two NaN are equal and so are two equal infinities; any other pair
/// that involves one is infinitely far apart.
struct Comparison {
  std::string mismatch;       ///< why the tensors cannot be compared: element type or shape; else empty
  double maximum = 0;         ///< largest absolute difference
  double mean = 0;            ///< mean absolute difference
  double cosine = 1;          ///< of the angle between the two as vectors; 1 when both are zero
  double scaled = 0;          ///< largest absolute difference over the larger of 1 and the right value's size
  int64_t where = 0;          ///< element of the largest scaled difference
  std::vector<int64_t> index; ///< the same as an index of every axis
};

Comparison compare(const Tensor &found, const Tensor &right);

/// "[0, 3, 17]".
std::string indexText(const std::vector<int64_t> &index);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_COMPARISON_H
