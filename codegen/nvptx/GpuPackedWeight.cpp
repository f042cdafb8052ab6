// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packed weights to numbers, and rows of tables that are packed.
#include "codegen/nvptx/GpuPackedWeight.h"

#include "codegen/nvptx/GpuKernels.h"
#include "codegen/schedule/Schedule.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

GpuPackedWeight::Values GpuPackedWeight::loadUnits(Value operand, Number panel, Number group, Number column,
                                                   unsigned columns) {
  Type element = cast<RankedTensorType>(operand.getType()).getElementType();
  bool isUnsigned = element.isUnsignedInteger();
  Type stored = element.isF32() || element.isF16() ? element : Type(b.getI8Type());
  Number at = (panel * weight.groups + group) * kPanelColumns + column;
  Value pointer = gpu.pointer(b.bufferOf(operand), stored, at);
  unsigned bytes = stored.getIntOrFloatBitWidth() / 8 * columns;
  Values units = columns == 1 ? Values{gpu.load(stored, pointer, bytes)}
                              : gpu.loadParts(VectorType::get({int64_t(columns)}, stored), pointer, bytes);
  for (Value &unit : units)
    if (element.isF16())
      unit = arith::ExtFOp::create(b, b.getF32Type(), unit);
    else if (!element.isF32() && isUnsigned)
      unit = arith::UIToFPOp::create(b, b.getF32Type(), unit);
    else if (!element.isF32())
      unit = arith::SIToFPOp::create(b, b.getF32Type(), unit);
  return units;
}

GpuPackedWeight::Values GpuPackedWeight::fetch(Number word, Number column, unsigned columns) {
  DequantizeOp op = weight.op;
  Number panel = column / kPanelColumns, within = column % kPanelColumns, group = word * perWord() / weight.group;
  Type i32 = b.getI32Type();
  Value pointer = gpu.pointer(b.bufferOf(op.getInput()), i32, (panel * words() + word) * kPanelColumns + within);
  Values values = columns == 1 ? Values{gpu.load(i32, pointer, 4)}
                               : gpu.loadParts(VectorType::get({int64_t(columns)}, i32), pointer, 4 * columns);
  for (Value operand : {Value(op.getScale()), weight.zeroPoints(), Value(op.getMinimum())})
    if (operand)
      llvm::append_range(values, loadUnits(operand, panel, group, within, columns));
  return values;
}

GpuPackedWeight::Values GpuPackedWeight::unpack(ArrayRef<Value> fetched, unsigned columns) {
  DequantizeOp op = weight.op;
  auto take = [&](bool exists) {
    ArrayRef<Value> part = exists ? fetched.take_front(columns) : ArrayRef<Value>();
    fetched = fetched.drop_front(part.size());
    return part;
  };
  ArrayRef<Value> words = take(true), scales = take(true), zeros = take(bool(weight.zeroPoints())),
                  minima = take(bool(op.getMinimum()));
  // What is taken from each stored integer: both are whole numbers that f32 holds.
  Value offset = gpu.f32(double(weight.lift() + weight.uniformZero.value_or(0)));
  Value mask = gpu.i32((int64_t(1) << weight.bits) - 1);
  Values numbers;
  for (int64_t i = 0; i < perWord(); ++i)
    for (unsigned c = 0; c < columns; ++c) {
      Value bits = arith::ShRUIOp::create(b, words[c], gpu.i32(i * weight.bits));
      Value x = arith::SIToFPOp::create(b, b.getF32Type(), arith::AndIOp::create(b, bits, mask));
      x = gpu.sub(x, offset);
      if (!zeros.empty())
        x = gpu.sub(x, zeros[c]);
      x = gpu.mul(x, scales[c]);
      numbers.push_back(minima.empty() ? x : gpu.add(x, minima[c]));
    }
  return numbers;
}

