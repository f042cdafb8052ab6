// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of matrices on GPUs: tiles in shared memory, matrix instructions, an epilogue in registers.
#include "codegen/nvptx/GpuEpilogue.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/nvptx/GpuPackedWeight.h"
#include "codegen/nvptx/GpuWgmmaLinear.h"
#include "codegen/nvptx/LargestSize.h"
#include "codegen/schedule/GpuSchedule.h"
#include "codegen/schedule/Schedule.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
using Values = SmallVector<Value>;
constexpr int64_t kDepth = GpuLinearSchedule::depth;

/// Emits one kernel. A tile of the input is `rows` x 32 of f16, one of the weight 32 x `columns`; blocks of 16 bytes
/// change places within a row by the row's number, so that eight rows of a matrix lie in different banks. Weights that
/// are packed in memory become f32 in registers, and are rounded as others are.
class GpuLinearTiler {
public:
  GpuLinearTiler(KernelBuilder &builder, LinearOp linear, ArrayRef<Operation *> ops, const GpuLinearSchedule &schedule,
                 const DimExpr &rowCount, const std::optional<PackedWeight> &packed)
      : b(builder), gpu(builder), epilogue(gpu, linear, ops), tile(schedule), T(schedule.threads()),
        rows(gpu.size(rowCount)), thread(gpu.thread()), lane(thread % kWarp), warpRow(thread), warpColumn(thread),
        groupRow(rows), groupColumn(rows), base(gpu.sharedBase()) {
    input = b.bufferOf(linear.getInput());
    weight = packed ? Value() : b.bufferOf(linear.getWeight());
    if (packed)
      unpacker.emplace(gpu, *packed).setTile(kDepth, tile.columns, T);
    K = cast<RankedTensorType>(linear.getInput().getType()).getShape().back();
    N = cast<RankedTensorType>(linear.getType()).getShape().back();
    tiles = llvm::divideCeil(K, kDepth);
    Number warp = thread / kWarp;
    int64_t across = tile.columns / tile.warpColumns;
    warpRow = warp / across * tile.warpRows;
    warpColumn = warp % across * tile.warpColumns;
    int64_t groupsAcross = llvm::divideCeil(N, tile.columns);
    groupRow = gpu.group() / groupsAcross * tile.rows;
    groupColumn = gpu.group() % groupsAcross * tile.columns;
  }

  void emit(bool isHalf) {
    Values sums(tile.warpRows / 16 * (tile.warpColumns / 8) * 4, gpu.f32(0));
    addressOperands();
    if (tiles > 0)
      sums = isHalf ? copyThrough(sums) : convertThrough(sums);
    writeResult(sums);
    b.finish();
  }

private:
  int64_t inputBytes() const { return tile.rows * kDepth * 2; }
  /// Of operands as they are rounded; what that leaves, if it counts, lies behind it alike.
  int64_t roundedBytes() const { return inputBytes() + tile.columns * kDepth * 2; }
  int64_t stageBytes() const { return tile.isSplit ? 2 * roundedBytes() : roundedBytes(); }

  // What a step of 16 along K reads: see GpuBuilder::loadMatrices.

  void addressOperands() {
    Number row = lane % 16, half = lane / 16;
    Number place = half ^ (row / 2 % 4);
    for (int64_t step = 0; step < 2; ++step)
      inputAddresses.push_back((warpRow + row) * (kDepth * 2) + (place ^ (2 * step)) * 16);
    for (int64_t j = 0; j < tile.warpColumns / 16; ++j) {
      Number block = warpColumn / 8 + half + 2 * j;
      weightAddresses.push_back(row * (tile.columns * 2) + (block ^ (lane % 8)) * 16 + inputBytes());
    }
  }

