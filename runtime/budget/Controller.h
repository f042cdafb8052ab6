// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which path of a plan a request takes: a state machine without clocks, threads or plans.

#ifndef TAMIS_RUNTIME_BUDGET_CONTROLLER_H
#define TAMIS_RUNTIME_BUDGET_CONTROLLER_H

#include <cstdint>

namespace tamis::runtime {

/// Paths from the fastest to the most accurate.
enum class BudgetLevel : int32_t { Fast = 0, Balanced = 1, Precise = 2 };
constexpr int kBudgetLevels = 3;

/// What a request asks for.
struct BudgetDemand {
  double elements = 0;   ///< of its inputs: what its time grows with
  double complexity = 0; ///< from 0, easy, to 1
  double waited = 0;     ///< seconds of the latency that are gone
};

struct ControllerOptions {
  double latency = 0;    ///< seconds that a request may take, waiting included; 0: any
  double headroom = 0.8; ///< a more accurate path is taken when it is expected to take this share of the latency
  double easy = 0.3;     ///< complexity up to which the fast path is good enough
  double hard = 0.6;     ///< complexity from which the precise path is wanted
  double band = 0.05;    ///< by which complexity has to go beyond either to leave the path that it is on
  uint32_t patience = 4; ///< requests in a row that want another path before it is taken
};

/// Keeps one path for requests that come one after the other, and changes it
/// - at once to a faster one, when a request is not expected to keep the latency on the one that it is on,
/// - else by one step, when `patience` requests in a row want one on the same side: a more accurate one that the
/// latency
///   has room for, or a faster one that is good enough for their complexity.
/// So a path that was left for its time comes back after `patience` requests at the soonest: of n requests, no more
/// than 2 n / patience + 2 change the path, whatever they want. One thread at a time.
class Controller {
public:
  explicit Controller(const ControllerOptions &options) : options(options) {}

  /// The path of a request.
  BudgetLevel decide(const BudgetDemand &demand);
  /// A request, by hand or not, took so long; waiting not included.
  void observe(BudgetLevel level, double elements, double seconds);

  /// The seconds that a request is expected to take: from requests of like size on this path, else on others. 0 when
  /// nothing is known.
  double expected(BudgetLevel level, double elements) const;
  BudgetLevel level() const { return current; }
  uint64_t switches() const { return changed; }

private:
  /// Powers of two of elements.
  static constexpr int kSizes = 48;
  /// What is known of runs of a size: their smoothed time and size.
  struct Times {
    double seconds = 0, elements = 0;
    uint64_t runs = 0;
    bool isKnown() const { return runs > 0; }
  };

  BudgetLevel wanted(double complexity) const;
  bool fits(BudgetLevel level, const BudgetDemand &demand, double share) const;
  const Times *nearest(BudgetLevel level, double elements) const;

  ControllerOptions options;
  Times times[kBudgetLevels][kSizes];
  BudgetLevel current = BudgetLevel::Precise;
  int direction = 0;   ///< of the requests that wanted another path: -1, 1, or 0
  uint32_t streak = 0; ///< of them
  uint64_t changed = 0;
};

} // namespace tamis::runtime

#endif // TAMIS_RUNTIME_BUDGET_CONTROLLER_H
