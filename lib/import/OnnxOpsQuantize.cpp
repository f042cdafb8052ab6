// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX ops of quantized models: those of ai.onnx.
#include "lib/import/OnnxQuantize.h"

#include <cmath>

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

LogicalResult tamis::checkScales(OnnxNode &node, size_t i, StringRef what) {
  const OnnxValue &scale = node.in(i);
  if (!scale.isFloat())
    return node.fail("operand '" + what + "' is no float tensor");
  std::vector<double> numbers = constantFloats(scale).value_or(std::vector<double>());
  for (auto [at, number] : llvm::enumerate(numbers))
    if (!std::isfinite(number) || number == 0)
      return node.fail("element " + Twine(at) + " of '" + what + "' is " + Twine(std::to_string(number)) +
                       " but scales are finite and not 0");
  return success();
}

bool tamis::isZero(const OnnxValue &value) {
  if (value.number)
    return *value.number == 0;
  auto numbers = constantIntegers(value);
  return numbers && llvm::all_of(*numbers, [](int64_t number) { return number == 0; });
}

LogicalResult Quantization::read(OnnxNode &node, size_t operand, size_t scaleIndex, size_t zeroIndex, int64_t axisName,
                                 int64_t blockSize) {
  const OnnxValue &scale = node.in(scaleIndex);
  model::Dims dims = node.in(operand).dims, wanted;
  if (failed(checkScales(node, scaleIndex, "scale")))
    return failure();
  int64_t rank = dims.size();
  if (blockSize < 0)
    return node.fail("block_size is " + Twine(blockSize) + " but 0 or more is wanted");
  if (product(scale.dims).isConstant(1) && scale.rank() <= 1) {
    wanted = {};
  } else {
    auto at = node.axis(axisName, rank);
    if (failed(at))
      return failure();
    if (blockSize) {
      if (scale.rank() != rank)
        return node.fail("scales of " + model::str(scale.dims) + " do not fit blocks of an operand of " +
                         model::str(dims));
      for (int64_t k = 0; k < rank; ++k) {
        DimExpr count = k == *at ? DimExpr::floorDiv(dims[k] + (blockSize - 1), blockSize) : dims[k];
        if (failed(node.meet(scale.dims[k], count)))
          return failure();
        wanted.push_back(count);
      }
      block = blockSize;
      axis = *at;
    } else {
      if (scale.rank() != 1)
        return node.fail("scales of " + model::str(scale.dims) +
                         " are neither one number nor one for each index of an "
                         "axis");
      if (failed(node.meet(scale.dims[0], dims[*at])))
        return failure();
      wanted.assign(rank - *at, DimExpr(1));
      wanted[0] = scale.dims[0];
    }
  }
  this->scale = node.reshape(node.emit(scaleIndex), wanted);
  if (!node.has(zeroIndex))
    return success();
  const OnnxValue &given = node.in(zeroIndex);
  // One zero point for every scale; a single one may be written with another rank.
  if (!(product(given.dims).isConstant(1) && wanted.empty()) && given.dims != scale.dims)
    return node.fail("zero points of " + model::str(given.dims) + " do not fit scales of " + model::str(scale.dims));
  zeroElement = given.element;
  if (!isZero(given))
    zeroPoint = node.reshape(node.emit(zeroIndex), wanted);
  return success();
}

Value Quantization::quantize(OnnxNode &node, Value x, Type element) const {
  auto type = model::tensorType(element, model::dimsOf(x.getType()));
  return node.create<model::QuantizeOp>(type, x, scale, zeroPoint, blockAttr(node), axisAttr(node));
}

Value Quantization::dequantize(OnnxNode &node, Value q, Type element) const {
  auto type = model::tensorType(element, model::dimsOf(q.getType()));
  return node.create<model::DequantizeOp>(type, q, scale, zeroPoint, blockAttr(node), axisAttr(node));
}

IntegerAttr Quantization::blockAttr(OnnxNode &node) const {
  return block ? node.builder().getI64IntegerAttr(block) : IntegerAttr();
}
IntegerAttr Quantization::axisAttr(OnnxNode &node) const {
  return block ? node.builder().getI64IntegerAttr(axis) : IntegerAttr();
}

Value tamis::castTo(OnnxNode &node, Value value, Type element) {
  auto type = model::tensorType(element, model::dimsOf(value.getType()));
  return type == value.getType() ? value : node.create<model::CastOp>(type, value);
}