  /// sums += the tile in the stage at `stage`, an address.
  Values multiplyStage(Number stage, Values sums) {
    Values inputs, weights;
    SmallVector<Number> inputAt, weightAt;
    for (Number &address : inputAddresses)
      inputAt.push_back(address + stage);
    for (Number &address : weightAddresses)
      weightAt.push_back(address + stage);
    int64_t across = tile.warpColumns / 8;
    for (int64_t step = 0; step < kDepth / 16; ++step) {
      using Matrices = SmallVector<std::array<Value, 4>>;
      auto inputFrom = [&](int64_t offset) {
        Matrices a;
        for (int64_t i = 0; i < tile.warpRows / 16; ++i)
          a.push_back(gpu.loadMatrices(inputAt[step], offset + i * 16 * kDepth * 2, /*transposed=*/false));
        return a;
      };
      auto weightFrom = [&](int64_t offset) {
        Matrices w;
        for (int64_t j = 0; j < across / 2; ++j)
          w.push_back(gpu.loadMatrices(weightAt[j], offset + step * 16 * tile.columns * 2, /*transposed=*/true));
        return w;
      };
      auto multiply = [&](const Matrices &a, const Matrices &w) {
        for (size_t i = 0; i < a.size(); ++i)
          for (int64_t j = 0; j < across; ++j) {
            MutableArrayRef<Value> c = MutableArrayRef(sums).slice((i * across + j) * 4, 4);
            auto next = gpu.multiply(a[i], ArrayRef(w[j / 2]).slice(j % 2 * 2, 2), c);
            llvm::copy(next, c.begin());
          }
      };
      Matrices a = inputFrom(0), w = weightFrom(0);
      multiply(a, w);
      if (tile.isSplit) {
        multiply(inputFrom(roundedBytes()), w);
        multiply(a, weightFrom(roundedBytes()));
      }
    }
    return sums;
  }

  // Operands of f16: copied in the background, several stages ahead.

  Values copyThrough(Values sums) {
    Type half = gpu.narrow(), index = b.getIndexType();
    // Threads side by side copy blocks of 16 bytes side by side.
    int64_t inputBlocks = kDepth / 8, weightBlocks = tile.columns / 8;
    Number inputRow = thread / inputBlocks, inputBlock = thread % inputBlocks;
    Number weightRow = thread / weightBlocks, weightBlock = thread % weightBlocks;
    int64_t inputRows = T / inputBlocks, weightRows = T / weightBlocks;
    Number inputPlace = inputRow * (kDepth * 2) + (inputBlock ^ (inputRow / 2 % 4)) * 16;
    Number weightPlace = weightRow * (tile.columns * 2) + (weightBlock ^ (weightRow % 8)) * 16 + inputBytes();
    // Rows and columns that do not exist are read as the last, and not written.
    Values pointers;
    Number inputColumn = inputBlock.as(index) * 8;
    for (int64_t i = 0; i < tile.rows / inputRows; ++i) {
      Number row = (groupRow + inputRow.as(index) + i * inputRows).minimum(rows - 1);
      pointers.push_back(gpu.pointer(input, half, row * K + inputColumn));
    }
    Number weightColumn = (groupColumn + weightBlock.as(index) * 8).minimum(gpu.index(N - 8));
    Number firstRow = weightRow.as(index);
    pointers.push_back(gpu.pointer(weight, half, firstRow * N + weightColumn));
    bool isRagged = K % kDepth != 0;

    auto advance = [&](Values from) {
      size_t last = from.size() - 1;
      for (size_t i = 0; i < last; ++i)
        from[i] = advanced(from[i], kDepth * 2);
      from[last] = advanced(from[last], kDepth * N * 2);
      return from;
    };
    auto copy = [&](Number stage, ArrayRef<Value> from, Number number) {
      Value valid;
      if (isRagged) { // of this block's 16 bytes; K is a multiple of 8
        Number column = number * kDepth + inputColumn;
        valid = gpu.select(column < K, gpu.i32(16), gpu.i32(0));
      }
      for (auto [i, pointer] : llvm::enumerate(from.drop_back())) {
        Value source = pointer;
        if (isRagged)
          source = gpu.select(number * kDepth + inputColumn < K, pointer, gpu.pointer(input, half, gpu.index(0)));
        gpu.copyAsync(stage + inputPlace, i * inputRows * kDepth * 2, source, valid);
      }
      for (int64_t i = 0; i < kDepth / weightRows; ++i) {
        Value source = advanced(from.back(), i * weightRows * N * 2);
        if (isRagged) { // any row does where the input is zero, and the weight is finite
          Number row = (number * kDepth + firstRow + i * weightRows).minimum(gpu.index(K - 1));
          source = gpu.pointer(weight, half, row * N + weightColumn);
        }
        gpu.copyAsync(stage + weightPlace, i * weightRows * tile.columns * 2, source);
      }
    };
    for (int64_t s = 0; s + 1 < tile.stages; ++s) {
      if (s < tiles) {
        copy(base + s * stageBytes(), pointers, gpu.index(s));
        pointers = advance(pointers);
      }
      gpu.commitCopies();
    }
    Values carried{base, base + (tile.stages - 1) * stageBytes()};
    size_t sumsAt = carried.size(), pointersAt = sumsAt + sums.size();
    llvm::append_range(carried, sums);
    llvm::append_range(carried, pointers);
    Number end = base + tile.stages * stageBytes();
    auto following = [&](Number stage) {
      Number next = stage + stageBytes();
      return Number(b, gpu.select(next == end, base, next));
    };
    carried = b.loop(gpu.index(0), gpu.index(tiles), 1, carried, [&](Value number, ValueRange before) {
      Number stage(b, before[0]), into(b, before[1]);
      Values from(before.drop_front(pointersAt));
      gpu.waitCopies(tile.stages - 2);
      gpu.barrier(); // all have come, and nobody reads the stage that is written next
      Number ahead = Number(b, number) + (tile.stages - 1);
      b.branch(ahead < tiles, [&] { copy(into, from, ahead); });
      gpu.commitCopies();
      Values after{following(stage), following(into)};
      llvm::append_range(after, multiplyStage(stage, Values(before.slice(sumsAt, sums.size()))));
      llvm::append_range(after, advance(from));
      return after;
    });
    gpu.waitCopies(0);
    return Values(ArrayRef(carried).slice(sumsAt, sums.size()));
  }

