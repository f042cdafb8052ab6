// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels: sweeps of vectors over a row that stays in the first-level cache.
#include "codegen/tile/Rows.h"

#include "codegen/tile/ElementMath.h"
#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/Map.h"
#include "codegen/tile/RowsForm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <limits>

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
/// Vectors of an unrolled step of a sweep that sums: as many chains of additions hide the latency of one.
constexpr unsigned kChains = 4;

/// Elements that scratch has room for beyond the row, so that its last vector is written whole: the longest vector.
constexpr int64_t kScratchPadding = 16;

Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

class RowsNest {
public:
  RowsNest(KernelBuilder &builder, const CpuTarget &target, const RowsForm &form)
      : b(builder), math(builder, target), form(form), lanes(target.lanes), length(builder.size(form.length())) {}

  void run() {
    Value groupRows = b.index(form.groupRows()), first = b.mul(b.begin(), groupRows);
    Value last = arith::MinSIOp::create(b, b.mul(b.end(), groupRows), b.size(form.rows()));
    b.loop(first, last, 1, [&](Value index) {
      row = index;
      rowStart = b.mul(row, length);
      offsets.clear();
      if (form.norm)
        normRow();
      else
        softmaxRow();
    });
    b.finish();
  }

private:
  /// One vector of a sweep: elements [column, column + lanes) of the row, those under `mask` in the last one.
  struct Step {
    explicit Step(Value column, Value mask = Value()) : column(column), mask(mask) {}
    Value column, mask;
    DenseMap<Value, Value> known; ///< vectors of model values, in compute form
  };
  using Chains = SmallVector<Value>;

  void normRow() {
    NormOp norm = form.norm;
    bool isLayer = norm.getKind() == NormKind::layer;
    Value zero = b.splat(0, lanes), count = lengthAsFloat(), mean;
    if (isLayer) {
      Value sum = sweep(zero, kChains, [&](Step &step, Value chain) { return math.add(chain, input(step, /*first=*/true)); },
                        [&](Value a, Value c) { return math.add(a, c); });
      mean = b.broadcast(math.div(total(sum), count), lanes);
    }
    Value squares = sweep(
        zero, kChains,
        [&](Step &step, Value chain) {
          Value x = input(step, /*first=*/!isLayer);
          if (isLayer)
            x = math.sub(x, mean);
          return math.muladd(x, x, chain);
        },
        [&](Value a, Value c) { return math.add(a, c); });
    Type f32 = b.getF32Type();
    Value variance = math.add(math.div(total(squares), count), math.constant(f32, norm.getEpsilon().convertToDouble()));
    Value inverse = math.div(math.constant(f32, 1.0), math::SqrtOp::create(b, variance));
    inverse = b.broadcast(inverse, lanes);
    write([&](Step &step) {
      Value x = input(step, /*first=*/false);
      if (isLayer)
        x = math.sub(x, mean);
      Value y = math.mul(x, inverse);
      if (norm.getScale() && norm.getBias())
        y = math.muladd(y, at(step, norm.getScale()), at(step, norm.getBias()));
      else if (norm.getScale())
        y = math.mul(y, at(step, norm.getScale()));
      else if (norm.getBias())
        y = math.add(y, at(step, norm.getBias()));
      return math.cast(y, f32, elementOf(form.result()));
    });
  }

