// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A plan that shows its intermediate values.

#ifndef TAMIS_TOOLS_TAMIS_EXPOSEDPLAN_H
#define TAMIS_TOOLS_TAMIS_EXPOSEDPLAN_H

#include "tamis/tamis.hpp"
#include <memory>
#include <string>
#include <vector>

namespace tamis::tool {

/// A copy of a plan, in memory, in which every value of the arena is an output: the same code, constants and dispatches
/// in the same order, with other buffers. What it computes is what the plan computes, value by value.
class ExposedPlan {
public:
  static Result<ExposedPlan> make(const Plan &plan, const LoadOptions &options);

  const Plan &plan() const { return loaded; }
  /// The output that holds the result of dispatch `index`, the first of several. Of intermediate values only the bytes
  /// are known: such an output has elements u8 and one dim.
  size_t outputOf(size_t index) const { return outputs[index]; }

private:
  ExposedPlan(std::unique_ptr<std::string> bytes, Plan plan, std::vector<size_t> outputs)
      : bytes(std::move(bytes)), loaded(std::move(plan)), outputs(std::move(outputs)) {}

  std::unique_ptr<std::string> bytes; ///< outlives the plan
  Plan loaded;
  std::vector<size_t> outputs;
};

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_EXPOSEDPLAN_H
