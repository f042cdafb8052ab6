// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Keys and values in pages: what is appended, and attention over it.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `cache.append`, `cache.select`, `cache.attend` or `cache.merge` of arguments; rows may be slices
/// of columns of arguments:
/// ```mlir
/// func.func @attend(%q: tensor<?x576xf32, ...>, %keys: tensor<?x3x64x32xf32, ...>, %values: ..., ...) -> ... {
///   %o = cache.attend %q pools(%keys, %values) at(%table, %texts, %positions) heads 9 scale 1.250000e-01 : ...
///   return %o : ...
/// }
/// ```
/// Buffers of the results of append must be those of its pools: the kernel writes the new tokens alone. A work group of
/// append is a key head, one of select a token and key head, one of attend a key head, a part of the pages and some
/// tokens; of merge some tokens. The kernel returns 1 when a text, a position or a page is none; nothing is read or
/// written beyond a buffer. Of attend: softmax is computed online over pages (Dao et al., "FlashAttention", 2022,
/// arXiv:2205.14135), parts of the pages by several work groups (Dao et al., "Flash-Decoding", 2023). Errors, as
/// diagnostics: operands of other origin.
llvm::LogicalResult tileCache(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel. Fails with a diagnostic as tileCache does.
llvm::FailureOr<Launch> cacheLaunch(mlir::func::FuncOp kernel);

/// How many parts the pages of a text are best cut into: enough work groups for a few threads where a run has few
/// tokens and its texts may be long, else one.
DimExpr cacheParts(const DimExpr &tokens, const DimExpr &places, int64_t page);

} // namespace tamis
