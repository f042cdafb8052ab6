// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Constraints of the model dialect's ops; the labels are those of their descriptions.
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

LogicalResult expectElement(Operation *op, Type found, Type wanted) {
  if (found != wanted)
    return op->emitOpError() << "gives elements of type " << found << " but " << wanted << " is wanted";
  return success();
}

LogicalResult expectDims(Operation *op, Value result, ArrayRef<DimExpr> wanted) {
  Dims found = dimsOf(result.getType());
  if (ArrayRef<DimExpr>(found) != wanted)
    return op->emitOpError() << "gives sizes " << str(found) << " but " << str(wanted) << " is wanted";
  return success();
}

std::optional<DimExpr> parseSize(Attribute text) {
  return DimExpr::parse(cast<StringAttr>(text).getValue());
}
} // namespace

LogicalResult WeightOp::verify() {
  if (!cast<RankedTensorType>(getType()).hasStaticShape()) // C1
    return emitOpError() << "has the dynamic type " << getType() << " but weights are static";
  return success();
}

LogicalResult ConstantOp::verify() {
  return success();
}

LogicalResult SizesOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  for (Attribute text : getExprs())
    if (!parseSize(text))
      return emitOpError() << "expected a size expression but found " << text;
  int64_t count = getExprs().size();
  bool scalar = type.getRank() == 0 && count == 1; // C1
  if (!scalar && !(type.getRank() == 1 && type.getDimSize(0) == count))
    return emitOpError() << "gives " << type << " but has " << count << " expressions";
  return success();
}

LogicalResult IotaOp::verify() {
  if (cast<RankedTensorType>(getType()).getRank() != 1) // C1
    return emitOpError() << "gives " << getType() << " but a vector is wanted";
  if (!DimExpr::parse(getStart()) || !DimExpr::parse(getStep()))
    return emitOpError("expected size expressions as start and step");
  return success();
}

LogicalResult ReshapeOp::verify() {
  DimExpr from = product(dimsOf(getInput().getType())), to = product(dimsOf(getType()));
  if (from != to) // C1
    return emitOpError() << "takes " << from.str() << " elements but gives " << to.str();
  return expectElement(*this, elementOf(getResult()), elementOf(getInput())); // C2
}

LogicalResult TransposeOp::verify() {
  Dims from = dimsOf(getInput().getType()), to;
  SmallVector<bool> seen(from.size());
  for (int64_t axis : getPermutation()) {
    if (axis < 0 || axis >= int64_t(from.size()) || seen[axis] || getPermutation().size() != from.size()) // C1
      return emitOpError() << "expected a permutation of " << from.size() << " axes";
    seen[axis] = true;
    to.push_back(from[axis]);
  }
  if (to.size() != from.size())
    return emitOpError() << "expected a permutation of " << from.size() << " axes";
  if (failed(expectElement(*this, elementOf(getResult()), elementOf(getInput()))))
    return failure();
  return expectDims(*this, getResult(), to); // C2
}

LogicalResult BroadcastOp::verify() {
  Dims from = dimsOf(getInput().getType()), to = dimsOf(getType());
  auto both = broadcastDims(from, to);
  if (!both || *both != to) // C1
    return emitOpError() << "cannot broadcast " << str(from) << " to " << str(to);
  return expectElement(*this, elementOf(getResult()), elementOf(getInput()));
}

