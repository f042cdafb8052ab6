// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of the cache dialect are made of, taken apart.
#pragma once

#include "codegen/tile/KernelBuilder.h"
#include "dialects/cache/CacheDialect.h"

namespace tamis {

/// Columns of a matrix, side by side with others in one buffer.
struct RowRange {
  mlir::BlockArgument source;
  int64_t rowStride = 0, firstColumn = 0;
};

/// A kernel of one `cache.append`, `cache.attend` or `cache.select`, and slices of columns that it reads.
struct CacheKernel {
  cache::AppendOp append; ///< one of the three
  cache::AttendOp attend;
  cache::SelectOp select;
  cache::PoolSizes sizes;
  RowRange query, key, value;                   ///< the first of attend and select, the others of append
  mlir::SmallVector<mlir::BlockArgument> pools; ///< keys, values, and scales of both
  mlir::BlockArgument table, texts, positions;
  DimExpr tokens, textCount, places; ///< the table is textCount x places
  mlir::BlockArgument index;         ///< of attend; null: all pages are read
  int64_t room = 0;                  ///< numbers of a row of it
  // Of attend, and but for the last three of select.
  int64_t heads = 0, groupSize = 0; ///< groupSize: heads that share a key head
  double scale = 0;
  DimExpr parts = 1;
  bool isPartial = false;

  /// Fails with a diagnostic on a kernel of another form.
  static mlir::FailureOr<CacheKernel> analyse(mlir::func::FuncOp function);
};

/// What both kernels know of tokens, at a builder's insertion point.
class CachePlaces {
public:
  CachePlaces(KernelBuilder &builder, const CacheKernel &kernel) : b(builder), kernel(kernel) {}

  mlir::Value tokens() { return b.size(kernel.tokens); }
  mlir::Value text(mlir::Value token) { return number(kernel.texts, token); }
  mlir::Value position(mlir::Value token) { return number(kernel.positions, token); }
  /// The page in place `place` of `text`. Both exist.
  mlir::Value page(mlir::Value text, mlir::Value place) {
    return number(kernel.table, b.add(b.mul(text, b.size(kernel.places)), place));
  }
  /// Whether the table has no place for `position` of `text`; i1.
  mlir::Value isOutside(mlir::Value text, mlir::Value position);
  /// Whether a page does not exist; i1.
  mlir::Value isNoPage(mlir::Value page);
  /// condition ? yes() : no(), of one type.
  mlir::Value choose(mlir::Value condition, mlir::Type type, llvm::function_ref<mlir::Value()> yes,
                     llvm::function_ref<mlir::Value()> no);

private:
  /// Negative numbers are large ones.
  mlir::Value number(mlir::BlockArgument vector, mlir::Value offset);

  KernelBuilder &b;
  const CacheKernel &kernel;
};

} // namespace tamis
