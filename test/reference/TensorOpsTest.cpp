// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of the ops that make, move or pick elements.
#include "test/reference/EvaluatorFixture.h"

using namespace tamis::reference;
using testing::HasSubstr;

namespace {
class TensorOps : public EvaluatorFixture {
protected:
  /// 0, 1, 2, ... in a shape.
  HostTensor counting(std::vector<int64_t> shape, llvm::StringRef element = "f32") {
    std::vector<double> values(elementCount(shape).value());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = i;
    return tensor(element, shape, values);
  }
  HostTensor transpose(const HostTensor &x, llvm::StringRef permutation, llvm::StringRef to) {
    std::string from;
    llvm::raw_string_ostream(from) << mlir::RankedTensorType::get(x.shape, x.element);
    return run(("%r = model.transpose %a " + permutation + " : " + from + " -> " + to).str(), to, {x});
  }
};

TEST_F(TensorOps, Constant) {
  expectNumbers(run("%r = model.constant dense<[1.5, -2.0]> : tensor<2xf32>", "tensor<2xf32>", {}), {1.5, -2});
  expectNumbers(run("%r = model.constant dense<0.1> : tensor<2x2xf16>", "tensor<2x2xf16>", {}),
                std::vector<double>(4, 0.0999755859375));
  expectNumbers(run("%r = model.constant dense<[true, false, true]> : tensor<3xi1>", "tensor<3xi1>", {}), {1, 0, 1});
  expectNumbers(run("%r = model.constant dense<true> : tensor<9xi1>", "tensor<9xi1>", {}), std::vector<double>(9, 1));
  expectNumbers(run("%r = model.constant dense<-3> : tensor<i8>", "tensor<i8>", {}), {-3});
  expectNumbers(run("%r = model.constant dense<[0, 255]> : tensor<2xui8>", "tensor<2xui8>", {}), {0, 255});
  expectNumbers(run("%r = model.constant dense<> : tensor<0x3xi64>", "tensor<0x3xi64>", {}), {});
  EXPECT_EQ(
      run("%r = model.constant dense<-9223372036854775807> : tensor<1xi64>", "tensor<1xi64>", {}).values<int64_t>()[0],
      -9223372036854775807);
}

TEST_F(TensorOps, ConstantResource) {
  const char *text = R"mlir(
func.func @main() -> tensor<2xf32> {
  %r = model.constant dense_resource<blob> : tensor<2xf32>
  return %r : tensor<2xf32>
}
{-# dialect_resources: { builtin: { blob: "0x040000000000803F00000040" } } #-})mlir";
  auto results = evaluateText(text, {});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  expectNumbers((*results)[0], {1, 2});
}

TEST_F(TensorOps, Sizes) {
  const char *text = R"mlir(
func.func @main(%x: tensor<?x?xf32, #model.dims<"b", "s">>) -> (tensor<3xi64>, tensor<i64>) {
  %0 = model.sizes ["b", "2*s - 1", "7"] : tensor<3xi64>
  %1 = model.sizes ["floordiv(s, 2)"] : tensor<i64>
  return %0, %1 : tensor<3xi64>, tensor<i64>
})mlir";
  auto results = evaluateText(text, {counting({4, 5})});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  expectNumbers((*results)[0], {4, 9, 7});
  expectNumbers((*results)[1], {2});
  EXPECT_TRUE((*results)[1].shape.empty());
}

TEST_F(TensorOps, SizesUnknown) {
  EXPECT_THAT(errorOf("%r = model.sizes [\"n\"] : tensor<1xi64>", "tensor<1xi64>", {}),
              HasSubstr("has the size n, which the inputs do not determine"));
  EXPECT_THAT(errorOf("%r = model.sizes [\"floordiv(1, 0)\"] : tensor<1xi64>", "tensor<1xi64>", {}),
              HasSubstr("do not determine"));
}

TEST_F(TensorOps, Iota) {
  const char *text = R"mlir(
func.func @main(%x: tensor<?xf32, #model.dims<"s">>) -> tensor<?xi64, #model.dims<"s">> {
  %0 = model.iota "s" step "-2" : tensor<?xi64, #model.dims<"s">>
  return %0 : tensor<?xi64, #model.dims<"s">>
})mlir";
  auto results = evaluateText(text, {counting({3})});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  expectNumbers((*results)[0], {3, 1, -1});
  results = evaluateText(text, {counting({0})});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  expectNumbers((*results)[0], {});
  expectNumbers(run("%r = model.iota \"254\" step \"1\" : tensor<4xui8>", "tensor<4xui8>", {}), {254, 255, 0, 1});
  expectNumbers(run("%r = model.iota \"1\" step \"2\" : tensor<3xf16>", "tensor<3xf16>", {}), {1, 3, 5});
}

