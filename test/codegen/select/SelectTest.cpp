// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What tiled selections keep, against the reference evaluator, on numbers whose sums are exact.
#include "test/codegen/select/SelectTest.h"
#include "mlir/Parser/Parser.h"
#include <cfloat>
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::test;

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
