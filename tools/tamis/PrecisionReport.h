// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler wrote into a plan about the precisions that it chose, for people.

#ifndef TAMIS_TOOLS_TAMIS_PRECISIONREPORT_H
#define TAMIS_TOOLS_TAMIS_PRECISIONREPORT_H

#include <nlohmann/json.hpp>
#include <string>

namespace tamis::tool {

/// Lines: each layer's precision and what it alone does to the outputs, and the error that was measured. `report` is
/// the plan's section "precision". Throws nlohmann::json::exception on a report of another form.
std::string precisionText(const nlohmann::ordered_json &report);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_PRECISIONREPORT_H
