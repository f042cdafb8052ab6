// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Graphs of the model dialect as text, written value by value, with what each value may be off by.
#include "test/differential/GraphWriter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace tamis;
using namespace tamis::test;

std::string tamis::test::tensorType(const std::string &element, const std::vector<DimExpr> &dims) {
  std::string shape, names;
  bool isDynamic = false;
  for (const DimExpr &dim : dims) {
    isDynamic |= !dim.constant();
    shape += (dim.constant() ? dim.str() : "?") + "x";
    names += (names.empty() ? "\"" : ", \"") + dim.str() + "\"";
  }
  return "tensor<" + shape + element + (isDynamic ? ", #model.dims<" + names + ">>" : ">");
}

std::string GraphValue::type() const {
  return tensorType(element, dims);
}

std::optional<std::vector<DimExpr>> tamis::test::broadcastDims(const std::vector<DimExpr> &a,
                                                               const std::vector<DimExpr> &b) {
  size_t rank = std::max(a.size(), b.size());
  std::vector<DimExpr> result;
  for (size_t i = 0; i < rank; ++i) {
    DimExpr left = i + a.size() >= rank ? a[i + a.size() - rank] : DimExpr(1);
    DimExpr right = i + b.size() >= rank ? b[i + b.size() - rank] : DimExpr(1);
    if (left != right && !left.isConstant(1) && !right.isConstant(1))
      return std::nullopt;
    result.push_back(left.isConstant(1) ? right : left);
  }
  return result;
}

size_t GraphWriter::addInput(GraphValue value) {
  value.name = "%input" + std::to_string(inputs.size());
  inputs.push_back(values.size());
  values.push_back(std::move(value));
  return inputs.back();
}

size_t GraphWriter::add(const std::string &text, GraphValue value) {
  value.name = "%" + std::to_string(values.size());
  value.uses = 0;
  body += "  " + value.name + " = " + text + "\n";
  values.push_back(std::move(value));
  return values.size() - 1;
}

std::string GraphWriter::operands(const std::vector<size_t> &list) {
  return llvm::join(llvm::map_range(list, [&](size_t value) { return use(value); }), ", ");
}

std::string GraphWriter::types(const std::vector<size_t> &list) const {
  return llvm::join(llvm::map_range(list, [&](size_t value) { return values[value].type(); }), ", ");
}

std::string GraphWriter::finish() {
  auto isInput = [&](size_t value) { return llvm::is_contained(inputs, value); };
  for (size_t i = 0; i < values.size(); ++i)
    if (!isInput(i) && !values[i].uses)
      outputs.push_back(i);
  auto list = [&](const std::vector<size_t> &of, const std::string &prefix, bool named) {
    std::string text;
    for (auto [number, value] : llvm::enumerate(of))
      text += (number ? ", " : "") + (named ? values[value].name + ": " : "") + values[value].type() +
              " {model.name = \"" + prefix + std::to_string(number) + "\"}";
    return text;
  };
  std::string declared;
  for (const GraphSymbol &symbol : symbols)
    declared += (declared.empty() ? "" : ", ") + ("#model.symbol<\"" + symbol.name + "\", ") +
                std::to_string(symbol.least) + ", " + std::to_string(symbol.most) + ">";
  std::string text = "func.func @main(" + list(inputs, "input", true) + ")\n    -> (" + list(outputs, "output", false) +
                     ")\n    attributes {model.symbols = [" + declared + "]} {\n" + body + "  return ";
  return text + operands(outputs) + " : " + types(outputs) + "\n}\n";
}

int64_t GraphWriter::largest(const DimExpr &dim) const {
  // Sizes here grow with each symbol, but for those of floor divisions by numbers, which do too.
  return dim
      .evaluate([&](llvm::StringRef name) -> std::optional<int64_t> {
        for (const GraphSymbol &symbol : symbols)
          if (symbol.name == name)
            return symbol.most;
        return std::nullopt;
      })
      .value_or(int64_t(1) << 40);
}

int64_t GraphWriter::largestCount(const std::vector<DimExpr> &dims) const {
  int64_t count = 1;
  for (const DimExpr &dim : dims)
    count *= std::max<int64_t>(largest(dim), 1);
  return count;
}

bool GraphWriter::mayBeEmpty(const DimExpr &dim) const {
  auto least = dim.evaluate([&](llvm::StringRef name) -> std::optional<int64_t> {
    for (const GraphSymbol &symbol : symbols)
      if (symbol.name == name)
        return symbol.least;
    return std::nullopt;
  });
  return !least || *least == 0;
}
