// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stored indices that say what cannot be: the kernel tells, and reads nothing that is not there.
#include "test/codegen/sparse_attention/SparseAttentionTest.h"

using namespace tamis;
using namespace tamis::test;

namespace {
class SparseAttentionFaultsTest : public SparseAttentionTest {
protected:
  /// Runs with number `at` of index `which` set.
  int32_t statusWith(std::vector<HostTensor> inputs, size_t which, int64_t at, int32_t number) {
    HostTensor &index = inputs[3 + which];
    memcpy(index.bytes.data() + at * sizeof(int32_t), &number, sizeof number);
    int32_t status = 0;
    harness->run(inputs, &status);
    return status;
  }
};
} // namespace

TEST_P(SparseAttentionFaultsTest, CountsAndItems) {
  for (IndexText index :
       {IndexText{64, 64}, IndexText{0, 64}, IndexText{0, 1}, IndexText{64, 16}, IndexText{1, 1}, IndexText{3, 5}}) {
    SCOPED_TRACE(std::to_string(index.R) + " x " + std::to_string(index.C));
    compile({{index}});
    ASSERT_TRUE(harness);
    auto inputs = operands(1, 130, 200, kAllItems);
    int64_t width = inputs[3].shape[3], rows = inputs[3].shape[2], items = width - 1;
    for (int64_t row : {int64_t(0), rows - 1}) {
      EXPECT_EQ(statusWith(inputs, 0, row * width, items), 0);
      for (int32_t count : {int32_t(width), -1, INT32_MAX, INT32_MIN})
        EXPECT_EQ(statusWith(inputs, 0, row * width, count), 1) << count << " items";
      for (int32_t item : {int32_t(items), -1, INT32_MAX, INT32_MIN})
        EXPECT_EQ(statusWith(inputs, 0, row * width + items, item), 1) << "item " << item;
    }
  }
}

// The fault is in an index that is read after another.
TEST_P(SparseAttentionFaultsTest, OneOfSeveral) {
  compile({{{64, 64}, {1, 1}, {7, 3}}});
  ASSERT_TRUE(harness);
  auto inputs = operands(1, 130, 200, kAllItems);
  for (size_t which = 0; which < 3; ++which) {
    EXPECT_EQ(statusWith(inputs, which, inputs[3 + which].shape[3], -1), 1);
    EXPECT_EQ(statusWith(inputs, which, 1, 1000000), 1);
  }
}

INSTANTIATE_KERNEL_TEST(SparseAttentionFaultsTest);
