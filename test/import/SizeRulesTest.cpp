// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an importer knows of sizes: ranges of expressions, and sizes that turn out to be one.
#include "lib/import/SizeRules.h"

#include "gtest/gtest.h"

using namespace tamis;
using Meeting = SizeRules::Meeting;

namespace {
DimExpr parse(const char *text) {
  return *DimExpr::parse(text);
}

TEST(SizeRules, BoundsOfExpressions) {
  ImportOptions options{{{"a", 2, 5}, {"b", 0, 3}}};
  SizeRules rules(options);
  rules.named("a");
  rules.named("b");
  auto expect = [&](const char *text, int64_t min, int64_t max) {
    SCOPED_TRACE(text);
    auto bounds = rules.bounds(parse(text));
    EXPECT_EQ(bounds.min, min);
    EXPECT_EQ(bounds.max, max);
  };
  expect("7", 7, 7);
  expect("a", 2, 5);
  expect("a - b", -1, 5);
  expect("2*a*b - 1", -1, 29);
  expect("min(3, a)", 2, 3);
  expect("max(3, a)", 3, 5);
  expect("floordiv(a, 2)", 1, 2);
  expect("floordiv(a, b)", -(int64_t(1) << 62), int64_t(1) << 62); // b may be zero
  EXPECT_EQ(rules.min(parse("a"), DimExpr(9)), parse("a"));
  EXPECT_EQ(rules.max(parse("a"), DimExpr(1)), parse("a"));
  EXPECT_EQ(rules.min(parse("a"), DimExpr(4)), parse("min(4, a)"));
}

TEST(SizeRules, BoundsSaturate) {
  ImportOptions options{{{"a", 0, INT64_MAX}}};
  SizeRules rules(options);
  rules.named("a");
  EXPECT_EQ(rules.bounds(parse("a*a*a")).max, int64_t(1) << 62);
  EXPECT_EQ(rules.bounds(parse("0 - a*a")).min, -(int64_t(1) << 62));
}

TEST(SizeRules, SumsStandForSizes) {
  ImportOptions options{{{"given", 1, 8}, {"wide", 0, 131072}}};
  SizeRules rules(options);
  DimExpr past = rules.named("past"), tokens = rules.named("new"), total = rules.named("total");
  EXPECT_EQ(rules.meet(total, past + tokens), Meeting::learnt);
  EXPECT_EQ(rules.named("total"), past + tokens);
  EXPECT_EQ(rules.meet(past, past + tokens), Meeting::different);
  EXPECT_EQ(rules.meet(past, tokens), Meeting::learnt); // what stood for `total` follows
  EXPECT_EQ(rules.named("total"), parse("2*past"));
  // A range of the user's is kept: two of 1 to 65536 need not lie in 1 to 8.
  EXPECT_EQ(rules.meet(rules.named("given"), rules.named("past") + rules.named("other")), Meeting::different);
  EXPECT_EQ(rules.meet(rules.named("wide"), rules.named("past") + rules.named("other")), Meeting::learnt);
}

TEST(SizeRules, TextsComputeSizes) {
  ImportOptions options;
  SizeRules rules(options);
  llvm::StringSet<> names{"past", "new", "past + new"};
  EXPECT_EQ(rules.computed("past + new", names), rules.named("past") + rules.named("new"));
  EXPECT_EQ(rules.computed("past", names), std::nullopt);
  EXPECT_EQ(rules.computed("12", names), std::nullopt);
  EXPECT_EQ(rules.computed("past + other", names), std::nullopt);
  EXPECT_EQ(rules.computed("unk__1", names), std::nullopt);
}

TEST(SizeRules, MeetingsTeach) {
  ImportOptions options;
  SizeRules rules(options);
  DimExpr a = rules.named("a"), b = rules.named("b"), c = rules.named("c");
  EXPECT_EQ(rules.meet(a, a), Meeting::equal);
  EXPECT_EQ(rules.meet(c, b), Meeting::learnt);
  EXPECT_EQ(rules.named("c"), b); // the one declared first stays
  EXPECT_EQ(rules.meet(rules.named("b"), a), Meeting::learnt);
  EXPECT_EQ(rules.named("c"), a); // through both
  EXPECT_EQ(rules.meet(a, DimExpr(12)), Meeting::learnt);
  EXPECT_EQ(rules.named("c"), DimExpr(12));
  EXPECT_TRUE(rules.symbols().empty());
}

TEST(SizeRules, MeetingsThatCannotBe) {
  ImportOptions options{{{"a", 1, 4}, {"b", 5, 9}}};
  SizeRules rules(options);
  DimExpr a = rules.named("a"), b = rules.named("b");
  EXPECT_EQ(rules.meet(a, b), Meeting::different);          // ranges apart
  EXPECT_EQ(rules.meet(a, DimExpr(7)), Meeting::different); // out of range
  EXPECT_EQ(rules.meet(DimExpr(2), DimExpr(3)), Meeting::different);
  EXPECT_EQ(rules.meet(a + b, a), Meeting::different);
  EXPECT_EQ(rules.symbols().size(), 2u);
}

TEST(SizeRules, CapsLimitWhatTheUserDidNotGive) {
  ImportOptions options{{{"given", 1, 100}}};
  SizeRules rules(options);
  DimExpr free = rules.named("free"), given = rules.named("given");
  EXPECT_EQ(rules.meet(rules.min(free, DimExpr(64)), free), Meeting::learnt);
  EXPECT_EQ(rules.symbols()[0].max, 64);
  EXPECT_EQ(rules.min(free, DimExpr(64)), free); // decided now
  EXPECT_EQ(rules.meet(given, rules.min(given, DimExpr(64))), Meeting::different);
  EXPECT_EQ(rules.symbols()[1].max, 100);
}
} // namespace
