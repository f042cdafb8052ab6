// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How far two tensors are apart.

#include "tools/tamis/Comparison.h"
#include "runtime/npy/HalfFloat.h"
#include "runtime/npy/TensorText.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace tamis::tool {

template <typename T> static T load(const Tensor &tensor, int64_t i) {
  T value;
  memcpy(&value, static_cast<const char *>(tensor.data()) + size_t(i) * sizeof value, sizeof value);
  return value;
}

/// Element `i` as a number; 64-bit integers beyond 2^53 are rounded.
static double number(const Tensor &tensor, int64_t i) {
  switch (tensor.elementType()) {
  case TAMIS_F32:
    return double(load<float>(tensor, i));
  case TAMIS_F64:
    return load<double>(tensor, i);
  case TAMIS_F16:
    return double(npy::fromF16(load<uint16_t>(tensor, i)));
  case TAMIS_BF16:
    return double(npy::fromBf16(load<uint16_t>(tensor, i)));
  case TAMIS_I8:
    return load<int8_t>(tensor, i);
  case TAMIS_I16:
    return load<int16_t>(tensor, i);
  case TAMIS_I32:
    return load<int32_t>(tensor, i);
  case TAMIS_I64:
    return double(load<int64_t>(tensor, i));
  case TAMIS_U8:
    return load<uint8_t>(tensor, i);
  case TAMIS_U16:
    return load<uint16_t>(tensor, i);
  case TAMIS_U32:
    return load<uint32_t>(tensor, i);
  case TAMIS_U64:
    return double(load<uint64_t>(tensor, i));
  case TAMIS_BOOL:
    return load<uint8_t>(tensor, i) != 0;
  }
  return 0;
}

static double difference(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b)))
    return 0;
  double apart = std::fabs(a - b);
  return std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
}

Comparison compare(const Tensor &found, const Tensor &right) {
  Comparison result;
  if (found.elementType() != right.elementType() || found.dims() != right.dims()) {
    result.mismatch = npy::shapeText(found.elementType(), found.dims()) + " was computed, wanted is " +
                      npy::shapeText(right.elementType(), right.dims());
    return result;
  }
  int64_t count = found.size();
  std::vector<double> differences;
  differences.reserve(size_t(count));
  double sum = 0, product = 0, foundSquares = 0, rightSquares = 0;
  for (int64_t i = 0; i < count; ++i) {
    double a = number(found, i), b = number(right, i), apart = difference(a, b);
    double size = std::isfinite(b) ? std::fmax(1, std::fabs(b)) : 1;
    if (apart > result.absolute.size)
      result.absolute = {apart, i};
    if (apart / size > result.scaled.size)
      result.scaled = {apart / size, i};
    sum += apart;
    differences.push_back(apart);
    if (!std::isfinite(a) || !std::isfinite(b))
      continue;
    product += a * b, foundSquares += a * a, rightSquares += b * b;
  }
  result.mean = count ? sum / double(count) : 0;
  if (count) {
    // The smallest value that at least 999 of 1000 elements do not exceed.
    auto at = differences.begin() + (count * 999 + 999) / 1000 - 1;
    std::nth_element(differences.begin(), at, differences.end());
    result.quantile = *at;
  }
  if (foundSquares > 0 || rightSquares > 0)
    result.cosine =
        foundSquares > 0 && rightSquares > 0 ? product / std::sqrt(foundSquares) / std::sqrt(rightSquares) : 0;
  return result;
}

std::string indexText(int64_t element, const std::vector<int64_t> &dims) {
  std::string text;
  for (size_t axis = dims.size(); axis-- > 0; element /= dims[axis])
    text = std::to_string(element % dims[axis]) + (text.empty() ? "" : ", ") + text;
  return "[" + text + "]";
}

} // namespace tamis::tool
