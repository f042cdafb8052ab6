// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise functions, activations and casts of every element type, at special values too; and their shapes.
#include "test/codegen/map/MapTest.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
const std::vector<std::string> kFloats = {"f16", "bf16", "f32", "f64"};
const std::vector<std::string> kIntegers = {"i8", "ui8", "i16", "ui16", "i32", "ui32", "i64", "ui64"};
const std::vector<std::string> kComparisons = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"};

bool givesBool(const std::string &kind) {
  return kind == "isnan" || kind == "isinf" || llvm::is_contained(kComparisons, kind);
}

/// A kernel of all functions on operands of one shape, one result each.
std::string allKinds(const std::vector<std::string> &kinds, const std::string &element, unsigned arity,
                     const std::string &shape) {
  std::string type = "tensor<" + shape + "x" + element + ">", flags = "tensor<" + shape + "xi1>", body;
  std::vector<std::string> arguments(arity, type);
  std::vector<std::pair<std::string, std::string>> results;
  for (auto [i, kind] : llvm::enumerate(kinds)) {
    std::string name = "%r" + std::to_string(i), result = givesBool(kind) ? flags : type;
    body += "  " + name + " = model.elementwise " + kind + (arity == 1 ? " %a0" : " %a0, %a1") + " : (" + type +
            (arity == 1 ? "" : ", " + type) + ") -> " + result + "\n";
    results.push_back({name, result});
  }
  return kernelText(arguments, body, results);
}

/// Largest relative and absolute error of functions that are not exact, by element type.
std::pair<double, double> tolerance(const std::string &element) {
  if (element == "f64")
    return {2e-13, 1e-15};
  if (element == "f32")
    return {2e-6, 1e-6};
  return element == "f16" ? std::pair(1.1 / 1024, 1e-6) : std::pair(1.1 / 128, 1e-6);
}

void expectClose(KernelHarness &kernel, llvm::ArrayRef<HostTensor> inputs, const std::string &element,
                 const std::vector<std::string> &names) {
  auto found = kernel.run(inputs), wanted = kernel.evaluate(inputs);
  ASSERT_EQ(found.size(), wanted.size());
  auto [relative, absolute] = tolerance(element);
  for (size_t i = 0; i < found.size(); ++i) {
    SCOPED_TRACE(names[i] + " of " + element);
    expectNear(found[i], wanted[i], absolute, relative);
  }
}
} // namespace

TEST_P(MapTest, ExactFunctionsOfFloats) {
  const std::vector<std::string> unary = {"neg",  "abs",   "sqrt", "reciprocal", "floor",
                                          "ceil", "round", "sign", "isnan",      "isinf"};
  const std::vector<std::string> binary = {"add",  "sub",        "mul",     "div",          "mod",
                                           "fmod", "minimum",    "maximum", "equal",        "not_equal",
                                           "less", "less_equal", "greater", "greater_equal"};
  for (const std::string &element : kFloats) {
    SCOPED_TRACE(element);
    for (unsigned arity : {1, 2}) {
      auto kernel = mapKernel(allKinds(arity == 1 ? unary : binary, element, arity, "1003"), target());
      ASSERT_TRUE(kernel);
      Type type = elementType(kernel->context(), element);
      std::vector<HostTensor> inputs;
      for (unsigned i = 0; i < arity; ++i)
        inputs.push_back(randomTensor(type, {1003}, random));
      expectExact(*kernel, inputs);
    }
  }
}

TEST_P(MapTest, ApproximatedFunctionsOfFloats) {
  const std::vector<std::string> kinds = {"exp", "log", "rsqrt", "erf", "tanh", "sigmoid", "sin", "cos"};
  for (const std::string &element : kFloats) {
    auto kernel = mapKernel(allKinds(kinds, element, 1, "4001"), target());
    ASSERT_TRUE(kernel);
    Type type = elementType(kernel->context(), element);
    std::uniform_real_distribution<double> wide(-20, 20), near(-1, 1);
    std::vector<double> values;
    for (double special :
         {0.0, -0.0, 1.0, -1.0, double(INFINITY), -double(INFINITY), double(NAN), 0.5, 1e-6, 88.0, -87.0, 1.5, 1e-30})
      values.push_back(special);
    while (values.size() < 4001)
      values.push_back(values.size() % 2 ? wide(random) : near(random));
    expectClose(*kernel, HostTensor::ofNumbers(type, {4001}, values), element, kinds);
  }
}

