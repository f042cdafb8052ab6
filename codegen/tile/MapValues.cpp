// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What each op of a map kernel is at one point.
#include "codegen/tile/MapPoints.h"

#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using arith::CmpIPredicate;

namespace {
Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

// Keys of values that belong to an op but are not its result.
const char kMaximum = 0, kSum = 0, kMean = 0, kDeviation = 0, kIndex = 0;

std::vector<const void *> keyOf(const void *first, ArrayRef<Value> values) {
  std::vector<const void *> key{first};
  for (Value value : values)
    key.push_back(value.getAsOpaquePointer());
  return key;
}

/// Indices into an operand that is broadcast to the result.
SmallVector<Value> broadcastIndices(MapPoints &points, Value operand, ArrayRef<Value> indices) {
  Dims dims = dimsOf(operand.getType());
  SmallVector<Value> own(indices.take_back(dims.size()));
  for (auto [dim, index] : llvm::zip_equal(dims, own))
    if (dim.isConstant(1))
      index = points.index(0);
  return own;
}
} // namespace

Value MapPoints::at(Value value, ArrayRef<Value> indices) {
  return remember(keyOf(value.getAsOpaquePointer(), indices), [&] {
    if (++points <= kMaxPoints)
      return compute(value, indices);
    Type type = ElementMath::computeType(elementOf(value));
    return emit({}, [&] { return isa<FloatType>(type) ? math.constant(type, 0.0) : math.integer(type, 0); });
  });
}

Value MapPoints::load(Value buffer, Type element, Value offset) {
  return emit({offset}, [&] { return math.fromStorage(builder.load(buffer, offset), element); }, /*reads=*/true);
}

void MapPoints::store(Value value, Type element, Value buffer, Value offset) {
  moveTo(scopes.size() - 1);
  builder.store(math.toStorage(value, element), buffer, offset);
}

Value MapPoints::elementwise(Operation *op, ArrayRef<Value> operands) {
  return emit(operands, [&]() -> Value {
    return llvm::TypeSwitch<Operation *, Value>(op)
        .Case(
            [&](ElementwiseOp e) { return math.elementwise(e.getKind(), operands, elementOf(e.getOperands().back())); })
        .Case([&](ActivationOp a) { return math.activation(a.getKind(), operands[0], elementOf(a)); })
        .Case([&](CastOp c) { return math.cast(operands[0], elementOf(c.getInput()), elementOf(c)); });
  });
}

Value MapPoints::atNumber(Value value, Value number) {
  Value zero = index(0);
  if (dimsOf(value.getType()) == Dims(dimsOf(value.getType()).size(), DimExpr(1)))
    return at(value, SmallVector<Value>(dimsOf(value.getType()).size(), zero));
  return remember(keyOf(value.getAsOpaquePointer(), {number, zero, number}), [&]() -> Value {
    ++points;
    Operation *op = value.getDefiningOp();
    if (!op)
      return load(builder.bufferOf(value), elementOf(value), number);
    if (isa<ReshapeOp>(op))
      return atNumber(op->getOperand(0), number);
    if (auto constant = dyn_cast<ConstantOp>(op))
      return constantAt(constant, {});
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(atNumber(operand, number));
    return elementwise(op, operands);
  });
}

