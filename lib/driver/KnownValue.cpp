// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Asks the reference evaluator.
#include "lib/driver/KnownValue.h"

#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "lib/reference/Evaluator.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

/// Collects the ops behind a value, each behind what it reads; false where one of them is not known.
static bool collect(Value value, llvm::SetVector<Operation *> &ops) {
  Operation *op = value.getDefiningOp();
  if (!op || !isa<WeightOp, model::ConstantOp, ReshapeOp, TransposeOp, BroadcastOp, SliceOp, ConcatOp, GatherOp, CastOp,
                  ElementwiseOp, DequantizeOp>(op))
    return false;
  if (ops.contains(op))
    return true;
  if (!cast<RankedTensorType>(value.getType()).hasStaticShape() ||
      !llvm::all_of(op->getOperands(), [&](Value operand) { return collect(operand, ops); }))
    return false;
  ops.insert(op);
  return true;
}

bool tamis::isKnownValue(Value value) {
  llvm::SetVector<Operation *> ops;
  return collect(value, ops);
}

FailureOr<reference::HostTensor> tamis::knownValue(Value value, Type element, const WeightStore &weights) {
  llvm::SetVector<Operation *> ops;
  if (!collect(value, ops))
    return failure();
  Location loc = value.getLoc();
  OpBuilder builder(value.getContext());
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  builder.setInsertionPointToEnd(module->getBody());
  Type type = tensorType(element, dimsOf(value.getType()));
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