void GpuPackedWeight::setTile(int64_t tileDepth, int64_t tileColumns, int64_t tileThreads) {
  depth = tileDepth;
  columns = tileColumns;
  threads = tileThreads;
}

void GpuPackedWeight::fetchTile(Number number, Number firstColumn, int64_t N, Values &values) {
  Type index = b.getIndexType();
  int64_t across = columns / 4, perTile = depth / perWord();
  Number most = gpu.index(llvm::alignTo(N, kPanelColumns) - 4);
  for (int64_t turn = 0; turn < turns(); ++turn) {
    Number part = (gpu.thread() + turn * threads).minimum(gpu.i32(parts() - 1));
    Number column = (firstColumn + (part % across).as(index) * 4).minimum(most);
    Number word = (number * perTile + (part / across).as(index)).minimum(gpu.index(words() - 1));
    llvm::append_range(values, fetch(word, column, 4));
  }
}

void GpuPackedWeight::putTile(ArrayRef<Value> values, llvm::function_ref<void(Number, Number, ArrayRef<Value>)> store) {
  int64_t across = columns / 4, each = int64_t(values.size()) / turns();
  for (int64_t turn = 0; turn < turns(); ++turn, values = values.drop_front(each)) {
    Number part = gpu.thread() + turn * threads, block = part % across, firstRow = part / across * perWord();
    auto put = [&] {
      Values numbers = unpack(values.take_front(each), 4);
      for (int64_t i = 0; i < perWord(); ++i)
        store(firstRow + i, block, ArrayRef(numbers).slice(4 * i, 4));
    };
    if ((turn + 1) * threads <= parts())
      put();
    else
      b.branch(part < parts(), put);
  }
}

/// As tilePackedLookup (PackedLookup.h): a warp a row, a word a lane. An id that is out of range ends the launch.
FailureOr<GpuLaunch> tamis::tileGpuLookup(func::FuncOp kernel, const GpuTarget &) {
  constexpr int64_t warps = 4;
  auto embeddings = kernel.getOps<EmbeddingOp>();
  auto table = embeddings.empty() ? std::nullopt : PackedWeight::of((*embeddings.begin()).getTable());
  if (!table)
    return kernel.emitOpError("has no model.embedding of a packed table to tile");
  EmbeddingOp embedding = *embeddings.begin();
  for (Operation &op : kernel.front().without_terminator())
    if (&op != embedding && &op != table->op && !isa<model::ConstantOp>(op))
      return op.emitOpError("cannot be computed with a look-up");
  DimExpr rows = product(dimsOf(embedding.getIds().getType()));
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(rows + (warps - 1), warps);
  launch.threads = warps * kWarp;
  launch.schedule = "one row a warp";

  KernelBuilder b(kernel);
  GpuBuilder gpu(b);
  GpuPackedWeight weight(gpu, *table);
  Number thread = gpu.thread().as(b.getIndexType()), lane = thread % kWarp, row = gpu.group() * warps + thread / kWarp;
  b.branch(row < gpu.size(rows), [&] {
    Value id = arith::IndexCastOp::create(b, b.getIndexType(), b.load(b.bufferOf(embedding.getIds()), row));
    Number own(b, id), count = gpu.index(table->outputs);
    own = Number(b, gpu.select(own < 0, own + count, own));
    gpu.trapIf(arith::CmpIOp::create(b, arith::CmpIPredicate::uge, own, count));
    int64_t per = weight.perWord();
    b.loop(lane, b.index(weight.words()), kWarp, [&](Value word) {
      auto numbers = weight.unpack(weight.fetch(Number(b, word), own, 1), 1);
      for (int64_t i = 0; i < per; ++i) {
        Number column = Number(b, word) * per + i;
        auto store = [&] { b.store(numbers[i], b.result(0), row * table->depth + column); };
        if (table->depth % per)
          b.branch(column < table->depth, store);
        else
          store();
      }
    });
  });
  b.finish();
  return launch;
}
