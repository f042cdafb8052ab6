// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of tiled attention against the reference evaluator.
#include "codegen/tile/Attention.h"
#include "test/codegen/KernelHarness.h"
#include "llvm/ADT/Twine.h"
#include <cfloat>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
KernelMaker attentionMaker() {
  return {[](func::FuncOp kernel) { return attentionLaunch(kernel); },
          [](func::FuncOp kernel, const CpuTarget &target) { return tileAttention(kernel, target); }};
}

/// A tensor type of these sizes, each a number or the name of a symbol.
std::string tensor(std::vector<std::string> sizes, const std::string &element = "f32") {
  std::string shape, names;
  bool isDynamic = false;
  for (const std::string &size : sizes) {
    bool number = std::all_of(size.begin(), size.end(), isdigit);
    isDynamic |= !number;
    shape += (number ? size : "?") + "x";
    names += (names.empty() ? "\"" : ", \"") + size + "\"";
  }
  return "tensor<" + shape + element + (isDynamic ? ", #model.dims<" + names + ">" : "") + ">";
}

/// What a kernel computes. Queries are [b, q, heads D], keys and values [b, k, kvHeads D] and [b, k, kvHeads E].
struct AttentionText {
  int64_t heads, D;
  int64_t kvHeads = 0, E = 0; ///< 0: heads and D
  bool causal = false;
  std::vector<std::string> mask = {}; ///< sizes
  std::string maskElement = "f32";
  bool packed = false;    ///< one argument [b, s, heads (2 D + E)] holds all three; q and k are s
  bool isRounded = false; ///< the result, to bf16

  std::string str() const {
    int64_t kv = kvHeads ? kvHeads : heads, e = E ? E : D;
    std::string queries = packed ? "s" : "q", keys = packed ? "s" : "k";
    auto width = [](int64_t n) { return std::to_string(n); };
    std::string q = tensor({"b", queries, width(heads * D)}), k = tensor({"b", keys, width(kv * D)}),
                v = tensor({"b", keys, width(kv * e)}), o = tensor({"b", queries, width(heads * e)});
    std::string result = isRounded ? tensor({"b", queries, width(heads * e)}, "bf16") : o;
    std::string all = tensor({"b", "s", width(heads * D + kv * (D + e))});
    std::string m = mask.empty() ? "" : tensor(mask, maskElement);
    std::string text =
        "func.func @attention(" + (packed ? "%x: " + all : "%q: " + q + ", %k: " + k + ", %v: " + v) +
        (mask.empty() ? "" : ", %m: " + m) + ") -> " + result + " attributes {model.symbols = [" +
        "#model.symbol<\"b\", 0, 64>, " +
        (packed ? "#model.symbol<\"s\", 0, 9999>" : "#model.symbol<\"q\", 0, 9999>, #model.symbol<\"k\", 0, 9999>") +
        "]} {\n";
    auto slice = [&](const std::string &name, int64_t column, const std::string &type) {
      return name + " = model.slice %x [\"0\", \"0\", \"" + width(column) + "\"] step [1, 1, 1] : " + all + " -> " +
             type + "\n";
    };
    if (packed)
      text += slice("%q", 0, q) + slice("%k", heads * D, k) + slice("%v", (heads + kv) * D, v);
    text +=
        "%o = model.attention %q, %k, %v " + std::string(mask.empty() ? "" : "mask %m ") + "heads " + width(heads) +
        " kv_heads " + width(kv) + " scale 0.3 " + (causal ? "causal " : "") + ": " + q + ", " + k + ", " + v +
        (mask.empty() ? "" : ", " + m) + " -> " + o + "\n" +
        (isRounded ? "%r = model.cast %o : " + o + " -> " + result + "\nreturn %r : " + result : "return %o : " + o) +
        "\n}";
    return text;
  }
};

