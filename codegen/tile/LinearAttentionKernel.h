// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel of linear attention, taken apart.
#pragma once

#include "codegen/tile/AttentionKernel.h"

namespace tamis {

/// The scale is none of this; the mask is the same for all heads and queries.
struct LinearAttentionKernel : AttentionKernel {
  sattn::FeatureMap feature;

  /// Fails with a diagnostic on what tileLinearAttention does not take.
  static llvm::FailureOr<LinearAttentionKernel> analyse(mlir::func::FuncOp kernel);
};

/// Where things lie in a thread's scratch, in f32 elements; every part begins at 64 bytes. The same for every target.
struct LinearAttentionScratch {
  /// Queries, and keys, that are multiplied together.
  static constexpr int64_t kChunk = 64;
  static constexpr int64_t kMostLanes = 16;

  int64_t paddedD, paddedE; ///< D and E, rounded up to kMostLanes
  int64_t state;            ///< [paddedD][paddedE], features of keys times values, summed
  int64_t sums;             ///< [paddedD], features of keys, summed
  int64_t queries;          ///< [kChunk][paddedD], features; zeros beyond D and in rows that only fill up a tile
  int64_t keys;             ///< [kChunk][paddedD], features times what the mask leaves of them; zeros beyond D
  int64_t values;           ///< [kChunk][paddedE], zeros beyond E
  int64_t turned;           ///< [paddedD][kChunk], the keys of a chunk that queries of the same chunk read
  int64_t products;         ///< [kChunk][kChunk], of those queries and keys
  int64_t output;           ///< [kChunk][paddedE], before it is divided
  int64_t total;

  explicit LinearAttentionScratch(const LinearAttentionKernel &kernel);
};

} // namespace tamis
