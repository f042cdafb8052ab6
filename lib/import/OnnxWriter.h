// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// ONNX files whose weights became integers.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"
#include <map>
#include <string>
#include <vector>

namespace tamis {

/// A weight as integers: `(integer - zero) * scale` stands for a number.
struct IntegerWeight {
  int64_t rows = 0, columns = 0; ///< of a dense layer an output a row; of a table its rows
  int64_t group = 1;             ///< columns that share a scale; the last group of a row may have fewer
  int64_t bits = 8;              ///< 8 or 4
  bool isSigned = true;          ///< without zero points
  std::vector<char> integers;    ///< rows x columns, 8 bits each
  std::vector<float> scales;     ///< rows x groups
  std::vector<char> zeroPoints;  ///< rows x groups
  bool quantizesRows = false;    ///< the layer's input is quantized row by row to 8 bits, too
  std::vector<float> smoothing;  ///< what columns of the input are divided by; empty for nothing
  std::vector<float> change;     ///< of the layer's mean answer by rounding, to be taken back; empty for nothing

  int64_t groups() const { return group ? (columns + group - 1) / group : 0; }
};

/// By name, and whether it is read as a table of embeddings; some weights are read as both.
using IntegerWeights = std::map<std::pair<std::string, bool>, IntegerWeight>;

/// Writes the model at `model`, an ONNX file that imports, to `output`, at opset 21 or later, with integers behind
/// DequantizeLinear in the place of the initializers that `integers` has. Beyond 2 GB, or with `externalData`, tensors
/// lie in a file beside it, called as it is with ".data" behind. Files are written under temporary names that are
/// renamed at the end. Gives the number of weights that became integers. Errors, as diagnostics on `loc`: a model that
/// cannot be read or converted, one without such a weight, files that cannot be written.
mlir::FailureOr<size_t> writeQuantizedOnnx(llvm::StringRef model, llvm::StringRef output,
                                           const IntegerWeights &integers, bool externalData, mlir::Location loc,
                                           WeightStore &weights);

} // namespace tamis
