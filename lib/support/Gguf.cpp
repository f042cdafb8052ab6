// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The GGUF format: header, keys with values, descriptions of tensors.
#include "lib/support/Gguf.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace tamis;
using llvm::StringRef;
using llvm::Twine;

namespace {
enum ValueType : uint32_t { U8, I8, U16, I16, U32, I32, F32, Bool, Text, Array, U64, I64, F64 };

/// Bytes of a value of fixed size; 0 of others, and of types that do not exist.
uint64_t bytesOf(uint32_t type) {
  constexpr uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < std::size(bytes) ? bytes[type] : 0;
}

std::optional<int64_t> integerAt(uint32_t type, const char *at) {
  using namespace llvm::support::endian;
  switch (type) {
  case U8:
    return uint8_t(*at);
  case I8:
    return int8_t(*at);
  case U16:
    return read16le(at);
  case I16:
    return int16_t(read16le(at));
  case U32:
    return read32le(at);
  case I32:
    return int32_t(read32le(at));
  case U64:
  case I64: // numbers beyond 63 bits are no sizes and no ids
    return int64_t(read64le(at));
  default:
    return std::nullopt;
  }
}

std::optional<double> numberAt(uint32_t type, const char *at) {
  if (type == F32)
    return llvm::bit_cast<float>(llvm::support::endian::read32le(at));
  if (type == F64)
    return llvm::bit_cast<double>(llvm::support::endian::read64le(at));
  if (auto integer = integerAt(type, at))
    return double(*integer);
  return std::nullopt;
}

template <typename T, typename At>
std::optional<std::vector<T>> listOf(uint32_t type, uint64_t count, const char *bytes, At at) {
  std::vector<T> list;
  list.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    auto element = at(type, bytes + i * bytesOf(type));
    if (!element)
      return std::nullopt;
    list.push_back(*element);
  }
  return list;
}
} // namespace

namespace tamis {
/// Reads one file from its start to the end of its header.
class GgufReader {
public:
  explicit GgufReader(llvm::ArrayRef<char> file) : file(file) {}

  llvm::Expected<GgufFile> read() {
    uint64_t tensors, keys;
    if (file.size() < 4 || StringRef(file.data(), 4) != "GGUF")
      return error("does not start with 'GGUF'");
    at = 4;
    uint32_t version;
    if (!take(version))
      return cut();
    if (version != 2 && version != 3)
      return error("is GGUF of version " + Twine(version) + " but 2 and 3 are supported" +
                   (version == 0x03000000 ? ": it is big-endian" : ""));
    if (!take(tensors) || !take(keys))
      return cut();
    for (uint64_t i = 0; i < keys; ++i)
      if (llvm::Error failed = readValue())
        return std::move(failed);
    uint64_t alignment = 32;
    if (result.has("general.alignment")) {
      alignment = uint64_t(result.integer("general.alignment").value_or(0));
      if (!llvm::isPowerOf2_64(alignment) || alignment > (1 << 20))
        return error("has a general.alignment that is no power of two up to 2^20");
    }
    std::vector<uint64_t> offsets;
    for (uint64_t i = 0; i < tensors; ++i)
      if (llvm::Error failed = readTensor(offsets))
        return std::move(failed);
    if (llvm::Error failed = placeTensors(offsets, llvm::alignTo(at, alignment), alignment))
      return std::move(failed);
    return std::move(result);
  }

private:
  llvm::Error error(const Twine &what) { return llvm::createStringError(what); }
  llvm::Error cut() { return error("is cut short: it ends within its header, at byte " + Twine(file.size())); }

  template <typename T> bool take(T &number) {
    if (file.size() - at < sizeof(T))
      return false;
    number = llvm::support::endian::read<T, llvm::endianness::little>(file.data() + at);
    at += sizeof(T);
    return true;
  }

  bool take(StringRef &text) {
    uint64_t size;
    if (!take(size) || size > file.size() - at)
      return false;
    text = StringRef(file.data() + at, size);
    at += size;
    return true;
  }

  llvm::Error readValue() {
    StringRef key;
    GgufFile::Value value{0, false, 1, {}};
    if (!take(key) || !take(value.type))
      return cut();
    if (value.type == Array) {
      value.isArray = true;
      if (!take(value.type) || !take(value.count))
        return cut();
    }
    size_t begin = at;
    if (value.type == Text) {
      StringRef text;
      for (uint64_t i = 0; i < value.count; ++i)
        if (!take(text))
          return cut();
    } else if (uint64_t bytes = bytesOf(value.type)) {
      if (value.count > (file.size() - at) / bytes)
        return cut();
      at += value.count * bytes;
    } else {
      return error("has a key '" + key + "' of the unknown type " + Twine(value.type));
    }
    value.bytes = file.slice(begin, at - begin);
    if (!result.values.try_emplace(key, value).second)
      return error("has the key '" + key + "' twice");
    return llvm::Error::success();
  }

