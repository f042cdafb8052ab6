// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What tiled selections keep, against the reference evaluator, on numbers whose sums are exact.
#include "codegen/tile/Select.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Parser/Parser.h"
#include "test/codegen/KernelHarness.h"
#include <cfloat>
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

namespace {
using Sizes = std::vector<DimExpr>;

DimExpr expr(const std::string &text) {
  return *DimExpr::parse(text);
}

std::string quoted(const Sizes &sizes) {
  std::string text;
  for (const DimExpr &size : sizes)
    text += (text.empty() ? "\"" : ", \"") + size.str() + "\"";
  return text;
}

std::string tensor(const Sizes &sizes, const std::string &element = "f32") {
  std::string shape;
  bool isDynamic = false;
  for (const DimExpr &size : sizes) {
    shape += (size.constant() ? std::to_string(*size.constant()) : "?") + "x";
    isDynamic |= !size.constant();
  }
  return "tensor<" + shape + element + (isDynamic ? ", #model.dims<" + quoted(sizes) + ">" : "") + ">";
}

struct Bands {
  int64_t before = 0, after = 0, sinks = 0;
};

/// What a kernel computes. Queries are [b, q, heads D], keys [b, k, kvHeads D].
struct SelectText {
  std::string budget = "count 3.0", capacity = "3";
  int64_t heads = 2, D = 16, kvHeads = 2;
  int64_t R = 1, C = 1; ///< operands are summaries of as many tokens, or tokens
  std::string queryKind = "mean", keyKind = "mean";
  bool causal = false, masked = false;
  int64_t sinks = 0, local = 0;
  std::optional<Bands> bands = {};
  std::optional<int64_t> joined = {}; ///< rows of the stored index
  std::string queries = "q", keys = "k", batch = "b";
  bool packed = false; ///< one argument [b, s, (heads + kvHeads) D] holds both
  bool given = false;  ///< the argument is the scores, [b, heads, rows, items]

