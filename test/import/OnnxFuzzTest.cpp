// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Damaged files: whatever happens to the bytes of a model, the import ends with a module or with a word.
#include "test/import/ImportFixture.h"

#include <random>

using namespace tamis;
using OnnxFuzz = ImportFixture;

namespace {
/// Small, with ops of every kind.
std::string smallModel(int opset) {
  return parseOnnx(
             "g (int64[b, s] ids, int64[b, s] mask) => (float[b, s, 2] y)"
             " <float[4, 2] words = {0, 1, 2, 3, 4, 5, 6, 7}, int64[1, 4] positions = {0, 1, 2, 3}, int64 one = {1},"
             "  int64[1] zero = {0}, int64[1] axis = {1}, float[2, 2] w = {1, 2, 3, 4}, float[2] scale = {1, 2},"
             "  int64[3] open = {0, -1, 2}> {"
             " x = Gather(words, ids) shape = Shape(ids) n = Gather(shape, one) e = Unsqueeze(n, zero)"
             " p = Slice(positions, zero, e, axis) t = Gather(words, p) a = Add(x, t) l = MatMul(a, w)"
             " h = LayerNormalization(l, scale, scale) f = Cast<to = 1>(mask) u = Unsqueeze(f, open_axes)"
             " m = Mul(h, u) r = Reshape(m, open) q = Transpose<perm = [0, 2, 1]>(r) k = MatMul(r, q)"
             " o = Softmax<axis = -1>(k) c = MatMul(o, r) y = Concat<axis = 0>(c) open_axes = Constant<value_ints = "
             "[2]>() }",
             opset)
      .SerializeAsString();
}

class Damage : public ImportFixture, public testing::WithParamInterface<int> {};

TEST_P(Damage, FlippedBytes) {
  std::string good = smallModel(GetParam());
  ASSERT_TRUE(import(write("good.onnx", good))) << messages;
  std::mt19937 random(GetParam());
  for (int round = 0; round < 250; ++round) {
    std::string bad = good;
    for (int flips = 1 + random() % 3; flips > 0; --flips)
      bad[random() % bad.size()] = static_cast<char>(random());
    bool imported = import(write("bad.onnx", bad));
    EXPECT_TRUE(imported || !messages.empty()) << "round " << round;
  }
}

TEST_P(Damage, TruncatedAtEveryEighthByte) {
  std::string good = smallModel(GetParam());
  for (size_t size = 0; size < good.size(); size += 8) {
    bool imported = import(write("bad.onnx", llvm::StringRef(good).take_front(size)));
    EXPECT_TRUE(imported || !messages.empty()) << "at " << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Opsets, Damage, testing::Values(17, 27));
} // namespace
