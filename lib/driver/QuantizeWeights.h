// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Post-training quantization of a model's weights, and weights that came quantized.
#pragma once

#include "lib/driver/Calibration.h"
#include "lib/import/OnnxWriter.h"
#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include <optional>

namespace tamis {

/// How the integers of weights are found.
enum class QuantizeAlgorithm {
  nearest,     ///< rounding to nearest
  smoothQuant, ///< the same, after columns of inputs and weights were made alike (smoothingOf)
  gptq,        ///< then rounding by what the inputs are like (roundByMoments)
};

/// How weights are stored.
struct QuantizeOptions {
  int64_t bits = 8;      ///< 8 or 4
  bool symmetric = true; ///< no zero points; else the range of each group is cut from its lowest to its highest number
  int64_t group = 0;     ///< rows of K that share a scale; 0: all of a column
  /// Nothing: gptq where there are passages to calibrate by, else nearest.
  std::optional<QuantizeAlgorithm> algorithm;
  mlir::StringAttr mark = {}; ///< what layers must be marked with (tamis-assign-precision); null: all are quantized
};

/// The options of a text: `int8`, `int4`, with `(group=32, asymmetric, algorithm=gptq)` or some of these behind it; the
/// algorithm is `rtn`, `smoothquant` or `gptq`. Errors: anything else.
llvm::Expected<QuantizeOptions> parseQuantizeOptions(llvm::StringRef text);

/// Quantizes, in the function `main` of a module after the graph phase, the weights of every `model.linear` of f32 that
/// are known, and the tables of embeddings of more than 16 rows, these to nearest. GPTQ rounds for inputs less their
/// mean where a layer has a known bias, which takes what rounding does to the mean answer. Linears of 8 bits without
/// groups multiply integers: their input is quantized row by row, at run time, between its lowest and highest number;
/// tables hold 8 bits, a scale a row. Others become `model.dequantize` of the stored integers, with scales of f16 where
/// these hold them; scales of 4 bits are searched (RoundOptions). New weights are kept in the store under the old keys
/// with ".int8" or ".int4" behind. `passages`: what the algorithms other than nearest calibrate by. Errors, as
/// diagnostics: a weight that holds NaN or an infinity, an algorithm without passages, those of observeInputs. A group
/// need not divide K evenly: the last one is shorter.
mlir::LogicalResult quantizeWeights(mlir::ModuleOp module, WeightStore &weights, const QuantizeOptions &options,
                                    llvm::ArrayRef<Passage> passages, const Activity &activity);

/// The same as quantizeWeights, for weights that layers read as they are stored; the module stays. A weight of several
/// linears is rounded to nearest.
mlir::FailureOr<IntegerWeights> quantizedWeights(mlir::ModuleOp module, WeightStore &weights,
                                                 const QuantizeOptions &options, llvm::ArrayRef<Passage> passages,
                                                 const Activity &activity);

/// Computes what follows from `model.dequantize`, or casts of 16-bit floats to f32, of weights alone, and keeps it as
/// weights of floats: for linears that have no form of their own for such numbers. Those that kernels unpack
/// (codegen/tile/PackedWeight.h) stay.
mlir::LogicalResult dequantizeWeights(mlir::ModuleOp module, WeightStore &weights);

} // namespace tamis