TEST_F(TensorOps, Reshape) {
  HostTensor r =
      run("%r = model.reshape %a : tensor<2x3xf32> -> tensor<3x1x2xf32>", "tensor<3x1x2xf32>", {counting({2, 3})});
  expectNumbers(r, {0, 1, 2, 3, 4, 5});
  run("%r = model.reshape %a : tensor<0x3xf32> -> tensor<5x0xf32>", "tensor<5x0xf32>", {counting({0, 3})});
}

TEST_F(TensorOps, Transpose) {
  expectNumbers(transpose(counting({2, 3}), "[1, 0]", "tensor<3x2xf32>"), {0, 3, 1, 4, 2, 5});
  // result[i, j, k] = input[j, k, i], by the description.
  HostTensor r = transpose(counting({2, 3, 4}, "i16"), "[2, 0, 1]", "tensor<4x2x3xi16>");
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 2; ++j)
      for (int k = 0; k < 3; ++k)
        EXPECT_EQ(r.values<int16_t>()[(i * 2 + j) * 3 + k], (j * 3 + k) * 4 + i);
  expectNumbers(transpose(counting({0, 3}), "[1, 0]", "tensor<3x0xf32>"), {});
  expectNumbers(transpose(counting({}), "[]", "tensor<f32>"), {0});
}

TEST_F(TensorOps, Broadcast) {
  expectNumbers(
      run("%r = model.broadcast %a : tensor<2x1xf32> -> tensor<2x2x3xf32>", "tensor<2x2x3xf32>", {counting({2, 1})}),
      {0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1});
  expectNumbers(
      run("%r = model.broadcast %a : tensor<f32> -> tensor<3xf32>", "tensor<3xf32>", {tensor("f32", {}, {7})}),
      {7, 7, 7});
  expectNumbers(run("%r = model.broadcast %a : tensor<1xf32> -> tensor<0xf32>", "tensor<0xf32>", {counting({1})}), {});
}

TEST_F(TensorOps, Slice) {
  expectNumbers(run("%r = model.slice %a [\"1\", \"4\"] step [1, -2] : tensor<3x5xf32> -> tensor<2x3xf32>",
                    "tensor<2x3xf32>", {counting({3, 5})}),
                {9, 7, 5, 14, 12, 10});
  // One element: the step is never taken. No element: the start may lie anywhere.
  expectNumbers(run("%r = model.slice %a [\"4\"] step [-9223372036854775808] : tensor<5xf32> -> tensor<1xf32>",
                    "tensor<1xf32>", {counting({5})}),
                {4});
  expectNumbers(
      run("%r = model.slice %a [\"5\"] step [1] : tensor<5xf32> -> tensor<0xf32>", "tensor<0xf32>", {counting({5})}),
      {});
}

TEST_F(TensorOps, SliceOutOfRange) {
  const char *text = R"mlir(
func.func @main(%x: tensor<4xf32>, %n: tensor<?xf32, #model.dims<"n">>) -> tensor<?xf32, #model.dims<"n">> {
  %r = model.slice %x ["1"] step [1] : tensor<4xf32> -> tensor<?xf32, #model.dims<"n">>
  return %r : tensor<?xf32, #model.dims<"n">>
})mlir";
  EXPECT_EQ(errorOfText(text, {counting({4}), counting({3})}), "");
  EXPECT_THAT(errorOfText(text, {counting({4}), counting({4})}),
              HasSubstr("picks 4 elements from 1 by steps of 1 along axis 0, which has 4"));
}

TEST_F(TensorOps, Concat) {
  expectNumbers(run("%r = model.concat %a, %b, %a axis 1 : (tensor<2x1xf32>, tensor<2x2xf32>, tensor<2x1xf32>) -> "
                    "tensor<2x4xf32>",
                    "tensor<2x4xf32>", {tensor("f32", {2, 1}, {10, 20}), counting({2, 2})}),
                {10, 0, 1, 10, 20, 2, 3, 20});
  expectNumbers(run("%r = model.concat %a, %b axis 0 : (tensor<0x2xi8>, tensor<1x2xi8>) -> tensor<1x2xi8>",
                    "tensor<1x2xi8>", {counting({0, 2}, "i8"), counting({1, 2}, "i8")}),
                {0, 1});
  run("%r = model.concat %a, %a axis 1 : (tensor<0x2xf32>, tensor<0x2xf32>) -> tensor<0x4xf32>", "tensor<0x4xf32>",
      {counting({0, 2})});
}

