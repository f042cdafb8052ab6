// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops that move, pick or make elements; indices out of range.
#include "test/codegen/map/MapTest.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
HostTensor indices(MLIRContext *context, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> values) {
  return HostTensor::of<int64_t>(elementType(context, "i64"), shape, values);
}

struct Reshape {
  std::vector<std::string> from, to;
};
} // namespace

TEST_P(MapTest, ReshapesSplitAndJoinAxes) {
  const Reshape kCases[] = {{{"6", "8"}, {"6", "2", "4"}},
                            {{"6", "2", "4"}, {"6", "8"}},
                            {{"6", "4"}, {"4", "6"}},
                            {{"2", "3", "4"}, {"24"}},
                            {{"24"}, {"2", "3", "4"}},
                            {{"n", "m", "384"}, {"n", "m", "12", "32"}},
                            {{"n", "m", "12", "32"}, {"n", "m", "384"}},
                            {{"n", "m", "8"}, {"m*n", "8"}},
                            {{"m*n", "8"}, {"n", "m", "8"}},
                            {{"1", "n", "1"}, {"n"}},
                            {{"n"}, {"1", "1", "n"}},
                            {{"1", "1"}, {}},
                            {{}, {"1"}},
                            {{"n", "6", "m"}, {"n", "2", "3*m"}},
                            {{"4", "n", "3"}, {"2", "2*n", "3"}},
                            {{"n", "m"}, {"m", "n"}}};
  for (const Reshape &reshape : kCases) {
    std::string from = typeText(reshape.from, "f32"), to = typeText(reshape.to, "f32");
    SCOPED_TRACE(from + " to " + to);
    // Between functions of other values, so that indices, not only memory, are mapped.
    std::string body = "  %x = model.elementwise neg %a0 : (" + from + ") -> " + from +
                       "\n  %y = model.reshape %x : " + from + " -> " + to +
                       "\n  %r = model.elementwise add %y, %a1 : (" + to + ", " + to + ") -> " + to +
                       "\n  %s = model.reshape %a0 : " + from + " -> " + to;
    auto kernel = mapKernel(kernelText({from, to}, body, {{"%r", to}, {"%s", to}}), target());
    ASSERT_TRUE(kernel);
    for (int64_t n : {3, 1, 0, 7}) {
      int64_t m = n == 7 ? 5 : 2;
      auto shape = [&](const std::vector<std::string> &dims) {
        std::vector<int64_t> sizes;
        for (const std::string &dim : dims)
          sizes.push_back(*DimExpr::parse(dim)->evaluate(
              [&](llvm::StringRef name) -> std::optional<int64_t> { return name == "n" ? n : m; }));
        return sizes;
      };
      bool hasSymbols = from.find('?') != std::string::npos;
      expectExact(*kernel, {uniform(kernel->context(), shape(reshape.from), random),
                            uniform(kernel->context(), shape(reshape.to), random)});
      if (!hasSymbols)
        break;
    }
  }
}

TEST_P(MapTest, TransposesOfEveryOrder) {
  std::vector<int> order = {0, 1, 2, 3};
  const int64_t sizes[] = {2, 3, 5, 18};
  std::string from = "tensor<2x3x5x18xf32>";
  do {
    std::string to = "tensor<", list;
    for (int axis : order) {
      to += std::to_string(sizes[axis]) + "x";
      list += (list.empty() ? "" : ", ") + std::to_string(axis);
    }
    to += "f32>";
    auto kernel =
        mapKernel(kernelText({from}, "  %r = model.transpose %a0 [" + list + "] : " + from + " -> " + to, {{"%r", to}}),
                  target());
    ASSERT_TRUE(kernel);
    expectExact(*kernel, uniform(kernel->context(), {2, 3, 5, 18}, random));
  } while (std::next_permutation(order.begin(), order.end()));
}

// As attention writes its heads side by side: a transpose whose result is reshaped.
TEST_P(MapTest, JoinsHeads) {
  std::string heads = typeText({"n", "3", "m", "16"}, "f32"), tokens = typeText({"n", "m", "3", "16"}, "f32"),
              joined = typeText({"n", "m", "48"}, "f32");
  auto kernel =
      mapKernel(kernelText({heads, joined},
                           "  %t = model.transpose %a0 [0, 2, 1, 3] : " + heads + " -> " + tokens +
                               "\n  %j = model.reshape %t : " + tokens + " -> " + joined +
                               "\n  %r = model.elementwise add %j, %a1 : (" + joined + ", " + joined + ") -> " + joined,
                           {{"%r", joined}}),
                target());
  ASSERT_TRUE(kernel);
  for (auto [n, m] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {2, 7}, {0, 3}, {3, 100}})
    expectExact(*kernel,
                {uniform(kernel->context(), {n, 3, m, 16}, random), uniform(kernel->context(), {n, m, 48}, random)});
}

