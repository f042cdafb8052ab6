// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files that are no model, or a broken or hostile one: each is refused with a word on what is wrong.
#include "test/import/ImportFixture.h"

#include <cmath>
#include <sys/stat.h>

using namespace tamis;
using testing::HasSubstr;
using OnnxBadInput = ImportFixture;

namespace {
TEST_F(OnnxBadInput, PathsThatAreNoModel) {
  EXPECT_FALSE(import(path("missing.onnx")));
  EXPECT_THAT(messages, HasSubstr("cannot open the model: No such file"));
  EXPECT_FALSE(import(""));
  EXPECT_THAT(messages, HasSubstr("cannot open the model"));
  EXPECT_FALSE(import(llvm::StringRef("a\0b", 3)));
  EXPECT_THAT(messages, HasSubstr("zero byte"));
  EXPECT_FALSE(import(write("empty.onnx", "")));
  EXPECT_THAT(messages, HasSubstr("empty file"));
  EXPECT_FALSE(import("/dev/zero"));
  EXPECT_THAT(messages, HasSubstr("neither a regular file nor a folder"));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(import(path("pipe")));
  EXPECT_THAT(messages, HasSubstr("neither a regular file nor a folder"));
  EXPECT_FALSE(import(write("weights.gguf", "GGUF")));
  EXPECT_THAT(messages, HasSubstr("is cut short: it ends within its header, at byte 4"));
  EXPECT_FALSE(import(write("model.safetensors", "12345678")));
  EXPECT_THAT(messages, HasSubstr("found a .safetensors file but an .onnx, .gguf or .mlir file"));
}

TEST_F(OnnxBadInput, ForeignFiles) {
  for (llvm::StringRef content : {"not a model", "\x89PNG\r\n\x1a\n", "{\"model\": 1}",
                                  "\x7f"
                                  "ELF\x02\x01\x01",
                                  "\x08\x08"}) {
    EXPECT_FALSE(import(write("foreign.onnx", content)));
    EXPECT_THAT(messages, HasSubstr("found no ONNX model"));
  }
  EXPECT_FALSE(import(write("zeros.onnx", std::string(4096, '\0'))));
  EXPECT_THAT(messages, HasSubstr("found no ONNX model"));
}

TEST_F(OnnxBadInput, LengthsBeyondTheFileAndBeyondMemory) {
  // graph, of a length of 2^62; an initializer of 2^32 - 1 bytes; a varint without end.
  EXPECT_FALSE(import(write("a.onnx", std::string("\x08\x08\x3a\x80\x80\x80\x80\x80\x80\x80\x80\x40", 12))));
  EXPECT_FALSE(import(write("b.onnx", std::string("\x08\x08\x3a\x06\x2a\xff\xff\xff\xff\x0f", 10))));
  EXPECT_FALSE(import(write("c.onnx", std::string(64, '\xff'))));
  EXPECT_THAT(messages, HasSubstr("malformed"));
}

TEST_F(OnnxBadInput, Opsets) {
  std::string graph = "g (float[2] x) => (float[2] y) { y = Neg(x) }";
  EXPECT_THAT(errorOf(graph, 0), HasSubstr("is of opset 0 but 1 to 27 are known"));
  EXPECT_THAT(errorOf(graph, 9999), HasSubstr("is of opset 9999"));
  onnx::ModelProto model = parseOnnx(graph);
  *model.add_opset_import() = model.opset_import(0);
  EXPECT_THAT(errorOf(model), HasSubstr("imports the opset of domain '' twice"));
  model = parseOnnx(graph);
  model.mutable_opset_import(0)->set_domain("ai.onnx"); // the other spelling
  EXPECT_TRUE(importOnnx(model)) << messages;
  model.set_ir_version(4711);
  EXPECT_THAT(errorOf(model), HasSubstr("is higher than the checker's"));
}

TEST_F(OnnxBadInput, CyclesAreFollowed) {
  std::string report = errorOf("g (float[2] x) => (float[2] c) { a = Add(x, c) b = Neg(a) c = Neg(b) d = Neg(x) }");
  EXPECT_THAT(report, HasSubstr("has a cycle: "));
  for (const char *name : {"'Add#0' needs", "'Neg#1' needs", "'Neg#2' needs"})
    EXPECT_THAT(report, HasSubstr(name));
  EXPECT_THAT(errorOf("g (float[2] x) => (float[2] a) { a = Add(x, a) }"), HasSubstr("'Add#0' needs 'Add#0'"));
}

TEST_F(OnnxBadInput, NodesOutOfOrderAreSorted) {
  load("g (float[2] x) => (float[2] c) { c = Neg(b) b = Abs(x) }");
  expectTensor(run({floats({2}, {1, -2})}), {2}, {-1, -2});
}

TEST_F(OnnxBadInput, NamesThatDoNotFit) {
  EXPECT_THAT(errorOf("g (float[2] x) => (float[2] y) { y = Add(x, nowhere) }"),
              HasSubstr("node 'Add#0' reads 'nowhere', which nothing defines"));
  EXPECT_THAT(errorOf("g (float[2] x) => (float[2] y) { y = Neg(x) y = Abs(x) }"),
              HasSubstr("defines 'y' twice, the second time by node 'Abs#1'"));
  EXPECT_THAT(errorOf("g (float[2] x) => (float[2] x) { x = Neg(x) }"), HasSubstr("defines 'x' twice"));
  EXPECT_THAT(errorOf("g (float[2] x, float[2] x) => (float[2] y) { y = Neg(x) }"), HasSubstr("two inputs 'x'"));
  EXPECT_THAT(errorOf("g (float[2] x) => (float[2] z) { y = Neg(x) }"),
              HasSubstr("has an output 'z', which nothing defines"));
  EXPECT_THAT(errorOf("g (float[2] x) => (float[2] y, float[2] y) { y = Neg(x) }"), HasSubstr("two outputs 'y'"));
  EXPECT_NE(errorOf("g (float[2] x) => (float[2] y) { y = Neg() }"), "");
}

TEST_F(OnnxBadInput, OutputDeclaredAsSomethingElse) {
  EXPECT_THAT(errorOf("g (float[2] x) => (float[3] y) { y = Neg(x) }"), HasSubstr("y"));
  EXPECT_THAT(errorOf("g (float[N] x) => (int64[N] y) { y = Neg(x) }"), HasSubstr("y"));
}

/// A model with one initializer `w`, to be spoilt.
onnx::ModelProto withWeight(onnx::ModelProto model, std::vector<int64_t> dims, int type, const std::string &raw) {
  onnx::TensorProto *tensor = model.mutable_graph()->add_initializer();
  tensor->set_name("w");
  tensor->set_data_type(type);
  for (int64_t dim : dims)
    tensor->add_dims(dim);
  tensor->set_raw_data(raw);
  return model;
}

TEST_F(OnnxBadInput, InitializersThatLie) {
  onnx::ModelProto model = parseOnnx("g (float[N] x) => (float[N] y) { y = Add(x, w) }"); // w is added below
  const int f32 = onnx::TensorProto::FLOAT;
  EXPECT_THAT(errorOf(withWeight(model, {2}, f32, std::string(4, 0))),
              HasSubstr("holds 4 bytes but its shape and type need 8"));
  EXPECT_THAT(errorOf(withWeight(model, {4}, f32, std::string(12, 0))), HasSubstr("holds 12 bytes"));
  EXPECT_NE(errorOf(withWeight(model, {-1}, f32, std::string(4, 0))), "");
  EXPECT_NE(errorOf(withWeight(model, {int64_t(1) << 62, 8}, f32, std::string(4, 0))), "");
  EXPECT_NE(errorOf(withWeight(model, {(int64_t(1) << 42) + 1, int64_t(1) << 22}, f32, std::string(4, 0))), "");
  EXPECT_NE(errorOf(withWeight(model, std::vector<int64_t>(1000, 1), f32, std::string(4, 0))), "");
  EXPECT_NE(errorOf(withWeight(model, {1}, 999, std::string(4, 0))), "");
  EXPECT_NE(errorOf(withWeight(model, {1}, -1, std::string(4, 0))), "");
  EXPECT_NE(errorOf(withWeight(model, {1}, onnx::TensorProto::STRING, std::string(4, 0))), "");
  EXPECT_THAT(errorOf(withWeight(model, {2, 3}, onnx::TensorProto::INT4, std::string(2, 0))),
              HasSubstr("raw_data size (2 bytes) is too small"));
  EXPECT_THAT(errorOf(withWeight(model, {2, 2}, onnx::TensorProto::INT2, std::string(1, 0))),
              HasSubstr("ONNX type INT2"));
  // Of a size that stays in the file, with another length.
  EXPECT_THAT(errorOf(withWeight(model, {4096}, f32, std::string(4096, 0))), HasSubstr("holds 4096 bytes"));
  EXPECT_THAT(errorOf(withWeight(model, {1}, onnx::TensorProto::BOOL, "\x02")), HasSubstr("neither 0 nor 1"));
}

TEST_F(OnnxBadInput, AttributesThatLie) {
  const char *graphs[] = {
      "g (float[2, 3] x) => (float[N, M] y) { y = Transpose<perm = [0, 0]>(x) }",
      "g (float[2, 3] x) => (float[N, M] y) { y = Transpose<perm = [0]>(x) }",
      "g (float[2, 3] x) => (float[N, M] y) { y = Transpose<perm = [0, 7]>(x) }",
      "g (float[2, 3] x) => (float[N, M] y) { y = Softmax<axis = 99>(x) }",
      "g (float[2, 3] x) => (float[N, M] y) { y = Softmax<axis = -99>(x) }",
      "g (float[2, 3] x) => (float[N] y) { y = Flatten<axis = 9>(x) }",
      "g (float[2, 3] x) => (float[N] y) { y = Concat<axis = 5>(x, x) }",
      "g (float[2, 3] x) => (float[N] y) <int64 i = {7}> { y = Gather<axis = 0>(x, i) }",
      "g (float[2, 3] x) => (float[N] y) <int64 i = {0}> { y = Gather<axis = 4>(x, i) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] a = {5}> { y = Squeeze(x, a) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] a = {1}> { y = Squeeze(x, a) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] a = {0, 0}> { y = Unsqueeze(x, a) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] a = {0, 0}> { y = ReduceSum(x, a) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] s = {-7}> { y = Reshape(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] s = {-1, -1}> { y = Reshape(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[3] s = {6, 1, 0}> { y = Reshape(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] s = {4}> { y = Reshape(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] s = {0, -1}> { y = Reshape<allowzero = 1>(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] s = {-2, 3}> { y = Expand(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] s = {4, 3}> { y = Expand(x, s) }",
      ("g (float[1] x) => (float[N] y) <int64[3] s = {4611686018427387904, 4611686018427387904, 9}> { y = Expand(x, s) "
       "}"),
      "g () => (float[N] y) <int64[1] s = {-1}> { y = ConstantOfShape(s) }",
      "g () => (float[N] y) <int64[2] s = {4611686018427387904, 4}> { y = ConstantOfShape(s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] r = {-1, 1}> { y = Tile(x, r) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] r = {1}> { y = Tile(x, r) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] s = {0}, int64[1] t = {0}> { y = Slice(x, s, s, s, t) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] s = {0}, int64[2] e = {0, 1}> { y = Slice(x, s, e) }",
      "g (float[2, 3] x) => (float[N] y) <int64[1] s = {0}, int64[1] a = {9}> { y = Slice(x, s, s, a) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] s = {5, -2}> { y, z = Split<axis = 1>(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <int64[2] s = {1, 1}> { y, z = Split<axis = 1>(x, s) }",
      "g () => (int64[N] y) <int64 a = {0}, int64 b = {5}, int64 d = {0}> { y = Range(a, b, d) }",
      "g () => (int64[N] y) <int64 a = {0}, int64 b = {9223372036854775807}, int64 d = {1}> { y = Range(a, b, d) }",
      "g (float[2, 3] a, float[2, 3] b) => (float[N] y) { y = MatMul(a, b) }",
      "g (float a, float[3] b) => (float[N] y) { y = MatMul(a, b) }",
      "g (float a, float b) => (float[N] y) { y = Gemm(a, b) }",
      "g (float[2, 3] a, float[3, 2] b, float[5] c) => (float[N] y) { y = Gemm(a, b, c) }",
      "g (float[2, 3] x, float[4] s) => (float[N] y) { y = LayerNormalization(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <float[3] s = {1, 1, 1}> { y = LayerNormalization<axis = 5>(x, s) }",
      "g (float[2, 3] x) => (float[N] y) <float[3] s = {1, 1, 1}> { y = LayerNormalization<stash_type = -940>(x, s) }",
      "g (float[2, 3] x, int64[1] i) => (float[N] y) { y = GatherND<batch_dims = 7>(x, i) }",
      "g (float[2, 3] x, int64[1, 5] i) => (float[N] y) { y = GatherND(x, i) }",
      "g (float[2, 3] x, int64[0] i) => (float[N] y) { y = GatherND(x, i) }",
      "g (float[2, 3] x) => (float[N] y) { y = Cast<to = 99>(x) }",
      "g (float[2, 3] x, int64[2, 3] z) => (float[N] y) { y = Add(x, z) }",
      "g (float[2, 3] x) => (float[N] y) { y = Min(x, , x) }",
      "g (float[2, 3] x) => (float[N] y) { y = Concat<axis = 0>(x, ) }",
  };
  for (const char *graph : graphs) {
    SCOPED_TRACE(graph);
    EXPECT_NE(errorOf(graph, 18), "");
  }
}

TEST_F(OnnxBadInput, CountsOfNone) {
  std::string attention = "g (float[1, 2, 4] q) => (float[1, 2, 4] y) { y = Attention<q_num_heads = 2, kv_num_heads = ";
  for (const char *heads : {"0", "-1", "-9223372036854775808"})
    EXPECT_THAT(errorOf(attention + heads + ">(q, q, q) }", 23),
                HasSubstr("node 'Attention#0' has kv_num_heads " + std::string(heads) + " but at least 1 is wanted"));
  EXPECT_THAT(errorOf("g (float[2] x) => (float[N] y) { y = Split<num_outputs = 0>(x) }", 18),
              HasSubstr("has num_outputs 0"));
  // No number at all is one of 0 to the onnx library.
  onnx::ModelProto model = parseOnnx(attention + "2>(q, q, q) }", 23);
  for (onnx::AttributeProto &attribute : *model.mutable_graph()->mutable_node(0)->mutable_attribute())
    attribute.clear_i();
  EXPECT_THAT(errorOf(model), HasSubstr("has q_num_heads 0 but at least 1 is wanted"));
}

TEST_F(OnnxBadInput, AttributeOfAnotherType) {
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y) { y = Softmax<axis = 0>(x) }");
  onnx::AttributeProto *axis = model.mutable_graph()->mutable_node(0)->mutable_attribute(0);
  axis->set_type(onnx::AttributeProto::STRING);
  axis->clear_i();
  axis->set_s("zero");
  EXPECT_NE(errorOf(model), "");
}

