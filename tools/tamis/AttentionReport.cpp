// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler wrote into a plan about the attention that it chose.

#include "tools/tamis/AttentionReport.h"
#include "tools/tamis/Table.h"

namespace tamis::tool {

using Json = nlohmann::ordered_json;

static std::string shareText(const Json &heads, const char *field) {
  return heads.contains(field) ? format("%.1f%%", 100 * heads.at(field).get<double>()) : "";
}

std::string attentionText(const Json &report) {
  Table table({{"layer", Table::right},
               {"heads"},
               {"pattern"},
               {"pairs kept", Table::right},
               {"weight kept", Table::right},
               {"index"}});
  int64_t layer = 0;
  for (const Json &runs : report.at("layers")) {
    for (const Json &heads : runs) {
      int64_t first = heads.at("first"), last = first + heads.at("count").get<int64_t>() - 1;
      std::string index;
      if (heads.contains("shared_overlap"))
        index = format("of layer %lld, of which %.0f%% would be its own", static_cast<long long>(layer - 1),
                       100 * heads.at("shared_overlap").get<double>());
      table.add({std::to_string(layer),
                 first == last ? std::to_string(first) : std::to_string(first) + "-" + std::to_string(last),
                 heads.at("pattern"), shareText(heads, "pairs"), shareText(heads, "mass"), index});
    }
    ++layer;
  }
  std::string text =
      format("attention, chosen among %zu patterns by what they do to %lld passages\n", report.at("candidates").size(),
             static_cast<long long>(report.at("passages").get<int64_t>()));
  text += table.text();
  text +=
      format("  on %lld other passages the outputs' cosine was at least %.5f (%.5f was wanted); attention is expected "
             "to take %.2f of the time of dense attention\n",
             static_cast<long long>(report.at("held_out").get<int64_t>()),
             1 - report.at("error").at("cosine").get<double>(), 1 - report.at("max_error").get<double>(),
             report.at("seconds").get<double>() / report.at("dense_seconds").get<double>());
  if (int64_t below = report.at("dense_below"))
    text += "  attention of less than " + std::to_string(below) + " keys stays dense\n";
  return text;
}

} // namespace tamis::tool
