// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Computes models of 16-bit floats in f32.
#include "passes/graph/Matchers.h"
#include "passes/graph/Passes.h"

using namespace mlir;
using namespace tamis::model;

namespace tamis::graph {
#define GEN_PASS_DEF_WIDENHALF
#include "passes/graph/Passes.h.inc"

namespace {
bool isHalf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && (tensor.getElementType().isF16() || tensor.getElementType().isBF16());
}

/// Walks a function in order; values of 16 bits are known by those of f32 that stand for them.
class Widening {
public:
  explicit Widening(func::FuncOp function) : function(function), builder(function.getContext()) {}

  /// Gives the number of ops that compute in f32 now.
  int64_t run() {
    SmallVector<Operation *> ops; // without the casts that are added on the way
    for (Operation &op : function.front())
      ops.push_back(&op);
    builder.setInsertionPointToStart(&function.front());
    for (BlockArgument argument : function.getArguments())
      if (isHalf(argument.getType()) && !argument.use_empty())
        wide[argument] = castTo(argument, builder.getF32Type());
    llvm::for_each(ops, [&](Operation *op) { visit(op); });
    for (Operation *op : llvm::reverse(casts))
      if (op->use_empty())
        op->erase();
    return count;
  }

private:
  Value castTo(Value value, Type element) {
    return CastOp::create(builder, value.getLoc(), tensorType(element, dimsOf(value)), value);
  }

  void visit(Operation *op) {
    if (op->hasTrait<OpTrait::IsTerminator>())
      return narrowResults(op);
    bool takes = llvm::any_of(op->getOperandTypes(), isHalf), gives = llvm::any_of(op->getResultTypes(), isHalf);
    if (!takes && !gives)
      return;
    ++count;
    builder.setInsertionPointAfter(op);
    for (OpOperand &operand : op->getOpOperands())
      if (Value single = wide.lookup(operand.get()))
        operand.set(single);
    if (!gives)
      return;
    if (op->getNumOperands() == 0) { // a weight or a constant
      wide[op->getResult(0)] = castTo(op->getResult(0), builder.getF32Type());
    } else if (isa<CastOp>(op)) {
      // Wider numbers are rounded to 16 bits at once: through f32 they would be rounded twice.
      Value from = op->getOperand(0);
      bool isSingle = typeOf(from).getElementType().isF32();
      wide[op->getResult(0)] = isSingle ? from : castTo(op->getResult(0), builder.getF32Type());
      casts.push_back(op);
    } else {
      for (Value result : op->getResults())
        if (isHalf(result.getType())) {
          result.setType(tensorType(builder.getF32Type(), dimsOf(result)));
          wide[result] = result;
        }
    }
  }

  /// What the function gives keeps its declared type.
  void narrowResults(Operation *terminator) {
    builder.setInsertionPoint(terminator);
    for (auto [operand, type] : llvm::zip_equal(terminator->getOpOperands(), function.getResultTypes()))
      if (operand.get().getType() != type)
        operand.set(castTo(operand.get(), cast<RankedTensorType>(type).getElementType()));
  }

  func::FuncOp function;
  OpBuilder builder;
  DenseMap<Value, Value> wide;
  SmallVector<Operation *> casts;
  int64_t count = 0;
};

struct WidenHalf : impl::WidenHalfBase<WidenHalf> {
  void runOnOperation() override { numWidened += Widening(getOperation()).run(); }
};
} // namespace
} // namespace tamis::graph
