// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nodes that cannot be imported are reported all together, with what a user needs to go on.
#include "test/import/ImportFixture.h"

using namespace tamis;
using testing::HasSubstr;
using testing::Not;
using OnnxReport = ImportFixture;

namespace {
TEST_F(OnnxReport, AllNodesAtOnceWithOperandsAndTheNearestSupport) {
  onnx::ModelProto model = parseOnnx("g (float[batch, 3] x, float[2] e) => (float[batch, 3] y) {"
                                     " a = Neg(x) b = com.microsoft.BiasGelu(a, x) c = NoSuchOp(a)"
                                     " d = Elu(a) f = Add(b, c) y = Add(f, d) }");
  onnx::OperatorSetIdProto *import = model.add_opset_import();
  import->set_domain("com.microsoft");
  import->set_version(1);
  model.mutable_graph()->mutable_node(1)->set_name("/layer.0/gelu");
  std::string report = errorOf(model);
  EXPECT_THAT(report, HasSubstr("cannot import 3 of 6 nodes\n"));
  EXPECT_THAT(report, HasSubstr("note: node '/layer.0/gelu' is BiasGelu of com.microsoft version 1 with operands "
                                "(f32[batch, 3], f32[batch, 3]): ONNX Runtime's own op; supported as Gelu of ai.onnx"));
  EXPECT_THAT(report, HasSubstr("note: node 'NoSuchOp#2' is NoSuchOp of ai.onnx version 17 with operands "
                                "(f32[batch, 3]): not an op of ONNX at this opset"));
  EXPECT_THAT(report, HasSubstr("note: node 'Elu#3' is Elu of ai.onnx version 17 with operands (f32[batch, 3]): "
                                "supported activations are Relu, Gelu, Sigmoid, Tanh and Swish"));
  EXPECT_THAT(report, HasSubstr("2 more nodes use results of these and were not looked at"));
}

TEST_F(OnnxReport, NodesAfterAFailedOneAreLookedAtWhereItsTypeIsKnown) {
  // The onnx library infers what Elu gives, so that the second problem is found as well.
  std::string report = errorOf("g (float[2, 3] x) => (float[N] y) { a = Elu(x) b = Neg(a) y = Selu(b) }");
  EXPECT_THAT(report, HasSubstr("cannot import 2 of 3 nodes"));
  EXPECT_THAT(report, HasSubstr("'Selu#2' is Selu of ai.onnx version 17 with operands (f32[2, 3])"));
}

TEST_F(OnnxReport, FormsThatAreNotSupported) {
  struct Case {
    const char *graph;
    const char *wanted;
    int opset;
  };
  const Case cases[] = {
      {"g (float[2] x) => (bool[2] y) { y = IsInf<detect_negative = 0>(x) }", "supported for both signs", 17},
      {"g (float[N] x, int64[1] s) => (float[M] y) { y = Reshape(x, s) }", "'shape' is computed at run time", 17},
      {"g (float[N] x, int64[1] s) => (float[M] y) { y = Slice(x, s, s) }", "'starts' is computed at run time", 17},
      {"g (float[N] x, int64[1] a) => (float y) { y = ReduceSum<keepdims = 0>(x, a) }",
       "'axes' is computed at run time", 17},
      {"g (float[1] a, float[1] b, float[1] c) => (float[N] y) { y = Range(a, b, c) }", "supported for integers", 17},
      {"g (float[N, M] x) => (float[N, M] y) <float[1] s = {1}> { y = LayerNormalization(x, s) }",
       "normalises over the dynamic sizes [M]", 17},
      {"g (float[2, 4] x) => (float[2, 4] y, float[2, 1] m) <float[4] s = {1, 1, 1, 1}>"
       " { y, m = LayerNormalization(x, s) }",
       "its mean or deviation is used", 17},
      {"g (float[1, 2, 4] q) => (float[1, 2, 4] y) { y = Attention<q_num_heads = 2, kv_num_heads = 2, softcap = 1.0>"
       "(q, q, q) }",
       "softcap is given", 23},
      {"g (float[1, 2, 4] q, float[1, 3, 4] k) => (float[1, 2, 4] y) { y = Attention<q_num_heads = 2, kv_num_heads = 2,"
       " is_causal = 1>(q, k, k) }",
       "is_causal with 2 queries and 3 keys", 23},
      {"g (float[1, 2, 4] q, float[1, 2, 3, 2] p) => (float[1, 2, 4] y)"
       " { y = Attention<q_num_heads = 2, kv_num_heads = 2>(q, q, q, , p, p) }",
       "has past_key; supported without a cache", 23},
      {"g (float[1, 2, 4] q) => (float[1, 2, 4] y) { y = Attention<q_num_heads = 3, kv_num_heads = 2>(q, q, q) }",
       "heads and widths do not fit", 23},
      {"g (float[2] x) => (float[2] y, bool[2] m) { y, m = Dropout(x) }", "its mask is used", 17},
      {"g (float[2] x) => (float[2] y) <bool t = {1}, float r = {0.5}> { y = Dropout(x, r, t) }", "in training mode",
       17},
      {"g (float[N] x) => (float[M] y) { y, z = Split<num_outputs = 2>(x) }", "size 'N' is split into 2", 18},
      {"g (float[2, 2] a, int64[2, 2] b) => (float[2, 2] y) { c = Cast<to = 1>(b) y = Einsum<equation = \"ij,jk->ik\">"
       "(a, c) }",
       "supported as MatMul, Transpose and Reshape", 17},
      {"g (int32[2, 2] a) => (int32[2, 2] y) { y = MatMul(a, a) }", "not floats of one type", 17},
      {"g (float[2] x) => (float[2] y) { y = Cast<to = 17>(x) }", "ONNX type FLOAT8E4M3FN", 19},
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
  EXPECT_THAT(errorOf(model), HasSubstr("ops with graphs inside are not supported"));
}

TEST_F(OnnxReport, InputsOfUnknownTypes) {
  EXPECT_THAT(errorOf("g (string[2] x) => (string[2] y) { y = Identity(x) }"),
              HasSubstr("input 'x' has elements of the ONNX type STRING"));
  onnx::ModelProto model = parseOnnx("g (float[2] x) => (float[2] y) { y = Neg(x) }");
  onnx::TypeProto type = model.graph().input(0).type();
  *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type()->mutable_elem_type() = type;
  EXPECT_THAT(errorOf(model), Not(HasSubstr("cannot import")));
}
} // namespace
