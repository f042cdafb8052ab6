// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that loop over an axis for each element.
#include "test/codegen/map/MapTest.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
const char *const kKinds[] = {"sum", "mean", "max", "min", "prod"};

std::string reduceText(const std::string &kind, const std::string &from, const std::string &to,
                       const std::string &axes) {
  return "model.reduce " + kind + " %a0 axes [" + axes + "] : " + from + " -> " + to;
}
} // namespace

TEST_P(MapTest, ReducesFloats) {
  for (std::string element : {"f32", "f16", "bf16", "f64"}) {
    std::string from = "tensor<3x7x20x" + element + ">", body;
    for (auto [axes, to] : std::vector<std::pair<std::string, std::string>>{{"2", "3x7x1"},
                                                                            {"1", "3x1x20"},
                                                                            {"0", "1x7x20"},
                                                                            {"0, 2", "1x7x1"},
                                                                            {"0, 1, 2", "1x1x1"},
                                                                            {"1, 2", "3x1x1"},
                                                                            {"0, 1", "1x1x20"}}) {
      std::string result = "tensor<" + to + "x" + element + ">", text;
      std::vector<std::pair<std::string, std::string>> results;
      for (std::string kind : kKinds) {
        text += "  %" + kind + " = " + reduceText(kind, from, result, axes) + "\n";
        results.push_back({"%" + kind, result});
      }
      SCOPED_TRACE(element + " over " + axes);
      auto kernel = mapKernel(kernelText({from}, text, results), target());
      ASSERT_TRUE(kernel);
      Type type = elementType(kernel->context(), element);
      double relative = element == "f64" ? 1e-13 : element == "f32" ? 2e-6 : element == "f16" ? 1.1 / 1024 : 1.1 / 128;
      kernel->expectMatch(randomTensor(type, {3, 7, 20}, random, /*isTame=*/true), element == "f64" ? 1e-13 : 1e-5,
                          relative);
    }
  }
}

// One result, the sum along another axis than the last: the row in scratch.
TEST_P(MapTest, ReducesColumnsInScratch) {
  for (std::string kind : kKinds)
    for (std::string element : {"f32", "f16"}) {
      std::string from = "tensor<?x?x?x" + element + ", #model.dims<\"n\", \"m\", \"k\">>",
                  to = "tensor<?x1x?x" + element + ", #model.dims<\"n\", \"1\", \"k\">>",
                  flat = "tensor<?x?x" + element + ", #model.dims<\"n\", \"k\">>";
      auto kernel = mapKernel(kernelText({from},
                                         "  %s = " + reduceText(kind, from, to, "1") +
                                             "\n  %e = model.activation relu %s : " + to +
                                             "\n  %r = model.reshape %e : " + to + " -> " + flat,
                                         {{"%r", flat}}),
                              target());
      ASSERT_TRUE(kernel);
      Type type = elementType(kernel->context(), element);
      for (auto [n, m, k] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
               {1, 1, 1}, {2, 30, 17}, {3, 0, 20}, {0, 4, 4}, {2, 5, 1000}, {1, 700, 33}, {40, 2, 3}})
        kernel->expectMatch(randomTensor(type, {n, m, k}, random, true), element == "f16" ? 1e-3 : 2e-5,
                            element == "f16" ? 1.0 / 1000 : 3e-6);
    }
}

TEST_P(MapTest, MaximaOfSpecialValues) {
  std::string from = "tensor<50x9xf32>", to = "tensor<50x1xf32>", text;
  auto kernel = mapKernel(
      kernelText({from}, "  %x = " + reduceText("max", from, to, "1") + "\n  %n = " + reduceText("min", from, to, "1"),
                 {{"%x", to}, {"%n", to}}),
      target());
  ASSERT_TRUE(kernel);
  expectExact(*kernel, randomTensor(elementType(kernel->context(), "f32"), {50, 9}, random));
}

