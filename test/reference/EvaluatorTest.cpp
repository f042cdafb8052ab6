// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Binding of symbols, weights, limits, the observer, and what hostile inputs get for an answer.
#include "test/reference/EvaluatorFixture.h"

#include "dialects/model/ModelDialect.h"

using namespace tamis::reference;
using testing::HasSubstr;

namespace {
using Evaluator = EvaluatorFixture;

const char *const kAddPositions = R"mlir(
func.func @main(%ids: tensor<?x?xi64, #model.dims<"batch", "sequence">> {model.name = "input_ids"},
                %shift: tensor<?xi64, #model.dims<"sequence">> {model.name = "shift"})
    -> tensor<?x?xi64, #model.dims<"batch", "sequence">>
    attributes {model.symbols = [#model.symbol<"batch", 1, 4>, #model.symbol<"sequence", 2, 8>]} {
  %0 = model.elementwise add %ids, %shift : (tensor<?x?xi64, #model.dims<"batch", "sequence">>,
      tensor<?xi64, #model.dims<"sequence">>) -> tensor<?x?xi64, #model.dims<"batch", "sequence">>
  return %0 : tensor<?x?xi64, #model.dims<"batch", "sequence">>
})mlir";

TEST_F(Evaluator, BindsSymbols) {
  auto results = evaluateText(kAddPositions, {tensor("i64", {2, 3}, {1, 2, 3, 4, 5, 6}), i64s({10, 20, 30})});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  expectNumbers((*results)[0], {11, 22, 33, 14, 25, 36});
  EXPECT_EQ((*results)[0].shape, (llvm::SmallVector<int64_t>{2, 3}));
}

TEST_F(Evaluator, NamesTheWrongInput) {
  HostTensor ids = tensor("i64", {1, 3}, {1, 2, 3});
  EXPECT_EQ(errorOfText(kAddPositions, {ids}), "the model takes 2 inputs but 1 are given");
  EXPECT_EQ(errorOfText(kAddPositions, {ids, i64s({1, 2})}),
            "input 1 (\"shift\") has 2 along axis 0, named \"sequence\", which is 3 by input 0 (\"input_ids\")");
  EXPECT_EQ(errorOfText(kAddPositions, {ids, vector("i32", {1, 2, 3})}),
            "input 1 (\"shift\") has elements of type i32 but i64 is wanted");
  EXPECT_EQ(errorOfText(kAddPositions, {i64s({1, 2, 3}), i64s({1, 2, 3})}),
            "input 0 (\"input_ids\") has shape [3] but 2 axes are wanted");
  EXPECT_EQ(errorOfText(kAddPositions, {tensor("i64", {1, 1}, {1}), i64s({1})}),
            "input 0 (\"input_ids\") gives \"sequence\" the value 1 but 2 to 8 is wanted");
  EXPECT_EQ(errorOfText(kAddPositions, {tensor("i64", {5, 2}, std::vector<double>(10)), i64s({1, 2})}),
            "input 0 (\"input_ids\") gives \"batch\" the value 5 but 1 to 4 is wanted");
}

TEST_F(Evaluator, HostileShapes) {
  HostTensor bytesMissing{type("i64"), {1, 3}, std::vector<char>(23)}, negative{type("i64"), {-1, 3}, {}};
  HostTensor overflow{type("i64"), {int64_t(1) << 62, int64_t(1) << 62}, {}},
      wrap{type("i64"), {1, int64_t(1) << 61}, {}};
  HostTensor shift = i64s({1, 2, 3});
  EXPECT_EQ(errorOfText(kAddPositions, {bytesMissing, shift}), "input 0 (\"input_ids\") has shape [1, 3] but 23 bytes");
  EXPECT_EQ(errorOfText(kAddPositions, {negative, shift}), "input 0 (\"input_ids\") has shape [-1, 3] but 0 bytes");
  EXPECT_THAT(errorOfText(kAddPositions, {overflow, shift}), HasSubstr("but 0 bytes"));
  EXPECT_THAT(errorOfText(kAddPositions, {wrap, shift}), HasSubstr("but 0 bytes"));
}

TEST_F(Evaluator, SizesThatFollowFromSymbols) {
  const char *text = R"mlir(
func.func @main(%mask: tensor<?xi1, #model.dims<"past + s">> {model.name = "mask"},
                %past: tensor<?xi1, #model.dims<"past">>, %x: tensor<?x2xi1, #model.dims<"s", "2">>)
    -> tensor<?xi1, #model.dims<"past + s">> {
  return %mask : tensor<?xi1, #model.dims<"past + s">>
})mlir";
  auto bools = [&](std::vector<int64_t> shape) { return HostTensor::zeros(type("i1"), shape); };
  EXPECT_EQ(errorOfText(text, {bools({5}), bools({3}), bools({2, 2})}), "");
  EXPECT_EQ(errorOfText(text, {bools({4}), bools({3}), bools({2, 2})}),
            "input 0 (\"mask\") has 4 along axis 0 but past + s, which is 5, is wanted");
  EXPECT_EQ(errorOfText(text, {bools({5}), bools({3}), bools({2, 3})}), "input 2 has 3 along axis 1 but 2 is wanted");
  EXPECT_EQ(errorOfText("func.func @main(%x: tensor<?xi1, #model.dims<\"2*n\">>) { return }", {bools({4})}),
            "input 0 has the size \"2*n\" along axis 0, which no input determines");
  EXPECT_THAT(errorOfText("func.func @main(%x: tensor<?xi1>) { return }", {bools({4})}), HasSubstr("not supported"));
}

TEST_F(Evaluator, Weights) {
  // Bytes at an odd address, as a file may hold them.
  std::vector<char> file(1 + 3 * sizeof(float));
  const float values[] = {1, 2, 3};
  std::memcpy(file.data() + 1, values, sizeof(values));
  auto f32x3 = mlir::cast<mlir::RankedTensorType>(type("tensor<3xf32>"));
  ASSERT_FALSE(bool(weights.add("w", f32x3, llvm::ArrayRef(file).drop_front(1))));
  const char bools[] = {0, 1, 77};
  auto i1x3 = mlir::cast<mlir::RankedTensorType>(type("tensor<3xi1>"));
  ASSERT_FALSE(bool(weights.add("b", i1x3, weights.keep(bools))));

  expectNumbers(run("%w = model.weight \"w\" : tensor<3xf32>\n"
                    "%r = model.elementwise mul %w, %w : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>",
                    "tensor<3xf32>", {}),
                {1, 4, 9});
  expectNumbers(run("%r = model.weight \"w\" : tensor<3xf32>", "tensor<3xf32>", {}), {1, 2, 3});
  EXPECT_EQ(run("%r = model.weight \"b\" : tensor<3xi1>", "tensor<3xi1>", {}).bytes, (std::vector<char>{0, 1, 1}));
  EXPECT_THAT(errorOf("%r = model.weight \"v\" : tensor<3xf32>", "tensor<3xf32>", {}),
              HasSubstr("the model's files hold no weight \"v\""));
  EXPECT_THAT(errorOf("%r = model.weight \"w\" : tensor<1x3xf32>", "tensor<1x3xf32>", {}),
              HasSubstr("weight \"w\" is tensor<3xf32> but tensor<1x3xf32> is wanted"));
  EXPECT_THAT(errorOf("%r = model.weight \"w\" : tensor<3xi32>", "tensor<3xi32>", {}),
              HasSubstr("weight \"w\" is tensor<3xf32> but tensor<3xi32> is wanted"));
}

TEST_F(Evaluator, ResultSizes) {
  const char *text = R"mlir(
func.func @main(%x: tensor<?xf32, #model.dims<"n">>) -> tensor<?xi64, #model.dims<"n - 3">> {
  %0 = model.iota "0" step "1" : tensor<?xi64, #model.dims<"n - 3">>
  return %0 : tensor<?xi64, #model.dims<"n - 3">>
})mlir";
  EXPECT_EQ(errorOfText(text, {vector("f32", {1, 2, 3})}), "");
  EXPECT_THAT(errorOfText(text, {vector("f32", {1, 2})}), HasSubstr("has the size n - 3, which is -1"));
}

TEST_F(Evaluator, TooLarge) {
  const char *large = "%r = model.iota \"0\" step \"1\" : tensor<1099511627776xi64>";
  EXPECT_THAT(errorOf(large, "tensor<1099511627776xi64>", {}),
              HasSubstr("gives a tensor of shape [1099511627776], which is more than 4294967296 bytes"));
  const char *overflow = "%r = model.broadcast %a : tensor<1xi64> -> tensor<4294967296x4294967296x4294967296xi64>";
  EXPECT_THAT(errorOf(overflow, "tensor<4294967296x4294967296x4294967296xi64>", {i64s({1})}), HasSubstr("more than"));
  options.maxTensorBytes = 23;
  EXPECT_THAT(errorOf("%r = model.iota \"0\" step \"1\" : tensor<3xi64>", "tensor<3xi64>", {}),
              HasSubstr("more than 23"));
  options.maxTensorBytes = 24;
  EXPECT_EQ(errorOf("%r = model.iota \"0\" step \"1\" : tensor<3xi64>", "tensor<3xi64>", {}), "");
}

TEST_F(Evaluator, LocatesErrors) {
  const char *text = R"mlir(
func.func @main(%t: tensor<2x1xf32>, %ids: tensor<1xi64>) -> tensor<1x1xf32> {
  %0 = model.embedding %t, %ids : tensor<2x1xf32>, tensor<1xi64> -> tensor<1x1xf32> loc("model.onnx":7:3)
  return %0 : tensor<1x1xf32>
})mlir";
  EXPECT_EQ(errorOfText(text, {tensor("f32", {2, 1}, {1, 2}), i64s({2})}),
            "model.embedding (model.onnx:7:3): id 2, element 0 of the ids, is outside of [-2, 2)");
}

