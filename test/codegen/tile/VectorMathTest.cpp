// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every function of VectorMath against libm in f64, with the errors and special values that its header states.
#include "codegen/tile/VectorMath.h"

#include "codegen/tile/KernelBuilder.h"
#include "test/codegen/KernelHarness.h"
#include "llvm/ADT/bit.h"
#include <cfloat>
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
constexpr int64_t kPoints = 1 << 20, kGroup = 1 << 12; // a work group computes kGroup points

struct Range {
  float low, high;
  bool contains(float x) const { return low <= x && x <= high; }
};
constexpr Range kAll{-INFINITY, INFINITY};

/// What a result has to be. NaN and infinity admit no error.
struct Expected {
  double value, error;
  bool admits(float found) const {
    if (std::isnan(value))
      return std::isnan(found);
    if (std::isinf(found)) // right where rounding a number within the error gives infinity
      return std::signbit(found) == std::signbit(value) && std::abs(value) + error > FLT_MAX;
    return std::abs(found - value) <= error;
  }
};

/// Results below the smallest normal number are multiples of 2^-149.
Expected relative(double value, double error = 3e-7) {
  return {value, std::isinf(value) ? 0 : error * std::abs(value) + 0x1p-150};
}

using Emit = std::function<Value(VectorMath &, ValueRange)>;

/// A kernel that stores `emit` of its operands, one by one or in vectors as wide as the target's registers.
KernelMaker makerOf(const Emit &emit, bool scalars) {
  return {[](func::FuncOp) { return Launch{kPoints / kGroup, 0}; },
          [=](func::FuncOp function, const CpuTarget &target) {
            unsigned lanes = scalars ? 1 : target.lanes, arity = function.getNumArguments();
            KernelBuilder b(function);
            VectorMath math(b, /*scalesWide=*/target.lanes == 16);
            b.loop(b.mul(b.begin(), kGroup), b.mul(b.end(), kGroup), lanes, [&](Value i) {
              SmallVector<Value> operands;
              for (unsigned a = 0; a < arity; ++a)
                operands.push_back(scalars ? b.load(b.argument(a), i) : b.loadVector(b.argument(a), i, lanes));
              Value result = emit(math, operands);
              scalars ? b.store(result, b.result(0), i) : b.storeVector(result, b.result(0), i);
            });
            b.finish();
            return success();
          }};
}

/// Only operands and result matter.
const char *const kUnary = R"(
  func.func @unary(%x: tensor<1048576xf32>) -> tensor<1048576xf32> {
    %0 = model.elementwise neg %x : (tensor<1048576xf32>) -> tensor<1048576xf32>
    return %0 : tensor<1048576xf32>
  })";
const char *const kBinary = R"(
  func.func @binary(%x: tensor<1048576xf32>, %y: tensor<1048576xf32>) -> tensor<1048576xf32> {
    %0 = model.elementwise add %x, %y : (tensor<1048576xf32>, tensor<1048576xf32>) -> tensor<1048576xf32>
    return %0 : tensor<1048576xf32>
  })";

