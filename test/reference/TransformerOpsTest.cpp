// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of the ops that bear the names of a transformer's parts, attention against another way to write it.
#include "test/reference/EvaluatorFixture.h"
#include <random>

using namespace tamis::reference;
using testing::HasSubstr;

namespace {
class TransformerOps : public EvaluatorFixture {
protected:
  std::vector<double> random(int64_t count) {
    std::vector<double> values(count);
    for (double &value : values)
      value = std::uniform_real_distribution<double>(-1, 1)(generator);
    return values;
  }
  std::mt19937 generator{7};
};

TEST_F(TransformerOps, Linear) {
  HostTensor x = tensor("f32", {2, 3}, {1, 2, 3, 4, 5, 6}), b = vector("f32", {100, 200});
  expectNumbers(run("%r = model.linear %a, %b bias %c : tensor<2x3xf32>, tensor<3x2xf32>, tensor<2xf32> -> "
                    "tensor<2x2xf32>",
                    "tensor<2x2xf32>", {x, tensor("f32", {3, 2}, {7, 8, 9, 10, 11, 12}), b}),
                {158, 264, 239, 354});
  expectNumbers(run("%r = model.linear %a, %b bias %c transposed : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2xf32> -> "
                    "tensor<2x2xf32>",
                    "tensor<2x2xf32>", {x, tensor("f32", {2, 3}, {7, 9, 11, 8, 10, 12}), b}),
                {158, 264, 239, 354});
  expectNumbers(run("%r = model.linear %a, %b : tensor<2xf16>, tensor<2x1xf16> -> tensor<1xf16>", "tensor<1xf16>",
                    {vector("f16", {3, 4}), tensor("f16", {2, 1}, {1, -1})}),
                {-1});
  expectNumbers(run("%r = model.linear %a, %b transposed : tensor<0x2xf32>, tensor<3x2xf32> -> tensor<0x3xf32>",
                    "tensor<0x3xf32>", {tensor("f32", {0, 2}, {}), tensor("f32", {3, 2}, {1, 2, 3, 4, 5, 6})}),
                {});
  expectNumbers(run("%r = model.linear %a, %b bias %c : tensor<1x0xf32>, tensor<0x2xf32>, tensor<2xf32> -> "
                    "tensor<1x2xf32>",
                    "tensor<1x2xf32>", {tensor("f32", {1, 0}, {}), tensor("f32", {0, 2}, {}), b}),
                {100, 200});
}

TEST_F(TransformerOps, LayerNorm) {
  // 1, 2, 3: mean 2, mean square deviation 2/3.
  double unit = 1 / std::sqrt(2.0 / 3 + 0.5);
  expectNumbers(run("%r = model.norm layer %a scale %b bias %c axis 1 epsilon 0.5 : tensor<2x3xf64>, tensor<3xf64>, "
                    "tensor<3xf64> -> tensor<2x3xf64>",
                    "tensor<2x3xf64>",
                    {tensor("f64", {2, 3}, {1, 2, 3, 5, 5, 5}), vector("f64", {1, 10, 100}), vector("f64", {0, 7, 0})}),
                {-unit, 7, 100 * unit, 0, 7, 0}, 1e-12);
  // Over both axes, no parameters.
  expectNumbers(run("%r = model.norm layer %a axis 0 epsilon 0.0 : tensor<2x2xf64> -> tensor<2x2xf64>",
                    "tensor<2x2xf64>", {tensor("f64", {2, 2}, {1, 1, 3, 3})}),
                {-1, -1, 1, 1}, 1e-12);
}

TEST_F(TransformerOps, RmsNorm) {
  double root = std::sqrt(12.5 + 1e-5);
  expectNumbers(run("%r = model.norm rms %a scale %b axis 0 epsilon 1.0e-5 : tensor<2xf64>, tensor<2xf64> -> "
                    "tensor<2xf64>",
                    "tensor<2xf64>", {vector("f64", {3, 4}), vector("f64", {1, 2})}),
                {3 / root, 8 / root}, 1e-12);
  expectNumbers(run("%r = model.norm rms %a axis 1 epsilon 1.0e-5 : tensor<0x2xf32> -> tensor<0x2xf32>",
                    "tensor<0x2xf32>", {tensor("f32", {0, 2}, {})}),
                {});
  expectNumbers(run("%r = model.norm layer %a axis 1 epsilon 1.0e-5 : tensor<2x0xf32> -> tensor<2x0xf32>",
                    "tensor<2x0xf32>", {tensor("f32", {2, 0}, {})}),
                {});
}

TEST_F(TransformerOps, Embedding) {
  HostTensor table = tensor("bf16", {3, 2}, {0, 1, 10, 11, 20, 21});
  expectNumbers(run("%r = model.embedding %a, %b : tensor<3x2xbf16>, tensor<1x3xi64> -> tensor<1x3x2xbf16>",
                    "tensor<1x3x2xbf16>", {table, tensor("i64", {1, 3}, {2, 0, -2})}),
                {20, 21, 0, 1, 10, 11});
  const char *one = "%r = model.embedding %a, %b : tensor<3x2xbf16>, tensor<1xi32> -> tensor<1x2xbf16>";
  EXPECT_THAT(
      errorOf(one, "tensor<1x2xbf16>", {table, vector("i32", {3})}),
      testing::AllOf(HasSubstr("model.embedding"), HasSubstr("id 3, element 0 of the ids, is outside of [-3, 3)")));
  EXPECT_THAT(errorOf(one, "tensor<1x2xbf16>", {table, vector("i32", {-4})}), HasSubstr("id -4"));
}

/// Attention with few features, written over a dense probability matrix.
struct DenseAttention {
  int64_t batch, queries, keys, heads, kvHeads, width, valueWidth;
  double scale;
  bool causal = false;
  /// Added to the score of (b, h, i, j); -infinity leaves the key out.
  std::function<double(int64_t, int64_t, int64_t, int64_t)> mask = [](auto...) { return 0; };

