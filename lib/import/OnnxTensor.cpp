// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of an ONNX message: their types, their bytes, what is known of their contents.
#include "lib/import/OnnxGraph.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/Endian.h"

using namespace mlir;
using namespace tamis;

Type tamis::onnxElementType(int64_t onnxType, MLIRContext *context) {
  Builder builder(context);
  switch (onnxType) {
  case onnx::TensorProto::FLOAT:
    return builder.getF32Type();
  case onnx::TensorProto::DOUBLE:
    return builder.getF64Type();
  case onnx::TensorProto::FLOAT16:
    return builder.getF16Type();
  case onnx::TensorProto::BFLOAT16:
    return builder.getBF16Type();
  case onnx::TensorProto::INT64:
    return builder.getI64Type();
  case onnx::TensorProto::INT32:
    return builder.getI32Type();
  case onnx::TensorProto::INT16:
    return builder.getIntegerType(16);
  case onnx::TensorProto::INT8:
    return builder.getI8Type();
  case onnx::TensorProto::UINT8:
    return builder.getIntegerType(8, /*isSigned=*/false);
  case onnx::TensorProto::UINT16:
    return builder.getIntegerType(16, /*isSigned=*/false);
  case onnx::TensorProto::UINT32:
    return builder.getIntegerType(32, /*isSigned=*/false);
  case onnx::TensorProto::UINT64:
    return builder.getIntegerType(64, /*isSigned=*/false);
  case onnx::TensorProto::INT4:
    return builder.getIntegerType(4);
  case onnx::TensorProto::UINT4:
    return builder.getIntegerType(4, /*isSigned=*/false);
  case onnx::TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case onnx::TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case onnx::TensorProto::BOOL:
    return builder.getI1Type();
  default:
    return {};
  }
}

std::string tamis::unsupportedElement(int64_t onnxType) {
  bool named = onnx::TensorProto_DataType_IsValid(static_cast<int>(onnxType));
  return "has elements of the ONNX type " +
         (named ? onnx::TensorProto_DataType_Name(static_cast<int>(onnxType)) : std::to_string(onnxType)) +
         "; supported are FLOAT, DOUBLE, FLOAT16, BFLOAT16, FLOAT8E4M3FN, FLOAT8E5M2, INT4 to INT64, UINT4 to UINT64 "
         "and BOOL";
}

namespace {
/// The bytes of a tensor whose data are in typed fields.
std::vector<char> typedBytes(const onnx::TensorProto &tensor, int64_t width) {
  std::vector<char> bytes;
  auto add = [&](auto value) {
    const char *raw = reinterpret_cast<const char *>(&value);
    bytes.insert(bytes.end(), raw, raw + width); // little-endian: the low bytes come first
  };
  for (float value : tensor.float_data())
    add(value);
  for (double value : tensor.double_data())
    add(value);
  for (int64_t value : tensor.int64_data())
    add(value);
  for (uint64_t value : tensor.uint64_data()) // also of 32 bits
    add(value);
  for (int32_t value : tensor.int32_data()) // also bool, 8 and 16 bits, half floats as their bits
    add(value);
  return bytes;
}

int64_t readInteger(const char *at, Type element) {
  namespace endian = llvm::support::endian;
  bool isUnsigned = element.isUnsignedInteger() || element.isInteger(1);
  switch (element.getIntOrFloatBitWidth()) {
  case 64:
    return endian::read<int64_t, llvm::endianness::little>(at);
  case 32:
    return isUnsigned ? endian::read<uint32_t, llvm::endianness::little>(at)
                      : int64_t(endian::read<int32_t, llvm::endianness::little>(at));
  case 16:
    return isUnsigned ? endian::read<uint16_t, llvm::endianness::little>(at)
                      : int64_t(endian::read<int16_t, llvm::endianness::little>(at));
  default:
    return isUnsigned ? static_cast<int64_t>(static_cast<uint8_t>(*at))
                      : static_cast<int64_t>(static_cast<int8_t>(*at));
  }
}

double readFloat(const char *at, FloatType element) {
  unsigned width = element.getWidth();
  uint64_t bits = 0;
  memcpy(&bits, at, width / 8);
  llvm::APFloat value(element.getFloatSemantics(), llvm::APInt(width, bits));
  bool losesInfo;
  value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return value.convertToDouble();
}

/// Integers of 4 bits, two a byte from the low bits on, as bytes with their sign or zeros above.
std::vector<char> expandFourBits(ArrayRef<char> packed, int64_t count, bool isUnsigned) {
  std::vector<char> bytes(count);
  for (int64_t i = 0; i < count; ++i) {
    int nibble = uint8_t(packed[i / 2]) >> (i % 2 * 4) & 15;
    bytes[i] = char(isUnsigned || nibble < 8 ? nibble : nibble - 16);
  }
  return bytes;
}

/// Integers of any number that count up evenly along the one axis that is not of size one: tables of positions.
std::optional<Contents> readProgression(ArrayRef<char> bytes, Type element, ArrayRef<DimExpr> dims) {
  constexpr int64_t maxLength = 1 << 20;
  int64_t width = elementBytes(element), count = bytes.size() / width;
  size_t axis = llvm::find_if(dims, [](const DimExpr &dim) { return !dim.isConstant(1); }) - dims.begin();
  if (count < 2 || count > maxLength || axis == dims.size() || !dims[axis].isConstant(count))
    return std::nullopt;
  int64_t base = readInteger(bytes.data(), element), second = readInteger(bytes.data() + width, element), step,
          expected;
  if (llvm::SubOverflow(second, base, step))
    return std::nullopt;
  for (int64_t i = 0; i < count; ++i)
    if (llvm::MulOverflow(step, i, expected) || llvm::AddOverflow(expected, base, expected) ||
        readInteger(bytes.data() + i * width, element) != expected)
      return std::nullopt;
  Affine affine{DimExpr(base), model::Dims(dims.size(), DimExpr(0))};
  affine.steps[axis] = DimExpr(step);
  return Contents::ofAffine(std::move(affine), dims);
}
} // namespace

