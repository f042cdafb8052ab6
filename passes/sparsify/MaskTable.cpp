// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks that are known at compile time, pair by pair.
#include "passes/sparsify/MaskTable.h"

#include "dialects/model/ModelShapes.h"
#include "dialects/sattn/Pattern.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using K = ElementwiseKind;

namespace tamis::sparsify {

namespace {
/// A tensor of numbers, row-major; bools are 0 and 1.
struct Numbers {
  SmallVector<int64_t> shape;
  std::vector<double> values;
};

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

SmallVector<int64_t> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t axis = shape.size(); axis-- > 1;)
    strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

/// Strides over `from` for coordinates of `to`, axes aligned at the last; 0 along axes that are repeated.
SmallVector<int64_t> broadcastStrides(ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  SmallVector<int64_t> own = stridesOf(from), strides(to.size() - from.size(), 0);
  for (auto [stride, size] : llvm::zip(own, from))
    strides.push_back(size == 1 ? 0 : stride);
  return strides;
}

std::optional<double> apply(K kind, ArrayRef<double> x, bool isFloat) {
  double a = x[0], b = x.size() > 1 ? x[1] : 0;
  switch (kind) {
  case K::neg:
    return -a;
  case K::abs:
    return std::fabs(a);
  case K::floor:
    return std::floor(a);
  case K::add:
    return a + b;
  case K::sub:
    return a - b;
  case K::mul:
    return a * b;
  case K::div:
    return isFloat ? a / b : b == 0 ? 0 : std::trunc(a / b);
  case K::mod:
    return b == 0 ? std::nullopt : std::optional(a - b * std::floor(a / b));
  case K::fmod:
    return b == 0 ? std::nullopt : std::optional(std::fmod(a, b));
  case K::minimum:
    return std::isnan(a + b) ? a + b : std::min(a, b);
  case K::maximum:
    return std::isnan(a + b) ? a + b : std::max(a, b);
  case K::logical_not:
    return a == 0;
  case K::logical_and:
    return a != 0 && b != 0;
  case K::logical_or:
    return a != 0 || b != 0;
  case K::logical_xor:
    return (a != 0) != (b != 0);
  case K::equal:
    return a == b;
  case K::not_equal:
    return a != b;
  case K::less:
    return a < b;
  case K::less_equal:
    return a <= b;
  case K::greater:
    return a > b;
  case K::greater_equal:
    return a >= b;
  case K::select:
    return a != 0 ? b : x[2];
  default:
    return std::nullopt;
  }
}

/// Computes what does not depend on inputs and sizes.
class Evaluator {
public:
  explicit Evaluator(const WeightStore *weights) : weights(weights) {}

  /// Null when it is not known, or too large.
  const Numbers *operator()(Value value) {
    auto known = results.find(value);
    if (known == results.end()) {
      RankedTensorType type = typeOf(value);
      std::optional<Numbers> numbers;
      if (type.hasStaticShape() && type.getNumElements() <= MaskTable::kMostPairs && value.getDefiningOp())
        numbers = evaluate(value.getDefiningOp(), type);
      known = results.try_emplace(value, numbers ? std::make_unique<Numbers>(std::move(*numbers)) : nullptr).first;
    }
    return known->second.get();
  }

private:
  using Result = std::optional<Numbers>;

  Result evaluate(Operation *op, RankedTensorType type) {
    return TypeSwitch<Operation *, Result>(op)
        .Case([&](ConstantOp constant) { return ofElements(dyn_cast<DenseElementsAttr>(constant.getValue()), type); })
        .Case([&](WeightOp weight) { return ofWeight(weight, type); })
        .Case([&](IotaOp iota) { return ofIota(iota, type); })
        .Case([&](ReshapeOp reshape) -> Result {
          const Numbers *input = (*this)(reshape.getInput());
          return input ? Result({SmallVector<int64_t>(type.getShape()), input->values}) : std::nullopt;
        })
        .Case([&](BroadcastOp broadcast) -> Result {
          const Numbers *input = (*this)(broadcast.getInput());
          return input ? Result(moved(*input, type, 0, broadcastStrides(input->shape, type.getShape()))) : std::nullopt;
        })
        .Case([&](TransposeOp transpose) -> Result {
          const Numbers *input = (*this)(transpose.getInput());
          if (!input)
            return std::nullopt;
          SmallVector<int64_t> own = stridesOf(input->shape), strides;
          for (int64_t axis : transpose.getPermutation())
            strides.push_back(own[axis]);
          return moved(*input, type, 0, strides);
        })
        .Case([&](SliceOp slice) { return ofSlice(slice, type); })
        .Case([&](CastOp cast) { return ofCast(cast, type); })
        .Case([&](ElementwiseOp elementwise) { return ofElementwise(elementwise, type); })
        .Default([](Operation *) -> Result { return std::nullopt; });
  }

