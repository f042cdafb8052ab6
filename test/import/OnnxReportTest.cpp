// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nodes that cannot be imported are reported all together, with what a user needs to go on.
#include "test/import/ImportFixture.h"

using namespace tamis;
using testing::HasSubstr;
using testing::Not;
using OnnxReport = ImportFixture;

namespace {
TEST_F(OnnxReport, AllNodesAtOnceWithOperandsAndTheNearestSupport) {
  onnx::ModelProto model =
      parseOnnx("g (float[batch, 3] x, float[2] e) => (float[batch, 3] y) {"
                " a = Neg(x) b = com.microsoft.DecoderMaskedMultiHeadAttention(a, x) c = NoSuchOp(a)"
                " d = RandomUniformLike(a) f = Add(b, c) y = Add(f, d) }");
  onnx::OperatorSetIdProto *import = model.add_opset_import();
  import->set_domain("com.microsoft");
  import->set_version(1);
  model.mutable_graph()->mutable_node(1)->set_name("/layer.0/attention");
  std::string report = errorOf(model);
  EXPECT_THAT(report, HasSubstr("cannot import 3 of 6 nodes\n"));
  EXPECT_THAT(
      report,
      HasSubstr("note: node '/layer.0/attention' is DecoderMaskedMultiHeadAttention of com.microsoft version 1 with "
                "operands (f32[batch, 3], f32[batch, 3]): ONNX Runtime's own op; supported are"));
  EXPECT_THAT(report, HasSubstr("note: node 'NoSuchOp#2' is NoSuchOp of ai.onnx version 17 with operands "
                                "(f32[batch, 3]): not an op of ONNX at this opset"));
  EXPECT_THAT(report, HasSubstr("note: node 'RandomUniformLike#3' is RandomUniformLike of ai.onnx version 17 with "
                                "operands (f32[batch, 3]): random numbers are not supported"));
  EXPECT_THAT(report, HasSubstr("2 more nodes use results of these and were not looked at"));
}

TEST_F(OnnxReport, NodesAfterAFailedOneAreLookedAtWhereItsTypeIsKnown) {
  // The onnx library infers what the first gives, so that the second problem is found as well.
  std::string report =
      errorOf("g (float[2, 3] x) => (float[N] y) { a = RandomNormalLike(x) b = Neg(a) y = RandomUniformLike(b) }");
  EXPECT_THAT(report, HasSubstr("cannot import 2 of 3 nodes"));
  EXPECT_THAT(report,
              HasSubstr("'RandomUniformLike#2' is RandomUniformLike of ai.onnx version 17 with operands (f32[2, 3])"));
}

TEST_F(OnnxReport, FormsThatAreNotSupported) {
  struct Case {
    const char *graph;
    const char *wanted;
    int opset;
  };
  const Case cases[] = {
      {"g (float[N] x, int64[1] s) => (float[M] y) { y = Reshape(x, s) }", "'shape' is computed at run time", 17},
      {"g (float[N] x, int64[1] s) => (float[M] y) { y = Slice(x, s, s) }", "'starts' is computed at run time", 17},
      {"g (float[N] x, int64[1] a) => (float y) { y = ReduceSum<keepdims = 0>(x, a) }",
       "'axes' is computed at run time", 17},
      {"g (float[1] a, float[1] b, float[1] c) => (float[N] y) { y = Range(a, b, c) }",
       "supported for integers, or "
       "constants; nor can its function be imported, by its node Loop: its number of rounds",
       17},
      {"g (float[1, 2, 4] q) => (float[1, 2, 4] y) { y = Attention<q_num_heads = 3, kv_num_heads = 2>(q, q, q) }",
       "heads and widths do not fit", 23},
      {"g (float[2] x) => (float[2] y) <bool t = {1}, float r = {0.5}> { y = Dropout(x, r, t) }", "in training mode",
       17},
      {"g (float[N] x) => (float[M] y) { y, z = Split<num_outputs = 2>(x) }", "size 'N' is split into 2", 18},
      {"g (int32[2, 2] a) => (int32[2, 2] y) { y = MatMul(a, a) }", "not floats of one type", 17},
      {"g (float[2] x) => (float[2] y) { y = Cast<to = 18>(x) }", "ONNX type FLOAT8E4M3FNUZ", 19},
  };
  for (const Case &c : cases) {
    SCOPED_TRACE(c.graph);
    EXPECT_THAT(errorOf(c.graph, c.opset), HasSubstr(c.wanted));
  }
}

TEST_F(OnnxReport, ConditionsAndLoopsAreNamed) {
  onnx::ModelProto model = parseOnnx("g (bool c, float[2] x) => (float[2] y) { y = Neg(x) }");
  onnx::NodeProto *node = model.mutable_graph()->mutable_node(0);
  node->set_op_type("If");
  node->set_input(0, "c");
  for (const char *name : {"then_branch", "else_branch"}) {
    onnx::AttributeProto *branch = node->add_attribute();
    branch->set_name(name);
    branch->set_type(onnx::AttributeProto::GRAPH);
    *branch->mutable_g() = parseOnnx("b () => (float[2] z) { z = Neg(x) }").graph();
  }
  EXPECT_THAT(errorOf(model), HasSubstr("its condition is computed at run time"));
}

TEST_F(OnnxReport, InputsOfUnknownTypes) {
  EXPECT_THAT(errorOf("g (string[2] x) => (string[2] y) { y = Identity(x) }"),
              HasSubstr("input 'x' has elements of the ONNX type STRING"));
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  onnx::TypeProto type = model.graph().input(0).type();
  *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type()->mutable_elem_type() = type;
  EXPECT_THAT(errorOf(model), HasSubstr("an operand is an optional value or a sequence"));
}
} // namespace
