// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Steps that importers of several ops are made of. Each emits ops and gives their result.
#pragma once

#include "lib/import/OnnxGraph.h"

namespace tamis {

mlir::Type elementOf(mlir::Value value);
model::Dims dimsOf(mlir::Value value);

/// [first, first + 1, .., first + count - 1] as `element`, along `axis` of `rank` axes whose others are of size one.
mlir::Value emitIota(OnnxNode &node, mlir::Type element, const DimExpr &count, int64_t axis, int64_t rank,
                     const DimExpr &first = DimExpr(0));
/// One number, a size expression, as `element`, of rank `rank`.
mlir::Value emitNumber(OnnxNode &node, mlir::Type element, const DimExpr &number, int64_t rank = 0);
mlir::Value emitCast(OnnxNode &node, mlir::Value value, mlir::Type element);
/// Numbers with a sign in the order of `value`'s, which may be bools or have none.
mlir::Value emitSigned(OnnxNode &node, mlir::Value value);
/// What emitSigned made of numbers of `element`, as these.
mlir::Value emitUnsigned(OnnxNode &node, mlir::Value value, mlir::Type element);
/// By NumPy's rule; sizes are equal or one.
mlir::Value emitElementwise(OnnxNode &node, model::ElementwiseKind kind, mlir::ValueRange operands);
/// Reduced axes stay, with size one.
mlir::Value emitReduce(OnnxNode &node, model::ReduceKind kind, mlir::Value value, llvm::ArrayRef<int64_t> axes);
/// `count` elements of `axis` from `start` on, every `step`-th.
mlir::Value emitSlice(OnnxNode &node, mlir::Value value, int64_t axis, const DimExpr &start, const DimExpr &count,
                      int64_t step = 1);
mlir::Value emitConcat(OnnxNode &node, mlir::ValueRange values, int64_t axis);
/// `value` with an axis of size one before `axis`.
mlir::Value emitUnsqueeze(OnnxNode &node, mlir::Value value, int64_t axis);
/// `value` without `axis`, which is of size one.
mlir::Value emitSqueeze(OnnxNode &node, mlir::Value value, int64_t axis);
/// `value` with `before` and `after` elements of `fill` (rank 0) added to `axis`; none of them negative.
mlir::Value emitPad(OnnxNode &node, mlir::Value value, int64_t axis, const DimExpr &before, const DimExpr &after,
                    mlir::Value fill);
/// Positions as rotary embeddings: each pair (x, y) of the first `2 half` channels of `value`, `B x S x heads x width`,
/// becomes (x cos - y sin, y cos + x sin). Pairs are neighbours where `interleaved`, else channels `half` apart; cosine
/// and sine are of `half` channels and any sizes that are broadcast.
mlir::Value emitRotary(OnnxNode &node, mlir::Value value, mlir::Value cosine, mlir::Value sine, bool interleaved);
/// Index tuples, i64 `[indices.., rank - first]`, of the elements at `indices` of `axis` and at the same place of other
/// axes, from axis `first` on.
mlir::Value emitElementTuples(OnnxNode &node, mlir::Value indices, int64_t axis, int64_t first = 0);
/// The elements of `data` at these indices.
mlir::Value emitGatherElements(OnnxNode &node, mlir::Value data, mlir::Value indices, int64_t axis);
/// The permutation that moves `from` to `to` and leaves the order of the others.
llvm::SmallVector<int64_t> moveAxis(int64_t rank, int64_t from, int64_t to);
llvm::SmallVector<int64_t> inverse(llvm::ArrayRef<int64_t> permutation);

} // namespace tamis
