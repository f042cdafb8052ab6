// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parsing and printing of tensors.

#include "runtime/npy/TensorText.h"
#include "runtime/npy/HalfFloat.h"
#include "runtime/plan/ShapeProgram.h"
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

namespace tamis::npy {

static bool isFloat(tamis_element_type type) {
  return type == TAMIS_F32 || type == TAMIS_F64 || type == TAMIS_F16 || type == TAMIS_BF16;
}

template <typename T> static void put(Array &array, size_t index, T value) {
  memcpy(&array.bytes[index * sizeof value], &value, sizeof value);
}

template <typename T> static T get(const Tensor &tensor, int64_t index) {
  T value;
  memcpy(&value, static_cast<const char *>(tensor.data()) + size_t(index) * sizeof value, sizeof value);
  return value;
}

static void putFloat(Array &array, size_t index, double value) {
  switch (array.type) {
  case TAMIS_F64:
    return put(array, index, value);
  case TAMIS_F16:
    return put(array, index, toF16(float(value)));
  case TAMIS_BF16:
    return put(array, index, toBf16(float(value)));
  default:
    return put(array, index, float(value));
  }
}

/// The range of an integer type or bool.
static std::pair<int64_t, int64_t> rangeOf(tamis_element_type type) {
  switch (type) {
  case TAMIS_I8:
    return {INT8_MIN, INT8_MAX};
  case TAMIS_I16:
    return {INT16_MIN, INT16_MAX};
  case TAMIS_I32:
    return {INT32_MIN, INT32_MAX};
  case TAMIS_U8:
    return {0, UINT8_MAX};
  case TAMIS_U16:
    return {0, UINT16_MAX};
  case TAMIS_U32:
    return {0, UINT32_MAX};
  case TAMIS_U64:
    return {0, INT64_MAX}; // larger ones come from files
  case TAMIS_BOOL:
    return {0, 1};
  default:
    return {INT64_MIN, INT64_MAX};
  }
}

/// `value` is in the type's range.
static void putInteger(Array &array, size_t index, int64_t value) {
  switch (tamis_element_size(array.type)) {
  case 1:
    return put(array, index, int8_t(value));
  case 2:
    return put(array, index, int16_t(value));
  case 4:
    return put(array, index, int32_t(value));
  default:
    return put(array, index, value);
  }
}

static Error refuse(const std::string &why) {
  return Error(TAMIS_INVALID_ARGUMENT, why);
}

/// An array of zeros; refused when its bytes are more than a command line can mean.
static Result<Array> makeArray(tamis_element_type type, std::vector<int64_t> dims) {
  constexpr int64_t most = int64_t(1) << 36;
  int64_t bytes;
  if (!runtime::tensorBytes(dims.data(), int32_t(dims.size()), tamis_element_size(type), bytes) || bytes > most)
    return refuse("a tensor " + shapeText(type, dims) + " is too large");
  Array array;
  array.type = type;
  array.dims = std::move(dims);
  array.bytes.resize(size_t(bytes));
  return array;
}

Result<Array> makeRandom(const RandomFill &fill, tamis_element_type type, std::vector<int64_t> dims) {
  Result<Array> array = makeArray(type, std::move(dims));
  if (!array)
    return array;
  // The engine's sequence is fixed by the standard; distributions are not, so the mapping is spelt out.
  std::mt19937_64 engine(fill.seed);
  size_t count = array->bytes.size() / tamis_element_size(type);
  if (isFloat(type)) {
    double low = fill.low.value_or(-1), high = fill.high.value_or(1);
    for (size_t i = 0; i < count; ++i)
      putFloat(*array, i, low + (high - low) * (double(engine() >> 11) * 0x1p-53));
    return array;
  }
  auto [least, greatest] = rangeOf(type);
  double low = fill.low.value_or(0), high = fill.high.value_or(2);
  if (!(low >= double(least)) || !(high <= double(greatest) + 1) || !(low < high) || !(high - low < 0x1p62))
    return refuse(std::string("random: the range is empty or leaves ") + tamis_element_name(type));
  auto first = int64_t(low);
  auto span = uint64_t(int64_t(high - low));
  for (size_t i = 0; i < count; ++i)
    putInteger(*array, i, first + int64_t(engine() % (span ? span : 1)));
  return array;
}

static std::vector<std::string> split(const std::string &text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t end; (end = text.find(separator, start)) != std::string::npos; start = end + 1)
    parts.push_back(text.substr(start, end - start));
  parts.push_back(text.substr(start));
  return parts;
}

