// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which ops of a model are computed together.
#pragma once

#include "dialects/plan/PlanDialect.h"
#include "lib/support/DimExpr.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallVector.h"
#include <string>
#include <vector>

namespace tamis {

/// Ops that become one kernel, in program order, computed where the last one stands.
struct Cluster {
  plan::KernelKind kind;
  llvm::SmallVector<mlir::Operation *> ops;

  /// Values of theirs that other ops use, all of them behind the last one; its own where there are none.
  llvm::SmallVector<mlir::Value> results() const;
};

/// Partitions the ops of a model function into clusters, in an order in which they can run. Reshapes between clusters
/// and weight-only expressions are in none. May clone cheap ops that several clusters read.
/// `rowsApart`: quantizations of rows are no part of linears.
std::vector<Cluster> formClusters(mlir::func::FuncOp function, bool rowsApart = false);

/// A name after what the cluster does: `linear_gelu_384x1536`.
std::string nameOf(const Cluster &cluster);

/// Floating-point operations, and bytes read and written, of the whole cluster.
struct Cost {
  DimExpr flops, bytes;
};
Cost costOf(const Cluster &cluster);

} // namespace tamis
