// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything a plan says of itself, as text for people and as JSON for programs.

#ifndef TAMIS_TOOLS_TAMIS_INSPECTION_H
#define TAMIS_TOOLS_TAMIS_INSPECTION_H

#include "tamis/tamis.hpp"
#include <string>
#include <vector>

namespace tamis::tool {

/// What the runtime tells of a plan at some sizes. Refers to the plan it was made of.
class Inspection {
public:
  const Plan &plan;
  std::vector<int64_t> sizes;
  std::vector<tamis_dispatch_cost> costs; ///< one a dispatch
  std::vector<tamis_arena_buffer> buffers;
  tamis_memory_info memory;

  /// `context` is prepared for `sizes`, the values of the plan's symbols.
  static Result<Inspection> of(const Plan &plan, const Context &context, std::vector<int64_t> sizes);

  /// Aligned columns; ends with a line feed.
  std::string text() const;
  /// docs/command-line.md lists the fields; they only grow.
  std::string json() const;

  std::string tensorsText(const std::vector<tamis_tensor_info> &tensors) const;
  std::string sectionsText() const;
  /// What the compiler chose: attention, and the tiles of GPU kernels. Empty when it had nothing to choose.
  std::string reportsText() const;

private:
  explicit Inspection(const Plan &plan) : plan(plan) {}

  std::string dispatchesText() const;
  std::string arenaText() const;
};

/// Names of nodes with what they share said once: "/encoder/layer.0/{query/MatMul, query/Add}".
std::string nodesText(const char *const *names, size_t count);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_INSPECTION_H