TEST_F(OnnxBadInput, SizesThatAreNone) {
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  auto *dim =
      model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0);
  dim->set_dim_value(-3);
  EXPECT_NE(errorOf(model), "");
  model = parseOnnx("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_THAT(errorOf(model), HasSubstr("input 'x' has no shape"));
}

TEST_F(OnnxBadInput, OutputsWithoutShape) {
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Abs(y) }");
  model.mutable_graph()->mutable_output(1)->mutable_type()->mutable_tensor_type()->clear_shape();
  EXPECT_THAT(errorOf(model), HasSubstr("output 'z' has no shape; sizes that are not known may be names"));
  model.mutable_graph()->mutable_output(1)->clear_type();
  EXPECT_THAT(errorOf(model), HasSubstr("output 'z' has no type"));
}

TEST_F(OnnxBadInput, RecursiveFunctions) {
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  onnx::OperatorSetIdProto *import = model.add_opset_import();
  import->set_domain("local");
  import->set_version(1);
  onnx::FunctionProto *function = model.add_functions();
  function->set_name("again");
  function->set_domain("local");
  function->add_input("x");
  function->add_output("y");
  *function->add_opset_import() = *import;
  *function->add_node() = model.graph().node(0);
  function->mutable_node(0)->set_domain("local");
  function->mutable_node(0)->set_op_type("again");
  *model.mutable_graph()->mutable_node(0) = function->node(0);
  EXPECT_THAT(errorOf(model), HasSubstr("Cycle"));
}

