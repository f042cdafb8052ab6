// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel of one selection, taken apart.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "codegen/tile/AttentionKernel.h"
#include "dialects/sattn/SattnDialect.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {

/// Vectors that are multiplied: tokens, or summaries of blocks of them.
struct ScoreOperand {
  ColumnRange tokens;
  int64_t columns = 0;        ///< of one head of the tokens
  DimExpr tokenCount, count;  ///< count: of vectors
  sattn::SummarizeOp summary; ///< null: the tokens themselves
  mlir::BlockArgument mask;   ///< tokens that the summary is of; null: all
};

/// Scores that are sums of softmax weights of other scores.
struct WeighedScores {
  sattn::WeighOp op; ///< null: scores are selected from as they are
  mlir::BlockArgument mask;
  DimExpr queries, rows, columns; ///< rows and columns of the scores that are weighed
};

/// A selection among what another one of the same rows selected, by products of tokens.
struct RefinedSelection {
  sattn::SelectOp op; ///< null: what is selected first is all
  ScoreOperand query, key;
  int64_t groupSize = 0, D = 0;
  DimExpr capacity;
};

struct SelectKernel {
  sattn::SelectOp op;
  sattn::BandsOp candidates;    ///< null: all items
  sattn::CoarsenOp coarsen;     ///< null: rows are stored as they are selected
  sattn::DiagonalsOp diagonals; ///< null: what is selected is stored, and no diagonals
  ScoreOperand query, key;      ///< of no use where scores are given
  ScoreOperand headWeights;     ///< without tokens: heads are not summed
  mlir::BlockArgument scores;   ///< null: products of queries and keys
  WeighedScores weighed;
  RefinedSelection refined;
  mlir::BlockArgument mask; ///< keys that may be read; null: all
  DimExpr batch, queries, keys, rows, items;
  int64_t heads = 0, groupSize = 0; ///< groupSize: heads that share a key head
  int64_t summedHeads = 0;          ///< heads of scores that are summed with weights to one; 0: they are not
  bool isAgreement = false;         ///< columns are compared, not multiplied
  int64_t D = 0;                    ///< columns of the vectors that are multiplied; 0 where scores are given
  int64_t R = 0, C = 0;             ///< queries of a row, 0: all; keys of an item
  DimExpr capacity;                 ///< of a selected row
  DimExpr flagCount;                ///< items of rows that are joined or gathered from diagonals
  DimExpr storedRows, storedCapacity;

  /// Rows that a stored row joins; 0: all.
  int64_t joinedRows() const;
  /// Stored rows of a work group: as many as make what is prepared for their head cheap beside them.
  DimExpr groupRows() const;
  /// Work groups of a head.
  DimExpr groupCount() const { return DimExpr::floorDiv(storedRows + groupRows() - 1, groupRows()); }
  /// Rows whose scores are computed together.
  int64_t tileRows() const;
  /// Items that `rows` rows next to each other may read at most, those before `items` ends aside. Candidates alone.
  int64_t extentOf(int64_t rows) const;
  /// Scores that are multiplied for a row of a tile at most.
  DimExpr positions() const;

  /// Fails with a diagnostic on what tileSelect does not take.
  static llvm::FailureOr<SelectKernel> analyse(mlir::func::FuncOp kernel);

private:
  llvm::LogicalResult analyseProduct(sattn::ScoreOp score);
  llvm::LogicalResult analyseGiven();
  llvm::LogicalResult analyseRefined(sattn::SelectOp candidates);
};

/// The rank (SelectTiler.h) of the least f32 that is no smaller than a threshold.
int32_t rankOfThreshold(double number);

/// Where things lie in a thread's scratch, in f32 elements, as sizes of the kernel; every part begins at 256 bytes.
struct SelectScratch {
  /// Arrays of positions are filled up to a multiple of this many, on every target.
  static constexpr int64_t kBlock = 64;

  DimExpr queries;     ///< [tileRows][paddedD]
  DimExpr headWeights; ///< [tileRows], of heads that are summed
  DimExpr staged;      ///< [16][paddedD], summaries of keys before they are transposed
  DimExpr scores;      ///< [tileRows][stride], then keys of their order
  DimExpr weights;     ///< [stride], softmax before it is normalised; of budgets of mass
  DimExpr survivors;   ///< [stride + kBlock], keys of a row among which the last one kept is
  DimExpr kept;        ///< [items, filled up], i32: whether the mask keeps the item; with masks
  DimExpr keptColumns; ///< the same of columns of scores that are weighed
  DimExpr sums;        ///< [items, filled up], after a block that diagonals may write to; of scores that are weighed
  DimExpr refined;     ///< [capacity + kBlock], scores of items that are selected from again
  DimExpr found;       ///< [capacity + kBlock], i32: those items
  DimExpr distances;   ///< [capacity], i32, of diagonals
  DimExpr list;        ///< [capacity + kBlock], i32: the items of a row
  DimExpr flags;       ///< [flagCount, filled up], i32: whether the row that is gathered holds the item
  DimExpr packed;      ///< [stride / kBlock][D][kBlock], keys transposed
  DimExpr total;
  DimExpr stride; ///< positions, filled up
  int64_t paddedD;

  explicit SelectScratch(const SelectKernel &kernel);
};

} // namespace tamis