  std::string str() const {
    DimExpr b = expr(batch), q = expr(packed ? "s" : queries), k = expr(packed ? "s" : keys);
    DimExpr rows = sattn::rowCount(q, R), items = sattn::ceilDiv(k, C), room = DimExpr::min(items, expr(capacity));
    std::string queryType = tensor({b, q, heads * D}), keyType = tensor({b, k, kvHeads * D});
    std::string allType = tensor({b, k, (heads + kvHeads) * D}), maskType = tensor({b, 1, 1, k}, "i1");
    std::string unit = C == 1 ? " token" : " block";
    auto index = [&](int64_t r, const Sizes &shape, const DimExpr &most) {
      return "!sattn.index<" + std::to_string(r) + " x " + std::to_string(C) + unit + ", shape [" + quoted(shape) +
             "], items \"" + items.str() + "\", capacity \"" + most.str() + "\">";
    };
    std::string masking = masked ? " mask %m" : "", maskSuffix = masked ? ", " + maskType : "";
    std::string body, sizes = " queries \"" + q.str() + "\" keys \"" + k.str() + "\" ";
    if (packed)
      body += "%q = model.slice %x [\"0\", \"0\", \"0\"] step [1, 1, 1] : " + allType + " -> " + queryType +
              "\n%k = model.slice %x [\"0\", \"0\", \"" + std::to_string(heads * D) +
              "\"] step [1, 1, 1] : " + allType + " -> " + keyType + "\n";
    auto operand = [&](const char *name, const std::string &kind, int64_t width, int64_t count, const std::string &type,
                       const DimExpr &vectors, bool hasMask) {
      if (width == 1 && kind == "mean")
        return std::pair(std::string(name), type);
      int64_t columns = sattn::summaryColumns(*sattn::symbolizeSummaryKind(kind), D, width);
      std::string summary = tensor({b, count, vectors, columns});
      body += std::string(name) + "s = sattn.summarize " + kind + " " + name + (hasMask ? masking : "") + " heads " +
              std::to_string(count) + " width " + std::to_string(width) + " : " + type + (hasMask ? maskSuffix : "") +
              " -> " + summary + "\n";
      return std::pair(std::string(name) + "s", summary);
    };
    std::string scores = tensor({b, heads, rows, items});
    if (!given) {
      auto [query, queryForm] = operand("%q", queryKind, R, heads, queryType, rows, masked && q == k);
      auto [key, keyForm] = operand("%k", keyKind, C, kvHeads, keyType, items, masked);
      body += "%s = sattn.score " + query + ", " + key + " heads " + std::to_string(heads) + " kv_heads " +
              std::to_string(kvHeads) + " : " + queryForm + ", " + keyForm + " -> " + scores + "\n";
    }
    std::string candidates = index(R, {1, 1, rows}, items), selected = index(R, {b, heads, rows}, room);
    if (bands)
      body += "%c = sattn.bands before " + std::to_string(bands->before) + " after " + std::to_string(bands->after) +
              " sinks " + std::to_string(bands->sinks) + sizes + ": " + candidates + "\n";
    body += "%i = sattn.select #sattn.budget<" + budget + "> %s" + (bands ? " among %c" : "") + masking + sizes +
            (sinks ? "sinks " + std::to_string(sinks) + " " : "") +
            (local ? "local " + std::to_string(local) + " " : "") + (causal ? "causal " : "") + ": " + scores +
            (bands ? ", among " + candidates : "") + (masked ? " mask " + maskType : "") + " -> " + selected + "\n";
    std::string last = "%i", stored = selected;
    DimExpr storedRows = rows, storedRoom = room;
    if (joined) {
      storedRows = sattn::rowCount(q, *joined);
      storedRoom = items;
      stored = index(*joined, {b, heads, storedRows}, storedRoom);
      body += "%j = sattn.coarsen %i : " + selected + " -> " + stored + "\n";
      last = "%j";
    }
    std::string result = tensor({b, heads, storedRows, storedRoom + 1}, "i32");
    body += "%t = sattn.store_index " + last + " : " + stored + " -> " + result + "\nreturn %t : " + result + "\n";
    std::string symbols;
    for (const std::string &name : packed ? std::vector<std::string>{batch, "s"} : std::vector{batch, queries, keys})
      if (!expr(name).constant() && symbols.find("\"" + name + "\"") == std::string::npos)
        symbols += (symbols.empty() ? "" : ", ") + ("#model.symbol<\"" + name + "\", 0, 99999>");
    return "func.func @select(" +
           (given    ? "%s: " + scores
            : packed ? "%x: " + allType
                     : "%q: " + queryType + ", %k: " + keyType) +
           (masked ? ", %m: " + maskType : "") + ") -> " + result + " attributes {model.symbols = [" + symbols +
           "]} {\n" + body + "}";
  }
};

class SelectTest : public KernelTest {
protected:
  void compile(const SelectText &select) {
    text = select;
    harness =
        KernelHarness::create(text.str(), target(),
                              {[](func::FuncOp kernel) { return selectLaunch(kernel); },
                               [](func::FuncOp kernel, const CpuTarget &cpu) { return tileSelect(kernel, cpu); }});
    EXPECT_TRUE(harness) << text.str();
  }
  HostTensor floats(llvm::ArrayRef<int64_t> shape, llvm::function_ref<float(int64_t)> value) {
    std::vector<float> numbers;
    for (int64_t i = 0; i < *reference::elementCount(shape); ++i)
      numbers.push_back(value(i));
    return HostTensor::of<float>(Float32Type::get(harness->context()), shape, numbers);
  }
  /// Multiples of `unit`, which makes means whole numbers. Few of them, so that many scores are equal.
  HostTensor whole(llvm::ArrayRef<int64_t> shape) {
    return floats(shape, [&](int64_t) { return unit * float(int64_t(random() % (2 * range + 1)) - range); });
  }
  HostTensor maskOf(int64_t B, int64_t K, llvm::function_ref<bool(int64_t b, int64_t k)> isKept) {
    std::vector<char> bytes;
    for (int64_t i = 0; i < B * K; ++i)
      bytes.push_back(isKept(i / K, i % K));
    return HostTensor::of<char>(IntegerType::get(harness->context(), 1), {B, 1, 1, K}, bytes);
  }
  std::vector<HostTensor> operands(int64_t B, int64_t Q, int64_t K) {
    std::vector<HostTensor> inputs;
    if (text.given)
      inputs = {whole({B, text.heads, text.R ? (Q + text.R - 1) / text.R : 1, (K + text.C - 1) / text.C})};
    else if (text.packed)
      inputs = {whole({B, K, (text.heads + text.kvHeads) * text.D})};
    else
      inputs = {whole({B, Q, text.heads * text.D}), whole({B, K, text.kvHeads * text.D})};
    if (text.masked) // the second batch item keeps none, the third the last alone
      inputs.push_back(maskOf(B, K, [&](int64_t b, int64_t k) {
        return b == 1 ? false : b == 2 ? k + 1 == K : random() % 3 != 0;
      }));
    return inputs;
  }
  void check(std::vector<HostTensor> inputs) {
    if (harness)
      harness->expectMatch(inputs, 0, 0);
  }
  void checkSizes(int64_t B, int64_t Q, int64_t K) {
    SCOPED_TRACE("B " + std::to_string(B) + " Q " + std::to_string(Q) + " K " + std::to_string(K) + " budget " +
                 text.budget);
    if (harness)
      check(operands(B, Q, K));
  }

