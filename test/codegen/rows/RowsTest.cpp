// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels against the reference evaluator: lengths around vectors, element types, what is fused before and after.
#include "codegen/tile/Rows.h"

#include "test/codegen/KernelHarness.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
class RowsTest : public KernelTest {
protected:
  std::unique_ptr<KernelHarness> kernel(llvm::StringRef ir) {
    auto harness = KernelHarness::create(ir, target(), {rowsLaunch, tileRows});
    if (!harness)
      ADD_FAILURE() << ir.str();
    return harness;
  }

  /// Random numbers in [-4, 4) of an element type.
  HostTensor numbers(MLIRContext *context, Type element, llvm::ArrayRef<int64_t> shape) {
    return HostTensor::ofNumbers(element, shape, uniform(context, shape, random, -4, 4).numbers());
  }
};

std::string substitute(std::string text, const std::vector<std::pair<std::string, std::string>> &words) {
  for (const auto &[from, to] : words)
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  return text;
}

Type elementType(MLIRContext *context, const std::string &name) {
  return name == "f64"    ? Type(Float64Type::get(context))
         : name == "f32"  ? Type(Float32Type::get(context))
         : name == "bf16" ? Type(BFloat16Type::get(context))
                          : Type(Float16Type::get(context));
}

const char *const kSymbols =
    "attributes {model.symbols = [#model.symbol<\"n\", 0, 5000>, #model.symbol<\"m\", 0, 5000>, "
    "#model.symbol<\"k\", 0, 5000>]}";
} // namespace

TEST_P(RowsTest, NormsOfEveryLength) {
  for (int64_t length : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 127, 128, 129, 384, 385, 1000})
    for (std::string kind : {"layer", "rms"}) {
      std::string text = substitute(R"(
        func.func @kernel(%x: $X, %g: $V, %b: $V) -> $X $ATTRIBUTES {
          %y = model.norm $KIND %x scale %g bias %b axis 1 epsilon 1.0e-5 : $X, $V, $V -> $X
          return %y : $X
        })",
                                    {{"$X", "tensor<?x$Nxf32, #model.dims<\"n\", \"$N\">>"},
                                     {"$V", "tensor<$Nxf32>"},
                                     {"$N", std::to_string(length)},
                                     {"$KIND", kind},
                                     {"$ATTRIBUTES", kSymbols}});
      SCOPED_TRACE(kind + " of " + std::to_string(length));
      auto harness = kernel(text);
      ASSERT_TRUE(harness);
      for (int64_t rows : {0, 1, 3, 65}) {
        HostTensor x = uniform(harness->context(), {rows, length}, random, -1, 3);
        harness->expectMatch(
            {x, uniform(harness->context(), {length}, random), uniform(harness->context(), {length}, random)}, 1e-5,
            1e-5);
      }
    }
}

TEST_P(RowsTest, NormsOfEveryType) {
  for (std::string element : {"f32", "f16", "bf16", "f64"})
    for (std::string kind : {"layer", "rms"})
      for (bool scaled : {false, true})
        for (std::string axis : {"1", "2"}) {
          std::string vector = axis == "1" ? "tensor<5x9x$E>" : "tensor<9x$E>";
          std::string text =
              substitute("func.func @kernel(%x: $X, %p: $V) -> $X {\n%y = model.norm $KIND %x $PARAMETER axis $AXIS "
                         "epsilon 1.0e-6 : $X$TYPE -> $X\nreturn %y : $X\n}",
                         {{"$PARAMETER", scaled ? "scale %p" : ""},
                          {"$TYPE", scaled ? ", $V" : ""},
                          {"$AXIS", axis},
                          {"$KIND", kind},
                          {"$X", "tensor<6x5x9x$E>"},
                          {"$V", vector},
                          {"$E", element}});
          SCOPED_TRACE(text);
          auto harness = kernel(text);
          ASSERT_TRUE(harness);
          Type type = elementType(harness->context(), element);
          double error = element == "f64" ? 1e-13 : element == "f32" ? 1e-5 : element == "f16" ? 2e-3 : 1.6e-2;
          llvm::SmallVector<int64_t> shape =
              axis == "1" ? llvm::SmallVector<int64_t>{5, 9} : llvm::SmallVector<int64_t>{9};
          harness->expectMatch({numbers(harness->context(), type, {6, 5, 9}), numbers(harness->context(), type, shape)},
                               error, error);
        }
}

