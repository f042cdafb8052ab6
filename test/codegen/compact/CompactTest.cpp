// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiled kernels that compact and expand tokens, and attention of compacted queries, against the reference evaluator.
#include "codegen/tile/Compact.h"
#include "codegen/tile/Attention.h"
#include "mlir/Parser/Parser.h"
#include "test/codegen/KernelHarness.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
std::string tensor(const std::vector<std::string> &sizes, const std::string &element = "f32") {
  std::string shape, names;
  for (const std::string &size : sizes) {
    shape += (isdigit(size[0]) ? size : "?") + "x";
    names += (names.empty() ? "\"" : ", \"") + size + "\"";
  }
  return "tensor<" + shape + element + ", #model.dims<" + names + ">>";
}

/// A kernel whose last arguments are one that tells all sizes, and the stored index.
std::string function(const std::string &arguments, const std::string &result, const std::string &body) {
  return "func.func @kernel(" + arguments + ", %sizes: " + tensor({"s", "c"}) +
         ", %t: " + tensor({"b", "1", "1", "c + 1"}, "i32") + ") -> " + result +
         " attributes {model.symbols = [#model.symbol<\"b\", 0, 9>, #model.symbol<\"s\", 0, 9999>, "
         "#model.symbol<\"c\", 0, 9999>]} {\n%i = sattn.load_index %t : " +
         tensor({"b", "1", "1", "c + 1"}, "i32") + " -> !index\n" + body + "\nreturn %r : " + result + "\n}";
}

/// A row of room for c of s tokens.
std::string spellIndex(std::string text) {
  const char *index = "!sattn.index<0 x 1 token, shape [\"b\", \"1\", \"1\"], items \"s\", capacity \"c\">";
  for (size_t at; (at = text.find("!index")) != std::string::npos;)
    text.replace(at, 6, index);
  return text;
}

/// `packed`: the tokens are columns from 3 on of a wider argument.
std::string moving(bool isExpand, int64_t features, bool packed = false) {
  std::string from = isExpand ? "c" : "s", to = isExpand ? "s" : "c", f = std::to_string(features);
  std::string type = tensor({"b", from, f}), wide = tensor({"b", from, std::to_string(features + 5)});
  std::string result = tensor({"b", to, f}), body;
  if (packed)
    body = "%x = model.slice %a [\"0\", \"0\", \"3\"] step [1, 1, 1] : " + wide + " -> " + type + "\n";
  body +=
      std::string("%r = sattn.") + (isExpand ? "expand" : "compact") + " %x by %i : " + type + ", !index -> " + result;
  return spellIndex(function(packed ? "%a: " + wide : "%x: " + type, result, body));
}

class CompactTest : public KernelTest {
protected:
  void compile(const std::string &text, const KernelMaker &maker) {
    harness = KernelHarness::create(text, target(), maker);
    ASSERT_TRUE(harness) << text;
  }
  void compileMoving(bool isExpand, int64_t features, bool packed = false) {
    compile(moving(isExpand, features, packed),
            {[](func::FuncOp kernel) { return compactLaunch(kernel); },
             [](func::FuncOp kernel, const CpuTarget &cpu) { return tileCompact(kernel, cpu); }});
  }
  HostTensor any(llvm::ArrayRef<int64_t> shape) { return uniform(harness->context(), shape, random, -2, 2); }
  /// Some of S tokens in room for C, none of batch item 1, all that there is room for of batch item 2; rubbish behind
  /// them, but none that could not be an item: the evaluator reads it.
  HostTensor indexOf(int64_t B, int64_t S, int64_t C) {
    std::vector<int32_t> numbers;
    for (int64_t b = 0; b < B; ++b) {
      std::vector<int32_t> row, tokens(S);
      for (int64_t t = 0; t < S; ++t)
        tokens[t] = t;
      int64_t most = std::min(S, C), count = b == 1 ? 0 : b == 2 ? most : random() % (most + 1);
      std::sample(tokens.begin(), tokens.end(), std::back_inserter(row), count, random);
      numbers.push_back(row.size());
      row.resize(C, -77);
      numbers.insert(numbers.end(), row.begin(), row.end());
    }
    return HostTensor::of<int32_t>(IntegerType::get(harness->context(), 32), {B, 1, 1, C + 1}, numbers);
  }
  std::vector<HostTensor> withIndex(std::vector<HostTensor> inputs, int64_t B, int64_t S, int64_t C) {
    inputs.push_back(any({S, C}));
    inputs.push_back(indexOf(B, S, C));
    return inputs;
  }
  int32_t statusWith(std::vector<HostTensor> inputs, int64_t at, int32_t number) {
    memcpy(inputs.back().bytes.data() + at * sizeof number, &number, sizeof number);
    int32_t status = 0;
    harness->run(inputs, &status);
    return status;
  }
  std::unique_ptr<KernelHarness> harness;
};

