// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights of a model, beside the textual graph that names them. Source: the format description of the safetensors
// project.
#include "tools/tamis/compiler/WeightFile.h"

#include "dialects/model/ModelDialect.h"
#include "tools/tamis/compiler/OutputFile.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"
#include <map>

using namespace mlir;
using namespace tamis;

/// The format's name of an element type, or "".
static StringRef nameOf(Type type) {
  if (type.isF32())
    return "F32";
  if (type.isF64())
    return "F64";
  if (type.isF16())
    return "F16";
  if (type.isBF16())
    return "BF16";
  if (isa<Float8E4M3FNType>(type))
    return "F8_E4M3";
  if (isa<Float8E5M2Type>(type))
    return "F8_E5M2";
  if (type.isInteger(1))
    return "BOOL";
  if (type.isUnsignedInteger(8))
    return "U8";
  if (type.isUnsignedInteger(16))
    return "U16";
  if (type.isUnsignedInteger(32))
    return "U32";
  if (type.isUnsignedInteger(64))
    return "U64";
  if (type.isSignlessInteger(8))
    return "I8";
  if (type.isSignlessInteger(16))
    return "I16";
  if (type.isSignlessInteger(32))
    return "I32";
  return type.isSignlessInteger(64) ? "I64" : "";
}

llvm::Error tamis::tool::writeWeights(ModuleOp module, const WeightStore &weights, llvm::StringRef path) {
  std::map<std::string, const WeightStore::Weight *> named;
  module.walk([&](model::WeightOp op) { named[op.getKey().str()] = weights.find(op.getKey()); });
  llvm::json::Object header;
  int64_t offset = 0;
  for (const auto &[key, weight] : named) {
    if (!weight)
      return llvm::createStringError("no weight is named '" + key + "'");
    StringRef element = nameOf(weight->type.getElementType());
    if (element.empty())
      return llvm::createStringError("weight '" + key + "' has an element type that safetensors files do not have");
    auto end = offset + int64_t(weight->bytes.size());
    header[key] = llvm::json::Object{{"dtype", element},
                                     {"shape", llvm::json::Array(weight->type.getShape())},
                                     {"data_offsets", llvm::json::Array{offset, end}}};
    offset = end;
  }
  return writeOutput(path, [&](raw_ostream &out) {
    std::string text;
    llvm::raw_string_ostream(text) << llvm::json::Value(std::move(header));
    text.append(llvm::alignTo(text.size(), 8) - text.size(), ' ');
    char length[8];
    llvm::support::endian::write64le(length, text.size());
    out.write(length, sizeof length);
    out << text;
    for (const auto &[key, weight] : named)
      out.write(weight->bytes.data(), weight->bytes.size());
    return true;
  });
}
