// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration and constraints of the cache dialect.
#include "dialects/cache/CacheDialect.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::cache;
using model::Dims;
using model::dimsOf;

#include "dialects/cache/CacheDialect.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/cache/CacheOps.cpp.inc"

void CacheDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/cache/CacheOps.cpp.inc"
      >();
}

SmallVector<Type> cache::poolTypes(MLIRContext *context, const PoolSizes &sizes) {
  Builder builder(context);
  Type number = builder.getF32Type(), element = sizes.isByte ? builder.getI8Type() : number;
  Dims lines{sizes.pages, DimExpr(sizes.heads), DimExpr(sizes.page)}, keys = lines, values = lines;
  keys.insert(keys.begin() + 2, DimExpr(sizes.keyWidth));
  values.push_back(DimExpr(sizes.valueWidth));
  SmallVector<Type> types{model::tensorType(element, keys), model::tensorType(element, values)};
  if (sizes.isByte)
    types.append(2, model::tensorType(number, lines));
  if (sizes.hasBounds)
    types.push_back(
        model::tensorType(number, {sizes.pages, DimExpr(sizes.heads), DimExpr(2), DimExpr(sizes.keyWidth)}));
  return types;
}

FailureOr<PoolSizes> PoolSizes::of(Operation *op, ValueRange pools) {
  auto wrong = [&]() -> LogicalResult {
    return op->emitOpError(
        "expected pools of keys [pages, heads, width, page] and of values [pages, heads, page, width], of "
        "f32, or of i8 with two of their scales [pages, heads, page], and of bounds [pages, heads, 2, width]");
  };
  if (pools.size() < 2 || pools.size() > 5)
    return wrong();
  PoolSizes sizes;
  Dims keys = dimsOf(pools[0].getType()), values = dimsOf(pools[1].getType());
  if (keys.size() != 4 || values.size() != 4)
    return wrong();
  auto heads = keys[1].constant(), keyWidth = keys[2].constant(), page = keys[3].constant(),
       valueWidth = values[3].constant();
  if (!heads || !keyWidth || !page || !valueWidth || *heads < 1 || *keyWidth < 1 || *page < 1 || *valueWidth < 1)
    return wrong();
  sizes = {keys[0], *heads, *keyWidth, *valueWidth, *page, pools.size() >= 4, pools.size() % 2 == 1};
  if (SmallVector<Type>(pools.getTypes()) != poolTypes(op->getContext(), sizes))
    return wrong();
  return sizes;
}

/// `table` is texts x places; `texts` and `positions` are vectors of the tokens of `rows`.
static LogicalResult verifyPlaces(Operation *op, Value rows, Value table, Value texts, Value positions) {
  Dims tokens = dimsOf(rows.getType());
  if (tokens.size() != 2 || !cast<RankedTensorType>(rows.getType()).getElementType().isF32())
    return op->emitOpError() << "expected rows of f32, tokens x columns, but found " << rows.getType();
  tokens.pop_back();
  if (dimsOf(table.getType()).size() != 2 || dimsOf(texts.getType()) != tokens || dimsOf(positions.getType()) != tokens)
    return op->emitOpError() << "expected a table of two axes and a text and a position for each of "
                             << tokens.front().str() << " tokens";
  return success();
}

void AppendOp::build(OpBuilder &builder, OperationState &state, ValueRange pools, Value key, Value value, Value table,
                     Value texts, Value positions) {
  build(builder, state, pools.getTypes(), pools, key, value, table, texts, positions);
}

LogicalResult AppendOp::verify() {
  auto sizes = PoolSizes::of(*this, getPools());
  if (failed(sizes))
    return failure();
  if (getPools().getTypes() != getResultTypes()) // C1
    return emitOpError("gives pools of other types than it takes");
  if (failed(verifyPlaces(*this, getKey(), getTable(), getTexts(), getPositions()))) // C2
    return failure();
  Dims key = dimsOf(getKey().getType()), value = dimsOf(getValue().getType());
  if (value.size() != 2 || value[0] != key[0] ||
      !cast<RankedTensorType>(getValue().getType()).getElementType().isF32() ||
      !key[1].isConstant(sizes->heads * sizes->keyWidth) ||
      !value[1].isConstant(sizes->heads * sizes->valueWidth)) // C3
    return emitOpError() << "expected keys of " << sizes->heads * sizes->keyWidth << " and values of "
                         << sizes->heads * sizes->valueWidth << " columns, as the pools hold, but found "
                         << model::str(key) << " and " << model::str(value);
  return success();
}

