// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops of attention.
#pragma once

#include "codegen/tile/AttentionKernel.h"
#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/VectorMath.h"

namespace tamis {

/// One kernel's loops: groups of (batch, head, chunk of queries); in each, packed keys, then blocks of queries times
/// blocks of keys, cut into register tiles.
///
/// Scores are kept in base 2: queries are packed multiplied by scale * log2(e). Excluded keys have the score kExcluded,
/// from which an ordinary row maximum is so far that the weight is 2^-125; a row whose maximum is still kExcluded at the
/// end has kept nothing.
class AttentionTiler {
public:
  AttentionTiler(KernelBuilder &builder, AttentionKernel &kernel, const AttentionSchedule &schedule);
  void emit();

  static constexpr double kExcluded = -1e38;
  /// Finite masks are no smaller, and so stay above kExcluded.
  static constexpr double kLowestMask = -1e30;
  /// A maximum is raised, and what was summed so far rescaled, when a score exceeds it by more than this.
  static constexpr double kSlack = 8;

private:
  /// Where a work group stands.
  struct Group {
    mlir::Value batch, head, keyHead;
    mlir::Value firstQuery, endQuery; ///< its queries
    mlir::Value endKey;               ///< keys that any of them may keep: [0, endKey)
  };
  /// A block of queries against a block of keys.
  struct Block {
    Group group;
    mlir::Value firstQuery; ///< row 0 of the scratch parts
    mlir::Value packed;     ///< offset of the block of keys in scratch
    mlir::Value firstKey, keyCount;
    unsigned keyVectors; ///< that hold keyCount keys
  };
  /// A matrix of registers: `rows` by `vectors`, row-major.
  using Tile = llvm::SmallVector<mlir::Value>;

  // AttentionPack.cpp: what is prepared before the tiles.
  void packKeys(const Group &group);
  void packQueries(const Group &group, mlir::Value firstQuery, mlir::Value rows);
  void fillTileBias(const Block &block, mlir::Value row);
  llvm::SmallVector<mlir::Value> transpose(llvm::ArrayRef<mlir::Value> rows);
  mlir::Value maskBias(mlir::Value maskVector);
  mlir::Value maskOffset(const Group &group, mlir::Value query, mlir::Value key);
  void packValues(const Group &group);

  // AttentionTile.cpp: one tile.
  void tile(const Block &block, mlir::Value row);
  void scoreTile(const Block &block, mlir::Value row);
  void excludeLaterKeys(const Block &block, mlir::Value row);
  void raiseMaxima(const Block &block, mlir::Value row);
  void weighTile(const Block &block, mlir::Value row);
  void accumulateValues(const Block &block, mlir::Value row);

  // Attention.cpp: loops over blocks.
  Group decode(mlir::Value index);
  void queryBlock(const Group &group, mlir::Value firstQuery);
  void writeResult(const Group &group, mlir::Value firstQuery, mlir::Value rows);

  /// f(first, count) for vectors [0, total) in chunks that leave room for `rowsOf(count)` rows of registers.
  void chunks(unsigned total, llvm::function_ref<void(unsigned first, unsigned count)> f);
  unsigned rowsOf(unsigned vectors) const;

  // Vectors of f32 from and to buffers; `valid` lanes exist.
  mlir::Value load(mlir::Value buffer, mlir::Value offset, int64_t valid);
  mlir::Value load(mlir::Value buffer, mlir::Value offset) { return load(buffer, offset, lanes); }
  void store(mlir::Value vector, mlir::Value buffer, mlir::Value offset, int64_t valid);
  void store(mlir::Value vector, mlir::Value buffer, mlir::Value offset) { store(vector, buffer, offset, lanes); }
  /// An element of a scratch part in all lanes.
  mlir::Value splatOf(mlir::Value offset) { return b.broadcast(b.load(scratch, offset), lanes); }
  mlir::Value at(int64_t part, mlir::Value offset) { return b.add(offset, part); }
  mlir::Value signedMin(mlir::Value x, mlir::Value y);
  mlir::Value signedMax(mlir::Value x, mlir::Value y);

  KernelBuilder &b;
  AttentionKernel &kernel;
  AttentionSchedule schedule;
  AttentionScratch place;
  VectorMath math;
  unsigned lanes;
  int64_t blockKeys, paddedD, paddedE;
  mlir::Value scratch, queries, keys;
};

} // namespace tamis