Value MapPoints::compute(Value value, ArrayRef<Value> indices) {
  if (isa<BlockArgument>(value))
    return load(builder.bufferOf(value), elementOf(value), linearize(dimsOf(value.getType()), indices));
  return llvm::TypeSwitch<Operation *, Value>(value.getDefiningOp())
      .Case<ElementwiseOp, ActivationOp, CastOp>([&](Operation *op) {
        SmallVector<Value> operands;
        for (Value operand : op->getOperands())
          operands.push_back(at(operand, broadcastIndices(*this, operand, indices)));
        return elementwise(op, operands);
      })
      .Case([&](BroadcastOp op) { return at(op.getInput(), broadcastIndices(*this, op.getInput(), indices)); })
      .Case([&](ReshapeOp op) {
        Dims dims = dimsOf(op.getType());
        if (isa<BlockArgument>(op.getInput())) // the place in memory is that of the result
          return load(builder.bufferOf(op.getInput()), elementOf(op), linearize(dims, indices));
        return at(op.getInput(), reshapeIndices(dims, dimsOf(op.getInput().getType()), indices));
      })
      .Case([&](TransposeOp op) {
        SmallVector<Value> own(indices.size());
        for (auto [axis, index] : llvm::zip_equal(op.getPermutation(), indices))
          own[axis] = index;
        return at(op.getInput(), own);
      })
      .Case([&](SliceOp op) { return sliceAt(op, indices); })
      .Case([&](ConcatOp op) { return concatAt(op, indices, 0, index(0)); })
      .Case([&](GatherOp op) {
        Dims data = dimsOf(op.getData().getType());
        size_t axis = op.getAxis(), rank = dimsOf(op.getIndices().getType()).size();
        SmallVector<Value> own(indices.take_front(axis));
        own.push_back(checkedIndex(op.getIndices(), indices.slice(axis, rank), data[axis]));
        llvm::append_range(own, indices.drop_front(axis + rank));
        return gathered(op.getData(), data[axis], own);
      })
      .Case([&](EmbeddingOp op) {
        Value row = checkedIndex(op.getIds(), indices.drop_back(), dimsOf(op.getTable().getType())[0]);
        return gathered(op.getTable(), dimsOf(op.getTable().getType())[0], {row, indices.back()});
      })
      .Case([&](GatherNdOp op) {
        Dims data = dimsOf(op.getData().getType()), at = dimsOf(op.getIndices().getType());
        size_t batch = op.getBatchDims(), width = *at.back().constant();
        SmallVector<Value> own(indices.take_front(batch)), tuple(indices.take_front(at.size() - 1));
        for (size_t k = 0; k < width; ++k) {
          tuple.push_back(index(k));
          own.push_back(checkedIndex(op.getIndices(), tuple, data[batch + k]));
          tuple.pop_back();
        }
        llvm::append_range(own, indices.drop_front(at.size() - 1));
        return gathered(op.getData(), ArrayRef(data).slice(batch, width), own);
      })
      .Case([&](ConstantOp op) { return constantAt(op, indices); })
      .Case([&](SizesOp op) {
        SmallVector<Value> choices;
        for (StringRef text : op.getExprs().getAsValueRange<StringAttr>()) {
          Value number = size(*DimExpr::parse(text));
          choices.push_back(
              emit({number}, [&] { return arith::IndexCastOp::create(builder, builder.getI64Type(), number); }));
        }
        return choose(choices, indices.empty() ? index(0) : indices[0]);
      })
      .Case([&](IotaOp op) {
        Value start = size(*DimExpr::parse(op.getStart())), step = size(*DimExpr::parse(op.getStep()));
        Value number = add(start, mul(indices[0], step));
        return emit({number}, [&] {
          Type i64 = builder.getI64Type();
          return math.cast(arith::IndexCastOp::create(builder, i64, number), i64, elementOf(op));
        });
      })
      .Case([&](ReduceOp op) { return reduceAt(op, indices); })
      .Case([&](MatmulOp op) { return matmulAt(op, indices); })
      .Case([&](SoftmaxOp op) { return softmaxAt(op, indices); })
      .Case([&](NormOp op) { return normAt(op, indices); });
}

Value MapPoints::constantAt(ConstantOp op, ArrayRef<Value> indices) {
  auto elements = cast<DenseElementsAttr>(op.getValue());
  if (elements.isSplat())
    return emit({}, [&] { return math.constant(elements, 0, elementOf(op)); });
  SmallVector<Value> choices;
  for (int64_t i = 0; i < elements.getNumElements(); ++i)
    choices.push_back(emit({}, [&] { return math.constant(elements, i, elementOf(op)); }));
  return choose(choices, linearize(dimsOf(op.getType()), indices));
}

