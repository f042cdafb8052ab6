// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a budget counts, and how it is written down.

#ifndef TAMIS_RUNTIME_BUDGET_MONITOR_H
#define TAMIS_RUNTIME_BUDGET_MONITOR_H

#include "runtime/budget/Controller.h"
#include "tamis/budget.h"
#include <cstddef>

namespace tamis::runtime {

/// Counts of times, from 10 microseconds up, 16 to a doubling: quantiles are too high by 6 % at most.
class Histogram {
public:
  void add(double seconds);
  uint64_t count() const { return total; }
  double sum() const { return seconds; }
  /// Seconds that `share` of the times are not above; 0 without any.
  double quantile(double share) const;

private:
  static constexpr int kSteps = 16 * 32, kDropped = 48; ///< bits of a double below its first four digits
  static constexpr double kFirst = 1e-5;
  uint64_t counts[kSteps] = {};
  uint64_t total = 0;
  double seconds = 0;
};

/// One request that was run.
struct Served {
  BudgetLevel level;
  bool byHand;
  double seconds; ///< of the run
  double latency; ///< waiting included
  double flops, bytes, elements;
};

/// One thread at a time.
class Monitor {
public:
  /// Seconds of `clock`, any that only grows, at which counting starts.
  explicit Monitor(double start) : start(start) {}

  void add(const Served &served);
  void addSwitch(BudgetLevel from, BudgetLevel to) { ++(to > from ? raised : lowered); }
  /// The cosine of an answer with the precise path's.
  void addAgreement(double cosine);
  void setMemory(int64_t weights, int64_t working) { weightBytes = weights, workingBytes = working; }

  /// What was counted up to `now`, of the clock of the constructor.
  tamis_budget_stats stats(double now) const;
  /// The stats as text, `snprintf`'s way: writes no more than `size` bytes with the terminating NUL and gives the
  /// length of the whole text.
  static size_t write(const tamis_budget_stats &stats, tamis_budget_format format, char *text, size_t size);

private:
  double start, busy = 0, flops = 0, bytes = 0, elements = 0;
  uint64_t raised = 0, lowered = 0, byHand[kBudgetLevels] = {};
  Histogram latencies[kBudgetLevels], all;
  uint64_t compared = 0;
  double cosines = 0, worst = 1;
  int64_t weightBytes = 0, workingBytes = 0;
};

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_BUDGET_MONITOR_H