class AttentionTest : public KernelTest {
protected:
  void compile(const AttentionText &attention) {
    text = attention;
    harness = KernelHarness::create(text.str(), target(), attentionMaker());
    EXPECT_TRUE(harness) << text.str();
  }
  HostTensor any(llvm::ArrayRef<int64_t> shape, float low = -2, float high = 2) {
    return uniform(harness->context(), shape, random, low, high);
  }
  HostTensor maskOf(llvm::ArrayRef<int64_t> shape, llvm::function_ref<float(int64_t)> value) {
    int64_t count = *reference::elementCount(shape);
    if (text.maskElement == "i1") {
      std::vector<char> bytes;
      for (int64_t i = 0; i < count; ++i)
        bytes.push_back(value(i) != 0);
      return HostTensor::of<char>(IntegerType::get(harness->context(), 1), shape, bytes);
    }
    std::vector<float> numbers;
    for (int64_t i = 0; i < count; ++i)
      numbers.push_back(value(i));
    return HostTensor::of<float>(Float32Type::get(harness->context()), shape, numbers);
  }
  std::vector<HostTensor> operands(int64_t B, int64_t Q, int64_t K) {
    int64_t kv = text.kvHeads ? text.kvHeads : text.heads, E = text.E ? text.E : text.D;
    if (text.packed)
      return {any({B, Q, text.heads * text.D + kv * (text.D + E)})};
    return {any({B, Q, text.heads * text.D}), any({B, K, kv * text.D}), any({B, K, kv * E})};
  }
  void check(std::vector<HostTensor> inputs, double absolute = 5e-6) {
    if (harness)
      harness->expectMatch(inputs, absolute, 1e-5);
  }
  void checkSizes(int64_t B, int64_t Q, int64_t K) {
    SCOPED_TRACE("B " + std::to_string(B) + " Q " + std::to_string(Q) + " K " + std::to_string(K));
    if (harness)
      check(operands(B, Q, K));
  }

  AttentionText text;
  std::unique_ptr<KernelHarness> harness;
};
} // namespace

TEST_P(AttentionTest, Lengths) {
  compile({2, 32});
  for (int64_t K : {1, 2, 7, 15, 16, 17, 47, 48, 49, 63, 64, 65, 130})
    checkSizes(1, 5, K);
  for (int64_t Q : {1, 3, 4, 7, 8, 9, 63, 64, 65, 130})
    checkSizes(2, Q, 20);
  checkSizes(1, 513, 70);
  checkSizes(2, 130, 130);
}

TEST_P(AttentionTest, NoElements) {
  compile({2, 16});
  checkSizes(0, 3, 3);
  checkSizes(1, 0, 3);
  checkSizes(1, 3, 0); // a query without keys gives zeros
}

TEST_P(AttentionTest, HeadSizes) {
  for (int64_t D : {1, 5, 16, 24, 33, 64, 80, 128}) {
    SCOPED_TRACE(D);
    compile({2, D});
    checkSizes(1, 10, 70);
  }
  compile({2, 32, 2, 48});
  checkSizes(1, 9, 66);
  compile({3, 5, 3, 7});
  checkSizes(2, 9, 66);
}

TEST_P(AttentionTest, RoundedResults) {
  for (int64_t D : {8, 33, 64}) {
    AttentionText rounded{2, D};
    rounded.isRounded = true;
    compile(rounded);
    for (int64_t Q : {1, 9, 70})
      if (harness) // the next bf16, where a number lies between two
        harness->expectMatch(operands(2, Q, 20), 1e-5, 0x1p-7);
  }
}

TEST_P(AttentionTest, SharedKeyHeads) {
  compile({6, 16, 2});
  checkSizes(2, 9, 33);
  compile({4, 8, 1, 12});
  checkSizes(1, 9, 65);
}

TEST_P(AttentionTest, ColumnsOfOneBuffer) {
  AttentionText packed{4, 32};
  packed.packed = true;
  compile(packed);
  for (int64_t S : {1, 17, 64, 100})
    checkSizes(2, S, S);
}

