// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the inputs of dense layers are like when a model reads passages.
#include "lib/driver/InputStatistics.h"

#include "lib/driver/RoundWeights.h"
#include "mlir/IR/Threading.h"
#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace tamis;

namespace {
/// Columns smaller than this share of the mean count as if they were not: passages that were not seen may have more.
constexpr float kLeastShare = 0.01f;
/// A multiplication more must gain that much.
constexpr double kWorthwhile = 0.7;

LogicalResult add(InputStatistics &statistics, const npy::Array &array, bool withMoments) {
  int64_t width = array.dims.back();
  ArrayRef<float> numbers(reinterpret_cast<const float *>(array.bytes.data()), array.bytes.size() / sizeof(float));
  if (statistics.low.empty()) {
    statistics.low.assign(width, 0);
    statistics.high.assign(width, 0);
    statistics.mean.assign(width, 0);
  }
  std::vector<double> sums(width);
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!std::isfinite(numbers[i]))
      return failure();
    float &low = statistics.low[i % width], &high = statistics.high[i % width];
    low = std::min(low, numbers[i]), high = std::max(high, numbers[i]);
    sums[i % width] += numbers[i];
  }
  for (auto [mean, sum] : llvm::zip_equal(statistics.mean, sums))
    mean += float(sum);
  statistics.rows += width ? int64_t(numbers.size()) / width : 0;
  if (withMoments)
    addMoments(statistics.moments, numbers, width);
  return success();
}

/// Numbers, none of them smaller than a share of their mean.
std::vector<float> raised(std::vector<float> numbers) {
  double sum = 0;
  for (float number : numbers)
    sum += number;
  float least = kLeastShare * float(sum / double(numbers.size()));
  for (float &number : numbers)
    number = std::max(number, least);
  return numbers;
}
} // namespace

FailureOr<std::vector<InputStatistics>> tamis::observeInputs(ModuleOp module, ArrayRef<Value> values,
                                                             const WeightStore &weights, ArrayRef<Passage> passages,
                                                             bool withMoments, const Activity &activity) {
  if (passages.empty())
    return emitError(
        module.getLoc(),
        "weights are quantized by what layers are given, and passages, which --calibrate=FILE.npz names, are missing");
  std::vector<InputStatistics> statistics(values.size());
  auto see = [&](std::vector<npy::Array>, std::vector<npy::Array> arrays) {
    std::vector<char> isFinite(arrays.size());
    parallelFor(module.getContext(), 0, arrays.size(),
                [&](size_t i) { isFinite[i] = succeeded(add(statistics[i], arrays[i], withMoments)); });
    for (auto [value, good] : llvm::zip_equal(values, isFinite))
      if (!good)
        return LogicalResult(emitError(value.getLoc())
                             << "calibration: the input of a layer holds NaN or an infinity but finite numbers are "
                                "wanted");
    return success();
  };
  if (failed(observeModel(module, values, weights, passages, activity, see)))
    return failure();
  for (InputStatistics &each : statistics)
    for (std::vector<float> *sums : {&each.mean, &each.moments})
      for (float &sum : *sums)
        sum /= float(std::max<int64_t>(each.rows, 1));
  return statistics;
}

std::vector<float> tamis::smoothingOf(const InputStatistics &input, ArrayRef<float> weightMaxima,
                                      ArrayRef<float> weightSquares) {
  size_t width = weightMaxima.size();
  std::vector<float> magnitudes(width), smoothing(width);
  for (size_t i = 0; i < width; ++i)
    magnitudes[i] = std::max(-input.low[i], input.high[i]);
  magnitudes = raised(std::move(magnitudes));
  std::vector<float> maxima = raised(weightMaxima.vec());
  double logarithms = 0;
  for (size_t i = 0; i < width; ++i) {
    smoothing[i] = std::sqrt(magnitudes[i] / maxima[i]);
    if (!(smoothing[i] > 0 && std::isfinite(smoothing[i]))) // nothing but zeros on one side
      return {};
    logarithms += std::log(smoothing[i]);
  }
  float mean = float(std::exp(logarithms / double(width)));
  // An input's rounding errors grow with its range; a layer's, with its weights.
  double low[2] = {}, high[2] = {}, squares[2] = {};
  for (size_t i = 0; i < width; ++i) {
    smoothing[i] /= mean;
    for (int after = 0; after < 2; ++after) {
      double divisor = after ? smoothing[i] : 1;
      low[after] = std::min(low[after], input.low[i] / divisor);
      high[after] = std::max(high[after], input.high[i] / divisor);
      squares[after] += double(weightSquares[i]) * divisor * divisor;
    }
  }
  auto error = [&](int after) { return std::pow(high[after] - low[after], 2) * squares[after]; };
  if (error(1) > kWorthwhile * error(0))
    return {};
  return smoothing;
}
