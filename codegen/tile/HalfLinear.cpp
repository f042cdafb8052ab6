// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Register-tiled products of bf16 with their epilogue.
#include "codegen/tile/HalfLinear.h"
#include "codegen/tile/HalfLinearKernel.h"
#include "codegen/tile/Linear.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

HalfTiler::HalfTiler(KernelBuilder &builder, const LinearKernel &kernel, const CpuTarget &target)
    : b(builder), kernel(kernel), linear(builder, kernel, target, linearRows(kernel.K)), registers(builder),
      tile(linearTile(target)), lanes(target.lanes), pairs(llvm::divideCeil(kernel.K, kPair)),
      panelElements(pairs * kPair * kPanelColumns) {
  auto has = [&](StringRef feature) { return llvm::is_contained(target.features, feature); };
  hasDot = lanes == 16 && has("avx512bf16");
  hasTiles = lanes == 16 && has("amx-bf16") && has("amx-tile") && fitsTiles(kernel.K);
  weight = b.bufferOf(LinearOp(kernel.linear).getWeight());
}

void HalfTiler::emit() {
  if (hasTiles)
    registers.configure();
  int64_t step = int64_t(tile.vectors) * lanes;
  linear.forGroups([&](Value panel, Value low, Value high, int64_t columns) {
    if (hasTiles) {
      low = tileRows(panel, low, high, columns);
      Value isLeft = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, low, high);
      return b.branch(isLeft, [&] { rowTiles(panel, low, high, 0, columns); });
    }
    for (int64_t first = 0; first < columns; first += step)
      rowTiles(panel, low, high, first, std::min(step, columns - first));
  });
  if (hasTiles)
    registers.release();
}

/// As few tiles as possible, as even as possible, as those of tileLinear.
void HalfTiler::rowTiles(Value panel, Value low, Value high, int64_t firstColumn, int64_t columns) {
  Value rows = b.sub(high, low);
  Value tiles = b.divFloor(b.add(rows, tile.rows - 1), b.index(tile.rows));
  Value fewer = b.divFloor(rows, tiles), larger = b.rem(rows, tiles);
  b.loop(b.index(0), tiles, 1, [&](Value index) {
    Value row = b.add(low, b.add(b.mul(index, fewer), b.minimum(index, larger)));
    Value isLarger = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, index, larger);
    Value count = arith::SelectOp::create(b, isLarger, b.add(fewer, 1), fewer);
    b.switchOver(count, llvm::to_vector(llvm::seq_inclusive(1u, tile.rows)),
                 [&](int64_t rows) { registerTile(rows, row, panel, firstColumn, columns); });
  });
}

EpiloguePlace HalfTiler::place(Value row, Value panel, int64_t firstColumn, int64_t columns, unsigned vector) {
  Value column = b.add(b.mul(panel, kPanelColumns), firstColumn + vector * lanes);
  return linear.place(row, column, columns - int64_t(vector) * lanes);
}

Value HalfTiler::bitsNumber(int64_t value, unsigned lanes) {
  auto type = b.vectorType(lanes, b.getI32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, b.getI32IntegerAttr(int32_t(value))));
}

/// The numbers of pairs as f32, where the target multiplies those: of a bf16 they are the upper half.
HalfTiler::Pairs HalfTiler::split(Value bits) {
  if (hasDot)
    return {bits, {}, {}};
  auto floats = b.vectorType(lanes);
  Value even = arith::ShLIOp::create(b, bits, bitsNumber(16, lanes));
  Value odd = arith::AndIOp::create(b, bits, bitsNumber(int32_t(0xffff0000), lanes));
  return {bits, vector::BitCastOp::create(b, floats, even), vector::BitCastOp::create(b, floats, odd)};
}

/// A pair of the input in every lane; with `count` 1 its first number, and 0.
HalfTiler::Pairs HalfTiler::inputPair(Value offset, int64_t count) {
  Type i32 = b.getI32Type();
  Value word;
  if (count == kPair)
    word = vector::ExtractOp::create(
        b, vector::BitCastOp::create(b, b.vectorType(1, i32), b.loadVector(linear.input, offset, kPair)), int64_t(0));
  else // behind the last row nothing may be read
    word = arith::ExtUIOp::create(b, i32, b.load(linear.input, offset));
  return split(b.broadcast(word, lanes));
}