// A mean far from zero: sums of squares would lose all digits.
TEST_P(RowsTest, LayerNormOfLargeMean) {
  auto harness = kernel("func.func @kernel(%x: tensor<4x384xf32>) -> tensor<4x384xf32> {\n"
                        "%y = model.norm layer %x axis 1 epsilon 1.0e-12 : tensor<4x384xf32> -> "
                        "tensor<4x384xf32>\nreturn %y : tensor<4x384xf32>\n}");
  ASSERT_TRUE(harness);
  harness->expectMatch(uniform(harness->context(), {4, 384}, random, 1000, 1001), 1e-5, 1e-5);
}

// What a transformer block does: residual, norm, and a second result of the sum itself.
TEST_P(RowsTest, ResidualThenNorm) {
  std::string text =
      substitute(R"(
    func.func @kernel(%a: $X, %r: $X, %g: tensor<384xf32>, %b: tensor<384xf32>) -> ($X, $X) $ATTRIBUTES {
      %s = model.elementwise add %a, %r : ($X, $X) -> $X
      %y = model.norm layer %s scale %g bias %b axis 2 epsilon 1.0e-12 : $X, tensor<384xf32>, tensor<384xf32> -> $X
      %e = model.activation gelu %y : $X
      return %s, %e : $X, $X
    })",
                 {{"$X", "tensor<?x?x384xf32, #model.dims<\"n\", \"m\", \"384\">>"}, {"$ATTRIBUTES", kSymbols}});
  auto harness = kernel(text);
  ASSERT_TRUE(harness);
  for (auto [n, m] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {2, 33}, {0, 3}, {3, 21}}) {
    auto x = [&] { return uniform(harness->context(), {n, m, 384}, random); };
    harness->expectMatch(
        {x(), x(), uniform(harness->context(), {384}, random), uniform(harness->context(), {384}, random)}, 1e-5, 1e-5);
  }
}

TEST_P(RowsTest, SoftmaxOfEveryLength) {
  for (std::string element : {"f32", "f16", "bf16"}) {
    std::string text = substitute(
        "func.func @kernel(%x: $X) -> $X $ATTRIBUTES {\n%y = model.softmax %x axis 1 : $X\nreturn %y : $X\n}",
        {{"$X", "tensor<?x?x" + element + ", #model.dims<\"n\", \"m\">>"}, {"$ATTRIBUTES", kSymbols}});
    auto harness = kernel(text);
    ASSERT_TRUE(harness);
    Type type = elementType(harness->context(), element);
    for (int64_t length : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 128, 384, 1000, 4097})
      for (int64_t rows : {1, 5, 17})
        harness->expectMatch(numbers(harness->context(), type, {rows, length}), element == "f32" ? 1e-6 : 1e-5,
                             element == "f32"   ? 3e-6
                             : element == "f16" ? 1.1 / 1024
                                                : 1.1 / 128);
  }
}

TEST_P(RowsTest, SoftmaxOfSpecialRows) {
  auto harness = kernel(
      "func.func @kernel(%x: tensor<7x21xf32>) -> tensor<7x21xf32> {\n%y = model.softmax %x axis 1 : tensor<7x21xf32>\n"
      "return %y : tensor<7x21xf32>\n}");
  ASSERT_TRUE(harness);
  std::vector<double> values(7 * 21, 0.25);
  auto row = [&](int64_t i) { return values.begin() + i * 21; };
  std::fill(row(0), row(1), -INFINITY);     // no key at all: NaN
  std::fill(row(1), row(2) - 1, -INFINITY); // one key
  *(row(2) + 20) = NAN;                     // NaN in the last lane, and in the first
  *row(3) = NAN;
  *(row(4) + 3) = INFINITY;         // NaN
  std::fill(row(5), row(6), -3e38); // far below any exponential
  for (int64_t i = 0; i < 21; ++i)
    *(row(6) + i) = i * 10 - 150.0; // results below the normal range
  harness->expectMatch(HostTensor::ofNumbers(Float32Type::get(harness->context()), {7, 21}, values), 1e-37, 4e-6);
}