static bool parseInteger(const std::string &text, int64_t &value) {
  char *end;
  errno = 0;
  value = strtoll(text.c_str(), &end, 10);
  return !text.empty() && !*end && !errno && text[0] != ' ';
}

static bool parseDouble(const std::string &text, double &value) {
  char *end;
  value = strtod(text.c_str(), &end);
  return !text.empty() && !*end && text[0] != ' ';
}

static bool isRandom(const std::string &text) {
  return text.substr(0, 6) == "random";
}

/// "random", "random(SEED)" or "random(SEED,LOW,HIGH)".
static Result<RandomFill> parseRandom(const std::string &text) {
  RandomFill fill;
  if (text == "random")
    return fill;
  auto wrong = [&] { return refuse("'" + text + "' is no random(SEED) or random(SEED,LOW,HIGH)"); };
  if (text.size() < 8 || text[6] != '(' || text.back() != ')')
    return wrong();
  std::vector<std::string> parts = split(text.substr(7, text.size() - 8), ',');
  int64_t seed;
  double low, high;
  if (!parseInteger(parts[0], seed) || seed < 0 || (parts.size() != 1 && parts.size() != 3))
    return wrong();
  fill.seed = uint64_t(seed);
  if (parts.size() == 1)
    return fill;
  if (!parseDouble(parts[1], low) || !parseDouble(parts[2], high) || !(low < high))
    return wrong();
  fill.low = low, fill.high = high;
  return fill;
}

static Result<tamis_element_type> parseElement(const std::string &text) {
  for (int type = TAMIS_F32; type <= TAMIS_U64; ++type)
    if (text == tamis_element_name(tamis_element_type(type)))
      return tamis_element_type(type);
  return refuse("'" + text +
                "' is no element type; known are f32, f64, f16, bf16, i8, i16, i32, i64, u8, u16, u32, u64, bool");
}

static Result<void> parseValue(Array &array, size_t index, const std::string &text) {
  double number;
  int64_t integer;
  if (isFloat(array.type)) {
    if (!parseDouble(text, number))
      return refuse("'" + text + "' is no number");
    putFloat(array, index, number);
    return {};
  }
  auto [least, greatest] = rangeOf(array.type);
  bool known = parseInteger(text, integer);
  if (array.type == TAMIS_BOOL && (text == "true" || text == "false"))
    known = true, integer = text == "true";
  if (!known || integer < least || integer > greatest)
    return refuse("'" + text + "' is no " + tamis_element_name(array.type));
  putInteger(array, index, integer);
  return {};
}

/// "2x3xf32=...".
static Result<Array> parseLiteral(const std::string &text) {
  size_t equals = text.find('=');
  if (equals == std::string::npos)
    return refuse("'" + text + "' is no @FILE, random(SEED) or SHAPExTYPE=VALUES");
  std::vector<std::string> parts = split(text.substr(0, equals), 'x');
  Result<tamis_element_type> type = parseElement(parts.back());
  if (!type)
    return type.error();
  std::vector<int64_t> dims(parts.size() - 1);
  for (size_t i = 0; i < dims.size(); ++i)
    if (!parseInteger(parts[i], dims[i]) || dims[i] < 0)
      return refuse("'" + parts[i] + "' is no dimension");
  std::string values = text.substr(equals + 1);
  if (isRandom(values)) {
    Result<RandomFill> fill = parseRandom(values);
    return fill ? makeRandom(*fill, *type, std::move(dims)) : Result<Array>(fill.error());
  }
  Result<Array> array = makeArray(*type, std::move(dims));
  if (!array)
    return array;
  std::vector<std::string> items = values.empty() ? std::vector<std::string>() : split(values, ',');
  size_t size = tamis_element_size(*type), count = array->bytes.size() / size;
  if (items.size() != count && items.size() != 1)
    return refuse("a tensor " + shapeText(*type, array->dims) + " has " + std::to_string(count) + " values, " +
                  std::to_string(items.size()) + " are given");
  for (size_t i = 0; i < items.size() && count; ++i)
    if (Result<void> parsed = parseValue(*array, i, items[i]); !parsed)
      return parsed.error();
  for (size_t i = items.size(); i < count; ++i)
    memcpy(&array->bytes[i * size], array->bytes.data(), size);
  return array;
}

