// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lengths and margins.

#include "runtime/budget/Complexity.h"
#include "runtime/budget/Numbers.h"
#include <cmath>

namespace tamis::runtime {

/// How much of a new margin is believed: for what was lately, and for what is usual.
static constexpr double kFew = 0.3, kMany = 0.02;
/// Rows of an answer that are looked at, and numbers of each.
static constexpr int64_t kRows = 8, kMostNumbers = 65536;

double marginOf(const float *row, int64_t width) {
  float first = -INFINITY, second = -INFINITY;
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) {
    float x = row[i];
    if (std::isnan(x))
      return NAN;
    if (x > first)
      second = first, first = x;
    else if (x > second)
      second = x;
  }
  for (int64_t i = 0; i < width; ++i)
    sum += exponential(double(row[i]) - first);
  return (1 - exponential(double(second) - first)) / sum;
}

double Complexity::of(const tamis_tensor *inputs, size_t count) {
  double length = 1;
  for (int32_t d = 1; count && d < inputs[0].rank; ++d)
    length *= double(inputs[0].dims[d]);
  if (length > longest)
    longest = length;
  double share = longest > 0 ? squareRoot(length / longest) : 0, hardness = 0.5;
  if (seen && deviation > 0)
    hardness -= (lately - usual) / (4 * deviation);
  hardness = hardness < 0 ? 0 : hardness > 1 ? 1 : hardness;
  return (2 * share + hardness) / 3;
}

void Complexity::see(const tamis_tensor &output) {
  if (output.element_type != TAMIS_F32 || output.rank < 1 || output.dims[output.rank - 1] < 2)
    return;
  int64_t width = output.dims[output.rank - 1], rows = 1;
  for (int32_t d = 0; d + 1 < output.rank; ++d)
    rows *= output.dims[d];
  double sum = 0;
  int64_t looked = rows < kRows ? rows : kRows;
  for (int64_t i = 0; i < looked; ++i)
    sum += marginOf(static_cast<const float *>(output.data) + (i * rows / looked) * width,
                    width < kMostNumbers ? width : kMostNumbers);
  double margin = looked ? sum / double(looked) : NAN;
  if (!std::isfinite(margin))
    return;
  if (!seen)
    seen = true, lately = usual = margin;
  lately += kFew * (margin - lately);
  deviation += kMany * (std::fabs(margin - usual) - deviation);
  usual += kMany * (margin - usual);
}

} // namespace tamis::runtime
