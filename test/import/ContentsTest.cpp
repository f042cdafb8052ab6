// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Contents that are known at import: their forms, and the ops on them.
#include "lib/import/Contents.h"

#include "gtest/gtest.h"

using namespace tamis;
using model::Dims;
using Kind = model::ElementwiseKind;

namespace {
DimExpr parse(const char *text) {
  return *DimExpr::parse(text);
}

class ContentsTest : public testing::Test {
protected:
  ContentsTest() : rules(options) {
    rules.named("n");
    rules.named("m");
  }
  ImportOptions options;
  SizeRules rules;
  DimExpr n = parse("n"), m = parse("m");
};

TEST_F(ContentsTest, ListsThatAreLinearAreKnownAsSuch) {
  auto contents = Contents::ofList({DimExpr(0), DimExpr(1), DimExpr(10), DimExpr(11)}, {DimExpr(2), DimExpr(2)});
  ASSERT_TRUE(contents && contents->affine);
  EXPECT_EQ(contents->affine->steps, (Dims{DimExpr(10), DimExpr(1)}));
  contents = Contents::ofList({n, n + DimExpr(2), n + DimExpr(4)}, {DimExpr(3)});
  ASSERT_TRUE(contents->affine);
  EXPECT_EQ(contents->affine->base, n);
  EXPECT_FALSE(Contents::ofList({DimExpr(1), DimExpr(2), DimExpr(4)}, {DimExpr(3)})->affine);
  EXPECT_FALSE(Contents::ofList({DimExpr(1)}, {DimExpr(2)})); // too few
  EXPECT_FALSE(Contents::ofList(Dims(300, DimExpr(1)), {DimExpr(300)}));
}

TEST_F(ContentsTest, ElementwiseOnLists) {
  auto a = Contents::ofList({n, DimExpr(-1)}, {DimExpr(2)}), b = Contents::ofList({DimExpr(-1)}, {});
  Dims pair{DimExpr(2)}, scalar;
  auto equal = foldElementwise(Kind::equal, {{&*a, pair}, {&*b, scalar}}, pair, rules);
  ASSERT_TRUE(equal);
  EXPECT_EQ(*equal->numbers(), (llvm::SmallVector<int64_t>{0, 1})); // a size is never -1
  auto sum = foldElementwise(Kind::add, {{&*a, pair}, {&*b, scalar}}, pair, rules);
  EXPECT_EQ((*sum->list)[0], parse("n - 1"));
  auto half = Contents::ofList({DimExpr(2)}, {});
  EXPECT_EQ((*foldElementwise(Kind::div, {{&*a, pair}, {&*half, scalar}}, pair, rules)->list)[1], DimExpr(0));
  auto lone = Contents::ofList({n}, {});
  EXPECT_EQ(*foldElementwise(Kind::div, {{&*lone, scalar}, {&*half, scalar}}, scalar, rules)->splat(),
            parse("floordiv(n, 2)"));
  auto greater = foldElementwise(Kind::greater, {{&*lone, scalar}, {&*half, scalar}}, scalar, rules);
  EXPECT_FALSE(greater); // n may be 1, 2 or more
}

TEST_F(ContentsTest, ElementwiseOnProgressions) {
  Dims row{n, DimExpr(1)}, column{DimExpr(1), m}, table{n, m};
  auto i = Contents::ofAffine({DimExpr(0), {DimExpr(1), DimExpr(0)}}, row);
  auto j = Contents::ofAffine({DimExpr(0), {DimExpr(0), DimExpr(1)}}, column);
  auto width = Contents::ofList({m}, {});
  auto scaled = foldElementwise(Kind::mul, {{&*i, row}, {&*width, {}}}, row, rules);
  ASSERT_TRUE(scaled);
  auto at = foldElementwise(Kind::add, {{&*scaled, row}, {&*j, column}}, table, rules);
  ASSERT_TRUE(at);
  EXPECT_EQ(at->affine->steps, (Dims{m, DimExpr(1)}));
  // That is the row-major position.
  auto flat = foldReshape({&*at, table}, {n * m});
  ASSERT_TRUE(flat);
  EXPECT_EQ(flat->affine->steps, Dims{DimExpr(1)});
  EXPECT_EQ(foldReshape({&*flat, Dims{n * m}}, table)->affine->steps, (Dims{m, DimExpr(1)}));
  // i - j is not linear in the position.
  auto difference = foldElementwise(Kind::sub, {{&*i, row}, {&*j, column}}, table, rules);
  EXPECT_FALSE(foldReshape({&*difference, table}, {n * m}));
  auto zero = Contents::ofList({DimExpr(0)}, {});
  EXPECT_EQ(foldElementwise(Kind::greater_equal, {{&*i, row}, {&*zero, {}}}, row, rules)->splat(), DimExpr(1));
  EXPECT_EQ(foldElementwise(Kind::less, {{&*i, row}, {&*zero, {}}}, row, rules)->splat(), DimExpr(0));
  EXPECT_FALSE(foldElementwise(Kind::equal, {{&*i, row}, {&*j, column}}, table, rules));
  EXPECT_FALSE(foldElementwise(Kind::less_equal, {{&*j, column}, {&*i, row}}, table, rules)); // causal: some are
}

TEST_F(ContentsTest, SlicesAndTuples) {
  Dims line{DimExpr(8)};
  Dims elements;
  for (int i = 0; i < 8; ++i)
    elements.push_back(DimExpr(i * i));
  auto squares = Contents::ofList(elements, line);
  auto part = foldSlice({&*squares, line}, {DimExpr(7)}, {-3}, {DimExpr(3)});
  EXPECT_EQ(*part->numbers(), (llvm::SmallVector<int64_t>{49, 16, 1}));
  EXPECT_FALSE(foldSlice({&*squares, line}, {DimExpr(7)}, {1}, {DimExpr(3)})); // beyond the end

  Dims dims{n, DimExpr(1)};
  auto i = Contents::ofAffine({DimExpr(0), {DimExpr(1), DimExpr(0)}}, dims);
  auto two = Contents::ofAffine({DimExpr(2), {DimExpr(0), DimExpr(0)}}, dims);
  auto tuple = foldConcat({{&*i, dims}, {&*two, dims}}, 1, {n, DimExpr(2)});
  ASSERT_TRUE(tuple && tuple->tuple);
  EXPECT_EQ((*tuple->tuple)[0], (Affine{DimExpr(0), {DimExpr(1)}}));
  EXPECT_EQ((*tuple->tuple)[1], (Affine{DimExpr(2), {DimExpr(0)}}));
}

TEST_F(ContentsTest, ExpressionsThatGrow) {
  DimExpr big = n;
  for (int i = 0; i < 4; ++i)
    big = big * big;
  EXPECT_TRUE(isTooLarge(big));
  EXPECT_FALSE(Contents::ofList({big}, {}));
  EXPECT_FALSE(isTooLarge(n * m * DimExpr(12)));
}
} // namespace
