// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of linear attention against the reference evaluator.
#include "codegen/tile/LinearAttention.h"
#include "test/codegen/KernelHarness.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
/// What a kernel computes. Queries are [b, q, heads D], keys and values [b, k, kvHeads D] and [b, k, kvHeads E].
struct LinearText {
  std::string feature = "elu1";
  int64_t heads = 2, kvHeads = 1, D = 16, E = 16;
  bool causal = false;
  std::string mask = ""; ///< its elements; none: no mask
  bool packed = false;   ///< one argument [b, s, heads D + kvHeads (D + E)] holds all three

  std::string str() const {
    std::string q = packed ? "s" : "q", k = packed ? "s" : "k";
    auto tokens = [](const std::string &count, int64_t columns) {
      return "tensor<?x?x" + std::to_string(columns) + "xf32, #model.dims<\"b\", \"" + count + "\", \"" +
             std::to_string(columns) + "\">>";
    };
    std::string query = tokens(q, heads * D), key = tokens(k, kvHeads * D), value = tokens(k, kvHeads * E),
                result = tokens(q, heads * E), all = tokens(q, heads * D + kvHeads * (D + E)),
                maskType = "tensor<?x1x1x?x" + mask + ", #model.dims<\"b\", \"1\", \"1\", \"" + k + "\">>", body;
    auto slice = [&](const std::string &name, int64_t column, const std::string &type) {
      body += name + " = model.slice %x [\"0\", \"0\", \"" + std::to_string(column) + "\"] step [1, 1, 1] : " + all +
              " -> " + type + "\n";
    };
    if (packed) {
      slice("%q", 0, query);
      slice("%k", heads * D, key);
      slice("%v", (heads + kvHeads) * D, value);
    }
    return "func.func @attend(" + (packed ? "%x: " + all : "%q: " + query + ", %k: " + key + ", %v: " + value) +
           (mask.empty() ? "" : ", %m: " + maskType) + ") -> " + result +
           " attributes {model.symbols = [#model.symbol<\"b\", 0, 64>, " +
           (packed ? "#model.symbol<\"s\", 0, 99999>"
                   : "#model.symbol<\"q\", 0, 99999>, #model.symbol<\"k\", 0, 99999>") +
           "]} {\n" + body + "%o = sattn.linear_attend " + feature + " %q, %k, %v " + (mask.empty() ? "" : "mask %m ") +
           "heads " + std::to_string(heads) + " kv_heads " + std::to_string(kvHeads) + (causal ? " causal" : "") +
           " : " + query + ", " + key + ", " + value + (mask.empty() ? "" : ", " + maskType) + " -> " + result +
           "\nreturn %o : " + result + "\n}";
  }
};

class LinearAttentionTest : public KernelTest {
protected:
  void compile(const LinearText &attend) {
    text = attend;
    harness = KernelHarness::create(
        text.str(), target(),
        {[](func::FuncOp kernel) { return linearAttentionLaunch(kernel); },
         [](func::FuncOp kernel, const CpuTarget &target) { return tileLinearAttention(kernel, target); }});
    EXPECT_TRUE(harness) << text.str();
  }

  std::vector<HostTensor> operands(int64_t B, int64_t Q, int64_t K, float low = -2, float high = 2) {
    auto any = [&](int64_t count, int64_t columns) {
      return uniform(harness->context(), {B, count, columns}, random, low, high);
    };
    std::vector<HostTensor> inputs{any(Q, text.heads * text.D), any(K, text.kvHeads * text.D),
                                   any(K, text.kvHeads * text.E)};
    if (text.packed)
      inputs = {any(Q, text.heads * text.D + text.kvHeads * (text.D + text.E))};
    std::vector<float> added;
    std::vector<char> kept;
    for (int64_t i = 0; i < B * K; ++i) {
      kept.push_back(random() % 4 != 0 && i % std::max<int64_t>(K, 1) > 2); // a query may read none
      added.push_back(kept.back() ? float(random() % 100) / 50 - 1 : i % 2 ? -INFINITY : -1e30f);
    }
    if (text.mask == "i1")
      inputs.push_back(HostTensor::of<char>(IntegerType::get(harness->context(), 1), {B, 1, 1, K}, kept));
    else if (!text.mask.empty())
      inputs.push_back(HostTensor::of<float>(Float32Type::get(harness->context()), {B, 1, 1, K}, added));
    return inputs;
  }

