// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels that compute every element of their result from their operands: all that is not a linear, an attention or a
// row kernel.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Whether a map kernel can hold the op: elementwise, activation, cast, the views (reshape, transpose, broadcast,
/// slice, concat), gather, gather_nd, embedding, iota, sizes, constants of up to 64 elements or one value, reduce,
/// matmul, softmax and norm, over element types that ElementMath::isSupported. All but reduce, matmul, softmax and norm
/// cost about as much as their reads; those four loop over their axis for each element that is asked for, once a row
/// where they do not depend on the last axis.
bool canFuseIntoMap(mlir::Operation *op);

/// The grid of a map kernel: groups of about 4096 elements. Scratch is a row of f32 where sums run along an axis that
/// is not the last (see MapSpace::buffered). Fails with a diagnostic on an op that canFuseIntoMap refuses, on results
/// of different numbers of elements.
llvm::FailureOr<Launch> mapLaunch(mlir::func::FuncOp kernel);

/// Replaces a kernel of such ops, any graph of them with one or more results of one size, by its tiled form. Results
/// must not overlap operands. The kernel returns 1 when an index of a gather, gather_nd or embedding is out of range,
/// or a slice picks elements that do not exist; memory outside of the buffers is never read, and results are then
/// unspecified. Elements that no result needs are not computed, and their indices not checked. Fails with a diagnostic
/// as mapLaunch does.
llvm::LogicalResult tileMap(mlir::func::FuncOp kernel, const CpuTarget &target);

} // namespace tamis
