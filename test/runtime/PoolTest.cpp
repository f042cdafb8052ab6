// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Many threads: one run on a pool, and many contexts of one plan. These tests also run under ThreadSanitizer.

#include "tamis/tamis.hpp"
#include "test/runtime/PlanBuilder.h"
#include <atomic>
#include <gtest/gtest.h>
#include <numeric>
#include <pthread.h>
#include <thread>

using namespace tamis;
using namespace tamis::test;

static Plan load(const Bytes &file) {
  Result<Plan> plan = Plan::loadMemory({reinterpret_cast<const char *>(file.data()), file.size()});
  if (!plan) {
    fprintf(stderr, "%s\n", plan.error().message().c_str());
    abort();
  }
  return std::move(*plan);
}

/// Runs a chain plan of `count` steps on x = 0, 1, ..., n - 1.
static void expectChain(Context &context, int64_t n, int64_t count) {
  std::vector<int64_t> x(static_cast<size_t>(n));
  std::iota(x.begin(), x.end(), 0);
  Result<std::vector<Tensor>> outputs = context.run({Tensor(x.data(), {n})});
  ASSERT_TRUE(outputs) << outputs.error().message();
  const int64_t *y = (*outputs)[0].as<int64_t>();
  for (int64_t i = 0; i < n; ++i)
    ASSERT_EQ(y[i], i + count) << "of " << n << " on " << context.threads();
}

TEST(Pool, givesTheSerialResultForEverySize) {
  constexpr int steps = 100;
  Bytes file = chainPlan(steps, 100000).build();
  Plan plan = load(file);
  for (int threads : {1, 2, 3, 4, 7}) {
    Result<Context> context = plan.context(threads);
    ASSERT_TRUE(context);
    for (int64_t n : {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 64, 100, 1000, 4097})
      expectChain(*context, n, steps);
    for (int i = 0; i < 50; ++i) // runs in close succession: workers still spin
      expectChain(*context, 33, steps);
  }
}

TEST(Pool, keepsOrderWhenGroupsAreUneven) {
  constexpr int steps = 20;
  Bytes file = chainPlan(steps, 100000, "increment_unevenly").build();
  Plan plan = load(file);
  for (int threads : {2, 3, 5}) {
    Result<Context> context = plan.context(threads);
    ASSERT_TRUE(context);
    for (int64_t n : {1, 63, 64, 65, 700})
      expectChain(*context, n, steps);
  }
}

TEST(Pool, givesEveryThreadItsOwnScratch) {
  PlanBuilder builder = chainPlan(1, 4096);
  builder.program().dispatches[0]->kernel = builder.kernel("own_scratch");
  builder.program().dispatches[0]->scratch = builder.constant(64 * sizeof(int64_t));
  Bytes file = builder.build();
  Plan plan = load(file);
  Result<Context> context = plan.context(4);
  ASSERT_TRUE(context);
  std::vector<int64_t> x(4096);
  for (int i = 0; i < 20; ++i) {
    Result<std::vector<Tensor>> outputs = context->run({Tensor(x.data(), {4096})});
    ASSERT_TRUE(outputs) << outputs.error().message();
  }
}

TEST(Pool, wakesWorkersThatSleep) {
  Bytes file = chainPlan(3, 1000).build();
  Plan plan = load(file);
  Result<Context> context = plan.context(3);
  ASSERT_TRUE(context);
  for (int i = 0; i < 20; ++i) {
    expectChain(*context, 500, 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(2)); // beyond the time workers spin
  }
}

TEST(Pool, endsAtOnceWithoutARun) {
  Bytes file = chainPlan(1, 8).build();
  Plan plan = load(file);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(plan.context(1 + i % 5));
}

TEST(Pool, survivesANeighbourOnEveryCpu) {
  // Busy threads on all CPUs: workers are put aside in the middle of runs. Right results are the point; that it ends
  // soon is the other.
  std::atomic<bool> quit{false};
  std::vector<std::thread> neighbours;
  for (unsigned i = 0; i < std::thread::hardware_concurrency() && i < 8; ++i)
    neighbours.emplace_back([&] {
      while (!quit.load(std::memory_order_relaxed)) {
      }
    });
  constexpr int steps = 50;
  Bytes file = chainPlan(steps, 1000).build();
  Plan plan = load(file);
  {
    Result<Context> context = plan.context(4);
    ASSERT_TRUE(context);
    for (int i = 0; i < 20; ++i)
      expectChain(*context, 100 + i, steps);
  }
  quit = true;
  for (std::thread &neighbour : neighbours)
    neighbour.join();
}

TEST(Contexts, runInParallelOnOnePlan) {
  constexpr int steps = 30;
  Bytes file = chainPlan(steps, 100000).build();
  Plan plan = load(file);
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&plan, t] {
      Result<Context> context = plan.context(1 + t % 3);
      ASSERT_TRUE(context);
      for (int64_t i = 0; i < 40; ++i)
        expectChain(*context, (i * 37 + t) % 300, steps);
    });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(Contexts, mayMoveBetweenThreads) {
  constexpr int steps = 5;
  Bytes file = chainPlan(steps, 1000).build();
  Plan plan = load(file);
  Result<Context> context = plan.context(2);
  ASSERT_TRUE(context);
  for (int i = 0; i < 5; ++i)
    std::thread([&] { expectChain(*context, 100, steps); }).join();
}

TEST(Contexts, failWhenThreadsCannotBeHad) {
  Bytes file = chainPlan(1, 8).build();
  Plan plan = load(file);
  EXPECT_EQ(plan.context(5000).error().message(),
            "5000 threads were asked for, allowed are 1 to 1024, or 0 for all CPUs");
  EXPECT_GE(plan.context(0)->threads(), 1);
}