Result<InputText> parseInput(const std::string &text) {
  size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return refuse("'" + text + "' is no NAME=VALUE");
  InputText input;
  input.name = text.substr(0, equals);
  std::string value = text.substr(equals + 1);
  auto wrong = [&](const Error &error) { return refuse("input '" + input.name + "': " + error.message()); };
  if (value[0] == '@') {
    input.file = value.substr(1);
    return input;
  }
  if (isRandom(value)) {
    Result<RandomFill> fill = parseRandom(value);
    if (!fill)
      return wrong(fill.error());
    input.random = *fill;
    return input;
  }
  Result<Array> literal = parseLiteral(value);
  if (!literal)
    return wrong(literal.error());
  input.literal = std::move(*literal);
  return input;
}

std::string elementText(const Tensor &tensor, int64_t index) {
  char text[64];
  switch (tensor.elementType()) {
  case TAMIS_F32:
    snprintf(text, sizeof text, "%.9g", double(get<float>(tensor, index)));
    break;
  case TAMIS_F64:
    snprintf(text, sizeof text, "%.17g", get<double>(tensor, index));
    break;
  case TAMIS_F16:
    snprintf(text, sizeof text, "%.5g", double(fromF16(get<uint16_t>(tensor, index))));
    break;
  case TAMIS_BF16:
    snprintf(text, sizeof text, "%.4g", double(fromBf16(get<uint16_t>(tensor, index))));
    break;
  case TAMIS_I8:
    return std::to_string(get<int8_t>(tensor, index));
  case TAMIS_I16:
    return std::to_string(get<int16_t>(tensor, index));
  case TAMIS_I32:
    return std::to_string(get<int32_t>(tensor, index));
  case TAMIS_I64:
    return std::to_string(get<int64_t>(tensor, index));
  case TAMIS_U8:
    return std::to_string(get<uint8_t>(tensor, index));
  case TAMIS_U16:
    return std::to_string(get<uint16_t>(tensor, index));
  case TAMIS_U32:
    return std::to_string(get<uint32_t>(tensor, index));
  case TAMIS_U64:
    return std::to_string(get<uint64_t>(tensor, index));
  case TAMIS_BOOL:
    return get<uint8_t>(tensor, index) ? "true" : "false";
  }
  return text;
}

double elementNumber(const Tensor &tensor, int64_t index) {
  switch (tensor.elementType()) {
  case TAMIS_F32:
    return get<float>(tensor, index);
  case TAMIS_F64:
    return get<double>(tensor, index);
  case TAMIS_F16:
    return fromF16(get<uint16_t>(tensor, index));
  case TAMIS_BF16:
    return fromBf16(get<uint16_t>(tensor, index));
  case TAMIS_I8:
    return get<int8_t>(tensor, index);
  case TAMIS_I16:
    return get<int16_t>(tensor, index);
  case TAMIS_I32:
    return get<int32_t>(tensor, index);
  case TAMIS_I64:
    return double(get<int64_t>(tensor, index));
  case TAMIS_U8:
  case TAMIS_BOOL:
    return get<uint8_t>(tensor, index);
  case TAMIS_U16:
    return get<uint16_t>(tensor, index);
  case TAMIS_U32:
    return get<uint32_t>(tensor, index);
  case TAMIS_U64:
    return double(get<uint64_t>(tensor, index));
  }
  return 0;
}

std::string shapeText(tamis_element_type type, const std::vector<int64_t> &dims) {
  std::string text = std::string(tamis_element_name(type)) + " [";
  for (size_t i = 0; i < dims.size(); ++i) {
    text += i ? ", " : "";
    text += std::to_string(dims[i]);
  }
  return text + "]";
}

std::string summaryText(const Tensor &tensor) {
  constexpr int64_t most = 8;
  std::string text = shapeText(tensor.elementType(), tensor.dims()) + " =";
  for (int64_t i = 0; i < tensor.size() && i < most; ++i)
    text += " " + elementText(tensor, i);
  return tensor.size() > most ? text + " ..." : text;
}

} // namespace tamis::npy