TEST_P(MapTest, SlicesForwardsAndBackwards) {
  std::string from = "tensor<6x10x9xf32>";
  struct {
    std::string starts, steps, to;
  } cases[] = {{"\"0\", \"0\", \"0\"", "1, 1, 1", "tensor<6x4x9xf32>"},
               {"\"1\", \"9\", \"0\"", "2, -3, 1", "tensor<3x4x9xf32>"},
               {"\"5\", \"0\", \"8\"", "-1, 1, -1", "tensor<6x10x9xf32>"},
               {"\"3\", \"2\", \"4\"", "1, 1, 1", "tensor<1x1x1xf32>"},
               {"\"0\", \"3\", \"1\"", "1, 2, 2", "tensor<6x0x4xf32>"},
               {"\"0\", \"3\", \"1\"", "7, 2, 2", "tensor<1x3x4xf32>"}};
  for (auto &slice : cases) {
    auto kernel = mapKernel(kernelText({from},
                                       "  %r = model.slice %a0 [" + slice.starts + "] step [" + slice.steps +
                                           "] : " + from + " -> " + slice.to,
                                       {{"%r", slice.to}}),
                            target());
    ASSERT_TRUE(kernel);
    expectExact(*kernel, uniform(kernel->context(), {6, 10, 9}, random));
  }
}

// A table of positions of which only the first n are read; n may be more than there are.
TEST_P(MapTest, SlicesOfDynamicLength) {
  std::string to = typeText({"n", "4"}, "f32");
  auto kernel = mapKernel(kernelText({"tensor<50x4xf32>", to},
                                     "  %s = model.slice %a0 [\"0\", \"0\"] step [1, 1] : tensor<50x4xf32> -> " + to +
                                         "\n  %r = model.elementwise add %s, %a1 : (" + to + ", " + to + ") -> " + to,
                                     {{"%r", to}}),
                          target());
  ASSERT_TRUE(kernel);
  for (int64_t n : {0, 1, 49, 50})
    expectExact(*kernel, {uniform(kernel->context(), {50, 4}, random), uniform(kernel->context(), {n, 4}, random)});
  for (int64_t n : {51, 1000}) {
    int32_t status = 0;
    kernel->run({uniform(kernel->context(), {50, 4}, random), uniform(kernel->context(), {n, 4}, random)}, &status);
    EXPECT_EQ(status, 1) << "a slice of " << n << " of 50 rows";
  }
}

TEST_P(MapTest, ConcatsAlongEveryAxis) {
  for (std::string element : {"f32", "i64", "i1", "f16"})
    for (unsigned axis = 0; axis < 3; ++axis) {
      std::vector<std::vector<std::string>> dims(3, {"3", "n", "5"});
      if (axis == 1)
        dims = {{"3", "n", "5"}, {"3", "2", "5"}, {"3", "m", "5"}};
      else
        dims[1][axis] = "4", dims[2][axis] = axis == 2 ? "k" : "1";
      DimExpr sum;
      for (auto &d : dims)
        sum = sum + *DimExpr::parse(d[axis]);
      std::vector<std::string> to = dims[0];
      to[axis] = sum.str();
      std::vector<std::string> types;
      for (auto &d : dims)
        types.push_back(typeText(d, element));
      std::string result = typeText(to, element);
      auto kernel = mapKernel(kernelText(types,
                                         "  %r = model.concat %a0, %a1, %a2 axis " + std::to_string(axis) + " : (" +
                                             types[0] + ", " + types[1] + ", " + types[2] + ") -> " + result,
                                         {{"%r", result}}),
                              target());
      ASSERT_TRUE(kernel);
      for (int64_t n : {0, 1, 6, 40}) {
        std::vector<HostTensor> inputs;
        for (auto &d : dims) {
          std::vector<int64_t> shape;
          for (auto &text : d)
            shape.push_back(*DimExpr::parse(text)->evaluate(
                [&](llvm::StringRef name) -> std::optional<int64_t> { return name == "n" ? n : 3; }));
          inputs.push_back(randomTensor(elementType(kernel->context(), element), shape, random));
        }
        expectExact(*kernel, inputs);
      }
    }
}

