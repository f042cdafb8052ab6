// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention over the keys of indices.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `sattn.attend` of f32. Its operands are as those of tileAttention; each of its indices is a
/// `sattn.load_index` of an argument, or a `sattn.bands`:
/// ```mlir
/// func.func @attend(%q: ..., %k: ..., %v: ..., %t: tensor<1x12x4x3xi32>) -> ... {
///   %i = sattn.load_index %t : tensor<1x12x4x3xi32> -> !sattn.index<64 x 64 block, ...>
///   %w = sattn.bands before 127 after 0 sinks 4 queries "256" keys "256" : !sattn.index<1 x 1 token, ...>
///   %o = sattn.attend %q, %k, %v over %i, %w heads 12 kv_heads 12 scale 1.767766952966369e-01 causal : ...
///   return %o : ...
/// }
/// ```
/// A partial result is stored in the kernel, and what is stored returned. What is read and computed grows with what the
/// indices hold, not with queries times keys; how each kind of index is read says SparseAttentionKernel.h. The softmax
/// is that of tileAttention. The kernel returns 1 when a stored index has a row of more items than its capacity, or an
/// item that is not there; nothing is read beyond a buffer then. Requires: the items of a stored row ascend. Errors, as
/// diagnostics: those of tileAttention, an index of other origin.
llvm::LogicalResult tileSparseAttention(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target. Fails with a diagnostic as tileSparseAttention does.
llvm::FailureOr<Launch> sparseAttentionLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
