// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loops of dense layers of f32, and what those of bf16 share with them.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/LinearEpilogue.h"

namespace tamis {

/// A kernel in model form, taken apart.
struct LinearKernel {
  model::LinearOp linear;
  llvm::SmallVector<mlir::Operation *> epilogue;
  DimExpr rows; ///< product of all sizes but the last
  int64_t K = 0, N = 0;

  /// Fails with a diagnostic on what neither tileLinear nor tileHalfLinear takes.
  static llvm::FailureOr<LinearKernel> analyse(mlir::func::FuncOp kernel);
};

class LinearTiler {
public:
  /// `blockRows`: of a work group.
  LinearTiler(KernelBuilder &builder, const LinearKernel &kernel, const CpuTarget &target, int64_t blockRows);

  /// A panel of weights of f32, [K][kPanelColumns].
  struct Panel {
    mlir::Value index;
    mlir::Value weights, base; ///< a buffer, and the element of it where the panel begins
    mlir::Value next;          ///< the element where the panel begins that is read next, or null
    int64_t columns;           ///< that exist
  };

  /// Every work group: `body(panel, first row, row behind the last, columns)`, the last once for each number of them.
  void forGroups(llvm::function_ref<void(mlir::Value panel, mlir::Value low, mlir::Value high, int64_t columns)> body);
  /// Rows [low, high) of the input times a panel, and what follows.
  void multiply(const Panel &panel, mlir::Value low, mlir::Value high);

  /// A vector of the result: columns [column, column + lanes), of which `valid` exist.
  EpiloguePlace place(mlir::Value row, mlir::Value column, int64_t valid);
  /// What sums of those columns start with: the bias, or zeros.
  mlir::Value start(const EpiloguePlace &place);
  /// Computes what follows the sums, and stores it.
  void finish(mlir::Value sums, const EpiloguePlace &place);

  mlir::Value input, output;

private:
  void rowTiles(const Panel &panel, mlir::Value low, mlir::Value high, int64_t firstColumn, int64_t columns);
  void registerTile(unsigned rows, mlir::Value row, const Panel &panel, int64_t firstColumn, int64_t columns,
                    mlir::Value prefetch, mlir::Value stride);

  KernelBuilder &b;
  const LinearKernel &kernel;
  RegisterTile tile;
  unsigned lanes;
  int64_t blockRows;
  LinearEpilogue epilogue;
  mlir::Value bias;
};

} // namespace tamis
