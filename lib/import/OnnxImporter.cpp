// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX file becomes a function of the model dialect.
#include "lib/import/Importers.h"
#include "lib/import/OnnxGraph.h"

using namespace mlir;
using namespace tamis;

ImportedModule tamis::importOnnx(StringRef path, const ImportOptions &options, MLIRContext *context,
                                 WeightStore &weights) {
  Location loc = fileLocation(path, context);
  auto file = readOnnxFile(path, weights);
  if (!file)
    return reportError(loc, file.takeError());
  if (failed(prepareOnnxModel(file->model, loc)))
    return failure();
  SizeRules rules(options);
  // Each attempt that ends early has learnt something of a size; honest models need two or three.
  constexpr int maxAttempts = 100;
  for (int attempt = 0; attempt < maxAttempts; ++attempt) {
    auto module = OnnxGraph(*file, path, rules, context, weights).run();
    if (failed(module) || *module)
      return module;
  }
  return emitError(loc) << "has more than " << maxAttempts << " dynamic sizes that must be equal; give them by --dim";
}