  std::vector<double> operator()(llvm::ArrayRef<double> q, llvm::ArrayRef<double> k, llvm::ArrayRef<double> v) const {
    std::vector<double> result;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t i = 0; i < queries; ++i)
        for (int64_t h = 0; h < heads; ++h)
          for (int64_t e = 0; e < valueWidth; ++e) {
            int64_t shared = h * kvHeads / heads;
            double above = 0, below = 0;
            for (int64_t j = 0; j < keys; ++j) {
              double dot = 0;
              for (int64_t d = 0; d < width; ++d)
                dot +=
                    q[((b * queries + i) * heads + h) * width + d] * k[((b * keys + j) * kvHeads + shared) * width + d];
              double p = causal && j - (keys - queries) > i ? 0 : std::exp(dot * scale + mask(b, h, i, j));
              below += p;
              above += p * v[((b * keys + j) * kvHeads + shared) * valueWidth + e];
            }
            result.push_back(below == 0 ? 0 : above / below);
          }
    return result;
  }
};

TEST_F(TransformerOps, AttentionPlain) {
  DenseAttention dense{2, 3, 5, 4, 4, 2, 3, 0.5};
  std::vector<double> q = random(2 * 3 * 8), k = random(2 * 5 * 8), v = random(2 * 5 * 12);
  expectNumbers(
      run("%r = model.attention %a, %b, %c heads 4 kv_heads 4 scale 0.5 : tensor<2x3x8xf64>, tensor<2x5x8xf64>, "
          "tensor<2x5x12xf64> -> tensor<2x3x12xf64>",
          "tensor<2x3x12xf64>",
          {tensor("f64", {2, 3, 8}, q), tensor("f64", {2, 5, 8}, k), tensor("f64", {2, 5, 12}, v)}),
      dense(q, k, v), 1e-12);
}

TEST_F(TransformerOps, AttentionGroupedCausal) {
  DenseAttention dense{1, 3, 5, 6, 2, 2, 2, 1.5, /*causal=*/true};
  std::vector<double> q = random(3 * 12), k = random(5 * 4), v = random(5 * 4);
  expectNumbers(run("%r = model.attention %a, %b, %c heads 6 kv_heads 2 scale 1.5 causal : tensor<1x3x12xf64>, "
                    "tensor<1x5x4xf64>, tensor<1x5x4xf64> -> tensor<1x3x12xf64>",
                    "tensor<1x3x12xf64>",
                    {tensor("f64", {1, 3, 12}, q), tensor("f64", {1, 5, 4}, k), tensor("f64", {1, 5, 4}, v)}),
                dense(q, k, v), 1e-12);
}

TEST_F(TransformerOps, AttentionCausalWithFewerKeys) {
  // K < Q: the first queries keep no key and give zeros.
  HostTensor r = run("%r = model.attention %a, %b, %b heads 1 kv_heads 1 scale 1.0 causal : tensor<1x3x1xf32>, "
                     "tensor<1x1x1xf32>, tensor<1x1x1xf32> -> tensor<1x3x1xf32>",
                     "tensor<1x3x1xf32>", {tensor("f32", {1, 3, 1}, {1, 1, 1}), tensor("f32", {1, 1, 1}, {4})});
  expectNumbers(r, {0, 0, 4});
}

