// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dynamic sizes of ONNX models: names, ranges, what is learnt of them, and shape arithmetic that leaves no op behind.
#include "test/import/ImportFixture.h"

using namespace tamis;
using testing::HasSubstr;
using OnnxSizes = ImportFixture;

namespace {
model::Symbol symbol(mlir::func::FuncOp function, size_t i) {
  return model::symbolsOf(function)[i];
}

TEST_F(OnnxSizes, NamesAndDefaultRangesComeFromTheModel) {
  load("g (float[batch, 3] x) => (float[batch, 3] y) { y = Neg(x) }");
  EXPECT_THAT(text(), HasSubstr("%arg0: tensor<?x3xf32, #model.dims<\"batch\", \"3\">> {model.name = \"x\"}"));
  EXPECT_THAT(text(), HasSubstr("-> (tensor<?x3xf32, #model.dims<\"batch\", \"3\">> {model.name = \"y\"})"));
  EXPECT_THAT(text(), HasSubstr("model.symbols = [#model.symbol<\"batch\", 1, 65536>]"));
}

TEST_F(OnnxSizes, NamelessSizesAreCalledAfterTheirInput) {
  load("g (float[?, ?] x) => (float[?, ?] y) { y = Neg(x) }");
  ASSERT_EQ(model::symbolsOf(main()).size(), 2u);
  EXPECT_EQ(symbol(main(), 0).name, "x_0");
  EXPECT_EQ(symbol(main(), 1).name, "x_1");
}

TEST_F(OnnxSizes, NamesThatAreNoSymbolAreSpeltAsOne) {
  onnx::ModelProto model = parseOnnx("g (float[N, M] x) => (float[N, M] y) { y = Neg(x) }");
  auto *shape = model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape();
  shape->mutable_dim(0)->set_dim_param("a size/2");
  shape->mutable_dim(1)->set_dim_param("a_size_2");
  ASSERT_TRUE(importOnnx(model, {{{"a size/2", 1, 4}}})) << messages;
  EXPECT_EQ(symbol(main(), 0).name, "a_size_2");
  EXPECT_EQ(symbol(main(), 0).max, 4);
  EXPECT_EQ(symbol(main(), 1).name, "a_size_2_");
}

TEST_F(OnnxSizes, RangesOfTheUser) {
  load("g (float[batch, 3] x) => (float[batch, 3] y) { y = Neg(x) }", 17, {{{"batch", 0, 8}}});
  EXPECT_THAT(text(), HasSubstr("#model.symbol<\"batch\", 0, 8>"));
  load("g (float[batch, 3] x) => (float[batch, 3] y) { y = Neg(x) }", 17, {{{"batch", 4, 4}}});
  EXPECT_THAT(text(), HasSubstr("tensor<4x3xf32>"));
  EXPECT_TRUE(model::symbolsOf(main()).empty());
}

TEST_F(OnnxSizes, RangesThatMakeNoSense) {
  std::string graph = "g (float[batch, sequence] x) => (float[batch, sequence] y) { y = Neg(x) }";
  EXPECT_THAT(errorOf(graph, 17, {{{"batsh", 1, 2}}}),
              HasSubstr("the model has no dynamic size 'batsh'; its dynamic sizes are 'batch', 'sequence'"));
  EXPECT_THAT(errorOf(graph, 17, {{{"batch", 5, 2}}}), HasSubstr("range 5..2, which is empty or negative"));
  EXPECT_THAT(errorOf(graph, 17, {{{"batch", -1, 2}}}), HasSubstr("empty or negative"));
  EXPECT_THAT(errorOf(graph, 17, {{{"batch", 1, 2}, {"batch", 1, 3}}}), HasSubstr("two ranges"));
  EXPECT_THAT(errorOf("g (float[2] x) => (float[2] y) { y = Neg(x) }", 17, {{{"n", 1, 2}}}),
              HasSubstr("all its sizes are static"));
}

TEST_F(OnnxSizes, SizesThatMeetBecomeOne) {
  load("g (float[a, 3] x, float[b, 3] y) => (float[a, 3] z) { z = Add(x, y) }", 17, {{{"b", 2, 9}}});
  ASSERT_EQ(model::symbolsOf(main()).size(), 1u);
  EXPECT_EQ(symbol(main(), 0).name, "a");
  EXPECT_EQ(symbol(main(), 0).min, 2); // the tighter of both ranges
  EXPECT_EQ(symbol(main(), 0).max, 9);
  EXPECT_EQ(main().getArgument(0).getType(), main().getArgument(1).getType());
}

TEST_F(OnnxSizes, SizeThatMeetsANumberIsThatNumber) {
  load("g (float[a, 3] x, float[5, 3] y) => (float[a, 3] z) { z = Add(x, y) }");
  EXPECT_TRUE(model::symbolsOf(main()).empty());
  EXPECT_THAT(errorOf("g (float[a, 3] x, float[5, 3] y) => (float[a, 3] z) { z = Add(x, y) }", 17, {{{"a", 1, 4}}}),
              HasSubstr("sizes 'a' and '5' meet and cannot be shown to be equal"));
}

TEST_F(OnnxSizes, BroadcastOfStaticOneIsNoMeeting) {
  load("g (float[a, 3] x, float[1, 3] y) => (float[a, 3] z) { z = Add(x, y) }");
  EXPECT_EQ(model::symbolsOf(main()).size(), 1u);
}

TEST_F(OnnxSizes, SizesThatDifferAreReported) {
  EXPECT_THAT(errorOf("g (float[2] x, float[3] y) => (float[N] z) { z = Add(x, y) }"), HasSubstr("meet and differ"));
  EXPECT_THAT(errorOf("g (float[a] x, float[4] y) => (float[N] z) { c = Concat<axis = 0>(x, x) z = Add(c, y) }"),
              HasSubstr("sizes '2*a' and '4' meet"));
}

const std::string positions = "g (int64[batch, sequence] ids) => (float[batch, sequence, 2] y)"
                              " <float[4, 2] table = {0, 1, 10, 11, 20, 21, 30, 31}, int64[1, 4] count = {0, 1, 2, 3},"
                              "  float[9, 2] words = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},"
                              "  int64 one = {1}, int64[1] zero = {0}, int64[1] axis = {1}> {"
                              " w = Gather(words, ids) s = Shape(ids) n = Gather(s, one) e = Unsqueeze(n, zero)"
                              " p = Slice(count, zero, e, axis) t = Gather(table, p) y = Add(w, t) }";

TEST_F(OnnxSizes, TableOfPositionsLimitsTheSequence) {
  load(positions);
  EXPECT_THAT(text(), HasSubstr("#model.symbol<\"sequence\", 1, 4>"));
  // The positions count up, so the rows of the table are a slice.
  EXPECT_EQ(count("model.slice"), 1);
  EXPECT_EQ(count("model.gather") + count("model.iota") + count("model.sizes"), 0);
  expectTensor(run({integers({1, 3}, {0, 1, 2})}), {1, 3, 2}, {0, 1, 10, 11, 20, 21});
}

TEST_F(OnnxSizes, RangeOfTheUserBeyondTheTableIsReported) {
  EXPECT_THAT(errorOf(positions, 17, {{{"sequence", 1, 512}}}),
              HasSubstr("meet and cannot be shown to be equal; supported where --dim ranges make them so"));
  load(positions, 17, {{{"sequence", 2, 3}}});
  EXPECT_THAT(text(), HasSubstr("#model.symbol<\"sequence\", 2, 3>"));
}

TEST_F(OnnxSizes, ReshapeByComputedShape) {
  load("g (float[b, s, 6] x) => (float[b, s, 2, 3] y)"
       " <int64 zero = {0}, int64 one = {1}, int64[1] axis = {0}, int64[2] rest = {-1, 3}> {"
       " shape = Shape(x) b = Gather(shape, zero) s = Gather(shape, one) bu = Unsqueeze(b, axis)"
       " su = Unsqueeze(s, axis) all = Concat<axis = 0>(bu, su, rest) y = Reshape(x, all) }");
  EXPECT_THAT(text(), HasSubstr("#model.dims<\"b\", \"s\", \"2\", \"3\">"));
  EXPECT_EQ(main().getBody().front().getOperations().size(), 2u);
}

TEST_F(OnnxSizes, ReshapeThatBakesASizeInFixesIt) {
  load("g (float[b, 4] x) => (float[2, 4] y) <int64[2] s = {2, 4}> { y = Reshape(x, s) }");
  EXPECT_TRUE(model::symbolsOf(main()).empty());
  EXPECT_THAT(errorOf("g (float[b, 5] x) => (float[N, 4] y) <int64[2] s = {-1, 4}> { y = Reshape(x, s) }"),
              HasSubstr("cannot split 5*b elements into rows of 4"));
}

TEST_F(OnnxSizes, ExpandAsTorchWritesIt) {
  // where(shape == -1, ones, shape): sizes are never negative.
  load("g (int64[b, s] x) => (int64[b, s] y) <int64[1, 1] c = {1}, int64 minus = {-1}> {"
       " shape = Shape(x) rank = Shape(shape) ones = ConstantOfShape<value = int64[1] {1}>(rank)"
       " m = Mul(ones, minus) e = Equal(shape, m) t = Where(e, ones, shape) y = Expand(c, t) }");
  expectTensor(run({integers({2, 3}, {0, 0, 0, 0, 0, 0})}), {2, 3}, {1, 1, 1, 1, 1, 1});
  EXPECT_EQ(count("model.sizes") + count("model.elementwise"), 0);
}

TEST_F(OnnxSizes, SizesAsDataAreEmitted) {
  load("g (float[b, s] x) => (int64[2] y) { y = Shape(x) }");
  EXPECT_THAT(text(), HasSubstr("model.sizes [\"b\", \"s\"] : tensor<2xi64>"));
  load("g (float[b, s] x) => (float y) { n = Size(x) y = Cast<to = 1>(n) }");
  expectTensor(run({counting({2, 3})}), {}, {6});
  load("g (float[b, 3] x) => (int64[b] y) <int64 zero = {0}, int64 one = {1}> {"
       " s = Shape<end = 1>(x) n = Squeeze(s) y = Range(zero, n, one) }");
  EXPECT_THAT(text(), HasSubstr("model.iota \"0\" step \"1\" : tensor<?xi64, #model.dims<\"b\">>"));
  // A table of sums of two progressions.
  load("g (float[b, s] x) => (int64[b, s] y) <int64 zero = {0}, int64 one = {1}, int64[1] axis = {1}> {"
       " ns = Shape(x) n0 = Gather(ns, zero) n1 = Gather(ns, one) r0 = Range(zero, n0, one) r1 = Range(zero, n1, one)"
       " c = Unsqueeze(r0, axis) scaled = Mul(c, n1) y = Add(scaled, r1) }");
  expectTensor(run({counting({2, 3})}), {2, 3}, {0, 1, 2, 3, 4, 5});
}

/// The padding mask as torch's exporters write it: index arithmetic that reads every element where it already is.
std::string paddingMask(const std::string &pick) {
  return "g (int64[b, s] mask) => (bool[b, 1, 1, s] y)"
         " <int64 zero = {0}, int64 one = {1}, int64[3] front = {1, 2, 3}, int64[3] back = {0, 1, 2},"
         "  int64[1] last = {-1}, bool yes = {1}> {"
         " m = Cast<to = 9>(mask) ns = Shape(mask) b = Gather(ns, zero) s = Gather(ns, one)"
         " rb = Range(zero, b, one) rs = Range(zero, s, one) i = Unsqueeze(rb, front) j = Unsqueeze(rs, back)"
         " ge = GreaterOrEqual(j, zero) all = And(yes, ge) " +
         pick + " y = And(all, p) }";
}

TEST_F(OnnxSizes, MaskByGatherNdIsAReshape) {
  load(paddingMask("mx = Max(i, j) shape = Shape(mx) ie = Expand(i, shape) je = Expand(j, shape)"
                   " iu = Unsqueeze(ie, last) ju = Unsqueeze(je, last) at = Concat<axis = -1>(iu, ju)"
                   " p = GatherND(m, at)"));
  EXPECT_EQ(main().getBody().front().getOperations().size(), 3u) << text(); // cast, reshape, return
  expectTensor(run({integers({2, 3}, {1, 1, 0, 1, 0, 0})}), {2, 1, 1, 3}, {1, 1, 0, 1, 0, 0});
}

TEST_F(OnnxSizes, MaskByFlatGatherIsAReshape) {
  load(paddingMask("f = Flatten<axis = 2>(m) row = Mul(i, s) at = Add(j, row) g0 = Gather<axis = 0>(f, at)"
                   " shape = Shape(at) p = Reshape(g0, shape)"));
  EXPECT_EQ(main().getBody().front().getOperations().size(), 3u) << text();
  expectTensor(run({integers({2, 3}, {1, 1, 0, 1, 0, 0})}), {2, 1, 1, 3}, {1, 1, 0, 1, 0, 0});
}

TEST_F(OnnxSizes, MaskIsComputedOnceAndNotForEveryQuery) {
  load("g (bool[b, 1, 1, s] m, float[b, 2, s, s] x) => (float[b, 2, s, s] y)"
       " <float zero = {0}, float low = {-9}, int64[2] ends = {0, 3}, int64[1] a = {0}, int64 i = {3}, int64[1] u = "
       "{0}> {"
       " ns = Shape(m) b = Shape<end = 1>(m) s = Shape<start = 3>(m) one = Constant<value = int64[1] {1}>()"
       " t = Concat<axis = 0>(b, one, s, s) e = Expand(m, t) w = Where(e, zero, low) y = Add(x, w) }");
  EXPECT_EQ(count("model.broadcast"), 0);
  expectTensor(run({bools({1, 1, 1, 2}, {1, 0}), floats({1, 2, 2, 2}, {1, 1, 1, 1, 1, 1, 1, 1})}), {1, 2, 2, 2},
               {1, -8, 1, -8, 1, -8, 1, -8});
}

TEST_F(OnnxSizes, GatherOfOneRowIsASlice) {
  load("g (float[b, s, 4] x) => (float[b, 4] y) <int64 i = {0}> { y = Gather<axis = 1>(x, i) }");
  EXPECT_EQ(count("model.slice"), 1);
  EXPECT_EQ(count("model.gather"), 0);
  expectTensor(run({floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}), {1, 4}, {1, 2, 3, 4});
  load("g (float[b, s, 4] x) => (float[b, 4] y) <int64 i = {-1}> { y = Gather<axis = 1>(x, i) }");
  expectTensor(run({floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}), {1, 4}, {5, 6, 7, 8});
}

TEST_F(OnnxSizes, SliceToAnEndThatMayBeBeyond) {
  // At most ten elements of s: the size stays an expression.
  load("g (float[s] x) => (float[n] y) <int64[1] from = {0}, int64[1] to = {10}> { y = Slice(x, from, to) }");
  EXPECT_THAT(text(), HasSubstr("#model.dims<\"min(10, s)\">"));
  expectTensor(run({floats({2}, {1, 2})}), {2}, {1, 2});
  // Where the range reaches further it is a number.
  load("g (float[s] x) => (float[n] y) <int64[1] from = {0}, int64[1] to = {1}> { y = Slice(x, from, to) }");
  EXPECT_THAT(text(), HasSubstr("-> (tensor<1xf32>"));
}

TEST_F(OnnxSizes, ArithmeticThatWrapsIsLeftToTheOps) {
  load("g (float[b] x) => (int32[1] y) <int32[1] big = {2147483647}> {"
       " n = Shape(x) i = Cast<to = 6>(n) y = Add(i, big) }");
  EXPECT_EQ(count("model.elementwise"), 1);
  load("g (float[b] x) => (int32[1] y) <int32[1] two = {2}> { n = Shape(x) i = Cast<to = 6>(n) y = Mul(i, two) }");
  EXPECT_EQ(count("model.elementwise"), 0);
  expectTensor(run({counting({3})}), {1}, {6});
}

TEST_F(OnnxSizes, ScaleOfAttentionFromShapes) {
  load("g (float[b, s, 16] x) => (float[b, s, 16] y) <float half = {0.5}, float one = {1}> {"
       " n = Shape<start = 2>(x) d = Squeeze(n) f = Cast<to = 1>(d) r = Sqrt(f) q = Div(one, r) y = Mul(x, q) }");
  EXPECT_THAT(text(), HasSubstr("dense<2.500000e-01>"));
  EXPECT_EQ(count("model.elementwise"), 1);
}

TEST_F(OnnxSizes, InputsThatAreOutputs) {
  load("g (int64[b, s] ids, float[b] x) => (int64[b, s] echo, float[b] y, int64[b, s] again) {"
       " echo = Identity(ids) y = Neg(x) again = Identity(ids) }");
  EXPECT_EQ(main().getNumResults(), 3u);
  onnx::ModelProto model = parseOnnx("g (float[b] x) => (float[b] y) { y = Neg(x) }");
  *model.mutable_graph()->add_output() = model.graph().input(0);
  ASSERT_TRUE(importOnnx(model)) << messages;
  EXPECT_THAT(text(), HasSubstr("{model.name = \"x\"})"));
}

TEST_F(OnnxSizes, OpsBearTheNamesOfTheirNodes) {
  onnx::ModelProto model = parseOnnx("g (float[b] x) => (float[b] z) { y = Neg(x) z = Exp(y) }");
  model.mutable_graph()->mutable_node(0)->set_name("/encoder/negate");
  ASSERT_TRUE(importOnnx(model)) << messages;
  std::vector<std::string> names;
  for (mlir::Operation &op : main().getBody().front().without_terminator())
    names.push_back(llvm::cast<mlir::NameLoc>(op.getLoc()).getName().str());
  EXPECT_EQ(names, (std::vector<std::string>{"/encoder/negate", "Exp#1"}));
}

TEST_F(OnnxSizes, UnusedInitializersLeaveNoTrace) {
  load("g (float[b, 2] x) => (float[b, 2] y) <float[2] used = {1, 2}, float[2] unused = {3, 4}> { y = Add(x, used) }");
  EXPECT_EQ(count("model.weight"), 1);
  EXPECT_NE(weights->find("used"), nullptr);
  EXPECT_EQ(weights->find("unused"), nullptr);
}
} // namespace
