// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parts of a selection on a GPU.
#pragma once

#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuItemBits.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/tile/SelectKernel.h"
#include "codegen/tile/VectorMath.h"

namespace tamis {

/// Emits one kernel of a selection (Select.h). A warp has a stored row; item i of it belongs to lane i % 32 throughout,
/// so that lanes need not wait for each other. Scores are of f32, summed column by column in the order of the operands,
/// as on CPUs with fused multiply-add: equal operands have the same items. They become i32 *ranks* of the same order
/// (SelectTiler.h), and the rank of the last item that is kept is searched for by halving.
///
/// Shared memory holds the ranks of the first items; those behind it are computed whenever they are asked for. It holds
/// a bit for each item of rows that are joined or gathered from diagonals, and two numbers for each row of scores that
/// is weighed: a launch with more of them than it has room for ends with an error. What a row of scores weighs is its
/// largest score and what divides its softmax; an item's sum of weights is computed from those whenever it is asked
/// for. A warp that selects diagonals writes all rows of its head.
class GpuSelectTiler {
public:
  GpuSelectTiler(KernelBuilder &builder, SelectKernel &kernel);
  void emit();
  GpuLaunch launch(const GpuTarget &target);

  static constexpr int32_t kUnreadable = INT32_MIN, kNaN = INT32_MIN + 1, kForced = INT32_MAX;

private:
  using Values = llvm::SmallVector<mlir::Value>;

  /// A head of a batch item; indices.
  struct Group {
    Number batch, head, keyHead;
  };
  /// Items [0, sinks) and [first, end); sinks are no more than first.
  struct Span {
    Number sinks, first, end;
  };
  /// A row that is selected from.
  struct Row {
    Group group;
    Number number;
    Span span;
    Number last; ///< item of the row's last query, -1 before the first
    /// Chunks of 32 items, those of the sinks before the others, between which `gap` chunks are left out.
    Number chunks, sinkChunks, gap;
  };
  struct Census {
    mlir::Value least, most; ///< i32, of the items that are not forced
    Number others, forced;   ///< index
    mlir::Value forcedSum;   ///< f32, of the forced scores above zero
  };
  struct Choice {
    mlir::Value limit; ///< i32: ranks above it are kept, and
    mlir::Value ties;  ///< index: so many of those equal to it, the first ones
  };
  /// What becomes of 32 items: which the lane's is, whether it is kept, how many are before it.
  using Take = llvm::function_ref<void(Number item, mlir::Value isKept, Number place)>;
  /// Columns of a vector from `column` on, as many as `x` has.
  using Step = llvm::function_ref<mlir::Value(Number column, llvm::ArrayRef<mlir::Value> x, mlir::Value carried)>;

  // GpuSelect.cpp: rows, and what becomes of their items.
  void storedRow(Number number);
  Row rowOf(const Group &group, Number number);
  /// Selects from a row; gives how many items were taken.
  Number select(const Group &group, Number number, Take take);
  Number list(const Row &row, const Choice &choice, const DimExpr &capacity, Take take);
  /// The stored rows of a head, from distances.
  void storedDiagonals(const Group &group, Number head);
  Number firstItemOf(const Row &row, Number chunk);
  sattn::SelectOp op() { return isRefining ? kernel.refined.op : kernel.op; }

  // GpuSelectScore.cpp: from operands to scores.
  void stageQueries(const Row &row);
  void stageQuery(const ScoreOperand &operand, Number batch, Number head, Number number, Number to);
  mlir::Value score(const Row &row, Number item);
  mlir::Value product(const ScoreOperand &key, Number batch, Number head, Number item, Number query);
  /// Folds over the columns of a vector in order; or each lane over every 32nd one.
  mlir::Value foldColumns(const ScoreOperand &operand, Number batch, Number head, Number number, bool acrossLanes,
                          mlir::Value init, Step step);
  mlir::Value loopColumns(int64_t count, bool acrossLanes, mlir::Value init,
                          llvm::function_ref<mlir::Value(Number column, unsigned width, mlir::Value carried)> body);
  mlir::Value foldSummary(const ScoreOperand &operand, sattn::SummaryKind kind, Number batch, Number head,
                          Number number, int64_t firstColumn, bool acrossLanes, mlir::Value init,
                          llvm::function_ref<mlir::Value(mlir::Value)> last, Step step);
  mlir::Value foldStack(const ScoreOperand &operand, Number batch, Number head, Number number, bool acrossLanes,
                        mlir::Value init, Step step);
  mlir::Value isSummarized(const ScoreOperand &operand, Number batch, Number token);
  Values loadColumns(const ScoreOperand &operand, Number offset, Number column, unsigned width);
  Number tokenOffset(const ScoreOperand &operand, Number batch, Number head, Number token);
  mlir::Value isAnyKept(mlir::BlockArgument mask, Number batch, Number item, int64_t width);