DynamicScale tamis::dynamicScale(OnnxNode &node, Value x) {
  // The range of all elements and zero, cut into 255 steps. Source: the definition of DynamicQuantizeLinear.
  Type f32 = node.builder().getF32Type();
  model::Dims dims = model::dimsOf(x.getType());
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, dims.size()));
  model::Dims ones(dims.size(), DimExpr(1));
  auto bound = [&](model::ReduceKind kind, K limit) {
    Value reduced = node.create<model::ReduceOp>(model::tensorType(f32, ones), kind, x, axes);
    return node.elementwise(limit, {node.reshape(reduced, {}), node.splat(f32, 0)}, {});
  };
  Value low = bound(model::ReduceKind::min, K::minimum), high = bound(model::ReduceKind::max, K::maximum);
  Value step = node.elementwise(K::div, {node.elementwise(K::sub, {high, low}, {}), node.splat(f32, 255)}, {});
  Value flat = node.elementwise(K::equal, {high, low}, {});
  Value scale = node.elementwise(K::select, {flat, node.splat(f32, 1), step}, {});
  Value zero = node.elementwise(K::neg, {node.elementwise(K::div, {low, scale}, {})}, {});
  zero = node.elementwise(K::round, {zero}, {});
  return {scale, castTo(node, zero, node.builder().getIntegerType(8, /*isSigned=*/false))}; // the cast saturates
}

