// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Makes a model that shows a fault small.
#pragma once

#include "lib/support/Weights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <functional>

namespace tamis::tool {

/// Cuts ops off the function `main` of a module while a predicate holds: first the end, then chunks between, which
/// become inputs, by halves (Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input").
class Reducer {
public:
  /// `fails` says whether a module still shows the fault; it must for `module`.
  Reducer(mlir::ModuleOp module, std::function<bool(mlir::ModuleOp)> fails);

  /// Until no op can be cut alone.
  void run();

  mlir::ModuleOp module() const { return *best; }
  /// Ops of a module that may be cut: all but weights and constants.
  static size_t count(mlir::ModuleOp module);

private:
  using Candidate = mlir::OwningOpRef<mlir::ModuleOp>;
  static mlir::func::FuncOp mainOf(mlir::ModuleOp module);
  static llvm::SmallVector<mlir::Operation *> cuttable(mlir::ModuleOp module);
  /// Removes what nothing uses: ops and arguments.
  static void clean(mlir::func::FuncOp function);

  bool keepIfItFails(Candidate candidate);
  bool keepOutput(size_t index);
  void shortenEnd();
  bool cut(size_t first, size_t last);

  Candidate best;
  std::function<bool(mlir::ModuleOp)> fails;
  unsigned inputs = 0; ///< made so far
};

} // namespace tamis::tool
