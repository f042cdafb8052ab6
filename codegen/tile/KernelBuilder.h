// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The frame of a tiled kernel: its function, buffers, sizes and work groups.
#pragma once

#include "dialects/model/ModelShapes.h"
#include "lib/support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace tamis {

/// Turns a kernel in `model` form (tensors in, tensors out) into the frame of its tiled form, and helps to fill it.
///
/// The tiled function has flat buffers, so that indices are linear element offsets, and one pointer an argument after
/// lowering:
/// ```mlir
/// func.func @k(%buf0: memref<1099511627776xf32>, ..., %sym0: index, ..., %begin: index, %end: index,
///              %scratch: memref<1099511627776xf32>) -> i32
/// ```
/// Buffers: operands in order, then results in order; i1 tensors are stored as bytes 0 and 1 (memref of i8), 4 bits as bytes with their sign or zeros above, f16 and bf16
/// as their bits (memref of i16). Symbols: the `model.symbols` of the model kernel, in order. It runs work groups
/// [begin, end) and returns 0, or 1 when an index was out of range. codegen/cpu wraps it into the ABI of a plan.
///
/// The builder's insertion point starts in the entry block; call finish() at the end. Not thread-safe.
class KernelBuilder : public mlir::ImplicitLocOpBuilder {
public:
  /// Starts the tiled form of `source` under the same name, placed right before it.
  explicit KernelBuilder(mlir::func::FuncOp source);

  /// Writes the return, erases the source function and gives the finished one. `status`: i32, default 0.
  mlir::func::FuncOp finish(mlir::Value status = {});

  mlir::func::FuncOp source() { return sourceFunction; }
  /// The buffer of an argument of the source.
  mlir::Value argument(unsigned index) { return function.getArgument(index); }
  /// The buffer of a result of the source.
  mlir::Value result(unsigned index) { return function.getArgument(sourceFunction.getNumArguments() + index); }
  /// The buffer behind a value of the source: an argument, or a value that is returned. Null for others.
  mlir::Value bufferOf(mlir::Value modelValue);
  mlir::Value begin() { return function.getArgument(function.getNumArguments() - 3); }
  mlir::Value end() { return function.getArgument(function.getNumArguments() - 2); }
  /// f32 elements; as many bytes as the kernel's Launch asks for.
  mlir::Value scratch() { return function.getArgument(function.getNumArguments() - 1); }

  /// A size as an index value; numbers become constants, symbols arguments. Equal expressions give one value, computed in
  /// the entry block.
  mlir::Value size(const DimExpr &expr);

  // Index arithmetic that folds numbers.
  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b) { return add(a, index(b)); }
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, index(b)); }
  mlir::Value divFloor(mlir::Value a, mlir::Value b); ///< operands are not negative
  mlir::Value rem(mlir::Value a, mlir::Value b);      ///< operands are not negative
  mlir::Value minimum(mlir::Value a, mlir::Value b);

  // Memory: `offset` counts elements. load and store of i1 convert from and to bytes.
  mlir::Value load(mlir::Value buffer, mlir::Value offset);
  void store(mlir::Value value, mlir::Value buffer, mlir::Value offset);
  mlir::Value loadVector(mlir::Value buffer, mlir::Value offset, unsigned lanes);
  void storeVector(mlir::Value vector, mlir::Value buffer, mlir::Value offset);
  /// As many vectors as they have lanes, a power of two, turned: lane i of vector j becomes lane j of vector i.
  llvm::SmallVector<mlir::Value> transpose(llvm::ArrayRef<mlir::Value> rows);
  /// Asks for the cache line of an element into the second-level cache. The element need not exist.
  void prefetch(mlir::Value buffer, mlir::Value offset);
  /// The same into the first-level cache, to be written.
  void prefetchForWrite(mlir::Value buffer, mlir::Value offset);

  /// for (i = low; i < high; i += step) body(i)
  void loop(mlir::Value low, mlir::Value high, int64_t step, llvm::function_ref<void(mlir::Value)> body);
  /// The same with values carried from one iteration to the next; gives the last ones.
  llvm::SmallVector<mlir::Value>
  loop(mlir::Value low, mlir::Value high, int64_t step, mlir::ValueRange init,
       llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)> body);

  /// if (condition) yes(); else no();
  void branch(mlir::Value condition, llvm::function_ref<void()> yes, llvm::function_ref<void()> no = {});
  /// switch (value): body(c) for each of `cases`, known as a number; nothing for other values.
  void switchOver(mlir::Value value, llvm::ArrayRef<unsigned> cases, llvm::function_ref<void(int64_t)> body);

  mlir::VectorType vectorType(unsigned lanes, mlir::Type element = {}); ///< element: f32 by default
  mlir::Value splat(double value, unsigned lanes);                       ///< constant vector of f32
  mlir::Value broadcast(mlir::Value scalar, unsigned lanes);

private:
  mlir::func::FuncOp sourceFunction, function;
  llvm::StringMap<mlir::Value> sizes;
  mlir::Block *entry;
};

/// Flat memref type of a buffer holding elements of this type.
mlir::MemRefType bufferType(mlir::Type element);

} // namespace tamis
