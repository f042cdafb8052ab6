// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of bytes in the tile registers of AMX: 16 rows by 64 bytes, times 64 bytes by 16 columns.
#include "codegen/tile/IntegerLinearKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
constexpr int64_t kTileColumns = TileRegisters::kColumns;
constexpr int64_t kPanelTiles = kPanelColumns / kTileColumns;
/// Registers 0 to 5 hold sums, by blocks of rows; these the operands.
constexpr int64_t kInputRegister = kTileBlocks * kPanelTiles, kWeightRegister = kInputRegister + 1;
static_assert(kWeightRegister < 8);
/// Bytes from one step of kByteGroup of a packed panel to the next, and from one row of sums in scratch to the next.
constexpr int64_t kWeightStride = kPanelColumns * kByteGroup, kSumStride = kPanelColumns * int64_t(sizeof(int32_t));
} // namespace

Value ByteTiler::tileRows(Value panel, Value low, Value high, int64_t columns) {
  for (int64_t blocks = kTileBlocks; blocks > 0; --blocks) {
    int64_t rows = blocks * kTileRows;
    Value next = b.add(low, b.mul(b.divFloor(b.sub(high, low), b.index(rows)), rows));
    b.loop(low, next, rows, [&](Value row) { tileBlocks(blocks, row, panel, columns); });
    low = next;
  }
  return low;
}

void ByteTiler::tileBlocks(unsigned blocks, Value row, Value panel, int64_t columns) {
  int64_t tiles = llvm::divideCeil(columns, kTileColumns);
  auto sumRegister = [&](int64_t block, int64_t column) { return block * kPanelTiles + column; };
  for (unsigned block = 0; block < blocks; ++block)
    for (int64_t column = 0; column < tiles; ++column)
      registers.zero(sumRegister(block, column));
  Value inputBase = b.mul(row, kernel.K), panelBase = b.mul(panel, panelBytes);
  b.loop(b.index(0), b.index(kernel.K / kTileBytes), 1, [&](Value step) {
    Value weights = b.add(panelBase, b.mul(step, kTileBytes / kByteGroup * kWeightStride));
    for (unsigned block = 0; block < blocks; ++block) {
      Value rows = b.add(b.add(inputBase, block * kTileRows * kernel.K), b.mul(step, kTileBytes));
      registers.load(kInputRegister, input, rows, kernel.K);
      // To and fro, so that every block begins with the columns that are there.
      for (int64_t i = 0; i < tiles; ++i) {
        int64_t column = block % 2 ? tiles - 1 - i : i;
        if (block == 0 || i > 0)
          registers.load(kWeightRegister, weight, b.add(weights, column * kTileColumns * kByteGroup), kWeightStride);
        registers.multiply(isSigned ? "tdpbssd" : "tdpbusd", sumRegister(block, column), kInputRegister,
                           kWeightRegister);
      }
    }
  });
  int64_t first = TileRegisters::kConfigurationBytes / int64_t(sizeof(float));
  for (unsigned block = 0; block < blocks; ++block)
    for (int64_t column = 0; column < tiles; ++column) {
      Value place = b.index(first + block * kTileRows * kPanelColumns + column * kTileColumns);
      registers.store(sumRegister(block, column), b.scratch(), place, kSumStride);
    }
  Corrections less = corrections(panel, 0, columns);
  b.loop(b.index(0), b.index(blocks * kTileRows), 1, [&](Value index) {
    SmallVector<Value> sums;
    for (int64_t column = 0; column < tiles; ++column) {
      Value place = b.add(b.mul(index, kPanelColumns), first + column * kTileColumns);
      sums.push_back(vector::BitCastOp::create(b, vectorOf(lanes, i32), b.loadVector(b.scratch(), place, lanes)));
    }
    writeRow(b.add(row, index), panel, 0, columns, sums, less, /*shift=*/0);
  });
}
