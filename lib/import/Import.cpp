// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Station 1: which importer a path is for.
#include "lib/import/Import.h"

#include "dialects/cache/CacheDialect.h"
#include "dialects/sattn/SattnDialect.h"
#include "lib/import/Importers.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace tamis;

Location tamis::fileLocation(StringRef path, MLIRContext *context) {
  return FileLineColLoc::get(context, path, 0, 0);
}

std::string tamis::weightComplaint(StringRef name, const WeightStore::Weight *found, RankedTensorType wanted) {
  std::string text;
  if (found && found->type == wanted)
    return text;
  llvm::raw_string_ostream stream(text);
  stream << "'" << name << "' is ";
  if (found)
    stream << found->type << " but " << wanted << " is wanted";
  else
    stream << "missing";
  return text;
}

LogicalResult tamis::reportError(Location loc, llvm::Error error) {
  return emitError(loc) << llvm::toString(std::move(error));
}

static ImportedModule importAny(StringRef path, const ImportOptions &options, MLIRContext *context,
                                WeightStore &weights) {
  context->loadDialect<model::ModelDialect, sattn::SattnDialect, cache::CacheDialect, func::FuncDialect>();
  Location loc = fileLocation(path, context);
  llvm::sys::fs::file_status status;
  if (path.contains('\0'))
    return emitError(loc) << "the path holds a zero byte";
  if (std::error_code code = llvm::sys::fs::status(path, status))
    return emitError(loc) << "cannot open the model: " << code.message();
  switch (status.type()) {
  case llvm::sys::fs::file_type::directory_file:
    return importHuggingFace(path, options, context, weights);
  case llvm::sys::fs::file_type::regular_file:
    break;
  default:
    return emitError(loc) << "found neither a regular file nor a folder";
  }
  StringRef extension = llvm::sys::path::extension(path);
  if (extension == ".mlir")
    return importText(path, options, context, weights);
  if (extension == ".gguf")
    return importGguf(path, options, context, weights);
  if (extension == ".safetensors" || extension == ".json")
    return emitError(loc) << "found a " << extension << " file but an .onnx, .gguf or .mlir file or a folder with "
                          << "config.json and model.safetensors is wanted";
  return importOnnx(path, options, context, weights);
}

ImportedModule tamis::importModel(StringRef path, const ImportOptions &options, MLIRContext *context,
                                  WeightStore &weights) {
  ImportedModule module = importAny(path, options, context, weights);
  if (failed(module) || !options.cache.isRequired || !options.cache.isPaged())
    return module;
  if ((*module)->walk([](cache::AppendOp) { return WalkResult::interrupt(); }).wasInterrupted())
    return module;
  return emitError(fileLocation(path, context)) << "has no cache to keep in pages: that is for language models, from a "
                                                   ".gguf file or a folder of Hugging Face's";
}