  SelectText text;
  float unit = 1;
  int64_t range = 2;
  std::unique_ptr<KernelHarness> harness;
};

const std::pair<const char *, const char *> kBudgets[] = {
    {"count 1.0", "1"},     {"count 5.0", "5"},     {"count 70.0", "70"},    {"fraction 0.3", "k"},
    {"fraction 0.01", "k"}, {"fraction 1.0", "k"},  {"mass 0.613", "k"},     {"mass 0.031", "k"},
    {"share 0.613", "k"},   {"threshold 3.0", "k"}, {"threshold -2.5", "k"}, {"threshold 1.0e300", "k"},
    {"quantile 0.0", "k"},  {"quantile 0.777", "k"}};
// One of each kind.
const std::pair<const char *, const char *> kKinds[] = {{"count 5.0", "5"},     {"fraction 0.3", "k"},
                                                        {"mass 0.613", "k"},    {"share 0.613", "k"},
                                                        {"threshold 3.0", "k"}, {"quantile 0.777", "k"}};
} // namespace

TEST_P(SelectTest, TokensByTokens) {
  for (auto [budget, capacity] : kBudgets) {
    compile({budget, capacity});
    for (int64_t K : {0, 1, 2, 7, 63, 64, 65, 130})
      checkSizes(1, 3, K);
    for (int64_t Q : {0, 1, 2, 4, 15, 16, 17, 129})
      checkSizes(2, Q, 20);
    checkSizes(0, 3, 3);
  }
}

TEST_P(SelectTest, Causal) {
  for (auto [budget, capacity] : kKinds) {
    SelectText causal{budget, capacity};
    causal.causal = true;
    compile(causal);
    for (int64_t S : {1, 2, 17, 64, 65, 150})
      checkSizes(1, S, S);
    checkSizes(2, 3, 100);
    checkSizes(2, 100, 30); // the first 70 rows are empty
  }
}

TEST_P(SelectTest, FirstAndLocalItems) {
  for (auto [budget, capacity] : {std::pair("count 3.0", "6"),
                                  {"count 9.0", "9"},
                                  {"fraction 0.1", "k"},
                                  {"mass 0.613", "k"},
                                  {"share 0.613", "k"},
                                  {"threshold 3.0", "k"},
                                  {"quantile 0.777", "k"}})
    for (bool causal : {false, true}) {
      SelectText select{budget, capacity};
      select.causal = causal;
      select.sinks = 2;
      select.local = 4;
      compile(select);
      for (int64_t K : {0, 1, 2, 5, 6, 7, 70})
        checkSizes(1, 5, K);
      checkSizes(1, 70, 70);
      checkSizes(1, 30, 11);
    }
}

