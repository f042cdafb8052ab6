// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Claiming, advancing and waiting. Linux: sleepers wait on a futex, because a condition variable would take a lock on
// each of a run's many dispatches.

#include "runtime/device/cpu/ThreadPool.h"
#include "runtime/device/cpu/CpuCount.h"
#include "runtime/status/Status.h"
#include <climits>
#include <csignal>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tamis::runtime {

// Long enough for the gap between two dispatches, or two runs in a loop; a tenth of what a scheduler gives a thread, so
// that a neighbour who wants the core gets it.
static constexpr int64_t kSpinNanoseconds = 100'000;
// With more threads than CPUs the thread waited for may need this very core.
static constexpr int64_t kCrowdedSpinNanoseconds = 2'000;

// Bits of a futex wait: whom a wake-up is for.
static constexpr uint32_t kWorkers = 1, kCaller = 2;

static int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

static void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory"); // yield is a no-op on most cores
#endif
}

static long futex(std::atomic<uint32_t> &word, int operation, uint32_t value, uint32_t bits) {
  static_assert(sizeof(word) == sizeof(uint32_t));
  return syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), operation | FUTEX_PRIVATE_FLAG, value, nullptr,
                 nullptr, bits);
}

RunResult runSerially(const DispatchList &list) {
  for (size_t i = 0; i < list.count; ++i) {
    const CpuDispatch &dispatch = list.dispatches[i];
    int64_t start = list.nanoseconds ? now() : 0;
    int32_t code =
        dispatch.groups ? dispatch.kernel(dispatch.buffers, list.sizes, 0, dispatch.groups, list.scratch) : 0;
    if (list.nanoseconds)
      list.nanoseconds[i] = now() - start;
    if (code)
      return {int64_t(i), code};
  }
  return {};
}

tamis_status ThreadPool::start(tamis_error *error) {
  spinNanoseconds = threads <= availableCpus() ? kSpinNanoseconds : kCrowdedSpinNanoseconds;
  if (!workers.allocate(size_t(threads - 1)))
    return fail(error, TAMIS_OUT_OF_MEMORY, "no memory for %d threads", int(threads));
  // Workers take no signals: handlers belong to the program's own threads.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  int problem = 0;
  for (; started < workers.size() && !problem; started += !problem) {
    workers[started].pool = this;
    workers[started].thread = int32_t(started) + 1;
    problem = pthread_create(&workers[started].id, nullptr, workerMain, &workers[started]);
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  if (problem)
    return fail(error, TAMIS_SYSTEM_REFUSED, "cannot start thread %zu of %d: %s", started + 2, int(threads),
                strerror(problem));
  return TAMIS_OK;
}

ThreadPool::~ThreadPool() {
  quit.store(true);
  published.fetch_add(1); // after quit: who sleeps now sees it, who is about to will not
  futex(published, FUTEX_WAKE_BITSET, INT_MAX, kWorkers);
  for (size_t i = 0; i < started; ++i)
    pthread_join(workers[i].id, nullptr);
}

void *ThreadPool::workerMain(void *argument) {
  auto *worker = static_cast<Worker *>(argument);
  pthread_setname_np(pthread_self(), "tamis");
  worker->pool->work(worker->thread);
  return nullptr;
}

RunResult ThreadPool::run(const DispatchList &newList) {
  list = &newList;
  current = SIZE_MAX; // advance() steps to 0
  failure.store(0, std::memory_order_relaxed);
  advance(0);
  work(0);
  int32_t code = failure.load(std::memory_order_relaxed);
  return code ? RunResult{int64_t(current), code} : RunResult{};
}

/// Thread 0, the caller, returns when the run has ended; a worker when the pool ends.
void ThreadPool::work(int32_t thread) {
  for (;;) {
    uint64_t seen = ticket.load(std::memory_order_acquire);
    if (uint64_t left = seen & kLeftMask) {
      if (ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_relaxed))
        runChunk(left, thread);
      continue;
    }
    if (thread == 0 ? seen >> kLeftBits == finished.load(std::memory_order_relaxed)
                    : quit.load(std::memory_order_relaxed))
      return;
    wait(seen, thread == 0);
  }
}

void ThreadPool::runChunk(uint64_t left, int32_t thread) {
  int64_t begin = (chunks - int64_t(left)) * chunk, groups = list->dispatches[current].groups;
  call(begin, groups - begin < chunk ? groups : begin + chunk, thread);
  if (unfinished.fetch_sub(1, std::memory_order_acq_rel) == 1)
    advance(thread);
}

void ThreadPool::call(int64_t begin, int64_t end, int32_t thread) {
  const CpuDispatch &dispatch = list->dispatches[current];
  if (int32_t code = dispatch.kernel(dispatch.buffers, list->sizes, begin, end,
                                     list->scratch + size_t(thread) * list->scratchStride))
    failure.store(code, std::memory_order_relaxed);
}

/// The current dispatch has ended, and this thread knows alone: starts the next, or ends the run.
void ThreadPool::advance(int32_t thread) {
  for (;;) {
    if (list->nanoseconds && current != SIZE_MAX)
      list->nanoseconds[current] = now() - startTime;
    if (failure.load(std::memory_order_relaxed) || current + 1 == list->count)
      break;
    ++current;
    if (list->nanoseconds)
      startTime = now();
    int64_t groups = list->dispatches[current].groups;
    if (groups == 0)
      continue;
    chunk = groups / (threads * kChunksPerThread);
    chunk = chunk ? chunk : 1;
    chunks = groups / chunk + (groups % chunk != 0);
    if (chunks == 1) { // not worth telling anyone
      call(0, groups, thread);
      continue;
    }
    unfinished.store(uint64_t(chunks), std::memory_order_relaxed);
    return publish(uint64_t(chunks), kWorkers | kCaller);
  }
  finished.store(stretch + 1, std::memory_order_relaxed);
  publish(0, kCaller);
}

/// Lets the others see a stretch of `count` chunks and wakes those of `wake` who sleep.
void ThreadPool::publish(uint64_t count, uint32_t wake) {
  ticket.store(++stretch << kLeftBits | count, std::memory_order_release);
  // An event count: a sleeper counts itself, reads `published`, looks at the ticket once more, and sleeps only while
  // `published` has not moved. So it either sees this ticket, or fails to sleep, or is seen here (all seq_cst).
  published.fetch_add(1);
  uint32_t bits = 0;
  if (wake & kWorkers && sleepingWorkers.load())
    bits |= kWorkers;
  if (wake & kCaller && sleepingCallers.load())
    bits |= kCaller;
  if (bits)
    futex(published, FUTEX_WAKE_BITSET, INT_MAX, bits);
}

/// Returns when the ticket differs from `seen`, or for no reason.
void ThreadPool::wait(uint64_t seen, bool isCaller) {
  int64_t deadline = 0;
  do {
    for (int i = 0; i < 64; ++i) {
      if (ticket.load(std::memory_order_relaxed) != seen)
        return;
      pause();
    }
    if (!deadline)
      deadline = now() + spinNanoseconds;
  } while (now() < deadline);
  std::atomic<uint32_t> &sleeping = isCaller ? sleepingCallers : sleepingWorkers;
  sleeping.fetch_add(1);
  uint32_t event = published.load();
  if (ticket.load() == seen && !quit.load())
    futex(published, FUTEX_WAIT_BITSET, event, isCaller ? kCaller : kWorkers);
  sleeping.fetch_sub(1);
}

} // namespace tamis::runtime