TEST_F(TensorOps, Gather) {
  expectNumbers(run("%r = model.gather %a, %b axis 1 : tensor<2x3x2xf32>, tensor<2xi64> -> tensor<2x2x2xf32>",
                    "tensor<2x2x2xf32>", {counting({2, 3, 2}), i64s({2, -3})}),
                {4, 5, 0, 1, 10, 11, 6, 7});
  expectNumbers(run("%r = model.gather %a, %b axis 0 : tensor<3xi16>, tensor<i32> -> tensor<i16>", "tensor<i16>",
                    {counting({3}, "i16"), tensor("i32", {}, {1})}),
                {1});
  expectNumbers(run("%r = model.gather %a, %b axis 0 : tensor<3x2xf32>, tensor<0xi64> -> tensor<0x2xf32>",
                    "tensor<0x2xf32>", {counting({3, 2}), i64s({})}),
                {});
}

TEST_F(TensorOps, GatherOutOfRange) {
  const char *op = "%r = model.gather %a, %b axis 0 : tensor<3xf32>, tensor<2xi64> -> tensor<2xf32>";
  EXPECT_THAT(
      errorOf(op, "tensor<2xf32>", {counting({3}), i64s({0, 3})}),
      testing::AllOf(HasSubstr("model.gather"), HasSubstr("index 3, element 1 of the indices, is outside of [-3, 3)")));
  EXPECT_THAT(errorOf(op, "tensor<2xf32>", {counting({3}), i64s({-4, 0})}), HasSubstr("index -4, element 0"));
  // Picking from an empty axis is an error too, and picking nothing is none.
  EXPECT_THAT(errorOf("%r = model.gather %a, %b axis 0 : tensor<0xf32>, tensor<1xi64> -> tensor<1xf32>",
                      "tensor<1xf32>", {counting({0}), i64s({0})}),
              HasSubstr("outside of [0, 0)"));
}

TEST_F(TensorOps, GatherNd) {
  expectNumbers(run("%r = model.gather_nd %a, %b batch_dims 0 : tensor<2x3xf32>, tensor<2x2xi64> -> tensor<2xf32>",
                    "tensor<2xf32>", {counting({2, 3}), tensor("i64", {2, 2}, {1, 2, 0, -1})}),
                {5, 2});
  // One shared axis; tuples of one index pick rows.
  expectNumbers(run("%r = model.gather_nd %a, %b batch_dims 1 : tensor<2x3x2xf32>, tensor<2x1xi64> -> tensor<2x2xf32>",
                    "tensor<2x2xf32>", {counting({2, 3, 2}), tensor("i64", {2, 1}, {2, 0})}),
                {4, 5, 6, 7});
  // result[b, i] = data[b, indices[b, i, 0]]
  expectNumbers(run("%r = model.gather_nd %a, %b batch_dims 1 : tensor<2x3xi1>, tensor<2x3x1xi64> -> tensor<2x3xi1>",
                    "tensor<2x3xi1>",
                    {tensor("i1", {2, 3}, {1, 0, 0, 0, 1, 1}), tensor("i64", {2, 3, 1}, {2, 1, 0, 0, 0, 1})}),
                {0, 0, 1, 0, 0, 1});
  EXPECT_THAT(errorOf("%r = model.gather_nd %a, %b batch_dims 0 : tensor<2x3xf32>, tensor<1x2xi64> -> tensor<1xf32>",
                      "tensor<1xf32>", {counting({2, 3}), tensor("i64", {1, 2}, {1, 3})}),
              HasSubstr("index 3, element 1 of the indices, is outside of [-3, 3)"));
  run("%r = model.gather_nd %a, %b batch_dims 1 : tensor<0x3xf32>, tensor<0x4x1xi64> -> tensor<0x4xf32>",
      "tensor<0x4xf32>", {counting({0, 3}), tensor("i64", {0, 4, 1}, {})});
}

