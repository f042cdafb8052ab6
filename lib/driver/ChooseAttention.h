// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cheapest pattern for each layer and head that keeps the model's error under a bound.
#pragma once

#include "lib/driver/Candidates.h"
#include "lib/driver/OutputError.h"

namespace tamis {

struct ChooseOptions {
  double maxError = 0.01; ///< of every output on every passage held out: one less the cosine with the dense model's
  std::string candidates = {}; ///< as makeCandidates takes them
  /// The right outputs of every passage, where those of the dense model have an error already; empty: those.
  std::vector<std::vector<npy::Array>> right = {};
};

/// What was chosen for a run of heads.
struct ChosenHeads {
  int64_t first, count;
  size_t candidate; ///< number in AttentionChoice::candidates
  double pairs = 1; ///< kept of those that dense attention reads, on the first passage; else as many as may be
  std::optional<double> mass = 1.0; ///< the weight that dense attention gives to the pairs that are kept
};

/// What was chosen for a model and why.
struct AttentionChoice {
  std::vector<Candidate> candidates;            ///< dense attention first
  std::vector<std::vector<ChosenHeads>> layers; ///< runs of heads
  std::vector<std::optional<double>> shared;    ///< layer by layer: how much of what the one before selects it would
                                                ///< select too, if it reads that instead
  std::string policy;                           ///< the same as JSON, which tamis-choose-pattern takes
  double maxError = 0;
  OutputError error;                ///< on the passages held out
  int64_t denseBelow = 0;           ///< attention of fewer keys stays dense
  size_t passages = 0, heldOut = 0; ///< the latter not among the former
  double seconds = 0,
         denseSeconds = 0; ///< of all attention of a mean passage, as predicted; one thread of this machine

  std::string text() const; ///< for people, lines
  std::string json() const;
};

/// Measures candidates on three of four `passages`, chooses among them, and runs the model so compiled on the others
/// until its error holds. `module` is after the graph phase and stays as it is. Errors are diagnostics: less than two
/// passages, a model without attention.
mlir::FailureOr<AttentionChoice> chooseAttention(mlir::ModuleOp module, WeightStore &weights,
                                                 llvm::ArrayRef<Passage> passages, const ChooseOptions &options,
                                                 const Activity &activity);

} // namespace tamis