Value MapPoints::choose(ArrayRef<Value> choices, Value position) {
  if (auto number = getConstantIntValue(position))
    return choices[*number];
  Value chosen = choices.back();
  for (size_t i = choices.size() - 1; i-- > 0;) {
    Value number = index(i);
    chosen = emit({position, choices[i], chosen}, [&] {
      Value isIt = arith::CmpIOp::create(builder, CmpIPredicate::eq, position, number);
      return arith::SelectOp::create(builder, isIt, choices[i], chosen);
    });
  }
  return chosen;
}

Value MapPoints::sliceAt(SliceOp op, ArrayRef<Value> indices) {
  Dims from = dimsOf(op.getInput().getType()), to = dimsOf(op.getType());
  SmallVector<Value> own;
  for (auto [axis, text] : llvm::enumerate(op.getStarts().getAsValueRange<StringAttr>())) {
    DimExpr start = *DimExpr::parse(text), last = start + (to[axis] - 1) * op.getSteps()[axis];
    own.push_back(add(size(start), mul(indices[axis], index(op.getSteps()[axis]))));
    if (start.constant() && from[axis].constant() && to[axis].constant())
      continue; // verified
    for (const DimExpr &end : {start, last}) {
      if (isAtLeast(end, 0) && isAtLeast(from[axis] - 1 - end, 0))
        continue;
      Value wanted = size(to[axis]), position = size(end), available = size(from[axis]), zero = index(0);
      moveTo(0);
      Value outside = arith::CmpIOp::create(builder, CmpIPredicate::uge, position, available);
      Value picks = arith::CmpIOp::create(builder, CmpIPredicate::sgt, wanted, zero);
      outside = arith::AndIOp::create(builder, outside, picks);
      refused = refused ? Value(arith::OrIOp::create(builder, refused, outside)) : outside;
    }
  }
  return at(op.getInput(), own);
}

Value MapPoints::concatAt(ConcatOp op, ArrayRef<Value> indices, unsigned piece, Value before) {
  Value input = op.getInputs()[piece];
  unsigned axis = op.getAxis();
  auto own = [&] {
    SmallVector<Value> moved(indices);
    moved[axis] = sub(indices[axis], before);
    return at(input, moved);
  };
  if (piece + 1 == op.getInputs().size())
    return own();
  Value after = add(before, size(dimsOf(input.getType())[axis]));
  Value isInside = emit({indices[axis], after},
                        [&] { return arith::CmpIOp::create(builder, CmpIPredicate::ult, indices[axis], after); });
  return conditional(isInside, ElementMath::computeType(elementOf(op)), std::max(depthOf(indices), floor()), own,
                     [&] { return concatAt(op, indices, piece + 1, after); });
}

/// The index that `indices` holds at `point`, counted from the start of an axis of `size`; 0 and an error report when
/// there is no such element.
Value MapPoints::checkedIndex(Value indices, ArrayRef<Value> point, const DimExpr &dim) {
  Value given = at(indices, point), count = size(dim);
  return remember(keyOf(&kIndex, {given, count}), [&] {
    Value zero = index(0), isError;
    Value checked = emit(
        {given, count},
        [&] {
          Value wide = arith::IndexCastOp::create(builder, builder.getIndexType(), given);
          Value isNegative = arith::CmpIOp::create(builder, CmpIPredicate::slt, wide, zero);
          Value fromEnd = arith::AddIOp::create(builder, wide, count);
          Value position = arith::SelectOp::create(builder, isNegative, fromEnd, wide);
          isError = arith::CmpIOp::create(builder, CmpIPredicate::uge, position, count);
          return arith::SelectOp::create(builder, isError, zero, position);
        },
        /*reads=*/true);
    depths[isError] = depthOf(checked);
    report(isError);
    return checked;
  });
}