TEST_P(SelectTest, Masks) {
  for (auto [budget, capacity] : kKinds) {
    SelectText select{budget, capacity};
    select.masked = true;
    select.sinks = 1;
    select.capacity = "k";
    compile(select);
    for (int64_t K : {0, 1, 2, 65, 130})
      checkSizes(3, 5, K);
  }
}

// Summaries of both, as block_top_k has them.
TEST_P(SelectTest, BlocksByBlocks) {
  unit = 12;
  for (auto [budget, capacity] : kKinds)
    for (bool causal : {false, true}) {
      SelectText select{budget, capacity};
      select.R = select.C = 4;
      select.causal = causal;
      select.local = 1;
      select.keys = select.queries;
      select.masked = causal;
      select.capacity = "q";
      compile(select);
      for (int64_t S : {0, 1, 2, 4, 5, 7, 63, 129, 300})
        checkSizes(3, S, S);
    }
}

TEST_P(SelectTest, SummaryKinds) {
  unit = 840;
  range = 1;
  for (std::string kind : {"mean", "max", "min"})
    for (auto [R, C] : {std::pair<int64_t, int64_t>{1, 8}, {8, 1}, {8, 4}, {2, 8}})
      for (bool masked : {false, true}) {
        if (!masked && kind != "mean")
          continue;
        SCOPED_TRACE(kind + " " + std::to_string(R) + " x " + std::to_string(C));
        SelectText select{"count 3.0", "3"};
        select.D = 8;
        select.R = R;
        select.C = C;
        select.queryKind = select.keyKind = kind;
        select.masked = masked;
        compile(select);
        for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {64, 7}, {40, 150}})
          checkSizes(3, Q, K);
      }
}

// What a query has at most in common with a page, as page_bounds has it.
TEST_P(SelectTest, BoundsOfPages) {
  unit = 12;
  for (auto [D, R, C] : {std::tuple<int64_t, int64_t, int64_t>{8, 1, 4}, {5, 1, 1}, {19, 4, 3}, {40, 2, 16}})
    for (bool masked : {false, true}) {
      SCOPED_TRACE(std::to_string(D) + " columns " + std::to_string(R) + " x " + std::to_string(C));
      SelectText select{"count 3.0", "3"};
      select.D = D;
      select.R = R;
      select.C = C;
      select.kvHeads = R == 4 ? 1 : 2;
      select.queryKind = "signs";
      select.keyKind = "bounds";
      select.masked = masked;
      select.causal = !masked;
      select.local = 1;
      compile(select);
      for (auto [Q, K] : {std::pair<int64_t, int64_t>{0, 1}, {1, 1}, {9, 33}, {64, 7}, {40, 300}})
        checkSizes(3, Q, K);
    }
}

// Sums of products on antidiagonals, as antidiagonal has them.
TEST_P(SelectTest, StackedTokens) {
  for (auto [D, width] : {std::pair<int64_t, int64_t>{8, 2}, {5, 3}, {24, 4}, {33, 16}, {4, 1}})
    for (bool masked : {false, true})
      for (bool reversed : {false, true}) {
        SCOPED_TRACE(std::to_string(D) + " columns " + std::to_string(width));
        SelectText select{"count 3.0", "3"};
        select.D = D;
        select.R = select.C = width;
        select.queryKind = reversed ? "stack_reversed" : "stack";
        select.keyKind = "stack";
        select.masked = masked;
        select.causal = !masked;
        if (reversed)
          select.keys = select.queries;
        compile(select);
        for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {9, 33}, {64, 7}, {40, 150}})
          checkSizes(3, Q, reversed ? Q : K);
      }
}

TEST_P(SelectTest, NaNInSummaries) {
  for (std::string kind : {"mean", "max", "min", "bounds"}) {
    SelectText select{"count 3.0", "3"};
    select.C = 4;
    select.keyKind = kind;
    if (kind == "bounds")
      select.queryKind = "signs";
    compile(select);
    auto inputs = operands(1, 3, 40);
    reinterpret_cast<float *>(inputs[1].bytes.data())[21 * 32 + 3] = NAN;
    check(inputs);
  }
}