  static Numbers moved(const Numbers &input, RankedTensorType type, int64_t start, ArrayRef<int64_t> strides) {
    Numbers result{SmallVector<int64_t>(type.getShape()), {}};
    int64_t count = type.getNumElements();
    result.values.reserve(count);
    SmallVector<int64_t> at(type.getRank(), 0);
    int64_t offset = start;
    for (int64_t i = 0; i < count; ++i) {
      result.values.push_back(input.values[offset]);
      for (int64_t axis = type.getRank() - 1; axis >= 0; --axis) {
        offset += strides[axis];
        if (++at[axis] < type.getDimSize(axis))
          break;
        offset -= strides[axis] * at[axis];
        at[axis] = 0;
      }
    }
    return result;
  }

  static Result ofElements(DenseElementsAttr elements, RankedTensorType type) {
    if (!elements)
      return std::nullopt;
    Numbers result{SmallVector<int64_t>(type.getShape()), {}};
    result.values.reserve(type.getNumElements());
    if (isa<FloatType>(type.getElementType())) {
      for (APFloat value : elements.getValues<APFloat>()) {
        bool ignored;
        value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &ignored);
        result.values.push_back(value.convertToDouble());
      }
      return result;
    }
    bool isUnsigned = type.getElementType().isInteger(1) || type.getElementType().isUnsignedInteger();
    for (const APInt &value : elements.getValues<APInt>())
      result.values.push_back(isUnsigned ? double(value.getZExtValue()) : double(value.getSExtValue()));
    return checked(std::move(result), type);
  }

  Result ofWeight(WeightOp op, RankedTensorType type) {
    const WeightStore::Weight *weight = weights ? weights->find(op.getKey()) : nullptr;
    if (!weight)
      return std::nullopt;
    Numbers result{SmallVector<int64_t>(type.getShape()), {}};
    auto read = [&](auto like) -> Result {
      for (int64_t i = 0; i < type.getNumElements(); ++i) {
        memcpy(&like, weight->bytes.data() + i * sizeof like, sizeof like);
        result.values.push_back(double(like));
      }
      return checked(std::move(result), type);
    };
    Type element = type.getElementType();
    return element.isInteger(1)            ? read(uint8_t())
           : element.isF32()               ? read(float())
           : element.isF64()               ? read(double())
           : element.isSignlessInteger(32) ? read(int32_t())
           : element.isSignlessInteger(64) ? read(int64_t())
                                           : Result();
  }

  static Result ofIota(IotaOp op, RankedTensorType type) {
    auto start = DimExpr::parse(op.getStart()), step = DimExpr::parse(op.getStep());
    if (!start || !step || !start->constant() || !step->constant())
      return std::nullopt;
    Numbers result{SmallVector<int64_t>(type.getShape()), {}};
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      result.values.push_back(double(*start->constant()) + double(i) * double(*step->constant()));
    return checked(std::move(result), type);
  }

  Result ofSlice(SliceOp op, RankedTensorType type) {
    const Numbers *input = (*this)(op.getInput());
    if (!input)
      return std::nullopt;
    SmallVector<int64_t> strides = stridesOf(input->shape);
    int64_t first = 0;
    for (auto [text, step, stride] : llvm::zip(op.getStarts(), op.getSteps(), strides)) {
      auto start = DimExpr::parse(cast<StringAttr>(text).getValue());
      if (!start || !start->constant())
        return std::nullopt;
      first += *start->constant() * stride;
      stride *= step;
    }
    return moved(*input, type, first, strides); // inside of the input, as the verifier says
  }

  Result ofCast(CastOp op, RankedTensorType type) {
    const Numbers *input = (*this)(op.getInput());
    if (!input)
      return std::nullopt;
    Numbers result = *input;
    if (type.getElementType().isInteger(1))
      for (double &value : result.values)
        value = value != 0;
    else if (!isa<FloatType>(type.getElementType()))
      for (double &value : result.values)
        value = std::trunc(value);
    return checked(std::move(result), type);
  }