/// Reads along axes of `sizes` that may be empty, in which case there is not even an element 0.
Value MapPoints::gathered(Value data, ArrayRef<DimExpr> sizes, ArrayRef<Value> indices) {
  Value hasElements;
  for (const DimExpr &dim : sizes) {
    if (isAtLeast(dim, 1))
      continue;
    Value count = size(dim), zero = index(0);
    hasElements = emit({count}, [&] {
      Value some = arith::CmpIOp::create(builder, CmpIPredicate::sgt, count, zero);
      return hasElements ? Value(arith::AndIOp::create(builder, hasElements, some)) : some;
    });
  }
  if (!hasElements)
    return at(data, indices);
  Type type = ElementMath::computeType(elementOf(data));
  return conditional(
      hasElements, type, std::max(depthOf(indices), floor()), [&] { return at(data, indices); },
      [&] {
        return emit({}, [&] { return isa<FloatType>(type) ? math.constant(type, 0.0) : math.integer(type, 0); });
      });
}

// Loops over axes.

Value MapPoints::fold(Value input, ArrayRef<int64_t> axes, ArrayRef<Value> indices, Value init,
                      function_ref<Value(Value, Value)> step) {
  Dims dims = dimsOf(input.getType());
  SmallVector<Value> point(indices);
  for (int64_t axis : axes)
    point[axis] = index(0);
  unsigned depth = std::max(depthOf(point), floor());
  std::function<Value(ArrayRef<int64_t>, Value)> nest = [&](ArrayRef<int64_t> rest, Value accumulator) -> Value {
    if (rest.empty())
      return step(accumulator, at(input, point));
    int64_t axis = rest.front();
    if (dims[axis].isConstant(1))
      return nest(rest.drop_front(), accumulator);
    Value low = index(0), high = size(dims[axis]);
    auto loop = loopAt(depth++, low, high, accumulator, [&](Value iv, Value carried) {
      point[axis] = iv;
      return nest(rest.drop_front(), carried);
    });
    --depth;
    return loop.getResult(0);
  };
  return nest(axes, init);
}

Value MapPoints::finishReduce(ReduceKind kind, Value sum, const DimExpr &count, Type element) {
  Value number = size(count);
  return emit({sum, number}, [&] {
    Type wide = math.accumulatorType(kind, element);
    Value total = isa<FloatType>(wide) && sum.getType() != wide ? math.extend(sum) : sum;
    Value elements = arith::IndexCastOp::create(builder, builder.getI64Type(), number);
    return math.reduceFinish(kind, total, elements, element);
  });
}

Value MapPoints::reduceAt(ReduceOp op, ArrayRef<Value> indices) {
  Type element = elementOf(op);
  Dims dims = dimsOf(op.getInput().getType());
  DimExpr count = 1;
  for (int64_t axis : op.getAxes())
    count = count * dims[axis];
  Value init = emit({}, [&] { return math.reduceInit(op.getKind(), element); });
  Value total = fold(op.getInput(), op.getAxes(), indices, init, [&](Value accumulator, Value x) {
    return emit({accumulator, x}, [&] { return math.reduceStep(op.getKind(), accumulator, x, element); });
  });
  return finishReduce(op.getKind(), total, count, element);
}

/// Indices of a matrix operand: leading ones by broadcasting, then its row and column.
static SmallVector<Value> matrixPoint(MapPoints &points, Value operand, ArrayRef<Value> lead, Value row, Value column) {
  SmallVector<Value> all(lead);
  all.append({row, column});
  Dims dims = dimsOf(operand.getType());
  SmallVector<Value> own = broadcastIndices(points, operand, all);
  own[dims.size() - 2] = row; // sizes of one are sizes here
  own[dims.size() - 1] = column;
  return own;
}

