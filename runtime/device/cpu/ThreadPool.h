// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a list of dispatches, one after the other, each on several threads.

#ifndef TAMIS_RUNTIME_DEVICE_CPU_THREADPOOL_H
#define TAMIS_RUNTIME_DEVICE_CPU_THREADPOOL_H

#include "runtime/memory/Array.h"
#include "tamis/tamis.h"
#include <atomic>
#include <pthread.h>

namespace tamis::runtime {

/// What the compiler emits for every kernel: runs work groups [begin, end) of the dispatch's grid and returns 0, or 1
/// when an index was out of range. Groups are independent: any order, any thread. `scratch` belongs to the calling
/// thread.
using KernelFunction = int32_t (*)(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end,
                                   void *scratch);

struct CpuDispatch {
  KernelFunction kernel;
  void *const *buffers;
  int64_t groups; ///< of the grid, not negative
};

/// A run. Everything pointed to stays until the run has ended.
struct DispatchList {
  const CpuDispatch *dispatches;
  size_t count;
  const int64_t *sizes; ///< the plan's symbols, handed to every kernel
  char *scratch;        ///< of thread 0; thread t has it at scratch + t * scratchStride
  size_t scratchStride;
  int64_t *nanoseconds; ///< one a dispatch, written; null: nothing is timed
};

/// How a run ended: `dispatch` is -1, or the first that failed and ended the run, with what its kernel returned.
struct RunResult {
  int64_t dispatch = -1;
  int32_t code = 0;
};

/// Runs the list on the calling thread alone, without any synchronisation.
RunResult runSerially(const DispatchList &list);

/// The calling thread and `threads - 1` workers. All of them take chunks of the current dispatch until none is left;
/// the thread that ends its last chunk starts the next dispatch. So nobody waits for a thread that holds no work: a
/// worker that the system has not yet woken, or has put aside for another process, delays nothing. Waiting threads spin
/// for a bounded time, then sleep; between runs too, so that runs in close succession need no wake-up.
///
/// One run at a time; create, run and the destructor by one thread at a time.
class ThreadPool {
public:
  static constexpr int32_t kMaxThreads = 1024;
  /// Chunks a thread gets of a large dispatch: enough that uneven threads end together, few enough to claim for free.
  static constexpr int64_t kChunksPerThread = 4;

  explicit ThreadPool(int32_t threads) : threads(threads) {}
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;
  ~ThreadPool();

  /// Starts the workers; once. TAMIS_SYSTEM_REFUSED or TAMIS_OUT_OF_MEMORY when that is impossible.
  tamis_status start(tamis_error *error);

  RunResult run(const DispatchList &list);

private:
  // A ticket is one word, so that a claim checks and takes at once: the number of the current stretch of work above,
  // the chunks nobody has claimed below. A thread with an old ticket in hand cannot claim from a later stretch.
  static constexpr int kLeftBits = 20;
  static constexpr uint64_t kLeftMask = (uint64_t(1) << kLeftBits) - 1;

  struct Worker {
    ThreadPool *pool;
    pthread_t id;
    int32_t thread;
  };

  static void *workerMain(void *worker);
  void work(int32_t thread);
  void runChunk(uint64_t left, int32_t thread);
  void call(int64_t begin, int64_t end, int32_t thread);
  void advance(int32_t thread);
  void publish(uint64_t chunks, uint32_t wake);
  void wait(uint64_t ticket, bool isCaller);

  const int32_t threads;
  int64_t spinNanoseconds = 0;
  Array<Worker> workers;
  size_t started = 0;

  // The current stretch: written by the one thread that advances, read by threads that claimed a chunk of it.
  const DispatchList *list = nullptr;
  size_t current = 0;
  int64_t chunk = 0, chunks = 0;
  int64_t startTime = 0;
  uint64_t stretch = 0;

  alignas(64) std::atomic<uint64_t> ticket{0};
  alignas(64) std::atomic<uint64_t> unfinished{0}; ///< chunks of the current dispatch that have not ended
  std::atomic<int32_t> failure{0};                 ///< what a kernel of the current dispatch returned, if not 0
  alignas(64) std::atomic<uint32_t> published{0};  ///< counts changes of the ticket; what sleepers wait on
  std::atomic<uint32_t> sleepingWorkers{0}, sleepingCallers{0};
  std::atomic<uint64_t> finished{0}; ///< the stretch that follows the last dispatch of a run
  std::atomic<bool> quit{false};
};

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_DEVICE_CPU_THREADPOOL_H
