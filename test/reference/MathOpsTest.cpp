// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of the ops that compute, element by element or over axes.
#include "test/reference/EvaluatorFixture.h"

using namespace tamis::reference;

namespace {
class MathOps : public EvaluatorFixture {
protected:
  /// One function of vectors of one length.
  HostTensor map(llvm::StringRef kind, llvm::ArrayRef<HostTensor> operands, llvm::StringRef resultElement = "") {
    std::string types, names, result;
    llvm::raw_string_ostream typeStream(types), nameStream(names);
    for (auto [i, operand] : llvm::enumerate(operands)) {
      typeStream << (i ? ", " : "") << mlir::RankedTensorType::get(operand.shape, operand.element);
      nameStream << (i ? ", %" : "%") << char('a' + i);
    }
    mlir::Type element = resultElement.empty() ? operands.back().element : type(resultElement);
    llvm::raw_string_ostream(result) << mlir::RankedTensorType::get(operands.back().shape, element);
    return run(("%r = model.elementwise " + kind + " " + names + " : (" + types + ") -> " + result).str(), result,
               operands);
  }
  HostTensor activation(llvm::StringRef kind, std::vector<double> values) {
    std::string type = "tensor<" + std::to_string(values.size()) + "xf64>";
    return run(("%r = model.activation " + kind + " %a : " + type).str(), type, {vector("f64", values)});
  }
};

TEST_F(MathOps, FloatsOfOneOperand) {
  HostTensor x = vector("f32", {-2.5, -0.5, 0, 0.5, 1.5, kInf, kNan});
  expectNumbers(map("neg", {x}), {2.5, 0.5, -0.0, -0.5, -1.5, -kInf, kNan});
  expectNumbers(map("abs", {x}), {2.5, 0.5, 0, 0.5, 1.5, kInf, kNan});
  expectNumbers(map("floor", {x}), {-3, -1, 0, 0, 1, kInf, kNan});
  expectNumbers(map("ceil", {x}), {-2, -0.0, 0, 1, 2, kInf, kNan});
  expectNumbers(map("round", {x}), {-2, -0.0, 0, 0, 2, kInf, kNan});
  expectNumbers(map("sign", {x}), {-1, -1, 0, 1, 1, 1, kNan});
  expectNumbers(map("isnan", {x}, "i1"), {0, 0, 0, 0, 0, 0, 1});
  expectNumbers(map("isinf", {x}, "i1"), {0, 0, 0, 0, 0, 1, 0});
  expectNumbers(map("reciprocal", {vector("f32", {4, -0.0, kInf})}), {0.25, -kInf, 0});
  expectNumbers(map("sqrt", {vector("f32", {9, 2, -1})}), {3, 1.41421353816986083984375, kNan});
  expectNumbers(map("rsqrt", {vector("f32", {4, 0, kInf})}), {0.5, kInf, 0});
  expectNumbers(map("exp", {vector("f32", {0, 1, 89, -kInf})}), {1, 2.7182817459106445, kInf, 0});
  expectNumbers(map("log", {vector("f32", {1, 0, -1})}), {0, -kInf, kNan});
  // Published values of the functions.
  expectNumbers(map("erf", {vector("f64", {0.5, -1})}), {0.52049987781304654, -0.84270079294971487}, 1e-15);
  expectNumbers(map("tanh", {vector("f64", {1, -kInf})}), {0.76159415595576489, -1}, 1e-15);
  expectNumbers(map("sigmoid", {vector("f64", {0, 2, -1000, 1000})}), {0.5, 0.88079707797788243, 0, 1}, 1e-15);
  expectNumbers(map("sin", {vector("f64", {1})}), {0.8414709848078965}, 1e-15);
  expectNumbers(map("cos", {vector("f64", {1})}), {0.54030230586813972}, 1e-15);
}

TEST_F(MathOps, IntegersOfOneOperand) {
  HostTensor x = vector("i8", {-128, -3, 0, 127});
  expectNumbers(map("neg", {x}), {-128, 3, 0, -127});
  expectNumbers(map("abs", {x}), {-128, 3, 0, 127});
  expectNumbers(map("sign", {x}), {-1, -1, 0, 1});
  for (const char *kind : {"floor", "ceil", "round"})
    expectNumbers(map(kind, {x}), {-128, -3, 0, 127});
  expectNumbers(map("neg", {vector("ui8", {0, 1, 255})}), {0, 255, 1});
  expectNumbers(map("logical_not", {vector("i1", {0, 1})}), {1, 0});
}

TEST_F(MathOps, FloatsOfTwoOperands) {
  HostTensor a = vector("f32", {5.5, -5.5, 5.5, -5.5, 1, kNan}), b = vector("f32", {2, 2, -2, -2, 0, 1});
  expectNumbers(map("add", {a, b}), {7.5, -3.5, 3.5, -7.5, 1, kNan});
  expectNumbers(map("sub", {a, b}), {3.5, -7.5, 7.5, -3.5, 1, kNan});
  expectNumbers(map("mul", {a, b}), {11, -11, -11, 11, 0, kNan});
  expectNumbers(map("div", {a, b}), {2.75, -2.75, -2.75, 2.75, kInf, kNan});
  expectNumbers(map("mod", {a, b}), {1.5, 0.5, -0.5, -1.5, kNan, kNan});
  expectNumbers(map("fmod", {a, b}), {1.5, -1.5, 1.5, -1.5, kNan, kNan});
  expectNumbers(map("pow", {vector("f32", {2, -8, 0, 4}), vector("f32", {10, 1.0 / 3, 0, -0.5})}),
                {1024, kNan, 1, 0.5});
  expectNumbers(map("minimum", {vector("f32", {1, kNan, -1, 0, -0.0}), vector("f32", {2, 1, kNan, -0.0, 0})}),
                {1, kNan, kNan, -0.0, -0.0});
  HostTensor most = map("maximum", {vector("f32", {1, kNan, -1, 0, -0.0}), vector("f32", {2, 1, kNan, -0.0, 0})});
  expectNumbers(most, {2, kNan, kNan, 0, 0});
  EXPECT_FALSE(std::signbit(most.values<float>()[3]) || std::signbit(most.values<float>()[4]));
}

TEST_F(MathOps, RoundsToTheElementType) {
  // 1 + 2^-11 lies between two f16 and goes to the even one; 2049 is no f16.
  expectNumbers(map("add", {vector("f16", {1, 2048}), vector("f16", {0.00048828125, 1})}), {1, 2048});
  expectNumbers(map("mul", {vector("bf16", {1.0078125}), vector("bf16", {1.0078125})}), {1.015625});
  expectNumbers(map("mul", {vector("f32", {1e30}), vector("f32", {1e30})}), {kInf});
  expectNumbers(map("add", {vector("f16", {65504}), vector("f16", {32})}), {kInf});
}

TEST_F(MathOps, IntegersOfTwoOperands) {
  HostTensor a = vector("i32", {7, -7, 7, -7, 5, -2147483648.0}), b = vector("i32", {2, 2, -2, -2, 0, -1});
  expectNumbers(map("div", {a, b}), {3, -3, -3, 3, 0, -2147483648.0});
  expectNumbers(map("mod", {a, b}), {1, 1, -1, -1, 0, 0});
  expectNumbers(map("fmod", {a, b}), {1, -1, 1, -1, 0, 0});
  expectNumbers(map("minimum", {a, b}), {2, -7, -2, -7, 0, -2147483648.0});
  expectNumbers(map("maximum", {a, b}), {7, 2, 7, -2, 5, -1});
  expectNumbers(map("add", {vector("i8", {127}), vector("i8", {1})}), {-128});
  expectNumbers(map("sub", {vector("ui8", {0}), vector("ui8", {1})}), {255});
  expectNumbers(map("mul", {vector("i16", {300}), vector("i16", {300})}), {24464});
  HostTensor wrapped = map("add", {i64s({INT64_MAX}), i64s({1})});
  EXPECT_EQ(wrapped.values<int64_t>()[0], INT64_MIN);
  HostTensor quotient = map("div", {i64s({INT64_MIN, INT64_MIN}), i64s({-1, 0})});
  EXPECT_EQ(quotient.values<int64_t>()[0], INT64_MIN);
  EXPECT_EQ(quotient.values<int64_t>()[1], 0);
  expectNumbers(map("mod", {i64s({INT64_MIN, 5}), i64s({-1, INT64_MIN})}), {0, -9223372036854775803.0});
  expectNumbers(map("pow", {vector("i32", {3, -2, 0, 2, 1, -1, 0, 2}), vector("i32", {4, 3, 0, -1, -5, -3, -1, 40})}),
                {81, -8, 1, 0, 1, -1, 0, 0});
  expectNumbers(map("div", {vector("ui8", {200}), vector("ui8", {3})}), {66});
  // Without a sign the lowest bits below zero are the highest numbers.
  expectNumbers(map("sub", {vector("ui32", {0}), vector("ui32", {1})}), {4294967295.0});
  HostTensor wide = i64s({-2, 7}), two = i64s({2, 2});
  wide.element = two.element = type("ui64");
  HostTensor half = map("div", {wide, two});
  EXPECT_EQ(half.values<int64_t>()[0], INT64_MAX);
  expectNumbers(map("less", {wide, two}, "i1"), {0, 0});
  expectNumbers(map("minimum", {wide, two}), {2, 2});
  expectNumbers(map("mod", {wide, vector("ui64", {10, 10})}), {4, 7});
}

TEST_F(MathOps, Comparisons) {
  HostTensor a = vector("f32", {1, 2, 3, kNan, -0.0}), b = vector("f32", {2, 2, 2, kNan, 0});
  expectNumbers(map("equal", {a, b}, "i1"), {0, 1, 0, 0, 1});
  expectNumbers(map("not_equal", {a, b}, "i1"), {1, 0, 1, 1, 0});
  expectNumbers(map("less", {a, b}, "i1"), {1, 0, 0, 0, 0});
  expectNumbers(map("less_equal", {a, b}, "i1"), {1, 1, 0, 0, 1});
  expectNumbers(map("greater", {a, b}, "i1"), {0, 0, 1, 0, 0});
  expectNumbers(map("greater_equal", {a, b}, "i1"), {0, 1, 1, 0, 1});
  expectNumbers(map("less", {vector("ui8", {1, 200}), vector("ui8", {200, 1})}, "i1"), {1, 0});
  expectNumbers(map("less", {vector("i8", {1, -56}), vector("i8", {-56, 1})}, "i1"), {0, 1});
  // Neighbours that f64 cannot tell apart.
  expectNumbers(map("less", {i64s({9007199254740992}), i64s({9007199254740993})}, "i1"), {1});
}

TEST_F(MathOps, Logic) {
  HostTensor a = vector("i1", {0, 0, 1, 1}), b = vector("i1", {0, 1, 0, 1});
  expectNumbers(map("logical_and", {a, b}), {0, 0, 0, 1});
  expectNumbers(map("logical_and", {vector("i32", {6, -1}), vector("i32", {3, 9})}), {2, 9});
  expectNumbers(map("logical_xor", {vector("ui8", {255, 6}), vector("ui8", {1, 3})}), {254, 5});
  expectNumbers(map("logical_or", {a, b}), {0, 1, 1, 1});
  expectNumbers(map("logical_xor", {a, b}), {0, 1, 1, 0});
  expectNumbers(map("equal", {a, b}), {1, 0, 0, 1});
  HostTensor any = HostTensor::of<char>(type("i1"), {3}, llvm::ArrayRef<char>({0, 2, char(0x80)}));
  expectNumbers(map("logical_not", {any}), {1, 0, 0}); // any byte but 0 is true
  HostTensor moved = run("%r = model.reshape %a : tensor<3xi1> -> tensor<3x1xi1>", "tensor<3x1xi1>", {any});
  EXPECT_EQ(moved.bytes, (std::vector<char>{0, 1, 1}));
}

TEST_F(MathOps, Select) {
  HostTensor c = vector("i1", {1, 0, 1});
  expectNumbers(map("select", {c, vector("f32", {1, kNan, 3}), vector("f32", {-1, -2, kNan})}), {1, -2, 3});
  HostTensor big = map("select", {c, i64s({INT64_MAX, 0, 1}), i64s({0, INT64_MIN, 0})});
  EXPECT_EQ(big.values<int64_t>()[0], INT64_MAX);
  EXPECT_EQ(big.values<int64_t>()[1], INT64_MIN);
}

TEST_F(MathOps, Broadcasting) {
  expectNumbers(run("%r = model.elementwise sub %a, %b : (tensor<2x1xf32>, tensor<3xf32>) -> tensor<2x3xf32>",
                    "tensor<2x3xf32>", {tensor("f32", {2, 1}, {10, 20}), vector("f32", {1, 2, 3})}),
                {9, 8, 7, 19, 18, 17});
  expectNumbers(run("%r = model.elementwise mul %a, %b : (tensor<i32>, tensor<2xi32>) -> tensor<2xi32>",
                    "tensor<2xi32>", {tensor("i32", {}, {3}), vector("i32", {1, 2})}),
                {3, 6});
  expectNumbers(run("%r = model.elementwise mul %a, %b : (tensor<1x4xf32>, tensor<0x1xf32>) -> tensor<0x4xf32>",
                    "tensor<0x4xf32>", {tensor("f32", {1, 4}, {1, 2, 3, 4}), tensor("f32", {0, 1}, {})}),
                {});
}

TEST_F(MathOps, Activations) {
  expectNumbers(activation("relu", {-1, 0, 2, kNan}), {0, 0, 2, kNan});
  expectNumbers(activation("relu2", {-3, 0, 3, kNan}), {0, 0, 9, kNan});
  // To 15 digits, from the closed forms evaluated outside: x Phi(x), x sigmoid(x).
  expectNumbers(activation("gelu", {-1, 0, 1, 3}), {-0.15865525393145705, 0, 0.84134474606854293, 2.9959503059051099},
                1e-14);
  expectNumbers(activation("silu", {-1, 0, 2}), {-0.26894142136999512, 0, 1.7615941559557649}, 1e-14);
  expectNumbers(activation("quick_gelu", {1}), {1 / (1 + std::exp(-1.702))}, 1e-15);
  double inner = 0.79788456080286535588 * (1 + 0.044715);
  expectNumbers(activation("gelu_tanh", {1, -1}), {(1 + std::tanh(inner)) / 2, -(1 - std::tanh(inner)) / 2}, 1e-14);
}

TEST_F(MathOps, Reduce) {
  HostTensor x = tensor("f32", {2, 3}, {1, 2, 3, -4, 5, 7});
  auto rows = [&](llvm::StringRef kind) {
    return run(("%r = model.reduce " + kind + " %a axes [1] : tensor<2x3xf32> -> tensor<2x1xf32>").str(),
               "tensor<2x1xf32>", {x});
  };
  expectNumbers(rows("sum"), {6, 8});
  expectNumbers(rows("mean"), {2, 8.0 / 3}, 1e-6);
  expectNumbers(rows("max"), {3, 7});
  expectNumbers(rows("min"), {1, -4});
  expectNumbers(rows("prod"), {6, -140});
  expectNumbers(run("%r = model.reduce sum %a axes [0] : tensor<2x3xf32> -> tensor<1x3xf32>", "tensor<1x3xf32>", {x}),
                {-3, 7, 10});
  expectNumbers(
      run("%r = model.reduce max %a axes [0, 1] : tensor<2x3xf32> -> tensor<1x1xf32>", "tensor<1x1xf32>", {x}), {7});
  expectNumbers(run("%r = model.reduce sum %a axes [] : tensor<2x3xf32> -> tensor<2x3xf32>", "tensor<2x3xf32>", {x}),
                {1, 2, 3, -4, 5, 7});
  expectNumbers(run("%r = model.reduce max %a axes [0] : tensor<3xf32> -> tensor<1xf32>", "tensor<1xf32>",
                    {vector("f32", {1, kNan, 3})}),
                {kNan});
}

TEST_F(MathOps, ReduceIntegers) {
  HostTensor x = vector("i8", {100, 100, -7});
  auto all = [&](llvm::StringRef kind, const HostTensor &values) {
    std::string element;
    llvm::raw_string_ostream(element) << values.element;
    std::string count = std::to_string(values.size());
    return run(("%r = model.reduce " + kind + " %a axes [0] : tensor<" + count + "x" + element + "> -> tensor<1x" +
                element + ">")
                   .str(),
               "tensor<1x" + element + ">", {values});
  };
  expectNumbers(all("sum", x), {-63}); // 193 wraps
  expectNumbers(all("mean", x), {-21});
  expectNumbers(all("mean", vector("i32", {-3, -4})), {-3});
  expectNumbers(all("max", x), {100});
  expectNumbers(all("min", vector("ui8", {200, 100})), {100});
  expectNumbers(all("sum", vector("i8", {})), {0});
  expectNumbers(all("mean", vector("i8", {})), {0});
  expectNumbers(all("prod", vector("i8", {})), {1});
  expectNumbers(all("max", vector("i8", {})), {-128});
  expectNumbers(all("min", vector("i8", {})), {127});
  expectNumbers(all("max", vector("ui8", {})), {0});
  expectNumbers(all("min", vector("ui8", {})), {255});
  expectNumbers(all("sum", vector("f32", {})), {0});
  expectNumbers(all("mean", vector("f32", {})), {kNan});
  expectNumbers(all("prod", vector("f32", {})), {1});
  expectNumbers(all("max", vector("f32", {})), {-kInf});
  expectNumbers(all("min", vector("f16", {})), {kInf});
}

TEST_F(MathOps, SumsInDoublePrecision) {
  // A million times 0.1f: f32 accumulation is off by about a percent.
  std::vector<float> values(1000000, 0.1f);
  HostTensor x = HostTensor::of<float>(type("f32"), {1000000}, values);
  expectNumbers(run("%r = model.reduce sum %a axes [0] : tensor<1000000xf32> -> tensor<1xf32>", "tensor<1xf32>", {x}),
                {100000.0}, 0.01);
}

TEST_F(MathOps, Softmax) {
  expectNumbers(run("%r = model.softmax %a axis 1 : tensor<2x2xf64>", "tensor<2x2xf64>",
                    {tensor("f64", {2, 2}, {0, 1, 1000, 1000})}),
                {0.26894142136999512, 0.73105857863000488, 0.5, 0.5}, 1e-15);
  expectNumbers(run("%r = model.softmax %a axis 0 : tensor<2x2xf64>", "tensor<2x2xf64>",
                    {tensor("f64", {2, 2}, {0, 5, 1, -kInf})}),
                {0.26894142136999512, 1, 0.73105857863000488, 0}, 1e-15);
  expectNumbers(run("%r = model.softmax %a axis 0 : tensor<2xf32>", "tensor<2xf32>", {vector("f32", {-kInf, -kInf})}),
                {kNan, kNan});
  expectNumbers(run("%r = model.softmax %a axis 1 : tensor<2x0xf32>", "tensor<2x0xf32>", {tensor("f32", {2, 0}, {})}),
                {});
  expectNumbers(run("%r = model.softmax %a axis 1 : tensor<1x1xf16>", "tensor<1x1xf16>", {tensor("f16", {1, 1}, {-7})}),
                {1});
}

TEST_F(MathOps, Matmul) {
  expectNumbers(run("%r = model.matmul %a, %b : tensor<2x3xf32>, tensor<3x2xf32> -> tensor<2x2xf32>", "tensor<2x2xf32>",
                    {tensor("f32", {2, 3}, {1, 2, 3, 4, 5, 6}), tensor("f32", {3, 2}, {7, 8, 9, 10, 11, 12})}),
                {58, 64, 139, 154});
  // No inner element: zeros. No row: nothing.
  expectNumbers(run("%r = model.matmul %a, %b : tensor<2x0xf32>, tensor<0x1xf32> -> tensor<2x1xf32>", "tensor<2x1xf32>",
                    {tensor("f32", {2, 0}, {}), tensor("f32", {0, 1}, {})}),
                {0, 0});
  expectNumbers(run("%r = model.matmul %a, %b : tensor<0x1xf32>, tensor<1x2xf32> -> tensor<0x2xf32>", "tensor<0x2xf32>",
                    {tensor("f32", {0, 1}, {}), tensor("f32", {1, 2}, {1, 2})}),
                {});
  // A zero times infinity is NaN: no product is skipped.
  expectNumbers(run("%r = model.matmul %a, %b : tensor<1x1xf32>, tensor<1x1xf32> -> tensor<1x1xf32>", "tensor<1x1xf32>",
                    {tensor("f32", {1, 1}, {0}), tensor("f32", {1, 1}, {kInf})}),
                {kNan});
}

TEST_F(MathOps, MatmulBroadcast) {
  // lhs 2x1x1x3, rhs 3x3x2: result[i, j, 0, n] = sum_k lhs[i, 0, 0, k] rhs[j, k, n].
  std::vector<double> a(6), b(18), wanted;
  for (int i = 0; i < 6; ++i)
    a[i] = i - 2;
  for (int i = 0; i < 18; ++i)
    b[i] = (i * 7) % 5;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int n = 0; n < 2; ++n) {
        double sum = 0;
        for (int k = 0; k < 3; ++k)
          sum += a[i * 3 + k] * b[(j * 3 + k) * 2 + n];
        wanted.push_back(sum);
      }
  expectNumbers(run("%r = model.matmul %a, %b : tensor<2x1x1x3xbf16>, tensor<3x3x2xbf16> -> tensor<2x3x1x2xbf16>",
                    "tensor<2x3x1x2xbf16>", {tensor("bf16", {2, 1, 1, 3}, a), tensor("bf16", {3, 3, 2}, b)}),
                wanted);
}
} // namespace