  void check(int64_t B, int64_t Q, int64_t K) {
    SCOPED_TRACE("B " + std::to_string(B) + " Q " + std::to_string(Q) + " K " + std::to_string(K));
    if (harness)
      harness->expectMatch(operands(B, Q, K), 2e-5, 2e-5);
  }

  LinearText text;
  std::unique_ptr<KernelHarness> harness;
};

/// Around chunks of 64 on both sides, more and fewer queries than keys, and nothing at all.
const std::vector<std::pair<int64_t, int64_t>> kSizes{{0, 5},   {5, 0},    {1, 1},     {2, 2},     {1, 130},  {63, 64},
                                                      {64, 64}, {65, 65},  {64, 63},   {130, 130}, {65, 257}, {130, 2},
                                                      {3, 65},  {257, 65}, {193, 128}, {257, 257}};

TEST_P(LinearAttentionTest, Sizes) {
  using Kind = std::pair<const char *, const char *>;
  for (bool causal : {false, true})
    for (auto [feature, mask] : {Kind{"elu1", ""}, Kind{"elu1", "f32"}, Kind{"relu", "i1"}}) {
      SCOPED_TRACE(std::string(feature) + " " + mask + (causal ? " causal" : ""));
      compile({feature, 4, 2, 16, 16, causal, mask});
      for (auto [Q, K] : kSizes)
        check(2, Q, K);
    }
}

TEST_P(LinearAttentionTest, HeadSizes) {
  for (bool causal : {false, true})
    for (auto [D, E] : std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {5, 7}, {32, 24}, {33, 65}, {80, 128}}) {
      SCOPED_TRACE("D " + std::to_string(D) + " E " + std::to_string(E) + (causal ? " causal" : ""));
      compile({"elu1", 3, 3, D, E, causal});
      check(1, 70, 70);
      check(1, 66, 200);
    }
}

TEST_P(LinearAttentionTest, ColumnsOfOneBuffer) {
  for (bool causal : {false, true}) {
    LinearText packed{"elu1", 4, 2, 24, 8, causal};
    packed.packed = true;
    compile(packed);
    for (int64_t S : {1, 17, 64, 100})
      check(2, S, S);
  }
}

// Sums of thousands of keys, of which those of one sign do not cancel.
TEST_P(LinearAttentionTest, LongSequences) {
  for (bool causal : {false, true}) {
    compile({causal ? "elu1" : "relu", 1, 1, 32, 32, causal});
    check(1, 4096, 4096);
    harness->expectMatch(operands(1, 4096, 4096, 0, 3), 2e-5, 2e-5);
  }
}

// What a key holds that is left out is not looked at; features may be far from one.
TEST_P(LinearAttentionTest, OddNumbers) {
  compile({"elu1", 1, 1, 16, 16, /*causal=*/true, "i1"});
  std::vector<HostTensor> inputs = operands(1, 100, 100);
  auto numbers = inputs[3].numbers();
  for (unsigned operand : {1, 2}) {
    auto *values = reinterpret_cast<float *>(inputs[operand].bytes.data());
    for (int64_t key = 0; key < 100; ++key)
      if (numbers[key] == 0)
        std::fill_n(values + key * 16, 16, key % 2 ? NAN : INFINITY);
  }
  harness->expectMatch(inputs, 2e-5, 2e-5);
  compile({"elu1", 1, 1, 16, 16, /*causal=*/true});
  inputs = operands(1, 100, 100, -60, -10);
  harness->expectMatch(inputs, 2e-5, 2e-5);
  inputs = operands(1, 100, 100, 0, 1e6);
  harness->expectMatch(inputs, 2e-5, 2e-5);
}
} // namespace

INSTANTIATE_KERNEL_TEST(LinearAttentionTest);