  void softmaxRow() {
    Value lowest = b.splat(-std::numeric_limits<double>::infinity(), lanes);
    // One instruction. What it does to NaN is of no account: the sum below has it.
    auto larger = [&](Value a, Value c) -> Value {
      Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, a, c);
      return arith::SelectOp::create(b, isLarger, a, c);
    };
    Value maxima = sweep(lowest, kChains, [&](Step &step, Value chain) { return larger(chain, input(step, /*first=*/true)); }, larger);
    Value largest = vector::ReductionOp::create(b, vector::CombiningKind::MAXNUMF, maxima);
    largest = b.broadcast(largest, lanes);
    Value sums = sweep(
        b.splat(0, lanes), 2,
        [&](Step &step, Value chain) {
          Value e = math.exp(math.sub(input(step, /*first=*/false), largest));
          b.storeVector(e, b.scratch(), step.column);
          return math.add(chain, e);
        },
        [&](Value a, Value c) { return math.add(a, c); });
    Type f32 = b.getF32Type();
    Value inverse = b.broadcast(math.div(math.constant(f32, 1.0), total(sums)), lanes);
    write([&](Step &step) {
      Value e = b.loadVector(b.scratch(), step.column, lanes);
      return math.cast(math.mul(e, inverse), f32, elementOf(form.result()));
    });
  }

  /// Folds all vectors of the row, `unroll` chains at a time.
  Value sweep(Value init, unsigned unroll, function_ref<Value(Step &, Value chain)> fold,
              function_ref<Value(Value, Value)> combine) {
    Chains chains = forEachVector(Chains(unroll, init), unroll, [&](Step &step, Value chain) {
      Value next = fold(step, chain);
      return step.mask ? Value(arith::SelectOp::create(b, step.mask, next, chain)) : next;
    });
    while (chains.size() > 1) {
      Value last = chains.pop_back_val();
      size_t other = chains.size() == 1 ? 0 : chains.size() - 2;
      chains[other] = combine(chains[other], last);
    }
    return chains[0];
  }

  /// The last sweep: every result of the kernel, given the vectors of the row op.
  void write(function_ref<Value(Step &)> rowOp) {
    forEachVector({}, 2, [&](Step &step, Value) {
      step.known[form.result()] = rowOp(step);
      for (auto [i, result] : llvm::enumerate(b.source().front().getTerminator()->getOperands())) {
        Value stored = math.toStorage(at(step, result), elementOf(result)), place = b.add(rowStart, step.column);
        if (step.mask)
          vector::MaskedStoreOp::create(b, b.result(i), place, step.mask, stored);
        else
          b.storeVector(stored, b.result(i), place);
      }
      return Value();
    });
  }

  /// Calls `body` for vectors of the row: `unroll` of them a step, then single ones, then the rest under a mask. Chain u goes
  /// through every unroll-th vector; without chains `body` gets and gives null values.
  Chains forEachVector(Chains chains, unsigned unroll, function_ref<Value(Step &, Value)> body) {
    Value zero = b.index(0);
    auto number = form.length().constant();
    auto below = [&](int64_t multiple) { // the largest multiple up to the length
      if (number)
        return b.index(*number / multiple * multiple);
      return b.mul(b.divFloor(length, b.index(multiple)), b.index(multiple));
    };
    auto part = [&](Value low, Value high, unsigned vectors) {
      chains = b.loop(low, high, vectors * lanes, chains, [&](Value column, ValueRange carried) {
        Chains next(carried.begin(), carried.end());
        for (unsigned u = 0; u < vectors; ++u) {
          Step step(b.add(column, u * lanes));
          Value result = body(step, next.empty() ? Value() : next[u]);
          if (!next.empty())
            next[u] = result;
        }
        return next;
      });
    };
    Value steps = below(unroll * lanes), vectors = below(lanes);
    if (!number || *number >= unroll * lanes)
      part(zero, steps, unroll);
    if (!number || *number % (unroll * lanes) >= lanes)
      part(steps, vectors, 1);
    if (number && *number % lanes == 0)
      return chains;
    Value mask = vector::CreateMaskOp::create(b, b.vectorType(lanes, b.getI1Type()), b.sub(length, vectors));
    Step step(vectors, mask);
    Value result = body(step, chains.empty() ? Value() : chains[0]);
    if (!chains.empty())
      chains[0] = result;
    return chains;
  }

  /// The row op's operand, in f32. The first sweep computes it, and leaves it in scratch for the others where that is work.
  Value input(Step &step, bool first) {
    if (!form.isStaged())
      return at(step, form.input());
    if (!first)
      return b.loadVector(b.scratch(), step.column, lanes);
    Value x = at(step, form.input());
    b.storeVector(x, b.scratch(), step.column);
    return x;
  }

  /// A value of the model at the step's elements.
  Value at(Step &step, Value value) {
    Value &known = step.known[value];
    if (known)
      return known;
    Value result = compute(step, value);
    return step.known[value] = result;
  }

  Value compute(Step &step, Value value) {
    Type element = elementOf(value);
    if (isa<BlockArgument>(value))
      return read(step, value);
    Operation *op = value.getDefiningOp();
    if (auto constant = dyn_cast<ConstantOp>(op))
      return b.broadcast(math.constant(cast<DenseElementsAttr>(constant.getValue()), 0, element), lanes);
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
    Value buffer = b.bufferOf(argument), offset = rowOffset(argument);
    Type element = elementOf(argument);
    if (*form.accessOf(argument) == RowsForm::Access::number)
      return b.broadcast(math.fromStorage(b.load(buffer, offset), element), lanes);
    Value place = b.add(offset, step.column);
    if (!step.mask)
      return math.fromStorage(b.loadVector(buffer, place, lanes), element);
    Type stored = cast<MemRefType>(buffer.getType()).getElementType();
    VectorType type = b.vectorType(lanes, stored);
    Value nothing = isa<FloatType>(stored) ? math.constant(type, 0.0) : math.integer(type, 0);
    return math.fromStorage(vector::MaskedLoadOp::create(b, type, buffer, place, step.mask, nothing), element);
  }

  /// Where the argument's elements for this row begin. Computed before the sweeps, at the start of the row's code.
  Value rowOffset(Value argument) {
    Value &known = offsets[argument];
    if (known)
      return known;
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointAfterValue(rowStart);
    if (Operation *op = rowStart.getDefiningOp(); !op || op->getBlock() != row.getParentBlock())
      b.setInsertionPointToStart(row.getParentBlock());
    Dims own = form.leadOf(argument);
    bool isRow = *form.accessOf(argument) == RowsForm::Access::row;
    if (own == form.lead)
      return known = isRow ? rowStart : row;
    // Broadcast along some of the leading axes.
    Value rest = row, offset = b.index(0), stride = isRow ? length : b.index(1);
    for (size_t axis = own.size(); axis-- > 0;) {
      Value size = b.size(form.lead[axis]), position = axis == 0 ? rest : b.rem(rest, size);
      if (!own[axis].isConstant(1))
        offset = b.add(offset, b.mul(position, stride));
      if (axis > 0)
        rest = b.divFloor(rest, size);
      stride = b.mul(stride, b.size(own[axis]));
    }
    return known = offset;
  }

  Value total(Value sums) {
    return vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums, arith::FastMathFlags::reassoc);
  }

  Value lengthAsFloat() {
    if (auto number = form.length().constant())
      return math.constant(b.getF32Type(), double(*number));
    return arith::SIToFPOp::create(b, b.getF32Type(), arith::IndexCastOp::create(b, b.getI64Type(), length));
  }

  KernelBuilder &b;
  ElementMath math;
  const RowsForm &form;
  int64_t lanes;
  Value length, row, rowStart;
  DenseMap<Value, Value> offsets;
};
} // namespace

bool tamis::canFuseIntoRows(Operation *op, Operation *row) {
  return isa<ElementwiseOp, ActivationOp, CastOp>(op) && canFuseIntoMap(op) &&
         dimsOf(op->getResult(0).getType()) == dimsOf(row->getResult(0).getType());
}

FailureOr<Launch> tamis::rowsLaunch(func::FuncOp kernel) {
  auto form = RowsForm::of(kernel);
  if (!form)
    return mapLaunch(kernel);
  Launch launch;
  launch.grid = DimExpr::floorDiv(form->rows() + form->groupRows() - 1, form->groupRows());
  bool needsScratch = form->softmax || form->isStaged();
  launch.scratchBytes = needsScratch ? (form->length() + kScratchPadding) * 4 : DimExpr(0);
  return launch;
}

LogicalResult tamis::tileRows(func::FuncOp kernel, const CpuTarget &target) {
  auto form = RowsForm::of(kernel);
  if (!form)
    return tileMap(kernel, target);
  KernelBuilder builder(kernel);
  RowsNest(builder, target, *form).run();
  return success();
}