// Unfused attention: scores scaled, a mask of keys added or selected, then weights rounded.
TEST_P(RowsTest, MaskedSoftmax) {
  std::string text = substitute(R"(
    func.func @kernel(%x: $X, %scale: tensor<f32>, %add: tensor<?x1x1x?xf32, #model.dims<"n", "1", "1", "k">>,
                      %keep: tensor<1x1x?x?xi1, #model.dims<"1", "1", "m", "k">>, %q: tensor<?x1x?x1xf32, #model.dims<"n", "1", "m", "1">>) -> $H $ATTRIBUTES {
      %low = model.constant dense<-1.0e30> : tensor<f32>
      %s = model.elementwise mul %x, %scale : ($X, tensor<f32>) -> $X
      %m = model.elementwise add %s, %add : ($X, tensor<?x1x1x?xf32, #model.dims<"n", "1", "1", "k">>) -> $X
      %o = model.elementwise sub %m, %q : ($X, tensor<?x1x?x1xf32, #model.dims<"n", "1", "m", "1">>) -> $X
      %k = model.elementwise select %keep, %o, %low : (tensor<1x1x?x?xi1, #model.dims<"1", "1", "m", "k">>, $X, tensor<f32>) -> $X
      %y = model.softmax %k axis 3 : $X
      %h = model.cast %y : $X -> $H
      return %h : $H
    })",
                                {{"$X", "tensor<?x3x?x?xf32, #model.dims<\"n\", \"3\", \"m\", \"k\">>"},
                                 {"$H", "tensor<?x3x?x?xf16, #model.dims<\"n\", \"3\", \"m\", \"k\">>"},
                                 {"$ATTRIBUTES", kSymbols}});
  auto harness = kernel(text);
  ASSERT_TRUE(harness);
  MLIRContext *context = harness->context();
  for (auto [n, m, k] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
           {1, 1, 1}, {2, 5, 19}, {3, 7, 64}, {2, 3, 0}, {0, 2, 3}, {2, 40, 33}}) {
    std::vector<double> keep(m * k);
    for (double &flag : keep)
      flag = random() % 4 != 0;
    harness->expectMatch({uniform(context, {n, 3, m, k}, random, -4, 4), uniform(context, {}, random),
                          uniform(context, {n, 1, 1, k}, random),
                          HostTensor::ofNumbers(IntegerType::get(context, 1), {1, 1, m, k}, keep),
                          uniform(context, {n, 1, m, 1}, random)},
                         1e-6, 1.1 / 1024);
  }
}

TEST_P(RowsTest, SoftmaxAlongOtherAxes) {
  for (std::string axis : {"0", "1", "2"})
    for (std::string element : {"f32", "f64"}) {
      std::string text = substitute("func.func @kernel(%x: $X) -> $X $ATTRIBUTES {\n%e = model.elementwise neg %x : "
                                    "($X) -> $X\n%y = model.softmax %e axis $AXIS : $X\n"
                                    "%r = model.elementwise add %y, %x : ($X, $X) -> $X\nreturn %r : $X\n}",
                                    {{"$X", "tensor<?x7x?x" + element + ", #model.dims<\"n\", \"7\", \"m\">>"},
                                     {"$AXIS", axis},
                                     {"$ATTRIBUTES", kSymbols}});
      auto harness = kernel(text);
      ASSERT_TRUE(harness);
      Type type = elementType(harness->context(), element);
      for (auto [n, m] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {3, 20}, {0, 2}, {2, 0}, {40, 100}})
        harness->expectMatch(numbers(harness->context(), type, {n, 7, m}), element == "f32" ? 1e-6 : 1e-14,
                             element == "f32" ? 3e-6 : 1e-13);
    }
}

// Functions with loops are not for vectors; the kernel must still be right.
TEST_P(RowsTest, FallsBackOnFunctionsWithLoops) {
  auto harness = kernel("func.func @kernel(%x: tensor<9x40xf32>, %d: tensor<40xf32>) -> tensor<9x40xf32> {\n"
                        "%m = model.elementwise mod %x, %d : (tensor<9x40xf32>, tensor<40xf32>) -> tensor<9x40xf32>\n"
                        "%y = model.norm layer %m axis 1 epsilon 1.0e-5 : tensor<9x40xf32> -> tensor<9x40xf32>\nreturn "
                        "%y : tensor<9x40xf32>\n}");
  ASSERT_TRUE(harness);
  harness->expectMatch(
      {uniform(harness->context(), {9, 40}, random, -4, 4), uniform(harness->context(), {40}, random, 1, 2)}, 1e-5,
      1e-5);
}