HalfTiler::Pairs HalfTiler::weightPairs(Value offset) {
  Value halves = b.loadVector(weight, offset, lanes * kPair);
  return split(vector::BitCastOp::create(b, b.vectorType(lanes, b.getI32Type()), halves));
}

/// sum + the two products in each lane.
Value HalfTiler::dot(Value sum, const Pairs &x, const Pairs &w) {
  if (!hasDot)
    return vector::FMAOp::create(b, x.odd, w.odd, vector::FMAOp::create(b, x.even, w.even, sum));
  auto halves = b.vectorType(lanes * kPair, b.getBF16Type());
  return LLVM::CallIntrinsicOp::create(b, TypeRange(sum.getType()), b.getStringAttr("llvm.x86.avx512bf16.dpbf16ps.512"),
                                       ValueRange{sum, vector::BitCastOp::create(b, halves, x.bits),
                                                  vector::BitCastOp::create(b, halves, w.bits)},
                                       LLVM::FastmathFlagsAttr{})
      .getResults();
}

void HalfTiler::registerTile(unsigned rows, Value row, Value panel, int64_t firstColumn, int64_t columns) {
  unsigned vectors = llvm::divideCeil(columns, lanes);
  SmallVector<Value> first, sums; // sums: [rows][vectors]
  for (unsigned j = 0; j < vectors; ++j)
    first.push_back(linear.start(place(row, panel, firstColumn, columns, j)));
  for (unsigned i = 0; i < rows; ++i)
    llvm::append_range(sums, first);
  Value inputBase = b.mul(row, kernel.K);
  Value weightBase = b.add(b.mul(panel, panelElements), firstColumn * kPair);
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < vectors; ++j)
      b.prefetchForWrite(linear.output, place(b.add(row, i), panel, firstColumn, columns, j).offset);
  auto step = [&](Value pair, int64_t count) {
    SmallVector<Pairs> weights;
    Value weightRow = b.add(weightBase, b.mul(pair, kPanelColumns * kPair));
    for (unsigned j = 0; j < vectors; ++j)
      weights.push_back(weightPairs(b.add(weightRow, j * lanes * kPair)));
    Value inputColumn = b.add(inputBase, b.mul(pair, kPair));
    for (unsigned i = 0; i < rows; ++i) {
      Pairs x = inputPair(b.add(inputColumn, i * kernel.K), count);
      for (unsigned j = 0; j < vectors; ++j)
        sums[i * vectors + j] = dot(sums[i * vectors + j], x, weights[j]);
    }
  };
  sums = b.loop(b.index(0), b.index(kernel.K / kPair), 1, sums, [&](Value pair, ValueRange carried) {
    sums = SmallVector<Value>(carried);
    step(pair, kPair);
    return sums;
  });
  if (kernel.K % kPair)
    step(b.index(pairs - 1), 1);
  for (unsigned i = 0; i < rows; ++i)
    for (unsigned j = 0; j < vectors; ++j)
      linear.finish(sums[i * vectors + j], place(b.add(row, i), panel, firstColumn, columns, j));
}

LogicalResult tamis::tileHalfLinear(func::FuncOp function, const CpuTarget &target) {
  auto kernel = LinearKernel::analyse(function);
  if (failed(kernel))
    return failure();
  if (kernel->linear.getTransposed())
    return kernel->linear.emitOpError("has a transposed weight");
  KernelBuilder builder(function);
  HalfTiler(builder, *kernel, target).emit();
  builder.finish();
  return success();
}

Launch tamis::halfLinearLaunch(func::FuncOp function) {
  Launch launch = linearLaunch(function);
  for (auto linear : function.getOps<LinearOp>())
    if (HalfTiler::fitsTiles(cast<RankedTensorType>(linear.getInput().getType()).getShape().back()))
      launch.scratchBytes = HalfTiler::kTileScratch;
  return launch;
}
