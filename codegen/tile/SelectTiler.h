// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops of a selection.
#pragma once

#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/SelectKernel.h"
#include "codegen/tile/VectorMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

namespace tamis {

/// One kernel's loops: groups of (batch, head, chunk of rows); in each, packed keys, then tiles of rows, whose scores
/// are all computed before each row is selected from.
///
/// A tile scores *positions*: the items of its span, ascending, without gaps. Scores become i32 *ranks* of the same
/// order: equal numbers have equal ranks, NaN one below all numbers; an item that may not be read has the least of all,
/// one that is kept first the largest. What a row keeps is then a limit: ranks above it, and the first so many equal to
/// it.
class SelectTiler {
public:
  SelectTiler(KernelBuilder &builder, SelectKernel &kernel, const CpuTarget &target);
  void emit();

  static constexpr int32_t kUnreadable = INT32_MIN, kNaN = INT32_MIN + 1, kForced = INT32_MAX;

private:
  using Values = llvm::SmallVector<mlir::Value>;

  struct Group {
    mlir::Value batch, head, keyHead;
  };
  /// Items [0, sinks) and [first, end).
  struct Span {
    mlir::Value sinks, first, end;
  };
  /// Items at consecutive positions; sinks are no more than first.
  struct Positions {
    Span span;
    mlir::Value count, padded; ///< padded: to a whole block
  };
  struct Row {
    mlir::Value number, inTile;
    Positions positions; ///< those of its tile as far as the row may read them
    Span readable;
    mlir::Value last;  ///< item of the row's last query, -1 before the first
    mlir::Value ranks; ///< offset in scratch
  };
  /// What the ranks of a row are.
  struct Census {
    mlir::Value least, most; ///< i32, of the items that are not forced; of no use when there are none
    mlir::Value others, forced;
    mlir::Value forcedSum; ///< f32, of the forced scores above zero
  };
  struct Choice {
    mlir::Value limit; ///< i32: ranks above it are kept, and
    mlir::Value ties;  ///< so many of those equal to it
  };

  // Select.cpp: loops over rows.
  void group(mlir::Value index);
  /// Rows [first, end); `then` once the items of a row are in the list, `count` of them.
  void tiles(const Group &group, mlir::Value first, mlir::Value end,
             llvm::function_ref<void(mlir::Value row, mlir::Value count)> then);
  Span spanOf(mlir::Value firstRow, mlir::Value lastRow);
  mlir::Value lastKeyOf(mlir::Value row); ///< where the row's last query stands, or less than 0
  Positions positionsOf(const Span &span);
  Row rowOf(mlir::Value number, mlir::Value inTile, const Positions &tile);
  mlir::Value itemAt(const Positions &positions, mlir::Value position);
  mlir::Value itemsAt(const Positions &positions, mlir::Value position); ///< a vector from there on, i32
  mlir::Value positionsAt(mlir::Value position);                         ///< the same of the positions

  // SelectScore.cpp: from operands to scores.
  /// What is prepared for the rows of a tile, or of a group: masks, and keys unless scores are given. `scored`: positions
  /// of keys.
  void pack(const Group &group, const Positions &items, const Positions &scored);
  /// Scores of rows [first, first + rows) of a tile.
  void score(const Group &group, mlir::Value first, mlir::Value rows, mlir::Value padded);
  void copyScores(const Group &group, mlir::Value row, const Positions &positions);
  void packKeys(const Group &group, const Positions &positions);
  void packMask(const Group &group, const Positions &positions, mlir::BlockArgument argument, int64_t width,
                const DimExpr &to);
  void loadQueries(const Group &group, mlir::Value head, mlir::Value first, mlir::Value rows);
  void multiply(mlir::Value rows, mlir::Value padded, mlir::Value weights);
  mlir::Value tokenOffset(const ScoreOperand &operand, mlir::Value batch, mlir::Value head, mlir::Value token);

  // SelectSummary.cpp: from the tokens of a block to one vector.
  void summarize(const ScoreOperand &operand, mlir::Value batch, mlir::Value head, mlir::Value number, mlir::Value to);
  void reduceTokens(const ScoreOperand &operand, sattn::SummaryKind kind, mlir::Value batch, mlir::Value head,
                    mlir::Value number, mlir::Value to, llvm::function_ref<mlir::Value(mlir::Value)> last);
  void stackTokens(const ScoreOperand &operand, mlir::Value batch, mlir::Value head, mlir::Value number,
                   mlir::Value to);
  mlir::Value isSummarized(const ScoreOperand &operand, mlir::Value batch, mlir::Value token);
  /// Columns of a vector to scratch, and nothing behind them.
  void storeColumns(mlir::Value value, mlir::Value to, int64_t column, int64_t columns);

