// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parts of attention on a GPU.
#pragma once

#include "codegen/nvptx/GpuKernels.h"
#include "codegen/nvptx/GpuWgmma.h"
#include "codegen/schedule/GpuAttentionSchedule.h"
#include "codegen/tile/SparseAttentionKernel.h"
#include "llvm/Support/MathExtras.h"

namespace tamis {

/// Of what type the operands of attention are, and with what they are multiplied.
struct GpuAttentionForm {
  bool isHalf;        ///< they lie in memory as f16, else as f32
  bool hasWarpGroups; ///< by wgmma
  bool isSplit;       ///< GpuLinearShape::isSplit
  GpuAttentionForm(mlir::func::FuncOp function, const AttentionKernel &kernel, const GpuTarget &target);
};

/// Emits one kernel of attention. A work group has some queries of a head, 16 a warp; blocks of 64 keys and their
/// values come to shared memory as f16, and are read by all warps. Operands of f16 are copied in the background, one
/// block ahead; those of f32 are rounded on their way.
///
/// Over an index of whole blocks (SparseAttentionKernel.h), the blocks are those that it holds for the queries.
///
/// What decides a selection (kGpuSplit) is not rounded but split: x = high + low, two operands of f16, of which three
/// products are added.
///
/// Scores are relative to the largest so far, in base 2. Of rows that keep no key the result is zero.
class GpuAttentionTiler {
public:
  static constexpr int64_t kKeys = GpuAttentionSchedule::keys;
  static constexpr int64_t kMostWidth = 128; ///< columns of a head; more would not fit the registers

  /// `index`: null for all keys.
  GpuAttentionTiler(KernelBuilder &builder, const AttentionKernel &kernel, GpuAttentionForm form,
                    const StoredIndex *index = nullptr, GpuAttentionSchedule schedule = {64});
  virtual ~GpuAttentionTiler() = default;
  virtual void emit();
  GpuLaunch launch() const;
  /// Whether there is code for the kernel; tells why not.
  static llvm::LogicalResult check(mlir::func::FuncOp function, const AttentionKernel &kernel, const GpuTarget &target);
  virtual int64_t sharedBytes() const { return cut.sharedBytes(shape); }
  /// Left to itself, the assembler spills to hold one more.
  virtual unsigned groups() const { return cut.groupsWanted(shape); }
  virtual std::string schedule() const {
    return std::to_string(cut.queries) + " queries by 64 keys, " + std::to_string(cut.warps()) +
           " warps of 16 queries, " + (isHalf ? "2 stages" : "1 stage") + (isSplit ? ", split" : "");
  }

  /// Sizes of tiles; the others are 0.
  static GpuAttentionShape shapeOf(const AttentionKernel &kernel, GpuAttentionForm form) {
    Tile key(kernel.D, form.hasWarpGroups), value(kernel.E, form.hasWarpGroups);
    return {0, 0, 0, key.pitch, value.pitch, form.isHalf, form.isSplit};
  }

protected:
  using Values = llvm::SmallVector<mlir::Value>;

  /// 64 rows in shared memory; more or fewer of queries. Blocks of 16 bytes change places by the row, so that eight
  /// rows of a matrix lie in different banks. wgmma wants rows of at most 128 bytes: wider ones lie in panels, one
  /// behind the other.
  struct Tile {
    Tile(int64_t width, bool hasPanels)
        : pitch(std::max<int64_t>(16, llvm::PowerOf2Ceil(width))),
          panel(hasPanels ? std::min<int64_t>(pitch, 64) : pitch) {}
    int64_t pitch; ///< f16 of a row
    int64_t panel; ///< those that lie side by side
    int64_t rowBytes() const { return panel * 2; }
    int64_t panelBytes() const { return 64 * rowBytes(); }
    /// A block of a row, from the row's beginning.
    Number place(Number block, Number row) const {
      int64_t blocks = panel / 8;
      if (panel == pitch)
        return (block ^ swizzle(row)) * 16;
      return block / blocks * panelBytes() + ((block % blocks) ^ swizzle(row)) * 16;
    }
    int64_t bytes() const { return 64 * pitch * 2; }
    Number swizzle(Number row) const {
      int64_t blocks = pitch / 8;
      return blocks >= 8 ? row % 8 : row / (8 / blocks) % blocks;
    }
  };
  /// Columns of a head in memory.
  struct Source {
    mlir::Value buffer;
    ColumnRange range;
    int64_t width;
    Number offset; ///< elements before row 0, column `range.firstColumn` apart
    Number rows;
    bool isValue = false;
  };
  /// What goes from one block of keys to the next; two rows a thread.
  struct State {
    Values maxima, sums; ///< sums: of this lane's keys
    Values output;       ///< [E / 8][row][2 columns]
    Values all() const {
      Values values(maxima);
      llvm::append_range(values, sums);
      llvm::append_range(values, output);
      return values;
    }
    void take(mlir::ValueRange values) {
      for (Values *part : {&maxima, &sums, &output}) {
        llvm::copy(values.take_front(part->size()), part->begin());
        values = values.drop_front(part->size());
      }
    }
  };