class VectorMathTest : public KernelTest {
protected:
  /// kPoints numbers: the ends of both ranges and special values, then of every 2^13 numbers of f32 in `domain` one,
  /// which reaches each exponent, the rest uniform in `dense`. NaN is in every domain.
  std::vector<float> sweep(Range domain, Range dense) {
    std::vector<float> points;
    auto add = [&](float x) {
      if (std::isnan(x) || domain.contains(x))
        points.push_back(x);
    };
    for (float end : {domain.low, domain.high, dense.low, dense.high})
      for (float x : {end, std::nextafter(end, -INFINITY), std::nextafter(end, INFINITY)})
        add(x);
    for (float x : {0.0f, 1.0f, FLT_MIN, FLT_TRUE_MIN, FLT_MAX, INFINITY, NAN})
      for (float sign : {1, -1})
        add(std::copysign(x, sign));
    for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 1 << 13)
      add(llvm::bit_cast<float>(uint32_t(bits + random() % (1 << 13))));
    std::uniform_real_distribution<float> uniform(dense.low, dense.high);
    while (points.size() < kPoints)
      points.push_back(uniform(random));
    return points;
  }

  using Function = Value (VectorMath::*)(Value);
  void check(Function function, const std::vector<float> &x, llvm::function_ref<Expected(double)> expected) {
    check([=](VectorMath &math, ValueRange operands) { return (math.*function)(operands[0]); }, x, {},
          [=](double x, double) { return expected(x); });
  }

  void check(model::ActivationKind kind, llvm::function_ref<double(double)> exact, double error) {
    check([=](VectorMath &math, ValueRange operands) { return math.activation(kind, operands[0]); },
          sweep({-8, 8}, {-8, 8}), {}, [=](double x, double) { return Expected{exact(x), error}; });
  }

  /// y: empty for functions of one operand.
  void check(const Emit &emit, const std::vector<float> &x, const std::vector<float> &y,
             llvm::function_ref<Expected(double, double)> expected) {
    for (bool scalars : {false, true}) {
      SCOPED_TRACE(scalars ? "scalars" : "vectors");
      auto harness = KernelHarness::create(y.empty() ? kUnary : kBinary, target(), makerOf(emit, scalars));
      ASSERT_TRUE(harness);
      Type f32 = Float32Type::get(harness->context());
      std::vector<HostTensor> inputs{HostTensor::of<float>(f32, {kPoints}, x)};
      if (!y.empty())
        inputs.push_back(HostTensor::of<float>(f32, {kPoints}, y));
      HostTensor result = harness->run(inputs)[0];
      int64_t wrong = 0;
      for (int64_t i = 0; i < kPoints; ++i) {
        float found = result.values<float>()[i];
        Expected wanted = expected(x[i], y.empty() ? 0 : y[i]);
        if (wanted.admits(found))
          continue;
        if (++wrong <= 5)
          ADD_FAILURE() << "the function of " << x[i] << (y.empty() ? "" : " and " + std::to_string(y[i])) << " is "
                        << found << " but " << wanted.value << " +- " << wanted.error << " is wanted";
      }
      EXPECT_EQ(wrong, 0) << "results are wrong";
    }
  }

  /// How the error of sin and cos grows with |x|: without fused multiply-adds n pi/2 is rounded before x loses it.
  double angleGrowth() {
    return llvm::is_contained(llvm::cantFail(CpuTarget::parse(target())).features, "fma") ? 0 : 6e-8;
  }
};

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

Expected power(double x, double y) {
  // -0 counts as 0, and a negative infinity as other negative numbers.
  double value = x < 0 && y != std::floor(y) ? NAN : std::pow(x == 0 ? 0 : x, y);
  double exponent = std::abs(y * std::log(std::abs(x)));
  return relative(value, 3e-7 * (1 + (std::isfinite(exponent) ? exponent : 0)));
}
Value emitPower(VectorMath &math, ValueRange operands) {
  return math.pow(operands[0], operands[1]);
}
} // namespace

TEST_P(VectorMathTest, Exp) {
  check(&VectorMath::exp, sweep(kAll, {-105, 90}), [](double x) { return relative(std::exp(x)); });
}

TEST_P(VectorMathTest, ExpLimited) {
  check(&VectorMath::expLimited, sweep(kAll, {-88, 89}),
        [](double x) { return relative(std::isnan(x) ? x : std::exp(std::clamp(x, -87.0, 88.0))); });
}

TEST_P(VectorMathTest, Exp2Limited) {
  check(&VectorMath::exp2Limited, sweep({-INFINITY, 0}, {-126, 0}),
        [](double x) { return relative(std::isnan(x) ? x : std::exp2(std::max(x, -125.0))); });
}

TEST_P(VectorMathTest, Log) {
  check(&VectorMath::log, sweep(kAll, {0.5, 2}), [](double x) { return relative(std::log(x)); });
}

TEST_P(VectorMathTest, Erf) {
  check(&VectorMath::erf, sweep(kAll, {-4, 4}),
        [](double x) { return std::abs(x) >= 3.75 ? Expected{std::copysign(1, x), 0} : Expected{std::erf(x), 3e-7}; });
}

TEST_P(VectorMathTest, Tanh) {
  check(&VectorMath::tanh, sweep(kAll, {-10, 10}),
        [](double x) { return std::abs(x) >= 9.1 ? Expected{std::copysign(1, x), 0} : Expected{std::tanh(x), 3e-7}; });
}

