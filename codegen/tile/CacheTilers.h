// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The loops of kernels of the cache, each at a builder's insertion point; private to Cache*.cpp.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "codegen/tile/CacheKernel.h"

namespace tamis {

/// Each gives the kernel's status.
mlir::Value tileCacheAppend(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target);
mlir::Value tileCacheAttend(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target);

mlir::Value tileCacheSelect(KernelBuilder &builder, const CacheKernel &kernel, const CpuTarget &target);

/// Tokens of a work group of attend, whatever the target.
int64_t cacheGroupTokens(const CacheKernel &kernel);
/// Bytes of scratch of attend, enough for every target.
int64_t cacheScratchBytes(const CacheKernel &kernel);
/// The same of select: a number for each place of the table.
DimExpr cacheSelectScratchBytes(const CacheKernel &kernel);

} // namespace tamis
