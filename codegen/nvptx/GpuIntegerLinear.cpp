// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dense layers of 8-bit integers on GPUs: matrix instructions of bytes, whose sums are the integers of every target.
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/schedule/Schedule.h"
#include "codegen/tile/LinearEpilogue.h"
#include "codegen/tile/PackPanels.h"
#include "codegen/tile/VectorMath.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using arith::CmpIPredicate;

namespace {
using Values = SmallVector<Value>;
/// Of a work group's tile; two panels of packed weights side by side, four warps of 32 x 48.
constexpr int64_t kRows = 64, kPanels = 2, kColumns = kPanels * kPanelColumns, kWarpRows = 32, kWarps = 4;
constexpr int64_t kThreads = kWarps * kWarp, kStages = 3;
/// Bytes along K of a stage, and packed words of four of them.
constexpr int64_t kDepth = 64, kWords = kDepth / 4;
/// Bytes of a row of words in shared memory: the lanes of a fragment, four rows of eight columns, lie in all banks.
constexpr int64_t kWordPitch = (kColumns + 8) * 4;
constexpr int64_t kInputBytes = kRows * kDepth, kStageBytes = kInputBytes + kWords * kWordPitch;
constexpr int64_t kAcross = kPanelColumns / 8, kDown = kWarpRows / 16; ///< matrices of a warp's sums

Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

/// Emits one kernel. With w' the packed weight (packBytePanels), which is w - 128 where w is unsigned, zx and zw the
/// zero points and c = zw - (w - w'):
///     sum (x - zx) (w - zw) = sum x w' - zx sum w' - c (sum x - K zx)
/// The sums over w' lie behind each panel; those over x, where c is not known to be 0, are one more matrix of ones.
class GpuIntegerLinearTiler {
public:
  GpuIntegerLinearTiler(KernelBuilder &builder, IntegerLinearOp linear, ArrayRef<Operation *> ops,
                        const DimExpr &rowCount)
      : b(builder), gpu(builder), math(builder), linear(linear), ops(ops), rows(gpu.size(rowCount)),
        thread(gpu.thread()), lane(thread % kWarp), warpRow(thread), warpColumn(thread), groupRow(rows), panel(rows),
        base(gpu.sharedBase()) {
    input = b.bufferOf(linear.getInput());
    weight = b.bufferOf(linear.getWeight());
    auto type = cast<RankedTensorType>(linear.getWeight().getType());
    K = type.getDimSize(0);
    N = type.getDimSize(1);
    groups = llvm::divideCeil(K, 4);
    panelBytes = packedBytePanelBytes(K, 1);
    panels = llvm::divideCeil(N, kPanelColumns);
    tiles = llvm::divideCeil(K, kDepth);
    fromUnsigned = type.getElementType().isUnsignedInteger();
    sumsRows = linear.getWeightZeroPoint() || fromUnsigned;
    Number warp = thread / kWarp;
    warpRow = warp / kPanels * kWarpRows;
    warpColumn = warp % kPanels * kPanelColumns;
    int64_t across = llvm::divideCeil(panels, kPanels);
    groupRow = gpu.group() / across * kRows;
    panel = gpu.group() % across * kPanels;
  }

  void emit() {
    Values sums(kDown * kAcross * 4 + (sumsRows ? kDown * 4 : 0), gpu.i32(0).value());
    if (tiles > 0)
      sums = multiplyAll(sums);
    writeResult(sums);
    b.finish();
  }

  static int64_t sharedBytes() { return kStages * kStageBytes; }

private:
  Number toIndex(Number x) { return x.as(b.getIndexType()); }
  Value select(Value condition, Number yes, Number no) { return gpu.select(condition, yes, no); }