LogicalResult SliceOp::verify() {
  Dims from = dimsOf(getInput().getType()), to = dimsOf(getType());
  if (getStarts().size() != from.size() || getSteps().size() != from.size()) // C1
    return emitOpError() << "has " << getStarts().size() << " starts and " << getSteps().size() << " steps but "
                         << from.size() << " axes";
  if (to.size() != from.size()) // C2
    return emitOpError() << "gives " << to.size() << " axes but takes " << from.size();
  for (size_t axis = 0; axis < from.size(); ++axis) {
    auto start = parseSize(getStarts()[axis]);
    if (!start)
      return emitOpError() << "expected a size expression but found " << getStarts()[axis];
    int64_t step = getSteps()[axis];
    if (step == 0)
      return emitOpError() << "has a step of zero along axis " << axis;
    auto first = start->constant(), size = from[axis].constant(), count = to[axis].constant();
    if (!first || !size || !count || *count == 0)
      continue;
    int64_t last;
    if (llvm::MulOverflow(*count - 1, step, last) || llvm::AddOverflow(last, *first, last) || *first < 0 ||
        *first >= *size || last < 0 || last >= *size) // C3
      return emitOpError() << "picks " << *count << " elements from " << *first << " by steps of " << step
                           << " along axis " << axis << ", which has " << *size;
  }
  return expectElement(*this, elementOf(getResult()), elementOf(getInput()));
}

LogicalResult ConcatOp::verify() {
  if (getInputs().empty()) // C1
    return emitOpError("expected at least one operand");
  Dims sum = dimsOf(getInputs()[0].getType());
  size_t axis = getAxis();
  if (axis >= sum.size())
    return emitOpError() << "joins along axis " << axis << " but the operands have " << sum.size();
  for (Value input : getInputs().drop_front()) {
    Dims dims = dimsOf(input.getType());
    if (dims.size() != sum.size() || elementOf(input) != elementOf(getResult())) // C1
      return emitOpError() << "cannot join " << input.getType() << " to " << getInputs()[0].getType();
    for (size_t i = 0; i < dims.size(); ++i) {
      if (i == axis)
        sum[i] = sum[i] + dims[i];
      else if (sum[i] != dims[i]) // C2
        return emitOpError() << "joins sizes " << sum[i].str() << " and " << dims[i].str() << " of axis " << i;
    }
  }
  if (failed(expectElement(*this, elementOf(getResult()), elementOf(getInputs()[0]))))
    return failure();
  return expectDims(*this, getResult(), sum);
}

LogicalResult GatherOp::verify() {
  Dims data = dimsOf(getData().getType()), indices = dimsOf(getIndices().getType());
  size_t axis = getAxis();
  if (axis >= data.size()) // C1
    return emitOpError() << "picks along axis " << axis << " but the data has " << data.size();
  Dims wanted(data.begin(), data.begin() + axis);
  wanted.append(indices);
  wanted.append(data.begin() + axis + 1, data.end());
  if (failed(expectElement(*this, elementOf(getResult()), elementOf(getData()))))
    return failure();
  return expectDims(*this, getResult(), wanted); // C2
}

/// The sizes of what tuples, the last axis of `indices`, pick of `data` behind `batch` axes that both share. Fails with
/// a diagnostic where they do not fit.
static FailureOr<Dims> pickedDims(Operation *op, const Dims &data, const Dims &indices, size_t batch) {
  auto width = indices.empty() ? std::nullopt : indices.back().constant();
  if (!width || *width < 1 || batch + 1 > indices.size() || batch + *width > data.size()) // C1
    return op->emitOpError() << "cannot index " << str(data) << " by tuples of " << str(indices) << " after " << batch
                             << " shared axes";
  for (size_t i = 0; i < batch; ++i)
    if (data[i] != indices[i])
      return op->emitOpError() << "shares axis " << i << " of sizes " << data[i].str() << " and " << indices[i].str();
  Dims picked(indices.begin(), indices.end() - 1);
  picked.append(data.begin() + batch + *width, data.end());
  return picked;
}

LogicalResult GatherNdOp::verify() {
  auto wanted = pickedDims(*this, dimsOf(getData().getType()), dimsOf(getIndices().getType()), getBatchDims());
  if (failed(wanted) || failed(expectElement(*this, elementOf(getResult()), elementOf(getData()))))
    return failure();
  return expectDims(*this, getResult(), *wanted);
}

