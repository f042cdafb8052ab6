// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention by products of features.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `sattn.linear_attend` of f32. Its operands are as those of tileAttention:
/// ```mlir
/// func.func @attend(%q: ..., %k: ..., %v: ..., %m: tensor<?x1x1x?xi1, ...>) -> ... {
///   %o = sattn.linear_attend elu1 %q, %k, %v mask %m heads 12 kv_heads 12 causal : ...
///   return %o : ...
/// }
/// ```
/// A work group is one head of one batch item: it sums keys times values into a state of D x E and multiplies chunks of
/// queries with it. With causal order the state grows from chunk to chunk, and what the keys of the own chunk add is a
/// triangle of products. Chunks of one head follow each other for that reason; to cut them into groups, every group
/// would have to sum the keys before it again, or another kernel to leave the sums of all chunks in memory.
/// Sums are of f32, chunk by chunk. Features below the smallest normal number of f32 are less exact than that.
/// Errors, as diagnostics: those of tileAttention.
llvm::LogicalResult tileLinearAttention(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target. Fails with a diagnostic as tileLinearAttention does.
llvm::FailureOr<Launch> linearAttentionLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
