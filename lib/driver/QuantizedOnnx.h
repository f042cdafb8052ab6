// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An ONNX model of quantized weights, which other tools read.
#pragma once

#include "lib/driver/Compile.h"

namespace tamis {

/// Quantizes the weights of the ONNX file `options.model` as `options.quantize` and `options.calibration` say, and
/// writes the ONNX file `options.output` (writeQuantizedOnnx). Gives the number of weights that became integers.
/// Errors, as diagnostics of `context`: another kind of model, and those of importModel, readPassages, quantizedWeights
/// and writeQuantizedOnnx.
mlir::FailureOr<size_t> quantizeOnnx(const CompileOptions &options, bool externalData, mlir::MLIRContext *context,
                                     WeightStore &weights);

} // namespace tamis
