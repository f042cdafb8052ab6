// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of matrices on sm_90a: tiles in swizzled shared memory, which wgmma reads by itself.
#include "codegen/nvptx/GpuWgmmaLinear.h"

#include "codegen/nvptx/GpuEpilogue.h"
#include "codegen/nvptx/GpuPackedWeight.h"
#include "codegen/nvptx/GpuWgmma.h"
#include "codegen/schedule/GpuWgmmaSchedule.h"
#include "codegen/schedule/Schedule.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
using Values = SmallVector<Value>;
constexpr int64_t kDepth = GpuWgmmaSchedule::depth, kRowBytes = 128, kPanel = 64;

/// Emits one kernel. A stage has `rows` rows of the input, 64 of K, and panels of 64 columns of the weight, 64 rows
/// of K; all rows are 128 bytes long. What lies in which row follows from the thread alone, so that a thread's blocks
/// are swizzled alike.
class GpuWgmmaLinearTiler {
public:
  GpuWgmmaLinearTiler(KernelBuilder &builder, LinearOp linear, ArrayRef<Operation *> ops,
                      const GpuWgmmaSchedule &schedule, const DimExpr &rowCount,
                      const std::optional<PackedWeight> &packed)
      : b(builder), gpu(builder), wgmma(gpu), epilogue(gpu, linear, ops), tile(schedule), T(schedule.threads()),
        rows(gpu.size(rowCount)), thread(gpu.thread()), groupRow(rows), groupColumn(rows), base(gpu.sharedBase()) {
    input = b.bufferOf(linear.getInput());
    weight = packed ? Value() : b.bufferOf(linear.getWeight());
    if (packed)
      unpacker.emplace(gpu, *packed).setTile(kDepth, tile.columns, T);
    K = cast<RankedTensorType>(linear.getInput().getType()).getShape().back();
    N = cast<RankedTensorType>(linear.getType()).getShape().back();
    tiles = llvm::divideCeil(K, kDepth);
    int64_t groupsAcross = llvm::divideCeil(N, tile.columns);
    groupRow = gpu.group() / groupsAcross * tile.rows;
    groupColumn = gpu.group() % groupsAcross * tile.columns;
  }

  void emit(bool isHalf) {
    Values sums(tile.parts() * tile.columns / 2, gpu.f32(0));
    if (tiles > 0)
      sums = isHalf ? copyThrough(sums) : convertThrough(sums);
    Type index = b.getIndexType();
    Number lane = thread % kWarp, row = thread / 128 * (tile.parts() * 64) + thread % 128 / kWarp * 16 + lane / 4;
    epilogue.writeTile(sums, groupRow + row.as(index), groupColumn + (lane % 4 * 2).as(index), tile.columns, 64, rows,
                       N % tile.columns == 0);
    b.finish();
  }

private:
  int64_t inputBytes() const { return tile.rows * kRowBytes; }
  int64_t stageBytes() const { return inputBytes() + tile.columns * kRowBytes; }

  /// sums += the tile in the stage at `stage`, an address; they are not to be touched before wgmma.wait.
  Values multiplyStage(Number stage, ArrayRef<Value> sums) {
    Number own = stage + thread / 128 * (tile.parts() * 64 * kRowBytes);
    GpuSharedMatrix left{own, kRowBytes}, right{stage + inputBytes(), kRowBytes, kPanel * kRowBytes};
    SmallVector<GpuProductStep> steps;
    for (int64_t step = 0; step < kDepth / 16; ++step)
      for (int64_t part = 0; part < tile.parts(); ++part)
        steps.push_back({part, {}, part * 64 * kRowBytes + step * 32, step * 16 * kRowBytes});
    return wgmma.multiply(&left, right, /*isRightTurned=*/true, steps, tile.parts(), tile.columns, sums,
                          /*waits=*/false);
  }

  /// Where a row's block of 16 bytes lies, from its tile's beginning; blocks beyond the eighth are of further panels.
  static Number placeOf(Number row, Number block) {
    return block / 8 * (kPanel * kRowBytes) + row * kRowBytes + ((block % 8) ^ (row % 8)) * 16;
  }

  // Operands of f16: copied in the background, several stages ahead.

