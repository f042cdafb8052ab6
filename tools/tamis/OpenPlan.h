// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plan that a command line names.

#ifndef TAMIS_TOOLS_TAMIS_OPENPLAN_H
#define TAMIS_TOOLS_TAMIS_OPENPLAN_H

#include "tamis/tamis.hpp"
#include <string>

namespace tamis::tool {

/// Loads the plan at `path`. Errors name the path; a model in the place of a plan is told how to become one.
Result<Plan> openPlan(const std::string &path, const LoadOptions &options = {});

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_OPENPLAN_H