TEST_P(VectorMathTest, Sigmoid) {
  check(&VectorMath::sigmoid, sweep(kAll, {-100, 100}), [](double x) {
    constexpr double least = 6e-39;
    double value = std::max(sigmoid(x), 1.01 * least);
    return Expected{value, std::min(2e-7, value - least)};
  });
}

TEST_P(VectorMathTest, Sin) {
  check(&VectorMath::sin, sweep({-1e5, 1e5}, {-1e5, 1e5}),
        [growth = angleGrowth()](double x) { return Expected{std::sin(x), 3e-7 + growth * std::abs(x)}; });
  check(&VectorMath::sin, std::vector<float>(kPoints, INFINITY), [](double) { return Expected{NAN, 0}; });
}

TEST_P(VectorMathTest, Cos) {
  check(&VectorMath::cos, sweep({-1e5, 1e5}, {-1e5, 1e5}),
        [growth = angleGrowth()](double x) { return Expected{std::cos(x), 3e-7 + growth * std::abs(x)}; });
  check(&VectorMath::cos, std::vector<float>(kPoints, -INFINITY), [](double) { return Expected{NAN, 0}; });
}

TEST_P(VectorMathTest, Pow) {
  std::vector<float> x = sweep({0, INFINITY}, {0.9, 1.1}), y;
  std::uniform_real_distribution<double> exponent(-110, 95); // around those that give zero and infinity
  for (float base : x)
    y.push_back(exponent(random) / std::log(base));
  check(emitPower, x, y, power);
}

TEST_P(VectorMathTest, PowOfNegativeNumbers) {
  std::vector<float> x = sweep({-INFINITY, -0.0f}, {-4, 0}), y;
  std::uniform_real_distribution<float> exponent(-40, 40);
  for (size_t i = 0; i < x.size(); ++i)
    y.push_back(i % 4 ? std::round(exponent(random)) : exponent(random));
  check(emitPower, x, y, power);
}

TEST_P(VectorMathTest, PowOfSpecialValues) {
  const float values[] = {0, -0.0f, 1, 2, 0.5, 3, INFINITY, NAN, FLT_MIN, FLT_TRUE_MIN, FLT_MAX};
  const float exponents[] = {0, -0.0f, 1, -1, 2, -3, 0.5, -0.5, INFINITY, -INFINITY, NAN, FLT_MAX, FLT_TRUE_MIN};
  std::vector<float> x, y;
  while (x.size() < kPoints) {
    x.push_back(values[x.size() % std::size(values)]);
    y.push_back(exponents[y.size() % std::size(exponents)]); // lengths without a common divisor: all pairs
  }
  check(emitPower, x, y, power);
}

TEST_P(VectorMathTest, Activations) {
  using Kind = model::ActivationKind;
  check(Kind::relu, [](double x) { return x < 0 ? 0 : x; }, 0);
  check(Kind::gelu, [](double x) { return x * std::erfc(-x * M_SQRT1_2) / 2; }, 1e-6);
  check(
      Kind::gelu_tanh, [](double x) { return x * sigmoid(2 * std::sqrt(M_2_PI) * (x + 0.044715 * x * x * x)); }, 2e-6);
  check(Kind::quick_gelu, [](double x) { return x * sigmoid(1.702 * x); }, 2e-6);
  check(Kind::silu, [](double x) { return x * sigmoid(x); }, 2e-6);
}

TEST_P(VectorMathTest, Limits) {
  std::vector<float> x = sweep(kAll, {-4, 4}), y = x;
  std::shuffle(y.begin(), y.end(), random);
  auto atLeast = [](VectorMath &math, ValueRange operands) { return math.atLeast(operands[0], -1.5); };
  check(atLeast, x, {}, [](double x, double) { return Expected{x < -1.5 ? -1.5 : x, 0}; });
  auto atMost = [](VectorMath &math, ValueRange operands) { return math.atMost(operands[0], 1.5); };
  check(atMost, x, {}, [](double x, double) { return Expected{x > 1.5 ? 1.5 : x, 0}; });
  auto larger = [](VectorMath &math, ValueRange operands) { return math.larger(operands[0], operands[1]); };
  check(larger, x, y, [](double x, double y) { return Expected{x > y ? x : y, 0}; });
}

INSTANTIATE_KERNEL_TEST(VectorMathTest);
