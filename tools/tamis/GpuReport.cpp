// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler wrote into a plan about how GPU kernels are cut.

#include "tools/tamis/GpuReport.h"
#include "tools/tamis/Table.h"

namespace tamis::tool {

using Json = nlohmann::ordered_json;

static std::string numberText(const Json &candidate, const char *field) {
  return candidate.contains(field) ? std::to_string(candidate.at(field).get<int64_t>()) : "";
}

std::string gpuText(const Json &report) {
  std::string text;
  for (const Json &target : report.at("targets")) {
    Table table({{"kernel"},
                 {"tile"},
                 {"warps", Table::right},
                 {"stages", Table::right},
                 {"registers", Table::right},
                 {"shared", Table::right},
                 {"groups", Table::right},
                 {"occupied", Table::right},
                 {"others", Table::right},
                 {""}});
    for (const Json &kernel : target.at("kernels")) {
      const Json &candidates = kernel.at("candidates");
      std::string chosen = kernel.at("chosen");
      for (const Json &candidate : candidates)
        if (candidate.at("tile") == chosen)
          table.add({kernel.at("kernel"), chosen, numberText(candidate, "warps"), numberText(candidate, "stages"),
                     numberText(candidate, "registers"), numberText(candidate, "shared_bytes"),
                     numberText(candidate, "groups_per_processor"),
                     format("%.0f%%", 100 * candidate.at("occupancy").get<double>()),
                     std::to_string(candidates.size() - 1), kernel.at("by_hand") ? "by hand" : ""});
    }
    text += "kernels for " + target.at("target").get<std::string>() +
            ", and the tiles that they are cut into, of so many others\n" + table.text();
  }
  return text;
}

} // namespace tamis::tool
