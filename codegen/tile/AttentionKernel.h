// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of attention are made of, taken apart.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Rows of a matrix side by side with others in one buffer.
struct ColumnRange {
  mlir::BlockArgument source;
  int64_t rowStride = 0;   ///< columns of the buffer
  int64_t firstColumn = 0; ///< of the range
};

/// Where `operand` of `op`, f32 (or f16, if that is allowed) of three axes, lies: an argument of its kernel, or a slice
/// of its columns. Fails with a diagnostic on anything else.
llvm::FailureOr<ColumnRange> columnRange(mlir::Operation *op, mlir::Value operand, bool allowsHalf = false);

/// How a mask is read: an axis of size one is the same for all.
struct AttentionMask {
  mlir::BlockArgument source; ///< null: no mask
  bool isBool = false;
  bool perBatch = false, perHead = false, perQuery = false, perKey = false;
  explicit operator bool() const { return bool(source); }
};

struct AttentionKernel {
  ColumnRange query, key, value;
  AttentionMask mask;
  DimExpr batch, queries, keys;
  int64_t heads = 0, groupSize = 0; ///< groupSize: heads that share a key head
  int64_t D = 0, E = 0;             ///< columns of a head: of query and key, of value and result
  double scale = 0;
  bool causal = false;
  mlir::BlockArgument positions; ///< a stored index of one row: where each query stands; null: i + keys - queries
  bool isPartial = false;        ///< the result is a stored `!sattn.partial`

  /// Of a kernel with one `model.attention` or `sattn.attend_at`. Fails with a diagnostic on what tileAttention does
  /// not take.
  static llvm::FailureOr<AttentionKernel> analyse(mlir::func::FuncOp kernel, bool allowsHalf = false);
  /// What an op of attention reads beside its indices; fails with a diagnostic.
  static llvm::FailureOr<AttentionKernel> of(model::AttentionOp op, bool allowsHalf = false);
  static llvm::FailureOr<AttentionKernel> of(sattn::AttendOp op, bool allowsHalf = false);
  static llvm::FailureOr<AttentionKernel> of(sattn::AttendAtOp op);
  static llvm::FailureOr<AttentionKernel> of(sattn::LinearAttendOp op); ///< leaves the scale zero
};

/// How the loops of attention are cut.
struct AttentionSchedule {
  unsigned lanes, registers;
  unsigned keyVectors;             ///< vectors of keys in a block
  llvm::ArrayRef<unsigned> widths; ///< vectors of keys that there is code for, ascending, the last keyVectors
  /// Queries of a pipelined tile, 0 for none: full blocks take the weights of a tile along with the scores of the next,
  /// and scores, keys and weights share the registers.
  unsigned pipelinedRows;
  int64_t blockQueries;                ///< queries that pass over a block of keys while it is in the first-level cache
  static constexpr unsigned kRows = 8; ///< queries of a plain tile
  int64_t blockKeys() const { return int64_t(keyVectors) * lanes; }

  static AttentionSchedule of(const AttentionKernel &kernel, const CpuTarget &target);
  /// With blocks of kMostBlockKeys keys on every target.
  static AttentionSchedule ofWholeBlocks(const CpuTarget &target);

  /// Of blocks that indices name.
  static constexpr int64_t kBlockQueries = 64;
  /// Bounds over all targets, for the size of scratch.
  static constexpr int64_t kMostLanes = 16, kMostBlockKeys = 64, kMostBlockQueries = 96;
};

/// Where things lie in a thread's scratch, in f32 elements; every part begins at 64 bytes.
struct AttentionScratch {
  int64_t queries;  ///< [kMostBlockQueries][D rounded up to lanes], scaled
  int64_t output;   ///< [kMostBlockQueries][E rounded up to lanes]
  int64_t maxima;   ///< [kMostBlockQueries] that scores are relative to
  int64_t limits;   ///< [kMostBlockQueries] scores above which the maximum is raised
  int64_t factors;  ///< [rows] by which sums and outputs of a tile are rescaled
  int64_t sums;     ///< [kMostBlockQueries][lanes], partial sums of weights
  int64_t scores;   ///< [rows][blockKeys]
  int64_t weights;  ///< [rows][blockKeys]
  int64_t tileBias; ///< [rows][blockKeys], masks that differ by query
  int64_t blocks;   ///< [blocks], each as below

  // Parts of a block of keys, from its beginning.
  int64_t blockValues; ///< [blockKeys][E rounded up to lanes]; before it [D][blockKeys] of keys
  int64_t blockBias;   ///< [blockKeys], what is added to the scores of a key
  int64_t blockFlag;   ///< [1], i32: whether a value of the block is infinite or no number
  int64_t blockSize;   ///< elements of a block

  AttentionScratch(const AttentionSchedule &schedule, int64_t D, int64_t E);
  /// Bytes for `keys` keys, enough for every target.
  static DimExpr bytes(int64_t D, int64_t E, const DimExpr &keys);
};

} // namespace tamis
