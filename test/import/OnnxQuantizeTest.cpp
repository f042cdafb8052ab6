// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Quantized ops mean what ONNX and ONNX Runtime say: imported, then run in the reference evaluator. Expected numbers
// are by hand; test/end_to_end compares with ONNX Runtime.
#include "test/import/ImportFixture.h"

#include <cmath>

using namespace tamis;
using testing::HasSubstr;

namespace {
class OnnxQuantize : public ImportFixture {
protected:
  /// A model that uses ops of com.microsoft too.
  onnx::ModelProto runtimeModel(const std::string &graph, int opset = 21) {
    onnx::ModelProto model = parseOnnx(graph, opset);
    onnx::OperatorSetIdProto *import = model.add_opset_import();
    import->set_domain("com.microsoft");
    import->set_version(1);
    return model;
  }
  HostTensor bytes(llvm::ArrayRef<int64_t> shape, std::vector<double> values, bool isSigned = false) {
    return HostTensor::ofNumbers(
        mlir::IntegerType::get(&context, 8, isSigned ? mlir::IntegerType::Signless : mlir::IntegerType::Unsigned),
        shape, values);
  }
  static void addTensor(onnx::ModelProto &model, const std::string &name, int type, std::vector<int64_t> dims,
                        const std::string &raw) {
    onnx::TensorProto *tensor = model.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    for (int64_t dim : dims)
      tensor->add_dims(dim);
    tensor->set_raw_data(raw);
  }
};

TEST_F(OnnxQuantize, LinearOfOneScale) {
  for (int opset : {10, 13, 19, 21, 23, 24}) {
    SCOPED_TRACE(opset);
    load("g (float[5] x) => (uint8[5] y) <float s = {0.5}, uint8 z = {10}> { y = QuantizeLinear(x, s, z) }", opset);
    expectTensor(run({floats({5}, {0.25, 0.75, -100, 1000, -1.25})}), {5}, {10, 12, 0, 255, 8});
    load("g (int8[3] x) => (float[3] y) <float s = {0.5}, int8 z = {-128}> { y = DequantizeLinear(x, s, z) }", opset);
    expectTensor(run({bytes({3}, {-128, 0, 127}, true)}), {3}, {0, 64, 127.5});
  }
  load("g (float[2] x) => (uint8[2] y) <float s = {2}> { y = QuantizeLinear(x, s) }", 13);
  expectTensor(run({floats({2}, {5, -5})}), {2}, {2, 0});
}

TEST_F(OnnxQuantize, ScalesByAxisAndBlock) {
  load("g (float[2, 3] x) => (int8[2, 3] y) <float[2] s = {1, 2}, int8[2] z = {0, 5}>"
       " { y = QuantizeLinear<axis = 0>(x, s, z) }");
  expectTensor(run({floats({2, 3}, {1, 2, 3, 4, 5, 6})}), {2, 3}, {1, 2, 3, 7, 7, 8});
  load("g (int8[2, 3] x) => (float[2, 3] y) <float[3] s = {1, 2, 3}> { y = DequantizeLinear(x, s) }");
  expectTensor(run({bytes({2, 3}, {1, 2, 3, 4, 5, 6}, true)}), {2, 3}, {1, 4, 9, 4, 10, 18});
  load("g (int8[2, 5] x) => (float[2, 5] y) <float[2, 3] s = {1, 2, 3, 4, 5, 6}>"
       " { y = DequantizeLinear<axis = 1, block_size = 2>(x, s) }",
       21);
  expectTensor(run({bytes({2, 5}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, true)}), {2, 5}, {1, 1, 2, 2, 3, 4, 4, 5, 5, 6});
}

TEST_F(OnnxQuantize, FourBitsAndNarrowFloats) {
  onnx::ModelProto model = parseOnnx("g (float x) => (float[2, 3] y) <float s = {0.5}> { d = DequantizeLinear(w, s)"
                                     " y = Add(d, x) }",
                                     21);
  addTensor(model, "w", onnx::TensorProto::INT4, {2, 3}, "\x21\x83\x7f");
  ASSERT_TRUE(importOnnx(model)) << messages;
  expectTensor(run({floats({}, {0})}), {2, 3}, {0.5, 1, 1.5, -4, -0.5, 3.5});
  model.mutable_graph()->mutable_initializer(1)->set_data_type(onnx::TensorProto::UINT4);
  ASSERT_TRUE(importOnnx(model)) << messages;
  expectTensor(run({floats({}, {0})}), {2, 3}, {0.5, 1, 1.5, 4, 7.5, 3.5});
  load("g (float[3] x) => (float[3] y) <float s = {2}> { q = QuantizeLinear<output_dtype = 17>(x, s)"
       " y = DequantizeLinear(q, s) }",
       21);
  expectTensor(run({floats({3}, {1.06, 1e6, -3})}), {3}, {1, 896, -3});
  load("g (float[2] x) => (float[2] y) { q = Cast<to = 17>(x) y = Cast<to = 1>(q) }", 21);
  expectTensor(run({floats({2}, {1e6, 0.3})}), {2}, {448, 0.3125});
}

TEST_F(OnnxQuantize, DynamicRange) {
  load("g (float[N] x) => (uint8[N] y, float s, uint8 z) { y, s, z = DynamicQuantizeLinear(x) }");
  // The example of the op's definition.
  expectTensor(run({floats({6}, {0, 2, -3, -2.5, 1.34, 0.5})}), {6}, {153, 255, 0, 26, 221, 179});
  expectTensor(run({floats({2}, {0, 0})}), {2}, {0, 0});
  load("g (float[3] x) => (float s) { y, s, z = DynamicQuantizeLinear(x) }");
  expectTensor(run({floats({3}, {1, 2, 5.1})}), {}, {5.1f / 255.0f}, 1e-9);
}

TEST_F(OnnxQuantize, ProductsOfIntegers) {
  load("g (uint8[N, 2] a) => (int32[N, 2] y) <int8[2, 2] b = {1, -2, 3, -128}, uint8 z = {12}>"
       " { y = MatMulInteger(a, b, z) }");
  EXPECT_EQ(count("model.integer_linear"), 1);
  expectTensor(run({bytes({2, 2}, {255, 0, 12, 13})}), {2, 2}, {243 - 36, -486 + 12 * 128, 3, -128});
  // Both are computed.
  load("g (uint8[2, 1, 2] a, uint8[2, 2] b) => (int32[2, 1, 2] y) <uint8 z = {1}, uint8 w = {2}>"
       " { y = MatMulInteger(a, b, z, w) }");
  EXPECT_EQ(count("model.matmul"), 1);
  expectTensor(run({bytes({2, 1, 2}, {0, 255, 1, 2}), bytes({2, 2}, {0, 1, 2, 3})}), {2, 1, 2}, {2, 255, 0, 1});
  // A zero point a row, and one a column.
  load("g (uint8[2, 2] a) => (int32[2, 2] y) <int8[2, 2] b = {1, 2, 3, 4}, uint8[2] z = {1, 2}, int8[2] w = {1, 2}>"
       " { y = MatMulInteger(a, b, z, w) }");
  expectTensor(run({bytes({2, 2}, {1, 2, 3, 4})}), {2, 2}, {2, 2, 4, 4});
  load(
      "g (uint8[1, 2] a) => (uint8[1, 2] y) <float s = {0.5}, uint8 z = {1}, int8[2, 2] b = {1, 2, 3, 4},"
      " float t = {0.25}, int8 w = {0}, float u = {0.1}, uint8 v = {7}> { y = QLinearMatMul(a, s, z, b, t, w, u, v) }");
  expectTensor(run({bytes({1, 2}, {3, 5})}), {1, 2}, {25, 32}); // 14 and 20 by 0.125 / 0.1 are 17.5 and 25
}

TEST_F(OnnxQuantize, RuntimeProducts) {
  ASSERT_TRUE(importOnnx(runtimeModel(
      "g (float[2, 2] a) => (float[2, 2] y) <int8[2, 2] b = {1, 2, 3, 4}, float s = {0.5}, float[2] c = {10, 20}>"
      " { y = com.microsoft.DynamicQuantizeMatMul(a, b, s, , c) }")))
      << messages;
  // 255 / 255 = 1: the rows are whole numbers.
  expectTensor(run({floats({2, 2}, {0, 255, 1, 2})}), {2, 2}, {392.5, 530, 13.5, 25});
  ASSERT_TRUE(importOnnx(runtimeModel(
      "g (uint8[1, 2] a) => (float[1, 2] y) <int8[2, 2] b = {1, 2, 3, 4}, float s = {0.5}, float[2] t = {1, 2},"
      " uint8 z = {1}> { y = com.microsoft.MatMulIntegerToFloat(a, b, s, t, z) }")))
      << messages;
  expectTensor(run({bytes({1, 2}, {3, 5})}), {1, 2}, {7, 20});
}

/// K = 20, two blocks of 16, the second short; N = 2.
TEST_F(OnnxQuantize, MatrixOfBits) {
  std::string packed(2 * 2 * 8, '\x88'); // 8 is the default zero
  packed[0] = '\x9a';                    // column 0: k = 0 is 10, k = 1 is 9
  packed[8] = '\x0f';                    // k = 16 is 15, k = 17 is 0
  packed[16 + 8 + 1] = '\xb8';           // column 1: k = 19 is 11
  auto model = [&](const std::string &operands) {
    onnx::ModelProto made = runtimeModel(
        "g (float[1, 20] a) => (float[1, 2] y) <float[4] s = {1, 10, 100, 1000}, float[2] c = {0.5, 0.25}> "
        "{ y = com.microsoft.MatMulNBits<K = 20, N = 2, bits = 4, block_size = 16>(" +
        operands + ") }");
    addTensor(made, "b", onnx::TensorProto::UINT8, {2, 2, 8}, packed);
    addTensor(made, "z", onnx::TensorProto::UINT8, {2}, "\x07\x18"); // 7 and 0; 8 and 1
    std::string order;
    for (int k = 0; k < 20; ++k)
      order += std::string(1, char(k % 2)) + std::string(3, '\0');
    addTensor(made, "g", onnx::TensorProto::INT32, {20}, order);
    return made;
  };
  std::vector<double> a(20);
  a[0] = 1, a[1] = 2, a[16] = 3, a[17] = 4, a[19] = 5;
  ASSERT_TRUE(importOnnx(model("a, b, s, , , c"))) << messages;
  expectTensor(run({floats({1, 20}, a)}), {1, 2}, {2 + 2 + 210 - 320 + 0.5, 15000 + 0.25});
  ASSERT_TRUE(importOnnx(model("a, b, s, z"))) << messages;
  expectTensor(run({floats({1, 20}, a)}), {1, 2}, {3 + 4 + 450 + 0 + 400, 1000.0 * (3 * 7 + 4 * 7 + 5 * 10)});
  ASSERT_TRUE(importOnnx(model("a, b, s, , g"))) << messages;
  expectTensor(run({floats({1, 20}, a)}), {1, 2}, {2 + 20 + 21 - 320, 15000});
}

TEST_F(OnnxQuantize, RowsOfBlocks) {
  onnx::ModelProto model =
      runtimeModel("g (int64[3] i) => (float[3, 16] y) <float[2, 1] s = {1, 10}>"
                   "{ y = com.microsoft.GatherBlockQuantized<block_size = 16, quantize_axis = 1>(w, i, s) }");
  addTensor(model, "w", onnx::TensorProto::UINT8, {2, 8}, std::string(8, '\x98') + std::string(8, '\x70'));
  ASSERT_TRUE(importOnnx(model)) << messages;
  std::vector<double> wanted;
  for (int row : {1, 0, 1})
    for (int k = 0; k < 16; ++k)
      wanted.push_back(row ? (k % 2 ? -10 : -80) : k % 2);
  expectTensor(run({integers({3}, {1, 0, -1})}), {3, 16}, wanted);
}

TEST_F(OnnxQuantize, BadInput) {
  EXPECT_THAT(errorOf("g (float[2] x) => (uint8[2] y) <float s = {0}, uint8 z = {1}> { y = QuantizeLinear(x, s, z) }"),
              HasSubstr("element 0 of 'scale' is 0.000000 but scales are finite and not 0"));
  EXPECT_THAT(errorOf("g (int8[2, 2] x) => (float[2, 2] y) <float[2] s = {1, 0}> { y = DequantizeLinear(x, s) }"),
              HasSubstr("element 1 of 'scale'"));
  EXPECT_THAT(errorOf("g (int8[2, 2] x) => (float[2, 2] y) <float[3] s = {1, 2, 3}> { y = DequantizeLinear(x, s) }"),
              testing::Not(""));
  auto bits = [&](const std::string &attributes, size_t bytes) {
    onnx::ModelProto model = runtimeModel("g (float[1, 20] a) => (float[1, 2] y) <float[4] s = {1, 1, 1, 1}> "
                                          "{ y = com.microsoft.MatMulNBits<" +
                                          attributes + ">(a, b, s) }");
    addTensor(model, "b", onnx::TensorProto::UINT8, {int64_t(bytes)}, std::string(bytes, 0));
    return errorOf(model);
  };
  EXPECT_THAT(bits("K = 20, N = 2, block_size = 16", 31),
              HasSubstr("operand 'B' holds 31 bytes but 2 columns of 2 blocks "
                        "of 8 bytes are wanted"));
  EXPECT_THAT(bits("K = 20, N = 2, block_size = 16, bits = 3", 32), HasSubstr("bits is 3; supported are 4 and 8"));
  EXPECT_THAT(bits("K = 20, N = 2, block_size = 12", 32), HasSubstr("a power of two from 16 on"));
  EXPECT_THAT(bits("K = 20, N = 2, block_size = 1.5", 32), HasSubstr("attribute 'block_size' is no integer"));
  EXPECT_THAT(bits("N = 2, block_size = 16", 32), HasSubstr("attribute 'K' is no integer"));
  EXPECT_THAT(errorOf(runtimeModel("g (uint8[1, 2] a) => (float[1, 2] y) <int8[2, 2] b = {1, 2, 3, 4}, float s = {0.5},"
                                   " float t = {1}, int8 z = {1}>"
                                   " { y = com.microsoft.MatMulIntegerToFloat(a, b, s, t, z) }")),
              HasSubstr("zero points are i8 but the operand is ui8"));
}
} // namespace
