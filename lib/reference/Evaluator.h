// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The evaluator of the model and sattn dialects: what every op means, in plain loops. The oracle of all tests.
#pragma once

#include "lib/reference/HostTensor.h"
#include "lib/support/Weights.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include <functional>

namespace tamis::reference {

struct EvaluateOptions {
  /// Called after each op with its result, in program order; not for `model.weight`. The tensor lives during the call
  /// only.
  std::function<void(mlir::Operation *, const HostTensor &)> observer;
  /// A tensor that needs more bytes is an error rather than a machine out of memory. Evaluating takes up to eight times
  /// the bytes of an op's tensors in passing.
  int64_t maxTensorBytes = int64_t(4) << 30;
};

/// Values of the symbols of a model function, read off the shapes of its inputs.
/// Errors, naming the input: number of inputs, element type, rank, a fixed size, two inputs that disagree on a symbol,
/// a value outside of the symbol's range in `model.symbols`; a symbol of an argument's type that no axis gives on its
/// own.
llvm::Expected<llvm::StringMap<int64_t>> bindSymbols(mlir::func::FuncOp function, llvm::ArrayRef<HostTensor> inputs);

/// The results of `function` for `inputs`, one an argument, in order.
///
/// The function has one block of ops of the two dialects, verified. Numbers: elements are stored in their own type
/// after each op; sums inside of an op are kept in f64. A value is freed after its last use. Errors: those of
/// bindSymbols; a weight that is missing or of another type; what the ops' descriptions call an error at run time, with
/// the op's location; an op of another dialect; a tensor above `maxTensorBytes`. Threads: calls may run
/// together, on one context too; it is only read.
llvm::Expected<std::vector<HostTensor>> evaluate(mlir::func::FuncOp function, llvm::ArrayRef<HostTensor> inputs,
                                                 const WeightStore &weights, const EvaluateOptions &options = {});

} // namespace tamis::reference
