// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of bf16 in the tile registers of AMX: 16 rows by 32 numbers, times 32 numbers by 16 columns.
#include "codegen/tile/HalfLinearKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

namespace {
constexpr int64_t kTileRows = TileRegisters::kRows, kTileColumns = TileRegisters::kColumns;
constexpr int64_t kPanelTiles = kPanelColumns / kTileColumns;
/// Registers 0 to 5 hold sums, by blocks of rows; these the operands.
constexpr int64_t kInputRegister = HalfTiler::kTileBlocks * kPanelTiles, kWeightRegister = kInputRegister + 1;
static_assert(kWeightRegister < 8);
/// Bytes from one pair of rows of a packed panel to the next, and from one row of sums in scratch to the next.
constexpr int64_t kWeightStride = kPanelColumns * 4, kSumStride = kPanelColumns * int64_t(sizeof(float));
} // namespace

Value HalfTiler::tileRows(Value panel, Value low, Value high, int64_t columns) {
  for (int64_t blocks = kTileBlocks; blocks > 0; --blocks) {
    int64_t rows = blocks * kTileRows;
    Value next = b.add(low, b.mul(b.divFloor(b.sub(high, low), b.index(rows)), rows));
    b.loop(low, next, rows, [&](Value row) { tileBlocks(blocks, row, panel, columns); });
    low = next;
  }
  return low;
}

void HalfTiler::tileBlocks(unsigned blocks, Value row, Value panel, int64_t columns) {
  int64_t tiles = llvm::divideCeil(columns, kTileColumns);
  auto sumRegister = [&](int64_t block, int64_t column) { return block * kPanelTiles + column; };
  for (unsigned block = 0; block < blocks; ++block)
    for (int64_t column = 0; column < tiles; ++column)
      registers.zero(sumRegister(block, column));
  Value inputBase = b.mul(row, kernel.K), panelBase = b.mul(panel, panelElements);
  b.loop(b.index(0), b.index(kernel.K / kTileDepth), 1, [&](Value step) {
    Value weights = b.add(panelBase, b.mul(step, kTileDepth * kPanelColumns));
    for (unsigned block = 0; block < blocks; ++block) {
      Value rows = b.add(b.add(inputBase, block * kTileRows * kernel.K), b.mul(step, kTileDepth));
      registers.load(kInputRegister, linear.input, rows, kernel.K * kPair);
      // To and fro, so that every block begins with the columns that are there.
      for (int64_t i = 0; i < tiles; ++i) {
        int64_t column = block % 2 ? tiles - 1 - i : i;
        if (block == 0 || i > 0)
          registers.load(kWeightRegister, weight, b.add(weights, column * kTileColumns * kPair), kWeightStride);
        registers.multiply("tdpbf16ps", sumRegister(block, column), kInputRegister, kWeightRegister);
      }
    }
  });
  int64_t first = TileRegisters::kConfigurationBytes / int64_t(sizeof(float));
  for (unsigned block = 0; block < blocks; ++block)
    for (int64_t column = 0; column < tiles; ++column) {
      Value place = b.index(first + block * kTileRows * kPanelColumns + column * kTileColumns);
      registers.store(sumRegister(block, column), b.scratch(), place, kSumStride);
    }
  SmallVector<Value> starts;
  for (int64_t column = 0; column < tiles; ++column)
    starts.push_back(linear.start(place(row, panel, 0, columns, column)));
  b.loop(b.index(0), b.index(blocks * kTileRows), 1, [&](Value index) {
    for (int64_t column = 0; column < tiles; ++column) {
      Value place = b.add(b.mul(index, kPanelColumns), first + column * kTileColumns);
      Value sums = arith::AddFOp::create(b, b.loadVector(b.scratch(), place, lanes), starts[column]);
      linear.finish(sums, this->place(b.add(row, index), panel, 0, columns, column));
    }
  });
}
