// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ops from index to index, worked out by hand.
#include "test/reference/SparseOpsFixture.h"
#include <gmock/gmock.h>

using namespace tamis::reference;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {
class IndexOps : public SparseOpsFixture {
protected:
  struct Given {
    Index index;
    std::vector<Items> rows;
  };
  /// `op` of the indices given, with options behind them.
  std::string bodyOf(const std::string &op, const std::string &options, const std::vector<Given> &inputs,
                     const Index &to) {
    std::string loads, names, types;
    for (auto [i, given] : llvm::enumerate(inputs)) {
      std::string name = "%i" + std::to_string(i), type = given.index.type();
      loads += name + " = sattn.load_index %" + char('a' + i) + " : " + given.index.storage() + " -> " + type + "\n";
      names += (i ? ", " : "") + name;
      types += (i ? ", " : "") + type;
    }
    return loads + "%i = sattn." + op + " " + names + " " + options + " : " + types + " -> " + to.type();
  }
  std::vector<HostTensor> tensorsOf(const std::vector<Given> &inputs) {
    std::vector<HostTensor> tensors;
    for (const Given &given : inputs)
      tensors.push_back(stored(given.index, given.rows));
    return tensors;
  }
  std::vector<Items> apply(const std::string &op, const std::string &options, const std::vector<Given> &inputs,
                           const Index &to) {
    return rowsOf(to, bodyOf(op, options, inputs, to), tensorsOf(inputs));
  }
};

TEST_F(IndexOps, UnionAndIntersection) {
  Index small{2, 1, {1, 2, 2}, 9, 2}, large{2, 1, {1, 2, 2}, 9, 4};
  Given a{small, {{1, 2}, {8}, {}, {0, 5}}}, b{large, {{2, 3, 4}, {}, {}, {0, 1, 5, 8}}},
      c{small, {{2}, {8}, {1}, {5}}};
  EXPECT_THAT(apply("union", "", {a, b}, large),
              ElementsAre(Items{1, 2, 3, 4}, Items{8}, IsEmpty(), Items{0, 1, 5, 8}));
  EXPECT_THAT(apply("intersect", "", {a, b}, small), ElementsAre(Items{2}, IsEmpty(), IsEmpty(), Items{0, 5}));
  EXPECT_THAT(apply("intersect", "", {b, c, a}, small), ElementsAre(Items{2}, IsEmpty(), IsEmpty(), Items{5}));
  EXPECT_THAT(apply("union", "", {c}, small), ElementsAre(Items{2}, Items{8}, Items{1}, Items{5}));
  EXPECT_THAT(errorOf(storing(small, bodyOf("union", "", {a, b}, small)), small.storage(), tensorsOf({a, b})),
              HasSubstr("found 4 items in row 0 of an index with a capacity of 2"));
}

// Of 10 keys: the last block of 4 is half a block, and the last one of 3 a third.
TEST_F(IndexOps, Refine) {
  Given blocks{{1, 6, {1, 1, 3}, 2, 2}, {{0}, {1}, {}}};
  EXPECT_THAT(apply("refine", "keys \"10\"", {blocks}, {1, 3, {1, 1, 3}, 4, 4}),
              ElementsAre(Items{0, 1}, Items{2, 3}, IsEmpty()));
  EXPECT_THAT(apply("refine", "keys \"10\"", {blocks}, {1, 1, {1, 1, 3}, 10, 6}),
              ElementsAre(Items{0, 1, 2, 3, 4, 5}, Items{6, 7, 8, 9}, IsEmpty()));
}

TEST_F(IndexOps, CoarsenColumns) {
  Given tokens{{1, 1, {1, 1, 3}, 10, 4}, {{0, 3, 4, 9}, {5}, {}}};
  EXPECT_THAT(apply("coarsen", "keys \"10\"", {tokens}, {1, 4, {1, 1, 3}, 3, 3}),
              ElementsAre(Items{0, 1, 2}, Items{1}, IsEmpty()));
  EXPECT_THAT(apply("coarsen", "keys \"10\"", {tokens}, {2, 5, {1, 1, 2}, 2, 2}), ElementsAre(Items{0, 1}, IsEmpty()));
}

TEST_F(IndexOps, Transpose) {
  Given index{{2, 4, {1, 2, 3}, 2, 2}, {{0}, {0, 1}, {}, {1}, {}, {0, 1}}};
  EXPECT_THAT(apply("transpose", "", {index}, {4, 2, {1, 2, 2}, 3, 3}),
              ElementsAre(Items{0, 1}, Items{1}, Items{2}, Items{0, 2}));
}

TEST_F(IndexOps, Share) {
  Given index{{4, 4, {1, 2, 2}, 2, 1}, {{0}, {1}, {}, {0}}};
  EXPECT_THAT(apply("share", "heads [1, 0, 1]", {index}, {4, 4, {1, 3, 2}, 2, 1}),
              ElementsAre(IsEmpty(), Items{0}, Items{0}, Items{1}, IsEmpty(), Items{0}));
  EXPECT_THAT(apply("share", "heads [1]", {index}, {4, 4, {2, 1, 2}, 2, 1}),
              ElementsAre(IsEmpty(), Items{0}, IsEmpty(), Items{0}));
}
} // namespace