namespace {
/// What an attribute of an ONNX type names, the other type without it; null after failing.
Type elementOr(OnnxNode &node, StringRef attribute, Type missing) {
  int64_t wanted = node.integer(attribute, 0);
  if (wanted == 0)
    return missing;
  Type element = onnxElementType(wanted, node.context());
  if (!element)
    (void)node.fail("its result " + unsupportedElement(wanted));
  return element;
}

bool isQuantized(Type element) {
  return element && (element.isInteger(4) || element.isInteger(8) || element.isInteger(16) ||
                     isa<Float8E4M3FNType, Float8E5M2Type>(element));
}

std::string spelt(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

LogicalResult importQuantizeLinear(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  Quantization quantization;
  if (failed(quantization.read(node, 0, 1, 2, node.integer("axis", 1), node.integer("block_size", 0))))
    return failure();
  Type byte = node.builder().getIntegerType(8, /*isSigned=*/false);
  Type element = elementOr(node, "output_dtype", quantization.zeroElement ? quantization.zeroElement : byte);
  if (!element)
    return failure();
  if (!isQuantized(element))
    return node.fail("gives elements of " + Twine(spelt(element)) +
                     "; supported are i4, ui4, i8, ui8, i16, f8E4M3FN and f8E5M2");
  if (quantization.zeroElement && quantization.zeroElement != element)
    return node.fail("zero points are " + Twine(spelt(quantization.zeroElement)) + " but the result is " +
                     spelt(element));
  if (quantization.zeroPoint && isa<FloatType>(element))
    return node.fail("the zero point of a float is not 0");
  if (isa<FloatType>(element) && !node.integer("saturate", 1))
    return node.fail("saturate is 0; supported where it is 1");
  Value x = node.emit(0);
  if (!input.isFloat())
    x = castTo(node, x, node.builder().getF32Type());
  return node.give(quantization.quantize(node, x, element));
}

LogicalResult importDequantizeLinear(OnnxNode &node) {
  const OnnxValue &input = node.in(0);
  if (!isQuantized(input.element) && !input.element.isSignlessInteger(32))
    return node.fail("operand has elements of " + Twine(spelt(input.element)) +
                     "; supported are i4, ui4, i8, ui8, i16, i32, f8E4M3FN and f8E5M2");
  Quantization quantization;
  if (failed(quantization.read(node, 0, 1, 2, node.integer("axis", 1), node.integer("block_size", 0))))
    return failure();
  if (quantization.zeroElement && quantization.zeroElement != input.element)
    return node.fail("zero points are " + Twine(spelt(quantization.zeroElement)) + " but the operand is " +
                     spelt(input.element));
  if (quantization.zeroPoint && input.isFloat())
    return node.fail("the zero point of a float is not 0");
  Type element = elementOr(node, "output_dtype", node.in(1).element);
  if (!element)
    return failure();
  if (!isa<FloatType>(element) || element.getIntOrFloatBitWidth() < 16)
    return node.fail("gives elements of " + Twine(spelt(element)) + " but floats of 16 bits or more are wanted");
  return node.give(quantization.dequantize(node, node.emit(0), element));
}

LogicalResult importDynamicQuantizeLinear(OnnxNode &node) {
  Type byte = node.builder().getIntegerType(8, /*isSigned=*/false);
  Value x = node.emit(0);
  DynamicScale dynamic = dynamicScale(node, x);
  auto type = model::tensorType(byte, node.in(0).dims);
  Value q = node.create<model::QuantizeOp>(type, x, dynamic.scale, dynamic.zeroPoint, IntegerAttr(), IntegerAttr());
  return success(succeeded(node.give(q, 0)) && succeeded(node.give(dynamic.scale, 1)) &&
                 succeeded(node.give(dynamic.zeroPoint, 2)));
}

LogicalResult importMatMulInteger(OnnxNode &node) {
  auto product = integerProduct(node, 0, 1, 2, 3);
  return failed(product) ? failure() : node.give(*product);
}

/// The product in integers, scaled by what both operands' units are, in units of the result.
LogicalResult importQLinearMatMul(OnnxNode &node) {
  enum { a, aScale, aZero, b, bScale, bZero, yScale, yZero };
  for (auto [i, what] : {std::pair(aScale, "a_scale"), std::pair(bScale, "b_scale"), std::pair(yScale, "y_scale")})
    if (failed(checkScales(node, i, what)))
      return failure();
  for (auto [i, what] : {std::pair(aScale, "a_scale"), std::pair(yScale, "y_scale"), std::pair(yZero, "y_zero_point")})
    if (!product(node.in(i).dims).isConstant(1))
      return node.fail("operand '" + Twine(what) + "' of " + model::str(node.in(i).dims) + " is not one number");
  auto sums = integerProduct(node, a, b, aZero, bZero);
  if (failed(sums))
    return failure();
  for (size_t i : {aScale, bScale, yScale})
    if (!node.in(i).element.isF32())
      return node.fail("scales are no f32");
  model::Dims dims = model::dimsOf(sums->getType());
  auto scaled = scaleProduct(node, *sums, node.emit(aScale), bScale);
  if (failed(scaled))
    return failure();
  Value zero = isZero(node.in(yZero)) ? Value() : node.reshape(node.emit(yZero), {});
  auto type = model::tensorType(node.in(yZero).element, dims);
  if (!isQuantized(node.in(yZero).element) || isa<FloatType>(node.in(yZero).element))
    return node.fail("gives elements of " + Twine(spelt(node.in(yZero).element)) + "; supported are i8 and ui8");
  return node.give(node.create<model::QuantizeOp>(type, *scaled, node.reshape(node.emit(yScale), {}), zero,
                                                  IntegerAttr(), IntegerAttr()));
}
} // namespace

namespace {
bool isByte(Type element) {
  return element.isInteger(8);
}

/// A zero point as an operand of the product, or null for 0: one number, one a row of the left operand's `matrix`, or
/// one a column of the right one's.
FailureOr<Value> zeroPointOf(OnnxNode &node, size_t i, ArrayRef<DimExpr> matrix, Type element, bool ofRows) {
  if (!node.has(i))
    return Value();
  if (node.in(i).element != element)
    return FailureOr<Value>(
        node.fail("zero points are " + Twine(spelt(node.in(i).element)) + " but the operand is " + spelt(element)));
  if (isZero(node.in(i)))
    return Value();
  Value value = node.emit(i);
  model::Dims given = node.in(i).dims, wanted(matrix);
  if (product(given).isConstant(1))
    return node.reshape(value, {});
  size_t kept = wanted.size() - (ofRows ? 2 : 1);
  wanted[wanted.size() - (ofRows ? 1 : 2)] = 1;
  if (given.size() == 1) {
    if (failed(node.meet(given[0], wanted[kept])))
      return failure();
    return node.reshape(value, ofRows ? model::Dims{given[0], DimExpr(1)} : given);
  }
  if (given != wanted)
    return FailureOr<Value>(
        node.fail("zero points of " + model::str(given) + " do not fit an operand of " + model::str(matrix)));
  return value;
}
} // namespace

FailureOr<Value> tamis::integerProduct(OnnxNode &node, size_t aIndex, size_t bIndex, size_t aZeroIndex,
                                       size_t bZeroIndex) {
  const OnnxValue &a = node.in(aIndex);
  if (!isByte(a.element) || a.rank() < 1)
    return node.fail("the first operand is no tensor of 8-bit integers");
  model::Dims left = a.dims;
  if (left.size() == 1)
    left.insert(left.begin(), DimExpr(1));
  auto zero = zeroPointOf(node, aZeroIndex, left, a.element, /*ofRows=*/true);
  if (failed(zero))
    return failure();
  return integerProduct(node, {node.emit(aIndex), a.dims, *zero}, bIndex, bZeroIndex);
}

FailureOr<Value> tamis::integerProduct(OnnxNode &node, const IntegerOperand &a, size_t bIndex, size_t bZeroIndex) {
  const OnnxValue &b = node.in(bIndex);
  if (!isByte(b.element) || b.rank() < 1)
    return node.fail("the second operand is no tensor of 8-bit integers");
  model::Dims left = a.dims, right = b.dims;
  if (left.size() == 1)
    left.insert(left.begin(), DimExpr(1));
  if (right.size() == 1)
    right.push_back(DimExpr(1));
  if (failed(node.meet(left.back(), right[right.size() - 2])))
    return failure();
  auto dims = node.broadcastDims(ArrayRef(left).drop_back(2), ArrayRef(right).drop_back(2));
  if (failed(dims))
    return failure();
  dims->append({left[left.size() - 2], right.back()});
  if (failed(node.checkDims(*dims)))
    return failure();
  auto bZero = zeroPointOf(node, bZeroIndex, right, b.element, /*ofRows=*/false);
  if (failed(bZero))
    return failure();
  Type i32 = node.builder().getI32Type();
  Value result, x = node.reshape(a.value, left);
  auto type = model::tensorType(i32, *dims);
  model::Dims rows = left, found = a.zeroPoint ? model::dimsOf(a.zeroPoint.getType()) : model::Dims();
  rows.back() = 1;
  bool isParameter = b.rank() == 2 && b.dims[0].constant() && b.dims[1].constant() && (b.isWeight() || b.contents);
  if (isParameter && (product(found).isConstant(1) || found == rows)) {
    Value columns = *bZero;
    if (columns && !product(model::dimsOf(columns.getType())).isConstant(1))
      columns = node.reshape(columns, {right.back()});
    result =
        node.create<model::IntegerLinearOp>(type, x, node.emit(bIndex), a.zeroPoint, columns, /*transposed=*/false);
  } else {
    auto centred = [&](Value value, Value zero) {
      Value wide = castTo(node, value, i32);
      return zero ? node.elementwise(K::sub, {wide, castTo(node, zero, i32)}, model::dimsOf(wide.getType())) : wide;
    };
    Value lhs = centred(x, a.zeroPoint), rhs = centred(node.reshape(node.emit(bIndex), right), *bZero);
    result = node.create<model::MatmulOp>(type, lhs, rhs);
  }
  if (b.rank() == 1)
    dims->pop_back();
  if (a.dims.size() == 1)
    dims->erase(dims->end() - (b.rank() == 1 ? 1 : 2));
  return node.reshape(result, *dims);
}

FailureOr<Value> tamis::scaleProduct(OnnxNode &node, Value sums, Value aScale, size_t bScale) {
  // One unit a row of the first operand, one a column of the second; ONNX Runtime multiplies them first.
  model::Dims dims = model::dimsOf(sums.getType());
  auto units = [&](Value scale) {
    model::Dims own = model::dimsOf(scale.getType());
    return node.reshape(scale, tamis::product(own).isConstant(1) ? model::Dims() : own);
  };
  Value a = units(aScale), b = units(node.emit(bScale));
  auto both = node.broadcastDims(model::dimsOf(a.getType()), model::dimsOf(b.getType()));
  if (failed(both))
    return failure();
  auto all = node.broadcastDims(dims, *both);
  if (failed(all))
    return failure();
  if (*all != dims)
    return FailureOr<Value>(
        node.fail("scales of " + model::str(*both) + " do not fit a product of " + model::str(dims)));
  Value product = node.elementwise(K::mul, {a, b}, *both);
  return node.elementwise(K::mul, {castTo(node, sums, node.builder().getF32Type()), product}, dims);
}

void tamis::addOnnxQuantizeOps(OnnxOpTable &table) {
  table["QuantizeLinear"] = importQuantizeLinear;
  table["DequantizeLinear"] = importDequantizeLinear;
  table["DynamicQuantizeLinear"] = importDynamicQuantizeLinear;
  table["MatMulInteger"] = importMatMulInteger;
  table["QLinearMatMul"] = importQLinearMatMul;
  // The same ops, older, in ONNX Runtime's own domain.
  table["com.microsoft.QuantizeLinear"] = importQuantizeLinear;
  table["com.microsoft.DequantizeLinear"] = importDequantizeLinear;
  addOnnxRuntimeQuantizeOps(table);
}