using Sizes = std::tuple<int64_t, int64_t, int64_t>;
const Sizes kSizes[] = {{3, 1, 1},  {3, 9, 4},     {1, 0, 0}, {1, 5, 0},     {0, 5, 3},
                        {3, 64, 9}, {3, 130, 130}, {2, 3, 7}, {3, 1000, 150}};
} // namespace

TEST_P(CompactTest, Compact) {
  for (int64_t features : {1, 4, 16, 33, 400}) {
    compileMoving(/*isExpand=*/false, features);
    for (auto [B, S, C] : kSizes) {
      SCOPED_TRACE(std::to_string(S) + " tokens of " + std::to_string(features) + ", room for " + std::to_string(C));
      harness->expectMatch(withIndex({any({B, S, features})}, B, S, C), 0, 0);
    }
  }
}

TEST_P(CompactTest, Expand) {
  for (int64_t features : {1, 4, 16, 33, 400}) {
    compileMoving(/*isExpand=*/true, features);
    for (auto [B, S, C] : kSizes) {
      SCOPED_TRACE(std::to_string(S) + " tokens of " + std::to_string(features) + ", room for " + std::to_string(C));
      harness->expectMatch(withIndex({any({B, C, features})}, B, S, C), 0, 0);
    }
  }
}

// A few tokens a work group.
TEST_P(CompactTest, WideTokens) {
  for (bool isExpand : {false, true}) {
    compileMoving(isExpand, 7000);
    for (auto [S, C] : {std::pair<int64_t, int64_t>{11, 5}, {7, 7}})
      harness->expectMatch(withIndex({any({3, isExpand ? C : S, 7000})}, 3, S, C), 0, 0);
  }
}

TEST_P(CompactTest, ColumnsOfOneBuffer) {
  for (bool isExpand : {false, true}) {
    compileMoving(isExpand, 20, /*packed=*/true);
    harness->expectMatch(withIndex({any({3, isExpand ? 30 : 70, 25})}, 3, 70, 30), 0, 0);
  }
}

// An index that says what cannot be: the kernel tells, and reads nothing that is not there.
TEST_P(CompactTest, Faults) {
  for (bool isExpand : {false, true}) {
    compileMoving(isExpand, 300); // 54 tokens a group
    auto inputs = withIndex({any({3, isExpand ? 100 : 120, 300})}, 3, 120, 100);
    int64_t row = 2 * 101;
    EXPECT_EQ(statusWith(inputs, row, 100), 0);
    for (int32_t count : {101, -1, INT32_MAX, INT32_MIN})
      EXPECT_EQ(statusWith(inputs, row, count), 1) << count << " items";
    for (int32_t item : {120, -1, INT32_MAX, INT32_MIN})
      EXPECT_EQ(statusWith(inputs, row + 100, item), 1) << "item " << item;
    EXPECT_EQ(statusWith(inputs, row + 1, -1), 1);
  }
}

TEST(CompactKernelTest, RefusesOtherKernels) {
  auto context = createContext();
  std::string message;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    message += diagnostic.str();
    return success();
  });
  auto expectRefusal = [&](const std::string &text, llvm::StringRef wanted) {
    auto module = parseSourceString<ModuleOp>(text, context.get());
    ASSERT_TRUE(module) << message << "\n" << text;
    EXPECT_TRUE(failed(compactLaunch(*module->getOps<func::FuncOp>().begin())));
    EXPECT_NE(message.find(wanted), std::string::npos) << message;
    message.clear();
  };
  std::string text = moving(false, 4), other = text;
  for (size_t at; (at = other.find("xf32")) != std::string::npos;)
    other.replace(at, 4, "xf64");
  expectRefusal(other, "but f32 is wanted");
  other = text;
  std::string type = tensor({"b", "s", "4"});
  other.replace(other.find("%r = "), 0, "%y = model.activation relu %x : " + type + "\n");
  expectRefusal(other, "cannot be computed with a sattn.compact");
}

namespace {
/// Attention of compacted queries. Queries are [b, c, heads D], keys [b, s, kvHeads D], values [b, s, kvHeads E].
struct AttendAtText {
  int64_t heads = 2, D = 16, kvHeads = 2, E = 16;
  bool causal = false;
  std::vector<std::string> mask = {};
  std::string maskElement = "i1";