  /// A stage: bytes [number * kDepth, ...) of the rows, and the words of the weight that they meet.
  void fill(Number stage, Number number) {
    Type byte = b.getI8Type();
    // Blocks of 16 bytes, which change places within a row by the row's number: see GpuLinearTiler.
    constexpr int64_t across = kDepth / 16, rowsAtOnce = kThreads / across;
    Number row = thread / across, block = thread % across, k = number * kDepth + toIndex(block) * 16;
    Number to = stage + row * kDepth + (block ^ (row / 2 % 4)) * 16;
    for (int64_t i = 0; i < kRows / rowsAtOnce; ++i) {
      // Rows that do not exist are read as the last, and not written.
      Number start = (groupRow + toIndex(row) + i * rowsAtOnce).minimum(rows - 1) * K;
      int64_t below = i * rowsAtOnce * kDepth;
      if (K % 16 == 0) {
        Value exists = k < K;
        Number from(b, gpu.select(exists, start + k, start));
        gpu.copyAsync(to, below, gpu.pointer(input, byte, from), gpu.select(exists, gpu.i32(16), gpu.i32(0)));
        continue;
      }
      Values words;
      for (int64_t w = 0; w < 4; ++w)
        words.push_back(wordOf(start, k + 4 * w));
      gpu.storeShared(to, below, words);
    }
    // Rows of words: those behind K's end meet zeros of the input.
    constexpr int64_t blocks = kColumns / 4, each = kPanelColumns / 4;
    static_assert(kWords * blocks % kThreads == 0);
    for (int64_t i = 0; i < kWords * blocks / kThreads; ++i) {
      Number part = thread + i * kThreads, word = part / blocks, column = part % blocks;
      Number own = (panel + toIndex(column / each)).minimum(gpu.index(panels - 1)) * panelBytes;
      Number from = (number * kWords + toIndex(word)).minimum(gpu.index(groups - 1)) * (kPanelColumns * 4);
      gpu.copyAsync(stage + word * kWordPitch + column * 16, kInputBytes,
                    gpu.pointer(weight, byte, own + from + toIndex(column % each) * 16));
    }
  }

  /// Four bytes of a row that begins at `start`, from `k` on, as far as they exist.
  Value wordOf(Number start, Number k) {
    Value word;
    for (int64_t i = 0; i < 4; ++i) {
      Value exists = k + i < K;
      Value loaded = b.load(input, start + (k + i).minimum(gpu.index(K - 1)));
      Value own = arith::ExtUIOp::create(b, b.getI32Type(), loaded);
      own = gpu.select(exists, own, gpu.i32(0));
      if (i)
        own = arith::ShLIOp::create(b, own, gpu.i32(8 * i));
      word = word ? Value(arith::OrIOp::create(b, word, own)) : own;
    }
    return word;
  }

  Values multiplyAll(Values sums) {
    for (int64_t s = 0; s + 1 < kStages; ++s) {
      if (s < tiles)
        fill(base + s * kStageBytes, gpu.index(s));
      gpu.commitCopies();
    }
    Values carried{base, base + (kStages - 1) * kStageBytes};
    llvm::append_range(carried, sums);
    Number end = base + kStages * kStageBytes;
    auto following = [&](Number stage) {
      Number next = stage + kStageBytes;
      return gpu.select(next == end, base, next);
    };
    carried = b.loop(gpu.index(0), gpu.index(tiles), 1, carried, [&](Value number, ValueRange before) {
      Number stage(b, before[0]), into(b, before[1]), ahead = Number(b, number) + (kStages - 1);
      gpu.waitCopies(kStages - 2);
      gpu.barrier(); // all have come, and nobody reads the stage that is written next
      b.branch(ahead < tiles, [&] { fill(into, ahead); });
      gpu.commitCopies();
      Values after{following(stage), following(into)};
      llvm::append_range(after, multiplyStage(stage, Values(before.drop_front(2))));
      return after;
    });
    gpu.waitCopies(0);
    return Values(ArrayRef(carried).drop_front(2));
  }