TEST_F(Evaluator, OtherOps) {
  const char *call = R"mlir(
func.func private @other(tensor<1xf32>) -> tensor<1xf32>
func.func @main(%x: tensor<1xf32>) -> tensor<1xf32> {
  %0 = func.call @other(%x) : (tensor<1xf32>) -> tensor<1xf32>
  return %0 : tensor<1xf32>
})mlir";
  EXPECT_THAT(errorOfText(call, {vector("f32", {1})}), HasSubstr("func.call"));
  EXPECT_THAT(errorOfText("func.func private @main()", {}), HasSubstr("has 0 blocks but one is wanted"));
}

TEST_F(Evaluator, ObserverSeesEveryResult) {
  std::vector<std::string> seen;
  options.observer = [&](mlir::Operation *op, const HostTensor &result) {
    seen.push_back(op->getName().getStringRef().str() + " " + std::to_string(result.numbers()[0]));
  };
  expectNumbers(run("%0 = model.constant dense<2.0> : tensor<1xf32>\n"
                    "%dead = model.elementwise neg %a : (tensor<1xf32>) -> tensor<1xf32>\n"
                    "%1 = model.elementwise mul %a, %0 : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>\n"
                    "%r = model.elementwise add %1, %1 : (tensor<1xf32>, tensor<1xf32>) -> tensor<1xf32>",
                    "tensor<1xf32>", {vector("f32", {3})}),
                {12});
  EXPECT_THAT(seen, testing::ElementsAre("model.constant 2.000000", "model.elementwise -3.000000",
                                         "model.elementwise 6.000000", "model.elementwise 12.000000"));
}

TEST_F(Evaluator, ResultsMayRepeatAndBeInputs) {
  const char *text = R"mlir(
func.func @main(%x: tensor<1xf32>, %unused: tensor<1xf32>) -> (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) {
  %0 = model.elementwise neg %x : (tensor<1xf32>) -> tensor<1xf32>
  return %0, %x, %0 : tensor<1xf32>, tensor<1xf32>, tensor<1xf32>
})mlir";
  auto results = evaluateText(text, {vector("f32", {3}), vector("f32", {4})});
  ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
  expectNumbers((*results)[0], {-3});
  expectNumbers((*results)[1], {3});
  expectNumbers((*results)[2], {-3});
}
} // namespace
