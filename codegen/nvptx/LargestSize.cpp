// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How large a size expression may become, and what is typical of it.
#include "codegen/nvptx/LargestSize.h"

#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace tamis;

std::optional<int64_t> tamis::largestOf(const DimExpr &expr, llvm::ArrayRef<model::Symbol> symbols) {
  auto largestFactor = [&](const std::string &factor) -> std::optional<int64_t> {
    if (auto call = DimExpr::parseCall(factor)) {
      auto x = largestOf(call->operands[0], symbols), y = largestOf(call->operands[1], symbols);
      if (call->name == "min" && (x || y))
        return std::min(x.value_or(INT64_MAX), y.value_or(INT64_MAX));
      if (call->name == "floordiv" && x && call->operands[1].constant().value_or(0) > 0)
        return *x / *call->operands[1].constant();
      return call->name == "max" && x && y ? std::optional(std::max(*x, *y)) : std::nullopt;
    }
    for (const model::Symbol &symbol : symbols)
      if (symbol.name == factor && symbol.min >= 0)
        return symbol.max;
    return std::nullopt;
  };
  int64_t total = 0;
  for (const auto &[monomial, coefficient] : expr.terms()) {
    if (coefficient < 0 && !monomial.empty())
      continue; // what is taken away is 0 at least
    int64_t term = coefficient;
    for (const std::string &factor : monomial) {
      auto largest = largestFactor(factor);
      if (!largest || llvm::MulOverflow(term, *largest, term))
        return std::nullopt;
    }
    if (llvm::AddOverflow(total, term, total))
      return std::nullopt;
  }
  return total;
}

int64_t tamis::typicalOf(const DimExpr &expr, llvm::ArrayRef<model::Symbol> symbols) {
  auto value = expr.evaluate([&](llvm::StringRef name) -> std::optional<int64_t> {
    for (const model::Symbol &symbol : symbols)
      if (symbol.name == name)
        return std::llround(
            std::sqrt(double(std::max<int64_t>(symbol.min, 1)) * double(std::max<int64_t>(symbol.max, 1))));
    return std::nullopt;
  });
  return std::max<int64_t>(value.value_or(128), 1);
}
