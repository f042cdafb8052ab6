// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers of a matrix as integers of few bits.
#include "lib/driver/RoundWeights.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>

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

float toHalf(float number) {
  llvm::APFloat half(number);
  bool loses;
  half.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven, &loses);
  half.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &loses);
  return half.convertToFloat();
}

struct Unit {
  float scale;
  int64_t zero;
};

/// Rounds the numbers that share a scale.
class GroupRounder {
public:
  GroupRounder(ArrayRef<float> numbers, ArrayRef<float> importance, const RoundedMatrix &matrix,
               const RoundOptions &options)
      : numbers(numbers), importance(importance), low(matrix.low), high(matrix.high), options(options) {
    for (float number : numbers)
      least = std::min(least, number), most = std::max(most, number);
  }

  /// Nothing for a range beyond f32.
  std::optional<Unit> find() {
    float range = options.symmetric ? std::max(-least, most) / float(high) : (most - least) / float(high);
    if (!std::isfinite(range))
      return std::nullopt;
    if (range < std::numeric_limits<float>::min())
      return Unit{1, 0};
    Unit best = stored({range, options.symmetric ? 0 : zeroOf(least, range)});
    if (!options.searches)
      return best;
    double error = errorOf(best);
    auto consider = [&](Unit unit) {
      for (Unit tried : {stored(unit), stored(fitted(unit))})
        if (double found = errorOf(tried); found < error)
          error = found, best = tried;
    };
    constexpr int64_t steps = 10;
    for (int64_t step = -steps; step <= steps; ++step) {
      if (options.symmetric) { // the furthest number becomes the lowest integer, about
        float furthest = -least > most ? least : most;
        consider({furthest / (float(low) - 0.1f * float(step)), 0});
      } else if (step >= 0) {
        float share = 1 - 0.03f * float(step);
        for (auto [from, to] :
             {std::pair(least * share, most * share), std::pair(least * share, most), std::pair(least, most * share)}) {
          float scale = (to - from) / float(high);
          if (scale >= std::numeric_limits<float>::min())
            consider({scale, zeroOf(from, scale)});
        }
      }
    }
    return best;
  }

private:
  int64_t zeroOf(float from, float scale) const {
    return std::clamp<int64_t>(std::nearbyint(-from / scale), low, high);
  }
  /// As it will be read: a scale of f16 that would be 0 is the least one.
  Unit stored(Unit unit) const {
    if (!options.halfScales)
      return unit;
    float half = toHalf(unit.scale);
    return {half != 0 ? half : std::copysign(0x1p-24f, unit.scale), unit.zero};
  }
  /// With the scale of least squares for the integers that it gives.
  Unit fitted(Unit unit) const {
    double product = 0, square = 0;
    for (auto [i, number] : llvm::enumerate(numbers)) {
      auto q = double(nearest(number, unit.scale, unit.zero, low, high) - unit.zero);
      product += weightOf(i) * q * number, square += weightOf(i) * q * q;
    }
    auto scale = float(product / square);
    return std::isfinite(scale) && std::abs(scale) >= std::numeric_limits<float>::min() ? Unit{scale, unit.zero} : unit;
  }
  double errorOf(Unit unit) const {
    double error = 0;
    for (auto [i, number] : llvm::enumerate(numbers)) {
      double gap = number - float(nearest(number, unit.scale, unit.zero, low, high) - unit.zero) * unit.scale;
      error += weightOf(i) * gap * gap;
    }
    return error;
  }
  double weightOf(size_t i) const { return importance.empty() ? 1 : importance[i]; }

  ArrayRef<float> numbers, importance;
  int64_t low, high;
  const RoundOptions &options;
  float least = 0, most = 0;
};
} // namespace

llvm::Expected<RoundedMatrix> tamis::roundToNearest(ArrayRef<float> matrix, int64_t columns,
                                                    const RoundOptions &options, ArrayRef<float> importance) {
  RoundedMatrix result;
  result.columns = columns;
  result.rows = columns ? int64_t(matrix.size()) / columns : 0;
  result.group = options.group;
  result.high = options.symmetric ? (1 << (options.bits - 1)) - 1 : (1 << options.bits) - 1;
  result.low = !options.symmetric ? 0 : options.searches ? -result.high - 1 : -result.high;
  result.integers.resize(matrix.size());
  int64_t groups = result.groups();
  result.scales.resize(result.rows * groups);
  result.zeroPoints.resize(result.rows * groups);
  RoundOptions own = options;
  constexpr float maxHalf = 65504;
  for (auto [i, number] : llvm::enumerate(matrix)) {
    if (!std::isfinite(number))
      return llvm::createStringError(llvm::Twine("holds ") + (std::isnan(number) ? "NaN" : "an infinity") + " in row " +
                                     llvm::Twine(int64_t(i) / columns) + " but finite numbers are wanted");
    own.halfScales &= std::abs(number) <= maxHalf;
  }
  for (int64_t r = 0; r < result.rows; ++r)
    for (int64_t g = 0; g < groups; ++g) {
      int64_t first = g * own.group, count = std::min(own.group, columns - first);
      ArrayRef<float> numbers = matrix.slice(r * columns + first, count);
      auto unit =
          GroupRounder(numbers, importance.empty() ? importance : importance.slice(first, count), result, own).find();
      if (!unit)
        return llvm::createStringError("has a range in row " + llvm::Twine(r) + " that f32 cannot hold");
      result.scales[r * groups + g] = unit->scale;
      result.zeroPoints[r * groups + g] = char(unit->zero);
      for (auto [i, number] : llvm::enumerate(numbers))
        result.integers[r * columns + first + i] =
            char(nearest(number, unit->scale, unit->zero, result.low, result.high));
    }
  return result;
}

bool tamis::hasHalfScales(const RoundedMatrix &matrix) {
  return llvm::all_of(matrix.scales, [](float scale) { return toHalf(scale) == scale; });
}

uint16_t tamis::halfBits(float number) {
  llvm::APFloat half(number);
  bool loses;
  half.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven, &loses);
  return uint16_t(half.bitcastToAPInt().getZExtValue());
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

std::vector<float> tamis::changedProducts(const RoundedMatrix &rounded, ArrayRef<float> matrix,
                                          ArrayRef<float> column) {
  bool isSigned = rounded.low < 0;
  std::vector<float> changes;
  for (int64_t r = 0; r < rounded.rows; ++r) {
    double change = 0;
    for (int64_t c = 0; c < rounded.columns; ++c) {
      int64_t i = r * rounded.columns + c, unit = r * rounded.groups() + c / rounded.group;
      int64_t zero = isSigned ? 0 : int64_t(uint8_t(rounded.zeroPoints[unit]));
      int64_t integer = isSigned ? int64_t(rounded.integers[i]) : int64_t(uint8_t(rounded.integers[i]));
      change += (double(integer - zero) * rounded.scales[unit] - matrix[i]) * column[c];
    }
    changes.push_back(float(change));
  }
  return changes;
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
