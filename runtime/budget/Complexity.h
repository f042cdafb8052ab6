// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How hard requests seem to be, from their length and from earlier answers.

#ifndef TAMIS_RUNTIME_BUDGET_COMPLEXITY_H
#define TAMIS_RUNTIME_BUDGET_COMPLEXITY_H

#include "tamis/tamis.h"

namespace tamis::runtime {

/// A number from 0 to 1: two thirds the length of a request, as the square root of its share in the longest that the
/// plan allows, and one third how narrow the margins of the latest answers were, beside what is usual for them; 1/2
/// where they are as usual, or nothing is known. One thread at a time.
class Complexity {
public:
  /// Of what is the longest length that inputs of the plan can have; the longest seen where it says none.
  void setLongest(double length) { longest = length; }

  /// Of a request with these inputs, of which the first counts: its elements for one index of the first axis.
  double of(const tamis_tensor *inputs, size_t count);
  /// Learns from an answer: the first output of f32 whose last axis has two elements or more. Of some of its rows, the
  /// margin is the largest of their softmax less the second.
  void see(const tamis_tensor &output);

private:
  double longest = 0;
  bool seen = false;
  double lately = 0, usual = 0, deviation = 0; ///< of margins, smoothed over few and over many answers
};

/// The margin of one row of `width` numbers, 2 or more; NaN where it holds NaN.
double marginOf(const float *row, int64_t width);

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_BUDGET_COMPLEXITY_H
