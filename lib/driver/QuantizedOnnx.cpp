// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX model of quantized weights, which other tools read.
#include "lib/driver/QuantizedOnnx.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace tamis;

FailureOr<size_t> tamis::quantizeOnnx(const CompileOptions &options, bool externalData, MLIRContext *context,
                                      WeightStore &weights) {
  Location loc = UnknownLoc::get(context);
  Activity activity = options.activity ? options.activity : [](const std::string &) {};
  StringRef ending = llvm::sys::path::extension(options.model);
  if (llvm::sys::fs::is_directory(options.model) || ending == ".gguf" || ending == ".mlir")
    return emitError(loc) << "is no ONNX file, but '" << options.output
                          << "' would be one; those are made of ONNX files alone";
  auto module = importModel(options.model, options.import, context, weights);
  if (failed(module))
    return failure();
  PassManager manager(context);
  addGraphPhase(manager, /*merges=*/false); // a layer has the weight that the file has
  if (failed(manager.run(**module)))
    return failure();
  std::vector<Passage> passages;
  if (!options.calibration.empty()) {
    auto read = readPassages(options.calibration, **module);
    if (failed(read))
      return failure();
    passages = std::move(*read);
  }
  auto integers = quantizedWeights(**module, weights, *options.quantize, passages, activity);
  if (failed(integers))
    return failure();
  activity("writing the model ...");
  return writeQuantizedOnnx(options.model, options.output, *integers, externalData, loc, weights);
}
