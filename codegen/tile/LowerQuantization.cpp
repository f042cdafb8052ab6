// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes quantize and dequantize as the arithmetic they are.
#include "codegen/tile/PackedWeight.h"
#include "codegen/tile/Passes.h"
#include "dialects/model/ModelConstants.h"
#include "dialects/model/ModelDialect.h"
#include "dialects/model/ModelShapes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tamis {
#define GEN_PASS_DEF_LOWERQUANTIZATION
#include "codegen/tile/Passes.h.inc"
} // namespace tamis

using namespace mlir;
using namespace tamis;
using namespace tamis::model;
using K = ElementwiseKind;

namespace {
Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

class Lowering {
public:
  explicit Lowering(Operation *op) : op(op), builder(op) {}

  LogicalResult quantize(QuantizeOp op) {
    Type number = compute(elementOf(op.getInput())), element = elementOf(op.getResult());
    if (!element.isInteger())
      return op.emitOpError() << "gives elements of " << element << ", which the CPU has no code for";
    auto block = blockOf(op);
    Value quotient = elementwise(K::div, {cast(op.getInput(), number), cast(spread(op.getScale(), block), number)});
    quotient = elementwise(K::round, {quotient});
    // The sum is exact wherever it does not saturate.
    if (op.getZeroPoint())
      quotient = elementwise(K::add, {quotient, cast(spread(op.getZeroPoint(), block), number)});
    return finish(cast(quotient, element));
  }

  LogicalResult dequantize(DequantizeOp op) {
    Type element = elementOf(op.getResult()), number = compute(element);
    if (!elementOf(op.getInput()).isInteger())
      return op.emitOpError() << "takes elements of " << elementOf(op.getInput()) << ", which the CPU has no code for";
    auto block = blockOf(op);
    Value difference = op.getInput();
    if (op.getZeroPoint()) {
      Type wide = builder.getI32Type();
      difference = elementwise(K::sub, {cast(difference, wide), cast(spread(op.getZeroPoint(), block), wide)});
    }
    Value scaled = elementwise(K::mul, {cast(difference, number), cast(spread(op.getScale(), block), number)});
    if (op.getMinimum())
      scaled = elementwise(K::add, {scaled, cast(spread(op.getMinimum(), block), number)});
    return finish(cast(scaled, element));
  }

private:
  struct Block {
    int64_t size, axis;
    Dims dims; ///< of the operand
  };
  template <typename Op> static std::optional<Block> blockOf(Op op) {
    if (!op.getBlock())
      return std::nullopt;
    return Block{int64_t(*op.getBlock()), int64_t(*op.getAxis()), dimsOf(op.getInput().getType())};
  }

  Type compute(Type element) { return element.isF64() ? element : Type(builder.getF32Type()); }

  Value cast(Value value, Type element) {
    auto type = tensorType(element, dimsOf(value.getType()));
    return type == value.getType() ? value : CastOp::create(builder, op->getLoc(), type, value).getResult();
  }

  Value elementwise(K kind, ArrayRef<Value> operands) {
    Dims dims;
    for (Value operand : operands)
      dims = *broadcastDims(dims, dimsOf(operand.getType())); // verified
    return ElementwiseOp::create(builder, op->getLoc(), tensorType(elementOf(operands.back()), dims), kind, operands);
  }

  /// One number a block as one an index.
  Value spread(Value value, const std::optional<Block> &block) {
    if (!block)
      return value;
    Location loc = op->getLoc();
    Type element = elementOf(value);
    Dims dims = dimsOf(value.getType());
    DimExpr blocks = dims[block->axis], size = block->dims[block->axis];
    dims.insert(dims.begin() + block->axis + 1, DimExpr(1));
    Value spread = ReshapeOp::create(builder, loc, tensorType(element, dims), value);
    dims[block->axis + 1] = DimExpr(block->size);
    spread = BroadcastOp::create(builder, loc, tensorType(element, dims), spread);
    dims.erase(dims.begin() + block->axis + 1);
    dims[block->axis] = blocks * block->size;
    spread = ReshapeOp::create(builder, loc, tensorType(element, dims), spread);
    if (dims[block->axis] == size)
      return spread;
    dims[block->axis] = size; // the last block is short
    SmallVector<Attribute> starts(dims.size(), builder.getStringAttr("0"));
    return SliceOp::create(builder, loc, tensorType(element, dims), spread, builder.getArrayAttr(starts),
                           SmallVector<int64_t>(dims.size(), 1));
  }

  LogicalResult finish(Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
    return success();
  }

  Operation *op;
  OpBuilder builder;
};

struct LowerQuantization : tamis::impl::LowerQuantizationBase<LowerQuantization> {
  void runOnOperation() override {
    SmallVector<Operation *> found;
    getOperation()->walk([&](Operation *op) {
      auto dequantize = dyn_cast<DequantizeOp>(op);
      if (isa<QuantizeOp>(op) || (dequantize && !keepsPacked(dequantize)))
        found.push_back(op);
    });
    for (Operation *op : found) {
      auto quantize = dyn_cast<QuantizeOp>(op);
      if (failed(quantize ? Lowering(op).quantize(quantize) : Lowering(op).dequantize(cast<DequantizeOp>(op))))
        return signalPassFailure();
      ++numLowered;
    }
  }
};
} // namespace
