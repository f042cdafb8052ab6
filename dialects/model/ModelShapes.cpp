// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of tensors as expressions.
#include "dialects/model/ModelShapes.h"

#include "dialects/model/ModelDialect.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using tamis::DimExpr;

namespace tamis::model {

Dims dimsOf(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  if (auto encoding = dyn_cast_or_null<DimsAttr>(type.getEncoding()))
    return encoding.dims();
  Dims dims;
  for (auto [axis, size] : llvm::enumerate(type.getShape()))
    dims.push_back(ShapedType::isDynamic(size) ? DimExpr::symbol("_unnamed" + std::to_string(axis)) : DimExpr(size));
  return dims;
}

RankedTensorType tensorType(Type element, ArrayRef<DimExpr> dims) {
  SmallVector<int64_t> shape;
  SmallVector<StringAttr> texts;
  bool dynamic = false;
  for (const DimExpr &dim : dims) {
    auto number = dim.constant();
    dynamic |= !number;
    shape.push_back(number ? *number : ShapedType::kDynamic);
    texts.push_back(StringAttr::get(element.getContext(), dim.str()));
  }
  return RankedTensorType::get(shape, element,
                               dynamic ? Attribute(DimsAttr::get(element.getContext(), texts)) : Attribute());
}

std::optional<Dims> broadcastDims(ArrayRef<DimExpr> a, ArrayRef<DimExpr> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  Dims result(a.begin(), a.end());
  size_t lead = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    DimExpr &dim = result[lead + i];
    if (dim == b[i] || b[i].isConstant(1))
      continue;
    if (!dim.isConstant(1))
      return std::nullopt;
    dim = b[i];
  }
  return result;
}

std::string str(ArrayRef<DimExpr> dims) {
  SmallVector<std::string> texts;
  for (const DimExpr &dim : dims)
    texts.push_back(dim.str());
  return "[" + llvm::join(texts, ", ") + "]";
}

SmallVector<Symbol> symbolsOf(FunctionOpInterface function) {
  SmallVector<Symbol> symbols;
  if (auto list = function->getAttrOfType<ArrayAttr>("model.symbols"))
    for (auto symbol : list.getAsRange<SymbolAttr>())
      symbols.push_back({symbol.getName().str(), symbol.getMin(), symbol.getMax()});
  return symbols;
}

void setSymbols(FunctionOpInterface function, ArrayRef<Symbol> symbols) {
  MLIRContext *context = function.getContext();
  SmallVector<Attribute> list;
  for (const Symbol &symbol : symbols)
    list.push_back(SymbolAttr::get(context, StringAttr::get(context, symbol.name), symbol.min, symbol.max));
  function->setAttr("model.symbols", ArrayAttr::get(context, list));
}

} // namespace tamis::model
