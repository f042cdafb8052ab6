// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Unpacks rows of tables.
#include "codegen/tile/PackedLookup.h"
#include "codegen/tile/ElementMath.h"
#include "codegen/tile/KernelBuilder.h"
#include "codegen/tile/PackWords.h"
#include "codegen/tile/PackedWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tamis;
using namespace tamis::model;

namespace {
constexpr int64_t kGroupRows = 8;

struct LookupKernel {
  EmbeddingOp embedding;
  PackedWeight table;
  DimExpr rows;

  static FailureOr<LookupKernel> analyse(func::FuncOp kernel) {
    auto embeddings = kernel.getOps<EmbeddingOp>();
    if (embeddings.empty())
      return kernel.emitOpError("has no model.embedding to tile");
    EmbeddingOp embedding = *embeddings.begin();
    auto table = PackedWeight::of(embedding.getTable());
    if (!table)
      return embedding.emitOpError("has a table that is not packed");
    for (Operation &op : kernel.front().without_terminator())
      if (&op != embedding && &op != table->op && !isa<model::ConstantOp>(op))
        return op.emitOpError("cannot be computed with a look-up");
    SmallVector<Value> operands(table->op->getOperands());
    operands.push_back(embedding.getIds());
    for (Value operand : operands)
      if (!isa<BlockArgument>(operand) && !(operand == table->op.getZeroPoint() && table->uniformZero))
        return embedding.emitOpError("has an operand that is no argument of its kernel");
    return LookupKernel{embedding, *table, product(dimsOf(embedding.getIds().getType()))};
  }
};

class LookupTiler {
public:
  LookupTiler(KernelBuilder &builder, const LookupKernel &kernel, const CpuTarget &target)
      : b(builder), kernel(kernel), table(kernel.table), math(builder, target), per(perWord(table.bits)) {}

  Value emit() {
    Value rows = b.size(kernel.rows), zero = arith::ConstantIntOp::create(b, 0, 32);
    Value first = b.mul(b.begin(), kGroupRows), last = b.minimum(rows, b.mul(b.end(), kGroupRows));
    return b.loop(first, last, 1, {zero}, [&](Value row, ValueRange carried) -> SmallVector<Value> {
      EmbeddingOp embedding = kernel.embedding;
      Value id = b.load(b.bufferOf(embedding.getIds()), row);
      id = arith::IndexCastOp::create(b, b.getIndexType(), id);
      Value count = b.index(table.outputs);
      Value isNegative = compare(arith::CmpIPredicate::slt, id, b.index(0));
      id = arith::SelectOp::create(b, isNegative, b.add(id, count), id);
      Value fits = compare(arith::CmpIPredicate::ult, id, count);
      unpackRow(arith::SelectOp::create(b, fits, id, b.index(0)), b.mul(row, table.depth));
      Value one = arith::ConstantIntOp::create(b, 1, 32);
      return {arith::SelectOp::create(b, fits, carried[0], one)};
    })[0];
  }

private:
  Value compare(arith::CmpIPredicate how, Value x, Value y) { return arith::CmpIOp::create(b, how, x, y); }

  void unpackRow(Value id, Value to) {
    Value panel = b.divFloor(id, b.index(kPanelColumns)), column = b.rem(id, b.index(kPanelColumns));
    int64_t whole = table.depth / table.group, rest = table.depth % table.group;
    b.loop(b.index(0), b.index(whole), 1, [&](Value group) { unpackGroup(panel, column, group, table.group, to); });
    if (rest)
      unpackGroup(panel, column, b.index(whole), rest, to);
  }

  /// A scale, zero point or minimum of a group, as f32, in every lane.
  Value unit(Value operand, Value panel, Value column, Value group) {
    Type element = cast<RankedTensorType>(operand.getType()).getElementType();
    Value at = b.add(b.mul(b.add(b.mul(panel, table.groups), group), kPanelColumns), column);
    Value number = math.fromStorage(b.load(b.bufferOf(operand), at), element);
    return b.broadcast(math.cast(number, element, b.getF32Type()), per);
  }

  void unpackGroup(Value panel, Value column, Value group, int64_t count, Value to) {
    DequantizeOp op = table.op;
    Value scale = unit(op.getScale(), panel, column, group), zero = b.splat(double(table.uniformZero.value_or(0)), per);
    if (table.zeroPoints())
      zero = unit(table.zeroPoints(), panel, column, group);
    Value lift = b.splat(double(table.lift()), per);
    Value minimum = op.getMinimum() ? unit(op.getMinimum(), panel, column, group) : Value();
    VectorType integers = b.vectorType(per, b.getI32Type());
    SmallVector<int32_t> shifts;
    for (int64_t i = 0; i < per; ++i)
      shifts.push_back(int32_t(i * table.bits));
    Value shift = arith::ConstantOp::create(b, DenseElementsAttr::get(integers, ArrayRef<int32_t>(shifts)));
    Value mask = math.integer(integers, (int64_t(1) << table.bits) - 1);
    int64_t words = llvm::divideCeil(table.depth, per);
    Value firstWord = b.mul(group, llvm::divideCeil(table.group, per));
    auto step = [&](Value index) {
      Value at = b.mul(b.add(b.mul(b.add(b.mul(panel, words), index), kPanelColumns), column), 4);
      Value bytes = b.loadVector(b.bufferOf(op.getInput()), at, 4);
      Value word = vector::ExtractOp::create(b, vector::BitCastOp::create(b, b.vectorType(1, b.getI32Type()), bytes),
                                             int64_t(0));
      Value spread = arith::ShRUIOp::create(b, b.broadcast(word, per), shift);
      spread = arith::AndIOp::create(b, spread, mask);
      Value number = arith::SIToFPOp::create(b, b.vectorType(per), spread);
      number = arith::SubFOp::create(b, arith::SubFOp::create(b, number, lift), zero);
      number = arith::MulFOp::create(b, number, scale);
      return minimum ? Value(arith::AddFOp::create(b, number, minimum)) : number;
    };
    Value output = b.result(0);
    b.loop(b.index(0), b.index(count / per), 1, [&](Value i) {
      Value index = b.add(firstWord, i);
      b.storeVector(step(index), output, b.add(to, b.mul(index, per)));
    });
    if (int64_t rest = count % per) {
      Value index = b.add(firstWord, count / per), numbers = step(index);
      for (int64_t i = 0; i < rest; ++i)
        b.store(vector::ExtractOp::create(b, numbers, i), output, b.add(b.add(to, b.mul(index, per)), i));
    }
  }

  KernelBuilder &b;
  const LookupKernel &kernel;
  const PackedWeight &table;
  ElementMath math;
  int64_t per;
};
} // namespace

LogicalResult tamis::tilePackedLookup(func::FuncOp function, const CpuTarget &target) {
  auto kernel = LookupKernel::analyse(function);
  if (failed(kernel))
    return failure();
  KernelBuilder builder(function);
  Value status = LookupTiler(builder, *kernel, target).emit();
  builder.finish(status);
  return success();
}

FailureOr<Launch> tamis::packedLookupLaunch(func::FuncOp function) {
  auto kernel = LookupKernel::analyse(function);
  if (failed(kernel))
    return failure();
  return Launch{DimExpr::floorDiv(kernel->rows + (kGroupRows - 1), kGroupRows), 0};
}
