// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of single numbers.
#include "lib/reference/ScalarMath.h"

#include "llvm/Support/ErrorHandling.h"
#include <algorithm>
#include <cmath>

using namespace tamis::model;
using Kind = ElementwiseKind;

namespace {
double minimum(double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::nan("");
  return a == b ? (std::signbit(a) ? a : b) : std::min(a, b); // -0 is below +0
}

double maximum(double a, double b) {
  return -minimum(-a, -b);
}

int64_t power(int64_t base, int64_t exponent) {
  if (exponent < 0) // 1 / base^-exponent without its fraction, and 0 for base 0 as division by zero is
    return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  uint64_t result = 1, square = base;
  for (; exponent; exponent >>= 1, square *= square)
    if (exponent & 1)
      result *= square;
  return result;
}
} // namespace

double tamis::reference::unary(Kind kind, double x) {
  switch (kind) {
  case Kind::neg:
    return -x;
  case Kind::abs:
    return std::fabs(x);
  case Kind::exp:
    return std::exp(x);
  case Kind::log:
    return std::log(x);
  case Kind::sqrt:
    return std::sqrt(x);
  case Kind::rsqrt:
    return 1 / std::sqrt(x);
  case Kind::reciprocal:
    return 1 / x;
  case Kind::erf:
    return std::erf(x);
  case Kind::tanh:
    return std::tanh(x);
  case Kind::sigmoid:
    return 1 / (1 + std::exp(-x));
  case Kind::sin:
    return std::sin(x);
  case Kind::cos:
    return std::cos(x);
  case Kind::floor:
    return std::floor(x);
  case Kind::ceil:
    return std::ceil(x);
  case Kind::round:
    return std::nearbyint(x); // ties to even in the rounding mode of every process
  case Kind::sign:
    return std::isnan(x) ? x : (x > 0) - (x < 0);
  case Kind::isnan:
    return std::isnan(x);
  case Kind::isinf:
    return std::isinf(x);
  default:
    llvm_unreachable("the verifier counts operands and checks the element type");
  }
}

double tamis::reference::binary(Kind kind, double a, double b) {
  switch (kind) {
  case Kind::add:
    return a + b;
  case Kind::sub:
    return a - b;
  case Kind::mul:
    return a * b;
  case Kind::div:
    return a / b;
  case Kind::pow:
    return std::pow(a, b);
  case Kind::fmod:
    return std::fmod(a, b);
  case Kind::mod: {
    double rest = std::fmod(a, b);
    return rest != 0 && std::signbit(rest) != std::signbit(b) ? rest + b : rest == 0 ? std::copysign(0.0, b) : rest;
  }
  case Kind::minimum:
    return minimum(a, b);
  case Kind::maximum:
    return maximum(a, b);
  case Kind::equal:
    return a == b;
  case Kind::not_equal:
    return a != b;
  case Kind::less:
    return a < b;
  case Kind::less_equal:
    return a <= b;
  case Kind::greater:
    return a > b;
  case Kind::greater_equal:
    return a >= b;
  default:
    llvm_unreachable("the verifier counts operands and checks the element type");
  }
}

int64_t tamis::reference::unary(Kind kind, int64_t x) {
  switch (kind) {
  case Kind::neg:
    return -uint64_t(x);
  case Kind::abs:
    return x < 0 ? -uint64_t(x) : x;
  case Kind::floor:
  case Kind::ceil:
  case Kind::round:
    return x;
  case Kind::sign:
    return (x > 0) - (x < 0);
  case Kind::logical_not:
    return !x;
  default:
    llvm_unreachable("the verifier counts operands and checks the element type");
  }
}

int64_t tamis::reference::binary(Kind kind, int64_t a, int64_t b) {
  uint64_t ua = a, ub = b;
  switch (kind) {
  case Kind::add:
    return ua + ub;
  case Kind::sub:
    return ua - ub;
  case Kind::mul:
    return ua * ub;
  case Kind::div:
    return b == 0 ? 0 : b == -1 ? int64_t(-ua) : a / b;
  case Kind::pow:
    return power(a, b);
  case Kind::fmod:
    return b == 0 || b == -1 ? 0 : a % b;
  case Kind::mod: {
    int64_t rest = b == 0 || b == -1 ? 0 : a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  case Kind::minimum:
    return std::min(a, b);
  case Kind::maximum:
    return std::max(a, b);
  case Kind::logical_and:
    return a & b;
  case Kind::logical_or:
    return a | b;
  case Kind::logical_xor:
    return a ^ b;
  case Kind::equal:
    return a == b;
  case Kind::not_equal:
    return a != b;
  case Kind::less:
    return a < b;
  case Kind::less_equal:
    return a <= b;
  case Kind::greater:
    return a > b;
  case Kind::greater_equal:
    return a >= b;
  default:
    llvm_unreachable("the verifier counts operands and checks the element type");
  }
}

uint64_t tamis::reference::unary(Kind kind, uint64_t x) {
  if (kind == Kind::abs)
    return x;
  return kind == Kind::sign ? x != 0 : uint64_t(unary(kind, int64_t(x)));
}

uint64_t tamis::reference::binary(Kind kind, uint64_t a, uint64_t b) {
  switch (kind) {
  case Kind::div:
    return b == 0 ? 0 : a / b;
  case Kind::fmod:
  case Kind::mod:
    return b == 0 ? 0 : a % b;
  case Kind::pow: {
    uint64_t result = 1;
    for (; b != 0; b >>= 1, a *= a)
      result *= b & 1 ? a : 1;
    return result;
  }
  case Kind::minimum:
    return std::min(a, b);
  case Kind::maximum:
    return std::max(a, b);
  case Kind::less:
    return a < b;
  case Kind::less_equal:
    return a <= b;
  case Kind::greater:
    return a > b;
  case Kind::greater_equal:
    return a >= b;
  default:
    return uint64_t(binary(kind, int64_t(a), int64_t(b)));
  }
}

double tamis::reference::activate(ActivationKind kind, double x) {
  switch (kind) {
  case ActivationKind::relu:
    return std::isnan(x) || x > 0 ? x : 0;
  case ActivationKind::relu2:
    return std::isnan(x) || x > 0 ? x * x : 0;
  case ActivationKind::gelu:
    return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
  case ActivationKind::gelu_tanh:
    return x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
  case ActivationKind::quick_gelu:
    return x * unary(Kind::sigmoid, 1.702 * x);
  case ActivationKind::silu:
    return x * unary(Kind::sigmoid, x);
  }
  llvm_unreachable("every activation is listed");
}