  Value advanced(Value pointer, int64_t bytes) {
    if (bytes == 0)
      return pointer;
    return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
  }

  // Operands of f32: through registers, where they are rounded; two stages.

  Values convertThrough(Values sums) {
    Type f32 = b.getF32Type(), index = b.getIndexType();
    // A thread takes four neighbours: a warp reads whole sectors.
    int64_t inputBlocks = kDepth / 4, weightBlocks = tile.columns / 4;
    Number inputRow = thread / inputBlocks, inputBlock = thread % inputBlocks;
    Number weightRow = thread / weightBlocks, weightBlock = thread % weightBlocks;
    int64_t inputRows = T / inputBlocks, weightRows = T / weightBlocks;
    auto place = [](Number block, Number swizzle) { return ((block / 2) ^ swizzle) * 16 + block % 2 * 8; };
    Number inputPlace = inputRow * (kDepth * 2) + place(inputBlock, inputRow / 2 % 4) + base;
    Number weightPlace = weightRow * (tile.columns * 2) + inputBytes() + base;
    // Rows of the weight differ by less than eight between a thread's parts where the tile is wide.
    SmallVector<Number> weightPlaces;
    for (int64_t i = 0; i < kDepth / weightRows; ++i)
      weightPlaces.push_back(weightPlace + place(weightBlock, (weightRow + i * weightRows) % 8));

    Number inputColumn = inputBlock.as(index) * 4;
    SmallVector<Number> inputOffsets;
    for (int64_t i = 0; i < tile.rows / inputRows; ++i)
      inputOffsets.push_back((groupRow + inputRow.as(index) + i * inputRows).minimum(rows - 1) * K);
    // Panels hold columns of whole blocks of four; those beyond the last panel are read as its end, and not written.
    Number column = (groupColumn + weightBlock.as(index) * 4).minimum(gpu.index(llvm::alignTo(N, kPanelColumns) - 4));
    Number weightOffset = column / kPanelColumns * (K * kPanelColumns) + column % kPanelColumns;
    Number firstRow = weightRow.as(index);
    bool isRagged = K % kDepth != 0;

    auto four = [&](Value pointer) { return gpu.loadParts(VectorType::get({4}, f32), pointer, 16); };
    auto fetch = [&](Number number) {
      Values values;
      Number k = number * kDepth + inputColumn;
      for (Number &offset : inputOffsets) {
        if (!isRagged) {
          llvm::append_range(values, four(gpu.pointer(input, f32, offset + k)));
          continue;
        }
        for (int64_t i = 0; i < 4; ++i) {
          Number own = (k + i).minimum(gpu.index(K - 1));
          Value x = gpu.load(f32, gpu.pointer(input, f32, offset + own), 4);
          values.push_back(gpu.select(k + i < K, x, gpu.f32(0)));
        }
      }
      if (unpacker) {
        unpacker->fetchTile(number, groupColumn, N, values);
        return values;
      }
      for (int64_t i = 0; i < kDepth / weightRows; ++i) {
        Number row = number * kDepth + firstRow + i * weightRows;
        if (isRagged) // any row does where the input is zero, and the weight is finite
          row = row.minimum(gpu.index(K - 1));
        llvm::append_range(values, four(gpu.pointer(weight, f32, weightOffset + row * kPanelColumns)));
      }
      return values;
    };
    auto put = [&](Number stage, ArrayRef<Value> values) {
      auto store = [&](Number address, int64_t offset) {
        storeFour(address + stage, offset, values);
        values = values.drop_front(4);
      };
      for (size_t i = 0; i < inputOffsets.size(); ++i)
        store(inputPlace, i * inputRows * kDepth * 2);
      if (unpacker)
        return unpacker->putTile(values, [&](Number row, Number block, ArrayRef<Value> four) {
          storeFour(base + stage + row * (tile.columns * 2) + place(block, row % 8), inputBytes(), four);
        });
      for (auto [i, place] : llvm::enumerate(weightPlaces))
        store(place, i * weightRows * tile.columns * 2);
    };
    put(gpu.i32(0), fetch(gpu.index(0)));
    gpu.barrier();
    Values carried{gpu.i32(0)};
    llvm::append_range(carried, sums);
    carried = b.loop(gpu.index(1), gpu.index(tiles), 1, carried, [&](Value number, ValueRange before) {
      Number stage(b, before[0]), into = stage.like(stageBytes()) - stage;
      Values values = fetch(Number(b, number));
      Values after{into};
      llvm::append_range(after, multiplyStage(base + stage, Values(before.drop_front())));
      put(into, values);
      gpu.barrier();
      return after;
    });
    return multiplyStage(base + Number(b, carried[0]), Values(ArrayRef(carried).drop_front()));
  }