TEST_P(MapTest, ReducesIntegers) {
  for (std::string element : {"i8", "i16", "i32", "i64"}) {
    std::string from = "tensor<?x?x" + element + ", #model.dims<\"n\", \"m\">>",
                last = "tensor<?x1x" + element + ", #model.dims<\"n\", \"1\">>",
                first = "tensor<1x?x" + element + ", #model.dims<\"1\", \"m\">>";
    SCOPED_TRACE(element);
    for (bool isLast : {true, false}) {
      std::string text, result = isLast ? last : first;
      std::vector<std::pair<std::string, std::string>> results;
      for (std::string kind : kKinds) {
        text += "  %" + kind + " = " + reduceText(kind, from, result, isLast ? "1" : "0") + "\n";
        results.push_back({"%" + kind, result});
      }
      auto kernel = mapKernel(kernelText({from}, text, results), target());
      ASSERT_TRUE(kernel);
      for (auto [n, m] : std::vector<std::pair<int64_t, int64_t>>{{3, 5}, {1, 1}, {4, 0}, {0, 4}, {33, 70}})
        expectExact(*kernel, randomTensor(elementType(kernel->context(), element), {n, m}, random));
    }
  }
}

TEST_P(MapTest, ReducesNothing) {
  std::string type = "tensor<4x3xf32>";
  auto kernel = mapKernel(
      kernelText({type}, "  %r = model.reduce sum %a0 axes [] : " + type + " -> " + type, {{"%r", type}}), target());
  ASSERT_TRUE(kernel);
  expectExact(*kernel, uniform(kernel->context(), {4, 3}, random));
}

// Sums of many f32 of one sign, where plain f32 addition would lose digits.
TEST_P(MapTest, LongSumsArePrecise) {
  std::string from = "tensor<2x500000xf32>", to = "tensor<2x1xf32>";
  auto kernel = mapKernel(
      kernelText({from}, "  %s = " + reduceText("sum", from, to, "1") + "\n  %m = " + reduceText("mean", from, to, "1"),
                 {{"%s", to}, {"%m", to}}),
      target());
  ASSERT_TRUE(kernel);
  kernel->expectMatch(uniform(kernel->context(), {2, 500000}, random, 0, 1), 0, 1e-6);
}

// The mean of tokens that count, as sentence embeddings take it.
TEST_P(MapTest, MaskedMeanPooling) {
  std::string x = "tensor<?x?x384xf32, #model.dims<\"n\", \"m\", \"384\">>",
              mask = "tensor<?x?xi64, #model.dims<\"n\", \"m\">>",
              column = "tensor<?x?x1xi64, #model.dims<\"n\", \"m\", \"1\">>",
              weight = "tensor<?x?x1xf32, #model.dims<\"n\", \"m\", \"1\">>",
              sum = "tensor<?x1x384xf32, #model.dims<\"n\", \"1\", \"384\">>",
              count = "tensor<?x1x1xf32, #model.dims<\"n\", \"1\", \"1\">>",
              result = "tensor<?x384xf32, #model.dims<\"n\", \"384\">>";
  auto kernel = mapKernel(kernelText({x, mask},
                                     "  %c = model.reshape %a1 : " + mask + " -> " + column +
                                         "\n  %w = model.cast %c : " + column + " -> " + weight +
                                         "\n  %p = model.elementwise mul %a0, %w : (" + x + ", " + weight + ") -> " +
                                         x + "\n  %s = model.reduce sum %p axes [1] : " + x + " -> " + sum +
                                         "\n  %n = model.reduce sum %w axes [1] : " + weight + " -> " + count +
                                         "\n  %d = model.elementwise div %s, %n : (" + sum + ", " + count + ") -> " +
                                         sum + "\n  %r = model.reshape %d : " + sum + " -> " + result,
                                     {{"%r", result}}),
                          target());
  ASSERT_TRUE(kernel);
  for (auto [n, m] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {3, 50}, {2, 128}}) {
    std::vector<double> ones(n * m, 1);
    for (int64_t i = 1; i < n * m; i += 3)
      ones[i] = 0;
    kernel->expectMatch({uniform(kernel->context(), {n, m, 384}, random),
                         HostTensor::ofNumbers(elementType(kernel->context(), "i64"), {n, m}, ones)},
                        1e-6, 2e-6);
  }
}

