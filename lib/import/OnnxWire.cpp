// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The serialized form of an ONNX model: finds big tensors without parsing them.
#include "lib/import/OnnxFile.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace tamis;
using llvm::ArrayRef;
using llvm::StringRef;

namespace {
/// Tensors from this many bytes on stay in the file.
constexpr size_t payloadBytes = 1024;

/// Reads fields of a protobuf message. Source: the protocol buffers encoding page.
class WireReader {
public:
  enum Type { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  struct Field {
    uint64_t number;
    Type type;
    uint64_t value = 0;     ///< of a varint
    ArrayRef<char> content; ///< of bytes
    ArrayRef<char> whole;   ///< tag, length and content
  };

  explicit WireReader(ArrayRef<char> message) : rest(message) {}
  bool done() const { return rest.empty(); }

  /// Nothing when the message is malformed, or holds a group, which ONNX does not.
  std::optional<Field> next() {
    const char *start = rest.data();
    auto tag = readVarint();
    if (!tag || *tag >> 3 == 0)
      return std::nullopt;
    Field field{*tag >> 3, static_cast<Type>(*tag & 7), 0, {}, {}};
    size_t size = 0;
    switch (field.type) {
    case varint: {
      auto value = readVarint();
      if (!value)
        return std::nullopt;
      field.value = *value;
      break;
    }
    case bytes: {
      auto length = readVarint();
      if (!length || *length > rest.size())
        return std::nullopt;
      field.content = rest.take_front(*length);
      size = *length;
      break;
    }
    case fixed64:
      size = 8;
      break;
    case fixed32:
      size = 4;
      break;
    default:
      return std::nullopt;
    }
    if (size > rest.size())
      return std::nullopt;
    rest = rest.drop_front(size);
    field.whole = ArrayRef<char>(start, rest.data());
    return field;
  }

private:
  std::optional<uint64_t> readVarint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
      uint8_t byte = rest.front();
      rest = rest.drop_front();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return value;
    }
    return std::nullopt;
  }

  ArrayRef<char> rest;
};

void append(std::string &out, ArrayRef<char> bytes) {
  out.append(bytes.data(), bytes.size());
}

void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// Copies a message and turns the tensors on the way into references.
class Stripper {
public:
  Stripper(StringRef folder, WeightStore &weights, Payloads &payloads)
      : folder(folder), weights(weights), payloads(payloads) {}

  enum class Message { model, graph, node, attribute, tensor };

  llvm::Error strip(Message kind, ArrayRef<char> message, std::string &out) {
    if (kind == Message::tensor)
      return stripTensor(message, out);
    WireReader reader(message);
    while (!reader.done()) {
      auto field = reader.next();
      if (!field)
        return malformed();
      auto inner = messageIn(kind, *field);
      if (!inner) {
        append(out, field->whole);
        continue;
      }
      std::string stripped;
      if (llvm::Error error = strip(*inner, field->content, stripped))
        return error;
      appendVarint(out, field->number << 3 | WireReader::bytes);
      appendVarint(out, stripped.size());
      out += stripped;
    }
    return llvm::Error::success();
  }

private:
  static llvm::Error malformed() { return llvm::createStringError("found no ONNX model: malformed protobuf message"); }

  /// What a field holds on the way from a model to its tensors (field numbers of onnx.proto3).
  static std::optional<Message> messageIn(Message kind, const WireReader::Field &field) {
    if (field.type != WireReader::bytes)
      return std::nullopt;
    switch (kind) {
    case Message::model:
      return field.number == 7 ? std::optional(Message::graph) : std::nullopt;
    case Message::graph:
      return field.number == 1   ? std::optional(Message::node)
             : field.number == 5 ? std::optional(Message::tensor)
                                 : std::nullopt;
    case Message::node:
      return field.number == 5 ? std::optional(Message::attribute) : std::nullopt;
    case Message::attribute:
      return field.number == 5 ? std::optional(Message::tensor) : std::nullopt;
    case Message::tensor:
      return std::nullopt;
    }
    return std::nullopt;
  }

  llvm::Error stripTensor(ArrayRef<char> message, std::string &out) {
    enum {
      dataType = 2,
      floatData = 4,
      int32Data = 5,
      stringData = 6,
      int64Data = 7,
      rawData = 9,
      doubleData = 10,
      uint64Data = 11,
      externalData = 13,
      dataLocation = 14
    };
    WireReader reader(message);
    uint64_t type = 0;
    int dataFields = 0;
    bool external = false;
    WireReader::Field data{};
    while (!reader.done()) {
      auto field = reader.next();
      if (!field)
        return malformed();
      switch (field->number) {
      case dataType:
        type = field->value;
        break;
      case floatData:
      case int32Data:
      case stringData:
      case int64Data:
      case rawData:
      case doubleData:
      case uint64Data:
        ++dataFields;
        data = *field;
        break;
      case externalData:
      case dataLocation:
        external = true;
        break;
      }
    }
    if (external)
      return stripExternal(message, out);
    // Packed floats and doubles are stored as they lie in memory; packed integers are not.
    bool inPlace = data.number == rawData || (data.number == floatData && type == onnx::TensorProto::FLOAT) ||
                   (data.number == doubleData && type == onnx::TensorProto::DOUBLE);
    if (dataFields != 1 || data.type != WireReader::bytes || !inPlace || data.content.size() < payloadBytes) {
      append(out, message);
      return llvm::Error::success();
    }
    append(out, ArrayRef<char>(message.begin(), data.whole.begin()));
    append(out, ArrayRef<char>(data.whole.end(), message.end()));
    onnx::TensorProto reference; // fields of a message may follow one another in any order
    refer(reference, data.content);
    out += reference.SerializeAsString();
    return llvm::Error::success();
  }

