// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The safetensors format: tensors of a file, mapped.
#include "lib/support/Weights.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include <algorithm>

// No exceptions here: a syntax error gives a discarded value.
#define JSON_NOEXCEPTION
#include <nlohmann/json.hpp>

using namespace tamis;
using Json = nlohmann::json;

namespace {
/// The format's own limit; a longer header is an attack or a foreign file.
constexpr uint64_t maxHeaderBytes = 100'000'000;
/// Deeper JSON is not the format's and would exhaust the parser's and the destructor's stack.
constexpr int maxHeaderDepth = 16;
constexpr size_t maxRank = 64;

mlir::Type elementType(llvm::StringRef name, mlir::MLIRContext *context) {
  mlir::Builder builder(context);
  return llvm::StringSwitch<mlir::Type>(name)
      .Case("F64", builder.getF64Type())
      .Case("F32", builder.getF32Type())
      .Case("F16", builder.getF16Type())
      .Case("BF16", builder.getBF16Type())
      .Case("F8_E4M3", mlir::Float8E4M3FNType::get(context))
      .Case("F8_E5M2", mlir::Float8E5M2Type::get(context))
      .Case("I64", builder.getI64Type())
      .Case("I32", builder.getI32Type())
      .Case("I16", builder.getIntegerType(16))
      .Case("I8", builder.getI8Type())
      .Case("U8", builder.getIntegerType(8, /*isSigned=*/false))
      .Case("BOOL", builder.getI1Type())
      .Default({});
}

/// Nothing unless `json` is a whole number from 0 to 2^63 - 1.
std::optional<int64_t> wholeNumber(const Json &json) {
  if (!json.is_number_unsigned() || json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
    return std::nullopt;
  return static_cast<int64_t>(json.get<uint64_t>());
}

/// Reads one file; every message names it.
class Reader {
public:
  Reader(WeightStore &store, llvm::StringRef path, mlir::MLIRContext *context)
      : store(store), path(path), context(context) {}

  llvm::Error read() {
    auto mapped = store.mapFile(path);
    if (!mapped)
      return mapped.takeError();
    llvm::ArrayRef<char> file = *mapped;
    if (file.size() < 8)
      return error("has " + llvm::Twine(file.size()) + " bytes but starts with a length of 8");
    uint64_t headerBytes = llvm::support::endian::read64le(file.data());
    if (headerBytes > maxHeaderBytes)
      return error("has a header of " + llvm::Twine(headerBytes) + " bytes but at most " + llvm::Twine(maxHeaderBytes) +
                   " are allowed");
    if (headerBytes > file.size() - 8)
      return error("has a header of " + llvm::Twine(headerBytes) + " bytes but ends after " +
                   llvm::Twine(file.size() - 8));
    llvm::ArrayRef<char> text = file.slice(8, headerBytes);
    data = file.drop_front(8 + headerBytes);
    return readHeader(text);
  }

private:
  llvm::Error error(const llvm::Twine &what) { return llvm::createStringError("'" + path + "' " + what); }

  llvm::Error readHeader(llvm::ArrayRef<char> text) {
    bool duplicate = false, deep = false;
    std::vector<llvm::StringSet<>> keys; // of the objects that are open
    auto watch = [&](int depth, Json::parse_event_t event, Json &parsed) {
      deep |= depth > maxHeaderDepth;
      if (event == Json::parse_event_t::object_start)
        keys.emplace_back();
      else if (event == Json::parse_event_t::object_end && !keys.empty())
        keys.pop_back();
      else if (event == Json::parse_event_t::key && !keys.empty())
        duplicate |= !keys.back().insert(parsed.get_ref<const std::string &>()).second;
      return !deep;
    };
    Json header = Json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
    if (deep)
      return error("has a header that is nested too deeply");
    if (header.is_discarded() || !header.is_object())
      return error("has a header that is no JSON object");
    if (duplicate)
      return error("has a header with a key that comes twice");

    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (const auto &[name, tensor] : header.items())
      if (name != "__metadata__")
        if (llvm::Error failed = readTensor(name, tensor, ranges))
          return failed;
    return checkRanges(ranges);
  }

  llvm::Error readTensor(const std::string &name, const Json &tensor,
                         std::vector<std::pair<uint64_t, uint64_t>> &ranges) {
    auto bad = [&](const llvm::Twine &what) { return error("has a tensor '" + name + "' " + what); };
    if (!tensor.is_object())
      return bad("that is no JSON object");
    auto dtype = tensor.find("dtype"), shape = tensor.find("shape"), offsets = tensor.find("data_offsets");
    if (dtype == tensor.end() || !dtype->is_string())
      return bad("without a dtype");
    mlir::Type element = elementType(dtype->get_ref<const std::string &>(), context);
    if (!element)
      return bad("of the unknown type '" + dtype->get_ref<const std::string &>() + "'");
    if (shape == tensor.end() || !shape->is_array() || shape->size() > maxRank)
      return bad("without a shape of at most " + llvm::Twine(maxRank) + " sizes");
    llvm::SmallVector<int64_t> dims;
    int64_t bytes = elementBytes(element);
    for (const Json &size : *shape) {
      auto number = wholeNumber(size);
      if (!number)
        return bad("whose shape holds a size that is no whole number");
      dims.push_back(*number);
    }
    // A zero makes the tensor empty whatever the other sizes are, so the product is taken only without one.
    for (int64_t dim : dims)
      if (llvm::is_contained(dims, 0) ? (bytes = 0, false) : llvm::MulOverflow(bytes, dim, bytes))
        return bad("whose shape overflows 64 bits");
    if (offsets == tensor.end() || !offsets->is_array() || offsets->size() != 2)
      return bad("without two data_offsets");
    auto begin = wholeNumber((*offsets)[0]), end = wholeNumber((*offsets)[1]);
    if (!begin || !end || *begin > *end || static_cast<uint64_t>(*end) > data.size())
      return bad("whose data_offsets lie outside of the " + llvm::Twine(data.size()) + " bytes of data");
    if (*end - *begin != bytes)
      return bad("of " + llvm::Twine(*end - *begin) + " bytes but its shape and type need " + llvm::Twine(bytes));
    if (bytes)
      ranges.emplace_back(*begin, *end);
    return store.add(name, mlir::RankedTensorType::get(dims, element), data.slice(*begin, bytes));
  }

  /// The format wants every byte to belong to exactly one tensor.
  llvm::Error checkRanges(std::vector<std::pair<uint64_t, uint64_t>> &ranges) {
    std::sort(ranges.begin(), ranges.end());
    uint64_t reached = 0;
    for (auto [begin, end] : ranges) {
      if (begin < reached)
        return error("has tensors that overlap at byte " + llvm::Twine(begin) + " of the data");
      if (begin > reached)
        return error("has a hole from byte " + llvm::Twine(reached) + " to " + llvm::Twine(begin) + " of the data");
      reached = end;
    }
    if (reached != data.size())
      return error("has " + llvm::Twine(data.size()) + " bytes of data but tensors end at " + llvm::Twine(reached));
    return llvm::Error::success();
  }

  WeightStore &store;
  llvm::StringRef path;
  mlir::MLIRContext *context;
  llvm::ArrayRef<char> data;
};
} // namespace

llvm::Error tamis::addSafetensors(WeightStore &store, llvm::StringRef path, mlir::MLIRContext *context) {
  return Reader(store, path, context).read();
}