TEST_F(TensorOps, Cast) {
  auto cast = [&](const HostTensor &x, llvm::StringRef to) {
    std::string from;
    llvm::raw_string_ostream(from) << mlir::RankedTensorType::get(x.shape, x.element);
    std::string result = ("tensor<" + std::to_string(x.size()) + "x" + to + ">").str();
    return run("%r = model.cast %a : " + from + " -> " + result, result, {x});
  };
  HostTensor floats = vector("f32", {1.9, -1.9, 300, -300, 1e30, -kInf, kNan, -0.5});
  expectNumbers(cast(floats, "i8"), {1, -1, 127, -128, 127, -128, 0, 0});
  expectNumbers(cast(floats, "ui8"), {1, 0, 255, 0, 255, 0, 0, 0});
  expectNumbers(cast(floats, "i1"), {1, 1, 1, 1, 1, 1, 1, 1});
  expectNumbers(cast(vector("f32", {0, -0.0, 1e-30}), "i1"), {0, 0, 1});
  HostTensor wide = cast(vector("f64", {9.3e18, -9.3e18, 9223372036854774784.0}), "i64");
  EXPECT_EQ(wide.values<int64_t>()[0], INT64_MAX);
  EXPECT_EQ(wide.values<int64_t>()[1], INT64_MIN);
  EXPECT_EQ(wide.values<int64_t>()[2], 9223372036854774784);
  HostTensor half = cast(vector("f32", {2147483648.0, -2147483648.0, 2147483520.0}), "i32");
  expectNumbers(half, {2147483647, -2147483648.0, 2147483520.0});
  // Integers keep the low bits.
  expectNumbers(cast(i64s({300, -129, 255, 256}), "i8"), {44, 127, -1, 0});
  expectNumbers(cast(i64s({300, -1}), "ui8"), {44, 255});
  expectNumbers(cast(vector("ui8", {200, 5}), "i8"), {-56, 5});
  expectNumbers(cast(vector("ui8", {200, 5}), "i32"), {200, 5});
  expectNumbers(cast(vector("i8", {-1, 5}), "ui8"), {255, 5});
  expectNumbers(cast(i64s({0, 256, -1}), "i1"), {0, 1, 1});
  expectNumbers(cast(vector("i1", {0, 1}), "f16"), {0, 1});
  expectNumbers(cast(vector("i1", {0, 1}), "i64"), {0, 1});
  // Rounded once, ties to even: 2^53 + 1 and an i64 that would round twice through f64.
  expectNumbers(cast(i64s({9007199254740993}), "f64"), {9007199254740992.0});
  expectNumbers(cast(i64s({(int64_t(1) << 54) + (int64_t(1) << 30) + 1}), "f32"), {18014400656965632.0});
  expectNumbers(cast(vector("f32", {65519, 65520, 1e-8, -6e-8}), "f16"), {65504, kInf, 0, -5.9604644775390625e-08});
  expectNumbers(cast(vector("f32", {1.00390625, 1.01171875, 3.4e38}), "bf16"), {1, 1.015625, kInf});
  expectNumbers(cast(vector("bf16", {-1.5, kNan, kInf}), "f64"), {-1.5, kNan, kInf});
}

TEST_F(TensorOps, CastHalfExhaustively) {
  std::vector<uint16_t> bits(1 << 16);
  for (size_t i = 0; i < bits.size(); ++i)
    bits[i] = i;
  for (llvm::StringRef format : {"f16", "bf16"}) {
    HostTensor all = HostTensor::of<uint16_t>(type(format), {1 << 16}, bits);
    std::string from = ("tensor<65536x" + format + ">").str();
    HostTensor wide = run("%r = model.cast %a : " + from + " -> tensor<65536xf32>", "tensor<65536xf32>", {all});
    HostTensor back = run("%r = model.cast %a : tensor<65536xf32> -> " + from, from, {wide});
    for (size_t i = 0; i < bits.size(); ++i) {
      // An independent reading: LLVM's own conversion.
      llvm::APFloat number(format == "f16" ? llvm::APFloat::IEEEhalf() : llvm::APFloat::BFloat(), llvm::APInt(16, i));
      bool losesInfo;
      number.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
      if (number.isNaN()) {
        EXPECT_TRUE(std::isnan(wide.values<float>()[i]) && std::isnan(readFloats(back, i, 1)[0])) << i;
        continue;
      }
      ASSERT_EQ(wide.values<float>()[i], number.convertToFloat()) << i;
      ASSERT_EQ(back.values<uint16_t>()[i], i);
    }
  }
}
} // namespace