TEST_P(SelectTest, HeadSizes) {
  for (int64_t D : {1, 5, 24, 33, 80}) {
    SCOPED_TRACE(D);
    SelectText select;
    select.D = D;
    if (D % 8)
      select.R = select.C = unit = 2;
    compile(select);
    checkSizes(2, 9, 70);
    unit = 1;
  }
}

TEST_P(SelectTest, SharedKeyHeads) {
  SelectText select;
  select.heads = 6;
  compile(select);
  checkSizes(2, 9, 33);
  select.kvHeads = 1;
  select.C = 4;
  unit = 12;
  compile(select);
  checkSizes(2, 9, 65);
}

TEST_P(SelectTest, ColumnsOfOneBuffer) {
  unit = 12;
  for (int64_t width : {1, 4}) {
    SelectText select;
    select.packed = true;
    select.causal = true;
    select.R = select.C = width;
    compile(select);
    for (int64_t S : {1, 17, 64, 100})
      checkSizes(2, S, S);
  }
}

TEST_P(SelectTest, StaticSizes) {
  SelectText select;
  select.batch = "2";
  select.queries = "70";
  select.keys = "70";
  select.causal = true;
  compile(select);
  checkSizes(2, 70, 70);
  select.R = select.C = 4;
  unit = 12;
  compile(select);
  checkSizes(2, 70, 70);
}

// The key tokens of each block, as local_global has them.
TEST_P(SelectTest, OwnBlockJoined) {
  for (auto [rows, sizes] : {std::pair<int64_t, std::vector<int64_t>>{4, {0, 1, 2, 3, 4, 5, 31, 130, 600}},
                             {64, {1, 2, 64, 65, 66, 128, 256, 1024}}})
    for (bool masked : {false, true}) {
      if (masked && rows == 64)
        continue; // means of any number of tokens are not exact
      unit = rows == 4 ? 12 : 64;
      SelectText select{"count 2.0", "2"};
      select.R = rows;
      select.bands = Bands{};
      select.joined = 0;
      select.keys = select.queries;
      select.masked = masked;
      compile(select);
      for (int64_t S : sizes)
        checkSizes(3, S, S);
    }
}

TEST_P(SelectTest, RowsJoinedSomewhat) {
  unit = 12;
  for (int64_t joined : {8, 1024})
    for (int64_t C : {1, 4}) {
      SelectText select{"count 2.0", "2"};
      select.R = 4;
      select.C = C;
      select.joined = joined;
      select.causal = true;
      select.masked = C == 4;
      compile(select);
      for (auto [Q, K] : {std::pair<int64_t, int64_t>{0, 3}, {1, 1}, {7, 9}, {9, 70}, {300, 200}, {1100, 40}})
        checkSizes(3, Q, K);
    }
}

TEST_P(SelectTest, Bands) {
  unit = 12;
  int64_t number = 0;
  for (Bands bands : {Bands{3, 0, 0}, {0, 2, 0}, {5, 5, 2}, {0, 0, 9}, {70, 0, 4}, {200, 200, 1}})
    for (auto [R, C] : {std::pair<int64_t, int64_t>{1, 1}, {4, 1}, {4, 4}, {1, 4}, {2, 4}}) {
      if (number++ % 2) // all of both is half a minute
        continue;
      SCOPED_TRACE("before " + std::to_string(bands.before) + " sinks " + std::to_string(bands.sinks) + " of " +
                   std::to_string(R) + " x " + std::to_string(C));
      SelectText select{"count 3.0", "4"};
      select.R = R;
      select.C = C;
      select.bands = bands;
      select.causal = number % 4 == 1;
      select.masked = bands.before == 5;
      select.sinks = bands.before == 3 ? 2 : 0;
      select.local = bands.before == 70 ? 2 : 0;
      compile(select);
      for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {3, 0}, {33, 33}, {5, 100}, {90, 30}, {130, 131}})
        checkSizes(2, Q, K);
    }
}

