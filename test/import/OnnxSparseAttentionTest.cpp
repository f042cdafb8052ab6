// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// SparseAttention of com.microsoft: what it becomes in each phase, and what is refused. Values are compared with ONNX
// Runtime by test/end_to_end/sparse_attention_test.py.
#include "test/import/ImportFixture.h"

using namespace tamis;
using testing::HasSubstr;
using testing::Not;

namespace {
class OnnxSparseAttention : public ImportFixture {
protected:
  struct Node {
    std::string attributes = "num_heads = 2, kv_num_heads = 1, sparse_block_size = 16";
    std::string tokens = "32", cache = "48", total = "32"; ///< total: a number, or "" for an operand at run time
    std::string rows = "int32[1, 4] rows = {0, 1, 2, 4}";
    std::string columns = "int32[1, 4] columns = {0, 1, 2, 0}"; ///< of three rows: {0}, {1}, {0, 2}
    std::string query = "float[1, TOKENS, 16]", operands = "q, k, k, c, c, rows, columns, total, lengths";
    std::string results = "y, p, v", result = "float[1, TOKENS, 16]";

    std::string sized(std::string text) const {
      for (size_t at; (at = text.find("TOKENS")) != std::string::npos;)
        text.replace(at, 6, tokens);
      return text;
    }
  };