TEST_P(RowsTest, IntegerAndConstantNeighbours) {
  std::string text = R"(
    func.func @kernel(%i: tensor<5x37xi64>, %h: tensor<5x1xi8>) -> (tensor<5x37xi32>, tensor<5x37xi1>) {
      %f = model.cast %i : tensor<5x37xi64> -> tensor<5x37xf32>
      %w = model.cast %h : tensor<5x1xi8> -> tensor<5x1xf32>
      %p = model.elementwise mul %f, %w : (tensor<5x37xf32>, tensor<5x1xf32>) -> tensor<5x37xf32>
      %y = model.norm layer %p axis 1 epsilon 1.0e-5 : tensor<5x37xf32> -> tensor<5x37xf32>
      %c = model.constant dense<1.0e3> : tensor<1x1xf32>
      %z = model.elementwise mul %y, %c : (tensor<5x37xf32>, tensor<1x1xf32>) -> tensor<5x37xf32>
      %n = model.cast %z : tensor<5x37xf32> -> tensor<5x37xi32>
      %b = model.elementwise greater %y, %p : (tensor<5x37xf32>, tensor<5x37xf32>) -> tensor<5x37xi1>
      return %n, %b : tensor<5x37xi32>, tensor<5x37xi1>
    })";
  auto harness = kernel(text);
  ASSERT_TRUE(harness);
  MLIRContext *context = harness->context();
  harness->expectMatch({HostTensor::ofNumbers(IntegerType::get(context, 64), {5, 37},
                                              uniform(context, {5, 37}, random, -50, 50).numbers()),
                        HostTensor::ofNumbers(IntegerType::get(context, 8), {5, 1}, {1, 2, -3, 4, 0})},
                       1, 1e-5);
}

namespace {
const char *const kRowTypes = "attributes {model.symbols = [#model.symbol<\"n\", 0, 5000>]}";

/// `lines` give %v, the rows that are quantized, from %x; `results` of which the kernel returns `types`.
std::string quantizing(int64_t length, const std::string &lines, const std::string &results = "%q, %s, %z",
                       const std::string &types = "$Q, $S, $Z", const std::string &arguments = "") {
  return substitute("func.func @kernel(%x: $X" + arguments + ") -> (" + types + ") $ATTRIBUTES {\n" + lines +
                        "%q, %s, %z = model.quantize_rows %v : $X -> $Q, $S, $Z\nreturn " + results + " : " + types +
                        "\n}",
                    {{"$X", "tensor<?x$Nxf32, #model.dims<\"n\", \"$N\">>"},
                     {"$Q", "tensor<?x$Nxui8, #model.dims<\"n\", \"$N\">>"},
                     {"$S", "tensor<?x1xf32, #model.dims<\"n\", \"1\">>"},
                     {"$Z", "tensor<?x1xui8, #model.dims<\"n\", \"1\">>"},
                     {"$V", "tensor<$Nxf32>"},
                     {"$N", std::to_string(length)},
                     {"$ATTRIBUTES", kRowTypes}});
}

std::string direct(int64_t length) {
  std::string text = quantizing(length, "");
  return substitute(text, {{"%v", "%x"}});
}
} // namespace

// Bytes, scales and zero points are exactly those of the op.
TEST_P(RowsTest, QuantizesRowsOfEveryLength) {
  for (int64_t length : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 384, 385, 1536}) {
    auto harness = kernel(direct(length));
    ASSERT_TRUE(harness);
    for (int64_t rows : {0, 1, 3, 65})
      for (auto [low, high] : {std::pair(-1.0f, 1.0f), {0.25f, 3.0f}, {-7.0f, -0.5f}, {-1e-3f, 10.0f}})
        harness->expectMatch(uniform(harness->context(), {rows, length}, random, low, high), 0, 0);
    // Halves of the unit, where quotients are rounded to even.
    std::vector<double> halves(5 * length);
    for (auto [i, number] : llvm::enumerate(halves))
      number = i % length == 0 ? 255.0 : double(random() % 511) / 2;
    harness->expectMatch(HostTensor::ofNumbers(elementType(harness->context(), "f32"), {5, length}, halves), 0, 0);
  }
}

