// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// After the first run of a shape a run allocates nothing. The linker routes every allocation of the runtime through the
// counters below (--wrap), which works under sanitizers too.

#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include <atomic>
#include <gtest/gtest.h>
#include <numeric>
#include <sys/types.h>

static std::atomic<long> allocations{0};

extern "C" {
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
int __real_posix_memalign(void **memory, size_t alignment, size_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size) {
  ++allocations;
  return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
  ++allocations;
  return __real_calloc(count, size);
}
void *__wrap_realloc(void *memory, size_t size) {
  ++allocations;
  return __real_realloc(memory, size);
}
int __wrap_posix_memalign(void **memory, size_t alignment, size_t size) {
  ++allocations;
  return __real_posix_memalign(memory, alignment, size);
}
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  ++allocations;
  return __real_mmap(address, size, protection, flags, fd, offset);
}
}

using namespace tamis;
using namespace tamis::test;

class AllocationTest : public ::testing::TestWithParam<int> {};

TEST_P(AllocationTest, onlyTheFirstRunOfAShapeAllocates) {
  Bytes file = chainPlan(10, 1 << 20).build();
  Result<Plan> plan = Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()});
  ASSERT_TRUE(plan);
  Result<Context> context = plan->context(GetParam());
  ASSERT_TRUE(context);
  std::vector<int64_t> x(400000);
  std::iota(x.begin(), x.end(), 0);
  // The C API: the C++ face makes vectors of its own.
  auto run = [&](int64_t n) {
    tamis_tensor input = {x.data(), &n, 1, TAMIS_I64}, output;
    tamis_error error;
    long before = allocations;
    EXPECT_EQ(tamis_run(context->get(), &input, 1, nullptr, 0, &error), TAMIS_OK) << error.message;
    long made = allocations - before;
    EXPECT_EQ(tamis_context_output(context->get(), 0, &output, &error), TAMIS_OK);
    EXPECT_EQ(static_cast<int64_t *>(output.data)[n - 1], n - 1 + 10);
    return made;
  };
  EXPECT_GT(run(100), 0);
  EXPECT_EQ(run(100), 0);
  EXPECT_EQ(run(50), 0);     // smaller
  EXPECT_GT(run(400000), 0); // from malloc to huge pages
  EXPECT_EQ(run(400000), 0);
  EXPECT_EQ(run(7), 0);
  EXPECT_EQ(run(399999), 0);
}

INSTANTIATE_TEST_SUITE_P(Threads, AllocationTest, ::testing::Values(1, 3));