TEST_P(SelectTest, BandsOfOtherBudgets) {
  for (auto [budget, capacity] : kKinds) {
    SelectText select{budget, "k"};
    select.bands = Bands{20, 3, 1};
    compile(select);
    checkSizes(1, 80, 80);
  }
}

// One column, queries of 1: the scores are any numbers, exactly.
TEST_P(SelectTest, Numbers) {
  std::normal_distribution<float> normal;
  std::function<float(int64_t)> kinds[] = {
      [&](int64_t) { return normal(random); },
      [&](int64_t) { return float(random() % 8); },
      [&](int64_t) { return 0.25f; },
      [&](int64_t) { return std::exp(20 * normal(random)); },
      [&](int64_t) { return float(random() % 1000) * FLT_TRUE_MIN * (random() % 2 ? 1 : -1); },
      [&](int64_t i) { return i % 3 ? 0.0f : -0.0f; },
      [&](int64_t i) {
        return i % 7 == 0 ? NAN : i % 11 == 0 ? INFINITY : i % 13 == 0 ? -INFINITY : normal(random);
      },
      [&](int64_t i) { return i % 7 == 0 ? -NAN
                              : i % 9    ? float(random() % 3)
                                         : -FLT_MAX; },
      [&](int64_t) { return NAN; },
      [&](int64_t) { return -INFINITY; },
      [&](int64_t i) { return i == 400 ? FLT_MAX : normal(random) * 1e-3f; }};
  for (auto [budget, capacity] : {std::pair("count 1.0", "1"),
                                  {"count 32.0", "32"},
                                  {"count 410.0", "410"},
                                  {"fraction 0.5", "k"},
                                  {"threshold 0.0", "k"},
                                  {"threshold 0.1", "k"},
                                  {"quantile 0.5", "k"},
                                  {"quantile 0.95", "k"}}) {
    compile({budget, capacity, 1, 1, 1});
    if (!harness)
      return;
    for (auto [number, kind] : llvm::enumerate(kinds))
      for (int64_t K : {5, 64, 300, 3000}) {
        SCOPED_TRACE(std::string(budget) + " of numbers of kind " + std::to_string(number) + " K " + std::to_string(K));
        check({floats({1, 2, 1}, [](int64_t) { return 1.0f; }), floats({1, K, 1}, kind)});
      }
  }
}

// Without a whole number of weights, of different size by far.
TEST_P(SelectTest, MassOfNumbers) {
  for (auto [budget, step] :
       {std::pair("mass 0.5", 0.25f), {"mass 0.9", 0.5f}, {"mass 0.99", 2.0f}, {"mass 0.2", 0.0f}}) {
    compile({budget, "k", 1, 1, 1});
    if (!harness)
      return;
    for (int64_t K : {5, 64, 300}) {
      SCOPED_TRACE(std::string(budget) + " K " + std::to_string(K));
      check({floats({1, 2, 1}, [](int64_t) { return 1.0f; }),
             floats({1, K, 1}, [&](int64_t i) { return step * float(i * 7 % K % 40) - 200; })});
    }
    for (float special : {NAN, INFINITY, -INFINITY})
      for (int64_t often : {9, 3, 1})
        check({floats({1, 2, 1}, [](int64_t) { return 1.0f; }),
               floats({1, 9, 1}, [&](int64_t i) { return i % often == 0 ? special : float(i); })});
  }
}

// Scores that something else computed.
TEST_P(SelectTest, GivenScores) {
  for (auto [budget, capacity] : kBudgets)
    for (bool masked : {false, true}) {
      SelectText select{budget, capacity};
      select.given = true;
      select.masked = masked;
      select.causal = masked;
      compile(select);
      for (int64_t K : {0, 1, 5, 15, 16, 17, 63, 64, 65, 200})
        checkSizes(3, 4, K);
      checkSizes(0, 2, 3);
      checkSizes(2, 150, 40);
    }
}

