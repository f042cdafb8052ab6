// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parsing of arguments.

#include "tools/tamis-ptx/Arguments.h"
#include <cmath>
#include <cstring>

namespace tamis::tool {

static Error refuse(const std::string &text, const std::string &why) {
  return Error(TAMIS_INVALID_ARGUMENT, "argument '" + text + "': " + why);
}

Result<KernelArgument> parseArgument(const std::string &text) {
  KernelArgument argument;
  std::string value = text;
  if (size_t arrow = value.rfind('>'); arrow != std::string::npos) {
    argument.output = value.substr(arrow + 1);
    value.resize(arrow);
    argument.isBuffer = true;
    if (argument.output.empty())
      return refuse(text, "wanted the name of a file after '>'");
  }
  if (size_t sign = value.find("=="); sign != std::string::npos) {
    argument.wanted = value.substr(sign + 2);
    value.resize(sign);
    argument.isBuffer = true;
    if (argument.wanted.empty())
      return refuse(text, "wanted the name of a file after '=='");
  }
  if (value == "null") {
    if (argument.isBuffer)
      return refuse(text, "null has no content to write or compare");
    argument.array.type = TAMIS_I64;
    argument.array.bytes.assign(8, 0);
    return argument;
  }
  size_t equals = value.find('=');
  bool isFile = value[0] == '@' || (equals != std::string::npos && value[equals + 1] == '@');
  std::string shape = value.substr(0, equals);
  // Without a value the text reads as one of zeros.
  std::string literal = equals == std::string::npos || isFile ? shape + "=0" : value;
  if (value[0] != '@') {
    Result<npy::InputText> parsed = npy::parseInput("argument=" + literal);
    if (!parsed)
      return refuse(text, parsed.error().message());
    if (!parsed->literal)
      return refuse(text, "wanted a shape and an element type before random");
    argument.array = std::move(*parsed->literal);
    argument.isBuffer |= !argument.array.dims.empty();
    argument.isWritten = equals != std::string::npos;
  }
  if (isFile) {
    Result<npy::Array> file = npy::readNpy(value.substr(value[0] == '@' ? 1 : equals + 2));
    if (!file)
      return file.error();
    if (value[0] != '@' && (file->type != argument.array.type || file->dims != argument.array.dims))
      return refuse(text, "the file holds " + npy::shapeText(file->type, file->dims));
    argument.array = std::move(*file);
    argument.isBuffer = true;
  }
  if (!argument.isBuffer && !argument.isWritten)
    return refuse(text, "wanted a value after the type, or a shape before it");
  return argument;
}

Result<std::string> compareWithWanted(KernelArgument &argument, double tolerance) {
  Result<npy::Array> file = npy::readNpy(argument.wanted);
  if (!file)
    return file.error();
  Tensor found = argument.array.tensor(), wanted = file->tensor();
  if (argument.array.dims != file->dims)
    return Error(TAMIS_INVALID_ARGUMENT, argument.wanted + " holds " + npy::shapeText(file->type, file->dims) +
                                             ", but the buffer is " +
                                             npy::shapeText(argument.array.type, argument.array.dims));
  int64_t count = 0, first = 0;
  double largest = 0;
  for (int64_t i = 0; i < found.size(); ++i) {
    double x = npy::elementNumber(found, i), y = npy::elementNumber(wanted, i), error = std::abs(x - y);
    if (x == y || (std::isnan(x) && std::isnan(y)) || error <= tolerance * (1 + std::abs(y)))
      continue;
    first = count++ ? first : i;
    largest = std::isnan(error) ? INFINITY : std::max(largest, error);
  }
  if (!count)
    return std::string();
  char error[32];
  snprintf(error, sizeof error, "%.3g", largest);
  return "element " + std::to_string(first) + " is " + npy::elementText(found, first) + ", but " +
         npy::elementText(wanted, first) + " is wanted; " + std::to_string(count) + " of " +
         std::to_string(found.size()) + " differ, by up to " + error;
}

Result<std::vector<uint8_t>> passArguments(std::vector<KernelArgument> &arguments, const emulator::EntryInfo &entry,
                                           emulator::Memory &memory) {
  if (arguments.size() != entry.parameters.size())
    return Error(TAMIS_INVALID_ARGUMENT, "entry '" + entry.name + "' has " + std::to_string(entry.parameters.size()) +
                                             " parameters, and " + std::to_string(arguments.size()) +
                                             " arguments were given");
  std::vector<uint8_t> bytes(entry.parameterBytes);
  for (size_t i = 0; i < arguments.size(); ++i) {
    KernelArgument &argument = arguments[i];
    const emulator::Parameter &parameter = entry.parameters[i];
    size_t size = argument.isBuffer ? 8 : argument.array.bytes.size();
    if (size != parameter.bytes)
      return Error(TAMIS_INVALID_ARGUMENT, "parameter " + parameter.name + " has " + std::to_string(parameter.bytes) +
                                               " bytes, the argument " + std::to_string(size));
    if (!argument.isBuffer) {
      memcpy(&bytes[parameter.offset], argument.array.bytes.data(), size);
      continue;
    }
    // An empty buffer has an address, too.
    argument.address = memory.allocate(std::max<size_t>(argument.array.bytes.size(), 1));
    if (!argument.address)
      return Error(TAMIS_OUT_OF_MEMORY, "no device memory for parameter " + parameter.name);
    if (argument.isWritten && !argument.array.bytes.empty())
      memory.copyIn(argument.address, argument.array.bytes.data(), argument.array.bytes.size());
    memcpy(&bytes[parameter.offset], &argument.address, 8);
  }
  return bytes;
}

} // namespace tamis::tool
