// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plan that a command line names.

#include "tools/tamis/OpenPlan.h"
#include "tools/tamis/Compiler.h"
#include <filesystem>

namespace tamis::tool {

Result<Plan> openPlan(const std::string &path, const LoadOptions &options) {
  std::error_code ignored;
  bool exists = std::filesystem::exists(path, ignored);
  if (exists && !isPlan(path))
    return Error(TAMIS_INVALID_ARGUMENT,
                 path + ": this is no plan; `tamis compile " + path + " -o FILE.plan` makes one of a model");
  Result<Plan> plan = Plan::load(path, options);
  if (plan || plan.error().message().find(path) != std::string::npos)
    return plan;
  return Error(plan.error().status(), path + ": " + plan.error().message());
}

} // namespace tamis::tool
