// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the ops that take the place of an attention with a pattern, over its operands.
#pragma once

#include "dialects/sattn/SattnDialect.h"
#include "mlir/IR/Builders.h"

namespace tamis::sattn {

/// Types follow from the attention; ops are written where `builder` stands.
class PatternBuilder {
public:
  PatternBuilder(mlir::OpBuilder &builder, AttentionOp op);

  /// Means of blocks of `width` queries, or keys: `B x heads x blocks x D`.
  mlir::Value meansOfQueries(int64_t width);
  mlir::Value meansOfKeys(int64_t width);
  /// The same of other kinds, see `sattn.summarize`.
  mlir::Value summaryOfQueries(SummaryKind kind, int64_t width);
  mlir::Value summaryOfKeys(SummaryKind kind, int64_t width);
  /// Products of all vectors of two operands, tokens or summaries.
  mlir::Value score(mlir::Value queries, mlir::Value keys);
  /// Products of the means of blocks of `width` queries, of as many heads as keys have, and keys.
  mlir::Value scoreOfKeyHeads(mlir::Value queries, int64_t width);
  /// Numbers of columns in which two operands agree.
  mlir::Value agreement(mlir::Value queries, mlir::Value keys);
  /// Products over `heads` heads of queries and one of keys, summed with weights of each query.
  mlir::Value weightedScore(mlir::Value queries, mlir::Value keys, mlir::Value weights, int64_t heads);
  /// Tokens times a weight of theirs.
  mlir::Value linear(mlir::Value tokens, mlir::Value weight);
  /// The last `count` queries.
  mlir::Value lastQueries(const DimExpr &count);

  struct Weighing {
    WeighKind kind;
    double scale;
    int64_t width, rows, columns;
    DimExpr queries;
  };
  /// See `sattn.weigh`; in the attention's causal order, by its mask of keys.
  mlir::Value weigh(mlir::Value scores, const Weighing &weighing);
  /// See `sattn.bands`; rows of `rows` queries, items of `columns` keys.
  mlir::Value bands(int64_t rows, int64_t columns, int64_t before, int64_t after, int64_t sinks);

  struct Selection {
    BudgetKind kind;
    double value;
    DimExpr capacity;
    mlir::Value candidates = {};
    int64_t sinks = 0, local = 0;
    bool ordered = true; ///< causal order limits what is picked, if the attention is causal
    bool masked = true;  ///< and the mask of keys, if it has one
  };
  /// See `sattn.select`.
  mlir::Value select(mlir::Value scores, int64_t rows, int64_t columns, const Selection &selection);
  /// One row that holds the items of all.
  mlir::Value joinRows(mlir::Value index);
  /// See `sattn.diagonals`; rows of `rows` queries, items of `columns` keys.
  mlir::Value diagonals(mlir::Value distances, int64_t rows, int64_t columns);
  /// The attention over the union of indices.
  mlir::Value attend(mlir::ValueRange indices);

  mlir::Value query() { return op.getQuery(); }
  mlir::Value key() { return op.getKey(); }
  mlir::Value value() { return op.getValue(); }
  /// The attention's mask as a bool one, `B x 1 x 1 x K`; null when there is none.
  mlir::Value keyMask();
  /// In the order of PatternAttrInterface::weights.
  mlir::Value weight(unsigned number) { return op.getWeights()[number]; }
  /// For ops that this has no word for.
  mlir::OpBuilder &ops() { return builder; }
  mlir::Location loc() { return op.getLoc(); }
  AttentionOp attention() { return op; }
  int64_t heads() { return op.getHeads(); }
  int64_t kvHeads() { return op.getKvHeads(); }
  double scale() { return op.getScale().convertToDouble(); }
  bool isCausal() { return op.getCausal(); }
  const DimExpr &queries() const { return queryDims[1]; }
  const DimExpr &keys() const { return keyDims[1]; }

private:
  mlir::Value summary(SummaryKind kind, mlir::Value tokens, int64_t heads, int64_t width);
  Unit unitOf(int64_t columns) const { return columns == 1 ? Unit::token : Unit::block; }

  mlir::OpBuilder &builder;
  AttentionOp op;
  model::Dims queryDims, keyDims;
  mlir::Type element;
  mlir::Value knownKeyMask;
};

} // namespace tamis::sattn
