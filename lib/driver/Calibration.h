// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a model computes on passages that the user gives: its outputs, and what each attention is given.
#pragma once

#include "dialects/sattn/Pattern.h"
#include "lib/support/Weights.h"
#include "mlir/IR/BuiltinOps.h"
#include "runtime/npy/NpyFile.h"
#include "tamis/tamis.hpp"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tamis {

/// The inputs of one run, in the order of the model's.
struct Passage {
  std::string name; ///< "data.npz, passage 3", for messages
  std::vector<npy::Array> inputs;
};

/// Reads passages from .npz files whose arrays bear the names of the model's inputs. The first axis of every array
/// counts passages: an input whose first size is fixed, n, takes n rows for one. Errors are diagnostics that name the
/// file: an array that is missing, one of no passages or of another number of them than its file's first array.
mlir::FailureOr<std::vector<Passage>> readPassages(llvm::ArrayRef<std::string> files, mlir::ModuleOp module);

/// What an attention is given in one run.
struct AttentionOperands {
  npy::Array query, key, value;
  std::optional<npy::Array> mask;
};

/// What a model computes in one run.
struct ModelRun {
  std::vector<npy::Array> outputs;
  std::vector<AttentionOperands> attentions; ///< in the order of the ops asked for
};

/// Says what is being done, for whoever waits.
using Activity = std::function<void(const std::string &)>;

/// Runs the model on all passages; `see` is given the model's outputs and `values` of each run. `module` is
/// after the graph phase; attention that has a pattern is dense in these runs. Errors are diagnostics.
mlir::LogicalResult observeModel(
    mlir::ModuleOp module, llvm::ArrayRef<mlir::Value> values, const WeightStore &weights,
    llvm::ArrayRef<Passage> passages, const Activity &activity,
    llvm::function_ref<mlir::LogicalResult(std::vector<npy::Array> outputs, std::vector<npy::Array> values)> see);

/// Runs the model on all passages, and sees what `attentions`, ops of `main` in it, are given. `module` is after the
/// graph phase; attention that has a pattern is dense in these runs. Errors are diagnostics.
mlir::FailureOr<std::vector<ModelRun>> runModel(mlir::ModuleOp module, llvm::ArrayRef<mlir::Operation *> attentions,
                                                const WeightStore &weights, llvm::ArrayRef<Passage> passages,
                                                const Activity &activity);

/// The outputs of a plan. Errors are diagnostics at `loc`.
mlir::FailureOr<std::vector<npy::Array>> runPlan(Context &context, const Passage &inputs, mlir::Location loc);

/// Each batch item of what `attention`, one of either dialect, is given, in the form in which patterns read it.
std::vector<sattn::AttentionInputs> itemsOf(mlir::Operation *attention, const AttentionOperands &operands);

} // namespace tamis