  Result ofElementwise(ElementwiseOp op, RankedTensorType type) {
    SmallVector<const Numbers *> operands;
    SmallVector<SmallVector<int64_t>> strides;
    for (Value operand : op.getOperands()) {
      operands.push_back((*this)(operand));
      if (!operands.back())
        return std::nullopt;
      strides.push_back(broadcastStrides(operands.back()->shape, type.getShape()));
    }
    bool isFloat = isa<FloatType>(typeOf(op.getOperands().back()).getElementType());
    Numbers result{SmallVector<int64_t>(type.getShape()), {}};
    SmallVector<int64_t> at(type.getRank(), 0), offsets(operands.size(), 0);
    SmallVector<double> elements(operands.size());
    int64_t count = type.getNumElements();
    result.values.reserve(count);
    for (int64_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < operands.size(); ++k)
        elements[k] = operands[k]->values[offsets[k]];
      auto value = apply(op.getKind(), elements, isFloat);
      if (!value)
        return std::nullopt;
      result.values.push_back(*value);
      for (int64_t axis = type.getRank() - 1; axis >= 0; --axis) {
        for (size_t k = 0; k < operands.size(); ++k)
          offsets[k] += strides[k][axis];
        if (++at[axis] < type.getDimSize(axis))
          break;
        for (size_t k = 0; k < operands.size(); ++k)
          offsets[k] -= strides[k][axis] * at[axis];
        at[axis] = 0;
      }
    }
    return checked(std::move(result), type);
  }

  /// As the element type holds them. Nothing where integers leave what a double, or their type, counts exactly.
  static Result checked(Numbers numbers, RankedTensorType type) {
    Type element = type.getElementType();
    if (element.isF32())
      for (double &value : numbers.values)
        value = float(value);
    if (isa<FloatType>(element))
      return element.isF32() || element.isF64() ? Result(std::move(numbers)) : std::nullopt;
    double limit = std::ldexp(1.0, std::min<int>(53, int(element.getIntOrFloatBitWidth()) - 1));
    for (double value : numbers.values)
      if (!element.isInteger(1) && !(std::fabs(value) < limit))
        return std::nullopt;
    return numbers;
  }

  const WeightStore *weights;
  llvm::DenseMap<Value, std::unique_ptr<Numbers>> results;
};
} // namespace

void MaskTable::order() {
  for (int64_t head = 0; head < heads; ++head)
    for (int64_t q = 0; q < queries; ++q)
      for (int64_t k = std::max<int64_t>(0, q + keys - queries + 1); k < keys; ++k)
        leaveOut(head, q, k);
}

bool MaskTable::hasEmptyRow() const {
  for (int64_t row = 0; row < heads * queries; ++row) {
    int next = kept.find_first_in(row * keys, (row + 1) * keys);
    if (next < 0)
      return true;
  }
  return false;
}

MaskTable fullTable(int64_t queries, int64_t keys) {
  return {1, queries, keys, llvm::BitVector(queries * keys, true)};
}

std::optional<MaskTable> maskTableOf(Value mask, int64_t queries, int64_t keys, const WeightStore *weights) {
  RankedTensorType type = typeOf(mask);
  if (!type.hasStaticShape() || type.getDimSize(0) != 1)
    return std::nullopt;
  int64_t heads = type.getDimSize(1), pairs = queries * keys;
  if (pairs == 0 || pairs > MaskTable::kMostPairs || heads > MaskTable::kMostPairs / pairs)
    return std::nullopt;
  Evaluator evaluator(weights);
  const Numbers *numbers = evaluator(mask);
  if (!numbers)
    return std::nullopt;
  MaskTable table{heads, queries, keys, llvm::BitVector(heads * pairs)};
  SmallVector<int64_t> strides = broadcastStrides(numbers->shape, {1, heads, queries, keys});
  bool isBool = type.getElementType().isInteger(1);
  for (int64_t h = 0, next = 0; h < heads; ++h)
    for (int64_t q = 0; q < queries; ++q)
      for (int64_t k = 0; k < keys; ++k, ++next) {
        double value = numbers->values[h * strides[1] + q * strides[2] + k * strides[3]];
        bool isKept = isBool ? value != 0 : value == 0;
        if (!isBool && !isKept && !(value <= sattn::kLeftOut))
          return std::nullopt;
        table.isFinite |= !isBool && !isKept && value != -INFINITY;
        if (isKept)
          table.kept.set(next);
      }
  return table;
}

} // namespace tamis::sparsify