LogicalResult ScatterOp::verify() {
  Dims data = dimsOf(getData().getType());
  auto wanted = pickedDims(*this, data, dimsOf(getIndices().getType()), getBatchDims());
  if (failed(wanted))
    return failure();
  if (Dims found = dimsOf(getUpdates().getType()); found != *wanted)
    return emitOpError() << "has updates of sizes " << str(found) << " but " << str(*wanted) << " is wanted";
  Type element = elementOf(getData());
  if (elementOf(getUpdates()) != element) // C2
    return emitOpError() << "has updates of " << elementOf(getUpdates()) << " but data of " << element;
  bool isNumber = isa<FloatType>(element) || element.getIntOrFloatBitWidth() >= 8;
  if (getKind() != ScatterKind::write && !isNumber)
    return emitOpError() << "joins elements of " << element << " but numbers are wanted";
  return success();
}

LogicalResult CumulativeOp::verify() {
  int64_t rank = cast<RankedTensorType>(getType()).getRank();
  if (int64_t(getAxis()) >= rank) // C1
    return emitOpError() << "works along axis " << getAxis() << " but the operand has " << rank;
  if (getKind() != ReduceKind::sum && getKind() != ReduceKind::prod) // C2
    return emitOpError() << "gives " << stringifyReduceKind(getKind()) << " but sum or prod is wanted";
  return success();
}

LogicalResult TopKOp::verify() {
  Dims dims = dimsOf(getInput().getType()), found = dimsOf(getType());
  size_t axis = getAxis();
  if (axis >= dims.size()) // C1
    return emitOpError() << "works along axis " << axis << " but the operand has " << dims.size();
  if (axis < found.size()) {
    auto wanted = found[axis].constant(), there = dims[axis].constant();
    if (wanted && there && *wanted > *there) // C2
      return emitOpError() << "takes " << *wanted << " of " << *there << " elements";
    dims[axis] = found[axis];
  }
  return expectDims(*this, getResult(), dims);
}

LogicalResult CastOp::verify() {
  return expectDims(*this, getResult(), dimsOf(getInput().getType()));
} // C1

static size_t operandCount(ElementwiseKind kind) {
  return kind == ElementwiseKind::select ? 3 : kind <= ElementwiseKind::logical_not ? 1 : 2;
}

LogicalResult ElementwiseOp::verify() {
  ElementwiseKind kind = getKind();
  StringRef name = stringifyElementwiseKind(kind);
  if (getOperands().size() != operandCount(kind)) // C1
    return emitOpError() << name << " takes " << operandCount(kind) << " operands but has " << getOperands().size();
  bool select = kind == ElementwiseKind::select;
  Type element = elementOf(getOperands().back());
  Dims dims;
  for (auto [i, operand] : llvm::enumerate(getOperands())) {
    Type wanted = select && i == 0 ? IntegerType::get(getContext(), 1) : element;
    if (elementOf(operand) != wanted) // C2
      return emitOpError() << name << " has operand " << i << " of " << elementOf(operand) << " but " << wanted
                           << " is wanted";
    auto both = broadcastDims(dims, dimsOf(operand.getType()));
    if (!both)
      return emitOpError() << "cannot broadcast " << str(dims) << " and " << str(dimsOf(operand.getType()));
    dims = *both;
  }
  using K = ElementwiseKind;
  bool isBool = element.isInteger(1), isFloat = isa<FloatType>(element);
  bool floatOnly =
      (kind >= K::exp && kind <= K::cos && kind != K::sqrt) || kind == K::sqrt || kind == K::isnan || kind == K::isinf;
  bool bitwise = kind >= K::logical_and && kind <= K::logical_xor;
  bool anyType = select || kind == K::equal || kind == K::not_equal || (bitwise && isBool);
  if ((floatOnly && !isFloat) || (bitwise && isFloat) || (kind == K::logical_not && !isBool) ||
      (isBool && kind != K::logical_not && !anyType)) // C4
    return emitOpError() << name << " is not defined for " << element;
  bool givesBool = kind == K::isnan || kind == K::isinf || (kind >= K::equal && kind <= K::greater_equal);
  if (failed(expectElement(*this, elementOf(getResult()), givesBool ? IntegerType::get(getContext(), 1) : element)))
    return failure();
  return expectDims(*this, getResult(), dims); // C3
}

