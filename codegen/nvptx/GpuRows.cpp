// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels on GPUs: a warp a row, which it keeps in registers where its length is known and short.
#include "codegen/nvptx/ElementTarget.h"
#include "codegen/nvptx/GpuBuilder.h"
#include "codegen/nvptx/GpuKernels.h"
#include "codegen/tile/ElementMath.h"
#include "codegen/tile/RowsForm.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
constexpr unsigned kWarps = 4;
/// Elements of a row that a lane keeps in registers.
constexpr int64_t kMostInRegisters = 64;

Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

class GpuRowsNest {
public:
  GpuRowsNest(KernelBuilder &builder, const RowsForm &form)
      : b(builder), gpu(builder), math(builder, elementTarget()), form(form), length(gpu.size(form.length())),
        row(gpu.index(0)), rowStart(row), lane(row) {
    auto number = form.length().constant();
    if (number && *number <= kMostInRegisters * kWarp && *number > 0) {
      // Neighbours side by side, so that they are read and written together.
      run = *number % (4 * kWarp) == 0 ? 4 : *number % (2 * kWarp) == 0 ? 2 : 1;
      steps = llvm::divideCeil(*number, kWarp);
      isRagged = *number % kWarp != 0;
    }
  }

  void emit() {
    Type index = b.getIndexType();
    Number thread = gpu.thread().as(index);
    lane = thread % kWarp;
    row = gpu.group() * kWarps + thread / kWarp;
    b.branch(row < gpu.size(form.rows()), [&] {
      rowStart = row * length;
      if (form.norm)
        normRow();
      else if (form.softmax)
        softmaxRow();
      else
        quantizeRow({});
    });
    b.finish();
  }

private:
  /// One element of the row, of each lane another.
  struct Step {
    explicit Step(Number column, Value exists = Value()) : column(column), exists(exists) {}
    Number column;
    Value exists;                 ///< null: it does
    DenseMap<Value, Value> known; ///< model values at the element, in compute form
  };
  using Combine = function_ref<Value(Value, Value)>;

  bool isInRegisters() const { return steps > 0; }

  /// Folds f(element) over the row, in each lane and then across them.
  Value fold(double init, Combine combine, function_ref<Value(Step &)> f) {
    Value neutral = gpu.f32(init), total;
    if (isInRegisters()) {
      for (Step &step : kept()) {
        Value x = f(step);
        x = step.exists ? gpu.select(step.exists, x, neutral) : x;
        total = total ? combine(total, x) : x;
      }
    } else {
      total = b.loop(lane, length, kWarp, {neutral}, [&](Value column, ValueRange carried) {
        Step step(Number(b, column));
        return SmallVector<Value>{combine(carried[0], f(step))};
      })[0];
    }
    return gpu.acrossLanes(total, kWarp, combine);
  }

  OperandRange results() { return b.source().front().getTerminator()->getOperands(); }

  /// The results of the kernel, given those of its norm or softmax.
  void write(function_ref<Value(Step &)> rowOp) {
    if (form.quantize)
      return quantizeRow(rowOp);
    forEach([&](Step &step) {
      step.known[form.result()] = rowOp(step);
      for (Value result : results())
        store(step, at(step, result), result);
    });
  }

  void store(Step &step, Value x, Value result) {
    b.store(math.toStorage(x, elementOf(result)), b.bufferOf(result), rowStart + step.column);
  }

  /// Finds the extremes of the row that is quantized, writes its unit, then its bytes and what else there is (see
  /// RowBytes, of whose steps these are).
  void quantizeRow(function_ref<Value(Step &)> rowOp) {
    QuantizeRowsOp op = form.quantize;
    Type f32 = b.getF32Type(), byte = elementOf(op.getResult());
    auto numberAt = [&](Step &step) {
      if (Value known = rowOp ? step.known.lookup(form.result()) : Value(); rowOp && !(known && isVisible(known)))
        step.known[form.result()] = rowOp(step);
      return at(step, op.getInput());
    };
    auto larger = [&](Value x, Value y) -> Value { return LLVM::MaximumOp::create(b, x, y); }; // a NaN stays
    Value high = larger(fold(0, larger, numberAt), gpu.f32(0));
    Value below = fold(0, larger, [&](Step &step) -> Value { return arith::NegFOp::create(b, numberAt(step)); });
    below = larger(below, gpu.f32(0));
    Value scale = math.div(math.add(high, below), gpu.f32(255));
    auto rounded = [&](Value x) { return math.elementwise(ElementwiseKind::round, {math.div(x, scale)}, f32); };
    Value zeroPoint = math.cast(rounded(below), f32, byte), zero = math.cast(zeroPoint, byte, f32);
    auto isResult = [&](Value value) { return llvm::is_contained(results(), value); };
    b.branch(lane == 0, [&] {
      if (isResult(op.getScale()))
        b.store(scale, b.bufferOf(op.getScale()), row);
      if (isResult(op.getZeroPoint()))
        b.store(zeroPoint, b.bufferOf(op.getZeroPoint()), row);
    });
    forEach([&](Step &step) {
      Value x = numberAt(step);
      for (Value result : results())
        if (result == op.getResult())
          store(step, math.cast(math.add(rounded(x), zero), f32, byte), result);
        else if (result.getDefiningOp() != op)
          store(step, at(step, result), result);
    });
  }

  /// Calls `body` for each element of the row that exists.
  void forEach(function_ref<void(Step &)> body) {
    if (!isInRegisters())
      return b.loop(lane, length, kWarp, [&](Value column) {
        Step step(Number(b, column));
        body(step);
      });
    for (Step &step : kept())
      step.exists ? b.branch(step.exists, [&] { body(step); }) : body(step);
  }

