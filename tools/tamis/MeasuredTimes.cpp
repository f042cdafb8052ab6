// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads what tamis bench measured.

#include "runtime/npy/NpyFile.h"
#include "tools/tamis/InspectionPage.h"
#include "tools/tamis/Table.h"
#include <nlohmann/json.hpp>

namespace tamis::tool {

using Json = nlohmann::ordered_json;

static Error unfit(const std::string &path, const std::string &why) {
  return Error(TAMIS_INVALID_ARGUMENT,
               path + ": " + why + "; `tamis bench PLAN --profile --json > FILE.json` writes what is wanted");
}

static Result<Json> read(const std::string &path) {
  Result<std::string> text = npy::readFile(path);
  if (!text)
    return text.error();
  Json document = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("measurements") || !document.contains("sizes"))
    return unfit(path, "these are no measurements");
  return document;
}

Result<std::vector<std::string>> readMeasuredSizes(const std::string &path) {
  Result<Json> document = read(path);
  if (!document)
    return document.error();
  std::vector<std::string> sizes;
  for (const auto &[name, value] : document->at("sizes").items())
    if (value.is_number_integer())
      sizes.push_back(name + "=" + std::to_string(value.get<int64_t>()));
  return sizes;
}

Result<MeasuredTimes> readMeasuredTimes(const std::string &path, const Inspection &inspection) {
  Result<Json> document = read(path);
  if (!document)
    return document.error();
  std::vector<tamis_dispatch_info> infos = inspection.plan.dispatches();
  try {
    std::vector<tamis_symbol_info> symbols = inspection.plan.symbols();
    for (size_t i = 0; i < symbols.size(); ++i)
      if (document->at("sizes").value(symbols[i].name, int64_t(-1)) != inspection.sizes[i])
        return unfit(path, format("measured at other sizes than %s=%lld", symbols[i].name,
                                  static_cast<long long>(inspection.sizes[i])));
    for (const Json &measurement : document->at("measurements")) {
      if (!measurement.contains("dispatches"))
        continue;
      const Json &dispatches = measurement.at("dispatches");
      MeasuredTimes times{{}, measurement.at("threads"), measurement.at("median_seconds")};
      bool same = dispatches.size() == infos.size();
      for (size_t i = 0; same && i < infos.size(); ++i) {
        same = dispatches[i].at("name") == infos[i].name;
        times.seconds.push_back(dispatches[i].at("median_seconds"));
      }
      if (!same)
        return unfit(path, "measured of another plan");
      return times;
    }
  } catch (const nlohmann::json::exception &error) {
    return unfit(path, error.what());
  }
  return unfit(path, "no dispatch was measured");
}

} // namespace tamis::tool
