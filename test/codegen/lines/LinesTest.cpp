// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cumulative sums, places of the largest elements and scattered updates against the reference evaluator.
#include "codegen/tile/Lines.h"
#include "mlir/AsmParser/AsmParser.h"
#include "test/codegen/KernelHarness.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
std::string typeText(const std::vector<std::string> &sizes, const std::string &element) {
  std::string shape, dims;
  bool isStatic = true;
  for (const std::string &size : sizes) {
    bool isNumber = std::isdigit(size[0]);
    isStatic &= isNumber;
    shape += (isNumber ? size : "?") + "x";
    dims += (dims.empty() ? "\"" : ", \"") + size + "\"";
  }
  return "tensor<" + shape + element + (isStatic ? ">" : ", #model.dims<" + dims + ">>");
}

class LinesTest : public KernelTest {
protected:
  /// A kernel of `op`, which reads arguments %a, %b, ... of these types.
  void compile(const std::string &op, const std::vector<std::string> &types, const std::string &result) {
    std::string arguments;
    for (size_t i = 0; i < types.size(); ++i)
      arguments += (i ? ", %" : "%") + std::string(1, char('a' + i)) + ": " + types[i];
    std::string ir = "func.func @kernel(" + arguments + ") -> " + result +
                     " attributes {model.symbols = [#model.symbol<\"n\", 0, 5000>, #model.symbol<\"m\", 0, 5000>]} {\n"
                     "%r = " +
                     op + "\nreturn %r : " + result + "\n}";
    harness =
        KernelHarness::create(ir, target(),
                              {[](func::FuncOp kernel) { return linesLaunch(kernel); },
                               [](func::FuncOp kernel, const CpuTarget &target) { return tileLines(kernel, target); }});
    ASSERT_TRUE(harness) << ir;
  }

  Type element(const std::string &text) { return parseType(text, harness->context()); }

  /// Few different numbers, with infinities and NaN among floats, so that many are equal.
  HostTensor numbers(const std::string &type, std::vector<int64_t> shape, bool isTame = false) {
    std::vector<double> values(*reference::elementCount(shape));
    for (double &value : values) {
      value = double(random() % 9) - (type.find("ui") == 0 ? 0 : 4);
      if (type[0] == 'f' && !isTame)
        value = random() % 9 == 0 ? NAN : random() % 9 == 0 ? INFINITY : value / 2;
    }
    return HostTensor::ofNumbers(element(type), shape, values);
  }
  HostTensor indices(std::vector<int64_t> shape, const std::vector<int64_t> &sizes, const std::string &type = "i64") {
    std::vector<double> values(*reference::elementCount(shape));
    for (size_t i = 0; i < values.size(); ++i) {
      int64_t size = sizes[i % sizes.size()];
      values[i] = double(random() % (2 * size)) - double(size);
    }
    return HostTensor::ofNumbers(element(type), shape, values);
  }

  std::unique_ptr<KernelHarness> harness;
};

TEST_P(LinesTest, Accumulates) {
  for (std::string type : {"f32", "f64", "i64", "i32", "ui8", "ui64", "f16"})
    for (int variant = 0; variant < 4; ++variant)
      for (int axis : {0, 1, 2}) {
        SCOPED_TRACE(type + " variant " + std::to_string(variant) + " axis " + std::to_string(axis));
        std::string tensor = typeText({"n", "m", "3"}, type);
        compile(std::string("model.cumulative ") + (variant % 2 ? "prod" : "sum") + " %a axis " + std::to_string(axis) +
                    (variant / 2 ? " exclusive reverse : " : " : ") + tensor,
                {tensor}, tensor);
        for (auto [n, m] : {std::pair(0, 3), std::pair(1, 1), std::pair(5, 0), std::pair(2, 9), std::pair(7, 17)})
          harness->expectMatch({numbers(type, {n, m, 3}, true)}, 1e-9, type == "f16" ? 2e-3 : 1e-5);
      }
}