Value MapPoints::matmulAt(MatmulOp op, ArrayRef<Value> indices) {
  Type element = elementOf(op);
  bool isFloat = isa<FloatType>(element);
  Type wide = isFloat ? Type(builder.getF64Type()) : element; // integers wrap
  Value init = emit({}, [&] { return isFloat ? math.constant(wide, 0.0) : math.integer(wide, 0); });
  ArrayRef<Value> lead = indices.drop_back(2);
  Value row = indices[indices.size() - 2], column = indices.back();
  Value low = index(0), high = size(dimsOf(op.getLhs().getType()).back());
  auto loop = loopAt(std::max(depthOf(indices), floor()), low, high, init, [&](Value k, Value carried) {
    Value a = at(op.getLhs(), matrixPoint(*this, op.getLhs(), lead, row, k));
    Value b = at(op.getRhs(), matrixPoint(*this, op.getRhs(), lead, k, column));
    return emit({a, b, carried}, [&] {
      Value product = isFloat ? math.mul(math.extend(a), math.extend(b)) : math.mul(a, b);
      return math.reduceStep(ReduceKind::sum, carried, product, wide);
    });
  });
  return finishReduce(ReduceKind::sum, loop.getResult(0), 1, element);
}

Value MapPoints::softmaxAt(SoftmaxOp op, ArrayRef<Value> indices) {
  Type element = elementOf(op);
  int64_t axis = op.getAxis();
  SmallVector<Value> kept(indices);
  kept[axis] = index(0);
  SmallVector<Value> key(kept);
  key.push_back(op.getResult());
  Value largest = remember(keyOf(&kMaximum, key), [&] {
    Value lowest = emit({}, [&] { return math.reduceInit(ReduceKind::max, element); });
    return fold(op.getInput(), axis, kept, lowest, [&](Value accumulator, Value x) {
      return emit({accumulator, x}, [&] { return math.reduceStep(ReduceKind::max, accumulator, x, element); });
    });
  });
  auto exponential = [&](Value x) { return math.exp(math.sub(x, largest)); };
  Value sum = remember(keyOf(&kSum, key), [&] {
    Value zero = emit({}, [&] { return math.constant(builder.getF64Type(), 0.0); });
    return fold(op.getInput(), axis, kept, zero, [&](Value accumulator, Value x) {
      return emit({accumulator, x, largest},
                  [&] { return math.reduceStep(ReduceKind::sum, accumulator, exponential(x), builder.getF64Type()); });
    });
  });
  Value x = at(op.getInput(), indices);
  return emit({x, largest, sum}, [&] {
    Value quotient = math.div(math.extend(exponential(x)), sum);
    return math.cast(quotient, builder.getF64Type(), element);
  });
}

Value MapPoints::normAt(NormOp op, ArrayRef<Value> indices) {
  Type element = elementOf(op), f64 = builder.getF64Type();
  Dims dims = dimsOf(op.getType());
  SmallVector<int64_t> axes;
  SmallVector<Value> kept(indices);
  DimExpr count = 1;
  for (size_t axis = op.getAxis(); axis < dims.size(); ++axis) {
    axes.push_back(axis);
    kept[axis] = index(0);
    count = count * dims[axis];
  }
  SmallVector<Value> key(kept);
  key.push_back(op.getResult());
  Value zero = emit({}, [&] { return math.constant(f64, 0.0); });
  double length = double(*count.constant());
  Value mean = zero;
  if (op.getKind() == NormKind::layer)
    mean = remember(keyOf(&kMean, key), [&] {
      Value sum = fold(op.getInput(), axes, kept, zero, [&](Value accumulator, Value x) {
        return emit({accumulator, x}, [&] { return math.reduceStep(ReduceKind::sum, accumulator, x, element); });
      });
      return emit({sum}, [&] { return math.div(sum, math.constant(f64, length)); });
    });
  Value deviation = remember(keyOf(&kDeviation, key), [&] {
    Value sum = fold(op.getInput(), axes, kept, zero, [&](Value accumulator, Value x) {
      return emit({accumulator, x, mean}, [&] {
        Value difference = math.sub(math.extend(x), mean);
        return math.reduceStep(ReduceKind::sum, accumulator, math.mul(difference, difference), f64);
      });
    });
    return emit({sum}, [&] {
      Value square =
          math.add(math.div(sum, math.constant(f64, length)), math.constant(f64, op.getEpsilon().convertToDouble()));
      return math.elementwise(ElementwiseKind::sqrt, square, f64);
    });
  });
  Value x = at(op.getInput(), indices);
  ArrayRef<Value> inner = indices.drop_front(op.getAxis());
  Value scale = op.getScale() ? at(op.getScale(), inner) : Value();
  Value bias = op.getBias() ? at(op.getBias(), inner) : Value();
  SmallVector<Value> operands{x, mean, deviation};
  for (Value parameter : {scale, bias})
    if (parameter)
      operands.push_back(parameter);
  return emit(operands, [&] {
    Value result = math.div(math.sub(math.extend(x), mean), deviation);
    if (scale)
      result = math.mul(result, math.extend(scale));
    if (bias)
      result = math.add(result, math.extend(bias));
    return math.cast(result, f64, element);
  });
}

