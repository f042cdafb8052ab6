// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Constants are laid out element by element as their description says.
#include "codegen/plan/ConstantBytes.h"

#include "codegen/schedule/Schedule.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace tamis;

namespace {

class ConstantBytes : public testing::Test {
protected:
  ConstantBytes() : builder(&context) { context.loadDialect<plan::PlanDialect>(); }

  /// A weight of consecutive numbers from `first`.
  StringAttr weight(StringRef key, ArrayRef<int64_t> shape, float first) {
    auto type = RankedTensorType::get(shape, builder.getF32Type());
    std::vector<float> values(type.getNumElements());
    for (float &value : values)
      value = first++;
    auto bytes = weights.keep(ArrayRef(reinterpret_cast<char *>(values.data()), values.size() * 4));
    EXPECT_FALSE(weights.add(key, type, bytes));
    return builder.getStringAttr(key);
  }

  OwningOpRef<plan::ConstantOp> constant(plan::Layout layout, ArrayRef<Attribute> pieces, ArrayRef<bool> transposed,
                                         int64_t axis, ArrayRef<int64_t> shape) {
    return plan::ConstantOp::create(builder, builder.getUnknownLoc(),
                                    RankedTensorType::get(shape, builder.getF32Type()),
                                    plan::LayoutAttr::get(&context, layout), builder.getArrayAttr(pieces),
                                    builder.getDenseBoolArrayAttr(transposed), builder.getI64IntegerAttr(axis));
  }

  std::vector<float> bytes(plan::ConstantOp op) {
    std::string all;
    auto error = writeConstant(op, weights, [&](ArrayRef<char> part) { all.append(part.begin(), part.end()); });
    message = llvm::toString(std::move(error));
    if (message.empty())
      EXPECT_EQ(int64_t(all.size()), constantSize(op));
    std::vector<float> values(all.size() / 4);
    if (!values.empty())
      memcpy(values.data(), all.data(), all.size());
    return values;
  }

  MLIRContext context;
  OpBuilder builder;
  WeightStore weights;
  std::string message;
};

TEST_F(ConstantBytes, JoinsRows) {
  auto op = constant(plan::Layout::rows, {weight("a", {2, 2}, 1), weight("b", {1, 2}, 5)}, {false, false}, 0, {3, 2});
  EXPECT_EQ(bytes(*op), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST_F(ConstantBytes, JoinsColumnsAndTransposes) {
  // a is stored as 3 x 2 and read as 2 x 3; b is 2 x 1.
  auto op = constant(plan::Layout::rows, {weight("a", {3, 2}, 1), weight("b", {2, 1}, 7)}, {true, false}, 1, {2, 4});
  EXPECT_EQ(bytes(*op), (std::vector<float>{1, 3, 5, 7, 2, 4, 6, 8}));
}

TEST_F(ConstantBytes, PacksPanels) {
  // Columns 0..49 of piece a and 50..99 of piece b, so that a panel holds columns of both.
  constexpr int64_t kRows = 5, kColumns = 100;
  for (bool transposed : {false, true}) {
    SmallVector<int64_t> shape = transposed ? SmallVector<int64_t>{50, kRows} : SmallVector<int64_t>{kRows, 50};
    std::string mark = transposed ? "t" : "n";
    auto op = constant(plan::Layout::panels, {weight("a" + mark, shape, 0), weight("b" + mark, shape, 1000)},
                       {transposed, transposed}, 1, {kRows, kColumns});
    auto packed = bytes(*op);
    int64_t panels = (kColumns + kPanelColumns - 1) / kPanelColumns;
    ASSERT_EQ(int64_t(packed.size()), panels * kRows * kPanelColumns);
    for (int64_t panel = 0; panel < panels; ++panel)
      for (int64_t k = 0; k < kRows; ++k)
        for (int64_t j = 0; j < kPanelColumns; ++j) {
          int64_t n = panel * kPanelColumns + j, inner = n % 50;
          float wanted = n >= kColumns ? 0 : (n < 50 ? 0 : 1000) + (transposed ? inner * kRows + k : k * 50 + inner);
          ASSERT_EQ(packed[(panel * kRows + k) * kPanelColumns + j], wanted) << panel << " " << k << " " << j;
        }
  }
}

TEST_F(ConstantBytes, StoresDenseConstants) {
  auto type = RankedTensorType::get({2}, builder.getF32Type());
  auto op = constant(plan::Layout::rows, {DenseElementsAttr::get(type, ArrayRef<float>{1.5f, -2.0f})}, {false}, 0, {2});
  EXPECT_EQ(bytes(*op), (std::vector<float>{1.5f, -2.0f}));
}

TEST_F(ConstantBytes, NamesAMissingWeight) {
  auto op = constant(plan::Layout::rows, {builder.getStringAttr("absent")}, {false}, 0, {2});
  bytes(*op);
  EXPECT_EQ(message, "no weight is named 'absent'");
}

TEST_F(ConstantBytes, RefusesPiecesOfAnotherSize) {
  auto op = constant(plan::Layout::rows, {weight("a", {3}, 1)}, {false}, 0, {2});
  bytes(*op);
  EXPECT_EQ(message, "the pieces of a constant hold 12 bytes but its type needs 8");
}

} // namespace
