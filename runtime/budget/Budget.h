// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The paths of a plan, and what sends requests to them. What tamis_budget points to.

#ifndef TAMIS_RUNTIME_BUDGET_BUDGET_H
#define TAMIS_RUNTIME_BUDGET_BUDGET_H

#include "runtime/budget/Complexity.h"
#include "runtime/budget/Monitor.h"
#include "runtime/memory/Array.h"

namespace tamis::runtime {

/// One thread at a time.
class Budget {
public:
  explicit Budget(const tamis_budget_options &options);
  Budget(const Budget &) = delete;
  Budget &operator=(const Budget &) = delete;
  ~Budget();

  tamis_status open(const char *path, const tamis_load_options *load, tamis_error *error);
  tamis_status run(const tamis_tensor *inputs, size_t count, tamis_budget_path path, double waited,
                   tamis_budget_result *result, tamis_error *error);
  tamis_status output(size_t index, tamis_tensor *tensor, tamis_error *error) const;
  const tamis_plan *plan(int path) const { return plans[path]; }
  tamis_budget_stats stats() const;

private:
  tamis_status timed(int path, const tamis_tensor *inputs, size_t count, double &seconds, tamis_error *error);
  tamis_status compare(int path, const tamis_tensor *inputs, size_t count, double elements, double &cosine,
                       tamis_error *error);
  bool isSampled();
  Served costs(int path) const;

  const tamis_budget_options options;
  tamis_plan *plans[kBudgetLevels] = {};
  tamis_context *contexts[kBudgetLevels] = {};
  int last = -1; ///< the path of the last answer
  Controller controller;
  Complexity complexity;
  Monitor monitor;
  double samplesOwed = 0;
  int64_t workingBytes[kBudgetLevels] = {};
};

} // namespace tamis::runtime

/// The C API's name for it.
struct tamis_budget : tamis::runtime::Budget {
  using Budget::Budget;
};

#endif // TAMIS_RUNTIME_BUDGET_BUDGET_H
