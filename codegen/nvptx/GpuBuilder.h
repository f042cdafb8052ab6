// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What GPU kernels are written with: threads, memories, matrix instructions.
#pragma once

#include "codegen/nvptx/Number.h"
#include "codegen/tile/KernelBuilder.h"
#include <array>

namespace tamis {

/// The external array that stands for a work group's dynamic shared memory.
inline constexpr llvm::StringLiteral kSharedMemory = "tamis_shared";
inline constexpr int64_t kWarp = 32; ///< threads of a warp

/// Emits PTX's instructions on the values of a kernel. The kernel is in KernelBuilder's form: `begin()` is the number
/// of the work group, and its scratch must not be used. Shared memory is addressed by i32 in bytes, with a constant
/// offset that instructions take for nothing. Meanings of instructions: PTX ISA, docs.nvidia.com.
class GpuBuilder {
public:
  explicit GpuBuilder(KernelBuilder &b);

  KernelBuilder &b;

  Number i32(int64_t value);
  Number index(int64_t value) { return {b, b.index(value)}; }
  Number size(const DimExpr &expr) { return {b, b.size(expr)}; }
  Number group() { return {b, b.begin()}; } ///< index: the work group
  Number thread() { return threadId; }      ///< i32: of the work group
  /// What matrices are of: f16; bf16 where operands lie so in memory or the kernel asks for it (kGpuBf16).
  mlir::FloatType narrow() { return narrowType; }

  /// A pointer to element `offset`, an index, of a kernel's buffer, whose elements lie as `element`.
  mlir::Value pointer(mlir::Value buffer, mlir::Type element, Number offset);
  /// Loads from and stores to pointers; `bytes`: the alignment, all that is accessed.
  mlir::Value load(mlir::Type type, mlir::Value pointer, unsigned bytes);
  void store(mlir::Value value, mlir::Value pointer, unsigned bytes);

  /// The elements of a vector that is loaded at once.
  llvm::SmallVector<mlir::Value> loadParts(mlir::VectorType type, mlir::Value pointer, unsigned bytes);
  mlir::Value vector(llvm::ArrayRef<mlir::Value> parts);

  void barrier();
  /// Ends the launch with an error.
  void trapIf(mlir::Value condition);
  /// The value of the lane whose number differs in the bits of `mask`; f32. All lanes of the warp take part.
  mlir::Value shuffleXor(mlir::Value value, unsigned mask);
  /// What another lane has, of i32 or f32; `lane`: i32. All lanes of the warp take part.
  mlir::Value shuffle(mlir::Value value, Number lane);
  /// An i32 whose bit i is the condition of lane i. All lanes of the warp take part.
  mlir::Value ballot(mlir::Value condition);
  /// The least and the largest of all lanes' i32, signed, in one instruction from sm_80 on.
  mlir::Value leastOfLanes(mlir::Value value);
  mlir::Value largestOfLanes(mlir::Value value);
  Number bitCount(mlir::Value bits); ///< index
  void warpBarrier();                ///< of the lanes of a warp: what they wrote to shared memory is seen by all
  /// A barrier of the work group; whether the condition holds for one of its threads.
  mlir::Value anyThread(mlir::Value condition);
  /// Folds over the lanes that differ in the bits below `lanes`, a power of two; every lane has the result.
  mlir::Value acrossLanes(mlir::Value value, unsigned lanes,
                          llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);

  // Shared memory. Words are i32 or f32, 1, 2 or 4 of them, aligned to their sum.
  Number sharedBase();
  void storeShared(Number address, int64_t offset, llvm::ArrayRef<mlir::Value> words);
  llvm::SmallVector<mlir::Value> loadShared(Number address, int64_t offset, unsigned words, mlir::Type type);
  /// Sets bits of a word, whatever other threads do to it.
  void orShared(Number address, int64_t offset, mlir::Value bits);
  /// Copies 16 bytes from global to shared memory in the background; of them `valid` (i32, null for all) are read, the
  /// rest are zero.
  void copyAsync(Number address, int64_t offset, mlir::Value pointer, mlir::Value valid = {});
  void commitCopies();                  ///< ends a group of copies
  void waitCopies(unsigned openGroups); ///< until so many of this thread's latest groups are open

  // Matrices of narrow() numbers over the lanes of a warp.
  /// Four matrices of 8 x 8, rows of 16 bytes at the addresses of lanes 0-7, 8-15, ...: an i32 of two numbers of each.
  std::array<mlir::Value, 4> loadMatrices(Number address, int64_t offset, bool transposed);
  /// c + a b, 16 x 16 by 16 x 8: a four i32, b two i32, c four f32.
  std::array<mlir::Value, 4> multiply(llvm::ArrayRef<mlir::Value> a, llvm::ArrayRef<mlir::Value> b,
                                      llvm::ArrayRef<mlir::Value> c);
  /// c + a b of bytes, 16 x 32 by 32 x 8: a four i32 of four bytes along K each, signed or not, b two of signed ones, c
  /// four i32, which wrap. loadMatrices() loads a, of blocks of 16 bytes.
  std::array<mlir::Value, 4> multiplyBytes(llvm::ArrayRef<mlir::Value> a, llvm::ArrayRef<mlir::Value> b,
                                           llvm::ArrayRef<mlir::Value> c, bool isSigned);
  /// Two f32 rounded to narrow() in an i32, the first in its low half.
  mlir::Value pack(mlir::Value low, mlir::Value high);
  /// What pack() loses of an f32: x less its rounded value; no finite number where that is none.
  mlir::Value lostByRounding(mlir::Value x);

  mlir::Value exp2(mlir::Value x); ///< 2^x in one instruction, relative error 2^-22; subnormal numbers are zero
  mlir::Value f32(double value);
  mlir::Value add(mlir::Value x, mlir::Value y);
  mlir::Value sub(mlir::Value x, mlir::Value y);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  mlir::Value div(mlir::Value x, mlir::Value y);
  mlir::Value fma(mlir::Value x, mlir::Value y, mlir::Value z);
  mlir::Value larger(mlir::Value x, mlir::Value y); ///< the other one where one is NaN
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);

  using Values = llvm::SmallVector<mlir::Value>;
  Values ifElse(mlir::Value condition, llvm::function_ref<Values()> yes, llvm::function_ref<Values()> no);
  /// while (condition(values)) values = body(values)
  Values whileLoop(mlir::ValueRange init, llvm::function_ref<mlir::Value(mlir::ValueRange)> condition,
                   llvm::function_ref<Values(mlir::ValueRange)> body);

  /// Inline assembly, for what has no member here; what concerns more than a lane has effects.
  llvm::SmallVector<mlir::Value> assembly(llvm::StringRef text, llvm::StringRef constraints, mlir::TypeRange results,
                                          mlir::ValueRange operands, bool hasEffects);

private:
  Number threadId;
  mlir::FloatType narrowType;
};

} // namespace tamis