LogicalResult ActivationOp::verify() {
  return success();
}

LogicalResult ReduceOp::verify() {
  Dims dims = dimsOf(getInput().getType());
  int64_t last = -1;
  for (int64_t axis : getAxes()) {
    if (axis <= last || axis >= int64_t(dims.size())) // C1
      return emitOpError() << "reduces axis " << axis << " after " << last << " of " << dims.size() << " axes";
    dims[axis] = 1;
    last = axis;
  }
  if (failed(expectElement(*this, elementOf(getResult()), elementOf(getInput()))))
    return failure();
  return expectDims(*this, getResult(), dims); // C2
}

LogicalResult SoftmaxOp::verify() {
  int64_t rank = cast<RankedTensorType>(getType()).getRank();
  if (int64_t(getAxis()) >= rank) // C1
    return emitOpError() << "works along axis " << getAxis() << " but the operand has " << rank;
  return success();
}

LogicalResult MatmulOp::verify() {
  Dims lhs = dimsOf(getLhs().getType()), rhs = dimsOf(getRhs().getType());
  if (lhs.size() < 2 || rhs.size() < 2) // C1
    return emitOpError() << "multiplies " << str(lhs) << " by " << str(rhs) << " but matrices are wanted";
  auto lead = broadcastDims(ArrayRef(lhs).drop_back(2), ArrayRef(rhs).drop_back(2));
  if (!lead || lhs.back() != rhs[rhs.size() - 2]) // C2
    return emitOpError() << "cannot multiply " << str(lhs) << " by " << str(rhs);
  lead->push_back(lhs[lhs.size() - 2]);
  lead->push_back(rhs.back());
  if (elementOf(getLhs()) != elementOf(getRhs())) // C3
    return emitOpError() << "multiplies " << elementOf(getLhs()) << " by " << elementOf(getRhs());
  if (failed(expectElement(*this, elementOf(getResult()), elementOf(getLhs()))))
    return failure();
  return expectDims(*this, getResult(), *lead);
}

LogicalResult LinearOp::verify() {
  auto weight = cast<RankedTensorType>(getWeight().getType());
  Dims dims = dimsOf(getInput().getType());
  if (weight.getRank() != 2 || !weight.hasStaticShape() || dims.empty()) // C1
    return emitOpError() << "expected a static matrix as weight but found " << weight;
  int64_t inner = weight.getDimSize(getTransposed() ? 1 : 0), outer = weight.getDimSize(getTransposed() ? 0 : 1);
  if (!dims.back().isConstant(inner))
    return emitOpError() << "multiplies rows of " << dims.back().str() << " by a weight for rows of " << inner;
  dims.back() = outer;
  bool isWidened = elementOf(getInput()).isBF16() && elementOf(getResult()).isF32(); // C3
  Type sums = isWidened ? elementOf(getResult()) : elementOf(getInput());
  if (Value bias = getBias()) {
    if (dimsOf(bias.getType()) != Dims{DimExpr(outer)}) // C2
      return emitOpError() << "adds a bias of " << bias.getType() << " to " << outer << " columns";
    if (failed(expectElement(*this, elementOf(bias), sums)))
      return failure();
  }
  if (failed(expectElement(*this, weight.getElementType(), elementOf(getInput()))) ||
      failed(expectElement(*this, elementOf(getResult()), sums)))
    return failure();
  return expectDims(*this, getResult(), dims);
}