  Values copyThrough(Values sums) {
    Type half = gpu.narrow(), index = b.getIndexType();
    int64_t inputBlocks = kDepth / 8, weightBlocks = tile.columns / 8;
    Number inputRow = thread / inputBlocks, inputBlock = thread % inputBlocks;
    Number weightRow = thread / weightBlocks, weightBlock = thread % weightBlocks;
    int64_t inputRows = T / inputBlocks, weightRows = T / weightBlocks;
    Number inputPlace = placeOf(inputRow, inputBlock), weightPlace = placeOf(weightRow, weightBlock) + inputBytes();
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
      for (Value &pointer : MutableArrayRef(from).drop_back())
        pointer = advanced(pointer, kDepth * 2);
      from.back() = advanced(from.back(), kDepth * N * 2);
      return from;
    };
    auto copy = [&](Number stage, ArrayRef<Value> from, Number number) {
      Value valid, exists;
      if (isRagged) { // of this block's 16 bytes; K is a multiple of 8
        exists = number * kDepth + inputColumn < K;
        valid = gpu.select(exists, gpu.i32(16), gpu.i32(0));
      }
      for (auto [i, pointer] : llvm::enumerate(from.drop_back())) {
        Value source = isRagged ? gpu.select(exists, pointer, gpu.pointer(input, half, gpu.index(0))) : pointer;
        gpu.copyAsync(stage + inputPlace, i * inputRows * kRowBytes, source, valid);
      }
      for (int64_t i = 0; i < kDepth / weightRows; ++i) {
        Value source = advanced(from.back(), i * weightRows * N * 2);
        if (isRagged) { // any row does where the input is zero, and the weight is finite
          Number row = (number * kDepth + firstRow + i * weightRows).minimum(gpu.index(K - 1));
          source = gpu.pointer(weight, half, row * N + weightColumn);
        }
        gpu.copyAsync(stage + weightPlace, i * weightRows * kRowBytes, source);
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
      wgmma.fenceShared();
      gpu.barrier(); // all have come, and nobody reads the stage that is written next
      Values after = multiplyStage(stage, Values(before.slice(sumsAt, sums.size())));
      Number ahead = Number(b, number) + (tile.stages - 1);
      b.branch(ahead < tiles, [&] { copy(into, from, ahead); });
      gpu.commitCopies();
      Values next{following(stage), following(into)};
      llvm::append_range(next, wgmma.wait(after));
      llvm::append_range(next, advance(from));
      return next;
    });
    gpu.waitCopies(0);
    return Values(ArrayRef(carried).slice(sumsAt, sums.size()));
  }

  Value advanced(Value pointer, int64_t bytes) {
    if (bytes == 0)
      return pointer;
    return LLVM::GEPOp::create(b, pointer.getType(), b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
  }

  // Operands of f32: rounded on their way, while the products of the stage before are computed; two stages.

  Values convertThrough(Values sums) {
    Type f32 = b.getF32Type(), index = b.getIndexType();
    // A thread takes four neighbours: a warp reads whole sectors.
    int64_t inputBlocks = kDepth / 4, weightBlocks = tile.columns / 4;
    Number inputRow = thread / inputBlocks, inputBlock = thread % inputBlocks;
    Number weightRow = thread / weightBlocks, weightBlock = thread % weightBlocks;
    int64_t inputRows = T / inputBlocks, weightRows = T / weightBlocks;
    auto place = [](Number row, Number block) { return placeOf(row, block / 2) + block % 2 * 8; };
    Number inputPlace = place(inputRow, inputBlock) + base;
    SmallVector<Number> weightPlaces; // rows less than eight apart are swizzled otherwise
    for (int64_t i = 0; i < kDepth / weightRows; ++i)
      weightPlaces.push_back(place(weightRow + i * weightRows, weightBlock) + inputBytes() + base);

    Number inputColumn = inputBlock.as(index) * 4;
    SmallVector<Number> inputOffsets;
    for (int64_t i = 0; i < tile.rows / inputRows; ++i)
      inputOffsets.push_back((groupRow + inputRow.as(index) + i * inputRows).minimum(rows - 1) * K);
    // Panels in memory hold columns of whole blocks of four; those beyond the last are read as its end, not written.
    Number column = (groupColumn + weightBlock.as(index) * 4).minimum(gpu.index(llvm::alignTo(N, kPanelColumns) - 4));
    Number weightOffset = column / kPanelColumns * (K * kPanelColumns) + column % kPanelColumns;
    Number firstRow = weightRow.as(index);
    bool isRagged = K % kDepth != 0;

    auto four = [&](Value pointer) { return gpu.loadParts(VectorType::get({4}, f32), pointer, 16); };
    auto put = [&](Number address, int64_t offset, ArrayRef<Value> x) {
      gpu.storeShared(address, offset, {gpu.pack(x[0], x[1]), gpu.pack(x[2], x[3])});
    };
    auto fill = [&](Number stage, Number number) {
      SmallVector<Values> inputs, weights;
      Number k = number * kDepth + inputColumn;
      for (Number &offset : inputOffsets) {
        Values &values = inputs.emplace_back();
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
      Values packed;
      if (unpacker)
        unpacker->fetchTile(number, groupColumn, N, packed);
      for (int64_t i = 0; !unpacker && i < kDepth / weightRows; ++i) {
        Number row = number * kDepth + firstRow + i * weightRows;
        if (isRagged) // any row does where the input is zero, and the weight is finite
          row = row.minimum(gpu.index(K - 1));
        llvm::append_range(weights.emplace_back(), four(gpu.pointer(weight, f32, weightOffset + row * kPanelColumns)));
      }
      for (auto [i, values] : llvm::enumerate(inputs))
        put(inputPlace + stage, i * inputRows * kRowBytes, values);
      for (auto [i, values] : llvm::enumerate(weights))
        put(weightPlaces[i] + stage, 0, values);
      if (unpacker)
        unpacker->putTile(packed, [&](Number row, Number block, ArrayRef<Value> four) {
          put(place(row, block) + inputBytes() + base + stage, 0, four);
        });
      wgmma.fenceShared();
    };
    fill(gpu.i32(0), gpu.index(0));
    gpu.barrier();
    Values carried{gpu.i32(0)};
    llvm::append_range(carried, sums);
    carried = b.loop(gpu.index(1), gpu.index(tiles), 1, carried, [&](Value number, ValueRange before) {
      Number stage(b, before[0]), into = stage.like(stageBytes()) - stage;
      Values after = multiplyStage(base + stage, Values(before.drop_front()));
      fill(into, Number(b, number));
      Values next{into};
      llvm::append_range(next, wgmma.wait(after));
      gpu.barrier();
      return next;
    });
    return wgmma.wait(multiplyStage(base + Number(b, carried[0]), Values(ArrayRef(carried).drop_front())));
  }

  KernelBuilder &b;
  GpuBuilder gpu;
  GpuWgmma wgmma;
  GpuEpilogue epilogue;
  GpuWgmmaSchedule tile;
  int64_t T; ///< threads
  int64_t K = 0, N = 0, tiles = 0;
  Number rows;                  // index
  Number thread;                // i32
  Number groupRow, groupColumn; // index: of the result
  Number base;                  // i32: of shared memory
  Value input, weight;
  std::optional<GpuPackedWeight> unpacker; ///< of weights that are packed; `weight` is null then
};
} // namespace

GpuLaunch tamis::tileGpuWgmmaLinear(LinearOp linear, ArrayRef<Operation *> ops, const GpuLinearShape &shape,
                                    const DimExpr &rows, const std::optional<PackedWeight> &packed,
                                    const GpuTarget &target) {
  auto kernel = cast<func::FuncOp>(linear->getParentOp());
  auto wanted = kernel->getAttrOfType<StringAttr>(kGpuTile);
  GpuLaunch launch;
  auto schedule = GpuWgmmaSchedule::decide(target, shape, wanted ? std::optional(wanted.getValue()) : std::nullopt,
                                           launch.decision);
  launch.grid = DimExpr::floorDiv(rows + (schedule.rows - 1), schedule.rows) *
                int64_t(llvm::divideCeil(shape.columns, schedule.columns));
  launch.threads = schedule.threads();
  launch.sharedBytes = schedule.sharedBytes();
  launch.schedule = schedule.str(target, shape.isHalf);
  KernelBuilder builder(kernel);
  GpuWgmmaLinearTiler(builder, linear, ops, schedule, rows, packed).emit(shape.isHalf);
  return launch;
}
