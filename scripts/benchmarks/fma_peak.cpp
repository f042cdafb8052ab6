// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The f32 multiply-add peak of this machine: independent chains of fused multiply-adds held in registers, on pinned
// threads. Usage: fma_peak THREADS SECONDS. Prints one JSON object: {"isa", "gflops": median, "best", "bursts"}.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <thread>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using Clock = std::chrono::steady_clock;

// Operands that keep every chain finite and normal for ever: x -> 0.5 x + 0.5 tends to 1.
constexpr float kFactor = 0.5f, kAddend = 0.5f;
volatile float sink;

/// A loop of multiply-adds: `run(n)` does n * flopsPerStep operations.
struct Kernel {
  const char *isa;
  double flopsPerStep;
  void (*run)(long steps);
};

#if defined(__x86_64__)
// 16 chains of the 32 registers: two units of latency 4 need 8.
__attribute__((target("avx512f"))) void runAvx512(long steps) {
  __m512 chain[16], factor = _mm512_set1_ps(kFactor), addend = _mm512_set1_ps(kAddend);
  for (__m512 &value : chain)
    value = addend;
  for (long step = 0; step < steps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      chain[i] = _mm512_fmadd_ps(chain[i], factor, addend);
  __m512 sum = chain[0];
  for (int i = 1; i < 16; ++i)
    sum = _mm512_add_ps(sum, chain[i]);
  sink = _mm512_cvtss_f32(sum);
}

// 12 chains of the 16 registers: two units of latency 4 or 5 need 10.
__attribute__((target("avx2,fma"))) void runAvx2(long steps) {
  __m256 chain[12], factor = _mm256_set1_ps(kFactor), addend = _mm256_set1_ps(kAddend);
  for (__m256 &value : chain)
    value = addend;
  for (long step = 0; step < steps; ++step)
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i)
      chain[i] = _mm256_fmadd_ps(chain[i], factor, addend);
  __m256 sum = chain[0];
  for (int i = 1; i < 12; ++i)
    sum = _mm256_add_ps(sum, chain[i]);
  sink = _mm256_cvtss_f32(sum);
}
#endif

// 128-bit vectors of the compiler's own: NEON on AArch64, four units of latency 4.
void runVector128(long steps) {
  typedef float Vector __attribute__((vector_size(16)));
  Vector chain[16], factor = Vector{} + kFactor, addend = Vector{} + kAddend;
  for (Vector &value : chain)
    value = addend;
  for (long step = 0; step < steps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i)
      chain[i] = chain[i] * factor + addend;
  Vector sum = chain[0];
  for (int i = 1; i < 16; ++i)
    sum += chain[i];
  sink = sum[0];
}

std::vector<Kernel> availableKernels() {
  std::vector<Kernel> kernels;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    kernels.push_back({"avx512", 2.0 * 16 * 16, runAvx512});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    kernels.push_back({"avx2", 2.0 * 12 * 8, runAvx2});
#endif
  if (kernels.empty())
    kernels.push_back({"vector128", 2.0 * 16 * 4, runVector128});
  return kernels;
}

void pinToCpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

/// The first `count` CPUs this process may use.
std::vector<int> allowedCpus(int count) {
  cpu_set_t set;
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE && static_cast<int>(cpus.size()) < count; ++cpu)
    if (CPU_ISSET(cpu, &set))
      cpus.push_back(cpu);
  return cpus;
}

/// GFLOP/s of bursts of about 2 ms for `seconds`, ascending. The clock of a burst starts when every thread stands on
/// its CPU: the creation of threads is not measured.
std::vector<double> measure(const Kernel &kernel, const std::vector<int> &cpus, double seconds) {
  pinToCpu(cpus[0]);
  long steps = 10000;
  for (;; steps *= 2) {
    auto start = Clock::now();
    kernel.run(steps);
    if (std::chrono::duration<double>(Clock::now() - start).count() > 2e-3)
      break;
  }
  std::barrier<> gate(static_cast<std::ptrdiff_t>(cpus.size()));
  bool done = false;
  std::vector<std::thread> others;
  for (size_t i = 1; i < cpus.size(); ++i)
    others.emplace_back([&, cpu = cpus[i]] {
      pinToCpu(cpu);
      for (;;) {
        gate.arrive_and_wait();
        if (done)
          return;
        kernel.run(steps);
        gate.arrive_and_wait();
      }
    });
  std::vector<double> rates;
  auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end || rates.size() < 5) {
    gate.arrive_and_wait();
    auto start = Clock::now();
    kernel.run(steps);
    gate.arrive_and_wait();
    double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    rates.push_back(static_cast<double>(cpus.size()) * static_cast<double>(steps) * kernel.flopsPerStep / elapsed /
                    1e9);
  }
  done = true;
  gate.arrive_and_wait();
  for (std::thread &thread : others)
    thread.join();
  std::sort(rates.begin(), rates.end());
  return rates;
}

} // namespace

int main(int argc, char **argv) {
  int threads = argc == 3 ? std::atoi(argv[1]) : 0;
  double seconds = argc == 3 ? std::atof(argv[2]) : 0;
  std::vector<int> cpus = allowedCpus(threads);
  if (threads < 1 || seconds <= 0 || static_cast<int>(cpus.size()) < threads) {
    std::fprintf(stderr, "usage: fma_peak THREADS SECONDS (at most one thread a CPU)\n");
    return 1;
  }
  // Wider vectors are not always faster (a core may run them at half rate): the best kernel is the peak.
  std::vector<Kernel> kernels = availableKernels();
  const Kernel *peak = nullptr;
  std::vector<double> rates;
  for (const Kernel &kernel : kernels) {
    std::vector<double> measured = measure(kernel, cpus, seconds / static_cast<double>(kernels.size()));
    if (!peak || measured[measured.size() / 2] > rates[rates.size() / 2]) {
      peak = &kernel;
      rates = measured;
    }
  }
  std::printf("{\"isa\": \"%s\", \"gflops\": %.2f, \"best\": %.2f, \"bursts\": %zu}\n", peak->isa,
              rates[rates.size() / 2], rates.back(), rates.size());
}
