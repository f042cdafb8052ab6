// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers of a matrix as integers of few bits.
#include "lib/driver/RoundWeights.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

using namespace tamis;
using llvm::ArrayRef;

namespace {
constexpr double kDamping = 0.01;   // of the mean diagonal, as in GPTQ
constexpr int64_t kBlock = 128;     // columns whose rounding the rest hears of together, as in GPTQ
constexpr int64_t kTileColumns = 8; // of the moments, while all others go by

/// Four numbers: what x86-64 and AArch64 have at their baseline.
using Four [[gnu::vector_size(16)]] = float;

Four load(const float *from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

float dot(const float *a, const float *b, int64_t count) {
  Four sums[4] = {};
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    for (int64_t part = 0; part < 4; ++part)
      sums[part] += load(a + i + 4 * part) * load(b + i + 4 * part);
  Four sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  for (; i < count; ++i)
    total += a[i] * b[i];
  return total;
}

/// y -= factor * x
void subtract(float *y, float factor, const float *x, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    y[i] -= factor * x[i];
}

int64_t nearest(float number, float scale, int64_t zero, int64_t low, int64_t high) {
  // Compared before it becomes an integer: what earlier roundings left may be large beyond integers.
  float rounded = std::nearbyint(number / scale) + float(zero);
  return rounded >= float(high) ? high : rounded > float(low) ? int64_t(rounded) : low;
}

/// The upper triangle U of U^T U = moments^-1, rows of all columns, in place. False where there is none.
bool factorInverse(std::vector<float> &matrix, int64_t n) {
  // With both axes reversed, moments = L L^T gives U as L^-1, reversed again.
  std::reverse(matrix.begin(), matrix.end());
  std::vector<float> &l = matrix;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      float rest = l[i * n + j] - dot(&l[i * n], &l[j * n], j);
      if (i == j && !(rest > 0 && std::isfinite(rest)))
        return false;
      l[i * n + j] = i == j ? std::sqrt(rest) : rest / l[j * n + j];
    }
  std::vector<float> inverse(n * n); // transposed
  for (int64_t j = 0; j < n; ++j) {
    float *row = &inverse[j * n];
    row[j] = 1 / l[j * n + j];
    for (int64_t i = j + 1; i < n; ++i)
      row[i] = -dot(&l[i * n + j], row + j, i - j) / l[i * n + i];
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      matrix[i * n + j] = inverse[(n - 1 - j) * n + n - 1 - i];
  return llvm::all_of(matrix, [](float number) { return std::isfinite(number); });
}
} // namespace

llvm::Expected<RoundedMatrix> tamis::roundToNearest(ArrayRef<float> matrix, int64_t columns, int64_t group,
                                                    int64_t bits, bool symmetric) {
  RoundedMatrix result;
  result.columns = columns;
  result.rows = columns ? int64_t(matrix.size()) / columns : 0;
  result.group = group;
  result.high = symmetric ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
  result.low = symmetric ? -result.high : 0;
  result.integers.resize(matrix.size());
  int64_t groups = result.groups();
  result.scales.resize(result.rows * groups);
  result.zeroPoints.resize(result.rows * groups);
  for (int64_t r = 0; r < result.rows; ++r)
    for (int64_t g = 0; g < groups; ++g) {
      ArrayRef<float> numbers = matrix.slice(r * columns + g * group, std::min(group, columns - g * group));
      float least = 0, most = 0;
      for (float number : numbers) {
        if (!std::isfinite(number))
          return llvm::createStringError(llvm::Twine("holds ") + (std::isnan(number) ? "NaN" : "an infinity") +
                                         " in row " + llvm::Twine(r) + " but finite numbers are wanted");
        least = std::min(least, number), most = std::max(most, number);
      }
      float scale = symmetric ? std::max(-least, most) / float(result.high) : (most - least) / float(result.high);
      if (!std::isfinite(scale))
        return llvm::createStringError("has a range in row " + llvm::Twine(r) + " that f32 cannot hold");
      scale = scale < std::numeric_limits<float>::min() ? 1 : scale;
      auto zero = symmetric ? 0 : std::clamp<int64_t>(std::nearbyint(-least / scale), result.low, result.high);
      result.scales[r * groups + g] = scale;
      result.zeroPoints[r * groups + g] = char(zero);
      for (auto [i, number] : llvm::enumerate(numbers))
        result.integers[r * columns + g * group + i] = char(nearest(number, scale, zero, result.low, result.high));
    }
  return result;
}

void tamis::roundByMoments(RoundedMatrix &rounded, ArrayRef<float> matrix, ArrayRef<float> moments) {
  int64_t n = rounded.columns, rows = rounded.rows, groups = rounded.groups();
  if (n == 0 || rows == 0)
    return;
  std::vector<int64_t> order(n); // columns by falling moment
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](int64_t a, int64_t b) {
    return std::pair(-moments[a * n + a], a) < std::pair(-moments[b * n + b], b);
  });
  double trace = 0;
  for (int64_t i = 0; i < n; ++i)
    trace += moments[i * n + i];
  if (!(trace > 0))
    return;
  std::vector<float> u(n * n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      u[i * n + j] = moments[order[i] * n + order[j]] + (i == j ? float(kDamping * trace / double(n)) : 0);
  if (!factorInverse(u, n))
    return;
  // A row of `left` holds one column of the matrix, in that order, less what rounding the columns before changed.
  std::vector<float> left(n * rows), errors(kBlock * rows);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t r = 0; r < rows; ++r)
      left[i * rows + r] = matrix[r * n + order[i]];
  bool isSigned = rounded.low < 0;
  for (int64_t first = 0; first < n; first += kBlock) {
    int64_t end = std::min(first + kBlock, n);
    for (int64_t i = first; i < end; ++i) {
      float *error = &errors[(i - first) * rows];
      for (int64_t r = 0; r < rows; ++r) {
        int64_t unit = r * groups + order[i] / rounded.group;
        int64_t zero = isSigned ? 0 : int64_t(uint8_t(rounded.zeroPoints[unit]));
        float scale = rounded.scales[unit], number = left[i * rows + r];
        int64_t integer = nearest(number, scale, zero, rounded.low, rounded.high);
        rounded.integers[r * n + order[i]] = char(integer);
        error[r] = (number - float(integer - zero) * scale) / u[i * n + i];
      }
      for (int64_t k = i + 1; k < end; ++k)
        subtract(&left[k * rows], u[i * n + k], error, rows);
    }
    for (int64_t k = end; k < n; ++k)
      for (int64_t i = first; i < end; ++i)
        subtract(&left[k * rows], u[i * n + k], &errors[(i - first) * rows], rows);
  }
}

void tamis::addMoments(std::vector<float> &moments, ArrayRef<float> rows, int64_t width) {
  int64_t count = width ? int64_t(rows.size()) / width : 0;
  moments.resize(width * width);
  std::vector<float> columns(rows.size());
  for (int64_t t = 0; t < count; ++t)
    for (int64_t i = 0; i < width; ++i)
      columns[i * count + t] = rows[t * width + i];
  for (int64_t first = 0; first < width; first += kTileColumns)
    for (int64_t i = first; i < width; ++i)
      for (int64_t j = first; j < std::min({first + kTileColumns, width, i + 1}); ++j) {
        moments[i * width + j] += dot(&columns[i * count], &columns[j * count], count);
        moments[j * width + i] = moments[i * width + j];
      }
}
