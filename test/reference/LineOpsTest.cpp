// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of ops that walk along an axis, and of those that write at places known at run time.
#include "test/reference/EvaluatorFixture.h"

using namespace tamis::reference;
using testing::HasSubstr;

namespace {
class LineOps : public EvaluatorFixture {
protected:
  HostTensor cumulative(const std::string &how, const HostTensor &x) {
    std::string type;
    llvm::raw_string_ostream(type) << mlir::RankedTensorType::get(x.shape, x.element);
    return run("%r = model.cumulative " + how + " : " + type, type, {x});
  }
};

TEST_F(LineOps, Cumulative) {
  HostTensor x = tensor("i32", {2, 3}, {1, 2, 3, 4, 5, 6});
  expectNumbers(cumulative("sum %a axis 1", x), {1, 3, 6, 4, 9, 15});
  expectNumbers(cumulative("sum %a axis 0", x), {1, 2, 3, 5, 7, 9});
  expectNumbers(cumulative("sum %a axis 1 exclusive", x), {0, 1, 3, 0, 4, 9});
  expectNumbers(cumulative("sum %a axis 1 reverse", x), {6, 5, 3, 15, 11, 6});
  expectNumbers(cumulative("prod %a axis 1 exclusive reverse", x), {6, 3, 1, 30, 6, 1});
  expectNumbers(cumulative("sum %a axis 0", vector("ui8", {200, 100})), {200, 44});
  cumulative("sum %a axis 1", tensor("f32", {2, 0}, {}));
}

TEST_F(LineOps, TopK) {
  HostTensor x = tensor("f32", {2, 4}, {1, 3, 3, 2, kNan, -kInf, 7, kNan});
  auto top = [&](const std::string &how, const std::string &from, const std::string &to, const HostTensor &x) {
    return run("%r = model.top_k %a axis " + how + " : " + from + " -> " + to, to, {x});
  };
  expectNumbers(top("1", "tensor<2x4xf32>", "tensor<2x3xi64>", x), {1, 2, 3, 0, 3, 2});
  expectNumbers(top("1 smallest", "tensor<2x4xf32>", "tensor<2x4xi64>", x), {0, 3, 1, 2, 1, 2, 0, 3});
  expectNumbers(top("0", "tensor<2x2xi32>", "tensor<1x2xi64>", tensor("i32", {2, 2}, {-1, 5, 0, 4})), {1, 0});
  // Numbers that only count as large without a sign.
  HostTensor wide = i64s({-1, 5, INT64_MIN});
  wide.element = type("ui64");
  expectNumbers(top("0", "tensor<3xui64>", "tensor<3xi64>", wide), {0, 2, 1});
}

TEST_F(LineOps, Scatter) {
  HostTensor x = tensor("f32", {2, 3}, {1, 2, 3, 4, 5, 6}), at = tensor("i64", {3, 2}, {0, 1, -1, 2, 0, -2});
  HostTensor y = vector("f32", {10, 20, 30});
  auto scatter = [&](const std::string &kind) {
    return run("%r = model.scatter " + kind +
                   " %a, %b, %c batch_dims 0 : tensor<2x3xf32>, tensor<3x2xi64>, tensor<3xf32>",
               "tensor<2x3xf32>", {x, at, y});
  };
  expectNumbers(scatter("write"), {1, 30, 3, 4, 5, 20});
  expectNumbers(scatter("sum"), {1, 42, 3, 4, 5, 26});
  expectNumbers(scatter("prod"), {1, 600, 3, 4, 5, 120});
  expectNumbers(scatter("max"), {1, 30, 3, 4, 5, 20});
  expectNumbers(scatter("min"), {1, 2, 3, 4, 5, 6});
  // result[b, indices[b, i, 0], :] = updates[b, i, :]
  expectNumbers(
      run("%r = model.scatter write %a, %b, %c batch_dims 1 : tensor<2x2x1xi1>, tensor<2x1x1xi64>, "
          "tensor<2x1x1xi1>",
          "tensor<2x2x1xi1>",
          {tensor("i1", {2, 2, 1}, {0, 0, 0, 0}), tensor("i64", {2, 1, 1}, {1, 0}), tensor("i1", {2, 1, 1}, {1, 1})}),
      {0, 1, 1, 0});
  at = tensor("i64", {3, 2}, {0, 1, 1, 3, 0, 0});
  EXPECT_THAT(errorOf("%r = model.scatter write %a, %b, %c batch_dims 0 : tensor<2x3xf32>, tensor<3x2xi64>, "
                      "tensor<3xf32>",
                      "tensor<2x3xf32>", {x, at, y}),
              HasSubstr("index 3, element 3 of the indices, is outside of [-3, 3)"));
}
} // namespace
