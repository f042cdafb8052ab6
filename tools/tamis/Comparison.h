// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far two tensors are apart.

#ifndef TAMIS_TOOLS_TAMIS_COMPARISON_H
#define TAMIS_TOOLS_TAMIS_COMPARISON_H

#include "tamis/tamis.hpp"
#include <string>
#include <vector>

namespace tamis::tool {

/// The largest of some differences, and the element that has it.
struct Largest {
  double size = 0;
  int64_t element = 0;
};

/// Differences of a tensor to the one that is right. Two NaN are equal and so are two equal infinities; any other pair
/// that involves one is infinitely far apart.
struct Comparison {
  std::string mismatch; ///< why the tensors cannot be compared: element type or shape; else empty
  Largest absolute;
  Largest scaled;      ///< of absolute differences over the larger of 1 and the right value's size
  double mean = 0;     ///< of absolute differences
  double quantile = 0; ///< the absolute difference that 99.9 % of the elements do not exceed
  double cosine = 1;   ///< of the angle between the two as vectors; 1 when both are zero
};

Comparison compare(const Tensor &found, const Tensor &right);

/// Where an element of a tensor of these dims lies: "[0, 3, 17]".
std::string indexText(int64_t element, const std::vector<int64_t> &dims);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_COMPARISON_H
