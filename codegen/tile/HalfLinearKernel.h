// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The parts of a dense layer of bf16, private to its kernel.
#pragma once

#include "codegen/tile/LinearTiler.h"
#include "codegen/tile/TileRegisters.h"

namespace tamis {

/// Emits the loops of one kernel.
class HalfTiler {
public:
  HalfTiler(KernelBuilder &builder, const LinearKernel &kernel, const CpuTarget &target);

  void emit();

  /// Products of two that one step sums up, and so many numbers that a row of a tile register holds.
  static constexpr int64_t kPair = 2, kTileDepth = TileRegisters::kRowBytes / 2;
  /// Tiles of rows whose sums are held in registers at a time.
  static constexpr int64_t kTileBlocks = 2;
  /// Scratch of a kernel of tiles: their configuration, then the sums of kTileBlocks of kPanelColumns columns.
  static constexpr int64_t kTileScratch =
      TileRegisters::kConfigurationBytes + kTileBlocks * TileRegisters::kRows * kPanelColumns * int64_t(sizeof(float));
  /// Whether tile registers can multiply rows of K numbers; the target must have them.
  static bool fitsTiles(int64_t K) { return K > 0 && K % kTileDepth == 0; }

private:
  using Value = mlir::Value;
  /// A pair of numbers in each lane, as the target multiplies them: bits, or both as f32.
  struct Pairs {
    Value bits, even, odd;
  };

  void rowTiles(Value panel, Value low, Value high, int64_t firstColumn, int64_t columns);
  void registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns);
  Pairs inputPair(Value offset, int64_t count);
  Pairs weightPairs(Value offset);
  Pairs split(Value bits);
  Value dot(Value sum, const Pairs &x, const Pairs &w);
  Value bitsNumber(int64_t value, unsigned lanes);

  /// The same rows by tile registers, as many as are whole tiles; gives the first that is left. HalfLinearTiles.cpp.
  Value tileRows(Value panel, Value low, Value high, int64_t columns);
  void tileBlocks(unsigned blocks, Value row, Value panel, int64_t columns);
  EpiloguePlace place(Value row, Value panel, int64_t firstColumn, int64_t columns, unsigned vector);

  KernelBuilder &b;
  const LinearKernel &kernel;
  LinearTiler linear;
  TileRegisters registers;
  RegisterTile tile;
  unsigned lanes;
  bool hasDot;   ///< the target sums two products of bf16 in one instruction
  bool hasTiles; ///< it has tile registers, and rows fill them
  int64_t pairs, panelElements;
  Value weight;
};

} // namespace tamis