TEST_P(AttentionTest, Causal) {
  compile({2, 32, 0, 0, /*causal=*/true});
  for (int64_t S : {1, 7, 63, 64, 65, 130})
    checkSizes(1, S, S);
  checkSizes(1, 3, 100);  // the end of a longer text
  checkSizes(1, 100, 30); // the first 70 queries keep nothing
  checkSizes(2, 600, 600);
  checkSizes(1, 600, 630); // the first group packs keys up to 414
}

// Groups that follow each other share what they pack, as far as it is of the same keys and mask.
TEST_P(AttentionTest, ManyGroups) {
  for (const char *heads : {"", "1", "4"}) {
    bool hasMask = *heads;
    compile({4, 8, 2, 0, /*causal=*/true,
             hasMask ? std::vector<std::string>{"b", heads, "1", "k"} : std::vector<std::string>{}, "i1"});
    auto inputs = operands(2, 800, 830);
    if (hasMask) {
      int64_t rows = 2 * std::stoll(heads);
      inputs.push_back(maskOf({2, rows / 2, 1, 830}, [&](int64_t i) { return (i / 830 + i) % 3 != 0; }));
    }
    check(inputs);
  }
}

TEST_P(AttentionTest, MaskShapes) {
  for (const char *element : {"f32", "i1"})
    for (auto sizes : std::vector<std::vector<std::string>>{{"b", "1", "1", "k"},
                                                            {"1", "1", "1", "k"},
                                                            {"b", "2", "q", "k"},
                                                            {"1", "1", "q", "k"},
                                                            {"1", "2", "1", "k"},
                                                            {"b", "1", "q", "1"},
                                                            {"b", "1", "1", "1"}}) {
      SCOPED_TRACE(tensor(sizes, element));
      compile({2, 16, 0, 0, false, sizes, element});
      for (auto [B, Q, K] : {std::tuple<int64_t, int64_t, int64_t>{2, 11, 70}, {1, 65, 33}, {3, 1, 1}}) {
        auto inputs = operands(B, Q, K);
        std::vector<int64_t> shape;
        for (const std::string &size : sizes)
          shape.push_back(size == "b" ? B : size == "q" ? Q : size == "k" ? K : size == "2" ? 2 : 1);
        bool isBool = text.maskElement == "i1";
        inputs.push_back(
            maskOf(shape, [&](int64_t) { return isBool ? float(random() % 2) : float(random() % 100) / 20; }));
        check(inputs);
      }
    }
}

// Values that exporters use for "not this key", whole rows of them, and whole leading blocks.
TEST_P(AttentionTest, ExcludingFloats) {
  compile({2, 16, 0, 0, false, {"b", "1", "1", "k"}});
  for (float low : {-INFINITY, -FLT_MAX, -1e9f, -10000.0f, -1e30f}) {
    SCOPED_TRACE(low);
    // Where a mask leaves some bits of the scores, rows of nothing else depend on the precision of the sum.
    bool isWhole = low <= -1e30f;
    for (int64_t K : {5, 64, 130}) {
      auto inputs = operands(4, 9, K);
      inputs.push_back(maskOf({4, 1, 1, K}, [&](int64_t i) {
        int64_t row = i / K, key = i % K;
        bool excluded = row == 0   ? key % 3 == 0       // some
                        : row == 1 ? isWhole            // all: the average, or zeros for minus infinity
                        : row == 2 ? key + 2 < K        // all but the last two
                                   : key >= 1 && K > 1; // all but the first
        return excluded ? low : 0.0f;
      }));
      check(inputs);
    }
  }
}

TEST_P(AttentionTest, ExcludingFloatsByQuery) {
  compile({2, 16, 0, 0, false, {"1", "1", "q", "k"}});
  for (float low : {-INFINITY, -FLT_MAX}) {
    auto inputs = operands(2, 70, 130);
    inputs.push_back(maskOf({1, 1, 70, 130}, [&](int64_t i) {
      int64_t query = i / 130, key = i % 130;
      return query == 3 || key > query || (query > 66 && key < 66) ? low : 0.25f;
    }));
    check(inputs);
  }
}

