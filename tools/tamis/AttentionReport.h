// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler wrote into a plan about the attention that it chose, for people.

#ifndef TAMIS_TOOLS_TAMIS_ATTENTIONREPORT_H
#define TAMIS_TOOLS_TAMIS_ATTENTIONREPORT_H

#include <nlohmann/json.hpp>
#include <string>

namespace tamis::tool {

/// Lines: what each layer's heads do, and the error that was measured. `report` is the plan's section "attention".
/// Throws nlohmann::json::exception on a report of another form.
std::string attentionText(const nlohmann::ordered_json &report);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_ATTENTIONREPORT_H