TEST_F(OnnxBadInput, SparseInitializers) {
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  model.mutable_graph()->add_sparse_initializer();
  EXPECT_THAT(errorOf(model), HasSubstr("sparse initializers"));
}

TEST_F(OnnxBadInput, GraphsNestedDeeply) {
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  onnx::GraphProto *inner = model.mutable_graph();
  for (int depth = 0; depth < 200; ++depth) {
    onnx::AttributeProto *body = inner->add_node()->add_attribute();
    body->set_name("body");
    body->set_type(onnx::AttributeProto::GRAPH);
    inner = body->mutable_g();
  }
  EXPECT_THAT(errorOf(model), HasSubstr("malformed"));
}

TEST_F(OnnxBadInput, LongChains) {
  onnx::ModelProto model = parseOnnx("g (float[N] x) => (float[N] y0) { y0 = Neg(x) }", 27);
  constexpr int length = 20000;
  for (int i = 1; i < length; ++i) {
    onnx::NodeProto *node = model.mutable_graph()->add_node();
    node->set_op_type("Neg");
    node->add_input("y" + std::to_string(i - 1));
    node->add_output("y" + std::to_string(i));
  }
  model.mutable_graph()->mutable_output(0)->set_name("y" + std::to_string(length - 1));
  ASSERT_TRUE(importOnnx(model)) << messages;
  EXPECT_EQ(count("model.elementwise"), length);
}

TEST_F(OnnxBadInput, ExpressionsThatGrowWithoutBound) {
  // Each step squares the shape, or joins it to itself.
  std::string square = "g (float[a, b] x) => (int64[2] y) { s0 = Shape(x) ", join = square;
  for (int i = 0; i < 40; ++i) {
    std::string from = "s" + std::to_string(i), to = "s" + std::to_string(i + 1);
    square += to + " = Mul(" + from + ", " + from + ") ";
    join += to + " = Concat<axis = 0>(" + from + ", " + from + ") ";
  }
  EXPECT_TRUE(importOnnx(parseOnnx(square + "y = Identity(s40) }")) || messages != "");
  EXPECT_TRUE(importOnnx(parseOnnx(join + "y = Identity(s40) }")) || messages != "");
}

TEST_F(OnnxBadInput, NumbersThatAreNone) {
  load("g (float[N, 2] x) => (float[N, 2] y) <float[2] w = {nan, inf}, float s = {nan}> { a = Add(x, w) y = Mul(a, s) "
       "}");
  EXPECT_TRUE(std::isnan(run({floats({1, 2}, {1, 2})}).numbers()[0]));
}
} // namespace
