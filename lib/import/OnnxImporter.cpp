// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX file becomes a function of the model dialect.
#include "lib/import/Importers.h"
#include "lib/import/OnnxGraph.h"

#include <nlohmann/json.hpp>

using namespace mlir;
using namespace tamis;

/// What the file says of itself goes into the plan: `tamis inspect` shows it.
static void keepMetadata(const onnx::ModelProto &model, WeightStore &weights) {
  nlohmann::json properties = nlohmann::json::object();
  for (const onnx::StringStringEntryProto &entry : model.metadata_props())
    properties[entry.key()] = entry.value();
  if (!properties.empty())
    weights.addText("metadata", properties.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

ImportedModule tamis::importOnnx(StringRef path, const ImportOptions &options, MLIRContext *context,
                                 WeightStore &weights) {
  Location loc = fileLocation(path, context);
  auto file = readOnnxFile(path, weights);
  if (!file)
    return reportError(loc, file.takeError());
  keepMetadata(file->model, weights);
  if (failed(prepareOnnxModel(file->model, loc)))
    return failure();
  SizeRules rules(options);
  // Each attempt that ends early has learnt something of a size or of a node; honest models need two or three.
  OnnxExpansion expansion;
  expansion.nodes = file->model.graph().node_size();
  constexpr int maxAttempts = 100;
  for (int attempt = 0; attempt < maxAttempts; ++attempt) {
    OnnxGraph graph(*file, path, rules, context, weights, expansion);
    auto module = graph.run();
    if (failed(module) || *module)
      return module;
    if (graph.toExpand().empty())
      continue;
    auto expanded = expandOnnxNodes(file->model, graph.toExpand(), loc);
    if (failed(expanded))
      return failure();
    expansion.allowed = *expanded;
  }
  return emitError(loc) << "has more than " << maxAttempts << " dynamic sizes that must be equal; give them by --dim";
}
