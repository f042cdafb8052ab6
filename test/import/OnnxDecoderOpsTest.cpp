// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// GroupQueryAttention, PackedAttention and PackedMultiHeadAttention of com.microsoft, and sizes of caches: what becomes
// of them, and what is said of those that are not supported. Values are compared with ONNX Runtime in test/end_to_end.
#include "test/import/ImportFixture.h"

using namespace tamis;
using testing::HasSubstr;

namespace {
/// Models that use ops of com.microsoft.
class OnnxDecoderOps : public ImportFixture {
protected:
  static onnx::ModelProto contrib(const std::string &graph) {
    onnx::ModelProto model = parseOnnx(graph);
    onnx::OperatorSetIdProto *import = model.add_opset_import();
    import->set_domain("com.microsoft");
    import->set_version(1);
    return model;
  }
  void load(const std::string &graph) { ASSERT_TRUE(importOnnx(contrib(graph))) << messages; }
  std::string errorOf(const std::string &graph) { return ImportFixture::errorOf(contrib(graph)); }
};

/// A node of two query heads and one key head of width 4; the count of all tokens is the length of the mask.
std::string groupQuery(const std::string &attributes = "", const std::string &after = "",
                       const std::string &total = "total") {
  return R"(agraph (float[batch, new, 8] q, float[batch, new, 4] k, float[batch, new, 4] v, float[batch, 1, past, 4] pk,
                    float[batch, 1, past, 4] pv, int64[batch, total] mask, int32[batch] lengths, int32 given,
                    float[9, 4] table)
      => (float[batch, new, 8] y, float[batch, 1, all, 4] ck, float[batch, 1, all, 4] cv) {
    shape = Shape (mask)
    one = Constant <value_int = 1> ()
    size = Gather (shape, one)
    total = Cast <to = 6> (size)
    y, ck, cv = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1)" +
         attributes + "> (q, k, v, pk, pv, lengths, " + total + after + ") }";
}

TEST_F(OnnxDecoderOps, GroupQueryReadsTheCache) {
  load(groupQuery());
  EXPECT_EQ(count("model.attention"), 1);
  EXPECT_THAT(text(), HasSubstr("max(past, total)"));
  load(groupQuery(", softcap = 2.0")); // capped scores have no op
  EXPECT_EQ(count("model.attention"), 0);
  EXPECT_EQ(count("model.softmax"), 1);
}

TEST_F(OnnxDecoderOps, GroupQueryBadInput) {
  EXPECT_THAT(errorOf(groupQuery("", "", "given")),
              HasSubstr("operand 'total_sequence_length' is computed at run time"));
  EXPECT_THAT(errorOf(groupQuery(", do_rotary = 1")), HasSubstr("operand 'cos_cache' is no float matrix"));
  EXPECT_THAT(errorOf(groupQuery(", do_rotary = 1", ", table, table")), HasSubstr("at most half of a head's 4"));
  EXPECT_THAT(errorOf(groupQuery(", k_quant_type = \"PER_TENSOR\"")), HasSubstr("its cache is quantized"));
  EXPECT_THAT(errorOf(groupQuery("", ", , , , , lengths")), HasSubstr("operand 'head_sink'"));
  EXPECT_THAT(errorOf(R"(agraph (float[2, 3, 8] q, int32[2] n, int32 t) => (float[2, 3, 8] y) {
    y = com.microsoft.GroupQueryAttention <num_heads = 3, kv_num_heads = 2> (q, , , , , n, t) })"),
              HasSubstr("has 3 heads and 2 key heads"));
  EXPECT_THAT(errorOf(R"(agraph (float[2, 3, 8] q, int32[2] n, int32 t) => (float[2, 3, 8] y) {
    y = com.microsoft.GroupQueryAttention <num_heads = 2, kv_num_heads = 1> (q, q, , , , n, t) })"),
              HasSubstr("has one of keys and values"));
}

TEST_F(OnnxDecoderOps, PackedTokensAreUnpacked) {
  load(R"(agraph (float[tokens, 6] x, float[6, 12] w, int32[batch, length] offsets, int32[begins] begins)
      => (float[tokens, 4] y) {
    y = com.microsoft.PackedAttention <num_heads = 2> (x, w, , offsets, begins) })");
  EXPECT_EQ(count("model.attention"), 1);
  EXPECT_THAT(text(), HasSubstr("batch + 1")); // rows begin there, and end
  EXPECT_THAT(errorOf(R"(agraph (float[2, 5, 6] x, float[6, 12] w, int32[2, 5] offsets, int32[3] begins)
      => (float[2, 5, 4] y) {
    y = com.microsoft.PackedAttention <num_heads = 2> (x, w, , offsets, begins) })"),
              HasSubstr("is not [tokens, channels]"));
  EXPECT_THAT(errorOf(R"(agraph (float[7, 8] q, int32[2, 5] offsets, int32[4] begins) => (float[7, 8] y) {
    y = com.microsoft.PackedMultiHeadAttention <num_heads = 2> (q, q, q, , offsets, begins) })"),
              HasSubstr("sizes '4' and '3' meet and differ"));
  EXPECT_THAT(errorOf(R"(agraph (float[7, 8] q, int32[2, 5] offsets, int32[3] begins) => (float[7, 8] y) {
    y = com.microsoft.PackedMultiHeadAttention <num_heads = 2> (q, , , , offsets, begins) })"),
              HasSubstr("comes without key and value"));
}

TEST_F(OnnxDecoderOps, SizesOfInputsMayBeSums) {
  onnx::ModelProto model = parseOnnx(R"(
    agraph (float[batch, all] mask, float[batch, past] a, float[batch, new] b) => (float[batch, all] y) {
      both = Concat <axis = 1> (a, b)
      most = Constant <value_ints = [9]> ()
      ends = Shape <start = 1> (both)
      zero = Constant <value_ints = [0]> ()
      one = Constant <value_ints = [1]> ()
      own = Slice (mask, zero, ends, one)
      y = Add (both, own) })");
  for (std::string size : {"past + new", "new + past", "all"}) {
    model.mutable_graph()
        ->mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim(1)
        ->set_dim_param(size);
    EXPECT_EQ(importOnnx(model), size != "all") << messages; // nothing says that the last is long enough
  }
}
} // namespace