LogicalResult NormOp::verify() {
  Dims dims = dimsOf(getInput().getType());
  if (getAxis() >= dims.size())
    return emitOpError() << "normalises from axis " << getAxis() << " but the operand has " << dims.size();
  Dims inner(dims.begin() + getAxis(), dims.end());
  for (Value parameter : {getScale(), getBias()})
    if (parameter && (dimsOf(parameter.getType()) != inner || elementOf(parameter) != elementOf(getInput()))) // C1
      return emitOpError() << "has a parameter of " << parameter.getType() << " for slices of " << str(inner);
  for (const DimExpr &dim : inner)
    if (!dim.constant())
      return emitOpError() << "normalises over the dynamic sizes " << str(inner);
  if (getType() != getInput().getType()) // C2
    return emitOpError() << "gives " << getType() << " but takes " << getInput().getType();
  if (getBias() && !getScale()) // C3: the text form tells their types apart by position
    return emitOpError("has a bias but no scale");
  return success();
}

LogicalResult EmbeddingOp::verify() {
  auto table = cast<RankedTensorType>(getTable().getType());
  if (table.getRank() != 2 || !table.hasStaticShape()) // C1
    return emitOpError() << "expected a static matrix as table but found " << table;
  Dims dims = dimsOf(getIds().getType());
  dims.push_back(table.getDimSize(1));
  if (failed(expectElement(*this, elementOf(getResult()), table.getElementType())))
    return failure();
  return expectDims(*this, getResult(), dims);
}

LogicalResult tamis::model::verifyAttention(Operation *op, Value queryValue, Value keyValue, Value valueValue,
                                            Value mask, Value result, int64_t heads, int64_t kvHeads) {
  Dims query = dimsOf(queryValue.getType()), key = dimsOf(keyValue.getType()), value = dimsOf(valueValue.getType());
  if (query.size() != 3 || key.size() != 3 || value.size() != 3)
    return op->emitOpError() << "expected operands of three axes but found " << str(query) << ", " << str(key)
                             << " and " << str(value);
  auto q = query[2].constant(), k = key[2].constant(), v = value[2].constant();
  if (!q || !k || !v || heads % kvHeads || *q % heads || *k % kvHeads || *v % kvHeads ||
      *q / heads != *k / kvHeads) // C1
    return op->emitOpError() << "cannot split " << str(query) << ", " << str(key) << " and " << str(value) << " into "
                             << heads << " heads over " << kvHeads;
  if (query[0] != key[0] || key[0] != value[0] || key[1] != value[1]) // C2
    return op->emitOpError() << "has operands of sizes " << str(query) << ", " << str(key) << " and " << str(value);
  if (mask) {
    Dims dims = dimsOf(mask.getType()), scores{query[0], DimExpr(heads), query[1], key[1]};
    auto both = broadcastDims(dims, scores);
    if (dims.size() != 4 || !both || *both != scores)
      return op->emitOpError() << "has a mask of " << str(dims) << " for scores of " << str(scores);
    if (!elementOf(mask).isInteger(1) && elementOf(mask) != elementOf(queryValue))
      return op->emitOpError() << "has a mask of " << elementOf(mask) << " but " << elementOf(queryValue)
                               << " or i1 is wanted";
  }
  for (Value operand : {keyValue, valueValue, result})
    if (operand && failed(expectElement(op, elementOf(operand), elementOf(queryValue))))
      return failure();
  int64_t width;
  if (llvm::MulOverflow(*v / kvHeads, heads, width))
    return op->emitOpError() << "has " << heads << " heads of " << *v / kvHeads << ", too many to count";
  if (!result)
    return success();
  return expectDims(op, result, Dims{query[0], query[1], DimExpr(width)});
}

LogicalResult AttentionOp::verify() {
  return verifyAttention(*this, getQuery(), getKey(), getValue(), getMask(), getResult(), getHeads(), getKvHeads());
}