  void refer(onnx::TensorProto &tensor, ArrayRef<char> bytes) {
    tensor.clear_external_data();
    onnx::StringStringEntryProto *entry = tensor.add_external_data();
    entry->set_key("location");
    entry->set_value("#tamis/" + std::to_string(payloads.size()));
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    payloads.push_back(bytes);
  }

  /// A tensor that says itself that its data are elsewhere.
  llvm::Error stripExternal(ArrayRef<char> message, std::string &out) {
    onnx::TensorProto tensor;
    if (!tensor.ParseFromArray(message.data(), static_cast<int>(message.size())))
      return malformed();
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL) {
      tensor.clear_external_data();
      out += tensor.SerializeAsString();
      return llvm::Error::success();
    }
    auto bytes = findExternal(tensor);
    if (!bytes)
      return llvm::createStringError("initializer '" + tensor.name() + "': " + llvm::toString(bytes.takeError()));
    refer(tensor, *bytes);
    out += tensor.SerializeAsString();
    return llvm::Error::success();
  }

  llvm::Expected<ArrayRef<char>> findExternal(const onnx::TensorProto &tensor) {
    StringRef location;
    std::optional<uint64_t> offset = 0, length;
    for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
      uint64_t number = 0;
      bool isNumber = !entry.value().empty() && llvm::all_of(entry.value(), llvm::isDigit) &&
                      !StringRef(entry.value()).getAsInteger(10, number);
      if (entry.key() == "location") {
        location = entry.value();
      } else if (entry.key() == "offset" || entry.key() == "length") {
        if (!isNumber)
          return llvm::createStringError("external " + entry.key() + " '" + entry.value() + "' is no whole number");
        (entry.key() == "offset" ? offset : length) = number;
      }
    }
    auto path = confine(location);
    if (!path)
      return path.takeError();
    auto file = weights.mapFile(*path);
    if (!file)
      return file.takeError();
    if (*offset > file->size() || (length && *length > file->size() - *offset))
      return llvm::createStringError("external data of " + (length ? llvm::Twine(*length) : llvm::Twine("all")) +
                                     " bytes at " + llvm::Twine(*offset) + " lie outside of '" + location +
                                     "', which has " + llvm::Twine(file->size()));
    return file->slice(*offset, length.value_or(file->size() - *offset));
  }

  /// The path of `location`, which must lie in the model's folder, links resolved.
  llvm::Expected<std::string> confine(StringRef location) {
    namespace path = llvm::sys::path;
    auto outside = [&](StringRef why) {
      return llvm::createStringError("external location '" + location + "' " + why +
                                     " but a file in the model's folder is wanted");
    };
    if (location.empty() || location.contains('\0'))
      return outside("is empty or no path");
    if (path::is_absolute(location))
      return outside("is absolute");
    for (StringRef part : llvm::make_range(path::begin(location), path::end(location)))
      if (part == "..")
        return outside("goes up");
    llvm::SmallString<256> joined(folder), realFolder, real;
    path::append(joined, location);
    if (std::error_code code = llvm::sys::fs::real_path(joined, real))
      return llvm::createStringError(code, "cannot open external data '" + location + "': " + code.message());
    if (std::error_code code = llvm::sys::fs::real_path(folder.empty() ? "." : folder, realFolder))
      return llvm::createStringError(code, "cannot open folder '" + folder + "': " + code.message());
    if (!realFolder.ends_with("/"))
      realFolder += '/';
    if (!real.str().starts_with(realFolder))
      return outside("leads out of the folder");
    return real.str().str();
  }

  StringRef folder;
  WeightStore &weights;
  Payloads &payloads;
};
} // namespace

llvm::Error tamis::stripTensors(ArrayRef<char> message, StringRef folder, WeightStore &weights, std::string &out,
                                Payloads &payloads) {
  return Stripper(folder, weights, payloads).strip(Stripper::Message::model, message, out);
}

const ArrayRef<char> *tamis::payloadOf(const onnx::TensorProto &tensor, const Payloads &payloads) {
  if (tensor.data_location() != onnx::TensorProto::EXTERNAL)
    return nullptr;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    StringRef location = entry.value();
    size_t index;
    if (entry.key() == "location" && location.consume_front("#tamis/") && !location.getAsInteger(10, index) &&
        index < payloads.size())
      return &payloads[index];
  }
  return nullptr;
}

llvm::Expected<OnnxFile> tamis::readOnnxFile(StringRef path, WeightStore &weights) {
  auto mapped = weights.mapFile(path);
  if (!mapped)
    return mapped.takeError();
  if (mapped->empty())
    return llvm::createStringError("found an empty file but an ONNX model is wanted");
  OnnxFile file;
  std::string message;
  if (llvm::Error error = stripTensors(*mapped, llvm::sys::path::parent_path(path), weights, message, file.payloads))
    return std::move(error);
  if (message.size() > INT32_MAX || !file.model.ParseFromArray(message.data(), static_cast<int>(message.size())))
    return llvm::createStringError("found no ONNX model: malformed protobuf message");
  if (!file.model.has_graph() || !file.model.has_ir_version())
    return llvm::createStringError("found no ONNX model: no graph or no version of the format");
  for (const onnx::OperatorSetIdProto &import : file.model.opset_import())
    file.opsets[import.domain() == "ai.onnx" ? "" : import.domain()] = import.version();
  return std::move(file);
}