TEST_P(MapTest, LogarithmIsPreciseEverywhere) {
  for (std::string element : {"f32", "f64"}) {
    auto kernel = mapKernel(allKinds({"log"}, element, 1, "5000"), target());
    ASSERT_TRUE(kernel);
    std::vector<double> values;
    for (int i = 0; i < 5000; ++i)
      values.push_back(i % 2 ? 1 + (i - 2500) * 1e-5 : std::ldexp(1 + i / 5000.0, (i % 290) - 149));
    // Relative to the result even where it is close to zero.
    kernel->expectMatch(HostTensor::ofNumbers(elementType(kernel->context(), element), {5000}, values), 0,
                        element == "f32" ? 4e-7 : 4e-16);
  }
}

TEST_P(MapTest, PowersOfSpecialValues) {
  static const double kBases[] = {0.0, -0.0,     1,         -1,  2,    -2,    0.5, -0.5, 3,
                                  -3,  INFINITY, -INFINITY, NAN, 1.25, -1.25, 10,  1e-3};
  static const double kExponents[] = {0.0,  -0.0,     1,         -1,  2,   -2,   3, -3,  0.5,
                                      -0.5, INFINITY, -INFINITY, NAN, 1.5, -1.5, 7, 0.3, 20};
  std::vector<double> bases, exponents;
  for (double base : kBases)
    for (double exponent : kExponents) {
      bases.push_back(base);
      exponents.push_back(exponent);
    }
  int64_t count = bases.size();
  for (const std::string &element : kFloats) {
    auto kernel = mapKernel(allKinds({"pow"}, element, 2, std::to_string(count)), target());
    ASSERT_TRUE(kernel);
    Type type = elementType(kernel->context(), element);
    expectClose(*kernel, {HostTensor::ofNumbers(type, {count}, bases), HostTensor::ofNumbers(type, {count}, exponents)},
                element, {"pow"});
  }
}

TEST_P(MapTest, PowersByConstants) {
  std::string body;
  std::vector<std::pair<std::string, std::string>> results;
  std::vector<std::string> names;
  for (auto [i, text] :
       llvm::enumerate(std::vector<std::string>{"2.0", "3.0", "4.0", "0.5", "-1.0", "1.0", "0.0", "2.5", "-0.5"})) {
    std::string n = std::to_string(i);
    body += "  %c" + n + " = model.constant dense<" + text + "> : tensor<f32>\n  %r" + n +
            " = model.elementwise pow %a0, %c" + n + " : (tensor<100xf32>, tensor<f32>) -> tensor<100xf32>\n";
    results.push_back({"%r" + n, "tensor<100xf32>"});
    names.push_back("x^" + text);
  }
  auto kernel = mapKernel(kernelText({"tensor<100xf32>"}, body, results), target());
  ASSERT_TRUE(kernel);
  expectClose(*kernel, randomTensor(elementType(kernel->context(), "f32"), {100}, random), "f32", names);
}

TEST_P(MapTest, FunctionsOfIntegers) {
  const std::vector<std::string> unary = {"neg", "abs", "floor", "ceil", "round", "sign"};
  const std::vector<std::string> binary = {"add",       "sub",  "mul",        "div",     "mod",
                                           "fmod",      "pow",  "minimum",    "maximum", "equal",
                                           "not_equal", "less", "less_equal", "greater", "greater_equal"};
  for (const std::string &element : kIntegers) {
    SCOPED_TRACE(element);
    for (unsigned arity : {1, 2}) {
      auto kernel = mapKernel(allKinds(arity == 1 ? unary : binary, element, arity, "1003"), target());
      ASSERT_TRUE(kernel);
      Type type = elementType(kernel->context(), element);
      std::vector<HostTensor> inputs;
      for (unsigned i = 0; i < arity; ++i)
        inputs.push_back(randomTensor(type, {1003}, random));
      expectExact(*kernel, inputs);
    }
  }
}

