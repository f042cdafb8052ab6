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
/// from which an ordinary row maximum is so far that the weight is 2^kLowestPower; a row whose maximum is still
/// kExcluded at the end has kept nothing.
class AttentionTiler {
public:
  AttentionTiler(KernelBuilder &builder, const AttentionKernel &kernel, const AttentionSchedule &schedule);
  virtual ~AttentionTiler() = default;
  /// Gives the status of the kernel; null where there is nothing that could be wrong.
  mlir::Value emit();

  static constexpr double kExcluded = -1e38;
  /// Finite masks are no smaller, and so stay above kExcluded.
  static constexpr double kLowestMask = -1e30;
  /// A maximum is raised, and what was summed so far rescaled, when a score exceeds it by more than this.
  static constexpr double kSlack = 8;
  /// The least weight is 2 to this power: nothing beside 1, and yet its products with values are normal numbers. Where
  /// the first keys of a row are excluded its sums consist of them, and arithmetic on subnormal numbers takes tens of
  /// times longer.
  static constexpr double kLowestPower = -100;

protected:
  /// Where a work group stands.
  struct Group {
    mlir::Value batch, head, keyHead;
    mlir::Value firstQuery, endQuery; ///< its queries
    mlir::Value endKey;               ///< keys that any of them may keep: [0, endKey)
    mlir::Value positions, count;     ///< where queries stand: offset of the first one; how many exist. With positions
  };
  /// A tile: some rows of a block of queries against a block of keys.
  struct Tile {
    Group group;
    mlir::Value firstQuery; ///< of the block of queries: row 0 of the parts of scratch
    mlir::Value row;        ///< of the tile, in the block
    unsigned rows;
    mlir::Value firstKey, keyCount;
    mlir::Value packed;  ///< offset of the block of keys in scratch
    unsigned keyVectors; ///< that hold keyCount keys
    mlir::Value before;  ///< zero: no block came before, and nothing is summed yet
    // Of blocks that hold some of the keys (SparseAttentionTiler).
    mlir::Value positions; ///< offset in scratch of the keys' numbers
    mlir::Value flags;     ///< what is known of the block
  };
  using Vectors = llvm::SmallVector<mlir::Value>;

  // AttentionPack.cpp: what is prepared before the tiles.
  /// From the beginning of a block on.
  void packKeys(const Group &group, mlir::Value firstKey);
  void packValues(const Group &group, mlir::Value firstKey);
  void packQueries(const Group &group, mlir::Value firstQuery, mlir::Value rows);
  virtual void fillTileBias(const Tile &tile);
  mlir::Value keyBase(const Group &group); ///< offset of the head's first key in its buffer
  mlir::Value valueBase(const Group &group);
  mlir::Value queryOffset(const Group &group, mlir::Value query); ///< of its head
  mlir::Value resultOffset(const Group &group, mlir::Value query);
  /// One vector of keys, whose rows begin there in their buffer, into a block. What their bias excludes, if it is
  /// given, may hold anything and becomes zeros.
  void packKeyVector(llvm::ArrayRef<mlir::Value> rowOffsets, mlir::Value target, mlir::Value bias = {});
  void packValueRow(mlir::Value source, mlir::Value target, mlir::Value key);
  /// Whether some queries of a block may keep a key that others leave out.
  virtual bool leavesOutPairs() const { return kernel.causal || kernel.positions || kernel.mask.perQuery; }
  /// The same of a block: values that are infinite or no number are left out, for some queries leave their keys out,
  /// and the block's flag is raised. `packed`: of the block.
  void packFiniteRow(mlir::Value source, mlir::Value packed, mlir::Value key);
  void setFlag(mlir::Value packed, bool isRaised);
  void clearValueRow(mlir::Value target, mlir::Value key);
  /// Zeros for the values that the bias of their key excludes; blocks of all queries.
  void clearExcludedValues(mlir::Value packed, mlir::Value count);
  bool hasKeyMask() const { return kernel.mask && kernel.mask.perKey && !kernel.mask.perQuery; }
  mlir::Value maskBias(mlir::Value maskVector);
  mlir::Value maskBiasOf(const Group &group, mlir::Value query, mlir::Value key);
  mlir::Value maskOffset(const Group &group, mlir::Value query, mlir::Value key);

  // AttentionAhead.cpp: lines of cache asked for before they are needed.
  void fetch(const ColumnRange &range, mlir::Value offset, int64_t width);
  void fetchKey(const Group &group, mlir::Value key); ///< and its value
  /// The query that stands `blockQueries` behind it, and its own result.
  void fetchQuery(const Group &group, mlir::Value query, int64_t blockQueries);
  void fetchAhead(const Group &group, mlir::Value firstQuery, mlir::Value number);

