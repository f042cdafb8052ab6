// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What patterns would do to the attentions of a model: their error and their cost, measured on calibration passages.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "lib/driver/Calibration.h"

namespace tamis {

/// How far a head's output is from that of dense attention, and why.
struct HeadError {
  double relative = 0; ///< sum of absolute differences over the sum of absolute values
  double squared = 0;  ///< sum of squared differences over the sum of squares of all heads of the layer
  /// On the first passage; not counted where that is very long.
  std::optional<double> kept = {}; ///< pairs, of those that dense attention reads
  std::optional<double> mass =
      {}; ///< the weight that dense attention gives to pairs that are kept, a mean over queries
};

/// A pattern, measured on every layer.
struct Candidate {
  std::string text;                    ///< "window(size=64)", "dense"
  sattn::PatternAttrInterface pattern; ///< null: dense
  std::string refused = {};            ///< why it cannot be used; else empty
  std::vector<double> seconds = {};    ///< layer by layer: all heads of a mean passage, on one thread of this machine
  std::vector<double> pairs = {}; ///< layer by layer: the pairs it may multiply at most, in relation to dense attention
  std::vector<std::vector<HeadError>> errors = {}; ///< by layer and head
  int64_t denseBelow = 0; ///< with fewer keys dense attention is quicker, as far as halves of the first passage tell
};

/// `list`: patterns and `dense`, separated by commas; empty for a ladder of those of the dialect that suits passages of
/// `keys` keys. Dense attention always comes first. Errors are diagnostics at `loc`.
mlir::FailureOr<std::vector<Candidate>> makeCandidates(llvm::StringRef list, int64_t keys, mlir::Location loc);

/// Of a dense attention, a `model.attention`.
sattn::AttentionSizes sizesOf(mlir::Operation *layer);

/// A mean over heads [first, first + count) of what is known of them; nothing where it is of none.
std::optional<double> meanOf(llvm::ArrayRef<HeadError> heads, std::optional<double> HeadError::*figure, int64_t first,
                             int64_t count);

/// The share of the pairs that `pattern` keeps in `item` that it keeps in `other` too, a mean over heads; of patterns
/// that select, without weights of their own.
double overlapOf(sattn::PatternAttrInterface pattern, const sattn::AttentionInputs &item,
                 const sattn::AttentionInputs &other);

/// Measures candidates on `layers`, attentions of `main`, and on what runs of the dense model gave them. A candidate
/// that does not fit a layer, or for which there is no code, is refused and says why. Patterns with weights of their
/// own are fitted to the runs. Other errors are diagnostics.
llvm::LogicalResult measure(std::vector<Candidate> &candidates, llvm::ArrayRef<mlir::Operation *> layers,
                            llvm::ArrayRef<ModelRun> runs, const Activity &activity);

} // namespace tamis