  onnx::ModelProto model(const Node &node) {
    std::string cache = "float[1, 1, " + node.cache + ", 8]";
    std::string text = "g (" + node.sized(node.query) + " q, " + node.sized("float[1, TOKENS, 8]") + " k, " + cache +
                       " c, int32[1] lengths" + (node.total.empty() ? ", int32[1] total" : "") + ") => (" +
                       node.sized(node.result) + " y, " + cache + " p, " + cache + " v) <" + node.rows + ", " +
                       node.columns + (node.total.empty() ? "" : ", int32[1] total = {" + node.total + "}") + "> { " +
                       node.results + " = com.microsoft.SparseAttention<" + node.attributes + ">(" + node.operands +
                       ") }";
    onnx::ModelProto model = parseOnnx(text, 20);
    onnx::OperatorSetIdProto *import = model.add_opset_import();
    import->set_domain("com.microsoft");
    import->set_version(1);
    return model;
  }
};

TEST_F(OnnxSparseAttention, PromptReadsBlocksOfTheLayout) {
  ASSERT_TRUE(importOnnx(model({}))) << messages;
  std::string ir = text();
  // Rows ascend, and only those of the prompt are loaded; the third is for later tokens.
  EXPECT_THAT(ir, HasSubstr("model.constant dense<[[[[1, 0, 0], [1, 1, 0], [2, 0, 2]]]]> : tensor<1x1x3x3xi32>"));
  EXPECT_THAT(ir, HasSubstr("-> <16 x 16 block, shape[\"1\", \"1\", \"2\"], items \"2\", capacity \"2\">"));
  EXPECT_THAT(ir, HasSubstr("heads 2 kv_heads 1 scale 0.35355339059327"));
  EXPECT_THAT(ir, HasSubstr(" causal : "));
  EXPECT_EQ(count("sattn.attend"), 1);
  EXPECT_EQ(count("model.gather"), 0);
  // The prompt and what was behind it.
  EXPECT_THAT(ir, HasSubstr("model.slice %arg2 [\"0\", \"0\", \"32\", \"0\"]"));
  EXPECT_EQ(count("model.concat"), 2);
}

TEST_F(OnnxSparseAttention, AnyPhaseLearnsThatItFitsTheLayout) {
  Node node;
  node.tokens = "S";
  node.cache = "40";
  node.total = "";
  onnx::ModelProto dynamic = model(node);
  ASSERT_TRUE(importOnnx(dynamic)) << messages;
  EXPECT_THAT(text(), HasSubstr("#model.symbol<\"S\", 1, 48>"));
  EXPECT_EQ(count("sattn.attend"), 1);
  EXPECT_GT(count("model.gather"), 0);
}

TEST_F(OnnxSparseAttention, LayoutsAreGivenToHeadsInTurn) {
  Node node;
  node.attributes = "num_heads = 4, kv_num_heads = 1, sparse_block_size = 16";
  node.query = node.result = "float[1, TOKENS, 32]";
  node.rows = "int32[2, 3] rows = {0, 1, 2, 0, 1, 3}";
  node.columns = "int32[2, 3] columns = {0, 0, -1, 0, 1, 0}";
  ASSERT_TRUE(importOnnx(model(node))) << messages;
  EXPECT_THAT(text(), HasSubstr("dense<[[[[1, 0, 0], [1, 0, 0]], [[1, 0, 0], [2, 0, 1]], [[1, 0, 0], [1, 0, 0]], "
                                "[[1, 0, 0], [2, 0, 1]]]]> : tensor<1x4x2x3xi32>"));
  node.columns = "int32[2, 3] columns = {0, 0, -1, 0, 0, 0}"; // equal but for a repeated block
  ASSERT_TRUE(importOnnx(model(node))) << messages;
  EXPECT_THAT(text(), HasSubstr("dense<[[[[1, 0], [1, 0]]]]> : tensor<1x1x2x2xi32>"));
}

TEST_F(OnnxSparseAttention, Refused) {
  struct Case {
    Node node;
    const char *wanted;
  };
  Node base;
  auto with = [&](auto change) {
    Node node = base;
    change(node);
    return node;
  };
  const std::string heads = "num_heads = 2, kv_num_heads = 1, ";
  const Case cases[] = {
      {with([&](Node &n) { n.attributes = "num_heads = 2, sparse_block_size = 16"; }),
       "attribute 'kv_num_heads' is no integer from 1"},
      {with([&](Node &n) { n.attributes = "num_heads = 2.0, kv_num_heads = 1, sparse_block_size = 16"; }),
       "attribute 'num_heads' is no integer from 1"},
      {with([&](Node &n) { n.attributes = heads + "sparse_block_size = 8"; }), "sparse_block_size is 8; it may be 16"},
      {with([&](Node &n) { n.attributes = "num_heads = 2, kv_num_heads = 3, sparse_block_size = 16"; }),
       "2 heads are no multiple of 3 key heads"},
      {with([&](Node &n) { n.attributes = heads + "sparse_block_size = 16, scale = 1"; }), "'scale' is no float"},
      {with([&](Node &n) { n.attributes = heads + "sparse_block_size = 16, do_rotary = 1"; }),
       "operand 'cos_cache' is no float matrix"},
      {with([&](Node &n) { n.operands = "q, k, k, c, c, rows, columns, total"; }),
       "operand 'key_total_sequence_lengths' is missing"},
      {with([&](Node &n) { n.operands = "q, k, k, c, k, rows, columns, total, lengths"; }),
       "operand 'past_value' of [1, 32, 8] has another rank"},
      {with([&](Node &n) { n.query = "float[1, TOKENS, 17]"; }), "query is no float tensor"},
      {with([&](Node &n) { n.operands = "q, k, k, c, c, lengths, columns, total, lengths"; }),
       "operand 'block_row_indices' is computed at run time or no matrix of i32; supported where it is a constant"},
      {with([&](Node &n) { n.rows = "int32[3, 4] rows = {0, 1, 2, 4, 0, 1, 2, 4, 0, 1, 2, 4}"; }),
       "do not fit 2 heads"},
      {with([&](Node &n) { n.rows = "int32[1, 4] rows = {0, 2, 1, 4}"; }), "row 1 of layout 0 is [2, 1) of 4 columns"},
      {with([&](Node &n) { n.rows = "int32[1, 4] rows = {0, 1, 2, 5}"; }), "row 2 of layout 0 is [2, 5) of 4 columns"},
      {with([&](Node &n) { n.columns = "int32[1, 4] columns = {0, 1, 3, 0}"; }), "reads block 3 but there are 3"},
      {with([&](Node &n) { n.columns = "int32[1, 4] columns = {0, -1, 2, 0}"; }), "reads block -1 but there are 3"},
      {with([&](Node &n) {
         n.tokens = n.total = "49";
         n.cache = "64";
       }),
       "meet and differ"},
      {with([&](Node &n) { n.cache = "31"; }), "meet and differ"},
  };
  for (const Case &c : cases) {
    SCOPED_TRACE(c.wanted);
    std::string report = errorOf(model(c.node));
    EXPECT_THAT(report, HasSubstr("node 'SparseAttention#0' is SparseAttention of com.microsoft version 1"));
    EXPECT_THAT(report, HasSubstr(c.wanted));
  }
}
} // namespace