// One row for all queries, as a gate scores tokens.
TEST_P(SelectTest, GivenScoresOfTokens) {
  for (auto [budget, capacity] : kBudgets)
    for (int64_t heads : {1, 3}) {
      SelectText select{budget, capacity == std::string("k") ? "q" : capacity};
      select.given = true;
      select.heads = heads;
      select.R = 0;
      select.keys = select.queries;
      select.masked = heads == 1;
      compile(select);
      for (int64_t S : {1, 2, 63, 64, 65, 300})
        checkSizes(3, S, S);
    }
}

TEST_P(SelectTest, GivenScoresAmongBands) {
  auto compileBands = [&](int64_t R, int64_t C, Bands bands, const std::string &queries, const std::string &keys) {
    SelectText select{"count 3.0", "4"};
    select.given = true;
    select.R = R;
    select.C = C;
    select.bands = bands;
    select.masked = C == 1;
    select.sinks = bands.sinks == 4;
    select.queries = queries;
    select.keys = keys;
    compile(select);
  };
  for (Bands bands : {Bands{3, 0, 0}, {5, 5, 2}, {0, 0, 9}, {70, 0, 4}}) {
    compileBands(1, 1, bands, "q", "k");
    for (auto [Q, K] : {std::pair<int64_t, int64_t>{1, 1}, {4, 100}, {90, 30}, {130, 131}})
      checkSizes(2, Q, K);
    // The number of rows does not tell that of queries.
    compileBands(4, 1, bands, "90", "130");
    checkSizes(2, 90, 130);
    compileBands(2, 4, bands, "90", "61");
    checkSizes(2, 90, 61);
  }
}

TEST_P(SelectTest, GivenScoresJoined) {
  SelectText select{"count 2.0", "2"};
  select.given = true;
  select.joined = 4;
  select.causal = true;
  compile(select);
  for (int64_t Q : {0, 1, 5, 33})
    checkSizes(2, Q, 40);
}

// As they are: not a number, infinite, of any size.
TEST_P(SelectTest, GivenNumbers) {
  std::normal_distribution<float> normal;
  for (auto [budget, capacity] : kBudgets) {
    if (std::string(budget).starts_with("mass"))
      continue; // of numbers without a whole sum
    SelectText select{budget, capacity};
    select.given = true;
    select.heads = 1;
    compile(select);
    for (int64_t K : {5, 64, 300})
      check({floats({1, 1, 2, K}, [&](int64_t i) {
        return i % 7 == 0 ? NAN : i % 11 == 0 ? INFINITY : i % 13 == 0 ? -INFINITY : normal(random);
      })});
  }
}

TEST(SelectKernelTest, RefusesOtherKernels) {
  auto context = createContext();
  std::string message;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    message += diagnostic.str();
    return success();
  });
  auto expectRefusal = [&](std::string text, llvm::StringRef from, const std::string &to, llvm::StringRef wanted) {
    for (size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, from.size(), to);
    auto module = parseSourceString<ModuleOp>(text, context.get());
    ASSERT_TRUE(module) << message << "\n" << text;
    EXPECT_TRUE(failed(selectLaunch(*module->getOps<func::FuncOp>().begin())));
    EXPECT_NE(message.find(wanted), std::string::npos) << message;
    message.clear();
  };
  std::string text = SelectText().str(), queries = tensor({expr("b"), expr("q"), 32});
  expectRefusal(text, "xf32", "xf16", "has an operand of type 'tensor<?x?x32xf16");
  expectRefusal(text, "%s = sattn.score %q", "%r = model.activation relu %q : " + queries + "\n%s = sattn.score %r",
                "neither an argument");
  SelectText given;
  given.given = true;
  text = given.str();
  expectRefusal(text, "xf32", "xf16", "has scores of type 'tensor<?x2x?x?xf16");
  expectRefusal(text, "%i = sattn.select #sattn.budget<count 3.0> %s",
                "%r = model.activation relu %s : " + tensor({expr("b"), 2, expr("q"), expr("k")}) +
                    "\n%i = sattn.select #sattn.budget<count 3.0> %r",
                "has scores that are neither an argument");
}

INSTANTIATE_KERNEL_TEST(SelectTest);
