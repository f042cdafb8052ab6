// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX Runtime's own ops of quantized models. Their attributes come unchecked. Source: docs/ContribOperators.md of ONNX
// Runtime.
#include "lib/import/OnnxQuantize.h"

using namespace mlir;
using namespace tamis;
using K = model::ElementwiseKind;

namespace {
FailureOr<int64_t> integerOf(OnnxNode &node, StringRef name, std::optional<int64_t> missing) {
  const onnx::AttributeProto *given = node.find(name);
  if (given ? given->type() != onnx::AttributeProto::INT : !missing)
    return FailureOr<int64_t>(node.fail("attribute '" + name + "' is no integer, which is wanted"));
  return given ? given->i() : *missing;
}

/// Integers of 2, 4 or 8 bits that follow each other from the low bits of a byte on, a byte each.
void unpack(ArrayRef<char> packed, int64_t bits, MutableArrayRef<char> out) {
  int64_t each = 8 / bits;
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = char(uint8_t(packed[i / each]) >> (i % each * bits) & ((1 << bits) - 1));
}

/// Known bytes of an operand that is an initializer; fails otherwise.
FailureOr<ArrayRef<char>> bytesOf(OnnxNode &node, size_t i, StringRef what) {
  if (!node.has(i) || node.in(i).bytes.empty())
    return FailureOr<ArrayRef<char>>(node.fail("operand '" + what + "' is no initializer of the file"));
  return node.in(i).bytes;
}

LogicalResult expectDims(OnnxNode &node, size_t i, StringRef what, ArrayRef<model::Dims> choices) {
  if (llvm::is_contained(choices, node.in(i).dims))
    return success();
  return node.fail("operand '" + what + "' is of " + model::str(node.in(i).dims) + " but " +
                   model::str(choices.front()) + " is wanted");
}

/// result = a (dequantized b)^T + bias; b is N rows of K integers, cut into blocks of consecutive ones.
LogicalResult importMatMulNBits(OnnxNode &node) {
  enum { a, b, scalesOperand, zeroPoints, groups, bias };
  auto depth = integerOf(node, "K", {}), width = integerOf(node, "N", {}), bits = integerOf(node, "bits", 4),
       size = integerOf(node, "block_size", {});
  if (failed(depth) || failed(width) || failed(bits) || failed(size))
    return failure();
  if (*bits != 4 && *bits != 8)
    return node.fail("bits is " + Twine(*bits) + "; supported are 4 and 8");
  if (*depth < 1 || *width < 1 || *size < 16 || !llvm::isPowerOf2_64(*size) || *depth > INT32_MAX ||
      *width > INT32_MAX || *size > INT32_MAX)
    return node.fail("K, N and block_size are " + Twine(*depth) + ", " + Twine(*width) + " and " + Twine(*size) +
                     " but positive numbers, the last a power of two from 16 on, are wanted");
  for (size_t i : {size_t(a), size_t(b), size_t(scalesOperand)})
    if (!node.has(i))
      return node.fail("operand " + Twine(i) + " is missing");
  int64_t inner = *depth, columns = *width, blocks = llvm::divideCeil(inner, *size), blob = *size * *bits / 8;
  const OnnxValue &input = node.in(a), &weight = node.in(b);
  if (!input.isFloat() || input.rank() < 1 || failed(node.meet(input.dims.back(), DimExpr(inner))))
    return input.isFloat() ? failure() : node.fail("operand 'A' is no float tensor");
  auto packed = bytesOf(node, b, "B");
  if (failed(packed))
    return failure();
  if (!weight.element.isUnsignedInteger(8) || int64_t(packed->size()) != columns * blocks * blob)
    return node.fail("operand 'B' holds " + Twine(packed->size()) + " bytes but " + Twine(columns) + " columns of " +
                     Twine(blocks) + " blocks of " + Twine(blob) + " bytes are wanted");
  if (failed(checkScales(node, scalesOperand, "scales")) ||
      failed(expectDims(node, scalesOperand, "scales", {{columns * blocks}, {columns, blocks}, {columns, blocks, 1}})))
    return failure();
  Type element = node.builder().getIntegerType(*bits, /*isSigned=*/false);
  model::Dims weightDims{columns, inner}, scaleDims{columns, blocks};
  // A blob is padded to a whole block; the rows of the result are not.
  Value q = node.derived(b, "unpacked", element, weightDims, [&](MutableArrayRef<char> out) {
    for (int64_t n = 0; n < columns; ++n)
      unpack(packed->slice(n * blocks * blob, blocks * blob), *bits, out.slice(n * inner, inner));
  });
  Value scale = node.reshape(node.emit(scalesOperand), scaleDims), zero;
  Type float32 = node.builder().getF32Type();
  Value fractional; // zero points that are floats
  if (!node.has(zeroPoints)) {
    zero = node.splat(element, double(1 << (*bits - 1)), scaleDims);
  } else if (node.in(zeroPoints).isFloat()) {
    if (failed(
            expectDims(node, zeroPoints, "zero_points", {{columns * blocks}, {columns, blocks}, {columns, blocks, 1}})))
      return failure();
    fractional = node.reshape(node.emit(zeroPoints), scaleDims);
  } else {
    auto given = bytesOf(node, zeroPoints, "zero_points");
    if (failed(given))
      return failure();
    int64_t row = llvm::divideCeil(blocks * *bits, 8);
    if (!node.in(zeroPoints).element.isUnsignedInteger(8) || int64_t(given->size()) != columns * row)
      return node.fail("operand 'zero_points' holds " + Twine(given->size()) + " bytes but " + Twine(columns * row) +
                       " are wanted");
    zero = node.derived(zeroPoints, "unpacked", element, scaleDims, [&](MutableArrayRef<char> out) {
      for (int64_t n = 0; n < columns; ++n)
        unpack(given->slice(n * row, row), *bits, out.slice(n * blocks, blocks));
    });
  }
  IntegerAttr block = node.builder().getI64IntegerAttr(*size), axis = node.builder().getI64IntegerAttr(1);
  if (node.has(groups)) { // columns of the matrix were put in order of their importance, each keeps its group
    auto numbers = constantIntegers(node.in(groups));
    if (!numbers || int64_t(numbers->size()) < inner)
      return node.fail("operand 'g_idx' is no constant of " + Twine(inner) + " elements");
    for (int64_t k = 0; k < inner; ++k)
      if ((*numbers)[k] < 0 || (*numbers)[k] >= blocks)
        return node.fail("element " + Twine(k) + " of 'g_idx' is " + Twine((*numbers)[k]) + " but there are " +
                         Twine(blocks) + " blocks");
    Value order = node.derived(groups, "order", node.builder().getI32Type(), {inner}, [&](MutableArrayRef<char> out) {
      for (int64_t k = 0; k < inner; ++k) {
        auto number = int32_t((*numbers)[k]);
        memcpy(out.data() + k * sizeof(number), &number, sizeof(number));
      }
    });
    auto spread = [&](Value values) -> Value {
      if (!values)
        return {};
      Type own = cast<RankedTensorType>(values.getType()).getElementType();
      return node.create<model::GatherOp>(model::tensorType(own, weightDims), values, order, uint64_t(1));
    };
    scale = spread(scale), zero = spread(zero), fractional = spread(fractional);
    block = axis = {};
  }
  Value matrix;
  if (fractional) {
    Value one = node.splat(float32, 1);
    Value whole = node.create<model::DequantizeOp>(model::tensorType(float32, weightDims), q, one, Value(),
                                                   IntegerAttr(), IntegerAttr());
    Value ones = node.splat(node.builder().getI8Type(), 1, weightDims);
    auto spread = [&](Value values) -> Value { // as the op spreads scales
      return node.create<model::DequantizeOp>(model::tensorType(float32, weightDims), ones,
                                              castTo(node, values, float32), Value(), block, axis);
    };
    matrix = node.elementwise(
        K::mul, {node.elementwise(K::sub, {whole, spread(fractional)}, weightDims), spread(scale)}, weightDims);
    matrix = castTo(node, matrix, input.element);
  } else {
    matrix =
        node.create<model::DequantizeOp>(model::tensorType(input.element, weightDims), q, scale, zero, block, axis);
  }
  Value offset;
  if (node.has(bias)) {
    if (node.in(bias).element != input.element || failed(expectDims(node, bias, "bias", {{columns}})))
      return node.in(bias).element != input.element ? node.fail("operand 'bias' has another element type than 'A'")
                                                    : failure();
    offset = node.emit(bias);
  }
  model::Dims dims = input.dims;
  dims.back() = DimExpr(columns);
  return node.give(node.create<model::LinearOp>(model::tensorType(input.element, dims), node.emit(a), matrix, offset,
                                                /*transposed=*/true));
}

LogicalResult giveWithBias(OnnxNode &node, Value product, size_t bias) {
  if (!node.has(bias))
    return node.give(product);
  model::Dims dims = model::dimsOf(product.getType());
  if (!node.in(bias).element.isF32() || node.in(bias).dims != model::Dims{dims.back()})
    return node.fail("operand 'bias' is no f32 tensor of " + dims.back().str() + " elements");
  return node.give(node.elementwise(K::add, {product, node.emit(bias)}, dims));
}

/// Operands: A of f32, B of 8-bit integers, the scale of B, its zero point, a bias.
LogicalResult importDynamicQuantizeMatMul(OnnxNode &node) {
  enum { a, b, scale, zero, bias };
  if (!node.has(a) || !node.has(b) || !node.has(scale) || !node.in(a).element.isF32())
    return node.fail("operands are not f32, 8-bit integers and their scale");
  if (failed(checkScales(node, scale, "b_scale")))
    return failure();
  Type byte = node.builder().getIntegerType(8, /*isSigned=*/false);
  Value x = node.emit(a);
  DynamicScale dynamic = dynamicScale(node, x);
  Value q = node.create<model::QuantizeOp>(model::tensorType(byte, node.in(a).dims), x, dynamic.scale,
                                           dynamic.zeroPoint, IntegerAttr(), IntegerAttr());
  IntegerOperand left{q, node.in(a).dims, dynamic.zeroPoint};
  auto sums = integerProduct(node, left, b, zero);
  if (failed(sums))
    return failure();
  auto product = scaleProduct(node, *sums, dynamic.scale, scale);
  return failed(product) ? failure() : giveWithBias(node, *product, bias);
}

/// Operands: A and B of 8-bit integers, their scales, their zero points, a bias.
LogicalResult importMatMulIntegerToFloat(OnnxNode &node) {
  enum { a, b, aScale, bScale, aZero, bZero, bias };
  for (size_t i : {size_t(a), size_t(b), size_t(aScale), size_t(bScale)})
    if (!node.has(i))
      return node.fail("operand " + Twine(i) + " is missing");
  if (failed(checkScales(node, aScale, "a_scale")) || failed(checkScales(node, bScale, "b_scale")))
    return failure();
  auto sums = integerProduct(node, a, b, aZero, bZero);
  if (failed(sums))
    return failure();
  auto product = scaleProduct(node, *sums, node.emit(aScale), bScale);
  return failed(product) ? failure() : giveWithBias(node, *product, bias);
}

/// Rows of a table that is quantized in blocks: the table's numbers, gathered.
LogicalResult importGatherBlockQuantized(OnnxNode &node) {
  enum { data, indices, scales, zeroPoints };
  auto gatherAxis = integerOf(node, "gather_axis", 0), quantizeAxis = integerOf(node, "quantize_axis", 1),
       size = integerOf(node, "block_size", 128), bits = integerOf(node, "bits", 4);
  if (failed(gatherAxis) || failed(quantizeAxis) || failed(size) || failed(bits))
    return failure();
  for (size_t i : {size_t(data), size_t(indices), size_t(scales)})
    if (!node.has(i))
      return node.fail("operand " + Twine(i) + " is missing");
  const OnnxValue &given = node.in(data), &at = node.in(indices);
  int64_t rank = given.rank();
  auto axis = node.axis(*gatherAxis, rank), blockAxis = node.axis(*quantizeAxis, rank);
  if (failed(axis) || failed(blockAxis))
    return failure();
  if (*bits != 4 && *bits != 8)
    return node.fail("bits is " + Twine(*bits) + "; supported are 4 and 8");
  if (*size < 16 || !llvm::isPowerOf2_64(*size) || *size > INT32_MAX)
    return node.fail("block_size is " + Twine(*size) + " but a power of two from 16 on is wanted");
  if (!at.element.isSignlessInteger(32) && !at.element.isSignlessInteger(64))
    return node.fail("indices are no integers of 32 or 64 bits");
  if (failed(checkScales(node, scales, "scales")))
    return failure();
  // Bytes hold two integers of 4 bits, along the last axis.
  bool isPacked = given.element.isInteger(8) && *bits == 4;
  Type element = isPacked ? Type(node.builder().getIntegerType(4, /*isSigned=*/false)) : given.element;
  if (!element.isInteger(4) && !element.isInteger(8))
    return node.fail("data are no integers of 4 or 8 bits");
  model::Dims dims = given.dims;
  auto unpacked = [&](size_t i, model::Dims &wanted) -> FailureOr<Value> {
    if (!isPacked)
      return node.emit(i);
    auto bytes = bytesOf(node, i, i == data ? "data" : "zero_points");
    if (failed(bytes))
      return failure();
    auto last = wanted.back().constant();
    int64_t row = last ? llvm::divideCeil(*last, 2) : 0, rows = row ? int64_t(bytes->size()) / row : 0;
    if (!row || rows * row != int64_t(bytes->size()))
      return FailureOr<Value>(node.fail("packed integers do not fit " + model::str(wanted)));
    return node.derived(i, "unpacked", element, wanted, [&](MutableArrayRef<char> out) {
      for (int64_t r = 0; r < rows; ++r)
        unpack(bytes->slice(r * row, row), 4, out.slice(r * *last, *last));
    });
  };
  if (isPacked && rank)
    dims.back() = dims.back() * 2;
  model::Dims scaleDims = dims;
  scaleDims[*blockAxis] = DimExpr::floorDiv(dims[*blockAxis] + (*size - 1), *size);
  if (failed(expectDims(node, scales, "scales", {scaleDims})))
    return failure();
  auto table = unpacked(data, dims);
  if (failed(table))
    return failure();
  Value zero;
  if (node.has(zeroPoints)) {
    auto value = unpacked(zeroPoints, scaleDims);
    if (failed(value))
      return failure();
    zero = *value;
    if (zero.getType() != model::tensorType(element, scaleDims))
      return node.fail("zero points of " + model::str(node.in(zeroPoints).dims) + " do not fit scales of " +
                       model::str(scaleDims));
  } else if (element.isUnsignedInteger()) {
    zero = node.splat(element, *bits == 4 ? 8 : 128, scaleDims);
  }
  Type number = node.in(scales).element;
  Value whole = node.create<model::DequantizeOp>(model::tensorType(number, dims), *table, node.emit(scales), zero,
                                                 node.builder().getI64IntegerAttr(*size),
                                                 node.builder().getI64IntegerAttr(*blockAxis));
  model::Dims result(dims.begin(), dims.begin() + *axis);
  result.append(at.dims);
  result.append(dims.begin() + *axis + 1, dims.end());
  return node.give(node.create<model::GatherOp>(model::tensorType(number, result), whole, node.emit(indices),
                                                static_cast<uint64_t>(*axis)));
}
} // namespace

void tamis::addOnnxRuntimeQuantizeOps(OnnxOpTable &table) {
  table["com.microsoft.MatMulNBits"] = importMatMulNBits;
  table["com.microsoft.DynamicQuantizeMatMul"] = importDynamicQuantizeMatMul;
  table["com.microsoft.MatMulIntegerToFloat"] = importMatMulIntegerToFloat;
  table["com.microsoft.GatherBlockQuantized"] = importGatherBlockQuantized;
}