TEST_P(AttentionTest, ExcludingBools) {
  compile({2, 16, 0, 0, false, {"b", "1", "1", "k"}, "i1"});
  for (int64_t K : {1, 64, 130}) {
    auto inputs = operands(3, 9, K);
    inputs.push_back(maskOf({3, 1, 1, K}, [&](int64_t i) {
      int64_t row = i / K, key = i % K;
      return row == 0 ? 0.0f : row == 1 ? float(key + 1 == K) : float(key == 0);
    }));
    check(inputs);
  }
}

// Padding may be anything.
TEST_P(AttentionTest, ExcludedKeysMayHoldAnything) {
  for (std::string element : {"i1", "f32"}) {
    compile({2, 20, 0, 0, false, {"b", "1", "1", "k"}, element});
    for (int64_t K : {2, 64, 130}) {
      auto inputs = operands(2, 9, K);
      inputs.push_back(maskOf({2, 1, 1, K}, [&](int64_t i) {
        bool kept = i % 3 == 0 && i != 0;
        return element == "i1" ? float(kept) : kept ? 0.5f : -INFINITY;
      }));
      for (size_t which : {1, 2}) {
        auto *numbers = reinterpret_cast<float *>(inputs[which].bytes.data());
        for (int64_t i = 0; i < 2 * K; ++i)
          if (i % 3 != 0 || i == 0)
            std::fill_n(numbers + i * 40, 40, i % 2 ? NAN : INFINITY);
      }
      check(inputs);
    }
  }
}

TEST_P(AttentionTest, CausalAndMasked) {
  compile({2, 16, 0, 0, /*causal=*/true, {"b", "1", "1", "k"}, "i1"});
  auto inputs = operands(2, 100, 100);
  inputs.push_back(maskOf({2, 1, 1, 100}, [&](int64_t i) { return i % 7 != 0; }));
  check(inputs);
}

// Scores far apart, rising with the key: every block raises the maximum.
TEST_P(AttentionTest, LargeScores) {
  compile({1, 16});
  auto inputs = operands(1, 9, 300);
  auto *keys = reinterpret_cast<float *>(inputs[1].bytes.data());
  for (int64_t key = 0; key < 300; ++key)
    for (int64_t d = 0; d < 16; ++d)
      keys[key * 16 + d] *= key * 0.2f;
  check(inputs, 2e-4);
}

TEST_P(AttentionTest, NaNStaysInItsRow) {
  compile({1, 16});
  auto inputs = operands(1, 9, 70);
  reinterpret_cast<float *>(inputs[0].bytes.data())[3 * 16 + 2] = NAN;
  check(inputs);
}

// What a pair that is left out has is not in the result, whatever it is: by order, by a mask of pairs or of keys.
TEST_P(AttentionTest, SpecialValuesOfKeysThatAreLeftOut) {
  for (bool causal : {true, false})
    for (std::vector<std::string> mask : {std::vector<std::string>{}, {"1", "1", "q", "k"}, {"b", "1", "1", "k"}}) {
      SCOPED_TRACE(std::to_string(causal) + " " + std::to_string(mask.size()));
      AttentionText attention{2, 72};
      attention.causal = causal;
      attention.mask = mask;
      compile(attention);
      for (auto [Q, K] : {std::pair<int64_t, int64_t>{130, 130}, {9, 70}, {1, 33}}) {
        auto inputs = operands(2, Q, K);
        auto *values = reinterpret_cast<float *>(inputs[2].bytes.data());
        for (int64_t i = 0; i < 2 * K * 144; ++i)
          if (random() % 997 == 0)
            values[i] = random() % 2 ? NAN : random() % 2 ? INFINITY : -INFINITY;
        if (!mask.empty())
          inputs.push_back(maskOf({mask[0] == "b" ? 2 : 1, 1, mask[2] == "q" ? Q : 1, K},
                                  [&](int64_t) { return random() % 3 ? -INFINITY : 0; }));
        check(inputs);
      }
    }
}

INSTANTIATE_KERNEL_TEST(AttentionTest);