  /// Four neighbours of a row, rounded; what that takes of them, if it counts.
  void storeFour(Number address, int64_t offset, ArrayRef<Value> x) {
    gpu.storeShared(address, offset, {gpu.pack(x[0], x[1]), gpu.pack(x[2], x[3])});
    if (!tile.isSplit)
      return;
    Values rest;
    for (Value each : x.take_front(4))
      rest.push_back(gpu.lostByRounding(each));
    gpu.storeShared(address, offset + roundedBytes(), {gpu.pack(rest[0], rest[1]), gpu.pack(rest[2], rest[3])});
  }

  void writeResult(ArrayRef<Value> sums) {
    Type index = b.getIndexType();
    Number row = groupRow + (warpRow + lane / 4).as(index),
           column = groupColumn + (warpColumn + lane % 4 * 2).as(index);
    epilogue.writeTile(sums, row, column, tile.warpColumns, 16, rows, N % tile.columns == 0);
  }

  KernelBuilder &b;
  GpuBuilder gpu;
  GpuEpilogue epilogue;
  GpuLinearSchedule tile;
  int64_t T; ///< threads
  int64_t K = 0, N = 0, tiles = 0;
  Number rows;                                         // index
  Number thread, lane;                                 // i32
  Number warpRow, warpColumn;                          // i32: of the group's tile
  Number groupRow, groupColumn;                        // index: of the result
  Number base;                                         // i32: of shared memory
  SmallVector<Number> inputAddresses, weightAddresses; // i32, from a stage's beginning
  Value input, weight;
  std::optional<GpuPackedWeight> unpacker; ///< of weights that are packed; `weight` is null then
};
} // namespace

