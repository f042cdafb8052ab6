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
  perRow,     ///< one along the last axis, as many as rows: [.., 1]
  scalar,     ///< one element
  constant,   ///< the same number everywhere, known now
};

/// Which of them `operand` is behind `product`, a linear; nothing when it is none. `perRow` is for linears of integers
/// alone, whose units differ by row.
std::optional<EpilogueOperand> classifyEpilogueOperand(mlir::Value operand, mlir::Operation *product);

/// The ops behind `product`, the linear of a kernel, in order. Errors, as diagnostics: an op that is none of
/// canFuseIntoLinear's, a kernel that returns something else than the last. `behind`: an op that is none of them and
/// takes the last one's value in place of the kernel's result.
llvm::FailureOr<llvm::SmallVector<mlir::Operation *>> epilogueOf(mlir::func::FuncOp kernel, mlir::Operation *product,
                                                                 mlir::Operation *behind = nullptr);

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

  /// The value of the last op at `place`, where the linear gives `accumulated`, of f32 or i32; bf16 as its bits.
  mlir::Value apply(mlir::Value accumulated, const EpiloguePlace &place);

  /// Loads from and stores to a buffer, masked where not all lanes are valid.
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