  /// The elements of a lane: runs of neighbours, warp by warp.
  MutableArrayRef<Step> kept() {
    for (int64_t i = registers.size(); i < steps; ++i) {
      Number column = lane * run + (i / run * run * kWarp + i % run);
      Value exists = isRagged && i + 1 == steps ? column < length : Value();
      registers.emplace_back(column, exists);
    }
    return registers;
  }

  Value input(Step &step) { return at(step, form.input()); }
  Value perElement(Value total) { return math.div(total, gpu.f32(double(*form.length().constant()))); }

  void normRow() {
    NormOp norm = form.norm;
    bool isLayer = norm.getKind() == NormKind::layer;
    auto sum = [&](Value x, Value y) { return gpu.add(x, y); };
    Value mean = isLayer ? perElement(fold(0, sum, [&](Step &step) { return input(step); })) : Value();
    // The deviations also tell how far off the rounded mean is: by the mean of them.
    Value shift = isLayer ? perElement(fold(0, sum, [&](Step &step) { return gpu.sub(input(step), mean); })) : Value();
    auto centred = [&](Step &step) { return isLayer ? gpu.sub(gpu.sub(input(step), mean), shift) : input(step); };
    Value variance = perElement(fold(0, sum, [&](Step &step) {
      Value x = centred(step);
      return gpu.mul(x, x);
    }));
    variance = gpu.add(variance, gpu.f32(norm.getEpsilon().convertToDouble()));
    Value inverse = gpu.div(gpu.f32(1), math::SqrtOp::create(b, variance));
    write([&](Step &step) {
      Value y = gpu.mul(centred(step), inverse);
      if (norm.getScale())
        y = gpu.mul(y, at(step, norm.getScale()));
      if (norm.getBias())
        y = gpu.add(y, at(step, norm.getBias()));
      return math.cast(y, b.getF32Type(), elementOf(form.result()));
    });
  }

  void softmaxRow() {
    Value largest = fold(
        -std::numeric_limits<double>::infinity(), [&](Value x, Value y) { return gpu.larger(x, y); },
        [&](Step &step) { return input(step); });
    auto exponential = [&](Step &step) { return gpu.exp2(gpu.mul(gpu.sub(input(step), largest), gpu.f32(M_LOG2E))); };
    Value total = fold(0, [&](Value x, Value y) { return gpu.add(x, y); }, exponential);
    Value inverse = gpu.div(gpu.f32(1), total);
    write([&](Step &step) {
      return math.cast(gpu.mul(exponential(step), inverse), b.getF32Type(), elementOf(form.result()));
    });
  }

  /// A value of the model at the step's element.
  Value at(Step &step, Value value) {
    Value &known = step.known[value];
    if (known && isVisible(known))
      return known;
    Value result = compute(step, value);
    return step.known[value] = result;
  }

  /// Whether what was computed for another sweep may be used here: not what a branch or loop computed.
  bool isVisible(Value value) { return value.getParentRegion()->isAncestor(b.getInsertionBlock()->getParent()); }

  Value compute(Step &step, Value value) {
    Type element = elementOf(value);
    if (isa<BlockArgument>(value))
      return read(step, value);
    Operation *op = value.getDefiningOp();
    if (auto constant = dyn_cast<ConstantOp>(op))
      return math.constant(cast<DenseElementsAttr>(constant.getValue()), 0, element);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(at(step, operand));
    if (auto elementwise = dyn_cast<ElementwiseOp>(op))
      return math.elementwise(elementwise.getKind(), operands, elementOf(op->getOperands().back()));
    if (auto activation = dyn_cast<ActivationOp>(op))
      return math.activation(activation.getKind(), operands[0], element);
    return math.cast(operands[0], elementOf(op->getOperand(0)), element);
  }

  Value read(Step &step, Value argument) {
    Number offset = rowOffset(argument);
    if (*form.accessOf(argument) == RowsForm::Access::row) // what does not exist is read as the row's first
      offset = offset + (step.exists ? Number(b, gpu.select(step.exists, step.column, gpu.index(0))) : step.column);
    return math.fromStorage(b.load(b.bufferOf(argument), offset), elementOf(argument));
  }

  /// Where the argument's elements for this row begin.
  Number rowOffset(Value argument) {
    Dims own = form.leadOf(argument);
    bool isRow = *form.accessOf(argument) == RowsForm::Access::row;
    if (own == form.lead)
      return isRow ? rowStart : row;
    // Broadcast along some of the leading axes.
    Number rest = row, offset = gpu.index(0), stride = isRow ? length : gpu.index(1);
    for (size_t axis = own.size(); axis-- > 0;) {
      Number size = gpu.size(form.lead[axis]), position = axis == 0 ? rest : rest % size;
      if (!own[axis].isConstant(1))
        offset = offset + position * stride;
      if (axis > 0)
        rest = rest / size;
      stride = stride * gpu.size(own[axis]);
    }
    return offset;
  }

  KernelBuilder &b;
  GpuBuilder gpu;
  ElementMath math;
  const RowsForm &form;
  Number length, row, rowStart, lane;
  int64_t run = 1, steps = 0; ///< steps: elements of a lane in registers; 0: the row is read again in each sweep
  bool isRagged = false;
  SmallVector<Step, 0> registers;
};
} // namespace

FailureOr<GpuLaunch> tamis::tileGpuRows(func::FuncOp kernel, const GpuTarget &target) {
  auto form = RowsForm::of(kernel);
  if (!form)
    return tileGpuMap(kernel, target);
  GpuLaunch launch;
  launch.grid = DimExpr::floorDiv(form->rows() + (kWarps - 1), kWarps);
  launch.threads = kWarps * kWarp;
  launch.schedule = "one row a warp";
  KernelBuilder builder(kernel);
  GpuRowsNest(builder, *form).emit();
  return launch;
}