  Values multiplyStage(Number stage, Values sums) {
    bool isSigned = !elementOf(linear.getInput()).isUnsignedInteger();
    Number row = lane % 16, place = (lane / 16) ^ (row / 2 % 4);
    Number weights = stage + lane % 4 * kWordPitch + (warpColumn + lane / 4) * 4;
    Value ones = gpu.i32(0x01010101);
    for (int64_t step = 0; step < kDepth / 32; ++step) {
      Number inputs = stage + (warpRow + row) * kDepth + (place ^ (2 * step)) * 16;
      SmallVector<std::array<Value, 4>> a;
      for (int64_t i = 0; i < kDown; ++i)
        a.push_back(gpu.loadMatrices(inputs, i * 16 * kDepth, /*transposed=*/false));
      auto multiply = [&](int64_t at, const std::array<Value, 4> &left, ArrayRef<Value> right) {
        MutableArrayRef<Value> c = MutableArrayRef(sums).slice(at * 4, 4);
        llvm::copy(gpu.multiplyBytes(left, right, c, isSigned), c.begin());
      };
      for (int64_t j = 0; j < kAcross; ++j) {
        Values w;
        for (int64_t half = 0; half < 2; ++half)
          w.push_back(
              gpu.loadShared(weights, kInputBytes + (step * 8 + half * 4) * kWordPitch + j * 32, 1, b.getI32Type())[0]);
        for (int64_t i = 0; i < kDown; ++i)
          multiply(i * kAcross + j, a[i], w);
      }
      for (int64_t i = 0; sumsRows && i < kDown; ++i)
        multiply(kDown * kAcross + i, a[i], {ones, ones});
    }
    return sums;
  }

  // Results.

  /// A zero point, i32, of `place` where it has several; null for 0.
  Value zeroPoint(Value modelValue, Number place) {
    if (!modelValue)
      return {};
    bool isSingle = product(dimsOf(modelValue.getType())).isConstant(1);
    Value stored = b.load(b.bufferOf(modelValue), isSingle ? gpu.index(0) : place);
    if (elementOf(modelValue).isUnsignedInteger())
      return arith::ExtUIOp::create(b, b.getI32Type(), stored);
    return arith::ExtSIOp::create(b, b.getI32Type(), stored);
  }

  void writeResult(ArrayRef<Value> sums) {
    Number column = panel * kPanelColumns + toIndex(warpColumn + lane % 4 * 2);
    for (int64_t j = 0; j < kAcross; ++j)
      for (int64_t i = 0; i < 2; ++i) {
        Number own = column + (j * 8 + i);
        auto write = [&] {
          Value columnSum, columnZero = zeroPoint(linear.getWeightZeroPoint(), own);
          if (linear.getInputZeroPoint()) {
            Number at = own / kPanelColumns * panelBytes + own % kPanelColumns * 4 + groups * kPanelColumns * 4;
            columnSum = gpu.load(b.getI32Type(), gpu.pointer(weight, b.getI8Type(), at), 4);
          }
          if (fromUnsigned)
            columnZero = columnZero ? Value(Number(b, columnZero) - 128) : gpu.i32(-128).value();
          for (int64_t r = 0; r < 2 * kDown; ++r) {
            Number row = groupRow + toIndex(warpRow + lane / 4) + r * 8;
            Value rowSum = sumsRows ? sums[(kDown * kAcross + r / 2) * 4 + r % 2 * 2] : Value();
            b.branch(row < rows, [&] {
              writeElement(sums[(r / 2 * kAcross + j) * 4 + r % 2 * 2 + i], row, own, columnSum, columnZero, rowSum);
            });
          }
        };
        if (N % kColumns == 0)
          write();
        else
          b.branch(own < N, write);
      }
  }

