// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Instructions on tile registers, as LLVM's intrinsics.
#include "codegen/tile/TileRegisters.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;

/// The address of an element of a buffer.
Value TileRegisters::pointer(Value buffer, Value offset) {
  int64_t bytes = cast<MemRefType>(buffer.getType()).getElementTypeBitWidth() / 8;
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, buffer);
  address = arith::IndexCastOp::create(b, b.getI64Type(), b.add(address, b.mul(offset, bytes)));
  return LLVM::IntToPtrOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), address);
}

void TileRegisters::call(StringRef name, ArrayRef<int64_t> registers, ValueRange more) {
  SmallVector<Value> operands;
  for (int64_t number : registers)
    operands.push_back(LLVM::ConstantOp::create(b, b.getI8Type(), b.getI8IntegerAttr(int8_t(number))));
  llvm::append_range(operands, more);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.x86." + name.str()), operands);
}

/// All registers whole: palette 1, then at byte 16 bytes a row and at byte 48 rows of each.
void TileRegisters::configure() {
  SmallVector<int32_t> words(kConfigurationBytes / 4);
  words[0] = 1;
  for (int64_t number = 0; number < 8; ++number) {
    words[4 + number / 2] |= int32_t(kRowBytes) << (16 * (number % 2));
    words[12 + number / 4] |= int32_t(kRows) << (8 * (number % 4));
  }
  auto type = b.vectorType(words.size(), b.getI32Type());
  Value configuration = arith::ConstantOp::create(b, type, DenseIntElementsAttr::get(type, words));
  b.storeVector(vector::BitCastOp::create(b, b.vectorType(words.size(), b.getF32Type()), configuration), b.scratch(),
                b.index(0));
  call("ldtilecfg", {}, pointer(b.scratch(), b.index(0)));
}

void TileRegisters::release() {
  call("tilerelease", {});
}

void TileRegisters::zero(int64_t number) {
  call("tilezero", {number});
}

void TileRegisters::load(int64_t number, Value buffer, Value offset, int64_t strideBytes) {
  Value stride = LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(strideBytes));
  call("tileloadd64", {number}, {pointer(buffer, offset), stride});
}

void TileRegisters::store(int64_t number, Value buffer, Value offset, int64_t strideBytes) {
  Value stride = LLVM::ConstantOp::create(b, b.getI64Type(), b.getI64IntegerAttr(strideBytes));
  call("tilestored64", {number}, {pointer(buffer, offset), stride});
}

void TileRegisters::multiply(StringRef instruction, int64_t sums, int64_t left, int64_t right) {
  call(instruction, {sums, left, right});
}
