// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear regression in f64, by the normal equations.
#include "dialects/sattn/LeastSquares.h"

#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace tamis::sattn;

// Of the mean square of a feature. Keys are f32 and products f64, so it hides nothing that can be told from noise.
static constexpr double kRidge = 1e-6;
// So many observations are summed at a time: a row of products then stays in the first-level cache for them.
static constexpr int64_t kPending = 64;

void LeastSquares::add(llvm::ArrayRef<double> features, double target) {
  if (!std::isfinite(target) || !llvm::all_of(features, [](double x) { return std::isfinite(x); }))
    return;
  for (int64_t i = 0; i < size; ++i)
    targets[i] += features[i] * target;
  pending.insert(pending.end(), features.begin(), features.end());
  if (int64_t(pending.size()) == kPending * size)
    flush();
}

void LeastSquares::flush() {
  for (int64_t i = 0; i < size; ++i)
    for (size_t first = 0; first < pending.size(); first += size) {
      double factor = pending[first + i];
      for (int64_t j = 0; j <= i; ++j)
        products[i * size + j] += factor * pending[first + j];
    }
  pending.clear();
}

std::vector<double> LeastSquares::solve() {
  flush();
  double trace = 0;
  for (int64_t i = 0; i < size; ++i)
    trace += products[i * size + i];
  double ridge = kRidge * trace / std::max<int64_t>(1, size);
  // Cholesky: products + ridge = L L'. A pivot that is not positive, of zeros or of numbers too large, gives a weight
  // of zero.
  std::vector<double> lower(size * size), weights(size);
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      double sum = products[i * size + j] + (i == j ? ridge : 0);
      for (int64_t k = 0; k < j; ++k)
        sum -= lower[i * size + k] * lower[j * size + k];
      double pivot = lower[j * size + j];
      lower[i * size + j] = i == j ? (sum > 0 && std::isfinite(sum) ? std::sqrt(sum) : 0) : pivot > 0 ? sum / pivot : 0;
    }
  for (int64_t i = 0; i < size; ++i) { // L y = targets
    double sum = targets[i], pivot = lower[i * size + i];
    for (int64_t k = 0; k < i; ++k)
      sum -= lower[i * size + k] * weights[k];
    weights[i] = pivot > 0 ? sum / pivot : 0;
  }
  for (int64_t i = size - 1; i >= 0; --i) { // L' w = y
    double sum = weights[i], pivot = lower[i * size + i];
    for (int64_t k = i + 1; k < size; ++k)
      sum -= lower[k * size + i] * weights[k];
    weights[i] = pivot > 0 ? sum / pivot : 0;
  }
  for (double &weight : weights)
    weight = std::isfinite(weight) ? weight : 0;
  return weights;
}