TEST_P(RowsTest, QuantizesRowsOfAnyMagnitude) {
  constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double most = std::numeric_limits<float>::max();
  const int64_t length = 37;
  auto harness = kernel(direct(length));
  ASSERT_TRUE(harness);
  std::vector<double> numbers;
  auto add = [&](auto number) {
    for (int64_t i = 0; i < length; ++i)
      numbers.push_back(number(i));
  };
  for (double scale : {0.0, 1e-45, 1e-42, 1e-39, 1e-36, 1e-31, 1e-28, 1e-25, 1.0, 1e25, 1e30, 1e35, 1e38, 3e38})
    for (double shift : {-0.5, 0.0, 0.9})
      add([&](int64_t i) { return scale * (double((i * 29) % 37) / 37 + shift) / 1.5; });
  for (double odd : {inf, -inf, nan, most, -most})
    for (int64_t place : {0, 3, 20, 33, 36})
      add([&](int64_t i) { return i == place ? odd : double(i) - 10; });
  add([&](int64_t i) { return i % 2 ? most : -most; }); // a range that f32 does not hold
  add([&](int64_t) { return nan; });
  add([&](int64_t) { return -0.0; });
  int64_t rows = int64_t(numbers.size()) / length;
  harness->expectMatch(HostTensor::ofNumbers(elementType(harness->context(), "f32"), {rows, length}, numbers), 0, 0);
}

// What smooths the row is computed with it; of the results only some are wanted.
TEST_P(RowsTest, QuantizesWhatIsComputed) {
  for (int64_t length : {5, 16, 100, 384}) {
    auto harness = kernel(
        quantizing(length, "%v = model.elementwise mul %x, %f : ($X, $V) -> $X\n", "%z, %q", "$Z, $Q", ", %f: $V"));
    ASSERT_TRUE(harness);
    for (int64_t rows : {1, 4, 33})
      harness->expectMatch({uniform(harness->context(), {rows, length}, random, -3, 5),
                            uniform(harness->context(), {length}, random, 0.5, 2)},
                           0, 0);
  }
}

// The norm is a result of its own. Its last digit may differ from the reference's, and a byte with it.
TEST_P(RowsTest, QuantizesNorms) {
  for (int64_t length : {5, 16, 50, 384}) {
    auto harness = kernel(quantizing(length,
                                     "%y = model.norm layer %x scale %g bias %b axis 1 epsilon 1.0e-12 : $X, $V, $V -> "
                                     "$X\n%v = model.elementwise mul %y, %f : ($X, $V) -> $X\n",
                                     "%y, %q, %s, %z", "$X, $Q, $S, $Z", ", %g: $V, %b: $V, %f: $V"));
    ASSERT_TRUE(harness);
    for (int64_t rows : {0, 1, 21, 70}) {
      auto vector = [&](float low) { return uniform(harness->context(), {length}, random, low, 1.5); };
      std::vector<HostTensor> inputs{uniform(harness->context(), {rows, length}, random, -3, 5), vector(0.5),
                                     vector(-1), vector(0.7)};
      auto found = harness->run(inputs), wanted = harness->evaluate(inputs);
      expectNear(found[0], wanted[0], 1e-5, 1e-5);
      expectNear(found[1], wanted[1], 1, 0);
      expectNear(found[2], wanted[2], 0, 1e-5);
      expectNear(found[3], wanted[3], 1, 0);
    }
  }
}

TEST_P(RowsTest, QuantizesSoftmax) {
  auto harness = kernel(quantizing(
      70, "%y = model.softmax %x axis 1 : $X\n%v = model.elementwise neg %y : ($X) -> $X\n", "%q, %z", "$Q, $Z"));
  ASSERT_TRUE(harness);
  HostTensor x = uniform(harness->context(), {9, 70}, random, -3, 5);
  auto found = harness->run({x}), wanted = harness->evaluate({x});
  expectNear(found[0], wanted[0], 1, 0);
  expectNear(found[1], wanted[1], 1, 0);
}

INSTANTIATE_KERNEL_TEST(RowsTest);