  // AttentionTile.cpp: the parts of one tile, in their order.
  /// A vector of the weights of a tile.
  using WeighVector = llvm::function_ref<void(unsigned row, mlir::Value column)>;
  /// Scores with masks, and maxima that fit them; `weigh`: along with them, the weights of another tile.
  void score(const Tile &tile, WeighVector weigh = {});
  void weighVector(const Tile &tile, unsigned row, mlir::Value column);
  void weigh(const Tile &tile);
  void accumulateValues(const Tile &tile);

  void multiplyKeys(const Tile &tile, WeighVector weigh);
  /// What lies for keys that queries of the tile do not keep, masks apart, becomes kExcluded, in a part of scratch as
  /// that of scores.
  virtual void excludeKeys(const Tile &tile, int64_t part);
  /// Adds the values that packFiniteRow left out, for the pairs that are kept.
  void addSpecialValues(const Tile &tile);
  /// The key of a place in a tile's block; any where there is none.
  virtual mlir::Value keyOf(const Tile &tile, mlir::Value place);
  void raiseMaxima(const Tile &tile);
  /// Multiplies what is summed for a row so far.
  void rescale(mlir::Value row, mlir::Value factor);
  mlir::Value joinLanes(llvm::ArrayRef<mlir::Value> rows,
                        llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> join);
  mlir::Value largestOfRows(llvm::ArrayRef<mlir::Value> rows);
  mlir::Value weightOf(mlir::Value score) { return math.exp2From(kLowestPower, score); } ///< score: from its maximum

  // Attention.cpp: loops over blocks.
  Group decode(mlir::Value index, int64_t groupQueries);
  mlir::Value packedHead(const Group &group);
  void queryBlock(const Group &group, mlir::Value firstQuery);
  /// Full blocks [0, blocks) of keys, the weights of each tile computed amid the scores of the next.
  /// `along(n)`: whatever else is done with tile n.
  void pipelineBlocks(mlir::Value rows, mlir::Value blocks,
                      llvm::function_ref<Tile(mlir::Value block, mlir::Value row)> tileOf,
                      llvm::function_ref<void(mlir::Value number)> along = {});
  /// Blocks [first, end) of keys, one tile after the other.
  void plainBlocks(const Group &group, mlir::Value firstQuery, mlir::Value rows, mlir::Value first, mlir::Value end);
  void writeResult(const Group &group, mlir::Value firstQuery, mlir::Value rows);
  Tile tileAt(const Group &group, mlir::Value firstQuery, mlir::Value block, mlir::Value row, unsigned rows,
              unsigned keyVectors);
  mlir::Value endKeyOf(mlir::Value endQuery);
  /// Keys before `firstKey` are packed already.
  void groupOf(const Group &group, mlir::Value firstKey);

  // AttentionPositions.cpp: queries that stand where an index says.
  void readPositions(Group &group);
  /// Whether the positions of the group's queries are none; i1.
  mlir::Value findFault(const Group &group);
  mlir::Value endKeyAt(const Group &group, mlir::Value firstQuery, mlir::Value endQuery);
  /// The last key that a query keeps, masks apart; -1 when it does not exist.
  mlir::Value lastKeyAt(const Group &group, mlir::Value query);

  /// f(first, count) for vectors [0, total) in chunks that fit the registers beside rowsOf(count) rows.
  void chunks(unsigned total, llvm::function_ref<void(unsigned first, unsigned count)> f);
  unsigned rowsOf(unsigned vectors, unsigned most) const;

  // Vectors of f32 from and to buffers; `valid` lanes exist.
  mlir::Value load(mlir::Value buffer, mlir::Value offset, int64_t valid);
  mlir::Value load(mlir::Value buffer, mlir::Value offset) { return load(buffer, offset, lanes); }
  void store(mlir::Value vector, mlir::Value buffer, mlir::Value offset, int64_t valid);
  void store(mlir::Value vector, mlir::Value buffer, mlir::Value offset) { store(vector, buffer, offset, lanes); }
  /// An element of scratch in all lanes.
  mlir::Value splatOf(mlir::Value offset) { return b.broadcast(b.load(scratch, offset), lanes); }
  mlir::Value at(int64_t part, mlir::Value offset) { return b.add(offset, part); }
  mlir::Value ceilDiv(mlir::Value x, int64_t y) { return b.divFloor(b.add(x, y - 1), b.index(y)); }
  mlir::Value signedMin(mlir::Value x, mlir::Value y);
  mlir::Value signedMax(mlir::Value x, mlir::Value y);

  KernelBuilder &b;
  const AttentionKernel &kernel;
  AttentionSchedule schedule;
  AttentionScratch place;
  VectorMath math;
  unsigned lanes;
  int64_t blockKeys, paddedD, paddedE;
  mlir::Value scratch, queries, keys;
};

} // namespace tamis