  // SelectWeigh.cpp: from scores to sums of their softmax, from distances to items.
  void weigh(const Group &group, mlir::Value row);
  void addWeights(mlir::Value scoreRow, mlir::Value scores);
  mlir::Value weighedEnd(mlir::Value scoreRow);
  mlir::Value weighedRowsEnd(mlir::Value row);
  /// The columns of scores that a row, and those before it, may read.
  Positions weighedColumns(mlir::Value row);
  void writeDiagonals(const Group &group, mlir::Value count);

  // SelectRank.cpp: from scores to ranks, from a budget to a limit.
  Census rank(const Row &row);
  Choice choose(const Row &row, const Census &census);
  Choice largest(const Row &row, const Census &census, mlir::Value count);
  mlir::Value numberOf(mlir::Value ranks);
  mlir::Value rankOf(mlir::Value numbers);

  // SelectSearch.cpp: from ranks to a limit.
  /// Keeps the `count` largest, forced ones among them; forced < count <= all. `exact`: the limit is the rank of the
  /// last of them, and nothing of it is kept.
  Choice search(const Row &row, const Census &census, mlir::Value count, bool exact);
  Choice bySum(const Row &row, const Census &census); ///< budgets of mass and of shares
  mlir::Value weightOf(mlir::Value ranks, const Census &census);
  mlir::Value middle(mlir::Value low, mlir::Value high, mlir::Value byBits);
  mlir::Value countAtLeast(mlir::Value ranks, mlir::Value length, mlir::Value limit);
  mlir::Value leastFrom(mlir::Value ranks, mlir::Value length, mlir::Value limit);
  mlir::Value sumAtLeast(mlir::Value ranks, mlir::Value length, mlir::Value limit);

  // SelectRefine.cpp: from items of a row to the best of them.
  mlir::Value refine(const Group &group, mlir::Value number, mlir::Value count);

  // SelectWrite.cpp: from a limit to items.
  /// Writes the items to the list; gives their number.
  mlir::Value list(const Positions &positions, mlir::Value ranks, const Choice &choice, mlir::Value capacity);
  mlir::Value tiesEnd(const Positions &positions, mlir::Value ranks, const Choice &choice);
  void writeRow(const Group &group, mlir::Value row, mlir::Value count);
  void clearFlags();
  void raiseFlags(mlir::Value count);
  /// Stores the values whose bit is set one after the other from `to` on; up to a vector more may be overwritten. Gives
  /// how many.
  mlir::Value append(mlir::Value values, mlir::Value mask, mlir::Value to);

  // Scratch holds f32; ranks and items lie in it as bits.
  mlir::Value at(const DimExpr &part, mlir::Value offset) { return b.add(b.size(part), offset); }
  mlir::Value load(mlir::Value offset) { return b.loadVector(b.scratch(), offset, lanes); }
  mlir::Value loadInts(mlir::Value offset);
  void store(mlir::Value vector, mlir::Value offset);
  mlir::Value loadInt(mlir::Value offset);
  void storeInt(mlir::Value scalar, mlir::Value offset);
  /// Columns from a buffer; lanes beyond `columns` are zero.
  mlir::Value loadColumns(mlir::Value buffer, mlir::Value offset, int64_t column, int64_t columns);

  // i32 and vectors of it.
  mlir::Value integer(int64_t value);
  mlir::Value integers(int64_t value);
  mlir::Value toInteger(mlir::Value index);
  mlir::Value toIndex(mlir::Value integer);
  mlir::Value splat(mlir::Value integer) { return b.broadcast(integer, lanes); }
  mlir::Value splatOf(mlir::Value index) { return splat(toInteger(index)); }
  mlir::Value iota();
  mlir::Value maskBits(mlir::Value mask); ///< i32
  mlir::Value maskCount(mlir::Value mask);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value x, mlir::Value y);
  mlir::Value pick(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value signedMin(mlir::Value x, mlir::Value y);
  mlir::Value signedMax(mlir::Value x, mlir::Value y);
  mlir::Value floorDiv(mlir::Value x, int64_t y);
  mlir::Value fillUp(mlir::Value count); ///< to a whole block
  Values ifElse(mlir::Value condition, llvm::function_ref<Values()> yes, llvm::function_ref<Values()> no);
  Values whileLoop(mlir::ValueRange init, llvm::function_ref<mlir::Value(mlir::ValueRange)> condition,
                   llvm::function_ref<Values(mlir::ValueRange)> body);

  KernelBuilder &b;
  SelectKernel &kernel;
  SelectScratch place;
  VectorMath math;
  unsigned lanes, registers;
};

} // namespace tamis