TEST_P(MapTest, FunctionsOfBools) {
  auto unary = mapKernel(allKinds({"logical_not"}, "i1", 1, "67"), target());
  auto binary =
      mapKernel(allKinds({"logical_and", "logical_or", "logical_xor", "equal", "not_equal"}, "i1", 2, "67"), target());
  ASSERT_TRUE(unary && binary);
  Type i1 = elementType(unary->context(), "i1");
  HostTensor a = randomTensor(i1, {67}, random), b = randomTensor(i1, {67}, random);
  expectExact(*unary, a);
  i1 = elementType(binary->context(), "i1");
  expectExact(*binary, {HostTensor{i1, a.shape, a.bytes}, HostTensor{i1, b.shape, b.bytes}});
}

TEST_P(MapTest, CastsBetweenAllTypes) {
  std::vector<std::string> all = kFloats;
  all.insert(all.end(), kIntegers.begin(), kIntegers.end());
  all.push_back("i1");
  for (const std::string &from : all) {
    SCOPED_TRACE("from " + from);
    std::string body, type = "tensor<2003x" + from + ">";
    std::vector<std::pair<std::string, std::string>> results;
    for (const std::string &to : all) {
      std::string result = "tensor<2003x" + to + ">";
      body += "  %" + to + " = model.cast %a0 : " + type + " -> " + result + "\n";
      results.push_back({"%" + to, result});
    }
    auto kernel = mapKernel(kernelText({type}, body, results), target());
    ASSERT_TRUE(kernel);
    Type element = elementType(kernel->context(), from);
    HostTensor input = randomTensor(element, {2003}, random);
    if (from == "f64" || from == "f32") // close to the middle between two f16 or bf16, where rounding twice shows
      for (int64_t i = 0; i < 1000; ++i) {
        double digits = 1 + (i % 500) / 256.0 + 1 / 512.0 + (i % 3 - 1.0) * (i % 2 ? 1e-9 : 1e-5);
        reference::writeFloats(
            input, i,
            {std::ldexp(i % 2 ? digits : 1 + (i % 500) / 1024.0 + 1 / 2048.0 + (i % 3 - 1.0) * 1e-9, i % 37 - 20)});
      }
    expectExact(*kernel, input);
  }
}