  // GpuSelectWeigh.cpp: sums of softmax weights. All lanes take part.
  /// What the rows of scores divide by, for a row that is selected from.
  void weighRows(const Row &row);
  mlir::Value weighedScore(const Row &row, Number item);
  void forWeighedRows(const Row &row, mlir::ValueRange init,
                      llvm::function_ref<Values(Number scoreRow, Number inRow, mlir::ValueRange)> body, Values &last);
  Number weighedEnd(Number scoreRow);
  mlir::Value scaledAt(const Row &row, Number column, Number end);
  mlir::Value softmaxWeight(mlir::Value scaled, mlir::Value most);

  // GpuSelectSearch.cpp: from scores to ranks, from a budget to a limit.
  Census takeCensus(const Row &row);
  /// The rank of an item; whether it is kept first.
  std::pair<mlir::Value, mlir::Value> rankOf(const Row &row, Number item);
  mlir::Value rankAt(const Row &row, Number chunk);
  mlir::Value rankOfNumber(mlir::Value number);
  mlir::Value numberOf(mlir::Value rank);
  Choice choose(const Row &row, const Census &census);
  Choice largest(const Row &row, const Census &census, Number count);
  Choice search(const Row &row, const Census &census, Number count, bool exact);
  Choice bySum(const Row &row, const Census &census);
  mlir::Value weightOf(mlir::Value rank, const Census &census);
  mlir::Value middle(mlir::Value low, mlir::Value high, mlir::Value byBits);
  Number countAtLeast(const Row &row, mlir::Value limit);
  mlir::Value leastFrom(const Row &row, mlir::Value limit);
  mlir::Value sumAtLeast(const Row &row, const Census &census, mlir::Value limit);

  mlir::Value integer(int64_t value) { return gpu.i32(value); }
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::CmpIOp>(predicate, x, y);
  }
  mlir::Value both(mlir::Value x, mlir::Value y) { return b.createOrFold<mlir::arith::AndIOp>(x, y); }
  mlir::Value either(mlir::Value x, mlir::Value y) { return b.createOrFold<mlir::arith::OrIOp>(x, y); }
  mlir::Value negation(mlir::Value x);
  Number pick(mlir::Value condition, Number yes, Number no) { return {b, gpu.select(condition, yes, no)}; }
  Number floorDiv(Number x, int64_t y) { return {b, b.createOrFold<mlir::arith::FloorDivSIOp>(x, b.index(y))}; }
  Number toInteger(Number x) { return x.as(b.getI32Type()); }

  bool hasBits() const { return kernel.coarsen || kernel.refined.op || kernel.diagonals; }
  int64_t warpBytes() const { return (queryWords + rankWords + bitWords + weighedWords) * 4; }
  Number bitCapacity() { return gpu.size(DimExpr::max(kernel.items, kernel.flagCount)); }
  DimExpr tasks() const { return kernel.batch * kernel.heads * (kernel.diagonals ? DimExpr(1) : kernel.storedRows); }

  KernelBuilder &b;
  GpuBuilder gpu;
  SelectKernel &kernel;
  VectorMath math;
  // Of a warp's shared memory, each a multiple of four words.
  int64_t queryWords = 0, rankWords = 0, bitWords = 0, weighedWords = 0;
  int64_t queryPitch = 0;  ///< words of a query, of several heads
  bool fitsRanks = false;  ///< all ranks of a row
  bool fitsBits = false;   ///< all bits
  int64_t warps = 4;       ///< of a work group
  bool isRefining = false; ///< the second selection is emitted
  Number lane, lanesBelow; ///< index; i32, bits of the lanes before this one
  Number shared;           ///< i32: where the warp's begins
  std::optional<GpuItemBits> bits;
};

} // namespace tamis