void MapPoints::fillRow(Operation *op, ArrayRef<Value> row, Value low, Value high) {
  auto reduce = dyn_cast<ReduceOp>(op);
  auto matmul = dyn_cast<MatmulOp>(op);
  Type element = elementOf(op->getResult(0)), f32 = builder.getF32Type();
  ReduceKind kind = reduce ? reduce.getKind() : ReduceKind::sum;
  Value scratch = builder.scratch();
  Value init = emit({}, [&] {
    Value wide = math.reduceInit(kind, element);
    return math.truncate(wide, f32);
  });
  loop(low, high, [&](Value column) { store(init, f32, scratch, sub(column, low)); });
  auto accumulate = [&](function_ref<Value(Value column)> term) {
    loop(low, high, [&](Value column) {
      Value x = term(column), offset = sub(column, low);
      moveTo(scopes.size() - 1);
      Value sum = builder.load(scratch, offset);
      switch (kind) {
      case ReduceKind::sum:
      case ReduceKind::mean:
        sum = math.add(sum, x);
        break;
      case ReduceKind::prod:
        sum = math.mul(sum, x);
        break;
      case ReduceKind::max:
      case ReduceKind::min:
        sum = math.reduceStep(kind, sum, x, f32);
        break;
      }
      builder.store(sum, scratch, offset);
    });
  };
  if (matmul) {
    loop(index(0), size(dimsOf(matmul.getLhs().getType()).back()), [&](Value k) {
      accumulate([&](Value column) {
        ArrayRef<Value> lead = row.drop_back();
        Value a = at(matmul.getLhs(), matrixPoint(*this, matmul.getLhs(), lead, row.back(), k));
        Value b = at(matmul.getRhs(), matrixPoint(*this, matmul.getRhs(), lead, k, column));
        return emit({a, b}, [&] { return math.mul(a, b); });
      });
    });
  } else {
    SmallVector<Value> point(row);
    point.push_back({});
    std::function<void(ArrayRef<int64_t>)> nest = [&](ArrayRef<int64_t> axes) {
      if (axes.empty())
        return accumulate([&](Value column) {
          point.back() = column;
          return at(reduce.getInput(), point);
        });
      loop(index(0), size(dimsOf(reduce.getInput().getType())[axes.front()]), [&](Value iv) {
        point[axes.front()] = iv;
        nest(axes.drop_front());
      });
    };
    nest(reduce.getAxes());
  }
}

void MapPoints::readRow(Operation *op, ArrayRef<Value> row, Value low, Value column) {
  SmallVector<Value> point(row);
  point.push_back(column);
  auto reduce = dyn_cast<ReduceOp>(op);
  DimExpr count = 1;
  if (reduce)
    for (int64_t axis : reduce.getAxes())
      count = count * dimsOf(reduce.getInput().getType())[axis];
  remember(keyOf(op->getResult(0).getAsOpaquePointer(), point), [&] {
    Value offset = sub(column, low);
    Value sum = emit({offset}, [&] { return builder.load(builder.scratch(), offset); });
    return finishReduce(reduce ? reduce.getKind() : ReduceKind::sum, sum, count, elementOf(op->getResult(0)));
  });
}
