// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The value of any model value at one point, as code in the right place of a loop nest.
#pragma once

#include "codegen/tile/ElementMath.h"
#include "codegen/tile/KernelBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include <map>
#include <memory>
#include <vector>

namespace tamis {

/// Emits scalar code for values of a model kernel at given indices. Views only change indices; what computes is emitted
/// once for each different point, in the outermost loop where all it depends on is known: the lookup of a row of an
/// embedding, say, before the loop over its columns.
///
/// Code is written into a stack of scopes: the function, its loops, and the branches of conditions, innermost last. All
/// index arithmetic of the kernel must go through this class, which knows in which scope each value lives and gives
/// equal expressions one value.
class MapPoints {
public:
  MapPoints(KernelBuilder &builder, const CpuTarget &target);
  ~MapPoints();

  /// The element of `value` at `indices`, one an axis, in compute form (ElementMath).
  mlir::Value at(mlir::Value value, llvm::ArrayRef<mlir::Value> indices);
  /// The element with that row-major number, for kernels of MapSpace::isFlat.
  mlir::Value atNumber(mlir::Value value, mlir::Value number);

  /// Indices into `to` of the element that `indices` name in `from`; both have the same elements in row-major order.
  llvm::SmallVector<mlir::Value> reshapeIndices(llvm::ArrayRef<DimExpr> from, llvm::ArrayRef<DimExpr> to,
                                                llvm::ArrayRef<mlir::Value> indices);
  mlir::Value linearize(llvm::ArrayRef<DimExpr> dims, llvm::ArrayRef<mlir::Value> indices);
  llvm::SmallVector<mlir::Value> delinearize(llvm::ArrayRef<DimExpr> dims, mlir::Value number);

  /// for (i = low; i < high; ++i) body(i) in the innermost scope.
  mlir::scf::ForOp loop(mlir::Value low, mlir::Value high, llvm::function_ref<void(mlir::Value)> body);
  /// Stores an element in compute form, in the innermost scope.
  void store(mlir::Value value, mlir::Type element, mlir::Value buffer, mlir::Value offset);

  // Index arithmetic.
  mlir::Value index(int64_t value);
  mlir::Value size(const DimExpr &expr);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value rem(mlir::Value a, mlir::Value b);
  mlir::Value minimum(mlir::Value a, mlir::Value b);
  mlir::Value maximum(mlir::Value a, mlir::Value b);

  /// Conditions of the function as a whole under which nothing may be read, such as a slice that is too long: i1, or
  /// null.
  mlir::Value refusal() const { return refused; }
  /// The i32 that the kernel returns.
  mlir::Value status(); ///< call last  /// Whether the kernel computes values at so many different points that its code
                        ///< was given up.
  bool isTooLarge() const { return points > kMaxPoints; }
  /// More than any graph of a model needs; what exceeds it grows exponentially with the number of ops.
  static constexpr unsigned kMaxPoints = 20000;

  /// Sums `op`, a reduce along other axes than the last or a matmul, for columns [low, high) of one row into scratch.
  /// `row`: indices of all axes but the last.
  void fillRow(mlir::Operation *op, llvm::ArrayRef<mlir::Value> row, mlir::Value low, mlir::Value high);
  /// Takes the op's element at (row, column) from there, for every later use in the innermost scope.
  void readRow(mlir::Operation *op, llvm::ArrayRef<mlir::Value> row, mlir::Value low, mlir::Value column);

private:
  struct Scope;
  using Key = std::vector<const void *>;

  mlir::Value emit(llvm::ArrayRef<mlir::Value> operands, llvm::function_ref<mlir::Value()> create, bool reads = false);
  mlir::Value compute(mlir::Value value, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value remember(Key key, llvm::function_ref<mlir::Value()> create);
  enum class Arithmetic : uintptr_t { add, sub, mul, div, rem, minimum, maximum };
  mlir::Value arithmetic(Arithmetic kind, mlir::Value a, mlir::Value b);
  unsigned depthOf(mlir::Value value) const;
  unsigned depthOf(mlir::ValueRange values) const;
  void enter(mlir::Operation *op, mlir::Block *block, unsigned depth, bool isConditional,
             llvm::function_ref<void()> body);
  mlir::Value conditional(mlir::Value condition, mlir::Type type, unsigned depth,
                          llvm::function_ref<mlir::Value()> then, llvm::function_ref<mlir::Value()> otherwise);
  mlir::scf::ForOp loopAt(unsigned depth, mlir::Value low, mlir::Value high, mlir::Value init,
                          llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> body);

  mlir::Value load(mlir::Value buffer, mlir::Type element, mlir::Value offset);
  mlir::Value elementwise(mlir::Operation *op, llvm::ArrayRef<mlir::Value> operands);
  unsigned floor() const;
  void moveTo(unsigned depth);
  mlir::Value constantAt(model::ConstantOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value choose(llvm::ArrayRef<mlir::Value> choices, mlir::Value index);
  mlir::Value sliceAt(model::SliceOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value concatAt(model::ConcatOp op, llvm::ArrayRef<mlir::Value> indices, unsigned piece, mlir::Value before);
  mlir::Value checkedIndex(mlir::Value indices, llvm::ArrayRef<mlir::Value> at, const DimExpr &size);
  mlir::Value gathered(mlir::Value data, llvm::ArrayRef<DimExpr> sizes, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value reduceAt(model::ReduceOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value matmulAt(model::MatmulOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value finishReduce(model::ReduceKind kind, mlir::Value sum, const DimExpr &count, mlir::Type element);
  mlir::Value softmaxAt(model::SoftmaxOp op, llvm::ArrayRef<mlir::Value> indices);
  mlir::Value normAt(model::NormOp op, llvm::ArrayRef<mlir::Value> indices);
  /// Folds the elements of `input` whose indices along `axes` run and are `indices` elsewhere.
  mlir::Value fold(mlir::Value input, llvm::ArrayRef<int64_t> axes, llvm::ArrayRef<mlir::Value> indices,
                   mlir::Value init,
                   llvm::function_ref<mlir::Value(mlir::Value accumulator, mlir::Value element)> step);
  void report(mlir::Value isError);
  bool isAtLeast(const DimExpr &expr, int64_t bound) const;

  KernelBuilder &builder;
  ElementMath math;
  std::vector<std::unique_ptr<Scope>> scopes;
  llvm::DenseMap<mlir::Value, unsigned> depths;
  /// Sums and products that linearize made, and of which indices.
  llvm::DenseMap<mlir::Value, std::pair<model::Dims, llvm::SmallVector<mlir::Value>>> composed;
  std::map<int64_t, mlir::Value> constants;
  llvm::StringMap<std::pair<int64_t, int64_t>> ranges; ///< of the symbols, bounds included
  mlir::Value statusCell, refused;
  unsigned points = 0;
};

} // namespace tamis
