// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration and constraints of the plan dialect.
#include "dialects/plan/PlanDialect.h"

#include "lib/support/EnumWord.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tamis::plan;

#include "dialects/plan/PlanDialect.cpp.inc"
#include "dialects/plan/PlanEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/plan/PlanAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/plan/PlanOps.cpp.inc"

void PlanDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/plan/PlanAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/plan/PlanOps.cpp.inc"
      >();
}

LogicalResult ConstantOp::verify() {
  if (getPieces().size() != getTransposed().size()) // C1
    return emitOpError() << "has " << getPieces().size() << " pieces but " << getTransposed().size()
                         << " transposed marks";
  for (Attribute piece : getPieces())
    if (!isa<StringAttr, ElementsAttr>(piece))
      return emitOpError() << "expected a weight's key or a dense constant but found " << piece;
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitOpError() << "has the dynamic type " << type;
  bool isSmall = type.getElementType().isInteger(8) || type.getElementType().isInteger(4);
  bool packs = type.getElementType().isF32() || type.getElementType().isBF16() || isSmall;
  if (getLayout() == Layout::panels && (type.getRank() != 2 || !packs)) // C2
    return emitOpError() << "lies in panels but is " << type
                         << ", not a matrix of f32 or bf16, or of integers of 8 or 4 bits";
  if (getLayout() == Layout::words && (type.getRank() != 2 || !isSmall)) // C2
    return emitOpError() << "lies in words but is " << type << ", not a matrix of integers of 8 or 4 bits";
  if (getLayout() == Layout::units && (type.getRank() != 2 || !(packs || type.getElementType().isF16()))) // C2
    return emitOpError() << "lies in units but is " << type << ", not a matrix of f16, f32, or integers of 8 or 4 bits";
  return success();
}

LogicalResult ViewOp::verify() {
  auto from = cast<RankedTensorType>(getInput().getType()), to = cast<RankedTensorType>(getType());
  if (from.getElementType() != to.getElementType())
    return emitOpError() << "takes elements of " << from.getElementType() << " but gives " << to.getElementType();
  // Dynamic sizes are the model dialect's to compare; it checked them before the view was made.
  if (from.hasStaticShape() && to.hasStaticShape() && from.getNumElements() != to.getNumElements()) // C1
    return emitOpError() << "takes " << from.getNumElements() << " elements but gives " << to.getNumElements();
  return success();
}

LogicalResult DispatchOp::verify() {
  for (StringAttr text : {getGridAttr(), getScratchAttr(), getFlopsAttr(), getBytesAttr()})
    if (!tamis::DimExpr::parse(text.getValue())) // C2
      return emitOpError() << "expected a size expression but found " << text;
  if (!getInPlace())
    return success();
  if (getInPlace()->size() != getNumResults()) // C3
    return emitOpError() << "has " << getInPlace()->size() << " places for " << getNumResults() << " results";
  for (auto [result, operand] : llvm::zip_equal(getResults(), *getInPlace()))
    if (operand >= 0 &&
        (size_t(operand) >= getInputs().size() || getInputs()[operand].getType() != result.getType())) // C3
      return emitOpError() << "gives " << result.getType() << " in the place of operand " << operand
                           << ", which is of another type or none";
  return success();
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // Kernels live in the modules beside the function: one before tiling, one a target after it.
  auto module = (*this)->getParentOfType<ModuleOp>();
  bool found = false;
  for (auto kernels : module.getOps<ModuleOp>()) {
    auto kernel = dyn_cast_or_null<func::FuncOp>(symbols.lookupSymbolIn(kernels, getKernelAttr()));
    found |= symbols.lookupSymbolIn(kernels, getKernelAttr()) != nullptr;
    if (!kernel || kernels.getName() != kKernelModule)
      continue;
    if (TypeRange(kernel.getArgumentTypes()) != TypeRange(getInputs()) ||
        TypeRange(kernel.getResultTypes()) != TypeRange(getResultTypes())) // C1
      return emitOpError() << "calls " << getKernelAttr() << " of type " << kernel.getFunctionType();
  }
  if (!found && !module.getOps<ModuleOp>().empty()) // C1
    return emitOpError() << "calls " << getKernelAttr() << " but no kernel has that name";
  return success();
}