// All numbers of 16 bits, and of f32 those beside each of them and halfway to the next.
TEST_P(MapTest, EveryHalf) {
  for (std::string half : {"f16", "bf16"}) {
    SCOPED_TRACE(half);
    std::string narrow = "tensor<65536x" + half + ">", wide = "tensor<65536xf32>", body;
    std::vector<std::pair<std::string, std::string>> results{{"%w", wide}};
    std::vector<std::string> arguments{narrow};
    body = "  %w = model.cast %a0 : " + narrow + " -> " + wide + "\n";
    constexpr uint32_t kBelow[] = {0, 1, 0xfff, 0x1000, 0x1001, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (size_t i = 1; i <= std::size(kBelow); ++i) {
      std::string number = std::to_string(i);
      arguments.push_back(wide);
      body += "  %n" + number + " = model.cast %a" + number + " : " + wide + " -> " + narrow + "\n";
      results.push_back({"%n" + number, narrow});
    }
    auto kernel = mapKernel(kernelText(arguments, body, results), target());
    ASSERT_TRUE(kernel);
    std::vector<uint16_t> halves(65536);
    std::iota(halves.begin(), halves.end(), 0);
    std::vector<HostTensor> inputs{HostTensor::of<uint16_t>(elementType(kernel->context(), half), {65536}, halves)};
    for (uint32_t below : kBelow) {
      std::vector<uint32_t> bits;
      for (uint32_t upper : halves)
        bits.push_back(upper << 16 | below);
      inputs.push_back(HostTensor::of<uint32_t>(Float32Type::get(kernel->context()), {65536}, bits));
    }
    expectExact(*kernel, inputs);
  }
}

// Beyond 2^53 a detour over f64 would round twice: here the last digit alone decides.
TEST_P(MapTest, LargeIntegersToHalfPrecision) {
  auto kernel = mapKernel(kernelText({"tensor<400xi64>"},
                                     "  %b = model.cast %a0 : tensor<400xi64> -> tensor<400xbf16>\n"
                                     "  %h = model.cast %a0 : tensor<400xi64> -> tensor<400xf16>",
                                     {{"%b", "tensor<400xbf16>"}, {"%h", "tensor<400xf16>"}}),
                          target());
  ASSERT_TRUE(kernel);
  std::vector<int64_t> values;
  for (int64_t i = 0; i < 400; ++i) {
    int64_t exponent = 9 + i % 54, middle = (int64_t(1) << exponent) + (i % 7) * (int64_t(1) << (exponent - 7)) +
                                            (int64_t(1) << (exponent - 8));
    values.push_back((i % 2 ? -1 : 1) * (middle + i / 54 % 3 - 1));
  }
  expectExact(*kernel, HostTensor::of<int64_t>(elementType(kernel->context(), "i64"), {400}, values));
}

TEST_P(MapTest, SelectOfEveryType) {
  std::vector<std::string> all = kFloats;
  all.insert(all.end(), kIntegers.begin(), kIntegers.end());
  all.push_back("i1");
  for (const std::string &element : all) {
    std::string type = "tensor<5x13x" + element + ">";
    auto kernel = mapKernel(kernelText({"tensor<5x1xi1>", type, "tensor<13x" + element + ">"},
                                       "  %r = model.elementwise select %a0, %a1, %a2 : (tensor<5x1xi1>, " + type +
                                           ", tensor<13x" + element + ">) -> " + type,
                                       {{"%r", type}}),
                            target());
    ASSERT_TRUE(kernel);
    Type t = elementType(kernel->context(), element);
    expectExact(*kernel, {randomTensor(elementType(kernel->context(), "i1"), {5, 1}, random),
                          randomTensor(t, {5, 13}, random), randomTensor(t, {13}, random)});
  }
}

TEST_P(MapTest, Activations) {
  const std::vector<std::string> kinds = {"relu", "relu2", "gelu", "gelu_tanh", "quick_gelu", "silu"};
  for (const std::string &element : kFloats) {
    std::string type = "tensor<3001x" + element + ">", body;
    std::vector<std::pair<std::string, std::string>> results;
    for (const std::string &kind : kinds) {
      body += "  %" + kind + " = model.activation " + kind + " %a0 : " + type + "\n";
      results.push_back({"%" + kind, type});
    }
    auto kernel = mapKernel(kernelText({type}, body, results), target());
    ASSERT_TRUE(kernel);
    std::uniform_real_distribution<double> wide(-8, 8);
    std::vector<double> values = {0.0, -0.0, NAN};
    while (values.size() < 3001)
      values.push_back(wide(random));
    Type t = elementType(kernel->context(), element);
    HostTensor input = HostTensor::ofNumbers(t, {3001}, values);
    auto found = kernel->run(input), wanted = kernel->evaluate(input);
    for (size_t i = 0; i < kinds.size(); ++i) {
      SCOPED_TRACE(kinds[i] + " of " + element);
      auto [relative, absolute] = tolerance(element);
      expectNear(found[i], wanted[i], absolute * (element == "f64" ? 1 : 3), relative);
    }
  }
}

// Lengths around vectors and work groups, and the empty one.
TEST_P(MapTest, EveryLength) {
  auto kernel = mapKernel(
      kernelText(
          {"tensor<?xf32, #model.dims<\"n\">>", "tensor<f32>"},
          R"(  %y = model.elementwise mul %a0, %a1 : (tensor<?xf32, #model.dims<"n">>, tensor<f32>) -> tensor<?xf32, #model.dims<"n">>
  %r = model.elementwise add %y, %a0 : (tensor<?xf32, #model.dims<"n">>, tensor<?xf32, #model.dims<"n">>) -> tensor<?xf32, #model.dims<"n">>)",
          {{"%r", "tensor<?xf32, #model.dims<\"n\">>"}}),
      target());
  ASSERT_TRUE(kernel);
  for (int64_t n : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 511, 513, 999, 1000})
    expectExact(*kernel, {uniform(kernel->context(), {n}, random), uniform(kernel->context(), {}, random)});
  for (int64_t n : {4095, 4096, 4097, 8192, 20001}) {
    std::string type = "tensor<" + std::to_string(n) + "xf32>";
    auto fixed = mapKernel(
        kernelText({type}, "  %r = model.elementwise neg %a0 : (" + type + ") -> " + type, {{"%r", type}}), target());
    ASSERT_TRUE(fixed);
    expectExact(*fixed, uniform(fixed->context(), {n}, random));
  }
}

// Every combination of sizes 1 and n on four axes.
TEST_P(MapTest, BroadcastsInAllCombinations) {
  const int64_t sizes[] = {3, 2, 5, 17};
  std::string body, full = "tensor<3x2x5x17xf32>";
  std::vector<std::string> arguments = {full};
  std::vector<std::vector<int64_t>> shapes = {{3, 2, 5, 17}};
  std::vector<std::pair<std::string, std::string>> results;
  for (unsigned mask = 0; mask < 16; ++mask)
    for (unsigned rank = 0; rank <= 4; ++rank) {
      if (rank < 4 && mask >> rank)
        continue; // axes beyond the rank
      std::string type = "tensor<", n = std::to_string(arguments.size());
      std::vector<int64_t> shape;
      for (unsigned axis = 4 - rank; axis < 4; ++axis) {
        shape.push_back(mask >> (3 - axis) & 1 ? sizes[axis] : 1);
        type += std::to_string(shape.back()) + "x";
      }
      type += "f32>";
      body += "  %r" + n + " = model.elementwise sub %a0, %a" + n + " : (" + full + ", " + type + ") -> " + full + "\n";
      arguments.push_back(type);
      shapes.push_back(shape);
      results.push_back({"%r" + n, full});
    }
  auto kernel = mapKernel(kernelText(arguments, body, results), target());
  ASSERT_TRUE(kernel);
  std::vector<HostTensor> inputs;
  for (const auto &shape : shapes)
    inputs.push_back(uniform(kernel->context(), shape, random));
  expectExact(*kernel, inputs);
}

TEST_P(MapTest, BroadcastsOfDynamicSizes) {
  std::string a = "tensor<?x1x?xf32, #model.dims<\"n\", \"1\", \"k\">>",
              b = "tensor<?x1xf32, #model.dims<\"m\", \"1\">>",
              c = "tensor<?x?x?xf32, #model.dims<\"n\", \"m\", \"k\">>";
  auto kernel = mapKernel(
      kernelText({a, b}, "  %r = model.elementwise mul %a0, %a1 : (" + a + ", " + b + ") -> " + c, {{"%r", c}}),
      target());
  ASSERT_TRUE(kernel);
  for (auto [n, m, k] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{{1, 1, 1},
                                                                           {2, 3, 4},
                                                                           {0, 3, 4},
                                                                           {3, 0, 4},
                                                                           {3, 4, 0},
                                                                           {5, 7, 33},
                                                                           {2, 1, 900},
                                                                           {300, 20, 1},
                                                                           {1, 1000, 9},
                                                                           {3, 5, 1000}})
    expectExact(*kernel, {uniform(kernel->context(), {n, 1, k}, random), uniform(kernel->context(), {m, 1}, random)});
}

// Inlined naively, 2^40 additions.
TEST_P(MapTest, ChainOfDoublingStaysSmall) {
  std::string body = "", type = "tensor<37xf32>", last = "%a0";
  for (int i = 0; i < 40; ++i) {
    std::string next = "%x" + std::to_string(i);
    body += "  " + next + " = model.elementwise add " + last + ", " + last + " : (" + type + ", " + type + ") -> " +
            type + "\n";
    last = next;
  }
  auto kernel = mapKernel(kernelText({type}, body, {{last, type}}), target());
  ASSERT_TRUE(kernel);
  EXPECT_LT(kernel->image().bytes.size(), 20000u);
  expectExact(*kernel, uniform(kernel->context(), {37}, random));
}

INSTANTIATE_KERNEL_TEST(MapTest);
