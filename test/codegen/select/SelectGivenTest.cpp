// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Selections by scores that something else computed, against the reference evaluator.
#include "test/codegen/select/SelectTest.h"
#include <cmath>

using namespace tamis;
using namespace tamis::test;

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
    if (std::string(budget).starts_with("mass") || std::string(budget).starts_with("share"))
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
