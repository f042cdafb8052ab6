// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Each ONNX op means what ONNX says: imported, then run in the reference evaluator. Expected numbers are by hand.
#include "test/import/ImportFixture.h"

#include <cmath>
#include <limits>

using namespace tamis;
using OnnxOps = ImportFixture;

namespace {
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST_F(OnnxOps, UnaryFunctions) {
  struct Case {
    const char *op;
    std::vector<double> wanted;
  };
  const std::vector<double> x{-1.5, 0.5, 2.5};
  const Case cases[] = {
      {"Neg", {1.5, -0.5, -2.5}},
      {"Abs", {1.5, 0.5, 2.5}},
      {"Exp", {std::exp(-1.5), std::exp(0.5), std::exp(2.5)}},
      {"Log", {kNan, std::log(0.5), std::log(2.5)}},
      {"Sqrt", {kNan, std::sqrt(0.5), std::sqrt(2.5)}},
      {"Reciprocal", {1 / -1.5, 2, 0.4}},
      {"Erf", {std::erf(-1.5), std::erf(0.5), std::erf(2.5)}},
      {"Tanh", {std::tanh(-1.5), std::tanh(0.5), std::tanh(2.5)}},
      {"Sigmoid", {1 / (1 + std::exp(1.5)), 1 / (1 + std::exp(-0.5)), 1 / (1 + std::exp(-2.5))}},
      {"Sin", {std::sin(-1.5), std::sin(0.5), std::sin(2.5)}},
      {"Cos", {std::cos(-1.5), std::cos(0.5), std::cos(2.5)}},
      {"Floor", {-2, 0, 2}},
      {"Ceil", {-1, 1, 3}},
      {"Round", {-2, 0, 2}}, // ties to even
      {"Sign", {-1, 1, 1}},
      {"Relu", {0, 0.5, 2.5}},
      {"Gelu",
       {-0.75 * (1 + std::erf(-1.5 / std::sqrt(2.0))), 0.25 * (1 + std::erf(0.5 / std::sqrt(2.0))),
        1.25 * (1 + std::erf(2.5 / std::sqrt(2.0)))}},
  };
  for (const Case &c : cases) {
    SCOPED_TRACE(c.op);
    load("g (float[3] x) => (float[3] y) { y = " + std::string(c.op) + "(x) }", 20);
    expectTensor(run({floats({3}, x)}), {3}, c.wanted, 1e-6);
  }
}

TEST_F(OnnxOps, TestsOfFloats) {
  load("g (float[3] x) => (bool[3] y) { y = IsNaN(x) }");
  expectTensor(run({floats({3}, {1, kNan, kInf})}), {3}, {0, 1, 0});
  load("g (float[3] x) => (bool[3] y) { y = IsInf(x) }");
  expectTensor(run({floats({3}, {-kInf, kNan, 1})}), {3}, {1, 0, 0});
}

TEST_F(OnnxOps, BinaryFunctionsBroadcast) {
  struct Case {
    const char *op;
    std::vector<double> wanted; // of [[1, 2], [3, 4]] and [2, 3]
  };
  const Case cases[] = {
      {"Add", {3, 5, 5, 7}}, {"Sub", {-1, -1, 1, 1}}, {"Mul", {2, 6, 6, 12}}, {"Pow", {1, 8, 9, 64}},
      {"Min", {1, 2, 2, 3}}, {"Max", {2, 3, 3, 4}},   {"Sum", {3, 5, 5, 7}},  {"Div", {0.5, 2 / 3., 1.5, 4 / 3.}}};
  for (const Case &c : cases) {
    SCOPED_TRACE(c.op);
    load("g (float[2, 2] a, float[2] b) => (float[2, 2] y) { y = " + std::string(c.op) + "(a, b) }");
    expectTensor(run({floats({2, 2}, {1, 2, 3, 4}), floats({2}, {2, 3})}), {2, 2}, c.wanted);
  }
  const Case comparisons[] = {{"Equal", {0, 0, 0, 0}},
                              {"Less", {1, 1, 0, 0}},
                              {"LessOrEqual", {1, 1, 0, 0}},
                              {"Greater", {0, 0, 1, 1}},
                              {"GreaterOrEqual", {0, 0, 1, 1}}};
  for (const Case &c : comparisons) {
    SCOPED_TRACE(c.op);
    load("g (float[2, 2] a, float[2] b) => (bool[2, 2] y) { y = " + std::string(c.op) + "(a, b) }");
    expectTensor(run({floats({2, 2}, {1, 2, 3, 4}), floats({2}, {2, 3})}), {2, 2}, c.wanted);
  }
}

TEST_F(OnnxOps, IntegerDivisionDropsTheFractionAndModFollowsItsAttribute) {
  load("g (int64[4] a, int64[4] b) => (int64[4] y) { y = Div(a, b) }");
  expectTensor(run({integers({4}, {7, -7, 7, -7}), integers({4}, {2, 2, -2, -2})}), {4}, {3, -3, -3, 3});
  load("g (int64[4] a, int64[4] b) => (int64[4] y) { y = Mod(a, b) }");
  expectTensor(run({integers({4}, {7, -7, 7, -7}), integers({4}, {3, 3, -3, -3})}), {4}, {1, 2, -2, -1});
  load("g (int64[4] a, int64[4] b) => (int64[4] y) { y = Mod<fmod = 1>(a, b) }");
  expectTensor(run({integers({4}, {7, -7, 7, -7}), integers({4}, {3, 3, -3, -3})}), {4}, {1, -1, 1, -1});
}

TEST_F(OnnxOps, PowCastsItsExponent) {
  load("g (float[3] x) => (float[3] y) <int64[1] two = {2}> { y = Pow(x, two) }");
  expectTensor(run({floats({3}, {1, -2, 3})}), {3}, {1, 4, 9});
}

TEST_F(OnnxOps, LogicalFunctions) {
  auto a = bools({4}, {0, 0, 1, 1}), b = bools({4}, {0, 1, 0, 1});
  load("g (bool[4] a, bool[4] b) => (bool[4] y) { y = And(a, b) }");
  expectTensor(run({a, b}), {4}, {0, 0, 0, 1});
  load("g (bool[4] a, bool[4] b) => (bool[4] y) { y = Or(a, b) }");
  expectTensor(run({a, b}), {4}, {0, 1, 1, 1});
  load("g (bool[4] a, bool[4] b) => (bool[4] y) { y = Xor(a, b) }");
  expectTensor(run({a, b}), {4}, {0, 1, 1, 0});
  load("g (bool[4] a) => (bool[4] y) { y = Not(a) }");
  expectTensor(run({a}), {4}, {1, 1, 0, 0});
}

TEST_F(OnnxOps, WhereSelectsAndBroadcasts) {
  load("g (bool[2, 1] c, float[2] a) => (float[2, 2] y) <float b = {9}> { y = Where(c, a, b) }");
  expectTensor(run({bools({2, 1}, {1, 0}), floats({2}, {1, 2})}), {2, 2}, {1, 2, 9, 9});
}

TEST_F(OnnxOps, ClipWithEitherBoundLeftOut) {
  load("g (float[3] x) => (float[3] y) <float low = {-1}> { y = Clip(x, low) }");
  expectTensor(run({floats({3}, {-2, 0, 2})}), {3}, {-1, 0, 2});
  load("g (float[3] x) => (float[3] y) <float high = {1}> { y = Clip(x, , high) }");
  expectTensor(run({floats({3}, {-2, 0, 2})}), {3}, {-2, 0, 1});
}

TEST_F(OnnxOps, GeluApproximationAndSwish) {
  load("g (float[2] x) => (float[2] y) { y = Gelu<approximate = \"tanh\">(x) }", 20);
  EXPECT_NE(text().find("gelu_tanh"), std::string::npos);
  load("g (float[2] x) => (float[2] y) { y = Swish(x) }", 24);
  expectTensor(run({floats({2}, {0, 1})}), {2}, {0, 1 / (1 + std::exp(-1.0))});
}

TEST_F(OnnxOps, Softmax) {
  load("g (float[2, 2] x) => (float[2, 2] y) { y = Softmax<axis = 0>(x) }");
  double big = 1 / (1 + std::exp(-1.0));
  expectTensor(run({floats({2, 2}, {0, 5, 1, 5})}), {2, 2}, {1 - big, 0.5, big, 0.5});
}

TEST_F(OnnxOps, SoftmaxOfOldOpsetsIsOverAllAxesFromTheFirst) {
  // Opset 11 normalises over everything from `axis` on; the conversion writes that out.
  load("g (float[1, 2, 2] x) => (float[1, 2, 2] y) { y = Softmax<axis = 1>(x) }", 11);
  expectTensor(run({floats({1, 2, 2}, {0, 0, 0, 0})}), {1, 2, 2}, {0.25, 0.25, 0.25, 0.25});
}

TEST_F(OnnxOps, ReductionsByAttributeAndByOperand) {
  auto x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  load("g (float[2, 3] x) => (float[2, 1] y) { y = ReduceMean<axes = [1]>(x) }", 17);
  expectTensor(run({x}), {2, 1}, {2, 5});
  load("g (float[2, 3] x) => (float[3] y) <int64[1] a = {-2}> { y = ReduceSum<keepdims = 0>(x, a) }", 17);
  expectTensor(run({x}), {3}, {5, 7, 9});
  load("g (float[2, 3] x) => (float y) { y = ReduceMax<keepdims = 0>(x) }", 18);
  expectTensor(run({x}), {}, {6});
  load("g (float[2, 3] x) => (float[1, 1] y) { y = ReduceMin(x) }", 18);
  expectTensor(run({x}), {1, 1}, {1});
  load("g (float[2, 3] x) => (float[1, 1] y) { y = ReduceProd(x) }", 18);
  expectTensor(run({x}), {1, 1}, {720});
  load("g (float[2, 3] x) => (float[2, 3] y) { y = ReduceSum<noop_with_empty_axes = 1>(x) }", 18);
  expectTensor(run({x}), {2, 3}, {1, 2, 3, 4, 5, 6});
  load("g (float[2, 3] x) => (float[2] y) <int64[1] a = {1}> { y = ReduceL2<keepdims = 0>(x, a) }", 18);
  expectTensor(run({x}), {2}, {std::sqrt(14.0), std::sqrt(77.0)}, 1e-5);
  load("g (float[2, 3] x) => (float[2] y) <int64[1] a = {1}> { y = ReduceL1<keepdims = 0>(x, a) }", 18);
  expectTensor(run({floats({2, 3}, {1, -2, 3, -4, 5, -6})}), {2}, {6, 15});
  load("g (float[2, 3] x) => (float[2] y) <int64[1] a = {1}> { y = ReduceSumSquare<keepdims = 0>(x, a) }", 18);
  expectTensor(run({x}), {2}, {14, 77});
}

TEST_F(OnnxOps, ReshapeKeepsAndInfers) {
  load("g (float[2, 3, 4] x) => (float[2, 12] y) <int64[2] s = {0, -1}> { y = Reshape(x, s) }");
  EXPECT_EQ(run({counting({2, 3, 4})}).bytes, counting({2, 12}).bytes);
  load("g (float[2, 0] x) => (float[0, 5] y) <int64[2] s = {0, 5}> { y = Reshape<allowzero = 1>(x, s) }");
  expectTensor(run({floats({2, 0}, {})}), {0, 5}, {});
}

TEST_F(OnnxOps, ChangesOfRank) {
  load("g (float[2, 3, 4] x) => (float[2, 12] y) { y = Flatten(x) }");
  EXPECT_EQ(run({counting({2, 3, 4})}).shape, (llvm::SmallVector<int64_t>{2, 12}));
  load("g (float[2, 3, 4] x) => (float[6, 4] y) { y = Flatten<axis = -1>(x) }");
  EXPECT_EQ(run({counting({2, 3, 4})}).shape, (llvm::SmallVector<int64_t>{6, 4}));
  load("g (float[2, 3] x) => (float[1, 2, 3, 1] y) <int64[2] a = {-1, 0}> { y = Unsqueeze(x, a) }");
  EXPECT_EQ(run({counting({2, 3})}).shape, (llvm::SmallVector<int64_t>{1, 2, 3, 1}));
  load("g (float[1, 2, 1] x) => (float[1, 2] y) <int64[1] a = {-1}> { y = Squeeze(x, a) }");
  EXPECT_EQ(run({counting({1, 2, 1})}).shape, (llvm::SmallVector<int64_t>{1, 2}));
  load("g (float[1, 2, 1] x) => (float[2] y) { y = Squeeze(x) }");
  EXPECT_EQ(run({counting({1, 2, 1})}).shape, (llvm::SmallVector<int64_t>{2}));
}

TEST_F(OnnxOps, TransposeWithAndWithoutOrder) {
  auto x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  load("g (float[2, 3] x) => (float[3, 2] y) { y = Transpose(x) }");
  expectTensor(run({x}), {3, 2}, {1, 4, 2, 5, 3, 6});
  load("g (float[2, 3] x) => (float[2, 3] y) { t = Transpose<perm = [1, 0]>(x) y = Transpose<perm = [1, 0]>(t) }");
  expectTensor(run({x}), {2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(count("model.transpose"), 0);
}

TEST_F(OnnxOps, ExpandTileConcat) {
  auto x = floats({1, 2}, {1, 2});
  load("g (float[1, 2] x) => (float[2, 2, 2] y) <int64[3] s = {2, 2, 1}> { y = Expand(x, s) }");
  expectTensor(run({x}), {2, 2, 2}, {1, 2, 1, 2, 1, 2, 1, 2});
  load("g (float[1, 2] x) => (float[2, 4] y) <int64[2] r = {2, 2}> { y = Tile(x, r) }");
  expectTensor(run({x}), {2, 4}, {1, 2, 1, 2, 1, 2, 1, 2});
  load("g (float[1, 2] a, float[1, 1] b) => (float[1, 3] y) { y = Concat<axis = -1>(a, b) }");
  expectTensor(run({x, floats({1, 1}, {3})}), {1, 3}, {1, 2, 3});
}

TEST_F(OnnxOps, SliceCountsFromBothEndsAndClamps) {
  auto x = floats({5}, {0, 1, 2, 3, 4});
  struct Case {
    const char *starts, *ends, *steps;
    std::vector<double> wanted;
  };
  const Case cases[] = {{"1", "3", "1", {1, 2}},
                        {"-2", "9223372036854775807", "1", {3, 4}},
                        {"-9223372036854775808", "-3", "1", {0, 1}},
                        {"0", "5", "2", {0, 2, 4}},
                        {"4", "0", "-2", {4, 2}},
                        {"-1", "-9223372036854775808", "-1", {4, 3, 2, 1, 0}},
                        {"3", "1", "1", {}}};
  for (const Case &c : cases) {
    SCOPED_TRACE(std::string(c.starts) + ":" + c.ends + ":" + c.steps);
    std::string size = std::to_string(c.wanted.size());
    load("g (float[5] x) => (float[" + size + "] y) <int64[1] s = {" + c.starts + "}, int64[1] e = {" + c.ends +
         "}, int64[1] a = {0}, int64[1] t = {" + c.steps + "}> { y = Slice(x, s, e, a, t) }");
    expectTensor(run({x}), {static_cast<int64_t>(c.wanted.size())}, c.wanted);
  }
}

TEST_F(OnnxOps, SplitEvenlyUnevenlyAndAsGiven) {
  auto x = floats({5}, {0, 1, 2, 3, 4});
  load("g (float[5] x) => (float[1] c) { a, b, c = Split<num_outputs = 3>(x) }", 18); // 2, 2, 1
  expectTensor(run({x}), {1}, {4});
  load("g (float[4] x) => (float[2] b) { a, b = Split(x) }", 13);
  expectTensor(run({floats({4}, {0, 1, 2, 3})}), {2}, {2, 3});
  load("g (float[5] x) => (float[4] b) <int64[2] s = {1, 4}> { a, b = Split(x, s) }", 13);
  expectTensor(run({x}), {4}, {1, 2, 3, 4});
}

TEST_F(OnnxOps, GatherOfEveryKind) {
  auto x = floats({3, 2}, {0, 1, 10, 11, 20, 21});
  load("g (float[3, 2] x, int64[2] i) => (float[2, 2] y) { y = Gather(x, i) }");
  expectTensor(run({x, integers({2}, {2, -3})}), {2, 2}, {20, 21, 0, 1});
  EXPECT_EQ(count("model.gather"), 1);
  load("g (float[3, 2] x) => (float[3] y) <int64 i = {-1}> { y = Gather<axis = 1>(x, i) }");
  expectTensor(run({x}), {3}, {1, 11, 21});
  EXPECT_EQ(count("model.gather"), 0);
  load("g (float[3, 2] x) => (float[2, 2] y) <int64[2] i = {0, 2}> { y = Gather(x, i) }");
  expectTensor(run({x}), {2, 2}, {0, 1, 20, 21});
  load("g (float[3, 2] x) => (float[3, 2] y) <int64[3] i = {2, 0, 1}> { y = Gather(x, i) }");
  expectTensor(run({x}), {3, 2}, {20, 21, 0, 1, 10, 11});
  load("g (int64[1, 2] i) => (float[1, 2, 2] y) <float[3, 2] w = {0, 1, 10, 11, 20, 21}> { y = Gather(w, i) }");
  expectTensor(run({integers({1, 2}, {1, -1})}), {1, 2, 2}, {10, 11, 20, 21});
  EXPECT_EQ(count("model.embedding"), 1);
}

TEST_F(OnnxOps, GatherNd) {
  auto x = floats({2, 2}, {1, 2, 3, 4});
  load("g (float[2, 2] x, int64[2, 2] i) => (float[2] y) { y = GatherND(x, i) }");
  expectTensor(run({x, integers({2, 2}, {0, 1, 1, 0})}), {2}, {2, 3});
  load("g (float[2, 2] x, int64[2, 1] i) => (float[2] y) { y = GatherND<batch_dims = 1>(x, i) }");
  expectTensor(run({x, integers({2, 1}, {1, 0})}), {2}, {2, 3});
}

TEST_F(OnnxOps, CastBetweenTypes) {
  load("g (float[3] x) => (int64[3] y) { y = Cast<to = 7>(x) }");
  expectTensor(run({floats({3}, {-1.5, 0.5, 2.5})}), {3}, {-1, 0, 2});
  load("g (int64[3] x) => (bool[3] y) { y = Cast<to = 9>(x) }");
  expectTensor(run({integers({3}, {-1, 0, 2})}), {3}, {1, 0, 1});
  load("g (int64[2] x, float[1] l) => (float[2] y) { y = CastLike(x, l) }");
  expectTensor(run({integers({2}, {-1, 3}), floats({1}, {0})}), {2}, {-1, 3});
}

TEST_F(OnnxOps, MadeTensors) {
  load("g (float[2, 3] x) => (int64[2] y) { y = Shape(x) }");
  expectTensor(run({counting({2, 3})}), {2}, {2, 3});
  load("g (float[2, 3, 4] x) => (int64[1] y) { y = Shape<start = -2, end = 2>(x) }");
  expectTensor(run({counting({2, 3, 4})}), {1}, {3});
  load("g (float[2, 3] x) => (int64 y) { y = Size(x) }");
  expectTensor(run({counting({2, 3})}), {}, {6});
  load("g () => (int64[3] y) <int64 s = {5}, int64 l = {-1}, int64 d = {-2}> { y = Range(s, l, d) }");
  expectTensor(run({}), {3}, {5, 3, 1});
  load("g () => (float[2, 2] y) <int64[2] s = {2, 2}> { y = ConstantOfShape<value = float[1] {0.5}>(s) }");
  expectTensor(run({}), {2, 2}, {0.5, 0.5, 0.5, 0.5});
  load("g (float[1] x) => (float[1] y) { c = Constant<value_float = 2.5>() y = Add(x, c) }");
  expectTensor(run({floats({1}, {1})}), {1}, {3.5});
}

TEST_F(OnnxOps, NothingHappensInIdentityAndDropout) {
  load("g (float[2] x) => (float[2] y) { a = Identity(x) y, m = Dropout(a) }");
  expectTensor(run({floats({2}, {1, 2})}), {2}, {1, 2});
  EXPECT_EQ(main().getBody().front().getOperations().size(), 1u);
}

TEST_F(OnnxOps, MatMulOfEveryRank) {
  auto m = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  load("g (float[2, 3] a, float[3, 1] b) => (float[2, 1] y) { y = MatMul(a, b) }");
  expectTensor(run({m, floats({3, 1}, {1, 0, -1})}), {2, 1}, {-2, -2});
  load("g (float[2, 3] a, float[3] b) => (float[2] y) { y = MatMul(a, b) }");
  expectTensor(run({m, floats({3}, {1, 1, 1})}), {2}, {6, 15});
  load("g (float[2] a, float[2, 3] b) => (float[3] y) { y = MatMul(a, b) }");
  expectTensor(run({floats({2}, {1, 1}), m}), {3}, {5, 7, 9});
  load("g (float[3] a, float[3] b) => (float y) { y = MatMul(a, b) }");
  expectTensor(run({floats({3}, {1, 2, 3}), floats({3}, {1, 2, 3})}), {}, {14});
  load("g (float[2, 1, 3] a, float[3, 1] b) => (float[2, 1, 1] y) { y = MatMul(a, b) }");
  expectTensor(run({floats({2, 1, 3}, {1, 2, 3, 4, 5, 6}), floats({3, 1}, {1, 1, 1})}), {2, 1, 1}, {6, 15});
}

TEST_F(OnnxOps, MatMulByAWeightIsADenseLayer) {
  std::string weight = "<float[3, 2] w = {1, 2, 3, 4, 5, 6}>";
  load("g (float[N, 3] a) => (float[N, 2] y) " + weight + " { y = MatMul(a, w) }");
  EXPECT_EQ(count("model.linear"), 1);
  expectTensor(run({floats({1, 3}, {1, 1, 1})}), {1, 2}, {9, 12});
  load("g (float[N, 2] a) => (float[N, 3] y) " + weight + " { t = Transpose<perm = [1, 0]>(w) y = MatMul(a, t) }");
  EXPECT_EQ(count("model.linear"), 1);
  EXPECT_EQ(count("model.transpose"), 0);
  EXPECT_NE(text().find("transposed"), std::string::npos);
  expectTensor(run({floats({1, 2}, {1, 1})}), {1, 3}, {3, 7, 11});
  load("g (float[3] a) => (float[2] y) " + weight + " { y = MatMul(a, w) }");
  expectTensor(run({floats({3}, {1, 1, 1})}), {2}, {9, 12});
}

TEST_F(OnnxOps, GemmWithEverything) {
  std::string weight = "<float[2, 3] w = {1, 2, 3, 4, 5, 6}, float[2] c = {10, 20}>";
  load("g (float[1, 3] a) => (float[1, 2] y) " + weight + " { y = Gemm<transB = 1>(a, w, c) }");
  EXPECT_EQ(count("model.elementwise"), 0); // all in the dense layer
  expectTensor(run({floats({1, 3}, {1, 1, 1})}), {1, 2}, {16, 35});
  load("g (float[3, 1] a) => (float[1, 2] y) " + weight +
       " { y = Gemm<transA = 1, transB = 1, alpha = 2.0, beta = 0.5>(a, w, c) }");
  expectTensor(run({floats({3, 1}, {1, 1, 1})}), {1, 2}, {17, 40});
  load("g (float[1, 2] a, float[2, 1] b, float[1] c) => (float[1, 1] y) { y = Gemm(a, b, c) }");
  expectTensor(run({floats({1, 2}, {1, 2}), floats({2, 1}, {3, 4}), floats({1}, {5})}), {1, 1}, {16});
}

TEST_F(OnnxOps, Norms) {
  std::string parameters = "<float[2] s = {2, 4}, float[2] b = {1, -1}>";
  load("g (float[N, 2] x) => (float[N, 2] y) " + parameters + " { y = LayerNormalization<epsilon = 0.0>(x, s, b) }");
  expectTensor(run({floats({1, 2}, {1, 3})}), {1, 2}, {-1, 3});
  load("g (float[N, 2] x) => (float[N, 2] y) " + parameters + " { y = RMSNormalization<epsilon = 0.0>(x, s) }", 23);
  expectTensor(run({floats({1, 2}, {3, 3})}), {1, 2}, {2, 4});
  // A scale for only the last of two normalised axes is no parameter of the op.
  load("g (float[1, 2, 2] x) => (float[1, 2, 2] y) " + parameters +
       " { y = LayerNormalization<axis = 1, epsilon = 0.0>(x, s, b) }");
  expectTensor(run({floats({1, 2, 2}, {1, 1, 3, 3})}), {1, 2, 2}, {-1, -5, 3, 3});
}

TEST_F(OnnxOps, AttentionOfThreeAndOfFourAxes) {
  // One query that scores both keys alike averages the values; the mask leaves the second.
  auto q = floats({1, 1, 2}, {0, 0}), k = floats({1, 2, 2}, {1, 0, 0, 1}), v = floats({1, 2, 2}, {2, 4, 6, 8});
  load("g (float[B, Q, 2] q, float[B, K, 2] k, float[B, K, 2] v) => (float[B, Q, 2] y)"
       " { y = Attention<q_num_heads = 1, kv_num_heads = 1>(q, k, v) }",
       23);
  expectTensor(run({q, k, v}), {1, 1, 2}, {4, 6});
  load("g (float[B, Q, 2] q, float[B, K, 2] k, float[B, K, 2] v, bool[Q, K] m) => (float[B, Q, 2] y)"
       " { y = Attention<q_num_heads = 1, kv_num_heads = 1>(q, k, v, m) }",
       23);
  expectTensor(run({q, k, v, bools({1, 2}, {0, 1})}), {1, 1, 2}, {6, 8});
  load("g (float[B, 2, Q, 1] q, float[B, 1, K, 1] k, float[B, 1, K, 1] v) => (float[B, 2, Q, 1] y)"
       " { y = Attention<scale = 1.0>(q, k, v) }",
       24);
  // Two query heads over one key head: the first looks at neither key more, the second strongly at the second.
  expectTensor(run({floats({1, 2, 1, 1}, {0, 50}), floats({1, 1, 2, 1}, {0, 1}), floats({1, 1, 2, 1}, {2, 4})}),
               {1, 2, 1, 1}, {3, 4});
}

TEST_F(OnnxOps, HeadsThatMoveForthAndBackLeaveNoTranspose) {
  load("g (float[B, S, 4] x) => (float[B, S, 4] y) <int64[4] split = {0, 0, 2, 2}, int64[3] join = {0, 0, 4}> {"
       "  a = Reshape(x, split) h = Transpose<perm = [0, 2, 1, 3]>(a)"
       "  o = Attention(h, h, h) t = Transpose<perm = [0, 2, 1, 3]>(o) y = Reshape(t, join) }",
       23);
  EXPECT_EQ(count("model.attention"), 1);
  EXPECT_EQ(count("model.transpose"), 0);
  EXPECT_EQ(count("model.reshape"), 0);
}

TEST_F(OnnxOps, FunctionsAreInlined) {
  onnx::ModelProto model = parseOnnx("g (float[N] x) => (float[N] y) { y = Add(x, x) }");
  onnx::OperatorSetIdProto *import = model.add_opset_import();
  import->set_domain("local");
  import->set_version(1);
  onnx::FunctionProto *function = model.add_functions();
  function->set_name("twice");
  function->set_domain("local");
  function->add_input("a");
  function->add_output("b");
  *function->add_opset_import() = model.opset_import(0);
  *function->add_node() = model.graph().node(0);
  function->mutable_node(0)->set_input(0, "a");
  function->mutable_node(0)->set_input(1, "a");
  function->mutable_node(0)->set_output(0, "b");
  onnx::NodeProto *call = model.mutable_graph()->mutable_node(0);
  call->clear_input();
  call->add_input("x");
  call->set_domain("local");
  call->set_op_type("twice");
  ASSERT_TRUE(importOnnx(model)) << messages;
  expectTensor(run({floats({2}, {1, 2})}), {2}, {2, 4});
}
} // namespace
