// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the compiler wrote into a plan about the precisions that it chose.

#include "tools/tamis/PrecisionReport.h"
#include "tools/tamis/Table.h"

namespace tamis::tool {

using Json = nlohmann::ordered_json;

std::string precisionText(const Json &report) {
  Table table(
      {{"weight"}, {"inputs", Table::right}, {"outputs", Table::right}, {"precision"}, {"error", Table::right}});
  for (const Json &layer : report.at("layers")) {
    auto precision = layer.at("precision").get<std::string>();
    const Json &errors = layer.at("errors");
    std::string error = errors.contains(precision) ? format("%.2e", errors.at(precision).get<double>()) : "";
    table.add({layer.at("weight"), std::to_string(layer.at("inputs").get<int64_t>()),
               std::to_string(layer.at("outputs").get<int64_t>()), precision, error});
  }
  std::string text =
      format("precision, chosen by what each layer's does to %lld passages (1 - cosine of the outputs)\n",
             static_cast<long long>(report.at("passages").get<int64_t>()));
  text += table.text();
  text += format("  on %lld other passages the outputs' cosine was at least %.5f (%.5f was wanted); weights of layers "
                 "are %.1f%% of f32's bytes\n",
                 static_cast<long long>(report.at("held_out").get<int64_t>()),
                 1 - report.at("error").at("cosine").get<double>(), 1 - report.at("max_error").get<double>(),
                 100 * report.at("bytes").get<double>() / report.at("bytes_f32").get<double>());
  return text;
}

} // namespace tamis::tool