FailureOr<GpuLaunch> tamis::tileGpuLinear(func::FuncOp kernel, const GpuTarget &target) {
  if (!kernel.getOps<IntegerLinearOp>().empty())
    return tileGpuIntegerLinear(kernel, target);
  auto linears = kernel.getOps<LinearOp>();
  if (linears.empty() || !llvm::hasSingleElement(kernel.getBody()))
    return kernel.emitOpError("has no model.linear to tile");
  LinearOp linear = *linears.begin();
  auto packed = PackedWeight::of(linear.getWeight());
  SmallVector<Value> operands(linear->getOperands());
  if (packed) {
    llvm::erase(operands, linear.getWeight());
    for (Value operand : packed->op->getOperands())
      if (operand != packed->op.getZeroPoint() || packed->zeroPoints())
        operands.push_back(operand);
  }
  for (Value operand : operands)
    if (!isa<BlockArgument>(operand))
      return linear.emitOpError("has an operand that is no argument of its kernel");
  auto elementOf = [](Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); };
  Type element = elementOf(linear.getInput());
  bool isHalf = element.isF16() || element.isBF16();
  if (!(element.isF32() || isHalf) || elementOf(linear.getWeight()) != element)
    return linear.emitOpError() << "has operands of type " << linear.getInput().getType() << " and "
                                << linear.getWeight().getType() << " but f32, f16 or bf16 is wanted";
  if (elementOf(linear.getResult()) != element)
    return linear.emitOpError() << "multiplies " << element << " for results of " << elementOf(linear.getResult())
                                << ", as --precision=bf16 has it on CPUs, but --gpu-precision=bf16 is wanted on GPUs";
  auto ops = GpuEpilogue::analyse(linear);
  if (failed(ops))
    return failure();
  GpuLinearShape shape;
  DimExpr rows = product(ArrayRef<DimExpr>(dimsOf(linear.getInput().getType())).drop_back());
  shape.rows = typicalOf(rows, symbolsOf(kernel));
  shape.K = cast<RankedTensorType>(linear.getInput().getType()).getShape().back();
  shape.columns = cast<RankedTensorType>(linear.getType()).getShape().back();
  shape.isHalf = isHalf;
  if (shape.isHalf && (shape.K % 8 || shape.columns % 8 || linear.getTransposed()))
    return linear.emitOpError() << "of " << (element.isF16() ? "f16" : "bf16") << " has " << shape.K << " rows and "
                                << shape.columns << " columns of weights, but multiples of 8, rows first, are wanted";
  shape.isSplit = !shape.isHalf && kernel->hasAttr(kGpuSplit);
  if (target.hasWarpGroups() && !shape.isSplit)
    return tileGpuWgmmaLinear(linear, *ops, shape, rows, packed, target);
  GpuLaunch launch;
  auto wanted = kernel->getAttrOfType<StringAttr>(kGpuTile);
  auto schedule = GpuLinearSchedule::decide(target, shape, wanted ? std::optional(wanted.getValue()) : std::nullopt,
                                            launch.decision);
  launch.grid = DimExpr::floorDiv(rows + (schedule.rows - 1), schedule.rows) *
                int64_t(llvm::divideCeil(shape.columns, schedule.columns));
  launch.threads = schedule.threads();
  launch.sharedBytes = schedule.sharedBytes();
  launch.schedule = schedule.str(target, shape.isHalf);
  KernelBuilder builder(kernel);
  GpuLinearTiler(builder, linear, *ops, schedule, rows, packed).emit(shape.isHalf);
  return launch;
}
