// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The files of a Hugging Face folder.
#define JSON_NOEXCEPTION
#include "lib/import/HuggingFace.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <set>

using namespace mlir;
using namespace tamis;
using Json = nlohmann::json;

FailureOr<Json> tamis::readJsonObject(StringRef path, WeightStore &weights, Location loc) {
  constexpr int maxDepth = 64;
  constexpr size_t maxBytes = 64 << 20; // tokenizers of 256k tokens take half of that
  auto text = weights.mapFile(path);
  if (!text)
    return reportError(loc, text.takeError());
  if (text->size() > maxBytes)
    return emitError(loc) << "has " << text->size() << " bytes but at most " << maxBytes << " are wanted";
  auto shallow = [](int depth, Json::parse_event_t, Json &) { return depth <= maxDepth; };
  Json json = Json::parse(text->begin(), text->end(), shallow, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object())
    return emitError(loc) << "is no JSON object";
  return json;
}

LogicalResult tamis::addFolderWeights(StringRef folder, WeightStore &weights, MLIRContext *context) {
  llvm::SmallString<256> single(folder), index(folder);
  llvm::sys::path::append(single, "model.safetensors");
  llvm::sys::path::append(index, "model.safetensors.index.json");
  if (llvm::sys::fs::exists(single)) {
    if (llvm::Error error = addSafetensors(weights, single, context))
      return reportError(fileLocation(single, context), std::move(error));
    return success();
  }
  Location loc = fileLocation(index, context);
  auto json = readJsonObject(index, weights, loc);
  if (failed(json))
    return failure();
  auto map = json->find("weight_map");
  if (map == json->end() || !map->is_object())
    return emitError(loc) << "has no object 'weight_map'";
  std::set<std::string> files;
  for (const auto &[name, file] : map->items()) {
    if (!file.is_string())
      return emitError(loc) << "gives weight '" << name << "' no file";
    std::string text = file;
    if (text.empty() || text[0] == '.' || StringRef(text).find_first_of(StringRef("/\\\0", 3)) != StringRef::npos)
      return emitError(loc) << "names the file '" << text << "', which is no name within the folder";
    files.insert(text);
  }
  for (const std::string &file : files) {
    llvm::SmallString<256> path(folder);
    llvm::sys::path::append(path, file);
    if (llvm::Error error = addSafetensors(weights, path, context))
      return reportError(fileLocation(path, context), std::move(error));
  }
  for (const auto &[name, file] : map->items())
    if (!weights.find(name))
      return emitError(loc) << "names the weight '" << name << "', which '" << file.get<std::string>() << "' lacks";
  return success();
}
