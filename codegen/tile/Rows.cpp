// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels: sweeps of vectors over a row that stays in the first-level cache.
#include "codegen/tile/Rows.h"

#include "codegen/tile/ElementMath.h"
#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/Map.h"
#include "codegen/tile/RowBytes.h"
#include "codegen/tile/RowsForm.h"
#include "codegen/tile/VectorMath.h"
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

/// Below it an exponential is written as 0: relative to the largest element's, which is 1, it is below the normal
/// range.
constexpr double kLeastExponent = -87;

/// Elements that scratch has room for beyond the row, so that its last vector is written whole: the longest vector.
constexpr int64_t kScratchPadding = 16;

Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

class RowsNest {
public:
  RowsNest(KernelBuilder &builder, const CpuTarget &target, const RowsForm &form)
      : b(builder), math(builder, target), target(target), form(form), lanes(target.lanes),
        length(builder.size(form.length())) {}

  void run() {
    Value groupRows = b.index(form.groupRows()), first = b.mul(b.begin(), groupRows);
    Value last = arith::MinSIOp::create(b, b.mul(b.end(), groupRows), b.size(form.rows()));
    b.loop(first, last, 1, [&](Value index) {
      row = index;
      rowStart = b.mul(row, length);
      offsets.clear();
      if (form.norm)
        normRow();
      else if (form.softmax)
        softmaxRow();
      else
        write(nullptr);
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
  /// Vectors of partial results that go from one step to the next.
  using Partials = SmallVector<Value>;
  using Combine = function_ref<Value(Value, Value)>;

  void normRow() {
    NormOp norm = form.norm;
    bool isLayer = norm.getKind() == NormKind::layer;
    auto sum = [&](Value a, Value c) { return math.add(a, c); };
    Value zero = b.splat(0, lanes), mean;
    double length = double(*form.length().constant());
    auto perElement = [&](Value total) {
      return b.broadcast(math.div(anyLane(total), math.constant(b.getF32Type(), length)), lanes);
    };
    if (isLayer) {
      Partials total = sweep(zero, kChains, sum, [&](Step &step, Partials partials) {
        return Partials{sum(partials[0], input(step, /*first=*/true))};
      });
      mean = perElement(total[0]);
    }
    // The deviations also tell how far off the rounded mean is: by the mean of them.
    Partials totals =
        sweep(isLayer ? Partials{zero, zero} : Partials{zero}, kChains, sum, [&](Step &step, Partials partials) {
          Value x = input(step, /*first=*/!isLayer);
          if (isLayer)
            x = math.sub(x, mean);
          partials[0] = math.muladd(x, x, partials[0]);
          if (isLayer)
            partials[1] = sum(partials[1], x);
          return partials;
        });
    Value variance = perElement(totals[0]), shift;
    if (isLayer) {
      shift = perElement(totals[1]);
      variance = math.sub(variance, math.mul(shift, shift));
    }
    variance = math.add(variance, b.splat(norm.getEpsilon().convertToDouble(), lanes));
    Value inverse = reciprocal(math::SqrtOp::create(b, anyLane(variance)));
    if (isLayer)
      shift = math.mul(shift, inverse);
    write([&](Step &step) {
      Value x = input(step, /*first=*/false);
      Value y = isLayer ? math.sub(math.mul(math.sub(x, mean), inverse), shift) : math.mul(x, inverse);
      if (norm.getBias()) // there is no bias without a scale
        y = math.muladd(y, at(step, norm.getScale()), at(step, norm.getBias()));
      else if (norm.getScale())
        y = math.mul(y, at(step, norm.getScale()));
      return math.cast(y, b.getF32Type(), elementOf(form.result()));
    });
  }

  void softmaxRow() {
    Value lowest = b.splat(-std::numeric_limits<double>::infinity(), lanes);
    // One instruction. What it does to NaN is of no account: the sum below has it.
    auto larger = [&](Value a, Value c) -> Value {
      Value isLarger = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, a, c);
      return arith::SelectOp::create(b, isLarger, a, c);
    };
    Value largest = sweep(lowest, kChains, larger, [&](Step &step, Partials partials) {
      return Partials{larger(partials[0], input(step, /*first=*/true))};
    })[0];
    auto sum = [&](Value a, Value c) { return math.add(a, c); };
    Value zero = b.splat(0, lanes), least = b.splat(kLeastExponent, lanes);
    Value total = sweep(zero, 2, sum, [&](Step &step, Partials partials) {
      Value exponent = math.sub(input(step, /*first=*/false), largest);
      Value isNothing = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, exponent, least);
      Value e = arith::SelectOp::create(b, isNothing, zero, VectorMath(b).expLimited(exponent));
      b.storeVector(e, b.scratch(), step.column);
      return Partials{sum(partials[0], e)};
    })[0];
    Value inverse = reciprocal(anyLane(total));
    write([&](Step &step) {
      Value e = b.loadVector(b.scratch(), step.column, lanes);
      return math.cast(math.mul(e, inverse), b.getF32Type(), elementOf(form.result()));
    });
  }

  /// Folds all elements of the row, in `unroll` chains that each start from `init`; results are in every lane.
  Partials sweep(Partials init, unsigned unroll, Combine combine, function_ref<Partials(Step &, Partials)> fold) {
    SmallVector<Partials> chains =
        forEachVector(SmallVector<Partials>(unroll, init), [&](Step &step, Partials partials) {
          Partials next = fold(step, partials);
          if (step.mask)
            for (auto [value, old] : llvm::zip_equal(next, partials))
              value = arith::SelectOp::create(b, step.mask, value, old);
          return next;
        });
    Partials totals = chains.pop_back_val();
    for (const Partials &chain : chains)
      for (auto [total, value] : llvm::zip_equal(totals, chain))
        total = combine(total, value);
    for (Value &total : totals)
      total = acrossLanes(total, combine);
    return totals;
  }
  Partials sweep(Value init, unsigned unroll, Combine combine, function_ref<Partials(Step &, Partials)> fold) {
    return sweep(Partials{init}, unroll, combine, fold);
  }

  /// The last sweep: every result of the kernel, given the vectors of the norm or softmax where there is one. Bytes
  /// take one more, since their unit is known at the end of it.
  void write(function_ref<Value(Step &)> rowOp) {
    auto writeRows = [&](Step &step) {
      if (rowOp)
        step.known[form.result()] = rowOp(step);
      for (Value result : results())
        if (!form.quantize || result.getDefiningOp() != form.quantize)
          store(step, math.toStorage(at(step, result), elementOf(result)), result);
    };
    if (form.quantize)
      return quantizeRow(writeRows);
    forEachVector(SmallVector<Partials>(2), [&](Step &step, Partials) {
      writeRows(step);
      return Partials();
    });
  }

  OperandRange results() { return b.source().front().getTerminator()->getOperands(); }

  /// Writes elements of a result of the kernel, as they are stored.
  void store(Step &step, Value stored, Value result) {
    Value place = b.add(rowStart, step.column), buffer = b.bufferOf(result);
    auto number = form.length().constant();
    if (step.mask && number && *number % lanes == 1) // LLVM 22 writes four bytes where the mask leaves one
      b.store(anyLane(stored), buffer, place);
    else if (step.mask)
      vector::MaskedStoreOp::create(b, buffer, place, step.mask, stored);
    else
      b.storeVector(stored, buffer, place);
  }

  /// Finds the extremes of the row that is quantized while `writeRows` computes and writes what else there is, then
  /// writes its unit and its bytes. The row waits in scratch where it takes computing.
  void quantizeRow(function_ref<void(Step &)> writeRows) {
    Value numbers = form.quantize.getInput(), zero = b.splat(0, lanes);
    bool inScratch = !isa<BlockArgument>(numbers);
    RowBytes bytes(b, target, form.quantize);
    auto larger = [&](Value a, Value c) { return bytes.larger(a, c); };
    Partials extremes = sweep(Partials{zero, zero}, kChains, larger, [&](Step &step, Partials partials) {
      writeRows(step);
      Value x = at(step, numbers);
      if (inScratch)
        b.storeVector(x, b.scratch(), step.column);
      return Partials{larger(partials[0], x), larger(partials[1], arith::NegFOp::create(b, x))};
    });
    bytes.setUnit(anyLane(extremes[0]), anyLane(extremes[1]), row);
    bytes.write([&](function_ref<Value(Value)> bytesOf) {
      forEachVector(SmallVector<Partials>(kChains), [&](Step &step, Partials) {
        Value x = inScratch ? b.loadVector(b.scratch(), step.column, lanes) : at(step, numbers);
        store(step, bytesOf(x), form.quantize.getResult());
        return Partials();
      });
    });
  }

  /// Calls `body` for vectors of the row: as many a step as there are chains, then single ones, then the rest under a
  /// mask. Chain u goes through every u-th of a step; gives the last of each.
  SmallVector<Partials> forEachVector(SmallVector<Partials> chains, function_ref<Partials(Step &, Partials)> body) {
    int64_t stride = chains.size() * lanes;
    auto number = form.length().constant();
    auto below = [&](int64_t multiple) { // the largest multiple up to the length
      if (number)
        return b.index(*number / multiple * multiple);
      return b.mul(b.divFloor(length, b.index(multiple)), b.index(multiple));
    };
    auto part = [&](Value low, Value high, unsigned vectors) {
      Partials carried;
      for (unsigned u = 0; u < vectors; ++u)
        llvm::append_range(carried, chains[u]);
      size_t width = chains[0].size();
      carried = b.loop(low, high, vectors * lanes, carried, [&](Value column, ValueRange before) {
        Partials after;
        for (unsigned u = 0; u < vectors; ++u) {
          Step step(b.add(column, u * lanes));
          llvm::append_range(after, body(step, Partials(before.slice(u * width, width))));
        }
        return after;
      });
      for (unsigned u = 0; u < vectors; ++u)
        chains[u].assign(carried.begin() + u * width, carried.begin() + (u + 1) * width);
    };
    Value steps = below(stride), vectors = below(lanes);
    if (!number || *number >= stride)
      part(b.index(0), steps, chains.size());
    if (!number || *number % stride >= lanes)
      part(steps, vectors, 1);
    auto tail = [&] {
      Value mask = vector::CreateMaskOp::create(b, b.vectorType(lanes, b.getI1Type()), b.sub(length, vectors));
      Step step(vectors, mask);
      return body(step, chains[0]);
    };
    if (number) {
      if (*number % lanes)
        chains[0] = tail();
      return chains;
    }
    Value isPartial = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, vectors, length);
    bool hasPartials = !chains[0].empty();
    auto branch = scf::IfOp::create(b, ValueRange(chains[0]).getTypes(), isPartial, /*addThenBlock=*/true, hasPartials);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, tail());
    if (hasPartials) {
      b.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(b, chains[0]);
      chains[0].assign(branch.result_begin(), branch.result_end());
    }
    return chains;
  }

  /// The row op's operand, in f32. The first sweep computes it, and leaves it in scratch for the others where that is
  /// work.
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

  /// Combines all lanes, in each of them: halves are exchanged, then quarters, and so on.
  Value acrossLanes(Value vector, function_ref<Value(Value, Value)> combine) {
    for (int64_t distance = lanes / 2; distance > 0; distance /= 2) {
      SmallVector<int64_t> order;
      for (int64_t lane = 0; lane < lanes; ++lane)
        order.push_back(lane ^ distance);
      vector = combine(vector, vector::ShuffleOp::create(b, vector, vector, order));
    }
    return vector;
  }

  // Of numbers that are the same in every lane: scalar roots and divisions take half the time of long vectors.
  Value anyLane(Value vector) { return vector::ExtractOp::create(b, vector, 0); }
  Value reciprocal(Value number) { return b.broadcast(math.div(math.constant(b.getF32Type(), 1.0), number), lanes); }

  KernelBuilder &b;
  ElementMath math;
  const CpuTarget &target;
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
  launch.scratchBytes = form->needsScratch() ? (form->length() + kScratchPadding) * 4 : DimExpr(0);
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
