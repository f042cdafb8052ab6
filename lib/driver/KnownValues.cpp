// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values that follow from weights and constants alone.
#include "lib/driver/KnownValues.h"

#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelShapes.h"
#include "lib/reference/Evaluator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

bool tamis::isKnown(Value value, llvm::SetVector<Operation *> &ops) {
  Operation *op = value.getDefiningOp();
  if (!op ||
      !isa<WeightOp, model::ConstantOp, ReshapeOp, TransposeOp, BroadcastOp, SliceOp, ConcatOp, GatherOp, CastOp,
           ElementwiseOp, DequantizeOp>(op) ||
      !cast<RankedTensorType>(value.getType()).hasStaticShape())
    return false;
  if (!ops.contains(op) && !llvm::all_of(op->getOperands(), [&](Value operand) { return isKnown(operand, ops); }))
    return false;
  ops.insert(op); // behind what it reads
  return true;
}

FailureOr<reference::HostTensor> tamis::valueOf(Value value, const WeightStore &weights, Type element) {
  llvm::SetVector<Operation *> ops;
  if (!isKnown(value, ops))
    return failure();
  Location loc = value.getLoc();
  OpBuilder builder(value.getContext());
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  builder.setInsertionPointToEnd(module->getBody());
  Type type = element ? tensorType(element, dimsOf(value.getType())) : value.getType();
  auto function = func::FuncOp::create(builder, loc, "known", builder.getFunctionType({}, type));
  builder.setInsertionPointToEnd(function.addEntryBlock());
  IRMapping map;
  for (Operation *op : ops)
    builder.clone(*op, map);
  Value result = map.lookup(value);
  if (result.getType() != type)
    result = CastOp::create(builder, loc, type, result);
  func::ReturnOp::create(builder, loc, result);
  auto results = reference::evaluate(function, {}, weights);
  if (!results)
    return emitError(loc) << llvm::toString(results.takeError());
  return std::move(results->front());
}

std::string tamis::keyOf(Value value) {
  return weightKey(value).value_or("constant");
}

FailureOr<OutputRows> tamis::outputRows(LinearOp op, const WeightStore &weights) {
  auto matrix = valueOf(op.getWeight(), weights);
  if (failed(matrix))
    return failure();
  ArrayRef<float> numbers = matrix->values<float>();
  int64_t rows = matrix->shape[0], columns = matrix->shape[1];
  if (op.getTransposed())
    return OutputRows{rows, columns, numbers.vec()};
  OutputRows turned{columns, rows, std::vector<float>(numbers.size())};
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      turned.numbers[c * rows + r] = numbers[r * columns + c];
  return turned;
}
