// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention without a matrix of scores.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Replaces a kernel in model form by its tiled form (KernelBuilder.h).
///
/// The kernel is one `model.attention` of f32 whose query, key and value are arguments, or unit-step slices of
/// arguments along the last axis, and whose mask is an argument:
/// ```mlir
/// func.func @attention(%x: tensor<?x?x1152xf32, #model.dims<"b", "s", "1152">>) -> ... {
///   %q = model.slice %x ["0", "0", "0"] step [1, 1, 1] : ...
///   %k = model.slice %x ["0", "0", "384"] step [1, 1, 1] : ...
///   %v = model.slice %x ["0", "0", "768"] step [1, 1, 1] : ...
///   %o = model.attention %q, %k, %v heads 12 kv_heads 12 scale 1.767766952966369e-01 : ...
///   return %o : ...
/// }
/// ```
/// Behind it there may be a cast of the result to bf16, which is what the kernel returns then.
/// Or one `sattn.attend_at` of the same operands, and positions that it loads from an argument (`sattn.load_index`);
/// queries in blocks that do not exist cost next to nothing. Then the kernel returns 1 when a row of positions has more
/// items than there are queries, or an item that is no key; nothing is read beyond a buffer. Requires: positions
/// ascend.
///
/// A work group is kAttentionQueries queries of one head of one batch entry. Softmax is computed online over blocks of
/// keys (Dao et al., "FlashAttention", 2022, arXiv:2205.14135), rescaling only when a maximum grows by more than 2^8.
/// Masks: float values below -1e30 count as -1e30; minus infinity excludes the key, as false does.
/// Errors, as diagnostics: another element type than f32, operands of other origin.
llvm::LogicalResult tileAttention(mlir::func::FuncOp kernel, const CpuTarget &target);

/// Grid and scratch of such a kernel, the same for every target. Scratch holds the keys of one head, packed.
Launch attentionLaunch(mlir::func::FuncOp kernel);

} // namespace tamis