TEST_F(TransformerOps, AttentionFloatMask) {
  std::vector<double> mask = random(2 * 3 * 4), q = random(2 * 3 * 4), k = random(2 * 4 * 4), v = random(2 * 4 * 4);
  mask[5] = -kInf;
  DenseAttention dense{2, 3, 4, 2, 2, 2, 2, 1, false, [&](int64_t, int64_t h, int64_t i, int64_t j) {
                         return mask[(h * 3 + i) * 4 + j]; // the same for both batches
                       }};
  expectNumbers(run("%r = model.attention %a, %b, %c mask %d heads 2 kv_heads 2 scale 1.0 : tensor<2x3x4xf64>, "
                    "tensor<2x4x4xf64>, tensor<2x4x4xf64>, tensor<1x2x3x4xf64> -> tensor<2x3x4xf64>",
                    "tensor<2x3x4xf64>",
                    {tensor("f64", {2, 3, 4}, q), tensor("f64", {2, 4, 4}, k), tensor("f64", {2, 4, 4}, v),
                     tensor("f64", {1, 2, 3, 4}, mask)}),
                dense(q, k, v), 1e-12);
}

TEST_F(TransformerOps, AttentionBoolMask) {
  // Batch 0 keeps keys 0 and 2; batch 1 keeps none and gives zeros, whatever its values are.
  std::vector<double> q = random(2 * 2 * 2), k = random(2 * 3 * 2), v = random(2 * 3 * 2);
  DenseAttention dense{
      2, 2, 3, 1,     1,
      2, 2, 1, false, [](int64_t b, int64_t, int64_t, int64_t j) {
                         return b == 0 && j != 1 ? 0 : -kInf; }};
  std::vector<double> wanted = dense(q, k, v);
  v[2] = kInf; // key 1 is left out: what it holds does not matter
  v[6] = kNan;
  k[3] = kNan;
  HostTensor r = run("%r = model.attention %a, %b, %c mask %d heads 1 kv_heads 1 scale 1.0 : tensor<2x2x2xf64>, "
                     "tensor<2x3x2xf64>, tensor<2x3x2xf64>, tensor<2x1x1x3xi1> -> tensor<2x2x2xf64>",
                     "tensor<2x2x2xf64>",
                     {tensor("f64", {2, 2, 2}, q), tensor("f64", {2, 3, 2}, k), tensor("f64", {2, 3, 2}, v),
                      tensor("i1", {2, 1, 1, 3}, {1, 0, 1, 0, 0, 0})});
  expectNumbers(r, wanted, 1e-12);
  for (int i = 4; i < 8; ++i)
    EXPECT_EQ(r.values<double>()[i], 0);
}

TEST_F(TransformerOps, AttentionLargeNegativeMask) {
  // Exporters write the lowest f32 rather than -infinity: a row of nothing else is their mean, as in the exported
  // model.
  const double lowest = std::numeric_limits<float>::lowest();
  HostTensor r = run(
      "%r = model.attention %a, %b, %b mask %c heads 1 kv_heads 1 scale 1.0 : tensor<1x1x1xf32>, "
      "tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x1x1x2xf32> -> tensor<1x1x1xf32>",
      "tensor<1x1x1xf32>",
      {tensor("f32", {1, 1, 1}, {3}), tensor("f32", {1, 2, 1}, {2, 4}), tensor("f32", {1, 1, 1, 2}, {lowest, lowest})});
  expectNumbers(r, {3});
}

TEST_F(TransformerOps, AttentionOfNothing) {
  expectNumbers(run("%r = model.attention %a, %b, %b heads 1 kv_heads 1 scale 1.0 : tensor<1x2x1xf32>, "
                    "tensor<1x0x1xf32>, tensor<1x0x1xf32> -> tensor<1x2x1xf32>",
                    "tensor<1x2x1xf32>", {tensor("f32", {1, 2, 1}, {1, 2}), tensor("f32", {1, 0, 1}, {})}),
                {0, 0});
  expectNumbers(run("%r = model.attention %a, %b, %b heads 1 kv_heads 1 scale 1.0 : tensor<1x0x1xf32>, "
                    "tensor<1x2x1xf32>, tensor<1x2x1xf32> -> tensor<1x0x1xf32>",
                    "tensor<1x0x1xf32>", {tensor("f32", {1, 0, 1}, {}), tensor("f32", {1, 2, 1}, {1, 2})}),
                {});
}

TEST_F(TransformerOps, AttentionNanScore) {
  expectNumbers(run("%r = model.attention %a, %b, %b heads 1 kv_heads 1 scale 1.0 : tensor<1x1x1xf32>, "
                    "tensor<1x2x1xf32>, tensor<1x2x1xf32> -> tensor<1x1x1xf32>",
                    "tensor<1x1x1xf32>", {tensor("f32", {1, 1, 1}, {kNan}), tensor("f32", {1, 2, 1}, {1, 2})}),
                {kNan});
}
} // namespace
