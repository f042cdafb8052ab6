// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Symbolic sizes: their canonical text, their arithmetic, their value.
#include "lib/support/DimExpr.h"

#include "llvm/ADT/ArrayRef.h"
#include "gtest/gtest.h"
#include <random>

using namespace tamis;

namespace {
DimExpr parse(const char *text) {
  auto e = DimExpr::parse(text);
  EXPECT_TRUE(e) << text;
  return e.value_or(DimExpr(0));
}

TEST(DimExpr, TextIsCanonical) {
  struct Case {
    const char *from, *to;
  };
  const Case cases[] = {{"0", "0"},
                        {"a - a", "0"},
                        {" b*a + a * b", "2*a*b"},
                        {"1 + a", "a + 1"},
                        {"-3*a - 2", "-3*a - 2"},
                        {"(a + 1)*(a - 1)", "a*a - 1"},
                        {"min(b, a)", "min(a, b)"},
                        {"max(a, a + 2)", "a + 2"},
                        {"min(7, 3)", "3"},
                        {"floordiv(6*a, 2)", "3*a"},
                        {"floordiv(a + 1, 2)", "floordiv(a + 1, 2)"},
                        {"floordiv(-7, 2)", "-4"},
                        {"2*floordiv(a, 2) + a.b_1", "a.b_1 + 2*floordiv(a, 2)"}};
  for (const Case &c : cases) {
    EXPECT_EQ(parse(c.from).str(), c.to);
    EXPECT_EQ(parse(c.to).str(), c.to);
  }
}

TEST(DimExpr, TextThatIsNone) {
  for (const char *text : {"", "a +", "+ a", "a b", "2a*", "min(a)", "min(a, b", "foo(a, b)", "a,b", "(a", "a)", "?",
                           "99999999999999999999", "a//b"})
    EXPECT_FALSE(DimExpr::parse(text)) << text;
  EXPECT_FALSE(DimExpr::parse(std::string(100000, '('))) << "nesting";
}

TEST(DimExpr, ParsedTextEvaluatesAsItReads) {
  std::mt19937 random(7);
  auto lookup = [](llvm::StringRef name) -> std::optional<int64_t> {
    return name == "a" ? 5 : name == "b" ? 3 : std::optional<int64_t>();
  };
  // Expressions are built twice: as text and as number.
  std::function<std::pair<std::string, int64_t>(int)> make = [&](int depth) -> std::pair<std::string, int64_t> {
    switch (depth ? random() % 8 : random() % 3) {
    case 0:
      return {"a", 5};
    case 1:
      return {"b", 3};
    case 2: {
      int64_t value = random() % 10;
      return {std::to_string(value), value};
    }
    }
    auto [x, xv] = make(depth - 1);
    auto [y, yv] = make(depth - 1);
    switch (random() % 5) {
    case 0:
      return {"(" + x + " + " + y + ")", xv + yv};
    case 1:
      return {"(" + x + " - " + y + ")", xv - yv};
    case 2:
      return {x + "*" + y, xv * yv};
    case 3:
      return {"max(" + x + ", " + y + ")", std::max(xv, yv)};
    default:
      return {"min(" + x + ", " + y + ")", std::min(xv, yv)};
    }
  };
  for (int round = 0; round < 500; ++round) {
    auto [text, value] = make(4);
    auto e = DimExpr::parse(text);
    ASSERT_TRUE(e) << text;
    EXPECT_EQ(e->evaluate(lookup), value) << text << " became " << e->str();
    EXPECT_EQ(DimExpr::parse(e->str()), e);
  }
}

TEST(DimExpr, EvaluationThatFails) {
  auto lookup = [](llvm::StringRef name) -> std::optional<int64_t> {
    return name == "zero" ? 0 : name == "big" ? INT64_MAX : std::optional<int64_t>();
  };
  EXPECT_EQ(parse("unknown").evaluate(lookup), std::nullopt);
  EXPECT_EQ(parse("big + big").evaluate(lookup), std::nullopt);
  EXPECT_EQ(parse("big*big").evaluate(lookup), std::nullopt);
  EXPECT_EQ(parse("floordiv(big, zero)").evaluate(lookup), std::nullopt);
  // The one quotient of 64-bit integers that does not fit.
  EXPECT_EQ(parse("floordiv(0 - 9223372036854775807 - 1, 0 - 1)").evaluate(lookup), std::nullopt);
}

TEST(DimExpr, ExactDivision) {
  EXPECT_EQ(parse("6*a*b + 4*a").exactDiv(parse("2*a")), parse("3*b + 2"));
  EXPECT_EQ(parse("6*a + 1").exactDiv(parse("2")), std::nullopt);
  EXPECT_EQ(parse("6*b").exactDiv(parse("a")), std::nullopt);
  EXPECT_EQ(parse("6*b").exactDiv(parse("a + b")), std::nullopt);
  EXPECT_EQ(parse("6*b").exactDiv(DimExpr(0)), std::nullopt);
  // Tokens of a cache and new ones, in rows of both.
  EXPECT_EQ(parse("64*batch*past + 64*batch*new").exactDiv(parse("16*past + 16*new")), parse("4*batch"));
  EXPECT_EQ(parse("a*a - b*b").exactDiv(parse("a + b")), parse("a - b"));
  EXPECT_EQ(parse("a*a + b*b").exactDiv(parse("a + b")), std::nullopt);
  EXPECT_EQ(parse("a*b*b + a*a*b + a*b").exactDiv(parse("b + a + 1")), parse("a*b"));
  EXPECT_EQ(DimExpr(0).exactDiv(parse("a + b")), DimExpr(0));
}

TEST(DimExpr, SymbolsAndConstants) {
  EXPECT_EQ(parse("a").soleSymbol(), llvm::StringRef("a"));
  for (const char *text : {"2*a", "a + 1", "7", "a*a", "min(a, b)"})
    EXPECT_EQ(parse(text).soleSymbol(), std::nullopt) << text;
  llvm::StringSet<> names;
  parse("a*b + floordiv(c, max(d, 2))").collectSymbols(names);
  EXPECT_EQ(names.size(), 4u);
  EXPECT_EQ(product(llvm::ArrayRef<DimExpr>()).constant(), 1);
  EXPECT_EQ(product(llvm::ArrayRef<DimExpr>{DimExpr(2), parse("a"), DimExpr(3)}), parse("6*a"));
}
} // namespace
