// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler wrote into a plan about how GPU kernels are cut, for people.

#ifndef TAMIS_TOOLS_TAMIS_GPUREPORT_H
#define TAMIS_TOOLS_TAMIS_GPUREPORT_H

#include <nlohmann/json.hpp>
#include <string>

namespace tamis::tool {

/// Lines: of each target's kernels the tile that was chosen and what it was chosen from. `report` is the plan's section
/// "gpu". Throws nlohmann::json::exception on a report of another form.
std::string gpuText(const nlohmann::ordered_json &report);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_GPUREPORT_H
