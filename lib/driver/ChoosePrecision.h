// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cheapest precision of each layer that keeps the model's error under a bound.
#pragma once

#include "lib/driver/OutputError.h"
#include "lib/driver/QuantizeWeights.h"
#include <string>
#include <vector>

namespace tamis {

struct ChoosePrecisionOptions {
  double maxError = 0.01;      ///< of every output on every passage held out: one less the cosine with the f32 model's
  std::string candidates = {}; ///< precisions beside f32, separated by commas outside of parentheses; empty: int8 and
                               ///< int4(group=32)
};

/// A layer with a weight of its own, and what is known of it.
struct LayerPrecision {
  std::string weight;              ///< its key
  int64_t inputs, outputs;         ///< of a linear; of a table its rows and their width
  bool isTable;                    ///< of an embedding: looked up, not multiplied
  std::vector<OutputError> errors; ///< of the model, on the passages seen, when it alone has the precision
  size_t chosen = 0;               ///< number in PrecisionChoice::precisions
};

/// What was chosen for a model and why.
struct PrecisionChoice {
  std::vector<std::string> precisions; ///< f32 first
  std::vector<LayerPrecision> layers;
  std::string policy; ///< the same as JSON, which tamis-assign-precision takes
  double maxError = 0;
  OutputError error;                          ///< on the passages held out
  size_t passages = 0, heldOut = 0;           ///< the latter not among the former
  int64_t rows = 0;                           ///< of the layers' inputs, on the first passage
  double bytes = 0, unchangedBytes = 0;       ///< of all weights of layers
  double seconds = 0, unchangedSeconds = 0;   ///< of all layers, as estimated for one thread
  std::vector<std::vector<npy::Array>> right; ///< outputs of the f32 model on all passages

  std::string text() const; ///< for people, lines
  std::string json() const;
};

/// Bytes of a layer's weight in a precision, and the estimated seconds of computing `rows` rows of it with one thread.
double bytesOf(const LayerPrecision &layer, llvm::StringRef precision);
double secondsOf(const LayerPrecision &layer, llvm::StringRef precision, int64_t rows);

/// Measures what each precision of each layer does to the model's outputs, on three of four passages, rounding to
/// nearest; then chooses, quantizes as quantizeLayers does and runs the model on the other passages until its error
/// holds. `module` is after the graph phase and stays as it is. Errors are diagnostics: a precision that is none, less
/// than two passages, a model without layers.
mlir::FailureOr<PrecisionChoice> choosePrecision(mlir::ModuleOp module, WeightStore &weights,
                                                 llvm::ArrayRef<Passage> passages,
                                                 const ChoosePrecisionOptions &options, const Activity &activity);

/// Marks layers as `policy` says (tamis-assign-precision) and quantizes each as it is marked, one precision after the
/// other. Errors are diagnostics: those of policies, of parseQuantizeOptions and of quantizeWeights.
mlir::LogicalResult quantizeLayers(mlir::ModuleOp module, WeightStore &weights, llvm::StringRef policy,
                                   llvm::ArrayRef<Passage> passages, const Activity &activity);

} // namespace tamis
