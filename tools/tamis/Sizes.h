// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sizes that stand in for those the user does not give.

#ifndef TAMIS_TOOLS_TAMIS_SIZES_H
#define TAMIS_TOOLS_TAMIS_SIZES_H

#include "tools/tamis-run/Inputs.h"
#include <string>
#include <vector>

namespace tamis::tool {

/// The sizes used when none are given: `batch` for names that start so, `other` for the rest, both kept in the range.
struct DefaultSizes {
  int64_t batch = 1, other = 128;
  int64_t operator()(const tamis_symbol_info &symbol) const;
};

/// The values of the plan's symbols: those of texts "SYMBOL=NUMBER", else the defaults.
Result<std::vector<int64_t>> chooseSizes(const Plan &plan, const std::vector<std::string> &dims,
                                         const DefaultSizes &defaults);

/// The values of the plan's symbols that `inputs` have.
std::vector<int64_t> sizesOf(const Plan &plan, const std::vector<Tensor> &inputs);

/// "batch=1 sequence=128", or "" without symbols.
std::string sizesText(const Plan &plan, const std::vector<int64_t> &values);

} // namespace tamis::tool

#endif // TAMIS_TOOLS_TAMIS_SIZES_H
