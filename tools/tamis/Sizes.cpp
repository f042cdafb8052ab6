// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes that stand in for those the user does not give.

#include "tools/tamis/Sizes.h"
#include <algorithm>
#include <cstring>

namespace tamis::tool {

int64_t DefaultSizes::operator()(const tamis_symbol_info &symbol) const {
  bool isBatch = !strncmp(symbol.name, "batch", 5) || !strncmp(symbol.name, "Batch", 5);
  return std::clamp(isBatch ? batch : other, symbol.min, symbol.max);
}

Result<std::vector<int64_t>> chooseSizes(const Plan &plan, const std::vector<std::string> &dims,
                                         const DefaultSizes &defaults) {
  std::vector<tamis_symbol_info> symbols = plan.symbols();
  Result<std::vector<int64_t>> values = parseDims(symbols, dims);
  if (values)
    for (size_t i = 0; i < symbols.size(); ++i)
      if ((*values)[i] < 0)
        (*values)[i] = defaults(symbols[i]);
  return values;
}

std::vector<int64_t> sizesOf(const Plan &plan, const std::vector<Tensor> &inputs) {
  std::vector<int64_t> values;
  std::vector<tamis_tensor_info> infos = plan.inputs();
  for (const tamis_symbol_info &symbol : plan.symbols()) {
    int64_t value = symbol.min; // of a symbol that is no dim and has but one value
    for (size_t i = 0; i < inputs.size(); ++i)
      for (size_t d = 0; d < inputs[i].dims().size(); ++d)
        if (!strcmp(infos[i].dim_names[d], symbol.name))
          value = inputs[i].dims()[d];
    values.push_back(value);
  }
  return values;
}

std::string sizesText(const Plan &plan, const std::vector<int64_t> &values) {
  std::string text;
  std::vector<tamis_symbol_info> symbols = plan.symbols();
  for (size_t i = 0; i < symbols.size(); ++i)
    text += (i ? " " : "") + std::string(symbols[i].name) + "=" + std::to_string(values[i]);
  return text;
}

} // namespace tamis::tool