TEST_P(LinesTest, RanksElements) {
  for (std::string type : {"f32", "i32", "i8", "ui64", "f16"})
    for (bool smallest : {false, true})
      for (std::string wanted : {"0", "1", "7", "n"}) {
        SCOPED_TRACE(type + " the best " + wanted + (smallest ? ", smallest" : ""));
        std::string from = typeText({"m", "n", "2"}, type), to = typeText({"m", wanted, "2"}, "i64");
        compile("model.top_k %a axis 1" + std::string(smallest ? " smallest" : "") + " : " + from + " -> " + to, {from},
                to);
        for (auto [m, n] : {std::pair(0, 7), std::pair(1, 7), std::pair(3, 8), std::pair(2, 9), std::pair(5, 33)})
          harness->expectMatch({numbers(type, {m, n, 2})}, 0, 0);
      }
}

TEST_P(LinesTest, RanksLongLines) {
  std::string from = typeText({"m", "n"}, "f32"), to = typeText({"m", "5"}, "i64");
  compile("model.top_k %a axis 1 : " + from + " -> " + to, {from}, to);
  for (int64_t n : {63, 64, 65, 1000, 4096})
    harness->expectMatch({uniform(harness->context(), {2, n}, random)}, 0, 0);
}

TEST_P(LinesTest, ScattersUpdates) {
  for (std::string kind : {"write", "sum", "prod", "max", "min"})
    for (std::string type : {"f32", "i32", "ui16", "f16", "i1"}) {
      if (type == "i1" && kind != "write")
        continue;
      SCOPED_TRACE(kind + " " + type);
      double relative = type == "f16" ? 4e-3 : 1e-5;
      std::string data = typeText({"4", "5", "m"}, type), at = typeText({"n", "2"}, "i64"),
                  given = typeText({"n", "m"}, type);
      compile("model.scatter " + kind + " %a, %b, %c batch_dims 0 : " + data + ", " + at + ", " + given,
              {data, at, given}, data);
      for (auto [n, m] : {std::pair(0, 3), std::pair(1, 1), std::pair(9, 0), std::pair(30, 2), std::pair(5, 300)})
        harness->expectMatch({numbers(type, {4, 5, m}, true), indices({n, 2}, {4, 5}), numbers(type, {n, m}, true)},
                             1e-9, relative);
      data = typeText({"m", "5"}, type), at = typeText({"m", "n", "1"}, "i32"), given = typeText({"m", "n"}, type);
      compile("model.scatter " + kind + " %a, %b, %c batch_dims 1 : " + data + ", " + at + ", " + given,
              {data, at, given}, data);
      for (auto [n, m] : {std::pair(0, 3), std::pair(1, 1), std::pair(3, 0), std::pair(8, 20)})
        harness->expectMatch({numbers(type, {m, 5}, true), indices({m, n, 1}, {5}, "i32"), numbers(type, {m, n}, true)},
                             1e-9, relative);
    }
}

TEST_P(LinesTest, RefusesIndices) {
  std::string data = typeText({"m", "5"}, "f32"), at = typeText({"n", "1"}, "i64"), given = typeText({"n", "5"}, "f32");
  compile("model.scatter write %a, %b, %c batch_dims 0 : " + data + ", " + at + ", " + given, {data, at, given}, data);
  for (double wrong : {3.0, -4.0, 9e18, -9e18}) {
    int32_t status = 0;
    HostTensor indices = HostTensor::ofNumbers(element("i64"), {2, 1}, {1, wrong});
    harness->run({numbers("f32", {3, 5}), indices, numbers("f32", {2, 5})}, &status);
    EXPECT_EQ(status, 1) << wrong;
  }
  int32_t status = 0;
  HostTensor nothing = HostTensor::ofNumbers(element("i64"), {1, 1}, {0});
  harness->run({numbers("f32", {0, 5}), nothing, numbers("f32", {1, 5})}, &status);
  EXPECT_EQ(status, 1);
}

INSTANTIATE_KERNEL_TEST(LinesTest);
} // namespace