  llvm::Error readTensor(std::vector<uint64_t> &offsets) {
    constexpr uint32_t maxRank = 4;
    GgufFile::Tensor tensor;
    uint32_t rank, type;
    uint64_t offset, size;
    if (!take(tensor.name) || !take(rank))
      return cut();
    auto bad = [&](const Twine &what) { return error("has a tensor '" + tensor.name + "' " + what); };
    if (rank > maxRank)
      return bad("of " + Twine(rank) + " axes but at most 4 are allowed");
    for (uint32_t i = 0; i < rank; ++i) {
      if (!take(size))
        return cut();
      if (size > uint64_t(INT64_MAX))
        return bad("with a size that overflows");
      tensor.dims.insert(tensor.dims.begin(), int64_t(size));
    }
    if (!take(type) || !take(offset))
      return cut();
    auto block = ggufBlock(type);
    if (!block)
      return bad("of packing " + Twine(type) + ", which is not supported");
    tensor.type = GgufType(type);
    int64_t row = tensor.dims.empty() ? 1 : tensor.dims.back();
    if (row % block->elements)
      return bad("of rows of " + Twine(row) + " elements, which are no whole " + block->name + " blocks of " +
                 Twine(block->elements));
    int64_t bytes = block->bytes;
    for (size_t i = 0; i < tensor.dims.size(); ++i)
      if (llvm::MulOverflow(bytes, i + 1 == tensor.dims.size() ? row / block->elements : tensor.dims[i], bytes))
        return bad("whose shape overflows 64 bits");
    if (!names.insert(tensor.name).second)
      return error("has the tensor '" + tensor.name + "' twice");
    // Where its bytes lie is only known at the end of the header.
    tensor.bytes = llvm::ArrayRef<char>(file.data(), size_t(bytes));
    offsets.push_back(offset);
    result.list.push_back(std::move(tensor));
    return llvm::Error::success();
  }

  llvm::Error placeTensors(llvm::ArrayRef<uint64_t> offsets, uint64_t start, uint64_t alignment) {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (auto [tensor, offset] : llvm::zip(result.list, offsets)) {
      uint64_t bytes = tensor.bytes.size();
      if (offset % alignment)
        return error("has a tensor '" + tensor.name + "' at byte " + Twine(offset) +
                     " of the data, which is not aligned to " + Twine(alignment));
      if (start > file.size() || offset > file.size() - start || bytes > file.size() - start - offset)
        return error("is cut short: tensor '" + tensor.name + "' of " + Twine(bytes) + " bytes lies outside of the " +
                     Twine(file.size()) + " bytes of the file");
      tensor.bytes = file.slice(start + offset, bytes);
      if (bytes)
        ranges.emplace_back(offset, offset + bytes);
    }
    std::sort(ranges.begin(), ranges.end());
    for (size_t i = 1; i < ranges.size(); ++i)
      if (ranges[i].first < ranges[i - 1].second)
        return error("has tensors that overlap at byte " + Twine(ranges[i].first) + " of the data");
    return llvm::Error::success();
  }

  llvm::ArrayRef<char> file;
  size_t at = 0;
  llvm::StringSet<> names;
  GgufFile result;
};
} // namespace tamis

llvm::Expected<GgufFile> GgufFile::read(llvm::ArrayRef<char> file) {
  return GgufReader(file).read();
}

const GgufFile::Value *GgufFile::find(StringRef key, bool isArray) const {
  auto it = values.find(key);
  return it == values.end() || it->second.isArray != isArray ? nullptr : &it->second;
}

std::optional<int64_t> GgufFile::integer(StringRef key) const {
  const Value *value = find(key, false);
  return value ? integerAt(value->type, value->bytes.data()) : std::nullopt;
}

std::optional<double> GgufFile::number(StringRef key) const {
  const Value *value = find(key, false);
  return value ? numberAt(value->type, value->bytes.data()) : std::nullopt;
}

std::optional<bool> GgufFile::boolean(StringRef key) const {
  const Value *value = find(key, false);
  return value && value->type == Bool ? std::optional<bool>(value->bytes[0] != 0) : std::nullopt;
}

std::optional<StringRef> GgufFile::text(StringRef key) const {
  const Value *value = find(key, false);
  if (!value || value->type != Text)
    return std::nullopt;
  return StringRef(value->bytes.data(), value->bytes.size()).drop_front(8);
}

std::optional<std::vector<StringRef>> GgufFile::texts(StringRef key) const {
  const Value *value = find(key, true);
  if (!value || value->type != Text)
    return std::nullopt;
  std::vector<StringRef> list;
  for (StringRef rest(value->bytes.data(), value->bytes.size()); !rest.empty();) {
    uint64_t size = llvm::support::endian::read64le(rest.data());
    list.push_back(rest.substr(8, size));
    rest = rest.drop_front(8 + size);
  }
  return list;
}

std::optional<std::vector<int64_t>> GgufFile::integers(StringRef key) const {
  const Value *value = find(key, true);
  if (!value)
    return std::nullopt;
  return listOf<int64_t>(value->type, value->count, value->bytes.data(), integerAt);
}

std::optional<std::vector<double>> GgufFile::numbers(StringRef key) const {
  const Value *value = find(key, true);
  if (!value)
    return std::nullopt;
  return listOf<double>(value->type, value->count, value->bytes.data(), numberAt);
}