std::optional<std::vector<int64_t>> tamis::constantIntegers(const OnnxValue &value) {
  if (value.isFloat())
    return std::nullopt;
  if (auto numbers = value.contents ? value.contents->numbers() : std::nullopt)
    return std::vector<int64_t>(numbers->begin(), numbers->end());
  int64_t width = elementBytes(value.element), count = 1;
  for (const DimExpr &dim : value.dims)
    count *= dim.constant().value_or(-1);
  if (count < 1 || int64_t(value.bytes.size()) != count * width)
    return std::nullopt;
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(readInteger(value.bytes.data() + i * width, value.element));
  return numbers;
}

std::optional<std::vector<double>> tamis::constantFloats(const OnnxValue &value) {
  constexpr int64_t most = 1 << 20; // of one number for all
  int64_t count = 1;
  for (const DimExpr &dim : value.dims)
    if (llvm::MulOverflow(count, dim.constant().value_or(-1), count) || count < 0)
      return std::nullopt;
  auto type = dyn_cast<FloatType>(value.element);
  if (type && value.number && count <= most)
    return std::vector<double>(count, *value.number);
  int64_t width = elementBytes(value.element);
  if (!type || int64_t(value.bytes.size()) != count * width)
    return std::nullopt;
  std::vector<double> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(readFloat(value.bytes.data() + i * width, type));
  return numbers;
}

FailureOr<OnnxValue> OnnxGraph::readTensor(const onnx::TensorProto &tensor, StringRef key, std::string &problem) {
  auto bad = [&](const Twine &what) {
    problem = ("tensor '" + key + "' " + what).str();
    return failure();
  };
  OnnxValue value;
  value.element = onnxElementType(tensor.data_type(), context);
  if (!value.element)
    return bad(unsupportedElement(tensor.data_type()));
  int64_t width = elementBytes(value.element), needed = width;
  if (tensor.dims_size() > 64)
    return bad("has " + Twine(tensor.dims_size()) + " axes");
  for (int64_t dim : tensor.dims()) {
    if (dim < 0 || llvm::MulOverflow(needed, dim, needed))
      return bad("has a shape that is negative or too large");
    value.dims.push_back(DimExpr(dim));
  }
  if (const ArrayRef<char> *payload = payloadOf(tensor, file.payloads)) {
    value.bytes = *payload;
  } else if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
    return bad("refers to external data from inside of another graph");
  } else {
    std::vector<char> typed;
    ArrayRef<char> bytes(tensor.raw_data().data(), tensor.raw_data().size());
    if (!tensor.has_raw_data()) {
      typed = typedBytes(tensor, width);
      bytes = typed;
    }
    // The message goes when the import ends; weights stay.
    value.bytes = weights.keep(bytes);
  }
  if (value.element.isInteger(4)) {
    if (static_cast<int64_t>(value.bytes.size()) != (needed + 1) / 2)
      return bad("holds " + Twine(value.bytes.size()) + " bytes but its shape and type need " +
                 Twine((needed + 1) / 2));
    value.bytes = weights.keep(expandFourBits(value.bytes, needed, value.element.isUnsignedInteger()));
  }
  if (static_cast<int64_t>(value.bytes.size()) != needed)
    return bad("holds " + Twine(value.bytes.size()) + " bytes but its shape and type need " + Twine(needed));

  int64_t count = needed / width;
  const char *at = value.bytes.data();
  if (auto type = dyn_cast<FloatType>(value.element)) {
    if (count == 1)
      value.number = readFloat(at, type);
    else if (count > 0)
      value.weight = key.str();
    return value;
  }
  if (value.isBool() && llvm::any_of(value.bytes, [](char byte) { return byte != 0 && byte != 1; }))
    return bad("holds a bool that is neither 0 nor 1");
  if (count <= Contents::maxListed) {
    model::Dims elements;
    for (int64_t i = 0; i < count; ++i)
      elements.push_back(DimExpr(readInteger(at + i * width, value.element)));
    value.contents = Contents::ofList(std::move(elements), value.dims);
  } else {
    value.contents = readProgression(value.bytes, value.element, value.dims);
  }
  if (!value.contents)
    value.weight = key.str();
  return value;
}