TEST_P(MapTest, Matmuls) {
  struct {
    std::string lhs, rhs, to;
    std::vector<int64_t> lhsShape, rhsShape;
  } cases[] = {{"7x9", "9x20", "7x20", {7, 9}, {9, 20}},
               {"7x9", "9x3", "7x3", {7, 9}, {9, 3}},
               {"2x3x4x5", "5x17", "2x3x4x17", {2, 3, 4, 5}, {5, 17}},
               {"4x1x4x5", "3x5x33", "4x3x4x33", {4, 1, 4, 5}, {3, 5, 33}},
               {"1x300", "300x40", "1x40", {1, 300}, {300, 40}},
               {"1x1", "1x1", "1x1", {1, 1}, {1, 1}},
               {"3x0", "0x12", "3x12", {3, 0}, {0, 12}},
               {"5x64", "64x5000", "5x5000", {5, 64}, {64, 5000}}};
  for (std::string element : {"f32", "f64", "bf16"})
    for (auto &c : cases) {
      auto type = [&](const std::string &dims) { return "tensor<" + dims + "x" + element + ">"; };
      auto kernel = mapKernel(kernelText({type(c.lhs), type(c.rhs)},
                                         "  %m = model.matmul %a0, %a1 : " + type(c.lhs) + ", " + type(c.rhs) + " -> " +
                                             type(c.to) + "\n  %r = model.elementwise neg %m : (" + type(c.to) +
                                             ") -> " + type(c.to),
                                         {{"%r", type(c.to)}}),
                              target());
      ASSERT_TRUE(kernel);
      Type t = elementType(kernel->context(), element);
      double error = element == "f64" ? 1e-12 : element == "f32" ? 1e-4 : 0.02;
      kernel->expectMatch({randomTensor(t, c.lhsShape, random, true), randomTensor(t, c.rhsShape, random, true)},
                          element == "bf16" ? 0.3 : error, error / 10);
    }
}

// The transposed sum is read at other points than the row in scratch holds.
TEST_P(MapTest, BufferedSumReadElsewhereToo) {
  std::string from = "tensor<3x12x12xf32>", sum = "tensor<1x12x12xf32>";
  auto kernel = mapKernel(kernelText({from},
                                     "  %s = model.reduce sum %a0 axes [0] : " + from + " -> " + sum +
                                         "\n  %t = model.transpose %s [0, 2, 1] : " + sum + " -> " + sum +
                                         "\n  %r = model.elementwise add %s, %t : (" + sum + ", " + sum + ") -> " + sum,
                                     {{"%r", sum}}),
                          target());
  ASSERT_TRUE(kernel);
  kernel->expectMatch(uniform(kernel->context(), {3, 12, 12}, random), 1e-6, 1e-6);
}

// Maxima, sums and means belong to their op: two of a kind at one point are different.
TEST_P(MapTest, TwoSoftmaxesAndTwoNorms) {
  std::string type = "tensor<6x11xf64>";
  auto kernel = mapKernel(
      kernelText({type},
                 "  %n = model.elementwise neg %a0 : (" + type + ") -> " + type +
                     "\n  %s = model.softmax %a0 axis 1 : " + type + "\n  %t = model.softmax %n axis 1 : " + type +
                     "\n  %u = model.elementwise sub %s, %t : (" + type + ", " + type + ") -> " + type +
                     "\n  %e = model.elementwise exp %a0 : (" + type + ") -> " + type +
                     "\n  %l = model.norm layer %a0 axis 1 epsilon 1.0e-5 : " + type + " -> " + type +
                     "\n  %m = model.norm layer %e axis 1 epsilon 1.0e-5 : " + type + " -> " + type +
                     "\n  %o = model.elementwise sub %l, %m : (" + type + ", " + type + ") -> " + type,
                 {{"%u", type}, {"%o", type}}),
      target());
  ASSERT_TRUE(kernel);
  kernel->expectMatch(randomTensor(elementType(kernel->context(), "f64"), {6, 11}, random, true), 1e-13, 1e-12);
}
