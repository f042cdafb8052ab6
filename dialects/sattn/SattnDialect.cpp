// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration, attributes and the type of the sattn dialect.
#include "dialects/sattn/SattnDialect.h"

#include "lib/support/EnumWord.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::sattn;

#include "dialects/sattn/SattnDialect.cpp.inc"
#include "dialects/sattn/SattnEnums.cpp.inc"
#include "dialects/sattn/SattnInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/sattn/SattnAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/sattn/SattnTypes.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/sattn/SattnOps.cpp.inc"

void SattnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/sattn/SattnAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/sattn/SattnTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/sattn/SattnOps.cpp.inc"
      >();
}

namespace {
template <typename... Attributes> llvm::SmallVector<llvm::StringRef> namesOfPatterns() {
  llvm::SmallVector<llvm::StringRef> names;
  auto add = [&](bool isPattern, llvm::StringRef name) {
    if (isPattern)
      names.push_back(name);
  };
  (add(std::is_base_of_v<PatternAttrInterface::Trait<Attributes>, Attributes>, Attributes::getMnemonic()), ...);
  llvm::sort(names);
  return names;
}
} // namespace

llvm::SmallVector<llvm::StringRef> tamis::sattn::patternNames() {
  return namesOfPatterns<
#define GET_ATTRDEF_LIST
#include "dialects/sattn/SattnAttrs.cpp.inc"
      >();
}

DimExpr tamis::sattn::ceilDiv(const DimExpr &a, int64_t b) {
  return DimExpr::floorDiv(a + (b - 1), b);
}

DimExpr tamis::sattn::rowCount(const DimExpr &queries, int64_t rows) {
  return rows ? ceilDiv(queries, rows) : DimExpr(1);
}

int64_t tamis::sattn::summaryColumns(SummaryKind kind, int64_t columns, int64_t width) {
  switch (kind) {
  case SummaryKind::mean:
  case SummaryKind::max:
  case SummaryKind::min:
    return columns;
  case SummaryKind::bounds:
  case SummaryKind::signs:
    return 2 * columns;
  case SummaryKind::stack:
  case SummaryKind::stack_reversed:
    return width * columns;
  }
  llvm_unreachable("unknown summary");
}

// BudgetAttr

LogicalResult BudgetAttr::verify(function_ref<InFlightDiagnostic()> emitError, BudgetKind kind, APFloat number) {
  double value = number.convertToDouble();
  auto wanted = [&](bool holds, const char *what) -> LogicalResult {
    if (holds)
      return success();
    return emitError() << "found a " << stringifyBudgetKind(kind) << " of " << value << " but " << what << " is wanted";
  };
  switch (kind) {
  case BudgetKind::count:
    return wanted(value >= 1 && value == std::floor(value) && value < 0x1p31, "a whole number from 1, below 2^31,");
  case BudgetKind::fraction:
  case BudgetKind::mass:
  case BudgetKind::share:
    return wanted(value > 0 && value <= 1, "a number above 0 and at most 1");
  case BudgetKind::threshold:
    return wanted(std::isfinite(value), "a finite number");
  case BudgetKind::quantile:
    return wanted(value >= 0 && value < 1, "a number from 0 to below 1");
  }
  llvm_unreachable("unknown budget");
}

// KeyIndexType

LogicalResult KeyIndexType::verify(function_ref<InFlightDiagnostic()> emitError, int64_t rows, int64_t columns,
                                   Unit unit, ArrayRef<StringAttr> shape, StringAttr items, StringAttr capacity) {
  if (!isCount(rows, 0) || !isCount(columns, 1) || (unit == Unit::token && columns != 1)) // C1
    return emitError()
           << "found an index of " << rows << " x " << columns << " " << stringifyUnit(unit)
           << " but rows from 0 and columns from 1, both below 2^31, are wanted, and columns of 1 for tokens";
  if (shape.size() != 3) // C2
    return emitError() << "found an index of " << shape.size() << " sizes but batch, heads and rows are wanted";
  llvm::SmallVector<StringAttr> texts(shape);
  texts.append({items, capacity});
  for (StringAttr text : texts) {
    auto parsed = DimExpr::parse(text.getValue());
    if (!parsed || parsed->str() != text.getValue())
      return emitError() << "found the size " << text << " but a size expression in canonical form is wanted"
                         << (parsed ? ", which is \"" + parsed->str() + "\"" : std::string());
  }
  return success();
}

static DimExpr parsed(StringAttr text) {
  return DimExpr::parse(text.getValue()).value_or(DimExpr(0));
} // verified

model::Dims KeyIndexType::shapeDims() const {
  model::Dims dims;
  for (StringAttr text : getShape())
    dims.push_back(parsed(text));
  return dims;
}

DimExpr KeyIndexType::itemCount() const {
  return parsed(getItems());
}
DimExpr KeyIndexType::capacityExpr() const {
  return parsed(getCapacity());
}

RankedTensorType KeyIndexType::storage() const {
  model::Dims dims = shapeDims();
  dims.push_back(capacityExpr() + 1);
  return model::tensorType(IntegerType::get(getContext(), 32), dims);
}

KeyIndexType KeyIndexType::get(MLIRContext *context, int64_t rows, int64_t columns, Unit unit, ArrayRef<DimExpr> shape,
                               const DimExpr &items, const DimExpr &capacity) {
  auto text = [&](const DimExpr &expr) { return StringAttr::get(context, expr.str()); };
  llvm::SmallVector<StringAttr> texts;
  for (const DimExpr &dim : shape)
    texts.push_back(text(dim));
  return get(context, rows, columns, unit, texts, text(items), text(capacity));
}

// PartialType

LogicalResult PartialType::verify(function_ref<InFlightDiagnostic()> emitError, ArrayRef<StringAttr> shape) {
  if (shape.size() != 4) // C1
    return emitError() << "found a partial result of " << shape.size()
                       << " sizes but batch, heads, queries and width are wanted";
  for (auto [axis, text] : llvm::enumerate(shape)) {
    auto size = DimExpr::parse(text.getValue());
    bool isNumber = axis % 2 == 1;
    if (!size || size->str() != text.getValue() || (isNumber && !size->constant()))
      return emitError() << "found the size " << text << " but "
                         << (isNumber ? "a number" : "a size expression in canonical form") << " is wanted";
  }
  return success();
}

model::Dims PartialType::shapeDims() const {
  model::Dims dims;
  for (StringAttr text : getShape())
    dims.push_back(parsed(text));
  return dims;
}

RankedTensorType PartialType::storage() const {
  model::Dims dims = shapeDims();
  dims.back() = dims.back() + 1;
  return model::tensorType(Float32Type::get(getContext()), dims);
}

RankedTensorType PartialType::whole() const {
  model::Dims dims = shapeDims();
  return model::tensorType(Float32Type::get(getContext()), {dims[0], dims[2], dims[1] * dims[3]});
}

PartialType PartialType::get(MLIRContext *context, ArrayRef<DimExpr> shape) {
  llvm::SmallVector<StringAttr> texts;
  for (const DimExpr &dim : shape)
    texts.push_back(StringAttr::get(context, dim.str()));
  return get(context, ArrayRef<StringAttr>(texts));
}
