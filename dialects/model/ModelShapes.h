// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of tensors as expressions: between types and DimExpr, and the size rules that verifiers, importers and passes
// share.
#pragma once

#include "lib/support/DimExpr.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/ArrayRef.h"

namespace tamis::model {

using Dims = llvm::SmallVector<DimExpr>;

/// The sizes of a tensor. A `?` without `#model.dims` gives the symbol "_unnamed0", "_unnamed1", ... by axis, equal
/// between tensors; ops of the model dialect take no such tensors.
Dims dimsOf(mlir::Type tensor);

/// The tensor type of these sizes: static where the expression is a number, with `#model.dims` when any is not.
mlir::RankedTensorType tensorType(mlir::Type element, llvm::ArrayRef<DimExpr> dims);

/// NumPy's broadcasting rule; nothing when two sizes differ and none is one. A symbol against a different symbol is a
/// mismatch: the importer decides which of them hold at run time.
std::optional<Dims> broadcastDims(llvm::ArrayRef<DimExpr> a, llvm::ArrayRef<DimExpr> b);

/// Text of a size list for messages: `[batch, sequence, 384]`.
std::string str(llvm::ArrayRef<DimExpr> dims);

/// A dynamic size of a model and its range, both bounds included.
struct Symbol {
  std::string name;
  int64_t min, max;
};
/// The symbols a model function declares (attribute `model.symbols`), in order; empty when there is none.
llvm::SmallVector<Symbol> symbolsOf(mlir::FunctionOpInterface function);
void setSymbols(mlir::FunctionOpInterface function, llvm::ArrayRef<Symbol> symbols);

/// The constraints of `model.attention`, for every op that is one. `mask` may be null.
llvm::LogicalResult verifyAttention(mlir::Operation *op, mlir::Value query, mlir::Value key, mlir::Value value,
                                    mlir::Value mask, mlir::Value result, int64_t heads, int64_t kvHeads);

} // namespace tamis::model