  void writeElement(Value sum, Number row, Number column, Value columnSum, Value columnZero, Value rowSum) {
    Number total(b, sum);
    Value zero = zeroPoint(linear.getInputZeroPoint(), row);
    if (zero)
      total = total - Number(b, zero) * Number(b, columnSum);
    if (columnZero) {
      Number rest(b, rowSum);
      if (zero)
        rest = rest - Number(b, zero) * K;
      total = total - rest * Number(b, columnZero);
    }
    DenseMap<Value, Value> values{{linear.getResult(), total}};
    Value last = total;
    Number offset = row * N + column;
    for (Operation *op : ops) {
      Values operands;
      for (Value value : op->getOperands()) {
        Value &known = values[value];
        if (!known)
          known = operand(value, row, column, offset);
        operands.push_back(known);
      }
      if (auto activation = dyn_cast<ActivationOp>(op))
        last = math.activation(activation.getKind(), operands[0]);
      else if (isa<CastOp>(op))
        last = arith::SIToFPOp::create(b, b.getF32Type(), operands[0]);
      else
        last = math.elementwise(cast<ElementwiseOp>(op).getKind(), operands);
      values[op->getResult(0)] = last;
    }
    b.store(last, b.result(0), offset);
  }

  Value operand(Value value, Number row, Number column, Number offset) {
    switch (*classifyEpilogueOperand(value, linear)) {
    case EpilogueOperand::perElement:
      return b.load(b.bufferOf(value), offset);
    case EpilogueOperand::perColumn:
      return b.load(b.bufferOf(value), column);
    case EpilogueOperand::perRow:
      return b.load(b.bufferOf(value), row);
    case EpilogueOperand::scalar:
      return b.load(b.bufferOf(value), gpu.index(0));
    case EpilogueOperand::constant:
      return gpu.f32(value.getDefiningOp<model::ConstantOp>().getValue().getSplatValue<APFloat>().convertToDouble());
    }
    llvm_unreachable("unknown operand");
  }

  KernelBuilder &b;
  GpuBuilder gpu;
  VectorMath math;
  IntegerLinearOp linear;
  ArrayRef<Operation *> ops;
  int64_t K = 0, N = 0, groups = 0, panelBytes = 0, panels = 0, tiles = 0; ///< groups: of four along K
  bool fromUnsigned = false, sumsRows = false;
  Number rows;                // index
  Number thread, lane;        // i32
  Number warpRow, warpColumn; // i32: of the group's tile
  Number groupRow, panel;     // index: of the result
  Number base;                // i32: of shared memory
  Value input, weight;
};
} // namespace

FailureOr<GpuLaunch> tamis::tileGpuIntegerLinear(func::FuncOp kernel, const GpuTarget &) {
  IntegerLinearOp linear = *kernel.getOps<IntegerLinearOp>().begin();
  if (!kernel.getOps<QuantizeRowsOp>().empty())
    return kernel.emitOpError("quantizes the rows of a product of integers, for which GPUs have no kernel");
  if (linear.getTransposed())
    return linear.emitOpError("has a transposed weight");
  for (Value operand : linear->getOperands())
    if (!isa<BlockArgument>(operand))
      return linear.emitOpError("has an operand that is no argument of its kernel");
  auto ops = epilogueOf(kernel, linear);
  if (failed(ops))
    return failure();
  int64_t N = cast<RankedTensorType>(linear.getType()).getShape().back();
  DimExpr rows = product(ArrayRef<DimExpr>(dimsOf(linear.getInput().getType())).drop_back());
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(rows + (kRows - 1), kRows) *
                int64_t(llvm::divideCeil(llvm::divideCeil(N, kPanelColumns), kPanels));
  launch.threads = kThreads;
  launch.sharedBytes = GpuIntegerLinearTiler::sharedBytes();
  launch.schedule = "64 x 96 x 64, 4 warps of 32 x 48, 3 stages, bytes";
  KernelBuilder builder(kernel);
  GpuIntegerLinearTiler(builder, linear, *ops, rows).emit();
  return launch;
}
