// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What follows a linear, on vectors in registers.
#pragma once

#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/VectorMath.h"
#include "llvm/ADT/DenseMap.h"

namespace tamis {

/// How an operand of a fused op is read where the linear's result is [.., N].
enum class EpilogueOperand {
  perElement, ///< at the same place as the result
  perColumn,  ///< [N], [1, N], ...
  scalar,     ///< one element
  constant,   ///< the same number everywhere, known now
};

/// Which of them `operand` is for a result of type `result`; nothing when it is none.
std::optional<EpilogueOperand> classifyEpilogueOperand(mlir::Value operand, mlir::Type result);

/// The place of one vector of the result.
struct EpiloguePlace {
  mlir::Value row, column; ///< column: of its first lane
  mlir::Value offset;      ///< row * N + column
  unsigned lanes;          ///< of the vector
  unsigned valid;          ///< lanes that exist; the others are neither read nor written
};

/// Evaluates the ops after the linear on one vector at a time.
class LinearEpilogue {
public:
  /// `ops`: in order; `first`: the linear's result.
  LinearEpilogue(KernelBuilder &builder, mlir::Value first, llvm::ArrayRef<mlir::Operation *> ops)
      : b(builder), math(builder), first(first), ops(ops) {}

  /// The value of the last op at `place`, where the linear gives `accumulated`.
  mlir::Value apply(mlir::Value accumulated, const EpiloguePlace &place);

  /// Loads from and stores to a buffer of f32, masked where not all lanes are valid.
  mlir::Value load(mlir::Value buffer, mlir::Value offset, const EpiloguePlace &place);
  void store(mlir::Value vector, mlir::Value buffer, const EpiloguePlace &place);

private:
  mlir::Value operand(mlir::Value modelValue, const EpiloguePlace &place);

  KernelBuilder &b;
  VectorMath math;
  mlir::Value first;
  llvm::ArrayRef<mlir::Operation *> ops;
};

} // namespace tamis