  int64_t stageBytes() const { return keyTile.bytes() + valueTile.bytes(); }
  /// Behind the first stage: they are in registers before the second comes.
  int64_t queriesAt() const { return stageBytes(); }
  /// Of operands of f32 as they are rounded; what that leaves, if it counts, lies behind it alike.
  int64_t roundedBytes() const { return queriesAt() + cut.queries * keyTile.pitch * 2; }
  int64_t keySteps() const { return llvm::divideCeil(kernel.D, 16); }
  int64_t valuePairs() const { return llvm::divideCeil(kernel.E, 16); }

  void decodeGroup();
  Source querySource();
  Source keySource();
  Source valueSource();
  /// The key behind the last that causal order and the number of keys leave to these queries.
  Number endOfKeys();
  State emptyState();
  /// The keys of each of the thread's queries that stand at given positions end there; those that are not there have
  /// none.
  void openPositions();
  /// Finds the row of the index that holds the blocks of these queries; gives how many there are.
  Number openRow();
  /// The first key of the block of that number, one that is read.
  Number firstKeyOf(Number number);
  void addressOperands();
  void stage(const Source &source, const Tile &tile, Number shared, Number row, bool isTested, int64_t count = kKeys);
  void loadQueries();
  llvm::SmallVector<std::array<mlir::Value, 4>> multiplyKeys(Number shared);
  void addValues(State &state, llvm::ArrayRef<std::array<mlir::Value, 4>> scores, Number shared);
  Values weightsOf(llvm::ArrayRef<std::array<mlir::Value, 4>> scores, int64_t step);
  /// What rounding takes of them.
  Values restsOf(llvm::ArrayRef<std::array<mlir::Value, 4>> scores, int64_t step);
  // The same by a warp group, which must see what was staged.
  llvm::SmallVector<std::array<mlir::Value, 4>> multiplyKeysOfGroup(Number shared);
  void addValuesOfGroup(State &state, llvm::ArrayRef<std::array<mlir::Value, 4>> scores, Number shared);
  void fenceStage();
  void computeBlock(State &state, Number shared, Number firstKey, Number endKey, bool isTested);
  mlir::Value maskAt(Number query, Number key);
  mlir::Value isExcluded(mlir::Value element);
  void testScores(llvm::MutableArrayRef<std::array<mlir::Value, 4>> scores, Number firstKey, Number endKey);
  void forEachResult(llvm::function_ref<std::array<mlir::Value, 2>(int64_t tile, int64_t r)> value);
  void writeResult(State &state);
  void writeLogarithms(llvm::function_ref<mlir::Value(int64_t r)> logarithm);
  void writeZeros();

  KernelBuilder &b;
  GpuBuilder gpu;
  GpuWgmma wgmma;
  const AttentionKernel &kernel;
  bool isHalf, hasWarpGroups, isSplit;
  const StoredIndex *index;
  GpuAttentionShape shape;
  GpuAttentionSchedule cut;
  Tile keyTile, valueTile;
  Number thread, lane, warp;                              // i32
  Number queries, keys;                                   // index
  Number batch, head, keyHead, firstQuery;                // index
  Number indexRow;                                        // index: where the items of the index\'s row begin
  Number base;                                            // i32: of shared memory
  llvm::SmallVector<Number> keyAddresses, valueAddresses; // i32, from a stage's beginning
  llvm::SmallVector<std::array<mlir::Value, 4>> queryMatrices, queryRests;
  llvm::SmallVector<Number> queryEnds; ///< index: behind the last key of the thread's rows, where positions are given
  /// Where pairs are tested: of the block that is computed, [row of the thread][half of the keys], i32, each key's bit
  /// at its number less that of the thread's first column; none: all are kept.
  Values pairs;
};

} // namespace tamis