TEST_P(MapTest, GathersAlongEveryAxis) {
  for (std::string width : {"i64", "i32"})
    for (unsigned axis = 0; axis < 3; ++axis) {
      std::vector<std::string> dims = {"4", "6", "5"}, to = dims;
      int64_t size = axis == 0 ? 4 : axis == 1 ? 6 : 5;
      to.erase(to.begin() + axis);
      to.insert(to.begin() + axis, {"n", "2"});
      std::string data = typeText(dims, "f32"), at = typeText({"n", "2"}, width), result = typeText(to, "f32");
      auto kernel = mapKernel(kernelText({data, at},
                                         "  %r = model.gather %a0, %a1 axis " + std::to_string(axis) + " : " + data +
                                             ", " + at + " -> " + result,
                                         {{"%r", result}}),
                              target());
      ASSERT_TRUE(kernel);
      HostTensor table = uniform(kernel->context(), {4, 6, 5}, random);
      Type type = elementType(kernel->context(), width);
      for (int64_t n : {0, 1, 7}) {
        std::vector<double> values;
        for (int64_t i = 0; i < n * 2; ++i)
          values.push_back(double(random() % (2 * size)) - size);
        expectExact(*kernel, {table, HostTensor::ofNumbers(type, {n, 2}, values)});
      }
      for (double wrong : {double(size), double(-size - 1), 1e9, -1e9}) {
        int32_t status = 0;
        kernel->run({table, HostTensor::ofNumbers(type, {2, 2}, {0.0, 1.0, -1.0, wrong})}, &status);
        EXPECT_EQ(status, 1) << "index " << wrong << " of " << size;
      }
    }
}

TEST_P(MapTest, GatherFromNothingIsAnError) {
  std::string data = typeText({"n", "4"}, "f32"), result = "tensor<3x4xf32>";
  auto kernel = mapKernel(kernelText({data, "tensor<3xi64>"},
                                     "  %r = model.gather %a0, %a1 axis 0 : " + data + ", tensor<3xi64> -> " + result,
                                     {{"%r", result}}),
                          target());
  ASSERT_TRUE(kernel);
  int32_t status = 0;
  kernel->run({uniform(kernel->context(), {0, 4}, random), indices(kernel->context(), {3}, {0, 0, 0})}, &status);
  EXPECT_EQ(status, 1);
  expectExact(*kernel, {uniform(kernel->context(), {2, 4}, random), indices(kernel->context(), {3}, {1, -2, 0})});
}

TEST_P(MapTest, GathersByTuples) {
  struct {
    std::vector<std::string> data, at, to;
    unsigned batch;
  } cases[] = {{{"4", "5"}, {"n", "2"}, {"n"}, 0},
               {{"4", "5", "6"}, {"n", "2"}, {"n", "6"}, 0},
               {{"3", "4", "5"}, {"3", "n", "1"}, {"3", "n", "5"}, 1},
               {{"3", "4", "5"}, {"3", "4", "1"}, {"3", "4"}, 2},
               {{"3", "4", "5"}, {"n", "2", "3"}, {"n", "2"}, 0}};
  for (auto &c : cases) {
    std::string data = typeText(c.data, "i1"), at = typeText(c.at, "i64"), to = typeText(c.to, "i1");
    auto kernel = mapKernel(kernelText({data, at},
                                       "  %r = model.gather_nd %a0, %a1 batch_dims " + std::to_string(c.batch) + " : " +
                                           data + ", " + at + " -> " + to,
                                       {{"%r", to}}),
                            target());
    ASSERT_TRUE(kernel);
    for (int64_t n : {0, 1, 9}) {
      std::vector<int64_t> dataShape, shape, values;
      for (auto &d : c.data)
        dataShape.push_back(std::stoll(d));
      for (auto &d : c.at)
        shape.push_back(d == "n" ? n : std::stoll(d));
      int64_t width = shape.back();
      for (int64_t i = 0; i < *reference::elementCount(shape); ++i) {
        int64_t size = dataShape[c.batch + i % width];
        values.push_back(int64_t(random() % (2 * size)) - size);
      }
      HostTensor table = randomTensor(elementType(kernel->context(), "i1"), dataShape, random);
      expectExact(*kernel, {table, indices(kernel->context(), shape, values)});
      if (values.empty())
        continue;
      values.back() = 77;
      int32_t status = 0;
      kernel->run({table, indices(kernel->context(), shape, values)}, &status);
      EXPECT_EQ(status, 1);
    }
  }
}

