// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `tamis-run` prints about a plan and about its runs.

#ifndef TAMIS_TOOLS_TAMIS_RUN_REPORT_H
#define TAMIS_TOOLS_TAMIS_RUN_REPORT_H

#include "tamis/tamis.hpp"
#include <string>
#include <vector>

namespace tamis::tool {

/// Model, symbols, inputs, outputs, code sections with why each is or is not in use.
std::string listText(const Plan &plan);

/// Times of every dispatch, summed over `runs` profiled runs.
class Profile {
public:
  explicit Profile(const Plan &plan) : plan(plan), nanoseconds(plan.dispatches().size()) {}

  /// Adds the last run of `context`.
  void add(const Context &context);
  /// A line a dispatch: mean time, share, rates, groups, name and first source node. Empty before the first add.
  std::string text(const Context &context) const;

private:
  const Plan &plan;
  std::vector<int64_t> nanoseconds;
  int runs = 0;
};

/// "minimum 1.234 ms, median 1.300 ms of 10 runs"; `milliseconds` is not empty.
std::string timesText(std::vector<double> milliseconds);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_RUN_REPORT_H