  std::string str() const {
    auto width = [](int64_t n) { return std::to_string(n); };
    std::string q = tensor({"b", "c", width(heads * D)}), k = tensor({"b", "s", width(kvHeads * D)}),
                v = tensor({"b", "s", width(kvHeads * E)}), o = tensor({"b", "c", width(heads * E)});
    std::string m = mask.empty() ? "" : tensor(mask, maskElement);
    return spellIndex(function("%q: " + q + ", %k: " + k + ", %v: " + v + (mask.empty() ? "" : ", %m: " + m), o,
                               "%r = sattn.attend_at %q, %k, %v at %i " + std::string(mask.empty() ? "" : "mask %m ") +
                                   "heads " + width(heads) + " kv_heads " + width(kvHeads) + " scale 0.3 " +
                                   (causal ? "causal " : "") + ": " + q + ", " + k + ", " + v + ", at !index" +
                                   (mask.empty() ? "" : " mask " + m) + " -> " + o));
  }
};

class AttendAtTest : public CompactTest {
protected:
  void compileAttention(const AttendAtText &attention) {
    text = attention;
    compile(text.str(), {[](func::FuncOp kernel) { return attentionLaunch(kernel); },
                         [](func::FuncOp kernel, const CpuTarget &cpu) { return tileAttention(kernel, cpu); }});
  }
  std::vector<HostTensor> operands(int64_t B, int64_t S, int64_t C) {
    std::vector<HostTensor> inputs{any({B, C, text.heads * text.D}), any({B, S, text.kvHeads * text.D}),
                                   any({B, S, text.kvHeads * text.E})};
    if (!text.mask.empty()) {
      std::vector<int64_t> shape{B, 1, text.mask[2] == "c" ? C : 1, S};
      std::vector<double> numbers(*reference::elementCount(shape));
      bool isBool = text.maskElement == "i1";
      for (double &number : numbers)
        number = isBool ? random() % 3 != 0 : random() % 3 ? double(random() % 100) / 20 : -INFINITY;
      Type element = isBool ? Type(IntegerType::get(harness->context(), 1)) : Float32Type::get(harness->context());
      inputs.push_back(HostTensor::ofNumbers(element, shape, numbers));
    }
    return withIndex(inputs, B, S, C);
  }
  void checkSizes() {
    for (auto [B, S, C] : {Sizes{3, 1, 1},
                           {3, 9, 4},
                           {1, 5, 0},
                           {0, 5, 3},
                           {3, 64, 9},
                           {3, 130, 130},
                           {2, 3, 7},
                           {3, 65, 65},
                           {3, 700, 300}}) {
      SCOPED_TRACE(std::to_string(S) + " keys, room for " + std::to_string(C) + " queries");
      harness->expectMatch(operands(B, S, C), 5e-6, 1e-5);
    }
  }
  AttendAtText text;
};
} // namespace

TEST_P(AttendAtTest, Sizes) {
  for (bool causal : {false, true}) {
    compileAttention({2, 16, 2, 16, causal});
    checkSizes();
  }
}

TEST_P(AttendAtTest, HeadsAndWidths) {
  for (bool causal : {false, true}) {
    compileAttention({6, 5, 2, 7, causal});
    checkSizes();
    compileAttention({2, 64, 1, 33, causal});
    checkSizes();
  }
}

TEST_P(AttendAtTest, Masks) {
  for (bool causal : {false, true})
    for (const char *queries : {"1", "c"})
      for (const char *element : {"i1", "f32"}) {
        compileAttention({2, 16, 2, 16, causal, {"b", "1", queries, "s"}, element});
        checkSizes();
      }
}

// What does not exist has no part in it, whatever it holds.
TEST_P(AttendAtTest, QueriesThatDoNotExist) {
  compileAttention({1, 16, 1, 16, true});
  auto inputs = operands(3, 100, 70);
  auto *index = reinterpret_cast<const int32_t *>(inputs.back().bytes.data());
  auto *queries = reinterpret_cast<float *>(inputs[0].bytes.data());
  for (int64_t b = 0; b < 3; ++b)
    for (int64_t q = index[b * 71]; q < 70; ++q)
      std::fill_n(queries + (b * 70 + q) * 16, 16, NAN);
  harness->expectMatch(inputs, 5e-6, 1e-5);
}

TEST_P(AttendAtTest, Faults) {
  for (bool causal : {false, true}) {
    compileAttention({2, 16, 2, 16, causal});
    auto inputs = operands(3, 400, 300);
    int64_t row = 2 * 301;
    EXPECT_EQ(statusWith(inputs, row, 300), 0);
    for (int32_t count : {301, -1, INT32_MAX, INT32_MIN})
      EXPECT_EQ(statusWith(inputs, row, count), 1) << count << " queries";
    for (int32_t item : {400, -1, INT32_MAX, INT32_MIN})
      EXPECT_EQ(statusWith(inputs, row + 300, item), 1) << "key " << item;
  }
}

INSTANTIATE_KERNEL_TEST(CompactTest);
INSTANTIATE_KERNEL_TEST(AttendAtTest);