TEST_P(MapTest, SumOfThreeEmbeddings) {
  std::string ids = typeText({"n", "m"}, "i64"), positions = typeText({"m"}, "i64"),
              result = typeText({"n", "m", "384"}, "f32"), row = typeText({"m", "384"}, "f32");
  std::string body = "  %w = model.embedding %a0, %a3 : tensor<100x384xf32>, " + ids + " -> " + result +
                     "\n  %t = model.embedding %a1, %a4 : tensor<2x384xf32>, " + ids + " -> " + result +
                     "\n  %i = model.iota \"0\" step \"1\" : " + positions +
                     "\n  %p = model.embedding %a2, %i : tensor<40x384xf32>, " + positions + " -> " + row +
                     "\n  %s = model.elementwise add %w, %t : (" + result + ", " + result + ") -> " + result +
                     "\n  %r = model.elementwise add %s, %p : (" + result + ", " + row + ") -> " + result;
  auto kernel = mapKernel(
      kernelText({"tensor<100x384xf32>", "tensor<2x384xf32>", "tensor<40x384xf32>", ids, ids}, body, {{"%r", result}}),
      target());
  ASSERT_TRUE(kernel);
  MLIRContext *context = kernel->context();
  HostTensor words = uniform(context, {100, 384}, random), types = uniform(context, {2, 384}, random),
             table = uniform(context, {40, 384}, random);
  for (auto [n, m] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {2, 40}, {3, 17}, {0, 5}}) {
    std::vector<int64_t> first, second;
    for (int64_t i = 0; i < n * m; ++i) {
      first.push_back(int64_t(random() % 200) - 100);
      second.push_back(random() % 2);
    }
    expectExact(*kernel, {words, types, table, indices(context, {n, m}, first), indices(context, {n, m}, second)});
    if (first.empty())
      continue;
    first[random() % first.size()] = 100;
    int32_t status = 0;
    kernel->run({words, types, table, indices(context, {n, m}, first), indices(context, {n, m}, second)}, &status);
    EXPECT_EQ(status, 1);
  }
  int32_t status = 0; // more positions than the table has
  kernel->run({words, types, table, indices(context, {1, 41}, std::vector<int64_t>(41)),
               indices(context, {1, 41}, std::vector<int64_t>(41))},
              &status);
  EXPECT_EQ(status, 1);
}

TEST_P(MapTest, SizesIotasAndConstants) {
  std::string vector = typeText({"n"}, "i64");
  std::string body = "  %s = model.sizes [\"n\", \"m*n + 3\", \"12\", \"m - 2*n\"] : tensor<4xi64>\n"
                     "  %c = model.constant dense<[7, -1, 9223372036854775807, 4]> : tensor<4xi64>\n"
                     "  %sum = model.elementwise add %s, %c : (tensor<4xi64>, tensor<4xi64>) -> tensor<4xi64>\n";
  auto kernel = mapKernel(kernelText({typeText({"n", "m"}, "f32")}, body, {{"%sum", "tensor<4xi64>"}}), target());
  ASSERT_TRUE(kernel);
  for (int64_t n : {0, 1, 30})
    expectExact(*kernel, uniform(kernel->context(), {n, 17}, random));
  for (std::string element : {"i64", "i32", "i8", "f32", "f16", "f64"}) {
    std::string type = typeText({"n"}, element);
    auto iota = mapKernel(kernelText({typeText({"n", "m"}, "f32")},
                                     "  %r = model.iota \"m - 1\" step \"3 - m\" : " + type, {{"%r", type}}),
                          target());
    ASSERT_TRUE(iota);
    for (int64_t n : {0, 1, 1000})
      expectExact(*iota, uniform(iota->context(), {n, 17}, random));
  }
  auto scalar = mapKernel(
      kernelText({typeText({"n"}, "f32")}, "  %s = model.sizes [\"n\"] : tensor<i64>", {{"%s", "tensor<i64>"}}),
      target());
  ASSERT_TRUE(scalar);
  expectExact(*scalar, uniform(scalar->context(), {9}, random));
  for (std::string element : {"f32", "i1", "bf16", "i8"}) {
    std::string values = element == "i1"   ? "[[true, false, true], [false, false, true]]"
                         : element == "i8" ? "[[1, -2, 3], [4, 127, -128]]"
                                           : "[[1.0, -2.5, 3.0], [4.0, 0.0, -0.0]]";
    std::string type = "tensor<2x3x" + element + ">";
    auto constant =
        mapKernel(kernelText({},
                             "  %c = model.constant dense<" + values + "> : " + type +
                                 "\n  %r = model.transpose %c [1, 0] : " + type + " -> tensor<3x2x" + element + ">",
                             {{"%r", "tensor<3x2x" + element + ">"}}),
                  target());
    ASSERT_TRUE(constant);
    expectExact(*constant, {});
  }
}

TEST_P(MapTest, ReturnsItsArgument) {
  auto kernel =
      mapKernel(kernelText({"tensor<3x7xi1>"}, "", {{"%a0", "tensor<3x7xi1>"}, {"%a0", "tensor<3x7xi1>"}}), target());
  ASSERT_TRUE(kernel);
  expectExact(*kernel, randomTensor(elementType(kernel->context(), "i1"), {3, 7}, random));
}
