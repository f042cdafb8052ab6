// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parts of a dense layer of integers, private to its kernel.
#pragma once

#include "codegen/schedule/Schedule.h"
#include "codegen/tile/LinearEpilogue.h"
#include "codegen/tile/PackPanels.h"
#include "codegen/tile/RowBytes.h"
#include "codegen/tile/TileRegisters.h"
#include <algorithm>

namespace tamis {

/// A kernel in model form, taken apart.
struct ByteKernel {
  mutable model::IntegerLinearOp linear;
  llvm::SmallVector<mlir::Operation *> epilogue;
  mutable model::QuantizeRowsOp quantize; ///< what makes bytes of the rows; null where they are written as they are
  DimExpr rows;                           ///< product of all sizes but the last
  int64_t K = 0, N = 0;
};

/// Products of four that one instruction sums up.
inline constexpr int64_t kByteGroup = 4;
inline constexpr int64_t kTileRows = TileRegisters::kRows, kTileBytes = TileRegisters::kRowBytes;
/// Tiles of rows whose sums are held in registers at a time.
inline constexpr int64_t kTileBlocks = 2;
/// Scratch of a kernel of tiles: their configuration, then the sums of kTileBlocks of kPanelColumns columns.
inline constexpr int64_t kTileScratch =
    TileRegisters::kConfigurationBytes + kTileBlocks * kTileRows * kPanelColumns * 4;

/// Whether tile registers can multiply rows of K bytes; the target must have them.
inline bool fitsTiles(int64_t K) {
  return K > 0 && K % kTileBytes == 0;
}

/// Rows of a work group that computes all N columns of them, so that they can become bytes: they wait in scratch, in
/// half a megabyte of the second-level cache. 0 where N is too large for that, or no whole vectors.
inline int64_t wholeRows(int64_t N) {
  constexpr int64_t bytes = 512 << 10, most = 64, lanes = 16;
  int64_t rows = std::min(bytes / (std::max<int64_t>(N, 1) * 4), most) / kTileRows * kTileRows;
  return N % lanes == 0 && N > 0 ? rows : 0;
}

/// Emits the loops of one kernel. The bytes of the input are taken as unsigned, x' = x + 128 where they are signed,
/// those of the weight lie packed as signed, w' = w - 128 where they were not. With a = zx + (x' - x) and c = zw - (w -
/// w'):
///     sum (x - zx) (w - zw) = sum x' w' - a sum w' - c (sum x' - K a)
/// The sums over w' lie with the packed weight; those over x' are made where c is not known to be 0. Tile registers
/// take signed bytes as they are: then x' = x in the first product, and a = zx beside the sums over w'. So does
/// AArch64's dotprod, which takes no others: there x' = x - 128 in the first product where x is unsigned.
class ByteTiler {
public:
  ByteTiler(KernelBuilder &builder, const ByteKernel &kernel, const CpuTarget &target);

  void emit();

private:
  using Value = mlir::Value;

  void emitPanels();
  void emitWholeRows();
  void quantizeRow(Value row);
  void panelColumns(Value panel, Value low, Value high, int64_t columns);
  void rowTiles(Value panel, Value low, Value high, int64_t firstColumn, int64_t columns);
  void registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns);
  Value inputGroup(Value offset, int64_t count);
  Value dot(Value sum, Value x, Value w);
  Value pairs(Value sum, Value x, Value w);

  /// The same rows by tile registers, as many as are whole tiles; gives the first that is left. IntegerLinearTiles.cpp.
  Value tileRows(Value panel, Value low, Value high, int64_t columns);
  void tileBlocks(unsigned blocks, Value row, Value panel, int64_t columns);

  /// What the zero points and the changed signs add, for some columns of a panel.
  struct Corrections {
    llvm::SmallVector<Value> columnSums, columnZeros; ///< a vector each; null where they add nothing
  };
  Corrections corrections(Value panel, int64_t firstColumn, int64_t columns);
  /// Takes them from the sums of a row, a vector each, and writes what the epilogue makes of it. `shift`: x' - x, of
  /// the x' that were summed.
  void writeRow(Value row, Value panel, int64_t firstColumn, int64_t columns, llvm::ArrayRef<Value> sums,
                const Corrections &less, int64_t shift);
  EpiloguePlace place(Value row, Value panel, int64_t firstColumn, int64_t columns, unsigned vector);

  Value zeroPoint(Value modelValue, const EpiloguePlace &place, bool ofRow);
  Value rowSum(Value row);
  Value number(int64_t value, mlir::Type type);
  mlir::VectorType vectorOf(unsigned count, mlir::Type element) { return b.vectorType(count, element); }

  KernelBuilder &b;
  const ByteKernel &kernel;
  RegisterTile tile;
  unsigned lanes;
  bool hasDot;     ///< the target sums four products of bytes in one instruction
  bool dotsSigned; ///< of signed bytes by signed ones
  bool hasTiles;   ///< it has tile registers, and rows fill them
  int64_t groups, panelBytes;
  LinearEpilogue epilogue;
  TileRegisters registers;
  mlir::Type i32;
  Value input, weight, output;
  Value firstRow;   ///< of the work group, where rows wait in scratch
  int64_t waiting;  ///< where they do, in elements
  CpuTarget target; ///< what the kernel is for
  bool isSigned, fromUnsigned;
};

} // namespace tamis
