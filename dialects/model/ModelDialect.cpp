// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration, attributes and constants of the model dialect.
#include "dialects/model/ModelDialect.h"

#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "lib/support/EnumWord.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tamis::model;

#include "dialects/model/ModelDialect.cpp.inc"
#include "dialects/model/ModelEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/model/ModelAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/model/ModelOps.cpp.inc"

void ModelDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/model/ModelAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/model/ModelOps.cpp.inc"
      >();
}

Operation *ModelDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

LogicalResult ModelDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() != "model.symbols")
    return success();
  auto list = dyn_cast<ArrayAttr>(attribute.getValue());
  if (!isa<FunctionOpInterface>(op) || !list) // C1
    return op->emitOpError("has model.symbols, which is a list of #model.symbol on a function");
  llvm::StringSet<> names;
  for (Attribute element : list) {
    auto symbol = dyn_cast<SymbolAttr>(element);
    if (!symbol)
      return op->emitOpError() << "lists " << element << " in model.symbols but #model.symbol is wanted";
    if (!names.insert(symbol.getName().getValue()).second)
      return op->emitOpError() << "lists the symbol " << symbol.getName() << " twice";
  }
  return success();
}

llvm::SmallVector<tamis::DimExpr> DimsAttr::dims() const {
  llvm::SmallVector<tamis::DimExpr> parsed;
  for (StringAttr text : getExprs())
    parsed.push_back(tamis::DimExpr::parse(text.getValue()).value_or(tamis::DimExpr(0))); // verified at creation
  return parsed;
}

LogicalResult DimsAttr::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<StringAttr> exprs) {
  for (StringAttr text : exprs) {
    auto parsed = tamis::DimExpr::parse(text.getValue());
    if (!parsed)
      return emitError() << "expected a size expression but found \"" << text.getValue() << "\"";
    if (parsed->str() != text.getValue())
      return emitError() << "size \"" << text.getValue() << "\" is not in canonical form, which is \"" << parsed->str()
                         << "\"";
  }
  return success();
}

LogicalResult DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType,
                                       function_ref<InFlightDiagnostic()> emitError) const {
  if (shape.size() != getExprs().size())
    return emitError() << "#model.dims names " << getExprs().size() << " sizes but the tensor has " << shape.size()
                       << " axes";
  bool anyDynamic = false;
  for (auto [axis, size, expr] : llvm::enumerate(shape, dims())) {
    auto number = expr.constant();
    anyDynamic |= !number;
    if (number ? *number != size : !ShapedType::isDynamic(size))
      return emitError() << "axis " << axis << " is named \"" << expr.str() << "\" by #model.dims but is "
                         << (ShapedType::isDynamic(size) ? "dynamic" : std::to_string(size));
  }
  if (!anyDynamic)
    return emitError() << "a static tensor carries no #model.dims";
  return success();
}

LogicalResult SymbolAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringAttr name, int64_t min,
                                 int64_t max) {
  auto parsed = tamis::DimExpr::parse(name.getValue());
  if (!parsed || !parsed->soleSymbol())
    return emitError() << "expected a symbol name but found \"" << name.getValue() << "\"";
  if (min < 0 || min > max)
    return emitError() << "symbol \"" << name.getValue() << "\" has the empty or negative range " << min << ".." << max;
  return success();
}
