// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of bytes in the tile registers of AMX: 16 rows by 64 bytes, times 64 bytes by 16 columns.
#include "codegen/tile/IntegerLinearKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
constexpr int64_t kTileColumns = 16; ///< of i32
constexpr int64_t kPanelTiles = kPanelColumns / kTileColumns;
/// Registers 0 to 5 hold sums, by blocks of rows; these the operands.
constexpr int64_t kInputRegister = kTileBlocks * kPanelTiles, kWeightRegister = kInputRegister + 1;
static_assert(kWeightRegister < 8);
/// Bytes from one step of kByteGroup of a packed panel to the next, and from one row of sums in scratch to the next.
constexpr int64_t kWeightStride = kPanelColumns * kByteGroup, kSumStride = kPanelColumns * int64_t(sizeof(int32_t));
constexpr int64_t kConfigurationBytes = 64;
} // namespace

/// The address of an element of a buffer.
Value ByteTiler::pointer(Value buffer, Value offset) {
  int64_t bytes = cast<MemRefType>(buffer.getType()).getElementTypeBitWidth() / 8;
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, buffer);
  address = arith::IndexCastOp::create(b, b.getI64Type(), b.add(address, b.mul(offset, bytes)));
  return LLVM::IntToPtrOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), address);
}

/// An instruction on tile registers, which are numbers in it.
void ByteTiler::tileCall(StringRef name, ArrayRef<int64_t> registers, ValueRange more) {
  SmallVector<Value> operands;
  for (int64_t number : registers)
    operands.push_back(LLVM::ConstantOp::create(b, b.getI8Type(), b.getI8IntegerAttr(int8_t(number))));
  llvm::append_range(operands, more);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.x86." + name.str()), operands);
}

/// All registers whole: palette 1, then at byte 16 bytes a row and at byte 48 rows of each.
void ByteTiler::configureTiles() {
  SmallVector<int32_t> words(kConfigurationBytes / 4);
  words[0] = 1;
  for (int64_t number = 0; number < 8; ++number) {
    words[4 + number / 2] |= int32_t(kTileBytes) << (16 * (number % 2));
    words[12 + number / 4] |= int32_t(kTileRows) << (8 * (number % 4));
  }
  auto type = vectorOf(words.size(), i32);
  Value configuration = arith::ConstantOp::create(b, type, DenseIntElementsAttr::get(type, words));
  b.storeVector(vector::BitCastOp::create(b, vectorOf(words.size(), b.getF32Type()), configuration), b.scratch(),
                b.index(0));
  tileCall("ldtilecfg", {}, pointer(b.scratch(), b.index(0)));
}

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
  auto i64 = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(value));
  };
  for (unsigned block = 0; block < blocks; ++block)
    for (int64_t column = 0; column < tiles; ++column)
      tileCall("tilezero", {sumRegister(block, column)});
  Value inputBase = b.mul(row, kernel.K), panelBase = b.mul(panel, panelBytes);
  b.loop(b.index(0), b.index(kernel.K / kTileBytes), 1, [&](Value step) {
    Value weights = b.add(panelBase, b.mul(step, kTileBytes / kByteGroup * kWeightStride));
    for (unsigned block = 0; block < blocks; ++block) {
      Value rows = b.add(b.add(inputBase, block * kTileRows * kernel.K), b.mul(step, kTileBytes));
      tileCall("tileloadd64", {kInputRegister}, {pointer(input, rows), i64(kernel.K)});
      // To and fro, so that every block begins with the columns that are there.
      for (int64_t i = 0; i < tiles; ++i) {
        int64_t column = block % 2 ? tiles - 1 - i : i;
        if (block == 0 || i > 0)
          tileCall("tileloadd64", {kWeightRegister},
                   {pointer(weight, b.add(weights, column * kTileColumns * kByteGroup)), i64(kWeightStride)});
        tileCall(isSigned ? "tdpbssd" : "tdpbusd", {sumRegister(block, column), kInputRegister, kWeightRegister});
      }
    }
  });
  int64_t first = kConfigurationBytes / int64_t(sizeof(float));
  for (unsigned block = 0; block < blocks; ++block)
    for (int64_t column = 0; column < tiles; ++column) {
      Value place = b.index(first + block * kTileRows * kPanelColumns + column * kTileColumns);
      tileCall("tilestored64", {sumRegister(block, column)}, {pointer(b.scratch(), place), i64(kSumStride)});
    }
  Corrections less = corrections(panel, 0, columns);
  b.loop(b.index(0), b.index(blocks * kTileRows), 1, [&](Value index) {
    SmallVector<Value> sums;
    for (int64_t column = 0; column < tiles; ++column) {
      Value place = b.add(b.mul(index, kPanelColumns), first + column * kTileColumns);
      sums.push_back(vector::BitCastOp::create(b, vectorOf(lanes, i32), b.loadVector(b.scratch(), place, lanes)));
    }
    writeRow(b.add(row, index), panel, 0, columns, sums, less, /*shifted=*/false);
  });
}