/// `index` is tokens x heads x room.
static LogicalResult verifyIndex(Operation *op, Value index, const DimExpr &tokens, int64_t heads) {
  Dims dims = dimsOf(index.getType());
  if (dims.size() != 3 || dims[0] != tokens || !dims[1].isConstant(heads) || !dims[2].constant() ||
      *dims[2].constant() < 5)
    return op->emitOpError() << "expected an index [" << tokens.str() << ", " << heads
                             << ", count + 1] of 4 pages or more but found " << model::str(dims);
  return success();
}

LogicalResult SelectOp::verify() {
  Dims query = dimsOf(getQuery().getType()), bounds = dimsOf(getBounds().getType());
  if (failed(verifyPlaces(*this, getQuery(), getTable(), getTexts(), getPositions()))) // C2
    return failure();
  auto keyHeads = bounds.size() == 4 ? bounds[1].constant() : std::nullopt,
       width = bounds.size() == 4 ? bounds[3].constant() : std::nullopt;
  if (!keyHeads || !width || *keyHeads < 1 || !bounds[2].isConstant(2) || int64_t(getHeads()) % *keyHeads ||
      !query[1].isConstant(int64_t(getHeads()) * *width)) // C1
    return emitOpError() << "expected queries of " << getHeads()
                         << " heads and bounds [pages, heads, 2, width] but found " << model::str(query) << " and "
                         << model::str(bounds);
  if (failed(verifyIndex(*this, getResult(), query[0], *keyHeads))) // C3
    return failure();
  if (!dimsOf(getType())[2].isConstant(int64_t(getCount()) + 1)) // C3
    return emitOpError() << "gives an index of " << dimsOf(getType())[2].str() << " numbers a row but "
                         << getCount() + 1 << " are wanted";
  return success();
}

LogicalResult AttendOp::verify() {
  auto sizes = PoolSizes::of(*this, getPools()); // C1
  if (succeeded(sizes) && sizes->hasBounds)      // C1
    return emitOpError("takes bounds, which it does not read");
  if (succeeded(sizes) && getIndex() &&
      failed(verifyIndex(*this, getIndex(), dimsOf(getTexts().getType())[0], sizes->heads))) // C1
    return failure();
  if (failed(sizes) || failed(verifyPlaces(*this, getQuery(), getTable(), getTexts(), getPositions())))
    return failure();
  Dims query = dimsOf(getQuery().getType()), result = dimsOf(getType());
  int64_t heads = getHeads();
  if (heads % sizes->heads || !query[1].isConstant(heads * sizes->keyWidth)) // C2
    return emitOpError() << "expected a multiple of " << sizes->heads << " heads of " << sizes->keyWidth
                         << " columns but found " << heads << " heads and queries of " << query[1].str();
  bool isWhole = result.size() == 2 && result[0] == query[0] && result[1].isConstant(heads * sizes->valueWidth);
  bool isPartial = result.size() == 4 && result[0] == query[0] && result[2].isConstant(heads) &&
                   result[3].isConstant(sizes->valueWidth + 1);
  if (!isWhole && !isPartial) // C3
    return emitOpError() << "gives sizes " << model::str(result) << " but [" << query[0].str() << ", "
                         << heads * sizes->valueWidth << "] or [" << query[0].str() << ", parts, " << heads << ", "
                         << sizes->valueWidth + 1 << "] is wanted";
  return success();
}

LogicalResult MergeOp::verify() {
  Dims parts = dimsOf(getInput().getType()), result = dimsOf(getType());
  auto heads = parts.size() == 4 ? parts[2].constant() : std::nullopt,
       width = parts.size() == 4 ? parts[3].constant() : std::nullopt;
  if (!heads || !width || *width < 2 || result.size() != 2 || result[0] != parts[0] ||
      !result[1].isConstant(*heads * (*width - 1))) // C1
    return emitOpError() << "takes sizes " << model::str(parts) << " and gives " << model::str(result)
                         << " but [tokens, parts, heads, width + 1] and [tokens, heads*width] are wanted";
  return success();
}
