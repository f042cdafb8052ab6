// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random kernels of attention over indices.
#include "test/codegen/sparse_attention/SparseAttentionTest.h"

using namespace tamis;
using namespace tamis::test;

namespace {
class SparseAttentionRandomTest : public SparseAttentionTest {
protected:
  int64_t oneOf(std::vector<int64_t> numbers) { return numbers[random() % numbers.size()]; }

  AttendText anyKernel() {
    AttendText attend;
    attend.heads = 4;
    attend.kvHeads = oneOf({1, 2, 4});
    attend.D = oneOf({5, 16, 32, 64, 80});
    attend.causal = random() % 2;
    for (int64_t i = 0, count = oneOf({1, 1, 2, 3}); i < count; ++i) {
      IndexText index{oneOf({0, 1, 2, 7, 32, 64, 64, 128}), oneOf({1, 1, 3, 16, 64, 64, 128})};
      index.capacity = oneOf({0, 0, 1, 4});
      index.heads = oneOf({1, 2, 4});
      index.perBatch = random() % 2;
      if (random() % 3 == 0) {
        index = bands(oneOf({1, 1, 5, 64}), oneOf({1, 1, 3, 64}), oneOf({0, 1, 40}), oneOf({0, 1, 40}),
                      oneOf({0, 0, 2, 30}));
        index.perBatch = random() % 2;
      }
      index.full = index.isStored() && random() % 3 == 0;
      attend.indices.push_back(index);
    }
    if (random() % 2)
      attend.mask = {oneOf({0, 1}) ? "b" : "1", oneOf({0, 1}) ? "4" : "1", oneOf({0, 1}) ? "q" : "1",
                     oneOf({0, 1, 1}) ? "k" : "1"};
    attend.maskElement = random() % 2 ? "i1" : "f32";
    return attend;
  }
};
} // namespace

TEST_P(SparseAttentionRandomTest, Kernels) {
  const std::vector<int64_t> sizes{0, 1, 2, 63, 64, 65, 130, 257};
  for (int kernel = 0; kernel < 16; ++kernel) {
    AttendText attend = anyKernel();
    SCOPED_TRACE(attend.str(createContext().get()));
    compile(attend);
    for (int run = 0; run < 5; ++run)
      check(oneOf({1, 2}), oneOf(sizes), oneOf(sizes));
  }
}

INSTANTIATE_KERNEL_TEST(SparseAttentionRandomTest);
